"""What a pair is worth right now: executable spread less every cost we can name. Pure, integers only.

Rates are 1e-8 (one bps is 10_000). "Legs" are 0 and 1; `buy_leg` names the one we would buy on.
"""

from dataclasses import dataclass

from deltawire.core.book import Book
from deltawire.core.money import E8, floor_to
from deltawire.core.types import Instrument, Side


@dataclass(frozen=True, slots=True)
class PairRules:
    """One pair: the same perpetual on two venues, and what its owner asks of a trade.

    entry_edge_e8: net edge needed to enter. exit_spread_e8: closing spread at which both legs are closed.
    funding_e8, basis_e8, margin_e8: expected funding over the hold, USD/USDC basis, and slippage margin,
    each taken off the edge. slippage_e8: how far past the walked price an order's cap may lie.
    emergency_e8: the wider, still finite cap of repairs' last resort, unwinds and forced closes.
    layers_max: entries into the pair that may be open together, each a trade of its own; every further one needs
    layer_step_e8 more edge than the one before. harder_leg_first: send the thinner side alone, the other after it.
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

    @property
    def lot_e8(self) -> int:
        """Return the smallest size both venues can trade; net delta under it is dust. Steps are decimal."""
        return max(leg.size_step_e8 for leg in self.legs)

    @property
    def fees_round_trip_e8(self) -> int:
        return 2 * (self.legs[0].fee_rate_taker_e8 + self.legs[1].fee_rate_taker_e8)

    @property
    def entry_costs_e8(self) -> int:
        """Return all that the spread of an entry must pay. The exit is expected at exit_spread, so its cost is here."""
        return self.fees_round_trip_e8 + self.exit_spread_e8 + self.funding_e8 + self.basis_e8 + self.margin_e8


@dataclass(frozen=True, slots=True)
class Opportunity:
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
    buy = books[buy_leg].walk(Side.BUY, size_e8)
    sell = books[1 - buy_leg].walk(Side.SELL, size_e8)
    if buy.size_e8 < size_e8 or sell.size_e8 < size_e8:
        return None
    spread_e8 = spread_rate_e8(buy.notional_e8, sell.notional_e8)
    costs_e8 = rules.entry_costs_e8
    return Opportunity(buy_leg, size_e8, spread_e8, spread_e8 - costs_e8, buy.worst_price_e8, sell.worst_price_e8)


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


def best_opening(rules: PairRules, books: tuple[Book, Book], size_max_e8: int) -> Opportunity | None:
    """Return the better direction at the largest size that keeps the entry edge, or None where there is none.

    Most frames end at the first look: best prices that do not pay for the smallest size pay for no size. Sizes tried:
    what is allowed and deep enough, then half of it, then half again; a deeper search costs hot-path time.
    """
    best: Opportunity | None = None
    needed_e8 = rules.entry_edge_e8 + rules.entry_costs_e8
    for buy_leg in (0, 1):
        asks, bids = books[buy_leg].asks, books[1 - buy_leg].bids
        if not asks or not bids or spread_rate_e8(asks[0][0], bids[0][0]) < needed_e8:
            continue
        found = _largest(rules, books, buy_leg, size_max_e8)
        if found is not None and (best is None or found.edge_e8 > best.edge_e8):
            best = found
    return best


def _largest(rules: PairRules, books: tuple[Book, Book], buy_leg: int, size_max_e8: int) -> Opportunity | None:
    lot_e8 = rules.lot_e8
    buy = books[buy_leg].walk(Side.BUY, size_max_e8)
    sell = books[1 - buy_leg].walk(Side.SELL, size_max_e8)
    size_e8 = floor_to(min(buy.size_e8, sell.size_e8), lot_e8)
    found: Opportunity | None = None
    for _ in range(3):
        if size_e8 < rules.size_min_e8 or size_e8 <= 0:
            break
        found = opening(rules, books, buy_leg, size_e8)
        if found is None or found.edge_e8 >= rules.entry_edge_e8:
            break
        size_e8 = floor_to(size_e8 // 2, lot_e8)
    return found


def slipped(instrument: Instrument, side: Side, price_e8: int, slip_e8: int) -> int:
    """Return a limit price slip_e8 worse than price_e8, on the tick, rounded in our favour."""
    return instrument.cap(side, price_e8 + side.sign * (price_e8 * slip_e8 // E8))
