"""What the conformance tests work with: a world (one venue's simulator on real sockets), what the sink heard, waiting.

A world is all the tests know of a venue. Its `truth` is the simulator's own record, put into one form; the adapter has
no part in it. To prove a new adapter, write a world for it and add that to worlds.WORLDS.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from deltawire.core.book import Book
from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, InDoubt, NotFound, OrderEvent
from deltawire.core.money import E8, notional_e8
from deltawire.core.order import IllegalTransition, Order, apply
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.resolver import NEVER_MARGIN_NS
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.venues.contract import OpenOrder, OrderReport, PreparedOrder, Venue

WITHIN_S = 60.0  # far above what anything here takes: passing it is a failure, not a slow machine
BASE = "BTC"
BID_E8, ASK_E8 = 60_000 * E8, 60_001 * E8
SIZE_E8 = E8 // 20


def quote(bid_e8: int = BID_E8, ask_e8: int = ASK_E8) -> Quote:
    return Quote(bid_e8, E8, ask_e8, E8)


async def until(done: Callable[[], Any], what: Callable[[], str] | str, within_s: float = WITHIN_S) -> Any:
    """Wait until done() is true and return what it returned; fail naming what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        got = done()
        if got:
            return got
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what() if callable(what) else what}"
        await asyncio.sleep(0.002)  # the other side is on real sockets: there is no clock to move


async def until_awaited(done: Callable[[], Awaitable[bool]], what: str, within_s: float = WITHIN_S) -> None:
    """Wait until what is asked of the venue comes true; fail naming what was waited for."""
    deadline = time.monotonic() + within_s
    while not await done():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.01)


class SystemClock:
    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def unix_ns(self) -> int:
        return time.time_ns()


@dataclass
class MemoryLog:
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    warning = error = info

    def names(self) -> set[str]:
        return {name for name, _ in self.events}


@dataclass(frozen=True)
class OrderTruth:
    """One order in the simulator's own record."""

    filled_e8: int
    price_e8: int  # average, 0 when nothing filled
    is_over: bool


@dataclass(frozen=True)
class Truth:
    """The simulator's own record of the account. Orders by client id, or by correlator where that is all there is."""

    orders: dict[str, OrderTruth]
    position_e8: int
    open_orders: int
    equity_e8: int
    fees_paid_e8: int
    orders_received: int  # refused ones and repetitions included


class World(Protocol):
    """One venue: its simulator with one account, and a way to make adapters for it."""

    name: str
    symbol: str
    market: Market
    faults: Faults
    instrument: Instrument  # what the adapter must read at start
    on_paper: bool  # orders are filled in the adapter: what strikes an order at the venue cannot strike here

    async def start(self, tls: ssl.SSLContext) -> None: ...
    async def stop(self) -> None: ...
    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        """Make an adapter that is in doubt of an order after reply_timeout_s without news.

        slow_s: what the venue takes to execute an order, where it can take its time.
        """

    def truth(self) -> Truth: ...
    def secrets(self) -> list[str]:
        """Every text that must not be seen: keys, and tokens the venue has given out so far."""

    async def hold(self, rig: "Rig") -> OpenOrder | None:
        """Keep an order open at the venue, by the adapter's connection, and say how it is listed; None where none can.

        For an adapter that was made with `slow_s`, before any reconnect.
        """

    def lose_all_news(self) -> list[Fault]:
        """Return the faults by which the next order executes and neither answer nor event of it is heard for long."""

    def break_book(self) -> list[Fault]:
        """Return the faults by which the book's truth is in question: a lost delta, a halt."""

    def mend_book(self) -> None:
        """End what break_book began, where it does not end by itself."""


class Ear:
    """The sink: keeps what it is told, and applies every order event at once, as the engine does."""

    def __init__(self) -> None:
        self.events: dict[ClientOrderId, list[OrderEvent]] = defaultdict(list)
        self.orders: dict[ClientOrderId, Order] = {}
        self.illegal: list[str] = []
        self.links: list[tuple[str, bool]] = []
        self.book_calls: list[tuple[str, bool, int]] = []  # symbol, valid, received_mono_ns
        # Called once, inside the next call of that kind, as the engine sends inside them.
        self.in_book: Callable[[], object] | None = None
        self.in_order: Callable[[], object] | None = None

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        self.book_calls.append((book.symbol, book.valid, received_mono_ns))
        act, self.in_book = self.in_book, None
        if act is not None:
            act()

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.events[client_id].append(event)
        self.learn(client_id, event)
        if isinstance(event, FillSeen | FilledTotal):
            act, self.in_order = self.in_order, None
            if act is not None:
                act()

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        assert venue
        assert up or detail, "a lost link says why"
        self.links.append((link, up))

    def learn(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        order = self.orders.get(client_id)
        if order is None:
            return  # of another adapter of this account, or of an earlier run
        try:
            self.orders[client_id] = apply(order, event)
        except IllegalTransition as e:
            self.illegal.append(str(e))


@dataclass
class Rig:
    """One started adapter in its world."""

    world: World
    venue: Venue
    log: MemoryLog
    ear: Ear
    prefix: str  # of its client ids
    made: int = 0

    async def start(self) -> None:
        await self.venue.start(self.ear)
        await until(lambda: self.book.valid, "the first picture of the book")

    @property
    def book(self) -> Book:
        return self.venue.book(self.world.symbol)

    @property
    def may_enter(self) -> bool:
        """What the engine asks before an entry."""
        return self.venue.ready and self.book.valid and not self.venue.entry_block(self.world.symbol)

    async def fit_again(self) -> None:
        await until(lambda: self.may_enter, self.standing)

    def fault(self, kind: str, **params: Any) -> None:
        if kind != "drop_stream":
            self.wants_a_venue()
        self.world.faults.add(Fault(self.world.name, kind, params=params))

    # ---- orders ------------------------------------------------------------------------------------------------

    def prepare(self, side: Side = Side.BUY, *, cap_bps: int = 100, size_e8: int = SIZE_E8) -> PreparedOrder:
        """Prepare an order whose cap is this far beyond the touch (negative: it cannot fill)."""
        return self.venue.prepare(self.request(side, cap_bps=cap_bps, size_e8=size_e8), OrderStamps())

    async def presign(self, side: Side = Side.BUY) -> PreparedOrder:
        """Sign an order ahead, the work on another thread."""
        return await asyncio.to_thread(self.venue.presign(self.request(side)))

    def request(self, side: Side, *, cap_bps: int = 100, size_e8: int = SIZE_E8) -> OrderRequest:
        self.made += 1
        instrument = self.venue.instrument(self.world.symbol)
        touch_e8 = ASK_E8 if side is Side.BUY else BID_E8
        request = OrderRequest(
            ClientOrderId(f"{self.prefix}-{self.made}"),
            TradeId("conform"),
            Purpose.ENTRY,
            instrument,
            side,
            size_e8,
            instrument.cap(side, touch_e8 + side.sign * touch_e8 * cap_bps // 10_000),
        )
        self.ear.orders[request.client_id] = Order(request)
        return request

    def submit(self, side: Side = Side.BUY, *, cap_bps: int = 100) -> PreparedOrder:
        prepared = self.prepare(side, cap_bps=cap_bps)
        self.venue.submit(prepared)
        return prepared

    def order(self, prepared: PreparedOrder) -> Order:
        return self.ear.orders[prepared.request.client_id]

    def events(self, prepared: PreparedOrder) -> list[OrderEvent]:
        return self.ear.events[prepared.request.client_id]

    def count(self, prepared: PreparedOrder, kind: type[Any]) -> int:
        return sum(isinstance(event, kind) for event in self.events(prepared))

    async def ended(self, prepared: PreparedOrder) -> Order:
        """Wait for the end of an order as told through the sink."""
        await until(lambda: self.order(prepared).is_final, lambda: f"the end of {self.story(prepared)}")
        return self.order(prepared)

    async def named(self, prepared: PreparedOrder) -> None:
        await until(lambda: self.order(prepared).venue_order_id, lambda: f"the venue's id of {self.story(prepared)}")

    async def doubted(self, prepared: PreparedOrder) -> None:
        await until(lambda: self.count(prepared, InDoubt), lambda: f"doubt of {self.story(prepared)}")

    async def doubted_or_ended(self, prepared: PreparedOrder) -> None:
        """Wait until the loss of an answer is told of, or the venue was quicker by another way."""
        done = lambda: self.count(prepared, InDoubt) or self.order(prepared).is_final  # noqa: E731
        await until(done, lambda: f"doubt or end of {self.story(prepared)}")

    def standing(self) -> str:
        venue = self.venue
        block = venue.entry_block(self.world.symbol)
        return f"ready {venue.ready}, book {self.book.why_invalid!r}, block {block!r}, log {self.log.events}"

    def story(self, prepared: PreparedOrder) -> str:
        return f"{prepared}: {self.events(prepared)}, log {self.log.events}"

    async def look_up(self, prepared: PreparedOrder) -> OrderReport | None:
        """Read an order, again and again while the venue cannot tell."""
        client_id, symbol = prepared.request.client_id, prepared.request.instrument.symbol
        failure: Exception | None = None
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            try:
                return await self.venue.look_up(client_id, prepared.correlator, symbol)
            except (OSError, TimeoutError) as e:
                failure = e
                await asyncio.sleep(0.02)
        raise AssertionError(f"cannot be read: {failure}") from failure

    async def resolve(self, prepared: PreparedOrder) -> Order:
        """Do what the engine does with an order in doubt: read it until it is over, and believe what is read."""
        client_id = prepared.request.client_id
        window_ms = self.venue.capabilities.recv_window_ms
        dead_unix_ns = (prepared.signed_unix_ms + window_ms) * 10**6 + NEVER_MARGIN_NS
        deadline = time.monotonic() + WITHIN_S
        while not self.order(prepared).is_final:
            asked_ns = time.time_ns()
            report = await self.look_up(prepared)
            if report is None:
                if asked_ns > dead_unix_ns:
                    self.ear.learn(client_id, NotFound())
            else:
                self.ear.learn(client_id, Acked(report.venue_order_id))
                if report.filled_e8:
                    total = FilledTotal(report.filled_e8, report.notional_e8, report.fee_e8)
                    self.ear.learn(client_id, total)
                if report.is_final:
                    self.ear.learn(client_id, Closed(report.filled_e8, report.reason))
            assert time.monotonic() < deadline, f"unresolved: {self.order(prepared)}"
            await asyncio.sleep(0.005)
        return self.order(prepared)

    def wants_a_venue(self) -> None:
        """Skip what needs a venue that takes the orders."""
        if self.world.on_paper:
            pytest.skip("paper orders never reach the venue")

    # ---- the venue's side ----------------------------------------------------------------------------------------

    def truth_of(self, prepared: PreparedOrder) -> OrderTruth | None:
        sees = self.venue.capabilities.sees_client_id
        key = prepared.request.client_id if sees else str(prepared.correlator)
        return self.world.truth().orders.get(key)

    def assert_true(self, prepared: PreparedOrder) -> None:
        """What we hold of the order is what the venue's own record says: over, its size, its cost."""
        order, truth = self.order(prepared), self.truth_of(prepared)
        assert order.is_final
        assert truth is not None
        assert truth.is_over
        assert order.filled_e8 == truth.filled_e8
        assert order.is_priced
        assert order.notional_e8 == notional_e8(truth.price_e8, truth.filled_e8)


@asynccontextmanager
async def running(world: World, tls: ssl.SSLContext) -> AsyncIterator[World]:
    await world.start(tls)
    try:
        yield world
    finally:
        await world.stop()


Make = Callable[..., Rig]


@asynccontextmanager
async def workshop(world: World, tls: ssl.SSLContext) -> AsyncIterator[Make]:
    """Make adapters that are closed in the end.

    Whatever happened: no event was illegal for core.order, and every fault the test armed did strike.
    """
    rigs: list[Rig] = []

    def make(**settings: Any) -> Rig:
        log = MemoryLog()
        rigs.append(Rig(world, world.venue(tls, log, **settings), log, Ear(), f"conform{len(rigs)}"))
        return rigs[-1]

    try:
        yield make
    finally:
        await asyncio.gather(*(rig.venue.close() for rig in rigs))
    assert [rig.ear.illegal for rig in rigs] == [[] for _ in rigs]
    await until(lambda: world.faults.armed() == [], "every fault has struck")


async def started(make: Make, **settings: Any) -> Rig:
    rig = make(**settings)
    await rig.start()
    return rig


async def started_hasty(make: Make) -> Rig:
    """Start an adapter that doubts soon and whose orders die soon, for what has to be waited out."""
    return await started(make, reply_timeout_s=0.3, recv_window_ms=300)
