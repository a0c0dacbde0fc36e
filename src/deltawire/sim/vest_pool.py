"""The house pool of one Vest market: the quote it makes, what it charges for size and risk, and its funding index.

The recorded market is the index; around it the pool paints a picture of levels. Nothing rests there: it is what the
pool would charge, replaced whole on each re-make. Knows no accounts, no orders, no time of its own.
Source: Vest API v2 notes, sections 8, 9 and 13; the formulas of distance, size and premium are ours.
"""

from dataclasses import dataclass

from deltawire.core.book import Level
from deltawire.core.ledger import MICRO_E8
from deltawire.core.money import E8, ceil_to, floor_to, notional_e8
from deltawire.core.taking import average_price_e8
from deltawire.core.types import Side
from deltawire.sim.market import Quote
from deltawire.sim.vest_settings import VestMarketRules, VestSimSettings

_HOUR_NS = 3_600 * 10**9
_MILLION_E8 = 1_000_000 * E8


@dataclass(frozen=True, slots=True)
class Picture:
    """One full picture of the pool's prices, best first. (price_e8, size_e8)."""

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


NO_PICTURE = Picture()


class HousePool:
    """Quote, risk and funding of one market. net_e8 is what all users together hold: the house holds the opposite."""

    def __init__(self, rules: VestMarketRules, settings: VestSimSettings) -> None:
        self.rules = rules
        self.picture = NO_PICTURE
        self.index_e8 = 0  # 0: no quote yet
        self.first_index_e8 = 0  # the "previous close" of this simulator's day
        self.quoted_mono_ns = 0
        self.net_e8 = 0
        self.halted = False
        self.stale = False  # the picture stands still, by a fault
        self.missing_sides: tuple[str, ...] = ()  # "bids", "asks": left out of the picture by a fault
        self.cum_funding_e8 = 0  # USDC a coin since the start
        self._settings = settings
        self._quote: Quote | None = None
        self._funding_rest = 0  # of the index below 1e-8, kept so that small steps add up
        self._funding_mono_ns = 0

    def on_quote(self, quote: Quote, mono_ns: int) -> None:
        """Take a tick of the recorded market; the picture follows at the next re-make."""
        self.accrue(mono_ns)
        self._quote = quote
        self.quoted_mono_ns = mono_ns
        self.index_e8 = floor_to((quote.bid_price_e8 + quote.ask_price_e8) // 2, self.rules.price_tick_e8)
        if self.first_index_e8 == 0:
            self.first_index_e8 = self.index_e8

    def remake(self) -> bool:
        """Paint the picture anew from the last tick. False before the first one, and while it stands still."""
        if self._quote is None or self.stale:
            return False
        best_bid_e8 = floor_to(self._quote.bid_price_e8, self.rules.price_tick_e8)
        best_ask_e8 = ceil_to(self._quote.ask_price_e8, self.rules.price_tick_e8)
        if best_ask_e8 <= best_bid_e8:  # a locked recording: the pool still wants a spread
            best_ask_e8 = best_bid_e8 + self.rules.price_tick_e8
        bids = () if "bids" in self.missing_sides else self._levels(best_bid_e8, self._quote.bid_size_e8, -1)
        asks = () if "asks" in self.missing_sides else self._levels(best_ask_e8, self._quote.ask_size_e8, 1)
        self.picture = Picture(tuple(bids), tuple(asks))
        return True

    def average_price_e8(self, *, is_buy: bool, size_e8: int) -> int | None:
        """Return the volume-weighted price, rounded against the trader; None when the picture ends before the size."""
        side, levels = (Side.BUY, self.picture.asks) if is_buy else (Side.SELL, self.picture.bids)
        return average_price_e8(levels, side, size_e8, self.rules.price_tick_e8)

    def premium_e8(self, size_e8: int) -> int:
        """Return what a trade (size signed) pays for the risk it adds to the pool; 0 when it takes some away.

        The rate rises in proportion to the pool's notional, so the premium is the area under it: splitting an order
        into pieces does not make it cheaper.
        """
        before_e8 = notional_e8(self.index_e8, abs(self.net_e8))
        after_e8 = notional_e8(self.index_e8, abs(self.net_e8 + size_e8))
        if after_e8 <= before_e8:
            return 0
        area = (after_e8 * after_e8 - before_e8 * before_e8) * self._settings.premium_rate_at_million_e8
        return ceil_to(-(-area // (2 * _MILLION_E8 * E8)), MICRO_E8)

    @property
    def mark_e8(self) -> int:
        """Return the index plus the premium rate of the next small trade on the crowded side."""
        carried_e8 = notional_e8(self.index_e8, self.net_e8)
        shift_e8 = self.index_e8 * carried_e8 * self._settings.premium_rate_at_million_e8 // (_MILLION_E8 * E8)
        return floor_to(self.index_e8 + shift_e8, self.rules.price_tick_e8)

    @property
    def funding_rate_e8(self) -> int:
        """Return the rate of an hour now: the market's own, and more the more users are on one side. Longs pay it."""
        carried_e8 = notional_e8(self.index_e8, self.net_e8)
        rate_e8 = self.rules.one_hr_funding_rate_e8
        rate_e8 += carried_e8 * self._settings.funding_rate_at_million_e8 // _MILLION_E8
        most_e8 = self._settings.funding_rate_max_e8
        return max(-most_e8, min(most_e8, rate_e8))

    def accrue(self, mono_ns: int) -> None:
        """Carry the funding index forward: the hourly rate of the index price, continuously."""
        elapsed_ns = mono_ns - self._funding_mono_ns if self._funding_mono_ns else 0
        self._funding_mono_ns = mono_ns
        self._funding_rest += self.index_e8 * self.funding_rate_e8 * elapsed_ns
        whole_e8, self._funding_rest = divmod(self._funding_rest, E8 * _HOUR_NS)
        self.cum_funding_e8 += whole_e8

    def _levels(self, best_e8: int, best_size_e8: int, outward: int) -> list[Level]:
        """Return levels ever farther apart and ever larger, from the recorded best outward."""
        tick_e8, step_e8 = self.rules.price_tick_e8, self.rules.size_step_e8
        size_min_e8 = self._settings.level_notional_min_e8 * E8 // best_e8
        first_size_e8 = max(ceil_to(max(best_size_e8, size_min_e8), step_e8), step_e8)
        gap_e8 = max(floor_to(best_e8 * self._settings.level_spacing_bps_e8 // E8, tick_e8), tick_e8)
        return [
            (best_e8 + outward * gap_e8 * (k * (k + 1) // 2), first_size_e8 * (k + 1))
            for k in range(self._settings.depth_levels)
        ]
