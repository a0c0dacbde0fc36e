"""Where the edge of a finished trade went: from the best prices seen to what was kept, cause by cause, leg by leg.

Made from what the journal holds: both books at the decision (QuoteSeen), what each order filled, fees and funding.
The causes are chained, each the change of the spread when one price takes the place of another, so they add up:

    best prices -> depth -> wait -> staleness -> leg delay = executed

- depth: from the best price to the average of taking the whole size, in the book as it was seen. Known before sending.
- wait: what was detected against the books at the sending: a close that had to wait for a venue, or for its entry.
- staleness: from that average to what the leg's first order got. The book moved, or what stood there was taken, between
  the quote and the order's arrival; which of the two, no record of ours can tell.
- leg delay: what later orders of the leg cost (repairs, second tries), and all of a leg that was sent second by policy.

Without quotes (an older journal, a recovered trade) a side has two causes only: seen, and slipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from deltawire.core.edge import spread_rate_e8
from deltawire.core.money import BPS_E8, E8
from deltawire.journal.read import OrderRow, QuoteRow

SIDES = ("entry", "exit")
_PARTS = ("best", "depth", "seen", "wait", "staleness", "leg delay", "slipped")
# Every cause in the order they add up in; `kept` is their sum.
NAMES = (
    *(f"{side} {part}" for side in SIDES for part in _PARTS),
    "fees",
    "funding",
    "other",
    "kept",
)


class Cause(NamedTuple):
    """One step between what was seen and what was kept. bps of the trade's notional, positive is money to us.

    venue: of the leg it happened on, "" where it is of both.
    """

    name: str
    venue: str
    bps: float

    def to_json(self) -> dict[str, Any]:
        return {"cause": self.name, "venue": self.venue, "bps": round(self.bps, 4)}


class SideTrade(NamedTuple):
    """One side (entry or exit) of a trade: spreads as rates in 1e-8, its orders oldest first, its quotes by leg."""

    name: str
    detected: int | None
    executed: int
    orders: Sequence[OrderRow]
    quotes: Mapping[str, QuoteRow]
    second_leg: str = ""  # sent alone after the other one, by policy


def causes(
    sides: Iterable[SideTrade], fees_e8: Mapping[str, int], funding_e8: int, pnl_e8: int, notional_e8: int
) -> tuple[Cause, ...]:
    """Split a finished trade. fees_e8: by venue. pnl_e8: after fees, without funding. notional_e8: above zero."""

    def of_notional(amount_e8: int) -> float:
        return amount_e8 * E8 / notional_e8 / BPS_E8

    found = [cause for side in sides for cause in _side(side)]
    found += [Cause("fees", venue, -of_notional(fee_e8)) for venue, fee_e8 in fees_e8.items() if fee_e8]
    if funding_e8:
        found.append(Cause("funding", "", of_notional(funding_e8)))
    kept = of_notional(pnl_e8 + funding_e8)
    # What repairs and unwinds of sizes that were never on with both legs cost, and sizes of entry and exit that differ.
    found.append(Cause("other", "", kept - sum(cause.bps for cause in found)))
    return (*found, Cause("kept", "", kept))


def mean_of(trades: Iterable[tuple[int, Sequence[Cause]]]) -> tuple[Cause, ...]:
    """Return the mean of each cause over trades, given as (notional, causes) and weighted by the notional."""
    sums: dict[tuple[str, str], float] = {}
    weight = 0
    for notional_e8, found in trades:
        weight += notional_e8
        for cause in found:
            key = (cause.name, cause.venue)
            sums[key] = sums.get(key, 0.0) + cause.bps * notional_e8
    ordered = sorted(sums, key=lambda key: (NAMES.index(key[0]), key[1]))
    return tuple(Cause(name, venue, sums[name, venue] / weight) for name, venue in ordered)


def _side(side: SideTrade) -> list[Cause]:
    buy, sell = (_leg_of(side, of) for of in (1, 2))
    detected = side.executed if side.detected is None else side.detected
    if buy is None or sell is None or side.detected is None:
        slipped = side.executed - detected
        return [Cause(f"{side.name} seen", "", _bps(detected)), Cause(f"{side.name} slipped", "", _bps(slipped))]
    best = spread_rate_e8(buy.best_e8, sell.best_e8)
    deep = spread_rate_e8(buy.seen_e8, sell.best_e8)
    seen = spread_rate_e8(buy.seen_e8, sell.seen_e8)
    first_buy = spread_rate_e8(buy.first_e8, sell.seen_e8)
    first = spread_rate_e8(buy.first_e8, sell.first_e8)
    last_buy = spread_rate_e8(buy.got_e8, sell.first_e8)
    steps = [
        ("best", "", detected - (seen - best)),
        ("depth", buy.venue, deep - best),
        ("depth", sell.venue, seen - deep),
        ("wait", "", seen - detected),
        ("staleness", buy.venue, first_buy - seen),
        ("staleness", sell.venue, first - first_buy),
        ("leg delay", buy.venue, last_buy - first),
        ("leg delay", sell.venue, side.executed - last_buy),
    ]
    return [Cause(f"{side.name} {name}", venue, _bps(rate)) for name, venue, rate in steps if name != "wait" or rate]


class _Leg(NamedTuple):
    """Prices of one leg: best and average at the decision, what its first order got, what all of them got."""

    venue: str
    best_e8: int
    seen_e8: int
    first_e8: int
    got_e8: int


def _leg_of(side: SideTrade, of: int) -> _Leg | None:
    """Return the leg that bought (1) or sold (2) on this side; None without a quote that carried the size."""
    orders = [order for order in side.orders if order.side == of]
    filled = [order for order in orders if order.filled_e8]
    quote = side.quotes.get(orders[0].leg) if orders else None
    if quote is None or not quote.price_e8 or not filled:
        return None
    # A first order that got nothing, and a leg that had to wait for the other, have no staleness: all of it is delay.
    was_first = orders[0].filled_e8 and orders[0].leg != side.second_leg
    first_e8 = orders[0].notional_e8 * E8 // orders[0].filled_e8 if was_first else quote.price_e8
    got_e8 = sum(order.notional_e8 for order in filled) * E8 // sum(order.filled_e8 for order in filled)
    return _Leg(orders[0].venue, quote.best_price_e8, quote.price_e8, first_e8, got_e8)


def _bps(rate_e8: int) -> float:
    return rate_e8 / BPS_E8
