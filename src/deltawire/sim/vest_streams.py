"""The simulated Vest's WebSocket side without sockets: who listens to what, and the frames they get.

One kind of socket for public and private channels; a listen key in the URL opens account_private. Source: Vest API v2
notes, section 8. When 4003 is sent is our reading: an empty listenKey, or account_private asked for without one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from deltawire.core.book import Level
from deltawire.sim import vest_refusal as no
from deltawire.sim import vest_views as views
from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.vest_accounts import Account
from deltawire.sim.vest_candles import INTERVALS_MS
from deltawire.sim.vest_dice import VENUE
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_pool import HousePool
from deltawire.venues.contract import Clock, DecodeError
from deltawire.venues.vest import wire, ws

MARKET_DATA, PRIVATE = "market data", "private"  # links, as faults name them
_VERSION = "1.0"
_MS_NS = 10**6


class Connection(Protocol):
    """One accepted socket."""

    def send_text(self, payload: bytes) -> None: ...
    def close(self, code: int) -> None:
        """Send a close frame and end."""

    def abort(self) -> None:
        """Drop without a close frame."""


@dataclass(slots=True, eq=False, repr=False)
class Stream:
    connection: Connection
    account: Account | None  # None without a listen key
    listen_key: str
    channels: dict[str, None] = field(default_factory=dict)
    silent_until_mono_ns: int = 0

    @property
    def link(self) -> str:
        return MARKET_DATA if self.account is None else PRIVATE


class StreamHub:
    """All open streams; the sink of the exchange. `start` begins the tickers and listens for stream faults."""

    def __init__(
        self, exchange: VestExchange, *, clock: Clock, call_later: CallLater, rng: Random, faults: Faults
    ) -> None:
        self._exchange, self._clock, self._call_later, self._rng = exchange, clock, call_later, rng
        self._faults = faults
        self._streams: dict[Stream, None] = {}
        self._running = False
        exchange.sink = self
        faults.listen(VENUE, self._on_fault)

    def start(self) -> None:
        self._running = True
        self._send_tickers()

    def stop(self) -> None:
        """Close every stream as a restarting venue does."""
        self._running = False
        for stream in list(self._streams):
            self._close(stream, ws.CLOSE_RESTART)

    def links(self) -> list[str]:
        """Return the open streams' links, oldest first."""
        return [stream.link for stream in self._streams]

    # --- connections ---

    def open(self, query: Mapping[str, str], connection: Connection) -> Stream | None:
        """Accept a socket by its URL's query, or close it with the venue's code and return None."""
        self._faults.saw(VENUE, "connection")
        self._exchange.counters["streams_opened"] += 1
        self._exchange.counters["private_calls"] += "listenKey" in query
        code, account = self._admit(query)
        if code:
            connection.close(code)
            return None
        stream = Stream(connection, account, query.get("listenKey", ""))
        self._streams[stream] = None
        if account is not None:
            self._watch_listen_key(stream)
        return stream

    def closed(self, stream: Stream) -> None:
        """Forget a stream whose socket is gone."""
        self._streams.pop(stream, None)

    def on_text(self, stream: Stream, payload: bytes | memoryview) -> None:
        """Serve one command. What is no command gets an error frame; an unknown channel is acknowledged and silent."""
        try:
            command = ws.read_command(payload)
        except DecodeError:
            self._send(stream, ws.error_frame(no.INVALID_PARAMETER, "not a command"))
            return
        if command.method == ws.PING:
            self._send(stream, ws.pong())
        elif command.method == ws.UNSUBSCRIBE:
            for channel in command.params:
                stream.channels.pop(channel, None)
            self._send(stream, ws.subscribe_ack(command.id))
        elif command.method != ws.SUBSCRIBE:
            self._send(stream, ws.error_frame(no.INVALID_PARAMETER, "unknown method"))
        elif ws.ACCOUNT_PRIVATE in command.params and stream.account is None:
            self._close(stream, ws.CLOSE_LISTEN_KEY_REQUIRED)
        else:
            stream.channels.update(dict.fromkeys(command.params))
            self._send(stream, ws.subscribe_ack(command.id))

    def listen_keys_expired(self) -> None:
        """Look after every private stream now, instead of when its key was to run out."""
        for stream in list(self._streams):
            if stream.account is not None and self._exchange.accounts.listener(stream.listen_key) is None:
                self._close(stream, ws.CLOSE_LISTEN_KEY_EXPIRED)

    def listen_key_closed(self, listen_key: str) -> None:
        for stream in list(self._streams):
            if stream.listen_key == listen_key:
                self._close(stream, ws.CLOSE_LISTEN_KEY_NOT_FOUND)

    # --- the exchange's sink ---

    def on_picture(self, pool: HousePool) -> None:
        """Send the full picture, now and then with its levels out of order."""
        channel = ws.depth_channel(pool.rules.symbol)
        listeners = self._listeners(channel)
        if not listeners:
            return
        bids: list[Level] = list(pool.picture.bids)
        asks: list[Level] = list(pool.picture.asks)
        if self._rng.random() < self._exchange.settings.unsorted_share:
            self._rng.shuffle(bids)
            self._rng.shuffle(asks)
        rules = pool.rules
        frame = ws.depth(rules.symbol, bids, asks, rules.price_decimals, rules.size_decimals)
        for stream in listeners:
            self._send(stream, frame)

    def on_trade(self, symbol: str, trade: wire.Trade) -> None:
        frame = ws.trade(symbol, trade)
        for stream in self._listeners(ws.trades_channel(symbol)):
            self._send(stream, frame)

    def on_order_event(self, account: Account, event: wire.OrderEvent) -> None:
        frame = ws.private_event(event)
        for stream in self._listeners(ws.ACCOUNT_PRIVATE):
            if stream.account is account:
                self._send(stream, frame)

    # --- inside ---

    def _admit(self, query: Mapping[str, str]) -> tuple[int, Account | None]:
        """Return (0, account) for a good URL, (close code, None) for a bad one."""
        group = re.fullmatch(r"restserver([0-9]{1,4})", _group_text(query), re.ASCII)
        if query.get("version") != _VERSION:
            return ws.CLOSE_VERSION, None
        if group is None:
            return ws.CLOSE_GROUP_INVALID, None
        if int(group[1]) >= self._exchange.settings.groups:
            return ws.CLOSE_GROUP_NOT_FOUND, None
        if "listenKey" not in query:
            return 0, None
        return self._admit_private(query["listenKey"], int(group[1]))

    def _admit_private(self, listen_key: str, group: int) -> tuple[int, Account | None]:
        if not listen_key:
            return ws.CLOSE_LISTEN_KEY_REQUIRED, None
        account = self._exchange.accounts.listener(listen_key)
        if account is None:
            expired = self._exchange.accounts.listen_key_expired(listen_key)
            return ws.CLOSE_LISTEN_KEY_EXPIRED if expired else ws.CLOSE_LISTEN_KEY_NOT_FOUND, None
        if account.group != group:
            return ws.CLOSE_GROUP_INVALID, None
        return 0, account

    def _watch_listen_key(self, stream: Stream) -> None:
        """Look again when the key would run out; close with 4005 if nobody renewed it."""
        account = stream.account
        if account is None or stream not in self._streams:
            return
        if self._exchange.accounts.listener(stream.listen_key) is None:
            self._close(stream, ws.CLOSE_LISTEN_KEY_EXPIRED)
            return
        left_ms = account.listen_key_expiry_ms - self._exchange.now_ms()
        self._call_later(max(left_ms, 1) / 1000, lambda: self._watch_listen_key(stream))

    def _send_tickers(self) -> None:
        if not self._running:
            return
        listeners = self._listeners(ws.TICKERS)
        if listeners:
            for pool in self._exchange.pools.values():
                self._exchange.accrue(pool)
            frame = ws.tickers([views.ticker(pool, with_change=True) for pool in self._exchange.pools.values()])
            for stream in listeners:
                self._send(stream, frame)
        self._send_klines()
        self._call_later(self._exchange.settings.ticker_interval_ms / 1000, self._send_tickers)

    def _send_klines(self) -> None:
        """Send the candle under way to whoever asked for it; a channel of no market or interval is silent."""
        wanted = {channel for stream in self._streams for channel in stream.channels}
        for symbol, pool in self._exchange.pools.items():
            for interval, interval_ms in INTERVALS_MS.items():
                channel = ws.kline_channel(symbol, interval)
                candle = self._exchange.candles[symbol].current(interval_ms) if channel in wanted else None
                if candle is not None:
                    frame = ws.kline(symbol, interval, views.kline(pool, candle, interval_ms))
                    for stream in self._listeners(channel):
                        self._send(stream, frame)

    def _listeners(self, channel: str) -> list[Stream]:
        return [stream for stream in self._streams if channel in stream.channels]

    def _send(self, stream: Stream, frame: bytes) -> None:
        if self._clock.mono_ns() >= stream.silent_until_mono_ns:
            stream.connection.send_text(frame)

    def _close(self, stream: Stream, code: int) -> None:
        self.closed(stream)
        stream.connection.close(code)

    def _on_fault(self, fault: Fault) -> None:
        """Carry out a stream fault the moment it is armed; with no such stream open it stays armed, visibly."""
        if fault.kind not in {"drop_stream", "silent_stream", "restart"}:
            return
        struck = [stream for stream in self._streams if fault.params.get("link", "") in {"", stream.link}]
        if not struck or self._faults.take(VENUE, fault.kind, lambda armed: armed is fault) is None:
            return
        silent_until_mono_ns = self._clock.mono_ns() + fault.params.get("ms", _FOR_EVER_MS) * _MS_NS
        for stream in struck:
            if fault.kind == "silent_stream":
                stream.silent_until_mono_ns = silent_until_mono_ns
            elif fault.kind == "restart":
                self._close(stream, ws.CLOSE_RESTART)
            else:
                self.closed(stream)
                stream.connection.abort()


_FOR_EVER_MS = 10**12


def _group_text(query: Mapping[str, str]) -> str:
    # The documents' own example writes it without the x; both are taken.
    return query.get("xwebsocketserver") or query.get("websocketserver", "")
