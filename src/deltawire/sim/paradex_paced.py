"""The throttled book channels of the simulated Paradex: what each shows, and what changed since it last did. Pure.

A channel shows the top levels of a side, grouped to a tick where its name has one, with RPI orders where its feed is
the interactive one. Source: Paradex reference, sections 8 and 10. GUESS: groups are rounded away from the spread.
"""

from deltawire.core.book import Level
from deltawire.core.money import ceil_to, floor_to
from deltawire.core.types import Side
from deltawire.sim.paradex_book import MatchingBook
from deltawire.sim.paradex_channels import Channel
from deltawire.sim.paradex_views import interactive_record
from deltawire.venues.paradex import records

PACED_DEPTH = 15


def top_levels(
    book: MatchingBook, side: Side, depth: int, *, tick_e8: int = 0, with_rpi: bool = False
) -> dict[int, int]:
    """Return price -> size of a side's best levels, best first; tick_e8 0: not grouped."""
    if not tick_e8:
        return dict(book.levels(side, depth, with_rpi=with_rpi))
    groups: dict[int, int] = {}
    for price_e8, size_e8 in book.levels(side, with_rpi=with_rpi):
        group_e8 = floor_to(price_e8, tick_e8) if side is Side.BUY else ceil_to(price_e8, tick_e8)
        if group_e8 not in groups and len(groups) == depth:
            break
        groups[group_e8] = groups.get(group_e8, 0) + size_e8
    groups.pop(0, None)  # bids below one tick have no price to be shown at
    return groups


class PacedBook:
    """One paced channel: its top levels as it last showed them."""

    def __init__(self, book: MatchingBook, channel: Channel) -> None:
        self._book = book
        self._tick_e8 = channel.tick_e8
        self._with_rpi = channel.feed == "interactive"
        self._whole = channel.feed != "deltas"
        self._seq = book.seq
        self._shown = self._top()

    def first(self, now_unix_ns: int) -> records.BookUpdate:
        """Return the picture a new subscriber begins with: the last one shown, so that the next delta fits it."""
        return self._record(now_unix_ns, whole=True, levels={side: list(self._shown[side].items()) for side in Side})

    def next(self, now_unix_ns: int) -> records.BookUpdate | None:
        """Return the change since the last call, or the whole picture; None when nothing happened."""
        if self._book.seq == self._seq:
            return None
        before, self._shown, self._seq = self._shown, self._top(), self._book.seq
        if self._whole:
            return self.first(now_unix_ns)
        changes = {side: _changes(before[side], self._shown[side]) for side in Side}
        return self._record(now_unix_ns, whole=False, levels=changes)

    def _record(self, now_unix_ns: int, *, whole: bool, levels: dict[Side, list[Level]]) -> records.BookUpdate:
        record = records.BookUpdate(
            now_unix_ns, self._seq, whole, levels[Side.BUY], levels[Side.SELL], self._book.symbol
        )
        return interactive_record(self._book, record) if self._with_rpi else record

    def _top(self) -> dict[Side, dict[int, int]]:
        return {
            side: top_levels(self._book, side, PACED_DEPTH, tick_e8=self._tick_e8, with_rpi=self._with_rpi)
            for side in Side
        }


def _changes(before: dict[int, int], after: dict[int, int]) -> list[Level]:
    gone = [(price_e8, 0) for price_e8 in before if price_e8 not in after]
    return gone + [(price_e8, size_e8) for price_e8, size_e8 in after.items() if before.get(price_e8) != size_e8]
