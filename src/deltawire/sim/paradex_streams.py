"""Channel data of the simulated Paradex: who is subscribed to what, and the SBE frames sent to them. Sans-I/O.

A frame is encoded once and handed to every subscriber synchronously, book before trade before private news. Stream
faults (drop_stream, silent_stream, gap, stale_book) strike here, at once when they are armed.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from deltawire.sim.faults import Fault, Faults
from deltawire.sim.paradex_accounts import Bust, SimFill
from deltawire.sim.paradex_book import BookUpdate
from deltawire.sim.paradex_channels import ALL, Channel
from deltawire.sim.paradex_events import bust_json, events_of
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_gateway import VENUE
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_paced import PacedBook
from deltawire.sim.paradex_rules import ParadexSimSettings
from deltawire.sim.paradex_settlement import PrivateEvent
from deltawire.sim.paradex_views import (
    bbo_record,
    delta_record,
    funding_record,
    private_record,
    snapshot_record,
    summary_record,
    trade_record,
)
from deltawire.venues.contract import Clock
from deltawire.venues.paradex import records, rpc, sbe, wire_json

PACE_MS = 50  # the finest interval of a paced book; `pace` is called this often
SILENCE_MS = 10_000  # of a silent_stream that names none
FOR_EVER_MS = 10**12
MARKET_WRITES_MAX = 50_000  # remembered for the reaction figures: some minutes of a busy market


class Subscriber(Protocol):
    """One connection, as the streams see it."""

    @property
    def account(self) -> int:
        """Return the account's address, 0 before it has signed in."""

    @property
    def sbe_version(self) -> int:
        """Return the schema version negotiated at its connect, 0 to 3: every frame sent to it has that layout."""

    def links(self) -> frozenset[str]:
        """Return what the connection is used for: "market data", "orders", "private"."""

    def send_frame(self, frame: bytes) -> None: ...
    def send_json(self, payload: bytes) -> None: ...
    def tend(self) -> None:
        """Do what is due on a connection that nothing else happens on."""

    def fall_silent(self, for_ms: int) -> None: ...
    def drop(self) -> None: ...


class Streams:
    """Every subscription. The exchange publishes here; connections subscribe here."""

    def __init__(self, clock: Clock, settings: ParadexSimSettings, faults: Faults) -> None:
        self._clock = clock
        self._settings = settings
        self._faults = faults
        self._exchange: ParadexExchange | None = None
        self._by_kind: dict[str, list[tuple[Channel, Subscriber]]] = {}
        self._paced: dict[str, PacedBook] = {}  # by channel name
        self._paces = 0
        self._gaps: Counter[str] = Counter()  # base, or "" for any -> deltas still to lose
        self._stale_until_mono_ns: dict[str, int] = {}  # base, or "" for all
        self.connections: list[Subscriber] = []
        self.market_written_mono_ns: dict[str, int] = {}  # by market: the newest bbo or book frame sent to anyone
        self.market_writes: deque[tuple[str, int]] = deque(maxlen=MARKET_WRITES_MAX)  # all of them: market, mono ns
        self.deltas_lost = 0
        faults.listen(VENUE, self._on_armed)

    def bind(self, exchange: ParadexExchange) -> None:
        """Name the exchange whose books are shown; the two know each other, so one comes after."""
        self._exchange = exchange

    def subscribe(self, channel: Channel, subscriber: Subscriber) -> None:
        """Add the subscription and send what its channel begins with."""
        others = self._by_kind.setdefault(channel.kind, [])
        is_first = all(other.name != channel.name for other, _ in others)
        others.append((channel, subscriber))
        now_unix_ns = self._clock.unix_ns()
        if channel.kind == "book":
            book = self._market(channel.market).book
            self._send_market(channel.market, subscriber, _Frames(snapshot_record(book, now_unix_ns)))
        elif channel.kind == "paced_book":
            if is_first:
                self._paced[channel.name] = PacedBook(self._market(channel.market).book, channel)
            first = self._paced[channel.name].first(now_unix_ns)
            self._send_market(channel.market, subscriber, _Frames(first))

    def unsubscribe(self, name: str, subscriber: Subscriber) -> None:
        for subscriptions in self._by_kind.values():
            subscriptions[:] = [(c, s) for c, s in subscriptions if s is not subscriber or c.name != name]

    def rescope(self, channel: Channel, subscriber: Subscriber) -> None:
        """Put a channel of other scope in the place of the subscriber's own of that name."""
        for subscriptions in self._by_kind.values():
            subscriptions[:] = [
                (channel if s is subscriber and c.name == channel.name else c, s) for c, s in subscriptions
            ]

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a connection that is gone."""
        self.connections.remove(subscriber)
        for subscriptions in self._by_kind.values():
            subscriptions[:] = [(c, s) for c, s in subscriptions if s is not subscriber]

    def tend(self) -> None:
        """Look after every connection. For a timer of a second."""
        for connection in list(self.connections):
            connection.tend()

    def drop_all(self) -> None:
        """End every connection, without a close frame."""
        for connection in list(self.connections):
            connection.drop()

    def publish_book(self, update: BookUpdate) -> None:
        """Send one step of a book: best price first, then the delta, then the trade."""
        market, now_unix_ns = update.symbol, self._clock.unix_ns()
        if update.best_changed:
            book = self._market(market).book
            self._send_all("bbo", market, lambda: bbo_record(book, now_unix_ns))
        if not self._lose_delta(market):
            self._send_all("book", market, lambda: delta_record(update, now_unix_ns))
        trade = update.trade
        if trade is not None:
            self._send_all("trades", market, lambda: trade_record(market, trade, now_unix_ns))

    def publish_private(self, events: Sequence[PrivateEvent]) -> None:
        """Send an account's news to its own connections, in the order given."""
        now_unix_ns = self._clock.unix_ns()
        for event in events:
            if isinstance(event, SimFill):
                self._faults.saw(VENUE, "fill")
                for kind, data in events_of(event):
                    self._publish_json(kind, event.account, event.symbol, data)
            kind, market, record = private_record(event, now_unix_ns)
            frames = _Frames(record)
            for channel, subscriber in list(self._by_kind.get(kind, ())):
                if subscriber.account == event.account and (not market or channel.covers(market)):
                    if self._settings.private_as_json:
                        subscriber.send_json(rpc.encode_notification(channel.name, _json_of(record)))
                    else:
                        subscriber.send_frame(frames.of(subscriber.sbe_version))

    def publish_bust(self, bust: Bust) -> None:
        """Send a bust to its account."""
        self._publish_json("tradebusts", bust.account, ALL, bust_json(bust))

    def _publish_json(self, kind: str, account: int, market: str, data: dict[str, Any]) -> None:
        """Send an account's news by a channel without an SBE form."""
        for channel, subscriber in list(self._by_kind.get(kind, ())):
            if subscriber.account == account and channel.covers(market):
                subscriber.send_json(rpc.encode_notification(channel.name, data))

    def pace(self) -> None:
        """Send the paced books that are due. For a timer of PACE_MS."""
        self._paces += 1
        now_unix_ns = self._clock.unix_ns()
        due: dict[str, list[Subscriber]] = {}
        for channel, subscriber in self._by_kind.get("paced_book", ()):
            if not self._is_stale(channel.market) and self._paces * PACE_MS % channel.interval_ms == 0:
                due.setdefault(channel.name, []).append(subscriber)
        for name, subscribers in due.items():
            record = self._paced[name].next(now_unix_ns)
            if record is not None:
                frames = _Frames(record)
                for subscriber in subscribers:
                    self._send_market(record.market, subscriber, frames)

    def publish_second(self) -> None:
        """Send summaries and funding of every market. For a timer of about a second."""
        assert self._exchange is not None
        now_unix_ns = self._clock.unix_ns()
        for symbol, market in self._exchange.markets.items():
            summary, funding = summary_record(market, now_unix_ns), funding_record(market, now_unix_ns)
            for kind, record in (("markets_summary", summary), ("funding_data", funding)):
                for channel, subscriber in list(self._by_kind.get(kind, ())):
                    if channel.covers(symbol):
                        subscriber.send_frame(sbe.encode(record, subscriber.sbe_version))

    def _send_all(self, kind: str, market: str, make: Callable[[], records.Record]) -> None:
        frames: _Frames | None = None
        for channel, subscriber in list(self._by_kind.get(kind, ())):
            if channel.covers(market):
                frames = frames or _Frames(make())
                self._send_market(market, subscriber, frames)

    def _send_market(self, market: str, subscriber: Subscriber, frames: "_Frames") -> None:
        frame = frames.of(subscriber.sbe_version)
        # Stamped before the write: what the socket takes counts for the client's reaction, never against the truth.
        written_mono_ns = self._clock.mono_ns()
        self.market_written_mono_ns[market] = written_mono_ns
        self.market_writes.append((market, written_mono_ns))
        subscriber.send_frame(frame)

    def _market(self, symbol: str) -> SimMarket:
        assert self._exchange is not None
        return self._exchange.markets[symbol]

    # Faults

    def _is_stale(self, market: str) -> bool:
        bases, now_mono_ns = (self._market(market).rules.base, ""), self._clock.mono_ns()
        return any(now_mono_ns < self._stale_until_mono_ns.get(base, 0) for base in bases)

    def _lose_delta(self, market: str) -> bool:
        if self._stale_until_mono_ns and self._is_stale(market):
            self.deltas_lost += 1
            return True
        for base in (self._market(market).rules.base, ""):
            if self._gaps[base] > 0:
                self._gaps[base] -= 1
                self.deltas_lost += 1
                return True
        return False

    def _on_armed(self, fault: Fault) -> None:
        """Carry out a stream fault the moment it is armed; with no such connection open it stays armed, visibly."""
        at_once = {
            "gap": self._gap,
            "stale_book": self._stale,
            "drop_stream": self._drop,
            "silent_stream": self._silence,
        }
        strike = at_once.get(fault.kind)
        needs_connection = fault.kind in {"drop_stream", "silent_stream"}
        if strike is None or (needs_connection and not self._linked(fault)):
            return
        while self._faults.take(VENUE, fault.kind, lambda armed: armed is fault) is not None:
            strike(fault)

    def _drop(self, fault: Fault) -> None:
        for connection in self._linked(fault):
            connection.drop()

    def _silence(self, fault: Fault) -> None:
        for connection in self._linked(fault):
            connection.fall_silent(fault.params.get("ms", SILENCE_MS))

    def _gap(self, fault: Fault) -> None:
        self._gaps[fault.params.get("base", "")] += 1

    def _stale(self, fault: Fault) -> None:
        until_mono_ns = self._clock.mono_ns() + fault.params.get("ms", FOR_EVER_MS) * 1_000_000
        self._stale_until_mono_ns[fault.params.get("base", "")] = until_mono_ns

    def _linked(self, fault: Fault) -> list[Subscriber]:
        link = fault.params.get("link", "")
        return [connection for connection in self.connections if not link or link in connection.links()]


class _Frames:
    """One record as a frame, written once for each schema version asked for."""

    def __init__(self, record: records.Record) -> None:
        self._record = record
        self._by_version: dict[int, bytes] = {}

    def of(self, version: int) -> bytes:
        frame = self._by_version.get(version)
        if frame is None:
            frame = self._by_version[version] = sbe.encode(self._record, version)
        return frame


def _json_of(record: records.Record) -> dict[str, object]:
    if isinstance(record, records.Order):
        return wire_json.order_json(record)
    if isinstance(record, records.Fill):
        return wire_json.fill_json(record)
    if isinstance(record, records.Position):
        return wire_json.position_json(record)
    assert isinstance(record, records.Account)
    return wire_json.account_json(record)
