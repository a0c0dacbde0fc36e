"""One venue's adapter without the bot: live books, immediate orders with a capped price, what the account holds.

What the bot has around it is not here: no limits but the price cap, no journal, no second leg, no guardian. An order in
doubt is read from the venue until it is known, and never sent again. Amounts are ints in 1e-8 units (`parse_e8`).
"""

import asyncio
import random
import re
import secrets as entropy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from deltawire.core.book import Book
from deltawire.core.events import InDoubt, OrderEvent
from deltawire.core.money import format_e8
from deltawire.core.order import UNKNOWN, IllegalTransition, Order, apply
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.clock import SystemClock
from deltawire.engine.resolver import Doubtful, Resolver
from deltawire.journal.accounts import AccountLocks, state_folder
from deltawire.net.sockets import SocketNetwork
from deltawire.net.tls import client_context
from deltawire.venues.contract import (
    BalanceReport,
    EventLog,
    OpenOrder,
    PositionReport,
    PreparedOrder,
    Venue,
)
from deltawire.venues.paper.market import PublicMarket
from deltawire.venues.paradex.http import origin_of
from deltawire.venues.paradex.public import ParadexPublic
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest.public import VestPublic
from deltawire.venues.vest.reads import PublicReads, split_rest_url
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

Settings = ParadexSettings | VestSettings

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{1,64}")
ORDERS_KEPT = 10_000  # the oldest that are over are forgotten beyond this
POLL_S = 0.02
WAIT_S = 30.0  # the longest receive window, the venue's own lag and a slow answer fit into it


class NotNow(Exception):
    """The venue takes no order of this kind now. Says why; nothing was sent."""


class Market:
    """The public side of a venue that is connected: books and trading rules."""

    def __init__(self, public: PublicMarket | Venue, sink: "_Ear") -> None:
        self._public, self._sink = public, sink
        self.name = public.name

    def instrument(self, symbol: str) -> Instrument:
        """Return the venue's rules for a market. Raises KeyError for one that is not in the settings."""
        return self._public.instrument(symbol)

    def book(self, symbol: str) -> Book:
        """Return the live book: one object, changed in place. Believe it only while `valid`."""
        return self._public.book(symbol)

    async def next_book(self, symbol: str, timeout_s: float = WAIT_S) -> Book:
        """Wait for the next change of a book that is valid then, and return the book. Raises TimeoutError."""
        book = self._public.book(symbol)
        async with asyncio.timeout(timeout_s):
            await self._sink.until(symbol)
            while not book.valid:
                await self._sink.until(symbol)
        return book

    async def valid_book(self, symbol: str, timeout_s: float = WAIT_S) -> Book:
        """Return the book, at once when it is valid, else as soon as it is. Raises TimeoutError."""
        book = self._public.book(symbol)
        return book if book.valid else await self.next_book(symbol, timeout_s)


class Account(Market):
    """A venue with an account: the market, and orders. Every order is immediate and has a price cap."""

    def __init__(self, venue: Venue, sink: "_Ear", clock: SystemClock, log: EventLog) -> None:
        super().__init__(venue, sink)
        self._venue, self._clock = venue, clock
        self._orders: dict[ClientOrderId, Order] = {}
        self._prepared: dict[ClientOrderId, PreparedOrder] = {}
        # Drawn, so that no two sessions share an id (I3); and not in a bot's form, so that none takes them for its own.
        self._trade = TradeId(f"lib-{entropy.token_hex(8)}")
        self._numbers = count(1)
        sink.on_news = self._on_news
        self._resolver = Resolver(clock=clock, log=log, on_news=self._on_news, is_settled=self._is_settled)

    async def until_open(self, symbol: str, timeout_s: float = WAIT_S) -> Book:
        """Wait until an order that opens a position may be sent, and return the book, valid. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not (  # noqa: ASYNC110 - several things hold an entry up, and no event tells of most
                self.book(symbol).valid and self._venue.ready and not self._venue.entry_block(symbol)
            ):
                await asyncio.sleep(POLL_S)
        return self.book(symbol)

    def submit(
        self, symbol: str, side: Side, size_e8: int, cap_price_e8: int, *, reduce_only: bool = False
    ) -> ClientOrderId:
        """Sign and write an order now; return its id. `finished` waits for its end.

        The size and the cap must lie on the venue's steps (`instrument`). reduce_only: it closes; such an order is
        not held up by what only speaks against opening. Raises NotNow, ValueError for an amount off the steps, and
        KeyError for a market that is not in the settings.
        """
        instrument = self.instrument(symbol)
        _check(instrument, size_e8, cap_price_e8)
        purpose = Purpose.EXIT if reduce_only else Purpose.ENTRY
        why = "" if self._venue.ready else "the connection is not ready"
        if purpose is Purpose.ENTRY:
            why = why or self._venue.entry_block(symbol)
        if why:
            raise NotNow(f"{self.name} {symbol}: {why}")
        client_id = ClientOrderId(f"{self._trade}-{next(self._numbers)}")
        request = OrderRequest(
            client_id, self._trade, purpose, instrument, side, size_e8, cap_price_e8, reduce_only=reduce_only
        )
        prepared = self._venue.prepare(request, OrderStamps())
        self._forget()
        self._orders[client_id], self._prepared[client_id] = Order(request), prepared
        self._venue.submit(prepared)
        return client_id

    def order(self, client_id: ClientOrderId) -> Order:
        """Return what is known of an order submitted here. Raises KeyError for another."""
        return self._orders[client_id]

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask for a cancel. Mostly the order is over by then: `finished` says what became of it."""
        self._venue.cancel(client_id)

    async def finished(self, client_id: ClientOrderId, timeout_s: float = WAIT_S) -> Order:
        """Wait until an order is over, read it from the venue where it is in doubt, and return it.

        Raises TimeoutError when nobody knows by then: it still counts with its full size, and reading goes on.
        """
        async with asyncio.timeout(timeout_s):
            while not self._orders[client_id].is_final:
                await self._sink.until(client_id)
        return self._orders[client_id]

    async def positions(self) -> list[PositionReport]:
        """Read what the account holds. Raises Refused, OSError, TimeoutError or ValueError, as do those below."""
        return await self._venue.positions()

    async def open_orders(self) -> list[OpenOrder]:
        return await self._venue.open_orders()

    async def balance(self) -> BalanceReport:
        return await self._venue.balance()

    async def close(self) -> None:
        await self._resolver.close()

    def _on_news(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        order = self._orders.get(client_id)
        if order is None:
            return  # of an earlier program on this account
        try:
            self._orders[client_id] = after = apply(order, event)
        except IllegalTransition as e:
            # What the venue says cannot be: nothing is known but that it must be read.
            self._orders[client_id] = after = apply(order, InDoubt(str(e)))
        if after.state is UNKNOWN:
            self._resolver.resolve(self._doubtful(client_id))
        self._sink.wake(client_id)

    def _forget(self) -> None:
        if len(self._orders) >= ORDERS_KEPT:
            oldest = next(iter(self._orders))
            if self._orders[oldest].is_final:
                del self._orders[oldest], self._prepared[oldest]

    def _is_settled(self, client_id: ClientOrderId) -> bool:
        return self._orders[client_id].is_final

    def _doubtful(self, client_id: ClientOrderId) -> Doubtful:
        prepared = self._prepared[client_id]
        return Doubtful(
            client_id,
            self._venue,
            prepared.request.instrument.symbol,
            prepared.correlator,
            prepared.stamps.written_mono_ns or self._clock.mono_ns(),
            prepared.signed_unix_ms,
            prepared.window_ms,
        )


@asynccontextmanager
async def watch(
    settings: Settings, *, ca_file: Path | str | None = None, log: EventLog | None = None
) -> AsyncIterator[Market]:
    """Connect to a venue's public side: no account, no key (leave both empty in the settings), no private call.

    ca_file: trust this certificate authority instead of the system's; the simulators make one. Raises as connect does.
    """
    clock, sink, quiet = SystemClock(), _Ear(), log or _Quiet()
    public = _public(settings, ca_file, clock, quiet)
    try:
        await public.start(sink)
        yield Market(public, sink)
    finally:
        await public.close()


@asynccontextmanager
async def connect(
    settings: Settings, *, ca_file: Path | str | None = None, log: EventLog | None = None
) -> AsyncIterator[Account]:
    """Connect to a venue with an account, and close everything at the end of the block.

    Takes the lock of the account: one program an account on this machine. Raises Refused, OSError, TimeoutError or
    ValueError when it cannot connect, JournalLocked when a bot trades the account.
    """
    clock, sink, quiet = SystemClock(), _Ear(), log or _Quiet()
    if isinstance(settings, ParadexSettings):
        name, address = "paradex", settings.account_address
    else:
        name, address = "vest", settings.primary_address
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{name}: the account's address is not 0x and hex digits; without an account, use watch")
    with AccountLocks({name: address}, state_folder()):
        venue = await _with_account(settings, ca_file, clock, quiet)
        account = Account(venue, sink, clock, quiet)
        try:
            await venue.start(sink)
            yield account
        finally:
            await account.close()
            await venue.close()


def _network(ca_file: Path | str | None, clock: SystemClock) -> tuple[SocketNetwork, random.Random]:
    rng = random.Random(entropy.randbits(64))  # noqa: S311 - for the jitter of reconnects, not for keys
    context = client_context(None if ca_file is None else str(ca_file))
    return SocketNetwork(now_ns=clock.mono_ns, ssl_context=context, rng=rng), rng


def _public(settings: Settings, ca_file: Path | str | None, clock: SystemClock, log: EventLog) -> PublicMarket:
    network, rng = _network(ca_file, clock)
    if isinstance(settings, ParadexSettings):
        http = network.rest(origin_of(settings.rest_url))
        return ParadexPublic(settings, network=network, http=http, clock=clock, log=log, rng=rng)
    client = network.rest(split_rest_url(settings.rest_url)[0])
    reads = PublicReads(settings, client, clock=clock, log=log)
    return VestPublic(settings, reads, network=network, clock=clock, log=log, rng=rng)


async def _with_account(settings: Settings, ca_file: Path | str | None, clock: SystemClock, log: EventLog) -> Venue:
    network, rng = _network(ca_file, clock)
    is_paradex = isinstance(settings, ParadexSettings)
    http = network.rest(origin_of(settings.rest_url) if is_paradex else split_rest_url(settings.rest_url)[0])
    try:
        if isinstance(settings, ParadexSettings):
            return ParadexVenue(settings, network=network, http=http, clock=clock, log=log, rng=rng)
        return VestVenue(settings, network=network, client=http, clock=clock, log=log, rng=rng)
    except ValueError:  # a key that is none, or not the address's
        await http.close()
        raise


def _check(instrument: Instrument, size_e8: int, cap_price_e8: int) -> None:
    for what, value_e8, step_e8 in (
        ("size", size_e8, instrument.size_step_e8),
        ("cap", cap_price_e8, instrument.price_tick_e8),
    ):
        if value_e8 <= 0 or value_e8 % step_e8:
            steps = f"a positive multiple of {format_e8(step_e8)}"
            raise ValueError(f"{instrument.symbol}: {what} {format_e8(value_e8)} is not {steps}; see Instrument.cap")


class _Ear:
    """A VenueSink that wakes who waits for a book or an order."""

    def __init__(self) -> None:
        self.on_news: Callable[[ClientOrderId, OrderEvent], None] = lambda _id, _event: None
        self._waiting: dict[str, asyncio.Event] = {}

    async def until(self, what: str) -> None:
        """Wait for the next news of a symbol or an order."""
        await self._waiting.setdefault(what, asyncio.Event()).wait()

    def wake(self, what: str) -> None:
        event = self._waiting.pop(what, None)
        if event is not None:
            event.set()

    def on_book(self, book: Book, received_mono_ns: int) -> None:  # noqa: ARG002 - VenueSink's form
        self.wake(book.symbol)

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.on_news(client_id, event)

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None: ...


class _Quiet:
    """An EventLog for who wants none."""

    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
