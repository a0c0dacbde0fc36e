"""A venue in memory with state and rules: it keeps orders and positions, and refuses what a venue would refuse.

Answers are given when the test says so, so that every order of events can be played. No sockets, no clock of its own.
"""

from collections.abc import Callable

from deltawire.core.book import Book
from deltawire.core.events import Acked, Closed, FillSeen, InDoubt, NotSent, OrderEvent, Rejected, Sent
from deltawire.core.money import E8, notional_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side, VenueOrderId
from deltawire.core.venue_clock import VenueClock
from deltawire.venues.contract import (
    BalanceReport,
    Capabilities,
    MarketState,
    OpenOrder,
    OrderReport,
    PositionReport,
    PreparedOrder,
    VenueSink,
)


class ManualClock:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return 1_800_000_000_000_000_000 + self.now_ns


class ListLog:
    """Keeps events; a test may look for one by name."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    warning = error = info

    def names(self) -> list[str]:
        return [event for event, _ in self.events]


class FakeVenue:
    def __init__(self, instrument: Instrument, clock: ManualClock) -> None:
        self.name = instrument.venue
        self.capabilities = Capabilities(
            sees_client_id=True,
            cancels_by_client_id=True,
            cancels_on_disconnect=True,
            venue_stamps_books=False,
            fills_partially=True,
            reports_each_fill=True,
            recv_window_ms=5_000,
        )
        self.time = VenueClock(500_000_000)  # tells nothing until the test does
        self.ready = False
        self.closed = False
        self.sink: VenueSink | None = None
        self.orders: dict[ClientOrderId, PreparedOrder] = {}
        self.filled: dict[ClientOrderId, int] = {}
        self.is_final: set[ClientOrderId] = set()
        self.lost: set[ClientOrderId] = set()  # never reached the venue
        self.unreachable = False
        self.unreadable = False  # the account alone
        self.unsendable = ""
        self.halted = False
        self.liquidated_e8 = 0  # what others did to the position
        self.liquidation_price_e8 = 0
        self.free_e8 = 10**12
        self.blocked = ""  # why no entry may be made
        self.on_submit: Callable[[PreparedOrder], None] = lambda _prepared: None
        self._instrument, self._clock = instrument, clock
        self._book = Book(self.name, instrument.symbol)
        self._correlator = 0
        self.presigned: list[PreparedOrder] = []
        self.funding_hour_e8: int | None = None  # not told
        self.stale_up_to = 0  # correlators the venue would refuse by now

    # ---- contract ----------------------------------------------------------------------------------------------

    def trades(self, symbol: str) -> bool:
        assert symbol == self._instrument.symbol
        return not self.halted

    def market_state(self, symbol: str) -> MarketState | None:
        if self.funding_hour_e8 is None:
            return None
        return MarketState(symbol, 0, 0, self.funding_hour_e8, "", self._clock.mono_ns())

    def entry_block(self, symbol: str) -> str:
        assert symbol == self._instrument.symbol
        return self.blocked

    async def start(self, sink: VenueSink) -> None:
        self.sink, self.ready = sink, True

    def instrument(self, symbol: str) -> Instrument:
        assert symbol == self._instrument.symbol
        return self._instrument

    def book(self, symbol: str) -> Book:
        assert symbol == self._instrument.symbol
        return self._book

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        if self.unsendable:
            raise ValueError(self.unsendable)
        return self._prepared(request, stamps)

    def presign(self, request: OrderRequest) -> Callable[[], PreparedOrder]:
        if self.unsendable:
            raise ValueError(self.unsendable)
        prepared = self._prepared(request, OrderStamps())
        self.presigned.append(prepared)
        return lambda: prepared

    def is_fresh(self, prepared: PreparedOrder) -> bool:
        return prepared.correlator > self.stale_up_to

    def _prepared(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        self._correlator += 1
        return PreparedOrder(request, self._correlator, 1, b"signed", 5_000, stamps)

    def submit(self, prepared: PreparedOrder) -> None:
        client_id = prepared.request.client_id
        assert client_id not in self.orders, "an id was sent twice"
        self.orders[client_id] = prepared
        self.on_submit(prepared)
        self.tell(client_id, Sent() if self.ready else NotSent("no connection"))

    def cancel(self, client_id: ClientOrderId) -> None:
        self.tell(client_id, Closed(self.filled.get(client_id, 0), "USER_CANCELED"))

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        if self.unreachable:
            raise ConnectionError("no route")
        if client_id not in self.orders or client_id in self.lost:
            return None
        filled_e8 = self.filled.get(client_id, 0)
        price_e8 = self.orders[client_id].request.cap_price_e8
        is_final = client_id in self.is_final
        return OrderReport(VenueOrderId("v"), is_final, filled_e8, notional_e8(price_e8, filled_e8), 1, "")

    async def positions(self) -> list[PositionReport]:
        return [PositionReport(self._instrument.symbol, self.position_e8, 60_000 * E8, self.liquidation_price_e8)]

    async def open_orders(self) -> list[OpenOrder]:
        return []

    async def balance(self) -> BalanceReport:
        if self.unreadable:
            raise ConnectionError("no route")
        return BalanceReport(10**12, self.free_e8)

    async def close(self) -> None:
        self.closed, self.ready = True, False

    # ---- what the test does ------------------------------------------------------------------------------------

    @property
    def position_e8(self) -> int:
        return self.liquidated_e8 + sum(
            self.orders[client_id].request.side.sign * size_e8
            for client_id, size_e8 in self.filled.items()
            if client_id in self.orders
        )

    @property
    def last(self) -> OrderRequest:
        return list(self.orders.values())[-1].request

    def quote(self, bid_e8: int, ask_e8: int) -> None:
        tick = self._instrument.price_tick_e8
        self._book.replace([(bid_e8 - n * tick, E8) for n in range(3)], [(ask_e8 + n * tick, E8) for n in range(3)])
        self._book.received_mono_ns = self._clock.mono_ns()
        assert self.sink is not None
        self.sink.on_book(self._book, self._clock.mono_ns())

    def tell(self, client_id: ClientOrderId, *events: OrderEvent) -> None:
        assert self.sink is not None
        for event in events:
            self.sink.on_order(client_id, event)

    def execute(self, client_id: ClientOrderId, size_e8: int | None = None) -> list[OrderEvent]:
        """Fill at the cap and end the order, saying nothing; return what would be told."""
        request = self.orders[client_id].request
        size_e8 = request.size_e8 if size_e8 is None else size_e8
        self.filled[client_id] = size_e8
        self.is_final.add(client_id)
        fills: list[OrderEvent] = [FillSeen(f"{client_id}-f", request.cap_price_e8, size_e8, 1)] if size_e8 else []
        return [Acked(VenueOrderId("v")), *fills, Closed(size_e8, "" if size_e8 == request.size_e8 else "IOC")]

    def fill(self, client_id: ClientOrderId, size_e8: int | None = None) -> None:
        self.tell(client_id, *self.execute(client_id, size_e8))

    def reject(self, client_id: ClientOrderId) -> None:
        self.is_final.add(client_id)
        self.tell(client_id, Rejected("3001", "PRICE_CHECK_FAILED"))

    def lose(self, client_id: ClientOrderId) -> None:
        self.tell(client_id, InDoubt("connection lost"))

    def buys(self) -> bool:
        return self.last.side is Side.BUY
