"""Clocks that differ: what the bot does when its date is not a venue's, and how long an order can still be taken."""

import pytest
from tests.unit.core.builders import PARADEX
from tests.unit.engine.fake_venue import FakeVenue, ListLog, ManualClock
from tests.unit.engine.test_bot import World

from deltawire.core.types import ClientOrderId
from deltawire.engine.offsets import TELL_EVERY_NS, Offsets
from deltawire.engine.resolver import NEVER_MARGIN_NS, Doubtful
from deltawire.engine.snapshot import status

MS, S = 10**6, 10**9


def show(venue: FakeVenue, clock: ManualClock, *, ours_ahead_ms: int = 0) -> None:
    """Have the venue tell its time, so that our clock is ahead of it by so much."""
    venue.time.heard(clock.unix_ns() - ours_ahead_ms * MS, MS, clock.mono_ns(), clock.mono_ns())


@pytest.mark.parametrize("ahead_ms", [-900, 900])
async def test_a_clock_too_far_off_one_venue_keeps_entries_out_and_is_told(world: World, ahead_ms: int):
    bot = await world.begin()
    show(world.vest, world.clock, ours_ahead_ms=ahead_ms)
    world.enter()
    assert not world.paradex.orders
    assert bot.traders[0].last_refusal == "clock"
    shown = status(bot)["venues"]["vest"]["clock"]
    assert abs(shown["offset_ms"] - ahead_ms) <= 1
    assert ("ahead of" if ahead_ms > 0 else "behind") in shown["blocks"]
    assert status(bot)["venues"]["paradex"]["clock"]["offset_ms"] is None


async def test_a_clock_a_little_off_trades(world: World):
    await world.begin()
    show(world.vest, world.clock, ours_ahead_ms=300)
    show(world.paradex, world.clock, ours_ahead_ms=-300)
    world.enter()
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 1)


async def test_an_exit_is_not_asked_what_time_it_is(world: World):
    bot = await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    show(world.vest, world.clock, ours_ahead_ms=90_000)
    world.spread(0)
    assert (len(world.paradex.orders), len(world.vest.orders)) == (2, 2)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await bot.stop("test")


# ---- until when an order can be taken -------------------------------------------------------------------------------


def doubtful(venue: FakeVenue, clock: ManualClock, *, ours_ahead_ms: int = 0, inherited: bool = False) -> Doubtful:
    """Return an order written now, and signed by a clock that is ahead of the venue's by so much."""
    venue.time.heard(clock.unix_ns(), MS, clock.mono_ns(), clock.mono_ns())
    return Doubtful(
        ClientOrderId("c"),
        venue,
        PARADEX.symbol,
        1,
        written_mono_ns=clock.mono_ns(),
        signed_unix_ms=clock.unix_ns() // MS + ours_ahead_ms,
        recv_window_ms=1_500,
        inherited=inherited,
    )


def test_an_order_signed_ahead_of_the_venues_clock_can_be_taken_so_much_longer():
    clock = ManualClock()
    order = doubtful(FakeVenue(PARADEX, clock), clock, ours_ahead_ms=4_000)
    usual_ns = 1_500 * MS + NEVER_MARGIN_NS
    assert not order.is_too_late(clock.now_ns + usual_ns + 3_990 * MS)
    assert order.is_too_late(clock.now_ns + usual_ns + 4_010 * MS)


def test_an_order_signed_behind_it_is_still_given_its_whole_window():
    """The venue's clock is only known by what it tells: an order of this run is aged by both."""
    clock = ManualClock()
    order = doubtful(FakeVenue(PARADEX, clock), clock, ours_ahead_ms=-4_000)
    usual_ns = 1_500 * MS + NEVER_MARGIN_NS
    assert not order.is_too_late(clock.now_ns + usual_ns - 10 * MS)
    assert order.is_too_late(clock.now_ns + usual_ns + 10 * MS)


def test_an_order_of_an_earlier_run_is_as_old_as_its_signature_by_the_venues_clock():
    clock = ManualClock()
    order = doubtful(FakeVenue(PARADEX, clock), clock, ours_ahead_ms=-1_990, inherited=True)
    assert not order.is_too_late(clock.now_ns)
    assert order.is_too_late(clock.now_ns + 20 * MS), "no wait anew from the start of this run"


def test_without_the_venues_time_an_earlier_runs_order_waits_from_the_start_of_this_one():
    clock = ManualClock()
    venue = FakeVenue(PARADEX, clock)
    order = Doubtful(
        ClientOrderId("c"), venue, PARADEX.symbol, 1, written_mono_ns=clock.now_ns, signed_unix_ms=1, inherited=True
    )
    assert not order.is_too_late(clock.now_ns + 5 * S)
    assert order.is_too_late(clock.now_ns + 5 * S + NEVER_MARGIN_NS + 1), "the longest window of the venue"


# ---- told -----------------------------------------------------------------------------------------------------------


def test_the_offset_is_logged_when_known_when_it_passes_the_limit_and_once_an_hour():
    clock, log = ManualClock(), ListLog()
    venue = FakeVenue(PARADEX, clock)
    offsets = Offsets([venue], clock=clock, log=log)
    offsets.look()
    assert not log.events, "nothing is known yet"
    told = 0
    for ahead_ms, after_ns, more in ((0, 2 * S, 1), (0, 2 * S, 0), (900, 2 * S, 1), (900, 2 * S, 0), (0, 2 * S, 1)):
        clock.now_ns += after_ns
        venue.time = type(venue.time)(500 * MS)
        show(venue, clock, ours_ahead_ms=ahead_ms)
        offsets.look()
        told += more
        assert len(log.events) == told, (ahead_ms, log.events)
    clock.now_ns += TELL_EVERY_NS
    show(venue, clock)
    offsets.look()
    assert len(log.events) == told + 1
    assert {name for name, _ in log.events} == {"venue.clock"}
