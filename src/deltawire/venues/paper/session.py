"""Paper trading on one venue: its live public data, and orders that are filled here. Makes no private call, ever.

Satisfies venues.contract.Venue, so the engine sees nothing different. An order meets the live book one measured round
trip after it was written, plus the time the venue itself holds orders: by then our book shows what the order would have
met when it got there. It pays the venue's taker fee, holds a position, pays and receives funding, and is refused what
the venue's public rules refuse.

Left out: other traders' answers to our orders, liquidation, fee tiers, and what only an order can show of a venue.
"""

import asyncio
import random
from collections import OrderedDict, deque
from dataclasses import dataclass

from deltawire.core.book import Book, Level
from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, NotSent, Rejected, Sent
from deltawire.core.money import E8, notional_e8, rate_of_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.taking import average_price_e8, is_worse, take_within
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side, VenueOrderId
from deltawire.venues.contract import (
    MARKET_DATA,
    ORDERS,
    BalanceReport,
    Clock,
    EventLog,
    MarketState,
    Money,
    OpenOrder,
    OrderReport,
    PositionReport,
    PreparedOrder,
    Refused,
    SigningClock,
    VenueSink,
)
from deltawire.venues.kit import NumberedOrders
from deltawire.venues.paper.account import Ended, Fill, PaperAccount
from deltawire.venues.paper.books import money
from deltawire.venues.paper.market import PublicMarket
from deltawire.venues.paper.rules import Refusal, Standing, refusal
from deltawire.venues.paper.untouched import Untouched

TRANSPORT = "paper"
PINGS_FIRST = 5  # round trips measured before the first order
PING_EVERY_S = 5.0
ROUND_TRIPS_KEPT = 60  # five minutes of them: the delay of an order is drawn from these
FUND_EVERY_S = 60.0
HOUR_NS = 3_600 * 10**9
SUBMITTED_KEPT = 5_000
_MS_NS = 10**6


@dataclass(slots=True, eq=False)
class _Flight:
    """An order between its write and its end."""

    prepared: PreparedOrder
    order_id: str
    timer: asyncio.TimerHandle | None = None
    is_open: bool = False  # acknowledged, held by the venue


class PaperVenue(NumberedOrders):
    """Owns the market and the account, and closes both."""

    def __init__(
        self,
        market: PublicMarket,
        account: PaperAccount,
        *,
        leverage: int,
        clock: Clock,
        log: EventLog,
        rng: random.Random,
    ) -> None:
        """rng: draws each order's delay."""
        self.name, self.capabilities, self.time = market.name, market.capabilities, market.time
        self._market, self._account, self._leverage = market, account, leverage
        self.clock, self._log, self._rng = SigningClock(clock, market.time), log, rng
        self._sink: VenueSink | None = None
        self._started = False
        self._up = False
        self._opened_mono_ns = 0
        self._round_trips_ns: deque[int] = deque(maxlen=ROUND_TRIPS_KEPT)
        self._flights: dict[ClientOrderId, _Flight] = {}
        self._submitted: OrderedDict[ClientOrderId, None] = OrderedDict()
        self._sent = 0
        self._untouched = Untouched()
        self._marks_e8: dict[str, int] = {}  # the last price known of each market held
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ready(self) -> bool:
        """Whether the market data is there: without it no order can be filled."""
        return self._started and self._up

    def trades(self, symbol: str) -> bool:
        return self._market.trades(symbol)

    def entry_block(self, symbol: str) -> str:
        if not self._started:
            return "not started"
        return self._market.entry_block(symbol) if self._up else "no market data"

    def market_state(self, symbol: str) -> MarketState | None:
        return self._market.market_state(symbol)

    async def start(self, sink: VenueSink) -> None:
        self._sink = sink
        try:
            await self._market.start(_Ear(self, sink))
            for _ in range(PINGS_FIRST):
                await self._measure()
        except BaseException:
            await self.close()
            raise
        self._opened_mono_ns = self.clock.mono_ns()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._keep_measuring(), name=f"paper {self.name} round trips"),
            loop.create_task(self._keep_funding(), name=f"paper {self.name} funding"),
        ]
        self._started = True
        median_ns = sorted(self._round_trips_ns)[len(self._round_trips_ns) // 2]
        self._log.info("paper.started", venue=self.name, round_trip_ms=median_ns / _MS_NS, orders=self._account.count)
        if self._up:
            sink.on_link(self.name, ORDERS, up=True, detail="paper: orders are filled here")

    def instrument(self, symbol: str) -> Instrument:
        return self._market.instrument(symbol)

    def book(self, symbol: str) -> Book:
        return self._market.book(symbol)

    def sign(self, request: OrderRequest, signed_ms: int, stamps: OrderStamps) -> PreparedOrder:
        """Encode only: there is no key."""
        stamps.signed_mono_ns = self.clock.mono_ns()
        payload = f"{request.client_id} {request.side.name} {request.size_e8} {request.cap_price_e8}".encode()
        stamps.encoded_mono_ns = self.clock.mono_ns()
        return PreparedOrder(request, signed_ms, signed_ms, payload, self.capabilities.recv_window_ms, stamps)

    def submit(self, prepared: PreparedOrder) -> None:
        client_id, stamps = prepared.request.client_id, prepared.stamps
        if client_id in self._submitted:
            raise ValueError(f"{client_id} was submitted before")
        self._submitted[client_id] = None
        if len(self._submitted) > SUBMITTED_KEPT:
            self._submitted.popitem(last=False)
        now_ns = self.clock.mono_ns()
        stamps.written_mono_ns, stamps.transport, stamps.reused = now_ns, TRANSPORT, True
        stamps.connection_age_ns = max(now_ns - self._opened_mono_ns, 1)
        assert self._sink is not None
        if not self.ready:
            self._sink.on_order(client_id, NotSent("no market data, so the order could not be filled"))
            return
        self._sent += 1
        stamps.connection_requests = self._sent
        flight = _Flight(prepared, f"paper-{self._account.count + len(self._flights) + 1}")
        self._flights[client_id] = flight
        delay_s = self._rng.choice(self._round_trips_ns) / 1e9
        flight.timer = asyncio.get_running_loop().call_later(delay_s, self._arrive, flight)
        self._sink.on_order(client_id, Sent())

    def cancel(self, client_id: ClientOrderId) -> None:
        """Do nothing: an immediate order is over before a cancel could reach it."""

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        del correlator, symbol
        flight, ended = self._flights.get(client_id), self._account.orders.get(client_id)
        if flight is not None:
            return OrderReport(
                VenueOrderId(flight.order_id), is_final=False, filled_e8=0, notional_e8=0, fee_e8=0, reason=""
            )
        if ended is None:
            return None
        return OrderReport(
            VenueOrderId(ended.order_id),
            is_final=True,
            filled_e8=ended.filled_e8,
            notional_e8=ended.notional_e8,
            fee_e8=ended.fee_e8,
            reason=ended.reason,
        )

    async def positions(self) -> list[PositionReport]:
        held = self._account.ledger.positions.items()
        return [PositionReport(symbol, at.size_e8, at.entry_price_e8) for symbol, at in held]

    async def open_orders(self) -> list[OpenOrder]:
        sees = self.capabilities.sees_client_id
        return [
            OpenOrder(
                flight.prepared.request.instrument.symbol,
                VenueOrderId(flight.order_id),
                client_id if sees else "",
                0 if sees else flight.prepared.correlator,
                flight.prepared.request.side,
                flight.prepared.request.size_e8,
            )
            for client_id, flight in self._flights.items()
        ]

    async def balance(self) -> BalanceReport:
        marks_e8 = self._marks()
        equity_e8 = self._account.equity_e8(marks_e8)
        return BalanceReport(equity_e8, equity_e8 - self._account.bound_e8(marks_e8, self._leverage))

    async def money(self, since_unix_ns: int) -> Money:
        return money(self._account, since_unix_ns, sees_client_id=self.capabilities.sees_client_id)

    async def close(self) -> None:
        """End everything. An order still on its way is lost: it never reached the venue."""
        self._started = self._up = False
        for flight in self._flights.values():
            if flight.timer is not None:
                flight.timer.cancel()
        self._flights.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._market.close()
        self._account.close()

    # ---- market data

    def on_link(self, *, up: bool, detail: str) -> None:
        """Hear of the market data: it carries the orders, too."""
        self._up = up
        if not up and self.capabilities.cancels_on_disconnect:
            for flight in [flight for flight in self._flights.values() if flight.is_open]:
                self._lose(flight)
        if self._started:
            assert self._sink is not None
            self._sink.on_link(self.name, ORDERS, up=up, detail=detail or "market data is back")

    # ---- an order's way

    def _arrive(self, flight: _Flight) -> None:
        """Acknowledge the order, or refuse it; then the venue holds it for its own time."""
        request, stamps = flight.prepared.request, flight.prepared.stamps
        stamps.reply_mono_ns = stamps.acked_mono_ns = self.clock.mono_ns()
        refused = refusal(request, self._standing(flight.prepared))
        if refused is not None:
            self._refuse(flight, refused)
            return
        flight.is_open = True
        self._tell(flight, Acked(VenueOrderId(flight.order_id)))
        low_ms, high_ms = self._market.execution_ms
        if not high_ms:
            self._execute(flight)
            return
        held_s = self._rng.uniform(low_ms, high_ms) / 1e3
        flight.timer = asyncio.get_running_loop().call_later(held_s, self._execute, flight)

    def _execute(self, flight: _Flight) -> None:
        request = flight.prepared.request
        symbol, side = request.instrument.symbol, request.side
        book = self._market.book(symbol)
        self._fund(symbol)
        parts, why = self._match(book, request)
        fee_e8 = request.instrument.fee_rate_taker_e8
        fills = [Fill(price, size, rate_of_e8(notional_e8(price, size), fee_e8)) for price, size in parts]
        short = sum(size for _, size in parts) < request.size_e8
        ended = self._ended(flight, fills=fills, reason=why if short else "")
        if not self._keep(flight, ended):
            return
        if not self._market.fills_whole:
            self._untouched.take(symbol, side, book.asks if side is Side.BUY else book.bids, parts)
        if fills:
            flight.prepared.stamps.filled_mono_ns = self.clock.mono_ns()
        if self.capabilities.reports_each_fill:
            for number, fill in enumerate(fills, 1):
                seen = FillSeen(f"{flight.order_id}-{number}", fill.price_e8, fill.size_e8, fill.fee_e8)
                self._tell(flight, seen)
        elif fills:
            self._tell(flight, FilledTotal(ended.filled_e8, ended.notional_e8, ended.fee_e8))
        self._tell(flight, Closed(ended.filled_e8, ended.reason))

    def _match(self, book: Book, request: OrderRequest) -> tuple[list[Level], str]:
        """Return what the order takes, and why it does not take all, should it not."""
        side = request.side
        if not book.valid:
            return [], f"no book when the order got there: {book.why_invalid}"
        shown = book.asks if side is Side.BUY else book.bids
        if self._market.fills_whole:
            tick_e8 = request.instrument.price_tick_e8
            price_e8 = average_price_e8(shown, side, request.size_e8, tick_e8)
            if price_e8 is None or is_worse(side, price_e8, request.cap_price_e8):
                return [], "the price had gone beyond the cap"
            return [(price_e8, request.size_e8)], ""
        levels = self._untouched.of(request.instrument.symbol, side, shown)
        return take_within(levels, side, request.size_e8, request.cap_price_e8), "nothing more within the cap"

    def _lose(self, flight: _Flight) -> None:
        """End an order that the venue would cancel because its connection is gone."""
        assert flight.timer is not None
        flight.timer.cancel()
        reason = "the connection was lost"
        if self._keep(flight, self._ended(flight, reason=reason)):
            self._tell(flight, Closed(0, reason))

    def _refuse(self, flight: _Flight, refused: Refusal) -> None:
        code, text = refused
        if self._keep(flight, self._ended(flight, code=code, reason=f"{code}: {text}")):
            self._tell(flight, Rejected(code, text))

    def _ended(self, flight: _Flight, *, fills: list[Fill] | None = None, code: str = "", reason: str = "") -> Ended:
        request = flight.prepared.request
        symbol = request.instrument.symbol
        return Ended(
            client_id=request.client_id,
            correlator=flight.prepared.correlator,
            order_id=flight.order_id,
            symbol=symbol,
            side=request.side.value,
            size_e8=request.size_e8,
            fills=fills or [],
            index_e8=self._account.index_e8.get(symbol, 0),
            code=code,
            reason=reason,
            unix_ns=self.clock.unix_ns(),
        )

    def _keep(self, flight: _Flight, ended: Ended) -> bool:
        """Write the end down before anyone hears of it. False when that failed: then nothing has happened."""
        del self._flights[flight.prepared.request.client_id]
        try:
            self._account.end(ended)
        except OSError as e:
            self._log.error("paper.account_unwritable", venue=self.name, reason=str(e))
            self._tell(flight, Closed(0, str(e)))
            return False
        return True

    def _tell(self, flight: _Flight, event: Acked | FillSeen | FilledTotal | Closed | Rejected) -> None:
        assert self._sink is not None
        self._sink.on_order(flight.prepared.request.client_id, event)

    def _standing(self, prepared: PreparedOrder) -> Standing:
        symbol = prepared.request.instrument.symbol
        marks_e8 = self._marks()
        free_e8 = self._account.equity_e8(marks_e8) - self._account.bound_e8(marks_e8, self._leverage)
        state = self._market.market_state(symbol)
        age_ms = self.clock.unix_ns() // _MS_NS - prepared.signed_unix_ms
        return Standing(
            held_e8=self._account.held_e8(symbol),
            mark_price_e8=0 if state is None else state.mark_price_e8,
            free_e8=free_e8,
            leverage=self._leverage,
            takes_orders=self._market.trades(symbol),
            is_late=age_ms > prepared.window_ms,
        )

    def _marks(self) -> dict[str, int]:
        """Return the price of each market held: its mark, else the middle of its book, else the last one known."""
        for symbol in self._account.ledger.positions:
            state = self._market.market_state(symbol)
            price_e8 = self._market.book(symbol).mid_e8() if state is None else state.mark_price_e8
            if price_e8:
                self._marks_e8[symbol] = price_e8
        return self._marks_e8

    # ---- upkeep

    async def _measure(self) -> None:
        before_ns = self.clock.mono_ns()
        await self._market.ping()
        self._round_trips_ns.append(self.clock.mono_ns() - before_ns)

    async def _keep_measuring(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            try:
                await self._measure()
            except (OSError, TimeoutError, ValueError, Refused) as e:
                self._log.warning("paper.round_trip_unmeasured", venue=self.name, reason=str(e))

    async def _keep_funding(self) -> None:
        while True:
            await asyncio.sleep(FUND_EVERY_S)
            for symbol in list(self._account.ledger.positions):
                self._fund(symbol)

    def _fund(self, symbol: str) -> None:
        """Carry a market's funding index to now, at the hourly rate in force."""
        account, now_ns = self._account, self.clock.unix_ns()
        if not account.held_e8(symbol):
            account.funded_unix_ns[symbol] = now_ns  # whatever is opened now pays from now on
            return
        state = self._market.market_state(symbol)
        if state is None:
            return  # paid once the rate is known
        since_ns = max(now_ns - account.funded_unix_ns.get(symbol, now_ns), 0)
        index_e8 = account.index_e8.get(symbol, 0)
        index_e8 += state.mark_price_e8 * state.funding_rate_e8 * since_ns // (E8 * HOUR_NS)
        try:
            account.fund(symbol, index_e8, now_ns)
        except OSError as e:
            self._log.error("paper.account_unwritable", venue=self.name, reason=str(e))


class _Ear:
    """Passes on what the market tells; its link carries the orders, too."""

    def __init__(self, venue: PaperVenue, sink: VenueSink) -> None:
        self._venue, self._sink = venue, sink
        self.on_book, self.on_order = sink.on_book, sink.on_order

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        self._sink.on_link(venue, link, up=up, detail=detail)
        if link == MARKET_DATA:
            self._venue.on_link(up=up, detail=detail)
