"""What the simulated Paradex takes, cancels and leaves alone while it does not trade normally, and when that is."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import BOB, BTC, ONE_LEVEL, START_UNIX_NS, HandClock

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_maintenance import Release
from deltawire.sim.paradex_rules import ApiRefusal
from deltawire.venues.paradex import records

STATES = ("maintenance", "cancel_only", "post_only")


def order(world, price, instruction, size="0.1"):
    return world.http("POST", "/orders", world.token(), world.order(Side.BUY, size, price, instruction=instruction))


def outcome(answer):
    return answer.body.get("error") or answer.body["status"]


@pytest.mark.parametrize(
    ("status", "ioc", "post_only", "cancelled"),
    [
        ("ok", "NEW", "NEW", 200),
        ("maintenance", "SERVICE_UNAVAILABLE", "SERVICE_UNAVAILABLE", 503),
        ("cancel_only", "SYSTEM_STATUS_CANCEL_ONLY", "SYSTEM_STATUS_CANCEL_ONLY", 200),
        ("post_only", "SYSTEM_STATUS_POST_ONLY", "NEW", 200),
    ],
)
def test_each_state_takes_what_it_takes(status, ioc, post_only, cancelled):
    world = World()
    world.exchange.enter(status)
    assert world.http("GET", "/system/state").body == {"status": status}
    assert outcome(order(world, "100010", "IOC")) == ioc
    assert outcome(order(world, "100000", "POST_ONLY", "0.2")) == post_only
    assert world.http("DELETE", "/orders", world.token()).status == cancelled


@pytest.mark.parametrize(
    ("status", "instruction", "refusal"),
    [
        ("maintenance", "POST_ONLY", "SERVICE_UNAVAILABLE"),
        ("cancel_only", "POST_ONLY", "SYSTEM_STATUS_CANCEL_ONLY"),
        ("post_only", "GTC", "SYSTEM_STATUS_POST_ONLY"),
        ("post_only", "POST_ONLY", ""),
    ],
)
def test_an_order_may_be_modified_only_where_such_an_order_would_be_taken(status, instruction, refusal):
    world = World()
    own = world.account.orders[order(world, "100000", instruction).body["id"]]
    world.exchange.enter(status)
    with pytest.raises(ApiRefusal, match=refusal) if refusal else nullcontext():
        world.exchange.modify(own, E8 // 5, 100_001 * E8)
    assert own.size_e8 == (E8 // 10 if refusal else E8 // 5)


def test_orders_away_from_the_fair_price_are_cancelled_before_and_after_a_release():
    world = World()
    wire = world.connect("orders.ALL", rank=Rank.PRO)
    near, far = order(world, "99960", "GTC").body["id"], order(world, "99950", "GTC", "0.2").body["id"]
    world.exchange.enter("maintenance")
    world.clock.advance(5)
    assert len(world.account.live) == 2
    world.exchange.enter("cancel_only")  # 5 bps of the mark of 100005 are 50.0025
    [closed] = [record for record in wire.records(records.Order) if record.status == "CLOSED"]
    assert (closed.order_id, closed.cancel_reason) == (far, "PRICE_OUTSIDE_BANDS")
    world.tick("100010", "100020")  # the fair price walks away from what was near
    world.clock.advance(1)
    assert world.account.orders[near].status == "CLOSED"


def test_nothing_trades_while_the_system_is_not_ok_though_the_market_goes_on():
    world = World()
    wire = world.connect(f"bbo.{BTC}")
    resting = world.account.orders[order(world, "100005", "GTC").body["id"]]
    world.exchange.enter("post_only")
    world.tick("99990", "100000")  # would trade with it
    assert (resting.status, world.exchange.markets[BTC].mark_e8) == ("OPEN", 99_995 * E8)
    world.tick("100004", "100012")
    assert wire.records(records.Bbo)[-1].ask == (100_012 * E8, E8)
    world.exchange.enter("ok")
    world.tick("99990", "100000")
    assert resting.status == "CLOSED"


def test_liquidation_waits_until_the_system_is_ok():
    world = World()
    order(world, "100010", "IOC", "1")
    world.account.collateral_e8 = 1_000 * E8
    world.exchange.enter("post_only")
    world.clock.advance(5)
    assert world.account.size_e8(BTC) == E8
    world.exchange.enter("ok")
    world.clock.advance(5)
    assert world.account.size_e8(BTC) == 0


# --- when ---


@pytest.mark.parametrize(
    ("utc", "status"),
    [
        ("2026-11-23 04:29:59", "ok"),  # a Monday
        ("2026-11-23 04:30:00", "maintenance"),
        ("2026-11-23 04:40:59", "maintenance"),
        ("2026-11-23 04:41:00", "cancel_only"),
        ("2026-11-23 04:43:00", "post_only"),
        ("2026-11-23 04:44:59", "post_only"),
        ("2026-11-23 04:45:00", "ok"),
        ("2026-11-27 04:30:00", "maintenance"),  # Friday
        ("2026-11-28 04:30:00", "ok"),  # Saturday
        ("2026-11-29 04:43:00", "ok"),  # Sunday
    ],
)
def test_the_weekday_window_has_its_phases(utc, status):
    unix_s = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp())
    assert Release().status_at(unix_s * 10**9) == status


def seconds_until_half_past_four():
    begins = datetime(2026, 11, 19, 4, 30, tzinfo=UTC)  # the Thursday after the hand clock's start
    return begins.timestamp() - START_UNIX_NS / 1e9


def test_the_venue_goes_through_the_window_by_its_own_clock():
    wait_s = seconds_until_half_past_four()
    assert 0 < wait_s < 86_400
    clock = HandClock()
    clock.now_ns = round((wait_s - 2) * 1e9)
    world = World(replace(ONE_LEVEL, release=Release()), clock)
    wire, seen = world.connect(f"bbo.{BTC}"), []
    for _ in range(910):
        clock.advance(1)
        seen.append(world.exchange.status)
    assert wire.aborted
    assert list(dict.fromkeys(seen)) == ["ok", "maintenance", "cancel_only", "post_only"]
    assert [seen.count(status) for status in STATES] == [660, 120, 120]
    assert seen[-1] == "ok"
    assert World().exchange.status == "ok"  # without the setting there is no window


def test_a_state_set_by_hand_stands_until_it_is_over_and_a_release_is_played_in_its_time():
    world = World()
    world.fault("maintenance", mode="post_only", ms=3_000)
    assert world.exchange.status == "post_only"
    world.clock.advance(3)
    assert world.exchange.status == "ok"
    wire = world.connect(f"bbo.{BTC}")
    world.fault("maintenance", mode="release", ms=9_000)
    seen = []
    for _ in range(10):
        seen.append(world.exchange.status)
        world.clock.advance(1)
    assert wire.aborted
    assert seen == ["maintenance"] * 7 + ["cancel_only"] * 1 + ["post_only"] * 1 + ["ok"]


def test_a_state_set_by_hand_ends_a_release_that_is_being_played():
    world = World()
    world.fault("maintenance", mode="release", ms=9_000)
    world.fault("maintenance", mode="cancel_only")
    world.clock.advance(20)
    assert world.exchange.status == "cancel_only"


def test_the_other_account_can_take_again_after_a_release():
    world = World()
    world.exchange.add_account(BOB, 2, 100_000 * E8)
    world.fault("maintenance", mode="release", ms=1_500)
    world.clock.advance(2)
    assert outcome(order(world, "100010", "IOC")) == "NEW"
    assert world.account.size_e8(BTC) == E8 // 10
