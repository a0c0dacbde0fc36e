"""Steps of the price come when the market's stream is silent, or at the end of a burst; and never two at once."""

from itertools import count, pairwise

import pytest
from tests.unit.sim_market.timers import HandClock

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import BasisSettings, shifted
from deltawire.sim.market import Market, Quote
from deltawire.sim.player import PIN_MAX_E8, Player
from deltawire.sim.recording import Tick
from deltawire.sim.trigger import BURST_GAP_MS, Fired, Trigger

MS = 1_000_000
QUOTE = Quote(60_000 * E8, E8, 60_001 * E8, E8 // 2)
STEP_E8 = 40 * BPS_E8


class Market40:
    """A market with a tick every 40 ms, each written at once; what was published, and when."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.start_ns = self.clock.now_ns
        self.market = Market(("BTC",))
        self.player = Player(
            self.market,
            (Tick(number * 40 * MS, "paradex", "BTC", QUOTE) for number in count()),
            clock=self.clock,
            call_later=self.clock.call_later,
            basis=BasisSettings(height_min_e8=0, height_max_e8=0),
            seed=1,
        )
        self.seen: list[tuple[int, Quote]] = []
        self.market.subscribe("paradex", lambda _base, quote: self.seen.append((self.now_ms, quote)))
        self.trigger = Trigger(
            self.player,
            clock=self.clock,
            call_later=self.clock.call_later,
            last_written_mono_ns=lambda _base: self.start_ns + self.seen[-1][0] * MS if self.seen else 0,
        )
        self.player.play()
        self.clock.advance(MS)

    @property
    def now_ms(self) -> int:
        return (self.clock.now_ns - self.start_ns) // MS

    def arm(self, *, after_ms: int = 0, quiet_ms: int = 0, burst: int = 0) -> None:
        self.trigger.arm("BTC", STEP_E8, after_ms=after_ms, quiet_ms=quiet_ms, burst=burst)


def test_a_step_waits_for_the_silence_asked_for():
    at = Market40()
    at.arm(after_ms=42, quiet_ms=15)  # due 3 ms after the tick of 40 ms
    at.clock.advance(100 * MS)
    assert at.trigger.take() == [Fired("BTC", at.start_ns + 55 * MS)]
    assert [(ms, quote == shifted(QUOTE, STEP_E8)) for ms, quote in at.seen] == [
        (0, False), (40, False), (55, True), (80, True),
    ]  # fmt: skip


def test_later_ticks_keep_the_step_until_the_next_one():
    at = Market40()
    at.arm()
    at.clock.advance(90 * MS)
    assert at.seen[-1][1] == shifted(QUOTE, STEP_E8)
    at.trigger.arm("BTC", 0, after_ms=0, quiet_ms=0, burst=0)
    at.clock.advance(90 * MS)
    assert at.seen[-1][1] == QUOTE
    assert len(at.trigger.take()) == 2


def test_a_burst_comes_first_its_frames_all_different_and_without_a_new_price():
    at = Market40()
    at.arm(after_ms=3, burst=10)
    at.clock.advance(30 * MS)
    burst = at.seen[1:11]
    assert [ms for ms, _ in burst] == [4 + n * BURST_GAP_MS for n in range(10)]
    assert {quote.bid_price_e8 for _, quote in burst} == {QUOTE.bid_price_e8}
    assert all(a[1] != b[1] for a, b in pairwise(burst))
    assert at.seen[11] == (4 + 10 * BURST_GAP_MS, shifted(QUOTE, STEP_E8))


def test_one_step_at_a_time_and_within_bounds():
    at = Market40()
    at.arm(after_ms=1)
    with pytest.raises(ValueError, match="one at a time"):
        at.arm()
    at.clock.advance(5 * MS)
    at.arm()
    for rate_e8, times in (
        (PIN_MAX_E8 + 1, {}),
        (0, {"after_ms": -1}),
        (0, {"quiet_ms": 60_001}),
        (0, {"burst": 1_001}),
    ):
        at.clock.advance(5 * MS)
        with pytest.raises(ValueError, match=r"1000 bps|need 0 to"):
            at.trigger.arm("BTC", rate_e8, **({"after_ms": 0, "quiet_ms": 0, "burst": 0} | times))
