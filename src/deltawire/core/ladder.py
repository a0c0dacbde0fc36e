"""Caps of orders that are signed before they are wanted, and which of them fits when they are. Pure, integers only.

A trigger is mostly a jump of one book while the other stands still. So each leg has two caps: one near its own price,
for when the other leg moves, and one at the price where the trade would just pay, seen from the other leg, for when it
moves itself. Both together never allow less than the spread the trade needs, bar the slippage its owner allows anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deltawire.core.book import Book
from deltawire.core.edge import PairRules, spread_rate_e8
from deltawire.core.money import E8
from deltawire.core.types import Side

# Shares of the slippage allowed on one leg. A near cap bears a move against us of this much of it; a far one has this
# much room for the other leg's drift since; and after a drift of so much the ladder is signed anew.
NEAR_PERCENT, FAR_PERCENT, DRIFT_PERCENT = 75, 50, 25


@dataclass(frozen=True, slots=True)
class Aim:
    """What a ladder is for: buying on one leg and selling on the other when the spread is worth it.

    needed_e8: the spread, (sell - buy) over their middle, at which it is wanted. sizes_e8: by leg.
    """

    buy_leg: int
    needed_e8: int
    sizes_e8: tuple[int, int]


class Touch(NamedTuple):
    """The worst prices that the aim's sizes reach now."""

    buy_e8: int
    sell_e8: int

    @property
    def spread_e8(self) -> int:
        return spread_rate_e8(self.buy_e8, self.sell_e8)


def touch(aim: Aim, books: tuple[Book, Book]) -> Touch | None:
    """Return the prices to be paid now, None where the books cannot carry the sizes."""
    buy_size_e8, sell_size_e8 = aim.sizes_e8[aim.buy_leg], aim.sizes_e8[1 - aim.buy_leg]
    buy = books[aim.buy_leg].walk(Side.BUY, buy_size_e8)
    sell = books[1 - aim.buy_leg].walk(Side.SELL, sell_size_e8)
    if buy.size_e8 < buy_size_e8 or sell.size_e8 < sell_size_e8:
        return None
    return Touch(buy.worst_price_e8, sell.worst_price_e8)


def caps(rules: PairRules, aim: Aim, now: Touch) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the caps to sign by leg, tightest first, each once."""
    near_e8, far_e8 = rules.slippage_e8 * NEAR_PERCENT // 100, rules.slippage_e8 * FAR_PERCENT // 100
    reach_e8 = aim.needed_e8 - far_e8
    buys = (now.buy_e8 + now.buy_e8 * near_e8 // E8, now.sell_e8 - now.sell_e8 * reach_e8 // E8)
    sells = (now.sell_e8 - now.sell_e8 * near_e8 // E8, now.buy_e8 + now.buy_e8 * reach_e8 // E8)
    bought, sold = rules.legs[aim.buy_leg], rules.legs[1 - aim.buy_leg]
    buy_caps = sorted({bought.cap(Side.BUY, cap_e8) for cap_e8 in buys})
    sell_caps = sorted({sold.cap(Side.SELL, cap_e8) for cap_e8 in sells}, reverse=True)
    by_leg = (tuple(buy_caps), tuple(sell_caps))
    return by_leg if aim.buy_leg == 0 else (by_leg[1], by_leg[0])


def has_drifted(rules: PairRules, was: Touch, now: Touch) -> bool:
    """Say whether a price has moved so far that the ladder should be signed anew."""
    bound_e8 = rules.slippage_e8 * DRIFT_PERCENT // 100
    return any(abs(new - old) * E8 > old * bound_e8 for old, new in zip(was, now, strict=True))


def tightest(caps_e8: Sequence[int], side: Side, price_e8: int) -> int | None:
    """Return the index of the first cap that reaches the price; they come tightest first."""
    for at, cap_e8 in enumerate(caps_e8):
        if cap_e8 >= price_e8 if side is Side.BUY else cap_e8 <= price_e8:
            return at
    return None


def is_worth_it(rules: PairRules, aim: Aim, buy_cap_e8: int, sell_cap_e8: int) -> bool:
    """Say whether a trade filled at both caps is still what the aim needs, bar the slippage allowed on each leg."""
    return spread_rate_e8(buy_cap_e8, sell_cap_e8) >= aim.needed_e8 - 2 * rules.slippage_e8
