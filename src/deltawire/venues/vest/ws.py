"""Vest WebSocket frames, both directions: market data and the private account stream. Sans-I/O.

There is no order entry on the socket. A frame that is JSON but not understood is Unknown (count, log, go on); one that
is not JSON, or a known channel in a wrong shape, is a DecodeError. Source: Vest API v2 notes, section 8.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import orjson

from deltawire.core.book import Level
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import wire
from deltawire.venues.vest.formatting import exact
from deltawire.venues.vest.levels import LevelReader, LooseBook, WireBook

T = TypeVar("T")

# Close codes of the venue. 4001, 4002 and 4004 are also LP codes: not these.
CLOSE_INTERNAL = 1011
CLOSE_RESTART = 1012
CLOSE_VERSION = 4000
CLOSE_GROUP_NOT_FOUND = 4001
CLOSE_GROUP_INVALID = 4002
CLOSE_LISTEN_KEY_REQUIRED = 4003
CLOSE_LISTEN_KEY_NOT_FOUND = 4004
CLOSE_LISTEN_KEY_EXPIRED = 4005
# A fault of our configuration: trying again cannot help.
CLOSE_FATAL = frozenset({CLOSE_VERSION, CLOSE_GROUP_NOT_FOUND, CLOSE_GROUP_INVALID, CLOSE_LISTEN_KEY_REQUIRED})
# Of these, what a new registration may mend: the account has moved to another group.
CLOSE_GROUP = frozenset({CLOSE_GROUP_NOT_FOUND, CLOSE_GROUP_INVALID})
CLOSE_NEEDS_NEW_KEY = frozenset({CLOSE_LISTEN_KEY_NOT_FOUND, CLOSE_LISTEN_KEY_EXPIRED})

ACCOUNT_PRIVATE = "account_private"
TICKERS = "tickers"
PING, SUBSCRIBE, UNSUBSCRIBE = "PING", "SUBSCRIBE", "UNSUBSCRIBE"
_VERSION = "1.0"
_KLINE = "kline_"


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to PING. Any frame is a sign of life, not only this one."""


@dataclass(frozen=True, slots=True)
class SubscribeAck:
    id: int


@dataclass(frozen=True, slots=True)
class Depth:
    """A full replacement of one book. Levels as (price_e8, size_e8) in the venue's order, unsorted, zeros included."""

    symbol: str
    bids: list[Level]
    asks: list[Level]


@dataclass(frozen=True, slots=True)
class TickersSeen:
    items: list[wire.Ticker]


@dataclass(frozen=True, slots=True)
class TradesSeen:
    symbol: str
    items: list[wire.Trade]


@dataclass(frozen=True, slots=True)
class KlineSeen:
    symbol: str
    interval: str
    item: wire.Kline


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    code: int
    msg: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Well-formed and not understood. what: a short name for the log, never content."""

    what: str


Frame = (
    Pong
    | SubscribeAck
    | Depth
    | TickersSeen
    | TradesSeen
    | KlineSeen
    | wire.OrderEvent
    | wire.LpEvent
    | wire.TransferEvent
    | ErrorFrame
    | Unknown
)


def depth_channel(symbol: str) -> str:
    return f"{symbol}@depth"


def trades_channel(symbol: str) -> str:
    return f"{symbol}@trades"


def kline_channel(symbol: str, interval: str) -> str:
    return f"{symbol}@{_KLINE}{interval}"


def socket_url(base_url: str, account_group: int, listen_key: Secret | None = None) -> str:
    """Return the URL to connect to; with a listen key it is the private stream, and the URL is a secret.

    The documents write the base with its `?version=1.0`; a query there is replaced by ours.
    """
    query = {"version": _VERSION, "xwebsocketserver": f"restserver{account_group}"}
    if listen_key is not None:
        query["listenKey"] = listen_key.reveal()
    return f"{base_url.partition('?')[0]}?{urlencode(query)}"


# --- the client's side ----------------------------------------------------------------------------------------------


class _Envelope(msgspec.Struct):
    channel: str | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: int | None = None
    code: int | None = None
    msg: str | None = None


class _DepthFrame(msgspec.Struct):
    channel: str
    data: WireBook


class _PrivateEvent(msgspec.Struct):
    event: str
    args: msgspec.Raw


_envelopes = msgspec.json.Decoder(_Envelope)
_depth_frames = msgspec.json.Decoder(_DepthFrame)
_books = msgspec.json.Decoder(WireBook)
_loose_books = msgspec.json.Decoder(LooseBook)
_tickers = msgspec.json.Decoder(list[wire.Ticker])
_trades = msgspec.json.Decoder(wire.Trade | list[wire.Trade])
_klines = msgspec.json.Decoder(wire.Kline)
_private_events = msgspec.json.Decoder(_PrivateEvent)
_order_events = msgspec.json.Decoder(wire.OrderEvent)
_lp_events = msgspec.json.Decoder(wire.LpEvent)
_transfer_events = msgspec.json.Decoder(wire.TransferEvent)


_DEPTH = "@depth"
_DEPTH_MARK = b'@depth"'
_MARK_WITHIN = 48  # the venue writes the channel first, and no symbol is longer than its 30 characters


class FrameReader:
    """Decodes the frames of one socket. Keeps no view of the payload."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels = LevelReader()

    def read(self, payload: bytes | memoryview) -> Frame:
        """Decode one text frame. Raises DecodeError, and nothing else, for what breaks the contract."""
        if _DEPTH_MARK in bytes(payload[:_MARK_WITHIN]):
            found = self._plain_depth(payload)
            if found is not None:
                return found
        try:
            envelope = _envelopes.decode(payload)
        except msgspec.ValidationError:
            return Unknown("not a frame")
        except (ValueError, RecursionError) as e:
            raise DecodeError(f"not JSON: {e}") from e
        if envelope.channel is None:
            return _without_channel(envelope)
        if envelope.data is msgspec.UNSET:
            return Unknown("channel without data")
        return self._in_channel(envelope.channel, envelope.data)

    def _in_channel(self, channel: str, data: msgspec.Raw) -> Frame:
        symbol, at, kind = channel.rpartition("@")
        if at and kind == "depth":
            return self._depth(symbol, data)
        if channel == ACCOUNT_PRIVATE:
            return _private_event(data)
        if at and kind == "trades":
            found = _decode(_trades, data, channel)
            return TradesSeen(symbol, found if isinstance(found, list) else [found])
        if at and kind.startswith(_KLINE):
            return KlineSeen(symbol, kind.removeprefix(_KLINE), _decode(_klines, data, channel))
        if channel == TICKERS:
            return TickersSeen(_decode(_tickers, data, channel))
        return Unknown("channel")

    def _plain_depth(self, payload: bytes | memoryview) -> Depth | None:
        """Decode a depth picture of the promised shape in one pass; None: it has another, read it the long way."""
        try:
            frame = _depth_frames.decode(payload)
        except (ValueError, RecursionError):
            return None
        if not frame.channel.endswith(_DEPTH):
            return None
        return Depth(frame.channel[: -len(_DEPTH)], *self._levels.read(frame.data))

    def _depth(self, symbol: str, data: msgspec.Raw) -> Depth:
        try:
            book = _books.decode(data)
        except msgspec.ValidationError:  # perhaps JSON numbers: not promised, but seen in other venues' moods
            loose = _decode(_loose_books, data, "depth")
            return Depth(symbol, *self._levels.read_loose(loose))
        except (ValueError, RecursionError) as e:
            raise DecodeError(f"depth: {e}") from e
        return Depth(symbol, *self._levels.read(book))


def ping(command_id: int) -> bytes:
    return _command(PING, [], command_id)


def subscribe(channels: Sequence[str], command_id: int) -> bytes:
    """Write a subscription. Crypto and shares belong in separate requests: mixed, one reader saw all depth stop."""
    return _command(SUBSCRIBE, channels, command_id)


def unsubscribe(channels: Sequence[str], command_id: int) -> bytes:
    return _command(UNSUBSCRIBE, channels, command_id)


def _command(method: str, params: Sequence[str], command_id: int) -> bytes:
    return orjson.dumps({"method": method, "params": list(params), "id": command_id})


def _without_channel(envelope: _Envelope) -> Frame:
    if envelope.data is not msgspec.UNSET and bytes(envelope.data) == b'"PONG"':
        return Pong()
    if envelope.code:
        return ErrorFrame(envelope.code, envelope.msg or "")
    if envelope.id is not None and envelope.data is msgspec.UNSET:
        return SubscribeAck(envelope.id)
    return Unknown("no channel")


def _private_event(data: msgspec.Raw) -> Frame:
    found = _decode(_private_events, data, ACCOUNT_PRIVATE)
    match found.event:
        case "ORDER":
            return _decode(_order_events, found.args, "ORDER")
        case "LP":
            return _decode(_lp_events, found.args, "LP")
        case "TRANSFER":
            return _decode(_transfer_events, found.args, "TRANSFER")
        case _:
            return Unknown("private event")


def _decode(decoder: msgspec.json.Decoder[T], data: msgspec.Raw, what: str) -> T:
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"{what}: {e}") from e


# --- the simulator's side -------------------------------------------------------------------------------------------

_commands = msgspec.json.Decoder(wire.Command)


def read_command(payload: bytes | memoryview) -> wire.Command:
    """Decode what a client sent. Raises DecodeError."""
    try:
        return _commands.decode(payload)
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"not a command: {e}") from e


def pong() -> bytes:
    return b'{"data":"PONG"}'


def subscribe_ack(command_id: int) -> bytes:
    return orjson.dumps({"result": None, "id": command_id})


def error_frame(code: int, msg: str) -> bytes:
    return orjson.dumps({"code": code, "msg": msg})


def depth(symbol: str, bids: Iterable[Level], asks: Iterable[Level], price_decimals: int, size_decimals: int) -> bytes:
    """Write a full picture of one book."""

    def texts(levels: Iterable[Level]) -> list[tuple[str, str]]:
        return [(exact(price, price_decimals), exact(size, size_decimals)) for price, size in levels]

    return orjson.dumps({"channel": depth_channel(symbol), "data": {"bids": texts(bids), "asks": texts(asks)}})


def tickers(items: Sequence[wire.Ticker]) -> bytes:
    return msgspec.json.encode({"channel": TICKERS, "data": items})


def trade(symbol: str, item: wire.Trade) -> bytes:
    return msgspec.json.encode({"channel": trades_channel(symbol), "data": item})


def kline(symbol: str, interval: str, item: wire.Kline) -> bytes:
    """Write one candle as the channel does, its count as text."""
    as_sent = msgspec.structs.replace(item, trades=str(item.trades))
    return msgspec.json.encode({"channel": kline_channel(symbol, interval), "data": as_sent})


def private_event(event: wire.OrderEvent | wire.LpEvent | wire.TransferEvent) -> bytes:
    """Write one event of account_private."""
    name = {wire.OrderEvent: "ORDER", wire.LpEvent: "LP", wire.TransferEvent: "TRANSFER"}[type(event)]
    return msgspec.json.encode({"channel": ACCOUNT_PRIVATE, "data": {"event": name, "args": event}})
