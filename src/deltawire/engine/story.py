"""The story of a finished trade as one log event: what was seen, what was got, what it cost, and how fast it went.

Made once a trade, after its end; reads the trade and the stamps of its orders, changes nothing.
"""

from collections.abc import Callable

from deltawire.core.latency import phases_ns
from deltawire.core.money import format_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.trade import Trade
from deltawire.core.types import ClientOrderId, Purpose
from deltawire.journal.records import TradeClosed
from deltawire.observe.story import EVENT
from deltawire.venues.contract import EventLog

_IN = (Purpose.ENTRY, Purpose.REPAIR)


def tell_story(
    log: EventLog, closed: TradeClosed, trade: Trade, stamps_of: Callable[[ClientOrderId], OrderStamps | None]
) -> None:
    """Log the end of a trade. stamps_of: None for an order nobody timed here."""
    buy, sell = (trade.rules.legs[leg] for leg in (trade.buy_leg, 1 - trade.buy_leg))
    log.info(
        EVENT,
        trade_id=closed.trade_id,
        pair=closed.pair_id,
        outcome=closed.outcome,
        buy=buy.venue,
        sell=sell.venue,
        size=format_e8(_size_e8(trade)),
        detected_bps=_bps(closed.entry_detected_spread_rate_e8),
        executed_bps=_bps(closed.entry_executed_spread_rate_e8),
        exit_detected_bps=_bps(closed.exit_detected_spread_rate_e8),
        exit_executed_bps=_bps(closed.exit_executed_spread_rate_e8),
        pnl_usd=closed.pnl_e8 / 1e8,
        fees_usd=closed.fees_e8 / 1e8,
        unhedged_ms=closed.unhedged_ns_max / 1e6,
        held_s=round((closed.closed_unix_ns - closed.opened_unix_ns) / 1e9, 3),
        orders=len(trade.orders),
        repairs=_count(trade, Purpose.REPAIR),
        unwinds=_count(trade, Purpose.UNWIND),
        order_class=trade.order_class,
        why=trade.exit_reason,
        latency_ms=_latency_ms(trade, stamps_of),
    )


def _size_e8(trade: Trade) -> int:
    """Return the most that was on: what came in on the leg that filled more."""
    filled = [0, 0]
    for client_id, order in trade.orders.items():
        if order.request.purpose in _IN:
            filled[trade.legs[client_id]] += order.filled_e8
    return max(filled)


def _count(trade: Trade, purpose: Purpose) -> int:
    return sum(order.request.purpose is purpose for order in trade.orders.values())


def _latency_ms(trade: Trade, stamps_of: Callable[[ClientOrderId], OrderStamps | None]) -> dict[str, float]:
    """Return venue: decision to answer of the slowest order it answered."""
    slowest: dict[str, float] = {}
    for client_id, order in trade.orders.items():
        stamps = stamps_of(client_id)
        total_ns = None if stamps is None else phases_ns(stamps).get("total")
        if total_ns is not None:
            venue = order.request.instrument.venue
            slowest[venue] = max(slowest.get(venue, 0.0), round(total_ns / 1e6, 3))
    return slowest


def _bps(rate_e8: int | None) -> float | None:
    return None if rate_e8 is None else rate_e8 / 1e4
