"""One order book: levels, sequence, freshness, and what a size would cost. Pure; the adapter feeds it.

Levels are (price_e8, size_e8), best first. An invalid book answers nothing until its next snapshot (I10).
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from deltawire.core.money import notional_e8
from deltawire.core.types import Side

Level = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Walk:
    """The outcome of taking liquidity: size got, its notional, and the worst price touched. 1e-8 units."""

    size_e8: int
    notional_e8: int
    worst_price_e8: int


@dataclass(slots=True, eq=False)
class Book:
    """Levels of one instrument on one venue. Mutated only by its adapter; everyone else reads."""

    venue: str
    symbol: str
    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)
    valid: bool = False
    why_invalid: str = "no snapshot yet"
    seq: int = 0  # the venue's sequence of the last change, 0 where it has none
    received_mono_ns: int = 0  # our receipt of the last change
    venue_unix_ns: int = 0  # the venue's stamp of the last change, 0 where it has none
    updates: int = 0
    breaks: int = 0  # times a valid book became invalid: gaps, lost links, crossed or unreadable frames

    def invalidate(self, reason: str) -> None:
        """Forget the levels; the next snapshot makes the book valid again."""
        self.breaks += self.valid
        self.bids.clear()
        self.asks.clear()
        self.valid = False
        self.why_invalid = reason

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], seq: int = 0) -> None:
        """Take a full picture. Levels may come unsorted and with size zero (dropped).

        Two levels at one price leave the book invalid: nobody can say what stands there.
        """
        self.bids[:] = sorted((level for level in bids if level[1] > 0), reverse=True)
        self.asks[:] = sorted(level for level in asks if level[1] > 0)
        self.seq = seq
        self.updates += 1
        for levels in (self.bids, self.asks):
            if any(better[0] == worse[0] for better, worse in pairwise(levels)):
                self.invalidate("two levels at one price")
                return
        self._settle()

    def apply(self, bids: Iterable[Level], asks: Iterable[Level], seq: int) -> None:
        """Apply a change: each level replaces the size at its price, size zero removes it.

        The caller has checked the sequence; a book that is not valid stays so.
        """
        if not self.valid:
            return
        for price_e8, size_e8 in bids:
            _set_level(self.bids, price_e8, size_e8, descending=True)
        for price_e8, size_e8 in asks:
            _set_level(self.asks, price_e8, size_e8, descending=False)
        self.seq = seq
        self.updates += 1
        self._settle()

    def set_top(self, bid: Level | None, ask: Level | None, seq: int) -> None:
        """Apply a best-bid/offer message newer than the book: what lies inside the new top is gone."""
        if not self.valid:
            return
        if bid is None:
            self.bids.clear()
        else:
            _trim_to_top(self.bids, bid, descending=True)
        if ask is None:
            self.asks.clear()
        else:
            _trim_to_top(self.asks, ask, descending=False)
        self.seq = seq
        self.updates += 1
        self._settle()

    @property
    def two_sided(self) -> bool:
        return bool(self.bids) and bool(self.asks)

    def mid_e8(self) -> int:
        """Return the middle of best bid and offer; 0 when a side is missing."""
        return (self.bids[0][0] + self.asks[0][0]) // 2 if self.two_sided else 0

    def walk(self, side: Side, size_e8: int) -> Walk:
        """Take up to size_e8 as an aggressor on this side: BUY eats the asks."""
        left_e8, cost_e8, worst_e8 = size_e8, 0, 0
        for price_e8, level_e8 in self.asks if side is Side.BUY else self.bids:
            take_e8 = min(left_e8, level_e8)
            cost_e8 += notional_e8(price_e8, take_e8)
            worst_e8 = price_e8
            left_e8 -= take_e8
            if left_e8 == 0:
                break
        return Walk(size_e8 - left_e8, cost_e8, worst_e8)

    def _settle(self) -> None:
        if self.two_sided and self.bids[0][0] >= self.asks[0][0]:
            self.invalidate(f"crossed: bid {self.bids[0][0]}e-8 at or above ask {self.asks[0][0]}e-8")
            return
        self.valid = True
        self.why_invalid = ""


def _set_level(levels: list[Level], price_e8: int, size_e8: int, *, descending: bool) -> None:
    at = _index(levels, price_e8, descending=descending)
    found = at < len(levels) and levels[at][0] == price_e8
    if size_e8 > 0:
        levels[at : at + found] = [(price_e8, size_e8)]
    elif found:
        del levels[at]


def _trim_to_top(levels: list[Level], top: Level, *, descending: bool) -> None:
    at = _index(levels, top[0], descending=descending)
    found = at < len(levels) and levels[at][0] == top[0]
    levels[: at + found] = [top]


def _index(levels: list[Level], price_e8: int, *, descending: bool) -> int:
    if descending:
        return bisect_left(levels, -price_e8, key=lambda level: -level[0])
    return bisect_left(levels, price_e8, key=lambda level: level[0])
