"""Paper orders: when they meet the book, what they take, what they cost, and what is refused."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deltawire.core.book import Book
from deltawire.core.events import Acked, Closed, FilledTotal, FillSeen, NotSent, OrderEvent, Rejected, Sent
from deltawire.core.money import E8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.core.venue_clock import VenueClock
from deltawire.venues.contract import MARKET_DATA, ORDERS, Capabilities, MarketState, VenueSink
from deltawire.venues.paper.account import PaperAccount
from deltawire.venues.paper.session import PaperVenue

RULES = Instrument("acme", "X", E8, E8, E8, 100 * E8, 0, 100_000, 50 * E8, 10 * E8 // 100)  # fee 10 bps, band 10 %
SECOND_NS = 10**9


class Clock:
    def __init__(self) -> None:
        self.mono, self.unix = 1_000, 1_700_000_000 * SECOND_NS

    def mono_ns(self) -> int:
        return self.mono

    def unix_ns(self) -> int:
        return self.unix


class Log:
    def __init__(self) -> None:
        self.names: list[str] = []

    def info(self, event: str, **fields: object) -> None:
        self.names.append(event)

    warning = error = info


class Market:
    """A venue's public side, moved by the test. Its round trip is what it adds to the clock at each ping."""

    name = "acme"

    def __init__(self, clock: Clock, *, whole: bool, each_fill: bool) -> None:
        self.clock, self.fills_whole, self.execution_ms = clock, whole, (0, 0)
        self.capabilities = Capabilities(True, True, True, True, True, each_fill, 1_000)
        self.live = Book("acme", "X")
        self.live.replace([(99 * E8, 5 * E8)], [(100 * E8, 5 * E8), (102 * E8, 50 * E8)])
        self.state = MarketState("X", 100 * E8, 100 * E8, E8 // 100, "ok", 0)  # 1 % an hour, longs pay
        self.open, self.closed = True, 0
        self.round_trip_ns = 3_000_000
        self.time = VenueClock(500 * 10**6)
        self.sink: VenueSink | None = None

    async def start(self, sink: VenueSink) -> None:
        self.sink = sink
        sink.on_link(self.name, MARKET_DATA, up=True, detail="")

    def instrument(self, symbol: str) -> Instrument:
        return RULES

    def book(self, symbol: str) -> Book:
        return self.live

    def trades(self, symbol: str) -> bool:
        return self.open

    def entry_block(self, symbol: str) -> str:
        return "" if self.open else "halted"

    def market_state(self, symbol: str) -> MarketState | None:
        return self.state

    async def ping(self) -> None:
        self.clock.mono += self.round_trip_ns

    async def close(self) -> None:
        self.closed += 1


class Ear:
    def __init__(self) -> None:
        self.events: dict[str, list[OrderEvent]] = {}
        self.links: list[tuple[str, bool]] = []
        self.heard = asyncio.Event()

    def on_book(self, book: Book, received_mono_ns: int) -> None: ...
    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.events.setdefault(client_id, []).append(event)
        self.heard.set()

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        self.links.append((link, up))


class Bench:
    def __init__(self, folder: Path, *, whole: bool = False, each_fill: bool = True) -> None:
        self.clock, self.ear, self.log, self.folder = Clock(), Ear(), Log(), folder
        self.market = Market(self.clock, whole=whole, each_fill=each_fill)
        account = PaperAccount(folder / "paper.jsonl", equity_e8=1_000 * E8, unix_ns=1)
        self.venue = PaperVenue(self.market, account, leverage=2, clock=self.clock, log=self.log, rng=random.Random(1))
        self.made = 0

    def send(self, side: Side, size_e8: int, cap_e8: int, *, reduce_only: bool = False) -> str:
        self.made += 1
        client_id = ClientOrderId(f"o{self.made}")
        request = OrderRequest(
            client_id, TradeId("t"), Purpose.ENTRY, RULES, side, size_e8, cap_e8, reduce_only=reduce_only
        )
        self.venue.submit(self.venue.prepare(request, OrderStamps()))
        return client_id

    async def done(self, client_id: str) -> list[OrderEvent]:
        async with asyncio.timeout(60):
            while not isinstance(self.ear.events[client_id][-1], Closed | Rejected | NotSent):
                self.ear.heard.clear()
                await self.ear.heard.wait()
        return self.ear.events[client_id]

    async def filled(self, side: Side, size_e8: int, cap_e8: int) -> list[OrderEvent]:
        return await self.done(self.send(side, size_e8, cap_e8))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.venue.start(made.ear)
    yield made
    await made.venue.close()


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, whole=True, each_fill=False)
    await made.venue.start(made.ear)
    yield made
    await made.venue.close()


async def test_an_order_walks_the_book_within_its_cap_and_pays_the_taker_fee(bench: Bench):
    events = await bench.filled(Side.BUY, 8 * E8, 102 * E8)
    assert isinstance(events[0], Sent)
    assert isinstance(events[1], Acked)
    fills = [event for event in events if isinstance(event, FillSeen)]
    assert [(fill.price_e8, fill.size_e8, fill.fee_e8) for fill in fills] == [
        (100 * E8, 5 * E8, 50_000_000),
        (102 * E8, 3 * E8, 30_600_000),
    ]
    assert len({fill.fill_id for fill in fills}) == 2
    assert events[-1] == Closed(8 * E8, "")


async def test_an_order_meets_the_book_as_it_is_a_round_trip_later(bench: Bench):
    client_id = bench.send(Side.BUY, E8, 101 * E8)
    bench.market.live.replace([(104 * E8, E8)], [(105 * E8, E8)])
    events = await bench.done(client_id)
    assert events[-1] == Closed(0, "nothing more within the cap")


async def cycles_pass() -> None:
    """Let everything run that is due now."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_nothing_is_heard_of_an_order_before_a_round_trip_has_passed(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.market.round_trip_ns = 3_600 * SECOND_NS
    await bench.venue.start(bench.ear)
    client_id = bench.send(Side.BUY, E8, 101 * E8)
    await cycles_pass()
    assert bench.ear.events[client_id] == [Sent()]
    [order] = await bench.venue.open_orders()
    assert (order.client_id, order.leaves_e8) == (client_id, E8)
    await bench.venue.close()


async def test_a_venue_that_holds_orders_acknowledges_them_first_and_loses_them_with_the_connection(bench: Bench):
    bench.market.execution_ms = (3_600_000, 3_600_000)
    client_id = bench.send(Side.BUY, E8, 101 * E8)
    async with asyncio.timeout(60):
        while not isinstance(bench.ear.events[client_id][-1], Acked):
            bench.ear.heard.clear()
            await bench.ear.heard.wait()
    await cycles_pass()
    report = await bench.venue.look_up(ClientOrderId(client_id), 0, "X")
    assert report is not None
    assert not report.is_final
    assert bench.market.sink is not None
    bench.market.sink.on_link("acme", MARKET_DATA, up=False, detail="gone")
    assert bench.ear.events[client_id][-1] == Closed(0, "the connection was lost")
    assert await bench.venue.positions() == []


async def test_what_was_taken_is_not_there_a_second_time_until_the_venue_shows_the_level_anew(bench: Bench):
    assert (await bench.filled(Side.BUY, 4 * E8, 100 * E8))[-1] == Closed(4 * E8, "")
    assert (await bench.filled(Side.BUY, 4 * E8, 100 * E8))[-1] == Closed(E8, "nothing more within the cap")
    bench.market.live.apply([], [(100 * E8, 3 * E8)], 1)
    assert (await bench.filled(Side.BUY, 4 * E8, 100 * E8))[-1] == Closed(3 * E8, "nothing more within the cap")


async def test_a_house_pool_gives_one_price_for_the_whole_size_or_none(pool: Bench):
    events = await pool.filled(Side.BUY, 10 * E8, 102 * E8)
    [total] = [event for event in events if isinstance(event, FilledTotal)]
    assert (total.size_e8, total.notional_e8) == (10 * E8, 1_010 * E8)
    assert (await pool.filled(Side.BUY, 6 * E8, 100 * E8))[-1] == Closed(0, "the price had gone beyond the cap")


async def test_a_book_that_is_in_question_fills_nothing(bench: Bench):
    client_id = bench.send(Side.BUY, E8, 101 * E8)
    bench.market.live.invalidate("a gap")
    assert (await bench.done(client_id))[-1] == Closed(0, "no book when the order got there: a gap")


async def test_without_market_data_nothing_is_sent_and_the_loss_is_told(bench: Bench):
    assert bench.market.sink is not None
    bench.market.sink.on_link("acme", MARKET_DATA, up=False, detail="gone")
    assert bench.venue.entry_block("X") == "no market data"
    [told] = await bench.done(bench.send(Side.BUY, E8, 101 * E8))
    assert isinstance(told, NotSent)
    bench.market.sink.on_link("acme", MARKET_DATA, up=True, detail="")
    assert bench.venue.entry_block("X") == ""
    links = [(MARKET_DATA, True), (ORDERS, True), (MARKET_DATA, False), (ORDERS, False)]
    assert bench.ear.links == [*links, (MARKET_DATA, True), (ORDERS, True)]


@pytest.mark.parametrize(
    ("side", "size_e8", "cap_e8", "code"),
    [
        (Side.BUY, E8 + 1, 101 * E8, "PAPER_BAD_AMOUNT"),
        (Side.BUY, 101 * E8, 101 * E8, "PAPER_BAD_AMOUNT"),
        (Side.BUY, E8, 101 * E8 + 1, "PAPER_BAD_AMOUNT"),
        (Side.BUY, 51 * E8, 101 * E8, "PAPER_POSITION_LIMIT"),
        (Side.BUY, E8, 111 * E8, "PAPER_PRICE_BAND"),
        (Side.BUY, 20 * E8, 101 * E8, "PAPER_MARGIN"),
    ],
)
async def test_what_the_venue_would_refuse_is_refused(bench: Bench, side, size_e8, cap_e8, code):
    refused = (await bench.filled(side, size_e8, cap_e8))[-1]
    assert isinstance(refused, Rejected)
    assert refused.code == code
    assert await bench.venue.positions() == []


async def test_a_reduce_only_order_may_not_open_and_an_order_in_a_halt_is_refused(bench: Bench):
    refused = (await bench.done(bench.send(Side.BUY, E8, 101 * E8, reduce_only=True)))[-1]
    assert isinstance(refused, Rejected)
    assert refused.code == "PAPER_REDUCE_ONLY"
    bench.market.open = False
    refused = (await bench.filled(Side.BUY, E8, 101 * E8))[-1]
    assert isinstance(refused, Rejected)
    assert refused.code == "PAPER_HALTED"


async def test_an_order_that_comes_after_its_window_is_refused(bench: Bench):
    client_id = bench.send(Side.BUY, E8, 101 * E8)
    bench.clock.unix += 2 * SECOND_NS
    refused = (await bench.done(client_id))[-1]
    assert isinstance(refused, Rejected)
    assert refused.code == "PAPER_EXPIRED"


async def test_a_position_binds_margin_and_is_worth_what_the_mark_says(bench: Bench):
    await bench.filled(Side.BUY, 5 * E8, 100 * E8)
    bench.market.state = replace(bench.market.state, mark_price_e8=110 * E8)
    balance = await bench.venue.balance()
    assert balance.equity_e8 == 1_000 * E8 - E8 // 2 + 50 * E8
    assert balance.free_e8 == balance.equity_e8 - 275 * E8
    [position] = await bench.venue.positions()
    assert (position.size_e8, position.entry_price_e8) == (5 * E8, 100 * E8)


async def test_a_position_pays_the_hourly_rate_for_the_time_it_is_held(bench: Bench):
    bench.clock.unix += 5 * 3600 * SECOND_NS  # before it is held nothing is paid
    await bench.filled(Side.BUY, 4 * E8, 100 * E8)
    bench.clock.unix += 1800 * SECOND_NS
    bench.market.live.replace([(100 * E8, 5 * E8)], [(101 * E8, 5 * E8)])
    await bench.filled(Side.SELL, 4 * E8, 100 * E8)
    fees_e8 = 2 * 40_000_000
    assert (await bench.venue.balance()).equity_e8 == 1_000 * E8 - fees_e8 - 2 * E8  # 4 * 100 USD * 1 % * half an hour


async def test_its_books_add_up_to_its_cash(bench: Bench):
    await bench.filled(Side.BUY, 4 * E8, 100 * E8)
    opening = await bench.venue.money(0)
    bench.clock.unix += 1800 * SECOND_NS
    bench.market.live.replace([(101 * E8, 5 * E8)], [(102 * E8, 5 * E8)])
    await bench.filled(Side.SELL, 4 * E8, 100 * E8)
    money = await bench.venue.money(0)
    bought, sold = money.bookings
    assert (bought.client_id, bought.size_e8, bought.notional_e8) == ("o1", 4 * E8, 400 * E8)
    assert (sold.pnl_e8, sold.fee_e8, sold.funding_e8) == (4 * E8, 40_400_000, -2 * E8)
    [payment] = money.payments
    assert (payment.booking_id, payment.payment_e8) == (sold.booking_id, -2 * E8)
    assert money.cash_e8 == opening.cash_e8 + sold.pnl_e8 - sold.fee_e8 + sold.funding_e8
    assert [booked.client_id for booked in (await bench.venue.money(sold.unix_ns)).bookings] == ["o2"]


async def test_an_order_of_an_earlier_run_is_found_and_one_lost_on_its_way_is_not(tmp_path: Path):
    first = Bench(tmp_path)
    await first.venue.start(first.ear)
    await first.filled(Side.BUY, E8, 101 * E8)
    lost = first.send(Side.BUY, E8, 101 * E8)
    await first.venue.close()
    assert len(first.ear.events[lost]) == 1, "nothing is told after close"
    again = Bench(tmp_path)
    await again.venue.start(again.ear)
    report = await again.venue.look_up(ClientOrderId("o1"), 0, "X")
    assert report is not None
    assert (report.is_final, report.filled_e8, report.notional_e8) == (True, E8, 100 * E8)
    assert await again.venue.look_up(ClientOrderId(lost), 0, "X") is None
    await again.venue.close()
    assert again.market.closed == 1


async def test_a_position_goes_on_paying_while_the_bot_is_away(tmp_path: Path):
    first = Bench(tmp_path)
    await first.venue.start(first.ear)
    await first.filled(Side.BUY, 4 * E8, 100 * E8)
    await first.venue.close()
    again = Bench(tmp_path)
    again.made = 1  # its ids go on
    await again.venue.start(again.ear)
    again.clock.unix += 1800 * SECOND_NS
    again.market.live.replace([(100 * E8, 5 * E8)], [(101 * E8, 5 * E8)])
    await again.filled(Side.SELL, 4 * E8, 100 * E8)
    assert (await again.venue.balance()).equity_e8 == 1_000 * E8 - 2 * 40_000_000 - 2 * E8
    await again.venue.close()
