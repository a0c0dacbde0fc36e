"""What an immediate order takes from the levels it meets. Pure; used by the simulated Vest and by paper trading.

Levels are (price_e8, size_e8), best first, of the side the order eats: asks for a buy.
"""

from collections.abc import Iterable

from deltawire.core.book import Level
from deltawire.core.money import ceil_to, floor_to
from deltawire.core.types import Side


def is_worse(side: Side, price_e8: int, cap_price_e8: int) -> bool:
    """Whether a price lies beyond the cap of an order."""
    return price_e8 > cap_price_e8 if side is Side.BUY else price_e8 < cap_price_e8


def take_within(levels: Iterable[Level], side: Side, size_e8: int, cap_price_e8: int) -> list[Level]:
    """Take level by level up to the size, none beyond the cap: what an order book gives an IOC."""
    taken: list[Level] = []
    left_e8 = size_e8
    for price_e8, level_e8 in levels:
        if left_e8 == 0 or is_worse(side, price_e8, cap_price_e8):
            break
        part_e8 = min(left_e8, level_e8)
        if part_e8 > 0:
            taken.append((price_e8, part_e8))
            left_e8 -= part_e8
    return taken


def average_price_e8(levels: Iterable[Level], side: Side, size_e8: int, tick_e8: int) -> int | None:
    """Return the volume-weighted price of the whole size, rounded to the tick against the trader: a house pool's.

    None when the levels end before the size does.
    """
    left_e8, product = size_e8, 0
    for price_e8, level_e8 in levels:
        take_e8 = min(left_e8, level_e8)
        product += price_e8 * take_e8
        left_e8 -= take_e8
        if left_e8 == 0:
            break
    if left_e8:
        return None
    return ceil_to(-(-product // size_e8), tick_e8) if side is Side.BUY else floor_to(product // size_e8, tick_e8)
