"""The adapter against the simulated Paradex on real sockets: the second road, batches, modify, mass cancels."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import trustme
from tests.unit.paradex.paradex_fake import E8, MemoryLog, MemorySink, RealClock

from deltawire.core.events import Acked, FillSeen, InDoubt, Rejected
from deltawire.core.money import notional_e8, rate_of_e8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId, VenueOrderId
from deltawire.net.sockets import SocketNetwork
from deltawire.sim.credentials import paradex_keys
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.paradex_rules import CHAIN_ID, Depth, ParadexSimSettings
from deltawire.sim.paradex_server import ParadexSim
from deltawire.venues.contract import PreparedOrder, Refused
from deltawire.venues.paradex import rpc, wire_many
from deltawire.venues.paradex.calls import OrderCalls
from deltawire.venues.paradex.records import Order
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import OrderClass, ParadexSettings
from deltawire.venues.paradex.signing import Signer

BTC = "BTC-USD-PERP"
SIZE_E8 = E8 // 100
BID_E8, ASK_E8 = 100_000 * E8, 100_010 * E8


class LoopClock(RealClock):
    def call_later(self, delay_s: float, fn: Callable[[], None], /) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, fn)


class Bench:
    """A simulator, one account, and adapters on it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.faults, self.keys, self.log = Faults(), paradex_keys(), MemoryLog()
        self.market = market = Market(("BTC",))
        market.publish("paradex", "BTC", Quote(BID_E8, E8, ASK_E8, E8))
        settings = ParadexSimSettings(funding_rate_e8=0, depth=Depth(levels=1))
        self.sim = ParadexSim(clock=LoopClock(), market=market, faults=self.faults, settings=settings, log=self.log)
        self.sim.add_account(self.keys.account_address, self.keys.public_key, 100_000 * E8)
        self.signer = Signer(self.keys.private_key, hex(self.keys.account_address), CHAIN_ID)
        self.sink = MemorySink()
        self.venue: ParadexVenue
        self.rest_port = self.ws_port = self.made = 0
        self._tls, self._signed_ms = tls, time.time_ns() // 10**6

    async def adapter(self, **changes: object) -> ParadexVenue:
        network = SocketNetwork(now_ns=time.monotonic_ns, ssl_context=self._tls, rng=random.Random(1))
        settings = ParadexSettings(
            rest_url=f"https://localhost:{self.rest_port}/v1",
            ws_url=f"wss://localhost:{self.ws_port}/v1",
            account_address=hex(self.keys.account_address),
            private_key=self.keys.private_key,
            symbols=(BTC,),
            reconnect_floor_s=30.0,  # a lost socket stays lost
            reconnect_ceiling_s=30.0,
            rest_connections=1,
        )
        settings = replace(settings, **changes)  # type: ignore[arg-type]  # the test's own words
        http = network.rest(f"https://localhost:{self.rest_port}")
        self.venue = ParadexVenue(
            settings, network=network, http=http, clock=RealClock(), log=self.log, rng=random.Random(1)
        )
        await self.venue.start(self.sink)
        return self.venue

    @property
    def calls(self) -> OrderCalls:
        assert self.venue.calls is not None
        return self.venue.calls

    async def lose_order_socket(self) -> None:
        self.faults.add(Fault("paradex", "drop_stream", params={"link": "orders"}))
        await self.sink.until(lambda: ("orders", False) in self.sink.links)

    def request(self, purpose: Purpose = Purpose.EXIT, price_e8: int = ASK_E8) -> OrderRequest:
        self.made += 1
        return OrderRequest(
            client_id=ClientOrderId(f"o-{self.made}"),
            trade_id=TradeId("t"),
            purpose=purpose,
            instrument=self.venue.instrument(BTC),
            side=Side.BUY,
            size_e8=SIZE_E8,
            cap_price_e8=price_e8,
        )

    def submit(self, **fields: object) -> ClientOrderId:
        request = self.request(**fields)  # type: ignore[arg-type]  # the test's own words
        self.venue.submit(self.venue.prepare(request, OrderStamps()))
        return request.client_id

    def resting(self, price_e8: int = 90_000 * E8, *, signed_by: Signer | None = None) -> PreparedOrder:
        """Prepare an order that rests on the book, which the adapter itself never makes."""
        request = self.request(price_e8=price_e8)
        self._signed_ms += 1
        signer = signed_by or self.signer
        payload = rpc.encode_order_create(
            self._signed_ms,
            market=BTC,
            side=request.side,
            size_e8=SIZE_E8,
            price_e8=price_e8,
            signature=signer.sign_order(self._signed_ms, BTC, request.side, "LIMIT", SIZE_E8, price_e8),
            signature_timestamp_ms=self._signed_ms,
            client_id=request.client_id,
            instruction="GTC",
        )
        return PreparedOrder(request, self._signed_ms, self._signed_ms, payload, 5_000, OrderStamps())

    async def rest(self, count: int, *, over_rest: bool = False) -> list[VenueOrderId]:
        """Put so many orders on the book: as one batch, or by REST after the order socket is lost."""
        batch = [self.resting() for _ in range(count)]
        if over_rest:
            await self.lose_order_socket()
            for order in batch:
                self.venue.submit(order)
                await self.acked(order.request.client_id)
        else:
            await self.calls.create_batch(batch)
        await self.until_open(count)
        acks = [event for _, event in self.sink.orders if isinstance(event, Acked)]
        return [ack.venue_order_id for ack in acks]

    async def acked(self, client_id: str) -> None:
        await self.sink.until(lambda: "Acked" in self.sink.kinds(client_id))

    async def until_open(self, count: int) -> None:
        await self.sink.until(lambda: self.live == count)

    @property
    def live(self) -> int:
        return int(self.sim.state()["accounts"][hex(self.keys.account_address)]["orders_live"])


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def bench(ca: trustme.CA) -> AsyncIterator[Bench]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)
    bench = Bench(client)
    bench.rest_port, bench.ws_port = await bench.sim.start(server)
    await bench.adapter()
    yield bench
    await bench.venue.close()
    await bench.sim.stop()


async def test_an_exit_is_filled_over_rest_and_found_by_a_look_up(bench):
    await bench.lose_order_socket()
    client_id = bench.submit()
    await bench.sink.until(lambda: bench.sink.kinds(client_id) == ["Sent", "Acked", "InDoubt"])
    report = await bench.venue.look_up(client_id, time.time_ns() // 10**6, BTC)
    assert report is not None
    assert (report.is_final, report.filled_e8) == (True, SIZE_E8)
    assert "in doubt" not in bench.venue.entry_block(BTC)


async def test_a_refusal_over_rest_is_understood(bench):
    await bench.lose_order_socket()
    client_id = bench.submit(price_e8=ASK_E8 + 1)  # off the tick
    await bench.sink.until(lambda: "Rejected" in bench.sink.kinds(client_id))


async def test_a_batch_is_taken_and_its_news_told_order_by_order(bench):
    batch = [bench.resting() for _ in range(3)]
    items = await bench.calls.create_batch(batch)
    assert [item.client_id for item in items] == [order.request.client_id for order in batch]
    for order in batch:
        assert bench.sink.of(order.request.client_id)[1] == Acked(items[batch.index(order)].order_id)
    await bench.until_open(3)


async def test_one_bad_signature_refuses_the_whole_batch(bench):
    stranger = Signer(paradex_keys().private_key, hex(bench.keys.account_address), CHAIN_ID)
    batch = [bench.resting(), bench.resting(signed_by=stranger)]
    items = await bench.calls.create_batch(batch)
    assert [type(item) for item in items] == [Rejected, Rejected]
    assert [bench.sink.kinds(order.request.client_id) for order in batch] == [["Sent", "Rejected"]] * 2
    assert bench.live == 0


async def test_in_a_batch_each_order_stands_alone_after_the_signatures(bench):
    good, twin = bench.resting(), bench.resting(price_e8=90_000 * E8 + 1)  # off the tick
    items = await bench.calls.create_batch([good, twin])
    assert isinstance(items[0], Order)
    assert isinstance(items[1], Rejected | InDoubt)
    await bench.until_open(1)


@pytest.mark.parametrize("count", [0, wire_many.BATCH_MAX + 1])
async def test_a_batch_of_a_wrong_size_is_not_sent(bench, count):
    with pytest.raises(ValueError, match="1 to 10"):
        await bench.calls.create_batch([bench.resting() for _ in range(count)])
    assert bench.sink.orders == []


async def test_no_batch_leaves_without_the_order_socket(bench):
    await bench.lose_order_socket()
    with pytest.raises(ConnectionError):
        await bench.calls.create_batch([bench.resting()])
    assert bench.sink.orders == []


async def test_an_order_of_a_batch_is_not_sent_again(bench):
    order = bench.resting()
    await bench.calls.create_batch([order])
    with pytest.raises(ValueError, match="submitted before"):
        await bench.calls.create_batch([order])


@pytest.mark.parametrize("over_rest", [False, True])
async def test_a_resting_order_is_modified_over_either_road(bench, over_rest):
    (order_id,) = await bench.rest(1, over_rest=over_rest)
    modified = await bench.calls.modify(order_id, BTC, Side.BUY, 2 * SIZE_E8, 91_000 * E8)
    assert (modified.size_e8, modified.price_e8) == (2 * SIZE_E8, 91_000 * E8)
    (shown,) = await bench.venue.open_orders()
    assert shown.leaves_e8 == 2 * SIZE_E8


@pytest.mark.parametrize("over_rest", [False, True])
async def test_all_orders_are_cancelled_over_either_road(bench, over_rest):
    await bench.rest(3, over_rest=over_rest)
    await bench.calls.cancel_all("ETH-USD-PERP")
    assert bench.live == 3
    await bench.calls.cancel_all(BTC)
    await bench.until_open(0)


@pytest.mark.parametrize("over_rest", [False, True])
async def test_named_orders_are_cancelled_over_either_road_with_an_outcome_each(bench, over_rest):
    first, second, _ = await bench.rest(3, over_rest=over_rest)
    outcomes = await bench.calls.cancel_batch([first, second, "17"])
    assert [(outcome.order_id, outcome.status) for outcome in outcomes] == [
        (first, wire_many.QUEUED),
        (second, wire_many.QUEUED),
        ("17", wire_many.NOT_FOUND),
    ]
    await bench.until_open(1)


async def test_a_modify_of_an_unknown_order_is_refused(bench):
    with pytest.raises(Refused):
        await bench.calls.modify("17", BTC, Side.BUY, SIZE_E8, 91_000 * E8)


async def test_closing_cancels_our_open_orders_and_no_others(bench):
    await bench.rest(2, over_rest=True)
    first = bench.venue
    await bench.adapter()
    await bench.calls.create_batch([bench.resting()])
    await bench.until_open(3)
    await first.close()
    await bench.until_open(1)


async def test_a_release_stops_entries_and_tells_why(bench):
    bench.faults.add(Fault("paradex", "maintenance", params={"mode": "post_only", "ms": 60_000}))
    client_id = bench.submit(purpose=Purpose.ENTRY)
    await bench.sink.until(lambda: "Rejected" in bench.sink.kinds(client_id))
    assert bench.venue.entry_block(BTC) == "system state is post_only"


async def test_retail_orders_wait_three_hundred_milliseconds_and_pay_nothing(bench):
    await bench.venue.close()
    await bench.adapter(order_class=OrderClass.RETAIL)
    assert bench.venue.instrument(BTC).fee_rate_taker_e8 == 0
    sent_ns = time.monotonic_ns()
    client_id = bench.submit()
    await bench.sink.until(lambda: "Closed" in bench.sink.kinds(client_id))
    assert time.monotonic_ns() - sent_ns >= 300_000_000
    (fill,) = [event for event in bench.sink.of(client_id) if type(event).__name__ == "FillSeen"]
    assert fill.fee_e8 == 0


def submit_as(bench: Bench, order_class: str, purpose: Purpose = Purpose.ENTRY) -> ClientOrderId:
    prepared = bench.venue.prepare(bench.request(purpose), OrderStamps())
    prepared.order_class = order_class
    bench.venue.submit(prepared)
    return prepared.request.client_id


def fees_of(bench: Bench, client_id: ClientOrderId) -> list[int]:
    return [event.fee_e8 for event in bench.sink.of(client_id) if isinstance(event, FillSeen)]


async def test_side_by_side_a_retail_order_waits_and_is_free_and_a_pro_order_is_at_once_and_pays(bench):
    await bench.venue.close()
    venue = await bench.adapter(order_class=OrderClass.BY_EDGE)
    slow = venue.slow_class(BTC)
    assert slow is not None
    assert (slow.name, slow.delay_ms, slow.fee_rate_taker_e8) == ("retail", 300, 0)
    assert venue.slow_block(BTC) == venue.entry_block(BTC) == ""
    sent_ns = time.monotonic_ns()
    retail = submit_as(bench, "retail")
    pro = submit_as(bench, "")
    await bench.sink.until(lambda: all("Closed" in bench.sink.kinds(one) for one in (retail, pro)))
    ended = [client_id for client_id, event in bench.sink.orders if type(event).__name__ == "Closed"]
    assert ended == [pro, retail], "the second to leave overtook the first"
    assert time.monotonic_ns() - sent_ns >= 300_000_000
    rate_e8 = venue.instrument(BTC).fee_rate_taker_e8
    assert rate_e8 > 0
    assert fees_of(bench, retail) == [0]
    assert fees_of(bench, pro) == [rate_of_e8(notional_e8(ASK_E8, SIZE_E8), rate_e8)]


async def test_an_order_signed_ahead_of_the_choice_is_good_for_either_class(bench):
    await bench.venue.close()
    venue = await bench.adapter(order_class=OrderClass.BY_EDGE)
    signed = [venue.presign(bench.request(Purpose.ENTRY))() for _ in range(2)]
    signed[1].order_class = "retail"
    for prepared in signed:
        venue.submit(prepared)
    ids = [prepared.request.client_id for prepared in signed]
    await bench.sink.until(lambda: all("Closed" in bench.sink.kinds(one) for one in ids))
    assert [fee > 0 for one in ids for fee in fees_of(bench, one)] == [True, False]


async def test_retail_orders_are_counted_apart(bench):
    await bench.venue.close()
    venue = await bench.adapter(order_class=OrderClass.BY_EDGE)
    sent = [submit_as(bench, "retail"), submit_as(bench, ""), submit_as(bench, "retail")]
    await bench.sink.until(lambda: all("Closed" in bench.sink.kinds(one) for one in sent))
    # Of the buckets that refill slowly enough to be looked at in real time.
    left = {report.size: report.left for report in venue.budgets() if report.name == "retail orders"}
    assert left[1_000] == 998


async def test_a_retail_order_that_pays_was_made_a_pro_order_and_no_more_are_tried(bench):
    await bench.venue.close()
    venue = await bench.adapter(order_class=OrderClass.BY_EDGE)
    sent = [
        submit_as(bench, "retail") for _ in range(12)
    ]  # the budget, had it been asked, would have stopped the fourth
    await bench.sink.until(lambda: all("Closed" in bench.sink.kinds(one) for one in sent))
    assert [fee for one in sent[:3] for fee in fees_of(bench, one)] == [0, 0, 0]
    assert any(fee > 0 for one in sent for fee in fees_of(bench, one))
    assert venue.slow_block(BTC) == "the venue refused for the rate of retail orders"
    assert venue.entry_block(BTC) == ""


async def test_a_bust_is_heard(bench):
    client_id = bench.submit()
    await bench.sink.until(lambda: "Closed" in bench.sink.kinds(client_id))
    bench.faults.add(Fault("paradex", "bust"))
    await bench.sink.until(lambda: "taken back" in bench.venue.entry_block(BTC))


async def test_two_lines_make_one_book(bench):
    await bench.venue.close()
    venue = await bench.adapter(feed_connections=2)
    book = venue.book(BTC)
    await bench.sink.until(lambda: book.valid)
    told = len(bench.sink.books)
    for step in range(1, 20):
        bench.market.publish("paradex", "BTC", Quote(BID_E8 + step * E8, E8, ASK_E8 + step * E8, E8))
    await bench.sink.until(lambda: book.valid and book.bids[0][0] == BID_E8 + 19 * E8)
    assert (BTC, False) not in bench.sink.books[told:]
    await bench.sink.until(lambda: venue.market_state(BTC) is not None)


async def test_with_two_order_sockets_a_fill_told_twice_counts_once_and_entries_stop_when_both_are_lost(bench):
    await bench.venue.close()
    venue = await bench.adapter(order_connections=2)
    first = bench.submit()
    await bench.sink.until(lambda: "Closed" in bench.sink.kinds(first))
    assert bench.sink.kinds(first).count("FillSeen") == 1  # told on both sockets, counted once
    bench.faults.add(Fault("paradex", "drop_stream", params={"link": "orders"}))  # of all order sockets
    await bench.sink.until(lambda: "the order socket is down" in venue.entry_block(BTC))


async def test_the_books_tell_what_each_fill_did_to_the_cash(bench):
    since_ns = time.time_ns() - 60 * 10**9
    before = await bench.venue.money(since_ns)
    await bench.lose_order_socket()
    client_id = bench.submit()
    await bench.sink.until(lambda: bench.sink.kinds(client_id) == ["Sent", "Acked", "InDoubt"])
    report = await bench.venue.look_up(client_id, time.time_ns() // 10**6, BTC)
    after = await bench.venue.money(since_ns)
    [booking] = after.bookings
    assert (before.bookings, before.cash_e8) == ((), 100_000 * E8)
    assert (booking.client_id, booking.symbol, booking.size_e8) == (client_id, BTC, SIZE_E8)
    assert (booking.notional_e8, booking.fee_e8) == (report.notional_e8, report.fee_e8)
    assert after.cash_e8 - before.cash_e8 == booking.pnl_e8 - booking.fee_e8 + booking.funding_e8
    assert (after.payments, after.moved_e8, after.step_e8) == ((), {}, 1)
