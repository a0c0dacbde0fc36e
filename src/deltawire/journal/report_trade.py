"""One trade of the report: what was seen and got at entry and exit, its money, and where its edge went.

Added up from what its orders filled; where TradeClosed told otherwise, the caller's notes say so.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from deltawire.core.edge import spread_rate_e8
from deltawire.core.money import BPS_E8, E8, format_e8
from deltawire.journal.read import OrderRow, QuoteRow, TradeRow
from deltawire.journal.split import SIDES, Cause, SideTrade, causes

_ENTERED, _LEFT = ("entry", "repair"), ("exit",)


@dataclass(frozen=True, slots=True)
class TradeReport:
    """One trade. Rates in 1e-8, positive is money to us; None where that side did not happen or has no price yet."""

    trade_id: str
    pair_id: str
    outcome: str  # of TradeClosed, or "open"
    size_e8: int
    notional_e8: int  # of the dearer entry leg; 0 where nothing filled
    entry_detected: int
    entry_executed: int | None
    exit_detected: int | None
    exit_executed: int | None
    fees_e8: int
    pnl_e8: int | None  # None while anything is on, or without a price
    unhedged_ns_max: int
    opened_unix_ns: int
    closed_unix_ns: int | None
    order_class: str = ""  # of the entry, "" for the venue's usual one
    class_reason: str = ""  # "" where there was no choice
    funding_e8: int = 0  # that came with its orders; positive is received
    causes: tuple[Cause, ...] = ()  # where its edge went; none while anything is on, or where nothing filled
    quotes: tuple[QuoteRow, ...] = ()  # both books when it was opened and when it was closed

    def to_json(self) -> dict[str, Any]:
        return {
            "trade_id": self.trade_id,
            "pair_id": self.pair_id,
            "outcome": self.outcome,
            "size": decimal_of(self.size_e8),
            "notional_usd": decimal_of(self.notional_e8),
            "detected_bps": _bps(self.entry_detected),
            "executed_bps": _bps(self.entry_executed),
            "exit_detected_bps": _bps(self.exit_detected),
            "exit_executed_bps": _bps(self.exit_executed),
            "fees_usd": decimal_of(self.fees_e8),
            "pnl_usd": decimal_of(self.pnl_e8),
            "unhedged_ms": self.unhedged_ns_max / 10**6,
            "opened_unix_ns": self.opened_unix_ns,
            "closed_unix_ns": self.closed_unix_ns,
            "order_class": self.order_class,
            "class_reason": self.class_reason,
            "funding_usd": decimal_of(self.funding_e8),
            "causes": [cause.to_json() for cause in self.causes],
            "quotes": [_quote(quote) for quote in self.quotes],
        }


def trade_report(
    row: TradeRow, orders: list[OrderRow], quotes: list[QuoteRow], funding_e8: int, notes: list[str]
) -> TradeReport:
    """Add up one trade. quotes: of this trade. notes: gets what must be said besides."""
    net_e8, fees_of_e8 = Counter[str](), Counter[str]()
    cash_e8 = 0
    for order in orders:
        sign = 1 if order.side == 1 else -1
        net_e8[order.leg] += sign * order.filled_e8
        cash_e8 -= sign * order.notional_e8
        fees_of_e8[order.venue] += order.fee_e8
    fees_e8 = fees_of_e8.total()
    is_over = row.outcome not in (None, "stuck")
    unpriced = [order.client_id for order in orders if not order.is_priced]
    if is_over and unpriced:
        notes.append(f"trade {row.trade_id}: no price for all that filled of {', '.join(unpriced)}")
    # A position told after the end belongs to this trade: its cash is not yet a result.
    is_known = is_over and not unpriced and (net_e8["a"], net_e8["b"]) == (row.dust_a_e8, row.dust_b_e8)
    pnl_e8 = cash_e8 - fees_e8 if is_known else None
    if is_over and (pnl_e8, fees_e8) != (row.pnl_e8, row.fees_e8):
        told, found = _usd(row.pnl_e8), _usd(pnl_e8)
        notes.append(f"trade {row.trade_id}: its end told a PnL of {told}, its fills give {found}")
    notional_e8 = _entry_notional_e8(orders)
    sides = [side for side in (_side(name, row, orders, quotes) for name in SIDES) if side is not None]
    return TradeReport(
        trade_id=row.trade_id,
        pair_id=row.pair_id,
        outcome=row.outcome or "open",
        size_e8=row.size_e8,
        notional_e8=notional_e8,
        entry_detected=row.detected_spread_rate_e8,
        entry_executed=_executed(orders, _ENTERED),
        exit_detected=row.exit_detected_spread_rate_e8,
        exit_executed=_executed(orders, _LEFT),
        fees_e8=fees_e8,
        pnl_e8=pnl_e8,
        unhedged_ns_max=row.unhedged_ns_max or 0,
        opened_unix_ns=row.unix_ns,
        closed_unix_ns=row.closed_unix_ns,
        order_class=row.order_class,
        class_reason=row.class_reason,
        funding_e8=funding_e8,
        causes=causes(sides, fees_of_e8, funding_e8, pnl_e8, notional_e8) if pnl_e8 is not None and notional_e8 else (),
        quotes=tuple(quotes),
    )


def _side(name: str, row: TradeRow, orders: list[OrderRow], quotes: list[QuoteRow]) -> SideTrade | None:
    """Return the entry or the exit of a trade, None where it did not happen with both legs."""
    purposes = _ENTERED if name == "entry" else _LEFT
    executed = _executed(orders, purposes)
    if executed is None:
        return None
    is_entry = name == "entry"
    second_leg = {"a": "b", "b": "a"}.get(row.first_leg, "") if is_entry else ""
    return SideTrade(
        name,
        row.detected_spread_rate_e8 if is_entry else row.exit_detected_spread_rate_e8,
        executed,
        sorted((order for order in orders if order.purpose in purposes), key=lambda order: order.seq),
        {quote.leg: quote for quote in quotes if quote.purpose == name},
        second_leg,
    )


def _entry_notional_e8(orders: list[OrderRow]) -> int:
    entered = Counter[int]()
    for order in orders:
        if order.purpose in _ENTERED:
            entered[order.side] += order.notional_e8
    return max(entered.values(), default=0)


def _executed(orders: list[OrderRow], purposes: tuple[str, ...]) -> int | None:
    """Return the spread these orders got, per unit of size; None unless both sides filled and are priced."""
    size_e8, notional_e8 = Counter[int](), Counter[int]()
    for order in orders:
        if order.purpose in purposes and order.filled_e8:
            if not order.is_priced:
                return None
            size_e8[order.side] += order.filled_e8
            notional_e8[order.side] += order.notional_e8
    if not (size_e8[1] and size_e8[2]):
        return None
    return spread_rate_e8(notional_e8[1] * E8 // size_e8[1], notional_e8[2] * E8 // size_e8[2])


def _quote(quote: QuoteRow) -> dict[str, Any]:
    return {
        "side": quote.purpose,
        "venue": quote.venue,
        "size": decimal_of(quote.size_e8),
        "best_price": decimal_of(quote.best_price_e8),
        "price": decimal_of(quote.price_e8 or None),
        "age_ms": quote.age_ns / 10**6,
        "venue_age_ms": None if quote.venue_age_ns is None else quote.venue_age_ns / 10**6,
    }


def decimal_of(value_e8: int | None) -> float | None:
    """Return money for JSON. Exact below 2**53 e-8, some 90 million; it is only shown, never calculated with."""
    return None if value_e8 is None else float(format_e8(value_e8))


def _usd(value_e8: int | None) -> str:
    return "unknown" if value_e8 is None else format_e8(value_e8)


def _bps(rate_e8: int | None) -> float | None:
    return None if rate_e8 is None else rate_e8 / BPS_E8
