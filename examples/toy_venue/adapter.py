"""The toy venue's adapter: venues.contract.Venue over one WebSocket that carries books, orders and questions.

The smallest honest adapter: what is lost is said to be lost, what is in doubt is read, nothing is sent twice. It leaves
out what this venue lacks: REST, tokens, resting orders. docs/adding-a-venue.md walks through it.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from examples.toy_venue import wire

from deltawire.core.book import Book
from deltawire.core.secret import Secret
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, VenueOrderId
from deltawire.net.api import Network
from deltawire.net.backoff import Backoff
from deltawire.venues import contract
from deltawire.venues.contract import Clock, EventLog
from deltawire.venues.kit import InFlight, KeptSocket, NumberedOrders, Questions

NAME = "toy"
LINKS = (contract.ORDERS, contract.MARKET_DATA)  # one socket is both here


@dataclass(frozen=True, slots=True)
class ToySettings:
    url: str
    key: str
    secret: Secret
    symbols: tuple[str, ...]
    recv_window_ms: int = 5_000
    reply_timeout_s: float = 2.0  # an immediate order without an end for this long is in doubt
    reconnect_floor_s: float = 0.25


class ToyVenue(NumberedOrders):
    name = NAME

    def __init__(self, settings: ToySettings, *, network: Network, clock: Clock, log: EventLog, rng: Random) -> None:
        self.capabilities = contract.Capabilities(
            sees_client_id=True,
            cancels_by_client_id=True,
            cancels_on_disconnect=False,
            venue_stamps_books=True,
            fills_partially=True,
            reports_each_fill=True,
            recv_window_ms=settings.recv_window_ms,
        )
        self._settings, self.clock = settings, clock
        backoff = Backoff(settings.reconnect_floor_s, 10.0, rng=rng)
        self._socket = KeptSocket(settings.url, self, network=network, clock=clock, log=log, backoff=backoff)
        self._questions = Questions(settings.reply_timeout_s)
        self._books = {symbol: Book(NAME, symbol) for symbol in settings.symbols}
        self._instruments: dict[str, Instrument] = {}
        self._welcomed = asyncio.Event()

    @property
    def ready(self) -> bool:
        return self._socket.is_up

    def trades(self, symbol: str) -> bool:
        return symbol in self._books

    def entry_block(self, symbol: str) -> str:
        return "" if self.trades(symbol) else "not traded here"

    async def start(self, sink: contract.VenueSink) -> None:
        self._sink = sink
        self._flight = InFlight(self._socket, self._settings.reply_timeout_s, self.clock, sink.on_order)
        await self._socket.start()

    async def close(self) -> None:
        await self._socket.close()

    # The connection: kit.SocketOwner.

    async def sign_in(self) -> None:
        self._welcomed.clear()
        self._socket.send(wire.signed(self._settings.secret, "hello", self._settings.key, self.next_ms()))
        async with asyncio.timeout(self._settings.reply_timeout_s):
            await self._welcomed.wait()
        if missing := self._books.keys() - self._instruments.keys():
            raise contract.Refused(NAME, "hello", f"no welcome with rules for {sorted(missing)}")
        for symbol in self._books:
            self._socket.send(wire.write("watch", symbol))

    def on_up(self) -> None:
        for link in LINKS:
            self._sink.on_link(NAME, link, up=True, detail="signed in")

    def on_down(self, detail: str, *, was_up: bool) -> None:
        self._welcomed.set()  # whoever waits for it is to see the loss
        for book in self._books.values():
            self._invalidate(book, detail, self.clock.mono_ns())
        for link in LINKS if was_up else ():
            self._sink.on_link(NAME, link, up=False, detail=detail)
        self._questions.fail_all(detail)
        self._flight.doubt_all(detail)

    def on_message(self, payload: memoryview, received_mono_ns: int) -> None:
        match wire.read(payload):
            case ["book" | "delta" as kind, str(symbol), int(seq), int(time_ms), list(bids), list(asks)]:
                book = self._books[symbol]
                book.received_mono_ns, book.venue_unix_ns = received_mono_ns, time_ms * 1_000_000
                self._on_levels(book, kind, seq, wire.levels(bids), wire.levels(asks))
            case ["answer", int(number), answer]:
                self._questions.answer(number, answer)
            case ["welcome", *markets]:
                for symbol, tick_e8, step_e8, rate_e8 in markets:
                    self._instruments[symbol] = Instrument(NAME, symbol, tick_e8, step_e8, step_e8, 0, 0, rate_e8)
                self._welcomed.set()
            case [_, str(client_id), *_] as message:
                self._flight.learn(ClientOrderId(client_id), wire.order_event(message), received_mono_ns)
            case message:
                raise contract.DecodeError(f"unknown message: {str(message)[:60]}")

    def instrument(self, symbol: str) -> Instrument:
        return self._instruments[symbol]

    def book(self, symbol: str) -> Book:
        return self._books[symbol]

    def _on_levels(self, book: Book, kind: str, seq: int, bids: wire.Levels, asks: wire.Levels) -> None:
        if kind == "book":
            book.replace(bids, asks, seq)
        elif not book.valid:
            return  # a whole one was asked for
        elif seq == book.seq + 1:
            book.apply(bids, asks, seq)
        else:
            self._socket.send(wire.write("watch", book.symbol))
            self._invalidate(book, f"gap: {seq} after {book.seq}", book.received_mono_ns)
            return
        self._sink.on_book(book, book.received_mono_ns)

    def _invalidate(self, book: Book, why: str, received_mono_ns: int) -> None:
        if book.valid:
            book.invalidate(why)
            self._sink.on_book(book, received_mono_ns)

    # Orders.

    def sign(self, request: OrderRequest, signed_ms: int, stamps: OrderStamps) -> contract.PreparedOrder:
        window_ms = self._settings.recv_window_ms
        head = ("order", request.client_id, signed_ms, window_ms, request.instrument.symbol)
        amounts = (request.size_e8, request.cap_price_e8)
        payload = wire.signed(self._settings.secret, *head, request.side.name, *amounts)
        stamps.signed_mono_ns = stamps.encoded_mono_ns = self.clock.mono_ns()
        return contract.PreparedOrder(request, signed_ms, signed_ms, payload, window_ms, stamps)

    def submit(self, prepared: contract.PreparedOrder) -> None:
        self._flight.submit(prepared)

    def cancel(self, client_id: ClientOrderId) -> None:
        """Do nothing: every order here is over at once."""

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> contract.OrderReport | None:
        del correlator, symbol  # the venue keeps client ids: that is enough
        match await self._ask("order", client_id):
            case None:
                return None
            case [str(order_id), bool(is_final), int(filled_e8), int(notional_e8), int(fee_e8), str(reason)]:
                return contract.OrderReport(VenueOrderId(order_id), is_final, filled_e8, notional_e8, fee_e8, reason)
        raise contract.DecodeError("an order of another shape")

    async def positions(self) -> list[contract.PositionReport]:
        return [contract.PositionReport(*held) for held in (await self._ask("account"))[2]]

    async def open_orders(self) -> list[contract.OpenOrder]:
        await self._ask("account")  # nothing ever rests here, but whoever asks is to hear when the venue is gone
        return []

    async def balance(self) -> contract.BalanceReport:
        equity_e8, free_e8, _ = await self._ask("account")
        return contract.BalanceReport(equity_e8, free_e8)

    async def _ask(self, what: str, client_id: str = "") -> Any:
        return await self._questions.ask(lambda number: self._socket.send(wire.write("ask", number, what, client_id)))
