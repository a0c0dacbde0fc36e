import random
from functools import partial
from itertools import count, islice

import pytest
from tests.unit.sim_market.timers import HandClock

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import BasisSettings, basis_e8, shifted
from deltawire.sim.market import Market, Quote
from deltawire.sim.player import LATE_MAX_NS, PIN_MAX_E8, Player
from deltawire.sim.recording import Tick
from deltawire.sim.walk import WalkBase, WalkSettings, walk_ticks

MS = 1_000_000
S = 1000 * MS
FLAT = BasisSettings(height_min_e8=0, height_max_e8=0)


def quote(number: int) -> Quote:
    return Quote((60_000 + number) * E8, E8, (60_001 + number) * E8, 2 * E8)


def every(step_ns: int, venue: str = "paradex"):
    return (Tick(number * step_ns, venue, "BTC", quote(number)) for number in count())


class Watched:
    """A player with everything it published, and when (nanoseconds since the start)."""

    def __init__(self, ticks, basis: BasisSettings = FLAT, speed_e8: int = E8) -> None:
        self.clock = HandClock()
        self.market = Market(("BTC",))
        self.player = Player(
            self.market,
            ticks,
            clock=self.clock,
            call_later=self.clock.call_later,
            basis=basis,
            seed=1,
            speed_e8=speed_e8,
        )
        self.seen: list[tuple[int, str, Quote]] = []
        start_ns = self.clock.now_ns
        for venue in ("paradex", "vest"):
            self.market.subscribe(venue, partial(self._see, start_ns, venue))
        self.player.play()

    def _see(self, start_ns: int, venue: str, _base: str, quote: Quote) -> None:
        self.seen.append((self.clock.now_ns - start_ns, venue, quote))


def test_ticks_come_in_order_each_within_the_millisecond_it_is_due():
    watched = Watched(every(700_000))
    watched.clock.advance(S)
    assert [q for _, _, q in watched.seen] == [quote(number) for number in range(1429)]
    for number, (at_ns, _, _) in enumerate(watched.seen):
        assert 0 <= at_ns - number * 700_000 < MS


def test_a_burst_is_one_timer_and_keeps_its_order():
    ticks = iter([Tick(5 * MS + 10 * n, "vest" if n % 2 else "paradex", "BTC", quote(n)) for n in range(100)])
    watched = Watched(_then_never(ticks))
    watched.clock.advance(S)
    assert [q for _, _, q in watched.seen] == [quote(n) for n in range(100)]
    assert {at_ns for at_ns, _, _ in watched.seen} == {5 * MS, 6 * MS}
    assert watched.clock.fired == 2


def _then_never(ticks):
    yield from ticks
    yield Tick(10**18, "paradex", "BTC", quote(0))


@pytest.mark.parametrize(("speed_e8", "ticks"), [(E8 // 2, 50), (E8, 100), (10 * E8, 1000)])
def test_speed_changes_when_and_not_what(speed_e8, ticks):
    humps = BasisSettings(period_ns=S, ramp_ns=100 * MS, hold_min_ns=0, hold_max_ns=500 * MS)
    watched = Watched(every(10 * MS, "vest"), humps, speed_e8)
    watched.clock.advance(S - 1)
    expected = [shifted(quote(n), basis_e8(humps, 1, "BTC", n * 10 * MS)) for n in range(ticks)]
    assert [q for _, _, q in watched.seen] == expected


def test_there_is_no_drift_over_a_long_time_of_late_timers():
    watched = Watched(every(10 * MS))
    for _ in range(3000):
        watched.clock.stall(13 * MS)
        watched.clock.advance(0)
    at_ns, _, last = watched.seen[-1]
    assert last == quote(at_ns // (10 * MS))
    assert len(watched.seen) == 3901


def test_after_a_long_standstill_time_is_skipped_instead_of_flooding():
    watched = Watched(every(10 * MS))
    watched.clock.advance(100 * MS)
    seen = len(watched.seen)
    watched.clock.stall(3600 * S)
    watched.clock.advance(0)
    assert len(watched.seen) <= seen + 1
    assert watched.player.skipped_ns > 3600 * S - LATE_MAX_NS
    watched.clock.advance(100 * MS)
    assert len(watched.seen) == pytest.approx(seen + 11, abs=1)


def test_paused_market_time_stands_still_and_goes_on_where_it_stopped():
    watched = Watched(every(10 * MS))
    watched.clock.advance(105 * MS)
    watched.player.pause()
    watched.clock.advance(60 * S)
    assert len(watched.seen) == 11
    assert not watched.player.playing
    watched.player.play()
    watched.player.play()
    watched.clock.advance(100 * MS)
    assert [q for _, _, q in watched.seen] == [quote(number) for number in range(len(watched.seen))]
    assert len(watched.seen) in (20, 21)
    assert watched.player.skipped_ns == 0


def test_a_subscriber_may_pause_the_market_in_the_middle_of_a_burst():
    ticks = iter([Tick(n, "paradex", "BTC", quote(n)) for n in range(10)])
    watched = Watched(_then_never(ticks))
    watched.market.subscribe("paradex", lambda base, q: watched.player.pause() if q == quote(3) else None)
    watched.clock.advance(S)
    assert len(watched.seen) == 4
    watched.player.play()
    watched.clock.advance(S)
    assert len(watched.seen) == 10


def test_a_subscriber_that_raises_does_not_stop_the_market():
    watched = Watched(every(10 * MS))

    def fails_once(base: str, q: Quote) -> None:
        if q == quote(2):
            raise RuntimeError("broken venue")

    watched.market.subscribe("paradex", fails_once)
    with pytest.raises(RuntimeError):
        watched.clock.advance(50 * MS)
    watched.clock.advance(50 * MS)
    assert len(watched.seen) == 8


def test_the_basis_moves_vest_alone_and_a_pin_shows_at_once():
    ticks = iter([Tick(0, "paradex", "BTC", quote(0)), Tick(1, "vest", "BTC", quote(0))])
    watched = Watched(_then_never(ticks))
    watched.clock.advance(10 * MS)
    watched.player.pin(20 * BPS_E8)
    watched.player.pin(None)
    assert [(venue, q) for _, venue, q in watched.seen] == [
        ("paradex", quote(0)),
        ("vest", quote(0)),
        ("vest", shifted(quote(0), 20 * BPS_E8)),
        ("vest", quote(0)),
    ]
    assert watched.market.last("vest", "BTC") == quote(0)


def test_a_pin_holds_for_later_quotes_and_is_bounded():
    watched = Watched(every(10 * MS, "vest"))
    watched.player.pin(-30 * BPS_E8)
    watched.clock.advance(95 * MS)
    assert [q for _, _, q in watched.seen] == [shifted(quote(n), -30 * BPS_E8) for n in range(10)]
    with pytest.raises(ValueError, match="1000 bps"):
        watched.player.pin(PIN_MAX_E8 + 1)
    assert watched.player.state()["basis_bps"] == {"BTC": "-30"}


def test_a_primed_market_has_every_quote_and_goes_on_from_there():
    clock, market = HandClock(), Market(("BTC", "ETH"))
    bases = {base: WalkBase(100 * E8, E8 // 100, E8) for base in market.bases}
    ticks = list(islice(walk_ticks(bases, WalkSettings(), random.Random(1)), 1000))
    player = Player(market, iter(ticks), clock=clock, call_later=clock.call_later, basis=FLAT, seed=1)
    player.prime()
    assert all(market.last(venue, base) for venue in ("paradex", "vest") for base in market.bases)
    primed = market.published
    player.play()
    clock.advance(100 * MS)
    assert market.published == sum(tick.offset_ns <= ticks[primed - 1].offset_ns + 100 * MS for tick in ticks)


def test_ticks_that_miss_a_base_are_told_instead_of_waited_for():
    clock = HandClock()
    player = Player(Market(("BTC", "DOGE")), every(MS), clock=clock, call_later=clock.call_later, basis=FLAT, seed=1)
    with pytest.raises(RuntimeError, match="no quote"):
        player.prime()


def test_a_speed_of_nothing_is_refused():
    with pytest.raises(ValueError, match="not positive"):
        Watched(every(MS), speed_e8=0)


def test_the_market_hands_each_venue_its_own_quotes_and_keeps_the_last():
    market = Market(("BTC", "ETH"))
    got: list[tuple[str, str, Quote]] = []
    market.subscribe("paradex", lambda base, q: got.append(("paradex", base, q)))
    market.subscribe("vest", lambda base, q: got.append(("vest", base, q)))
    assert market.last("vest", "ETH") is None
    market.publish("vest", "ETH", quote(1))
    market.publish("paradex", "BTC", quote(2))
    market.publish("vest", "ETH", quote(3))
    assert got == [("vest", "ETH", quote(1)), ("paradex", "BTC", quote(2)), ("vest", "ETH", quote(3))]
    assert market.last("vest", "ETH") == quote(3)
    assert market.last("paradex", "ETH") is None
    assert market.published == 3
