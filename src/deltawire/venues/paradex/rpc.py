"""Paradex JSON-RPC over WebSocket: requests, replies, errors and channel data, both directions. Sans-I/O.

Text frames only; channel data that comes as binary is in `sbe`. Holds the channel names.

Source: Paradex protocol reference, sections 5 to 8, state of October 2026.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import orjson

from deltawire.core.money import format_e8, parse_e8
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex.errors import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR
from deltawire.venues.paradex.records import Account, Fill, Order, Position
from deltawire.venues.paradex.wire_json import (
    AccountJson,
    FillJson,
    OrderJson,
    PositionJson,
    account_of,
    fill_of,
    order_json,
    order_of,
    position_of,
)

Payload = bytes | memoryview

ORDERS, FILLS, POSITIONS, ACCOUNT = "orders.ALL", "fills.ALL", "positions", "account"


def bbo_channel(market: str) -> str:
    return f"bbo.{market}"


def deltas_channel(market: str) -> str:
    """Every change of the book, a snapshot first; seq goes up by one a delta."""
    return f"order_book.{market}.deltas"


def snapshot_channel(market: str, rate: str = "50ms") -> str:
    """Return the channel of the top 15 levels, throttled, each frame whole."""
    return f"order_book.{market}.snapshot@15@{rate}"


def interactive_channel(market: str, rate: str = "50ms") -> str:
    """Return the channel of the top 15 levels with RPI orders, throttled."""
    return f"order_book.{market}.interactive@15@{rate}"


def summary_channel(market: str) -> str:
    return f"markets_summary.{market}"


def funding_channel(market: str) -> str:
    return f"funding_data.{market}"


def trades_channel(market: str) -> str:
    return f"trades.{market}"


# ---- client: requests


def encode_request(request_id: int, method: str, params: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def encode_order_create(
    request_id: int,
    *,
    market: str,
    side: Side,
    size_e8: int,
    price_e8: int,
    signature: str,
    signature_timestamp_ms: int,
    client_id: str,
    order_type: str = "LIMIT",
    instruction: str = "IOC",
    recv_window_ms: int | None = None,
    reduce_only: bool = False,
) -> bytes:
    """Write order.create. The price is left out for market types, as the venue demands."""
    params: dict[str, Any] = {
        "market": market,
        "side": side.name,
        "type": order_type,
        "size": format_e8(size_e8),
        "instruction": instruction,
        "client_id": client_id,
        "signature": signature,
        "signature_timestamp": signature_timestamp_ms,
    }
    if order_type.endswith("LIMIT"):
        params["price"] = format_e8(price_e8)
    if recv_window_ms is not None:
        params["recv_window"] = recv_window_ms
    if reduce_only:
        params["flags"] = ["REDUCE_ONLY"]
    return encode_request(request_id, "order.create", params)


# ---- client: what the server sends


class Reply(msgspec.Struct, frozen=True):
    """A result. `result` is raw JSON that may point into the frame: read it before the handler returns."""

    id: int | None
    result: msgspec.Raw
    received_unix_ns: int  # the server's stamps, 0 where it gives none
    sent_unix_ns: int


class Failure(msgspec.Struct, frozen=True):
    """An error. The id is None when the server could not tell which request it answers."""

    id: int | None
    code: int
    message: str
    data: str
    received_unix_ns: int
    sent_unix_ns: int


class Notification(msgspec.Struct, frozen=True):
    """Channel data as JSON; `data` may point into the frame."""

    channel: str
    data: msgspec.Raw


class _Error(msgspec.Struct):
    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Incoming(msgspec.Struct):
    id: int | None = None
    method: str = ""
    params: _Params | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None
    usIn: int | None = None  # noqa: N815  the venue's name
    usOut: int | None = None  # noqa: N815  the venue's name


class _OrderResult(msgspec.Struct):
    order: OrderJson


_incoming = msgspec.json.Decoder(_Incoming)
_order_result = msgspec.json.Decoder(_OrderResult)
_channel_readers: dict[str, tuple[msgspec.json.Decoder[Any], Any]] = {
    "orders": (msgspec.json.Decoder(OrderJson), order_of),
    "fills": (msgspec.json.Decoder(FillJson), fill_of),
    "positions": (msgspec.json.Decoder(PositionJson), position_of),
    "account": (msgspec.json.Decoder(AccountJson), account_of),
}


def decode_server(payload: Payload) -> Reply | Failure | Notification:
    """Read one text frame of the server. Raises DecodeError."""
    try:
        frame = _incoming.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable text frame of {len(payload)} bytes: {e}") from e
    if frame.error is not None:
        stamps = _unix_ns(frame.usIn), _unix_ns(frame.usOut)
        return Failure(frame.id, frame.error.code, frame.error.message, _text_of(frame.error.data), *stamps)
    if frame.result is not msgspec.UNSET:
        return Reply(frame.id, frame.result, _unix_ns(frame.usIn), _unix_ns(frame.usOut))
    if frame.method == "subscription" and frame.params is not None:
        return Notification(frame.params.channel, frame.params.data)
    raise DecodeError(f"text frame of {len(payload)} bytes is no reply, error or notification")


def decode_order_result(result: msgspec.Raw | bytes) -> Order:
    """Read the result of order.create or order.modify."""
    try:
        return order_of(_order_result.decode(result).order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable order result: {e}") from e


def decode_result(result: msgspec.Raw | bytes) -> dict[str, Any]:
    """Read any other result as a plain object."""
    try:
        value = orjson.loads(bytes(result))
    except orjson.JSONDecodeError as e:
        raise DecodeError(f"unreadable result: {e}") from e
    if not isinstance(value, dict):
        raise DecodeError("result is not an object")
    return value


def decode_channel(channel: str, data: msgspec.Raw | bytes) -> Order | Fill | Position | Account | None:
    """Read private channel data in JSON form; None for a channel this codec does not model."""
    known = _channel_readers.get(channel.partition(".")[0])
    if known is None:
        return None
    decoder, convert = known
    try:
        record: Order | Fill | Position | Account = convert(decoder.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable data of {channel[:60]}: {e}") from e
    return record


def _text_of(data: msgspec.Raw) -> str:
    """Return an error's data: a text as it is, anything else as the JSON that was sent."""
    raw = bytes(data)
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "" if raw == b"null" else raw.decode(errors="replace")


def _unix_ns(stamp: int | None) -> int:
    """Bring usIn and usOut to ns: documents and live samples disagree on us (16 digits) and ns (19 digits)."""
    if not stamp or stamp < 10**15:
        return 0
    return stamp if stamp >= 10**18 else stamp * 1000


# ---- server


class BadRequest(DecodeError):
    """A client's frame the server must answer with an error: its code and, when known, the request's id."""

    def __init__(self, code: int, message: str, request_id: int | str | None = None, data: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.request_id, self.data = code, message, request_id, data


class AuthParams(msgspec.Struct):
    bearer: str

    def __repr__(self) -> str:
        return "AuthParams(***)"


class ChannelParams(msgspec.Struct):
    """markets: of markets_summary only, the ones to be told of; None for all."""

    channel: str
    markets: list[str] | None = None


class CancelParams(msgspec.Struct):
    """Either id, or client_id with market."""

    id: str | None = None
    client_id: str | None = None
    market: str | None = None


class CancelAllParams(msgspec.Struct):
    market: str | None = None


class CancelOnDisconnectParams(msgspec.Struct):
    enabled: bool


class CreateParams(msgspec.Struct):
    """order.create as it stands on the wire, with the amounts read out exactly."""

    market: str
    side: str
    type: str
    size: str
    signature: str
    signature_timestamp: int
    price: str | None = None
    instruction: str = ""
    client_id: str | None = None
    stp: str | None = None
    recv_window: int | None = None
    flags: list[str] | None = None
    trigger_price: str | None = None
    on_behalf_of_account: str | None = None
    vwap_price: str | None = None  # REST only

    def __repr__(self) -> str:  # holds a signature
        return f"CreateParams({self.market}, {self.side}, {self.type}, {self.client_id})"

    @property
    def order_side(self) -> Side:
        try:
            return Side[self.side]
        except KeyError:
            raise BadRequest(INVALID_PARAMS, f"side {self.side[:20]!r}") from None

    @property
    def size_e8(self) -> int:
        return _positive_e8("size", self.size)

    @property
    def price_e8(self) -> int:
        """Return the limit price, 0 for market types."""
        return _positive_e8("price", self.price or "") if self.type.endswith("LIMIT") else 0

    @property
    def trigger_price_e8(self) -> int:
        """Return the trigger, 0 where there is none; some clients write that as "0"."""
        return _optional_e8("trigger_price", self.trigger_price)

    @property
    def vwap_price_e8(self) -> int:
        return _optional_e8("vwap_price", self.vwap_price)

    @property
    def reduce_only(self) -> bool:
        return "REDUCE_ONLY" in (self.flags or ())


Params = AuthParams | ChannelParams | CreateParams | CancelParams | CancelAllParams | CancelOnDisconnectParams

METHODS: dict[str, type[Params]] = {
    "auth": AuthParams,
    "subscribe": ChannelParams,
    "unsubscribe": ChannelParams,
    "order.create": CreateParams,
    "order.cancel": CancelParams,
    "order.cancel_all": CancelAllParams,
    "order.cancel_on_disconnect": CancelOnDisconnectParams,
}


class Request(msgspec.Struct, frozen=True):
    id: int | str | None
    method: str
    params: Params


# What an answer can carry back.
_RequestId = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _RawRequest(msgspec.Struct):
    method: str
    jsonrpc: str = ""
    id: _RequestId | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


_request = msgspec.json.Decoder(_RawRequest)
_params = {method: msgspec.json.Decoder(kind) for method, kind in METHODS.items()}


def decode_request(payload: Payload) -> Request:
    """Read one text frame of a client. Raises BadRequest with the code to answer."""
    try:
        raw = _request.decode(payload)
    except msgspec.ValidationError as e:
        raise BadRequest(INVALID_REQUEST, "invalid request", data=str(e)) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(PARSE_ERROR, "parse error", data=str(e)) from e
    if raw.jsonrpc != "2.0":
        raise BadRequest(INVALID_REQUEST, "invalid request", raw.id, "jsonrpc must be 2.0")
    decoder = _params.get(raw.method)
    if decoder is None:
        raise BadRequest(METHOD_NOT_FOUND, "method not found", raw.id, raw.method[:60])
    try:
        return Request(raw.id, raw.method, decoder.decode(raw.params))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(INVALID_PARAMS, "invalid method parameters", raw.id, str(e)) from e


def encode_reply(request_id: int | str | None, result: Any, us_in: int, us_out: int) -> bytes:
    """Write a result with the server's stamps in microseconds."""
    stamps = {"usIn": us_in, "usOut": us_out, "usDiff": us_out - us_in}
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": result, **stamps})


def encode_error(
    request_id: int | str | None, code: int, message: str, us_in: int, us_out: int, data: str = ""
) -> bytes:
    error: dict[str, Any] = {"code": code, "message": message}
    if data:
        error["data"] = data
    stamps = {"usIn": us_in, "usOut": us_out, "usDiff": us_out - us_in}
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error, **stamps})


def encode_notification(channel: str, data: Mapping[str, Any]) -> bytes:
    """Write channel data as JSON; the objects come from `wire_json`."""
    return orjson.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def order_result(order: Order, received_unix_ns: int) -> dict[str, Any]:
    """Return the result of order.create."""
    return {
        "order": order_json(order, in_reply=True),
        "created_at": order.created_unix_ns // 1_000_000,
        "received_at": received_unix_ns,
    }


def _optional_e8(what: str, text: str | None) -> int:
    return 0 if text in {None, "", "0"} else _positive_e8(what, text or "")


def _positive_e8(what: str, text: str) -> int:
    try:
        value_e8 = parse_e8(text)
    except ValueError as e:
        raise BadRequest(INVALID_PARAMS, f"{what}: {e}") from e
    if value_e8 <= 0:
        raise BadRequest(INVALID_PARAMS, f"{what} must be positive")
    return value_e8
