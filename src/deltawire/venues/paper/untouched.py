"""What is left of the levels we see once our own paper orders have taken from them. Pure.

The venue's book does not know of paper fills, so it goes on showing what they took: without this a paper bot would buy
the same offer twice. What was taken from a level counts until the venue shows the level anew, with another size.
"""

from collections.abc import Sequence

from deltawire.core.book import Level
from deltawire.core.types import Side


class Untouched:
    def __init__(self) -> None:
        self._taken: dict[tuple[str, Side], dict[int, tuple[int, int]]] = {}  # price -> (size shown then, taken)

    def of(self, symbol: str, side: Side, levels: Sequence[Level]) -> list[Level]:
        """Return the levels less what was taken; forgets what the venue has shown anew."""
        taken = self._taken.get((symbol, side))
        if not taken:
            return list(levels)
        shown = dict(levels)
        for price_e8, (size_e8, _) in list(taken.items()):
            if shown.get(price_e8) != size_e8:
                del taken[price_e8]
        return [(price_e8, size_e8 - taken.get(price_e8, (0, 0))[1]) for price_e8, size_e8 in levels]

    def take(self, symbol: str, side: Side, levels: Sequence[Level], parts: Sequence[Level]) -> None:
        """Remember what was taken. levels: as shown, not as left."""
        taken = self._taken.setdefault((symbol, side), {})
        shown = dict(levels)
        for price_e8, part_e8 in parts:
            taken[price_e8] = (shown[price_e8], taken.get(price_e8, (0, 0))[1] + part_e8)
