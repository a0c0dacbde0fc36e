"""One order book: levels, sequence, freshness, and what a size would cost. Pure; the adapter feeds it.

Levels are (price_e8, size_e8), best first. An invalid book answers nothing until its next snapshot (I10).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from deltawire.core.money import E8
from deltawire.core.types import Side

Level = tuple[int, int]


class Walk(NamedTuple):
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
        self.seq = seq
        self.updates += 1
        for levels, told, descending in ((self.bids, bids, True), (self.asks, asks, False)):
            levels[:] = [level for level in told if level[1] > 0]
            levels.sort(reverse=descending)
        if _is_doubled(self.bids) or _is_doubled(self.asks):
            self.invalidate("two levels at one price")
            return
        self._settle()

    def apply(self, bids: Iterable[Level], asks: Iterable[Level], seq: int) -> None:
        """Apply a change: each level replaces the size at its price, size zero removes it.

        The caller has checked the sequence; a book that is not valid stays so.
        """
        if not self.valid:
            return
        _set_levels(self.bids, bids, descending=True)
        _set_levels(self.asks, asks, descending=False)
        self.seq = seq
        self.updates += 1
        self._settle()

    def set_top(self, bid: Level | None, ask: Level | None, seq: int) -> None:
        """Apply a best-bid/offer message newer than the book: what lies inside the new top is gone.

        The frame that comes most often. Mostly a price stays or gets better, which needs no search.
        """
        if not self.valid:
            return
        bids, asks = self.bids, self.asks
        if bid is None:
            bids.clear()
        elif not bids or bid[0] > bids[0][0]:
            bids.insert(0, bid)
        elif bid[0] == bids[0][0]:
            bids[0] = bid
        else:
            _cut_to_top(bids, bid, descending=True)
        if ask is None:
            asks.clear()
        elif not asks or ask[0] < asks[0][0]:
            asks.insert(0, ask)
        elif ask[0] == asks[0][0]:
            asks[0] = ask
        else:
            _cut_to_top(asks, ask, descending=False)
        self.seq = seq
        self.updates += 1
        if bids and asks and bids[0][0] >= asks[0][0]:
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
            take_e8 = level_e8 if level_e8 < left_e8 else left_e8  # noqa: FURB136  min() costs as much as the rest
            cost_e8 += (price_e8 * take_e8 + E8 // 2) // E8  # money.notional_e8, of what is never negative
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


def _is_doubled(levels: list[Level]) -> bool:
    before_e8 = -1
    for level in levels:
        if level[0] == before_e8:
            return True
        before_e8 = level[0]
    return False


def _set_levels(levels: list[Level], changes: Iterable[Level], *, descending: bool) -> None:
    at = 0  # where the change before was: changes come best first, so the next is often right there
    for change in changes:
        price_e8 = change[0]
        if at >= len(levels) or levels[at][0] != price_e8:
            at = _index(levels, price_e8, descending=descending)
        if at < len(levels) and levels[at][0] == price_e8:
            if change[1] > 0:
                levels[at] = change
                at += 1
            else:
                del levels[at]
        elif change[1] > 0:
            levels.insert(at, change)
            at += 1


def _cut_to_top(levels: list[Level], top: Level, *, descending: bool) -> None:
    at = _index(levels, top[0], descending=descending)
    found = at < len(levels) and levels[at][0] == top[0]
    levels[: at + found] = [top]


def _index(levels: list[Level], price_e8: int, *, descending: bool) -> int:
    """Return where the price stands or would stand. bisect with a key costs three times this on a book of 15."""
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if levels[middle][0] > price_e8 if descending else levels[middle][0] < price_e8:
            low = middle + 1
        else:
            high = middle
    return low
