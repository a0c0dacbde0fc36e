"""When the adapter says that no entry should be made."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.paradex.paradex_fake import MemoryLog
from tests.unit.paradex.paradex_rig import BTC, SETTINGS, Rig, make_rig

from deltawire.venues.paradex import errors, rpc
from deltawire.venues.paradex.budget import Budgets
from deltawire.venues.paradex.health import POLLS_MISSED_MAX, Health, release_s
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.settings import OrderClass


class HandClock:
    """Both clocks in the hand of the test."""

    def __init__(self, utc: datetime) -> None:
        self.now_ns = int(utc.timestamp()) * 10**9

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return self.now_ns


TUESDAY_NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def health_at(utc: datetime, state: str = "ok") -> tuple[Health, HandClock, Rig]:
    rig = make_rig(SETTINGS)
    rig.fake.state = state
    clock = HandClock(utc)
    http = HttpCaller(rig.fake, SETTINGS.rest_url, 1.0, budgets=Budgets(OrderClass.PRO), clock=clock)
    settings = replace(SETTINGS, release_ahead_s=60, release_span_s=900)
    health = Health(settings, http=http, clock=clock, log=MemoryLog())
    await health.start()
    await health.close()  # no more polls: the test moves the clock
    return health, clock, rig


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        (datetime(2026, 11, 23, 4, 30, tzinfo=UTC), 0),  # Monday
        (datetime(2026, 11, 27, 4, 29, tzinfo=UTC), -60),  # Friday
        (datetime(2026, 11, 27, 5, 0, tzinfo=UTC), 1800),
        (datetime(2026, 11, 28, 4, 30, tzinfo=UTC), None),  # Saturday
        (datetime(2026, 11, 29, 4, 30, tzinfo=UTC), None),  # Sunday
    ],
)
def test_releases_are_on_weekdays_at_half_past_four(utc, expected):
    assert release_s(int(utc.timestamp())) == expected


@pytest.mark.parametrize(
    ("utc", "blocked"),
    [
        (datetime(2026, 11, 24, 4, 28, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 4, 29, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 4, 44, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 4, 45, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 4, 35, 0, tzinfo=UTC), False),  # Saturday
    ],
)
async def test_entries_stop_a_minute_before_the_release_and_for_its_length(utc, blocked):
    health, _, _ = await health_at(utc)
    assert bool(health.block()) is blocked


@pytest.mark.parametrize("state", ["maintenance", "cancel_only", "post_only", "a state of next year"])
async def test_any_state_but_ok_blocks_entries_and_is_named(state):
    health, _, _ = await health_at(TUESDAY_NOON, state)
    assert health.block() == f"system state is {state}"


async def test_without_releases_there_is_no_window():
    clock = HandClock(datetime(2026, 11, 24, 4, 30, tzinfo=UTC))
    rig = make_rig(SETTINGS)
    http = HttpCaller(rig.fake, SETTINGS.rest_url, 1.0, budgets=Budgets(OrderClass.PRO), clock=clock)
    health = Health(SETTINGS, http=http, clock=clock, log=MemoryLog())
    await health.start()
    assert health.block() == ""
    await health.close()


async def test_a_state_not_read_for_several_polls_blocks_entries():
    health, clock, _ = await health_at(TUESDAY_NOON)
    clock.now_ns += int(POLLS_MISSED_MAX * SETTINGS.state_poll_s * 1e9)
    assert health.block() == ""
    clock.now_ns += 1
    assert "unread" in health.block()


async def test_a_state_never_read_blocks_entries():
    rig = make_rig(SETTINGS)
    assert rig.venue.entry_block(BTC)


async def test_the_polled_state_is_followed():
    rig = make_rig(replace(SETTINGS, state_poll_s=0.05))
    await rig.venue.start(rig.sink)
    assert rig.venue.entry_block(BTC) == ""
    rig.fake.state = "post_only"
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) == "system state is post_only")
    assert rig.venue.ready, "exits go on"
    rig.fake.state = "ok"
    await rig.sink.until(lambda: rig.venue.entry_block(BTC) == "")
    await rig.venue.close()


async def test_a_refused_order_tells_the_state_before_the_next_poll_does():
    rig = make_rig(SETTINGS).restart_with(state_poll_s=60.0)
    await rig.venue.start(rig.sink)
    rig.fake.on_create = lambda connection, request, order: connection.text(
        rpc.encode_error(request.id, errors.METHOD_ERROR, "order refused", 1, 2, "SYSTEM_STATUS_CANCEL_ONLY")
    )
    client_id = rig.submit()
    await rig.until_kinds(client_id, "Sent", "Rejected")
    assert rig.venue.entry_block(BTC) == "system state is cancel_only"
    await rig.venue.close()
