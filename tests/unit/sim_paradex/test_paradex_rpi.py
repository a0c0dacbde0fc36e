"""RPI orders: who may place them, who sees them, who meets them, and at what fee. And how paced books group prices."""

from dataclasses import replace

import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import ALICE, BOB, BTC, ONE_LEVEL, Bench, e8

from deltawire.core.book import Book
from deltawire.core.money import BPS_E8, E8
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_rules import Depth, Fees
from deltawire.venues.paradex import records

SETTINGS = replace(ONE_LEVEL, rpi_orders=True, fees_rpi=Fees(maker_e8=1_000, taker_e8=0))
RPI = {"instruction": "RPI", "rank": Rank.RPI}


@pytest.fixture
def bench() -> Bench:
    """A book of 100000 to 100010, one coin each side."""
    return Bench(SETTINGS)


def test_only_whitelisted_accounts_place_rpi_orders():
    worlds = [World(replace(ONE_LEVEL, rpi_orders=allowed)) for allowed in (False, True)]
    for world, code in zip(worlds, ("RPI_ACCOUNT_NOT_WHITELISTED", None), strict=True):
        order = world.order(Side.SELL, "0.1", "100005", instruction="RPI")
        assert world.http("POST", "/orders", world.token(), order).body.get("error") == code
    [resting] = worlds[1].account.orders.values()
    assert (resting.status, resting.rank) == ("OPEN", Rank.RPI)


def test_a_pro_taker_walks_past_a_better_rpi_price_and_a_retail_one_takes_it(bench):
    resting = bench.rest(Side.SELL, "0.1", "100005", account=BOB, **RPI)
    pro = bench.buy("0.2", "100010")
    assert [fill.price_e8 for fill in bench.fills_of(pro)] == [e8("100010")]
    assert resting.filled_e8 == 0
    retail = bench.buy("0.2", "100010", rank=Rank.RETAIL)
    assert [fill.price_e8 for fill in bench.fills_of(retail)] == [e8("100005"), e8("100010")]
    assert resting.status == "CLOSED"


def test_an_rpi_fill_says_so_on_both_sides_and_in_public(bench):
    resting = bench.rest(Side.SELL, "0.1", "100005", account=BOB, **RPI)
    retail = bench.buy("0.2", "100010", rank=Rank.RETAIL)
    maker, (taker, plain) = bench.fills_of(resting)[0], bench.fills_of(retail)
    assert (maker.fill_type, maker.is_rpi, maker.fee_e8) == ("RPI", True, e8("0.100005"))  # 0.1 bps of 10000.5
    assert (taker.fill_type, taker.is_rpi, taker.is_retail, taker.fee_e8) == ("RPI", True, True, 0)
    assert (plain.fill_type, plain.is_rpi) == ("FILL", False)
    trades = [update.trade for update in bench.book if update.trade]
    assert [trade.is_rpi for trade in trades] == [True, False]


def test_at_one_price_rpi_is_filled_last_however_old_it_is(bench):
    old = bench.rest(Side.SELL, "0.1", "100005", account=BOB, **RPI)
    young = bench.rest(Side.SELL, "0.1", "100005", account=BOB)
    bench.buy("0.15", "100005", rank=Rank.RETAIL)
    assert (young.filled_e8, old.filled_e8) == (e8("0.1"), e8("0.05"))


def test_rpi_rests_across_the_visible_book_by_five_bps_at_most(bench):
    near = bench.rest(Side.BUY, "0.1", "100060", **RPI)  # 100010 and 5 bps are 100060.005
    far = bench.buy("0.1", "100060.1", **RPI)
    assert (near.status, near.filled_e8) == ("OPEN", 0)
    assert (far.status, far.cancel_reason) == ("CLOSED", "POST_ONLY_WOULD_CROSS")
    assert bench.sell("0.1", "100060", account=BOB).filled_e8 == 0
    assert bench.sell("0.1", "100060", account=BOB, rank=Rank.RETAIL).filled_e8 == e8("0.1")


def test_a_retail_post_only_order_may_not_take_rpi_either(bench):
    bench.rest(Side.SELL, "0.1", "100005", account=BOB, **RPI)
    assert bench.buy("0.1", "100006", instruction="POST_ONLY").status == "OPEN"  # Pro does not see it
    refused = bench.buy("0.1", "100007", instruction="POST_ONLY", rank=Rank.RETAIL)
    assert refused.cancel_reason == "POST_ONLY_WOULD_CROSS"


def test_rpi_is_cancelled_modified_and_kept_from_its_own_account_like_any_order(bench):
    own = bench.rest(Side.SELL, "0.1", "100005", **RPI)
    assert bench.buy("0.1", "100005", rank=Rank.RETAIL).cancel_reason == "SELF_TRADE"
    bench.exchange.modify(own, e8("0.2"), e8("100004"))
    book = bench.exchange.markets[BTC].book
    assert book.best(Side.SELL, with_rpi=True) == (e8("100004"), e8("0.2"))
    assert bench.exchange.cancel(own)
    assert book.best(Side.SELL, with_rpi=True) == book.best(Side.SELL) == (e8("100010"), E8)


def test_the_sequence_of_everybody_elses_feeds_stays_whole(bench):
    book = bench.exchange.markets[BTC].book
    shown = Book("paradex", BTC)
    shown.replace(book.levels(Side.BUY), book.levels(Side.SELL), book.seq)
    bench.book.clear()
    bench.rest(Side.SELL, "0.1", "100005", account=BOB, **RPI)
    bench.buy("0.2", "100010", rank=Rank.RETAIL)
    assert [update.seq for update in bench.book] == list(range(bench.book[0].seq, bench.book[0].seq + 3))
    assert [update.best_changed for update in bench.book] == [False, False, True]
    assert [update.asks for update in bench.book] == [(), (), ((e8("100010"), e8("0.9")),)]
    for update in bench.book:
        shown.apply(update.bids, update.asks, update.seq)
        assert shown.valid
    assert shown.asks == book.levels(Side.SELL)


# --- who sees them ---


def show_rpi(world):
    """Place an RPI ask of 0.3 at 99999, across the visible 100000 to 100010."""
    order = world.order(Side.SELL, "0.3", "99999", instruction="RPI")
    assert world.http("POST", "/orders", world.token(), order).status == 201
    world.clock.advance(0.05)


def test_only_the_interactive_feed_shows_rpi():
    world = World(SETTINGS)
    books = [f"order_book.{BTC}.{feed}" for feed in ("deltas", "snapshot@15@50ms", "deltas@15@50ms")]
    visible = [world.connect(name) for name in (f"bbo.{BTC}", *books)]
    interactive = world.connect(f"order_book.{BTC}.interactive@15@50ms")
    show_rpi(world)
    for wire in visible:
        for record in wire.records():
            prices = [price for price, _ in [*getattr(record, "bids", []), *getattr(record, "asks", [])]]
            assert 99_999 * E8 not in prices
            assert getattr(record, "ask", None) in {None, (100_010 * E8, E8)}
            assert getattr(record, "best_ask", None) is None
    last = interactive.records(records.BookUpdate)[-1]
    assert (last.is_snapshot, last.asks) == (True, [(99_999 * E8, 3 * E8 // 10), (100_010 * E8, E8)])
    assert (last.best_bid, last.best_ask) == ((100_000 * E8, E8), (99_999 * E8, 3 * E8 // 10))
    assert (last.best_bid_api, last.best_ask_api) == ((100_000 * E8, E8), (100_010 * E8, E8))
    assert last.relative_spread_e8 == -1_000  # 1 of 99999.5, crossed


def test_rest_shows_rpi_on_the_interactive_paths_only():
    world = World(SETTINGS)
    show_rpi(world)
    plain, interactive = (world.http("GET", f"/orderbook/{BTC}{path}").body for path in ("", "/interactive"))
    assert plain["asks"] == [["100010", "1"]]
    assert interactive["asks"] == [["99999", "0.3"], ["100010", "1"]]
    for body in (plain, interactive):
        assert (body["best_ask_api"], body["best_ask_interactive"]) == (["100010", "1"], ["99999", "0.3"])
    asks = [world.http("GET", f"/bbo/{BTC}{path}").body["ask"] for path in ("", "/interactive")]
    assert asks == ["100010", "99999"]


def test_the_public_trade_of_an_rpi_order_has_its_type():
    world = World(SETTINGS)
    show_rpi(world)
    wire = world.connect(f"trades.{BTC}")
    world.exchange.add_account(BOB, 2, 100_000 * E8)
    bench = Bench(SETTINGS)
    request = replace(bench.request(Side.BUY, "0.1", "100000", account=BOB), rank=Rank.RETAIL)
    world.exchange.execute(world.exchange.accept(request))
    assert [trade.trade_type for trade in wire.records(records.Trade)] == ["RPI"]
    assert world.http("GET", "/trades", market=BTC).body["results"][0]["trade_type"] == "RPI"


def test_the_recorded_market_can_quote_rpi_inside_its_spread():
    bench = Bench(replace(SETTINGS, depth=Depth(levels=1, rpi_improve_e8=BPS_E8 // 5)))  # 0.2 bps: 2 of 100000
    book = bench.exchange.markets[BTC].book
    assert (book.best(Side.BUY, with_rpi=True), book.best(Side.SELL, with_rpi=True)) == (
        (e8("100002"), E8),
        (e8("100008"), E8),
    )
    assert bench.buy("0.4", "100010", rank=Rank.RETAIL).average_price_e8 == e8("100008")
    assert bench.buy("0.4", "100010", account=ALICE).average_price_e8 == e8("100010")
    bench.tick("99990", "100000")
    assert book.best(Side.SELL, with_rpi=True) == (e8("99998"), E8)


# --- grouping ---


def test_a_paced_book_groups_prices_away_from_the_spread():
    world = World(replace(ONE_LEVEL, depth=Depth(levels=3)))  # asks 100010, 100020.1, 100030.1
    wire = world.connect(f"order_book.{BTC}.snapshot@15@100ms@100")
    [first] = wire.records(records.BookUpdate)
    assert first.bids == [(100_000 * E8, E8), (99_900 * E8, 5 * E8)]  # 1 at 100000, then 2 and 3 below it
    assert first.asks == [(100_100 * E8, 6 * E8)]
    tenths = world.http("GET", f"/orderbook/{BTC}", price_tick="1").body
    assert tenths["asks"] == [["100010", "1"], ["100021", "2"], ["100031", "3"]]
    assert world.http("GET", f"/orderbook/{BTC}", price_tick="x").body["error"] == "INVALID_REQUEST_PARAMETER"


@pytest.mark.parametrize(("tick", "known"), [("0_1", True), ("10", True), ("0.1", False), ("7", False), ("", False)])
def test_only_the_venues_ticks_group(tick, known):
    answer = World().connect().call("subscribe", channel=f"order_book.{BTC}.deltas@15@50ms@{tick}")
    assert ("result" in answer) is known


def test_grouped_deltas_add_up_to_the_grouped_book():
    world = World(replace(ONE_LEVEL, depth=Depth(levels=5)))
    wire = world.connect(f"order_book.{BTC}.deltas@15@50ms@10")
    shown = Book("paradex", BTC)
    for bid, ask in (("100003", "100017"), ("99988", "100002"), ("99991", "99999")):
        world.tick(bid, ask)
        world.clock.advance(0.05)
    for n, update in enumerate(wire.records(records.BookUpdate)):
        assert update.is_snapshot == (n == 0)
        if update.is_snapshot:
            shown.replace(update.bids, update.asks, update.seq)
        else:
            shown.apply(update.bids, update.asks, update.seq)
    whole = world.connect(f"order_book.{BTC}.snapshot@15@50ms@10").records(records.BookUpdate)[0]
    assert (shown.bids, shown.asks) == (whole.bids, whole.asks)
