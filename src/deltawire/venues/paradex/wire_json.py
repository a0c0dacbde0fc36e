"""The JSON forms of Paradex records (REST bodies and JSON channels), both directions. Sans-I/O.

Prices and sizes are read exactly and refused otherwise; amounts that only describe (average price, PnL, margin) are cut
below 1e-8, for the venue prints more places there. Unknown fields are ignored.

Source: Paradex protocol reference, sections 7 and 11, and REST spec 1.132.1, state of October 2026.
"""

from typing import Any

import msgspec

from deltawire.core.money import format_e8, parse_e8
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.records import Account, Fill, Order, Position

NS_PER_MS = 1_000_000
ORDER_STATUSES = frozenset({"NEW", "UNTRIGGERED", "OPEN", "CLOSED"})


class RequestInfoJson(msgspec.Struct):
    id: str | None = None
    message: str | None = None
    request_type: str | None = None
    status: str | None = None


class OrderJson(msgspec.Struct):
    id: str
    market: str
    side: str
    size: str
    remaining_size: str
    status: str
    account: str = ""
    type: str = ""
    instruction: str = ""
    price: str | None = None
    trigger_price: str | None = None
    avg_fill_price: str | None = None
    cancel_reason: str | None = None
    client_id: str | None = None
    flags: list[str] | None = None
    stp: str | None = None
    timestamp: int = 0
    received_at: int = 0
    created_at: int = 0
    last_updated_at: int = 0
    published_at: int = 0
    seq_no: int = 0
    request_info: RequestInfoJson | None = None


class FillJson(msgspec.Struct):
    id: str
    order_id: str
    market: str
    side: str
    size: str
    price: str
    client_id: str | None = None
    account: str = ""
    fee: str | None = None
    fee_currency: str | None = None
    liquidity: str = ""
    fill_type: str = ""
    flags: list[str] | None = None
    remaining_size: str | None = None
    realized_pnl: str | None = None
    realized_funding: str | None = None
    underlying_price: str | None = None
    created_at: int = 0
    orderbook_seq_no: int | None = None


class PositionJson(msgspec.Struct):
    market: str
    side: str
    size: str
    account: str = ""
    status: str = ""
    average_entry_price: str | None = None
    average_entry_price_usd: str | None = None
    cost: str | None = None
    cost_usd: str | None = None
    unrealized_pnl: str | None = None
    unrealized_funding_pnl: str | None = None
    realized_positional_pnl: str | None = None
    cached_funding_index: str | None = None
    leverage: str | None = None
    liquidation_price: str | None = None
    last_fill_id: str | None = None
    last_updated_at: int = 0
    seq_no: int = 0


class AccountJson(msgspec.Struct):
    account: str
    account_value: str
    free_collateral: str
    total_collateral: str | None = None
    initial_margin_requirement: str | None = None
    maintenance_margin_requirement: str | None = None
    margin_cushion: str | None = None
    settlement_asset: str = ""
    status: str = ""
    last_seen_notification: int | None = None
    updated_at: int = 0
    seq_no: int = 0


def order_of(raw: OrderJson) -> Order:
    """Turn the JSON form into the record. Raises DecodeError for a side, status, size or price it cannot trust."""
    if raw.status not in ORDER_STATUSES:
        raise DecodeError(f"order status {raw.status[:40]!r} has no name")
    info = raw.request_info
    return Order(
        venue_unix_ns=raw.timestamp * NS_PER_MS,
        seq=raw.seq_no,
        status=raw.status,
        side=_side(raw.side),
        order_type=raw.type,
        instruction=raw.instruction,
        price_e8=_price(raw.price),
        trigger_price_e8=_price(raw.trigger_price),
        size_e8=_size(raw.size),
        remaining_e8=_size(raw.remaining_size),
        avg_fill_price_e8=loose_e8(raw.avg_fill_price) or None,
        created_unix_ns=raw.created_at * NS_PER_MS,
        updated_unix_ns=raw.last_updated_at * NS_PER_MS,
        account=raw.account,
        received_unix_ns=raw.received_at * NS_PER_MS,
        published_unix_ns=raw.published_at * NS_PER_MS,
        stp=raw.stp or "NONE",
        flags=tuple(raw.flags or ()),
        request_status=info.status if info else None,
        request_type=info.request_type if info else None,
        order_id=raw.id,
        client_id=raw.client_id or "",
        market=raw.market,
        cancel_reason=raw.cancel_reason or "",
        request_id=info.id if info else None,
        request_message=info.message if info else None,
    )


def fill_of(raw: FillJson) -> Fill:
    return Fill(
        venue_unix_ns=raw.created_at * NS_PER_MS,
        seq=None,
        fill_type=raw.fill_type,
        side=_side(raw.side),
        liquidity=raw.liquidity,
        price_e8=_size(raw.price),
        size_e8=_size(raw.size),
        fee_e8=loose_e8(raw.fee),
        realized_pnl_e8=loose_e8(raw.realized_pnl) if raw.realized_pnl else None,
        created_unix_ns=raw.created_at * NS_PER_MS,
        account=raw.account,
        underlying_price_e8=loose_e8(raw.underlying_price),
        realized_funding_e8=loose_e8(raw.realized_funding),
        flags=tuple(flag.upper() for flag in raw.flags or ()),
        book_seq=raw.orderbook_seq_no,
        fill_id=raw.id,
        order_id=raw.order_id,
        client_id=raw.client_id or "",
        trade_id="",
        market=raw.market,
        fee_currency=raw.fee_currency,
        remaining_e8=_size(raw.remaining_size) if raw.remaining_size else None,
    )


def position_of(raw: PositionJson) -> Position:
    if raw.side not in ("LONG", "SHORT"):
        raise DecodeError(f"position side {raw.side[:40]!r} has no name")
    side = Side.BUY if raw.side == "LONG" else Side.SELL
    size_e8 = _exact(raw.size)
    if size_e8 * side.sign < 0:
        raise DecodeError(f"position of {raw.market}: side {raw.side} with size {raw.size[:40]}")
    return Position(
        venue_unix_ns=raw.last_updated_at * NS_PER_MS,
        seq=raw.seq_no,
        side=side,
        size_e8=size_e8,
        entry_price_e8=loose_e8(raw.average_entry_price),
        unrealized_pnl_e8=loose_e8(raw.unrealized_pnl),
        realized_pnl_e8=loose_e8(raw.realized_positional_pnl),
        mark_price_e8=None,
        liquidation_price_e8=loose_e8(raw.liquidation_price) or None,
        leverage_e8=loose_e8(raw.leverage),
        updated_unix_ns=raw.last_updated_at * NS_PER_MS,
        account=raw.account,
        entry_price_usd_e8=loose_e8(raw.average_entry_price_usd),
        cost_e8=loose_e8(raw.cost),
        cost_usd_e8=loose_e8(raw.cost_usd),
        funding_index_e8=loose_e8(raw.cached_funding_index),
        unrealized_funding_e8=loose_e8(raw.unrealized_funding_pnl),
        status=raw.status,
        market=raw.market,
        last_fill_id=raw.last_fill_id or "",
    )


def account_of(raw: AccountJson) -> Account:
    return Account(
        venue_unix_ns=raw.updated_at * NS_PER_MS,
        seq=raw.seq_no,
        total_collateral_e8=loose_e8(raw.total_collateral),
        free_collateral_e8=loose_e8(raw.free_collateral),
        initial_margin_e8=loose_e8(raw.initial_margin_requirement),
        maintenance_margin_e8=loose_e8(raw.maintenance_margin_requirement),
        account_value_e8=loose_e8(raw.account_value),
        unrealized_pnl_e8=None,
        updated_unix_ns=raw.updated_at * NS_PER_MS,
        account=raw.account,
        margin_cushion_e8=loose_e8(raw.margin_cushion),
        status=raw.status,
        last_seen_notification_unix_ns=(raw.last_seen_notification or 0) * NS_PER_MS,
        settlement_asset=raw.settlement_asset,
    )


def order_json(order: Order, *, in_reply: bool = False) -> dict[str, Any]:
    """Return the order object. in_reply: the form of the order.create reply, without stp and request_info."""
    data: dict[str, Any] = {
        "id": order.order_id,
        "account": order.account,
        "market": order.market,
        "side": order.side.name,
        "type": order.order_type,
        "instruction": order.instruction,
        "size": format_e8(order.size_e8),
        "remaining_size": format_e8(order.remaining_e8),
        "price": format_e8(order.price_e8 or 0),
        "avg_fill_price": format_e8(order.avg_fill_price_e8) if order.avg_fill_price_e8 else "",
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "client_id": order.client_id,
        "flags": list(order.flags),
        "trigger_price": format_e8(order.trigger_price_e8 or 0),
        "timestamp": order.venue_unix_ns // NS_PER_MS,
        "received_at": order.received_unix_ns // NS_PER_MS,
        "created_at": order.created_unix_ns // NS_PER_MS,
        "last_updated_at": order.updated_unix_ns // NS_PER_MS,
        "published_at": order.published_unix_ns // NS_PER_MS,
        "seq_no": order.seq,
    }
    if in_reply:
        return data
    data["stp"] = "" if order.stp == "NONE" else order.stp
    if order.request_id:
        data["request_info"] = {
            "id": order.request_id,
            "message": order.request_message or "",
            "request_type": order.request_type or "",
            "status": order.request_status or "",
        }
    return data


def fill_json(fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.fill_id,
        "order_id": fill.order_id,
        "client_id": fill.client_id,
        "account": fill.account,
        "market": fill.market,
        "side": fill.side.name,
        "size": format_e8(fill.size_e8),
        "price": format_e8(fill.price_e8),
        "fee": format_e8(fill.fee_e8),
        "fee_currency": fill.fee_currency or "USDC",
        "liquidity": fill.liquidity,
        "fill_type": fill.fill_type,
        "flags": [flag.lower() for flag in fill.flags or ()],
        "remaining_size": format_e8(fill.remaining_e8 or 0),
        "realized_pnl": format_e8(fill.realized_pnl_e8 or 0),
        "realized_funding": format_e8(fill.realized_funding_e8),
        "underlying_price": format_e8(fill.underlying_price_e8),
        "created_at": fill.created_unix_ns // NS_PER_MS,
        "orderbook_seq_no": fill.book_seq or 0,
    }


def position_json(position: Position) -> dict[str, Any]:
    return {
        "id": f"{position.account}-{position.market}",
        "account": position.account,
        "market": position.market,
        "side": "LONG" if position.side is Side.BUY else "SHORT",
        "size": format_e8(position.size_e8),
        "status": position.status,
        "average_entry_price": format_e8(position.entry_price_e8),
        "average_entry_price_usd": format_e8(position.entry_price_usd_e8),
        "average_exit_price": "0",
        "cost": format_e8(position.cost_e8),
        "cost_usd": format_e8(position.cost_usd_e8),
        "unrealized_pnl": format_e8(position.unrealized_pnl_e8),
        "unrealized_funding_pnl": format_e8(position.unrealized_funding_e8),
        "realized_positional_pnl": format_e8(position.realized_pnl_e8),
        "realized_positional_funding_pnl": "0",
        "cached_funding_index": format_e8(position.funding_index_e8),
        "leverage": format_e8(position.leverage_e8),
        "liquidation_price": format_e8(position.liquidation_price_e8) if position.liquidation_price_e8 else "",
        "last_fill_id": position.last_fill_id,
        "created_at": position.updated_unix_ns // NS_PER_MS,
        "closed_at": 0,
        "last_updated_at": position.updated_unix_ns // NS_PER_MS,
        "seq_no": position.seq,
    }


def account_json(account: Account) -> dict[str, Any]:
    return {
        "account": account.account,
        "account_value": format_e8(account.account_value_e8),
        "total_collateral": format_e8(account.total_collateral_e8),
        "free_collateral": format_e8(account.free_collateral_e8),
        "initial_margin_requirement": format_e8(account.initial_margin_e8),
        "maintenance_margin_requirement": format_e8(account.maintenance_margin_e8),
        "margin_cushion": format_e8(account.margin_cushion_e8),
        "settlement_asset": account.settlement_asset,
        "status": account.status,
        "last_seen_notification": (account.last_seen_notification_unix_ns or 0) // NS_PER_MS,
        "updated_at": account.updated_unix_ns // NS_PER_MS,
        "seq_no": account.seq,
    }


def loose_e8(text: str | None) -> int:
    """Read an amount that only describes: places below 1e-8 are cut, nothing or empty is 0."""
    if not text:
        return 0
    whole, dot, places = text.partition(".")
    return _exact(f"{whole}{dot}{places[:8]}")


def _exact(text: str) -> int:
    try:
        return parse_e8(text)
    except ValueError as e:
        raise DecodeError(str(e)) from e


def _size(text: str) -> int:
    value_e8 = _exact(text)
    if value_e8 < 0:
        raise DecodeError(f"price or size {text[:40]} is negative")
    return value_e8


def _price(text: str | None) -> int | None:
    """Market types and orders without trigger have "0" or nothing."""
    return _size(text) or None if text else None


def _side(text: str) -> Side:
    if text == "BUY":
        return Side.BUY
    if text == "SELL":
        return Side.SELL
    raise DecodeError(f"side {text[:40]!r} has no name")
