"""What a pair is worth right now: executable spread less every cost we can name. Pure, integers only.

Rates are 1e-8 (one bps is 10_000). "Legs" are 0 and 1; `buy_leg` names the one we would buy on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from deltawire.core.book import Book, Level
from deltawire.core.money import E8, floor_to
from deltawire.core.types import Instrument, Side

# An entry takes the whole size, or this part of it where the books are thin or the edge is in their first levels only.
# Few sizes, so that orders of each can be signed before they are wanted (decision 0012).
SIZE_SHARES = (1, 2, 4)
_TWICE_E8 = 2 * E8
_HALF = E8 // 2  # notionals are rounded as core.money does; written out, for every frame near an edge comes here


_ROUNDING_E8 = 1_000  # notionals are rounded: a rate of a small size is that near to the rate of its prices


@dataclass(frozen=True, slots=True)
class PairRules:
    """One pair: the same perpetual on two venues, and what its owner asks of a trade.

    entry_edge_e8: net edge needed to enter. exit_spread_e8: closing spread at which both legs are closed.
    funding_e8, basis_e8, margin_e8: expected funding over the hold, USD/USDC basis, and slippage margin,
    each taken off the edge. slippage_e8: how far past the walked price an order's cap may lie.
    emergency_e8: the wider, still finite cap of repairs' last resort, unwinds and forced closes.
    layers_max: entries into the pair that may be open together, each a trade of its own; every further one needs
    layer_step_e8 more edge than the one before. harder_leg_first: send the thinner side alone, the other after it.
    funding_hour_e8_max: what both legs together may cost in funding an hour, as a rate: above it the pair is closed.
    cooldown_ns: pause of entries after a trade that was given back (core.cooldown); 0: none.
    entry_fee_saved_e8: what the entry's order class saves of one leg's fee, once (core.entry_class).
    """

    pair_id: str
    legs: tuple[Instrument, Instrument]
    size_e8: int
    size_min_e8: int
    entry_edge_e8: int
    exit_spread_e8: int
    funding_e8: int
    basis_e8: int
    margin_e8: int
    slippage_e8: int
    emergency_e8: int
    confirm_updates: int
    confirm_ns: int
    hold_ns_max: int
    repairs_max: int
    unhedged_ns_max: int
    layers_max: int = 1
    layer_step_e8: int = 0
    harder_leg_first: bool = False
    cooldown_ns: int = 0
    funding_hour_e8_max: int = E8
    entry_fee_saved_e8: int = 0
    # What follows from the above, worked out once: every frame asks for it.
    lot_e8: int = field(init=False)  # the smallest size both venues can trade; net delta under it is dust
    fees_round_trip_e8: int = field(init=False)
    entry_costs_e8: int = field(init=False)  # all that the spread of an entry must pay, its exit at exit_spread too
    needed_e8: int = field(init=False)  # the spread an entry must have
    sizes_e8: tuple[int, ...] = field(init=False)  # what one entry may take, largest first

    def __post_init__(self) -> None:
        one, other = self.legs
        fees_e8 = 2 * (one.fee_rate_taker_e8 + other.fee_rate_taker_e8) - self.entry_fee_saved_e8
        costs_e8 = fees_e8 + self.exit_spread_e8 + self.funding_e8 + self.basis_e8 + self.margin_e8
        lot_e8 = max(one.size_step_e8, other.size_step_e8)  # steps are decimal: the larger is one of both
        shares = (floor_to(self.size_e8 // share, lot_e8) for share in SIZE_SHARES)
        sizes_e8 = dict.fromkeys(size_e8 for size_e8 in shares if size_e8 >= max(self.size_min_e8, 1))
        worked_out = {
            "lot_e8": lot_e8,
            "fees_round_trip_e8": fees_e8,
            "entry_costs_e8": costs_e8,
            "needed_e8": self.entry_edge_e8 + costs_e8,
            "sizes_e8": tuple(sizes_e8),
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)


class Opportunity(NamedTuple):
    """One direction of a pair at one moment. spread is before costs, edge after all of them."""

    buy_leg: int
    size_e8: int
    spread_e8: int
    edge_e8: int
    buy_worst_e8: int  # worst price the walk touched on each side
    sell_worst_e8: int


def spread_rate_e8(buy_notional_e8: int, sell_notional_e8: int) -> int:
    """Return (sell - buy) over their middle as a rate; both notionals must be of one size."""
    return (sell_notional_e8 - buy_notional_e8) * 2 * E8 // (sell_notional_e8 + buy_notional_e8)


def opening(rules: PairRules, books: tuple[Book, Book], buy_leg: int, size_e8: int) -> Opportunity | None:
    """Price entering with size_e8, or None where the books cannot carry it."""
    buy = _taken(books[buy_leg].asks, size_e8)
    sell = _taken(books[1 - buy_leg].bids, size_e8)
    if buy is None or sell is None:
        return None
    spread_e8 = (sell[0] - buy[0]) * _TWICE_E8 // (sell[0] + buy[0])  # as spread_rate_e8, written out
    return Opportunity(buy_leg, size_e8, spread_e8, spread_e8 - rules.entry_costs_e8, buy[1], sell[1])


class Touched(NamedTuple):
    """What a size would get on both legs: its spread, and the worst price it touches on each."""

    spread_e8: int
    buy_worst_e8: int
    sell_worst_e8: int


def touched(books: tuple[Book, Book], buy_leg: int, size_e8: int) -> Touched | None:
    """Price taking size_e8 on both legs, or None where the books cannot carry it."""
    buy = _taken(books[buy_leg].asks, size_e8)
    sell = _taken(books[1 - buy_leg].bids, size_e8)
    return None if buy is None or sell is None else Touched(spread_rate_e8(buy[0], sell[0]), buy[1], sell[1])


def _taken(levels: Sequence[Level], size_e8: int) -> tuple[int, int] | None:
    """Return notional and worst price of taking the size, None where the levels hold less."""
    left_e8, cost_e8 = size_e8, 0
    for price_e8, level_e8 in levels:
        if level_e8 >= left_e8:
            return cost_e8 + (price_e8 * left_e8 + _HALF) // E8, price_e8
        cost_e8 += (price_e8 * level_e8 + _HALF) // E8
        left_e8 -= level_e8
    return None


def harder_leg(books: tuple[Book, Book], buy_leg: int) -> int:
    """Return the leg whose best price has less size behind it: the one more likely to be gone."""
    buy, sell = books[buy_leg].asks, books[1 - buy_leg].bids
    return buy_leg if not buy or (sell and buy[0][1] <= sell[0][1]) else 1 - buy_leg


def closing_spread_e8(books: tuple[Book, Book], buy_leg: int, size_e8: int) -> int | None:
    """Return what closing costs now as a rate: buy back the sold leg, sell the bought one; None without depth."""
    sell = books[buy_leg].walk(Side.SELL, size_e8)
    buy = books[1 - buy_leg].walk(Side.BUY, size_e8)
    if size_e8 <= 0 or buy.size_e8 < size_e8 or sell.size_e8 < size_e8:
        return None
    return -spread_rate_e8(buy.notional_e8, sell.notional_e8)


def may_close(books: tuple[Book, Book], buy_leg: int, spread_e8: int) -> bool:
    """Say whether closing could cost no more than this: at the best prices, which no size closes better than.

    Asked of each frame while something is held, to spare the walk; the last digits are the walk's.
    """
    bids, asks = books[buy_leg].bids, books[1 - buy_leg].asks
    return bool(bids) and bool(asks) and _pays(asks[0][0], bids[0][0], -(spread_e8 + _ROUNDING_E8))


def best_opening(rules: PairRules, books: tuple[Book, Book], size_max_e8: int) -> Opportunity | None:
    """Return the better direction at the largest size that keeps the entry edge, or None where there is none.

    Most frames end at the first look: best prices that do not pay for the smallest size pay for no size.
    """
    best: Opportunity | None = None
    needed_e8 = rules.needed_e8
    for buy_leg in (0, 1):
        asks, bids = books[buy_leg].asks, books[1 - buy_leg].bids
        if not asks or not bids:
            continue
        buy_e8, sell_e8 = asks[0][0], bids[0][0]
        if (sell_e8 - buy_e8) * _TWICE_E8 < needed_e8 * (sell_e8 + buy_e8):  # as _pays, written out
            continue
        found: Opportunity | None = None
        for size_e8 in rules.sizes_e8:
            deep_enough = opening(rules, books, buy_leg, size_e8) if size_e8 <= size_max_e8 else None
            if deep_enough is not None:
                found = deep_enough
                if found.edge_e8 >= rules.entry_edge_e8:
                    break
        if found is not None and (best is None or found.edge_e8 > best.edge_e8):
            best = found
    return best


def _pays(buy_e8: int, sell_e8: int, needed_e8: int) -> bool:
    """Say whether the spread of two prices reaches what is needed; as spread_rate_e8, without its division."""
    return (sell_e8 - buy_e8) * _TWICE_E8 >= needed_e8 * (sell_e8 + buy_e8)


def funding_hour_e8(rates_e8: tuple[int, int], buy_leg: int) -> int:
    """Return what holding costs an hour, negative is received. rates_e8: by leg, an hour; longs pay a rate."""
    return rates_e8[buy_leg] - rates_e8[1 - buy_leg]


def slipped(instrument: Instrument, side: Side, price_e8: int, slip_e8: int) -> int:
    """Return a limit price slip_e8 worse than price_e8, on the tick, rounded in our favour."""
    return instrument.cap(side, price_e8 + side.sign * (price_e8 * slip_e8 // E8))
