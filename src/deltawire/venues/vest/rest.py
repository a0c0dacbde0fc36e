"""Vest REST calls in both directions: for the adapter requests out and answers in, for the simulator the reverse.

Sans-I/O. A success is only: 2xx, JSON, no nonzero code, and the shape we rely on. Everything else is a VenueError (the
venue or its edge said no) or a DecodeError (a 2xx outside the contract). Source: Vest API v2 notes, sections 2, 6, 7.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import orjson

from deltawire.core.book import Level
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import signing, wire
from deltawire.venues.vest.formatting import exact
from deltawire.venues.vest.levels import LevelReader, WireBook
from deltawire.venues.vest.signing import Signer

T = TypeVar("T")

NETWORK_TYPE_EVM = 0
MSG_LENGTH_MAX = 200  # of the venue's words kept in an error: enough for a person, too short to flood a log
_OK = range(200, 300)


class VenueError(Exception):
    """The venue, or the edge before it, answered with an error. code is None where the body carries none."""

    def __init__(self, http_status: int, code: int | None, msg: str) -> None:
        super().__init__(f"vest answered http {http_status} code {code}: {msg}")
        self.http_status, self.code, self.msg = http_status, code, msg


@dataclass(frozen=True, slots=True)
class Access:
    """What goes into the headers: the account group and, after registration, the API key."""

    account_group: int = 0
    api_key: Secret | None = None

    def headers(self, *, private: bool, has_body: bool) -> dict[str, str]:
        found = {"xrestservermm": f"restserver{self.account_group}"}
        if private:
            if self.api_key is None:
                raise ValueError("a private call before registration: no API key yet")
            found["X-API-KEY"] = self.api_key.reveal()
        if has_body:
            found["Content-Type"] = "application/json"
        return found


@dataclass(frozen=True, slots=True, repr=False)
class RestRequest:
    """One call. path is below the base URL and without the query; headers and body hold secrets."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def target(self) -> str:
        """Return path and query, to put behind the base URL."""
        return f"{self.path}?{urlencode(self.query, safe=',')}" if self.query else self.path

    def header_lines(self) -> bytes:
        return header_lines(self.headers)

    def __repr__(self) -> str:
        return f"RestRequest({self.method} {self.path})"


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Write headers as complete HTTP/1.1 lines, each ending in CRLF. Values were checked for control characters."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


# --- requests -------------------------------------------------------------------------------------------------------


def get_exchange_info(access: Access, symbols: Iterable[str] = ()) -> RestRequest:
    return _public(access, "/exchangeInfo", symbols=",".join(symbols))


def get_ticker_latest(access: Access, symbols: Iterable[str] = ()) -> RestRequest:
    return _public(access, "/ticker/latest", symbols=",".join(symbols))


def get_depth(access: Access, symbol: str, limit: int = 20) -> RestRequest:
    return _public(access, "/depth", symbol=symbol, limit=limit)


def get_ticker_24hr(access: Access, symbols: Iterable[str] = ()) -> RestRequest:
    return _public(access, "/ticker/24hr", symbols=",".join(symbols))


def get_funding_history(
    access: Access,
    symbol: str,
    *,
    interval: str = "",
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
) -> RestRequest:
    return _history(access, "/funding/history", symbol, interval, start_ms, end_ms, limit)


def get_klines(
    access: Access,
    symbol: str,
    *,
    interval: str = "",
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
) -> RestRequest:
    """Ask for candles. Lately the venue was seen to ignore both times: build no backfill on it."""
    return _history(access, "/klines", symbol, interval, start_ms, end_ms, limit)


def get_trades(
    access: Access, symbol: str, *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    return _history(access, "/trades", symbol, "", start_ms, end_ms, limit)


def post_register(
    access: Access, primary: Signer, signing_address: str, verifying_contract: str, expiry_ms: int
) -> RestRequest:
    """Register a signing address with a fresh proof by the primary key. The group is 0 until the answer names it."""
    body = wire.Registration(
        signing_addr=signing_address.lower(),
        primary_addr=primary.address.lower(),
        signature=primary.prove(verifying_contract, signing_address, expiry_ms),
        expiry_time=expiry_ms,
        network_type=NETWORK_TYPE_EVM,
    )
    headers = access.headers(private=False, has_body=True)
    return RestRequest("POST", "/register", (), headers, msgspec.json.encode(body))


def listen_key(access: Access, method: str) -> RestRequest:
    """POST makes or returns the key, PUT extends it by an hour, DELETE ends it."""
    return RestRequest(method, "/account/listenKey", (), access.headers(private=True, has_body=False))


def get_account(access: Access, time_ms: int) -> RestRequest:
    return _private(access, "/account", time=time_ms)


def get_nonce(access: Access, time_ms: int) -> RestRequest:
    return _private(access, "/account/nonce", time=time_ms)


def get_orders(
    access: Access,
    time_ms: int,
    *,
    order_id: str = "",
    nonce: int | None = None,
    symbol: str = "",
    status: str = "",
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
) -> RestRequest:
    """Ask for orders. status is one value: a comma list is refused with 1130. Both times are of posting."""
    window = {"startTime": start_ms, "endTime": end_ms}
    return _private(
        access, "/orders", id=order_id, nonce=nonce, symbol=symbol, status=status, **window, limit=limit, time=time_ms
    )


def post_leverage(access: Access, time_ms: int, symbol: str, value: int) -> RestRequest:
    body = msgspec.json.encode(wire.LeverageChange(time_ms, symbol, value))
    return RestRequest("POST", "/account/leverage", (), access.headers(private=True, has_body=True), body)


def post_order(access: Access, order: wire.OrderFields, recv_window_ms: int, signer: Signer) -> RestRequest:
    body = order_body(order, recv_window_ms, signer.sign(signed_order_bytes(order)))
    return RestRequest("POST", "/orders", (), access.headers(private=True, has_body=True), body)


def post_cancel(access: Access, order: wire.CancelFields, recv_window_ms: int, signer: Signer) -> RestRequest:
    """Sign a cancel. time and nonce are repeated in the query: one live-used adapter got 422 without them there."""
    signature = signer.sign(signed_cancel_bytes(order))
    body = msgspec.json.encode(wire.CancelSubmit(order=order, signature=signature, recv_window=recv_window_ms))
    query = (("time", str(order.time)), ("nonce", str(order.nonce)))
    return RestRequest("POST", "/orders/cancel", query, access.headers(private=True, has_body=True), body)


def order_body(order: wire.OrderFields, recv_window_ms: int, signature: str) -> bytes:
    return msgspec.json.encode(wire.OrderSubmit(order=order, signature=signature, recv_window=recv_window_ms))


def signed_order_bytes(order: wire.OrderFields) -> bytes:
    """Lay out what an order's signature covers; flags and windows outside it are not protected."""
    return signing.encode_order(
        order.time,
        order.nonce,
        order.order_type,
        order.symbol,
        order.size,
        order.limit_price,
        is_buy=order.is_buy,
        reduce_only=order.reduce_only,
    )


def signed_cancel_bytes(order: wire.CancelFields) -> bytes:
    return signing.encode_cancel(order.time, order.nonce, order.id)


def _history(
    access: Access, path: str, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int | None
) -> RestRequest:
    return _public(access, path, symbol=symbol, interval=interval, startTime=start_ms, endTime=end_ms, limit=limit)


def _public(access: Access, path: str, **query: str | int | None) -> RestRequest:
    return RestRequest("GET", path, _pairs(query), access.headers(private=False, has_body=False))


def _private(access: Access, path: str, **query: str | int | None) -> RestRequest:
    return RestRequest("GET", path, _pairs(query), access.headers(private=True, has_body=False))


def _pairs(query: Mapping[str, str | int | None]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in query.items() if value is not None and value != "")


# --- answers --------------------------------------------------------------------------------------------------------


class _Envelope(msgspec.Struct):
    code: msgspec.Raw = msgspec.Raw(b"null")
    msg: msgspec.Raw = msgspec.Raw(b"null")
    detail: msgspec.Raw = msgspec.Raw(b"null")


_envelopes = msgspec.json.Decoder(_Envelope)
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


def read_answer(status: int, body: bytes, shape: type[T]) -> T:
    """Return a success in this shape. Raises VenueError for any error envelope, DecodeError for a broken contract."""
    raise_if_refused(status, body)
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        return decoder.decode(body)  # type: ignore[return-value]  # the decoder was made for this shape
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"http {status} body is not {_name(shape)}: {e}") from e


def raise_if_refused(status: int, body: bytes) -> None:
    """Raise VenueError for any error envelope, whatever its status; DecodeError for an object that is not JSON."""
    if status not in _OK:
        raise error_of(status, body)
    if body.lstrip()[:1] == b"{":
        _raise_if_error(status, body)


def read_done(status: int, body: bytes) -> None:
    """Read the answer of a call that returns nothing, such as DELETE of the listen key."""
    read_answer(status, body, dict)


def read_orders(status: int, body: bytes) -> list[wire.OrderRow]:
    return read_answer(status, body, list[wire.OrderRow])


def read_registered(status: int, body: bytes) -> wire.Registered:
    """Read the registration; a key that could not stand in a header is refused."""
    found = read_answer(status, body, wire.Registered)
    if not found.api_key or not found.api_key.isascii() or not found.api_key.isprintable():
        raise DecodeError("register answered with an apiKey that is empty or not printable")
    return found


def read_depth(status: int, body: bytes, reader: LevelReader) -> tuple[list[Level], list[Level]]:
    """Return (bids, asks) as (price_e8, size_e8), in the venue's order."""
    return reader.read(read_answer(status, body, WireBook))


def error_of(status: int, body: bytes) -> VenueError:
    """Read an error body in any of the venue's shapes. Never raises: what cannot be read has no code."""
    try:
        found = _envelopes.decode(body)
        code, msg = _code_and_msg(found)
    except (ValueError, RecursionError):
        code, msg = None, _plain_text(body)
    return VenueError(status, code, msg[:MSG_LENGTH_MAX])


def _raise_if_error(status: int, body: bytes) -> None:
    try:
        found = _envelopes.decode(body)
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"http {status} body is not JSON: {e}") from e
    if bytes(found.code) not in {b"null", b"0"} or bytes(found.detail) != b"null":
        raise error_of(status, body)


class _Detail(msgspec.Struct):
    code: int | str | None = None
    msg: str | None = None


class _Missing(msgspec.Struct):
    """One entry of a 422 list: a parameter that is missing or ill-typed."""

    loc: list[str | int]
    msg: str


def _code_and_msg(found: _Envelope) -> tuple[int | None, str]:
    detail = bytes(found.detail)
    if detail[:1] == b"{":
        inner = msgspec.json.decode(detail, type=_Detail)
        return _as_int(inner.code), inner.msg or ""
    if detail[:1] == b"[":
        entries = msgspec.json.decode(detail, type=list[_Missing])
        return None, f"{'.'.join(map(str, entries[0].loc))}: {entries[0].msg}" if entries else ""
    if detail[:1] == b'"':
        return None, msgspec.json.decode(detail, type=str)
    return _as_int(msgspec.json.decode(found.code, type=int | str | None)), msgspec.json.decode(
        found.msg, type=str | None
    ) or ""


def _as_int(code: int | str | None) -> int | None:
    if isinstance(code, str):
        return int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None
    return code


def _plain_text(body: bytes) -> str:
    """Keep a short plain answer ("Forbidden"); a page of HTML says nothing."""
    text = body[: MSG_LENGTH_MAX * 4].decode(errors="replace").strip()
    return "" if text.startswith("<") or not text.isprintable() else text


def _name(shape: object) -> str:
    return getattr(shape, "__name__", str(shape))


# --- the simulator's side -------------------------------------------------------------------------------------------


def read_body(body: bytes, shape: type[T]) -> T:
    """Read a client's request body. Raises DecodeError naming the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"request body is not {_name(shape)}: {e}") from e


def answer(message: object) -> bytes:
    """Write a success: any of the structs of wire.py, a list of them, or {}."""
    return msgspec.json.encode(message)


def depth_answer(bids: Iterable[Level], asks: Iterable[Level], price_decimals: int, size_decimals: int) -> bytes:
    def texts(levels: Iterable[Level]) -> list[tuple[str, str]]:
        return [(exact(price, price_decimals), exact(size, size_decimals)) for price, size in levels]

    return orjson.dumps({"bids": texts(bids), "asks": texts(asks)})


def error_answer(code: int, msg: str) -> bytes:
    """Write the plain error envelope; the same body comes with 200 and with 4xx."""
    return orjson.dumps({"code": code, "msg": msg})


def error_answer_nested(code: int, msg: str) -> bytes:
    return orjson.dumps({"detail": {"code": code, "msg": msg}})


def error_answer_422(where: Iterable[str], msg: str = "Field required", kind: str = "missing") -> bytes:
    """Write the envelope for a parameter that is missing or ill-typed."""
    return orjson.dumps({"detail": [{"type": kind, "loc": list(where), "msg": msg, "input": None}]})
