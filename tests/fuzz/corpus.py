"""Frames the damage starts from: the golden vectors, and for Paradex's JSON, which has none, frames made by hand.

The hand-made ones follow the examples of the fields in the venue's REST spec 1.132.1; their numbers are made up.
"""

import json
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"

_ORDER = {
    "id": "1681471234972000000",
    "account": "0x4638e3041366aa71720be63e32e53e1223316c7f0d56f7aa617542ed1e7512",
    "market": "BTC-USD-PERP",
    "side": "BUY",
    "type": "LIMIT",
    "instruction": "IOC",
    "size": "0.05",
    "remaining_size": "0",
    "price": "61800.5",
    "avg_fill_price": "61799.123456789",
    "status": "CLOSED",
    "cancel_reason": "",
    "client_id": "a-1",
    "flags": ["REDUCE_ONLY"],
    "trigger_price": "0",
    "timestamp": 1681493746016,
    "received_at": 1681493746016,
    "created_at": 1681493746016,
    "last_updated_at": 1681493746016,
    "published_at": 1681493746016,
    "seq_no": 1681471234972000000,
    "stp": "EXPIRE_MAKER",
    "request_info": {"id": "0x1", "message": "", "request_type": "MODIFY_ORDER", "status": "SUCCESS"},
}
_FILL = {
    "id": "8615262148007718462",
    "order_id": "1681471234972000000",
    "client_id": "a-1",
    "account": "0x4638",
    "market": "BTC-USD-PERP",
    "side": "SELL",
    "size": "0.05",
    "price": "61800",
    "fee": "7.56",
    "fee_currency": "USDC",
    "liquidity": "TAKER",
    "fill_type": "FILL",
    "flags": ["interactive"],
    "remaining_size": "0",
    "realized_pnl": "-1.000000001",
    "realized_funding": "0",
    "underlying_price": "61790",
    "created_at": 1681493746016,
    "orderbook_seq_no": 4,
    "trade_id": "t",
}
_POSITION = {
    "id": "0x4638-BTC-USD-PERP",
    "account": "0x4638",
    "market": "BTC-USD-PERP",
    "side": "SHORT",
    "size": "-0.05",
    "status": "OPEN",
    "average_entry_price": "61799.123456789",
    "average_entry_price_usd": "61799",
    "cost": "3089",
    "cost_usd": "3089",
    "unrealized_pnl": "-9.3",
    "unrealized_funding_pnl": "0",
    "realized_positional_pnl": "0",
    "cached_funding_index": "34.5",
    "leverage": "5",
    "liquidation_price": "",
    "last_fill_id": "8615262148007718462",
    "last_updated_at": 1681493746016,
    "seq_no": 7,
}
_ACCOUNT = {
    "account": "0x4638",
    "account_value": "136285.06918911",
    "total_collateral": "123003.62047353",
    "free_collateral": "73276.47",
    "initial_margin_requirement": "59464.27",
    "maintenance_margin_requirement": "29732.13",
    "margin_cushion": "106552.9",
    "settlement_asset": "USDC",
    "status": "ACTIVE",
    "last_seen_notification": 1681493746016,
    "updated_at": 1681493746016,
    "seq_no": 9,
}
_MARKET = {
    "symbol": "BTC-USD-PERP",
    "price_tick_size": "0.1",
    "order_size_increment": "0.00001",
    "min_notional": "10",
    "max_order_size": "100",
    "position_limit": "300",
    "price_bands_width": "0.05",
    "trading_mode": "STANDARD",
    "asset_kind": "PERP",
    "funding_period_hours": 8,
    "fee_config": {"api_fee": {"maker_fee": {"fee": "0.00003"}, "taker_fee": {"fee": "0.00045"}}},
}


def _rpc(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":")).encode()


def _news(channel: str, data: object) -> bytes:
    return _rpc(method="subscription", params={"channel": channel, "data": data})


def sbe_frames() -> list[bytes]:
    frames = json.loads((VECTORS / "paradex" / "sbe_frames.json").read_text())
    steps = json.loads((VECTORS / "paradex" / "sbe_book_stream.json").read_text())["steps"]
    listed = [*frames["frames"], *frames["server_golden"], *frames["rejected"], *steps]
    return [bytes.fromhex(vector["hex"]) for vector in listed]


def paradex_texts() -> list[bytes]:
    """Return text frames of the WebSocket, both directions."""
    stamps = {"usIn": 1681493746016123, "usOut": 1681493746016456, "usDiff": 333}
    result = {"order": _ORDER, "created_at": 1681493746016, "received_at": 1681493746016000000}
    create = {
        "market": "BTC-USD-PERP",
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.05",
        "price": "61800.5",
        "instruction": "IOC",
        "client_id": "a-1",
        "signature": '["1","2"]',
        "signature_timestamp": 1681493746016,
        "recv_window": 5000,
        "flags": ["REDUCE_ONLY"],
    }
    return [
        _rpc(id=7, result=result, **stamps),
        _rpc(id=8, result={"channel": "bbo.BTC-USD-PERP"}, **stamps),
        _rpc(id=9, result={"results": [result, {"error": "INVALID_ORDER_SIZE: 0"}]}, **stamps),
        _rpc(id=9, result={"results": [{"id": "1", "market": "BTC-USD-PERP", "status": "QUEUED_FOR_CANCELLATION"}]}),
        _news(
            "tradebusts", {"account": "0x4638", "busted_fill_id": "8615262148007718462", "created_at": 1681493746016}
        ),
        _rpc(id=9, result={}, usIn=1681493746016123000, usOut=1681493746016456000),
        _rpc(id=7, error={"code": 100, "message": "method error", "data": "INVALID_ORDER_SIZE: 0"}, **stamps),
        _rpc(id=None, error={"code": -32700, "message": "parse error", "data": {"at": [1, 2.5, None]}}),
        _news("orders.ALL", _ORDER),
        _news("fills.ALL", _FILL),
        _news("positions", _POSITION),
        _news("account", _ACCOUNT),
        _news("unknown.channel", {"x": 1}),
        _rpc(id=1, method="auth", params={"bearer": "token"}),
        _rpc(id=2, method="subscribe", params={"channel": "order_book.BTC-USD-PERP.deltas"}),
        _rpc(id=3, method="order.create", params=create),
        _rpc(id=4, method="order.cancel", params={"client_id": "a-1", "market": "BTC-USD-PERP"}),
        _rpc(id=5, method="order.cancel_all", params={}),
        _rpc(id=6, method="order.cancel_on_disconnect", params={"enabled": True}),
    ]


def paradex_public() -> list[bytes]:
    """Return public channel data in the JSON form; numbers made up, fields after the venue's AsyncAPI file."""
    market, stamp = "BTC-USD-PERP", 1681493746016
    top = {"bid": "61799.5", "bid_size": "0.5", "ask": "61800", "ask_size": "1.25"}
    rows = [
        {"side": "BUY", "price": "61799.5", "size": "0.5"},
        {"side": "BUY", "price": "61799", "size": "3"},
        {"side": "SELL", "price": "61800", "size": "1.25"},
    ]
    book = {"market": market, "seq_no": 5, "last_updated_at": stamp}
    changed = {"inserts": rows[:1], "updates": rows[1:], "deletes": [{"side": "SELL", "price": "61800", "size": "0"}]}
    funding = {"funding_rate": "0.0001", "funding_index": "34.5", "funding_premium": "1", "funding_rate_8h": "0.0001"}
    summary = {
        "symbol": market,
        "mark_price": "61799.1234567891",
        "underlying_price": "61790",
        "funding_rate": "0.0001",
    }
    return [
        _news(f"bbo.{market}", {"market": market, "seq_no": 4, "last_updated_at": stamp, **top}),
        _news(
            f"bbo.{market}", {"market": market, "seq_no": 7, "last_updated_at": stamp, **top, "bid": "", "bid_size": ""}
        ),
        _news(
            f"order_book.{market}.deltas", {**book, "update_type": "s", "inserts": rows, "updates": [], "deletes": []}
        ),
        _news(f"order_book.{market}.deltas", {**book, "seq_no": 6, "update_type": "d", **changed}),
        _news(f"funding_data.{market}", {"market": market, "created_at": stamp, "funding_period_hours": 8, **funding}),
        _news(f"markets_summary.{market}", {"created_at": stamp, "open_interest": "100", **summary}),
        _news("trades.ALL", {"market": market, "price": "61800", "size": "1"}),
    ]


def paradex_bodies() -> list[bytes]:
    """Return bodies of REST answers."""
    page = {"next": "cursor", "prev": None}
    bodies: list[object] = [
        _ORDER,
        _ACCOUNT,
        {"results": [_MARKET]},
        {"results": [_ORDER, _ORDER], **page},
        {"results": [_FILL], **page},
        {"results": [_POSITION]},
        {"results": [{"token": "USDC", "size": "123003.620473539", "last_updated_at": 1681493746016}]},
        {
            "results": [
                {"account": "0x4638", "kind": "main", "fees": {"maker_rate": "0.00003", "taker_rate": "0.00045"}}
            ]
        },
        {"server_time": "1681493746016"},
        {"status": "ok"},
        {"starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET", "environment": "prod"},
        {"jwt_token": "a.b.c"},
        {"error": "ORDER_ID_NOT_FOUND", "message": "no such order"},
        {"orders": [_ORDER], "errors": [{"error": "INVALID_ORDER_SIZE", "message": "0"}]},
        {"results": [{"id": "1", "client_id": "a-1", "market": "BTC-USD-PERP", "status": "ALREADY_CLOSED"}]},
    ]
    return [json.dumps(body, separators=(",", ":")).encode() for body in bodies]


def vest_texts() -> list[bytes]:
    """Return text frames of the WebSocket, both directions."""
    messages = json.loads((VECTORS / "vest" / "golden_messages.json").read_text())
    commands = json.loads((VECTORS / "vest" / "urls.json").read_text())["frames"]
    return [m["raw"].encode() for m in messages] + [json.dumps(command["send"]).encode() for command in commands]


def vest_answers() -> list[tuple[str, int, bytes]]:
    """Return (path, HTTP status, body)."""
    answers = json.loads((VECTORS / "vest" / "golden_rest.json").read_text())
    return [(answer["path"], answer["http_status"], answer["raw"].encode()) for answer in answers]
