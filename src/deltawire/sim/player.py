"""Plays a stream of ticks into the Market: in order, at a speed, without drift, with the basis on Vest's quotes.

Owns market time: nanoseconds of the stream that have passed, standing still while paused. What is published is a
function of the ticks, the seed and the settings alone; speed and machine decide only when. Knows neither where ticks
come from nor what the venues make of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deltawire.core.money import E8, format_e8
from deltawire.sim.basis import BasisSettings, basis_e8, shifted
from deltawire.sim.clock import CallLater, Timer
from deltawire.sim.faults import VENUES
from deltawire.sim.market import Market, Quote
from deltawire.sim.recording import Tick
from deltawire.venues.contract import Clock

# Ticks due within the same millisecond go out together: the recording has bursts of dozens, and one timer is enough.
BATCH_NS = 1_000_000
# Later than this (a suspended machine, a debugger) is not made up for: time is skipped instead of a flood of old ticks.
LATE_MAX_NS = 1_000_000_000
# One quote in twenty is Vest's ETH, the rarest of the recording; a market of a hundred bases needs a few hundred.
PRIME_TICKS_MAX = 10_000
# The pinned basis must leave prices positive and believable; the same bound as for the humps.
PIN_MAX_E8 = E8 // 10


class Player:
    """One market's time. Synchronous; driven by the scheduler handed in."""

    def __init__(
        self,
        market: Market,
        ticks: Iterator[Tick],
        *,
        clock: Clock,
        call_later: CallLater,
        basis: BasisSettings,
        seed: int,
        speed_e8: int = E8,
    ) -> None:
        if speed_e8 <= 0:
            raise ValueError(f"speed {format_e8(speed_e8)} is not positive")
        self._market = market
        self._ticks = ticks
        self._clock = clock
        self._call_later = call_later
        self._basis = basis
        self._seed = seed
        self._speed_e8 = speed_e8
        self._next = next(ticks)
        self._raw_vest: dict[str, tuple[int, Quote]] = {}  # base -> time and quote before the basis
        self._raw_paradex: dict[str, Quote] = {}  # base -> quote before the lean
        self._lean_e8: dict[str, int] = {}
        self._market_ns = 0  # of the last batch; where play goes on
        self._origin_mono_ns = 0  # the clock's reading at market time 0; moves when paused or late
        self._timer: Timer | None = None
        self._playing = False
        self._pin_e8: int | None = None
        self.skipped_ns = 0  # real time not played because the loop came too late

    @property
    def playing(self) -> bool:
        return self._playing

    def prime(self) -> None:
        """Publish the first ticks at once, up to the moment each base has a quote on each venue.

        So nobody can meet a venue without a market. Raises RuntimeError when the ticks do not cover the market.
        """
        for _ in range(PRIME_TICKS_MAX):
            if all(self._market.last(venue, base) for venue in VENUES for base in self._market.bases):
                return
            self._market_ns = self._next.offset_ns
            self._publish_next()
        raise RuntimeError(f"no quote of some base in the first {PRIME_TICKS_MAX} ticks")

    def play(self) -> None:
        """Start, or go on where pause stopped. Harmless while playing."""
        if not self._playing:
            self._playing = True
            self._origin_mono_ns = self._clock.mono_ns() - self._real_ns(self._market_ns)
            self._arm()

    def pause(self) -> None:
        """Stop market time; the last quotes stay in force."""
        self._playing = False
        if self._timer is not None:
            self._timer.cancel()

    def pin(self, rate_e8: int | None) -> None:
        """Hold the basis at this rate, or let it go (None). Vest's last quotes are published anew at once.

        Raises ValueError for a rate beyond PIN_MAX_E8.
        """
        if rate_e8 is not None and abs(rate_e8) > PIN_MAX_E8:
            raise ValueError(f"basis {rate_e8}e-8 is beyond {PIN_MAX_E8}e-8 (1000 bps)")
        self._pin_e8 = rate_e8
        for base, (offset_ns, quote) in self._raw_vest.items():
            self._market.publish("vest", base, shifted(quote, self._rate_e8(base, offset_ns)))

    def lean(self, base: str, rate_e8: int, *, size_more_e8: int = 0) -> None:
        """Move Paradex's quotes of a base by this rate from now on, and publish its last quote anew at once.

        size_more_e8: what is added to that one quote's bid, so that it differs from the last without a new price.
        Raises ValueError for a rate beyond PIN_MAX_E8, KeyError for a base that is not quoted.
        """
        if abs(rate_e8) > PIN_MAX_E8:
            raise ValueError(f"lean {rate_e8}e-8 is beyond {PIN_MAX_E8}e-8 (1000 bps)")
        quote = shifted(self._raw_paradex[base], rate_e8)
        self._lean_e8[base] = rate_e8
        self._market.publish("paradex", base, replace(quote, bid_size_e8=quote.bid_size_e8 + size_more_e8))

    def lean_of(self, base: str) -> int:
        return self._lean_e8.get(base, 0)

    def state(self) -> dict[str, Any]:
        """Return market time, pause and basis as JSON."""
        return {
            "playing": self.playing,
            "market_ms": self._market_ns // 1_000_000,
            "speed": format_e8(self._speed_e8),
            "skipped_ms": self.skipped_ns // 1_000_000,
            "pinned": self._pin_e8 is not None,
            "basis_bps": {
                base: format_e8(self._rate_e8(base, self._market_ns) * 10_000) for base in self._market.bases
            },
        }

    def _arm(self) -> None:
        """Set the timer for the end of the millisecond in which the next tick is due."""
        batch_end_ns = self._next.offset_ns + -self._next.offset_ns % self._batch_ns
        due_mono_ns = self._origin_mono_ns + self._real_ns(batch_end_ns)
        delay_ns = max(0, due_mono_ns - self._clock.mono_ns())
        self._timer = self._call_later(delay_ns / 1e9, self._run)

    def _run(self) -> None:
        late_ns = self._clock.mono_ns() - self._origin_mono_ns - self._real_ns(self._next.offset_ns)
        if late_ns > LATE_MAX_NS:
            self._origin_mono_ns += late_ns
            self.skipped_ns += late_ns
        now_ns = (self._clock.mono_ns() - self._origin_mono_ns) * self._speed_e8 // E8
        # A timer may fire early by the loop's clock resolution: the tick it was set for is due all the same.
        self._market_ns = max(now_ns, self._next.offset_ns)
        try:
            while self._playing and self._next.offset_ns <= self._market_ns:
                self._publish_next()
        finally:  # a subscriber that raises goes to the loop's handler; the market goes on
            if self._playing:
                self._arm()

    def _publish_next(self) -> None:
        tick = self._next
        self._next = next(self._ticks)
        quote = tick.quote
        if tick.venue == "vest":
            self._raw_vest[tick.base] = (tick.offset_ns, quote)
            quote = shifted(quote, self._rate_e8(tick.base, tick.offset_ns))
        elif tick.venue == "paradex":
            self._raw_paradex[tick.base] = quote
            quote = shifted(quote, self._lean_e8.get(tick.base, 0))
        self._market.publish(tick.venue, tick.base, quote)

    def _rate_e8(self, base: str, market_ns: int) -> int:
        return self._pin_e8 if self._pin_e8 is not None else basis_e8(self._basis, self._seed, base, market_ns)

    def _real_ns(self, market_ns: int) -> int:
        return market_ns * E8 // self._speed_e8

    @property
    def _batch_ns(self) -> int:
        """One batch in market time."""
        return max(1, BATCH_NS * self._speed_e8 // E8)
