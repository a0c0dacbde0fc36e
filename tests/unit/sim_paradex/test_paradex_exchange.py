"""Orders at the simulated Paradex by plain calls: who trades with whom, at what price and fee, and what is told."""

import pytest
from tests.unit.sim_paradex.venue import ALICE, BOB, BTC, EXPIRE_BOTH, EXPIRE_MAKER, Bench, e8, quote

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.sim.paradex_accounts import AccountView, PositionView, SimFill, SimOrder
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_rest_public import market_rules
from deltawire.sim.paradex_rules import ApiRefusal, Depth, ParadexSimSettings

DEEP = ParadexSimSettings(depth=Depth(levels=3))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refusal(bench, side, size, price="0", **fields):
    with pytest.raises(ApiRefusal) as refused:
        bench.exchange.accept(bench.request(side, size, price, **fields))
    return refused.value.code


# --- taking ---


def test_an_ioc_that_is_larger_than_what_crosses_fills_partly_and_the_rest_is_cancelled(bench):
    order = bench.buy("1.5", "100010")
    assert (order.status, order.cancel_reason) == ("CLOSED", "REMAINING_IOC_CANCEL")
    assert (order.filled_e8, order.leaves_e8) == (E8, E8 // 2)
    assert order.average_price_e8 == e8("100010")


def test_an_ioc_that_does_not_cross_is_cancelled_whole(bench):
    order = bench.buy("0.1", "100009.9")
    assert (order.status, order.cancel_reason, order.filled_e8) == ("CLOSED", "REMAINING_IOC_CANCEL", 0)


def test_a_walk_through_the_levels_has_the_exact_average():
    bench = Bench(DEEP)
    asks = bench.exchange.markets[BTC].book.levels(Side.SELL)
    assert asks == [(e8("100010"), E8), (e8("100020.1"), 2 * E8), (e8("100030.1"), 3 * E8)]
    order = bench.buy("2", "100030.1")
    assert order.average_price_e8 == (asks[0][0] + asks[1][0]) // 2
    assert [fill.price_e8 for fill in bench.fills_of(order)] == [asks[0][0], asks[1][0]]
    assert [fill.order_leaves_e8 for fill in bench.fills_of(order)] == [E8, 0]


def test_a_market_order_walks_within_the_band_only(bench):
    bench.rest(Side.SELL, "1", "104000", account=BOB)
    bench.rest(Side.SELL, "1", "106000", account=BOB)  # beyond 5 % over the mark of 100005
    order = bench.buy("3")
    assert (order.filled_e8, order.cancel_reason) == (2 * E8, "REMAINING_IOC_CANCEL")


def test_a_market_order_that_meets_nothing_says_so(bench):
    bench.buy("1", "100010", account=BOB)
    assert bench.buy("0.1").cancel_reason == "EMPTY_MARKET"


def test_liquidity_taken_stays_taken_until_that_level_ticks(bench):
    bench.buy("0.4", "100010")
    bench.tick("100001", "100010")  # the bid ticks, the ask is quoted as before
    assert bench.exchange.markets[BTC].book.best(Side.SELL) == (e8("100010"), e8("0.6"))
    bench.tick("100001", "100010", ask_size="1.1")
    assert bench.exchange.markets[BTC].book.best(Side.SELL) == (e8("100010"), e8("1.1"))


def test_a_recorded_price_off_the_tick_never_narrows_the_spread(bench):
    bench.tick("100000.07", "100000.13", bid_size="1.000019")
    book = bench.exchange.markets[BTC].book
    assert book.best(Side.BUY) == (e8("100000"), e8("1.00001"))
    assert book.best(Side.SELL) == (e8("100000.2"), E8)


@pytest.mark.parametrize("bad", [quote("100010", "100000"), quote("100", "100"), quote(bid_size="0")])
def test_a_quote_that_is_none_is_counted_and_changes_nothing(bench, bad):
    before = bench.exchange.markets[BTC].book.seq
    bench.exchange.on_quote("BTC", bad)
    bench.exchange.on_quote("DOGE", quote())
    assert bench.exchange.markets[BTC].book.seq == before
    assert bench.exchange.counters["quotes_ignored"] == 2


# --- resting ---


def test_better_price_first_then_the_older_order(bench):
    late = bench.rest(Side.BUY, "0.1", "100001")
    early_worse = bench.rest(Side.BUY, "0.1", "100000.5")
    later = bench.rest(Side.BUY, "0.1", "100001")
    bench.sell("0.25", "100000.5", account=BOB)
    assert (late.filled_e8, later.filled_e8, early_worse.filled_e8) == (e8("0.1"), e8("0.1"), e8("0.05"))
    assert (late.status, later.status, early_worse.status) == ("CLOSED", "CLOSED", "OPEN")


def test_a_retail_order_goes_before_an_older_one_at_its_price_only(bench):
    pro = bench.rest(Side.BUY, "0.1", "100001")
    retail = bench.rest(Side.BUY, "0.1", "100001", rank=Rank.RETAIL)
    best = bench.rest(Side.BUY, "0.1", "100002")
    bench.sell("0.2", "100001", account=BOB)
    assert (best.filled_e8, retail.filled_e8, pro.filled_e8) == (e8("0.1"), e8("0.1"), 0)


def test_the_recorded_market_keeps_its_place_before_a_later_order(bench):
    order = bench.rest(Side.BUY, "0.1", "100000")
    bench.sell("0.9", "100000", account=BOB)
    assert order.filled_e8 == 0
    bench.sell("0.2", "100000", account=BOB)
    assert order.filled_e8 == e8("0.1")


def test_a_resting_order_fills_at_its_price_as_maker_when_the_market_crosses_it(bench):
    order = bench.rest(Side.SELL, "0.4", "100015")
    bench.tick("100020", "100030")
    [fill] = bench.fills_of(order)
    assert (order.status, fill.price_e8, fill.is_maker) == ("CLOSED", e8("100015"), True)
    assert fill.fee_e8 == e8("100015") * 4 // 10 * 3_000 // E8
    book = bench.exchange.markets[BTC].book
    assert book.best(Side.BUY) == (e8("100020"), e8("0.6"))  # the quote less what it took
    assert book.best(Side.SELL) == (e8("100030"), E8)


def test_a_resting_order_larger_than_the_crossing_quote_keeps_its_rest(bench):
    order = bench.rest(Side.SELL, "3", "100015")
    bench.tick("100020", "100030")
    assert (order.status, order.filled_e8) == ("OPEN", E8)
    book = bench.exchange.markets[BTC].book
    assert (book.best(Side.BUY), book.best(Side.SELL)) == (None, (e8("100015"), 2 * E8))


def test_post_only_rests_or_is_cancelled_never_takes(bench):
    crossing = bench.buy("0.1", "100010", instruction="POST_ONLY")
    assert (crossing.status, crossing.cancel_reason) == ("CLOSED", "POST_ONLY_WOULD_CROSS")
    assert bench.buy("0.1", "100009.9", instruction="POST_ONLY").status == "OPEN"


def test_a_cancel_takes_the_order_out_once(bench):
    order = bench.rest(Side.BUY, "0.1", "100005")
    assert bench.exchange.cancel(order)
    assert (order.status, order.cancel_reason) == ("CLOSED", "USER_CANCELED")
    assert not bench.exchange.cancel(order)
    assert bench.exchange.markets[BTC].book.best(Side.BUY) == (e8("100000"), E8)


def test_an_order_cancelled_before_it_is_executed_never_trades(bench):
    order = bench.exchange.accept(bench.request(Side.BUY, "0.1", "100010"))
    bench.exchange.cancel(order)
    bench.exchange.execute(order)
    assert (order.status, order.filled_e8) == ("CLOSED", 0)


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [(None, ("CLOSED", 0), "OPEN"), (EXPIRE_MAKER, ("CLOSED", E8), "CLOSED"), (EXPIRE_BOTH, ("CLOSED", 0), "CLOSED")],
)
def test_an_account_never_trades_with_itself(bench, mode, taker, maker):
    own = bench.rest(Side.SELL, "1", "100005")
    order = bench.buy("1", "100010", **({"self_trade": mode} if mode else {}))
    assert (order.status, order.filled_e8) == taker
    assert own.status == maker
    assert own.filled_e8 == 0
    assert order.cancel_reason == ("" if mode is EXPIRE_MAKER else "SELF_TRADE")


def test_a_modified_order_moves_to_the_back_with_its_id(bench):
    first = bench.rest(Side.BUY, "0.1", "100001")
    second = bench.rest(Side.BUY, "0.1", "100001")
    bench.exchange.modify(first, e8("0.2"), e8("100001"))
    bench.sell("0.15", "100001", account=BOB)
    assert (second.filled_e8, first.filled_e8, first.leaves_e8) == (e8("0.1"), e8("0.05"), e8("0.15"))
    with pytest.raises(ApiRefusal, match="INVALID_ORDER_SIZE"):
        bench.exchange.modify(first, e8("0.05"), e8("100001"))
    with pytest.raises(ApiRefusal, match="ORDER_IS_CLOSED"):
        bench.exchange.modify(second, e8("0.2"), e8("100001"))


# --- what the API refuses ---


@pytest.mark.parametrize(
    ("size", "price", "fields", "code"),
    [
        ("0.1", "100010", {"symbol": "DOGE-USD-PERP"}, "MARKET_NOT_FOUND"),
        ("0.1", "3000", {"symbol": "ETH-USD-PERP"}, "MARKET_NOT_OPEN"),  # not quoted yet
        ("0.000015", "100010", {}, "INVALID_ORDER_SIZE"),
        ("100.00001", "100010", {}, "INVALID_ORDER_SIZE"),
        ("0.00009", "100010", {}, "INVALID_ORDER_SIZE"),  # 9.0 USD at the mark
        ("0.1", "100010.05", {}, "VALIDATION_ERROR"),
    ],
)
def test_an_order_outside_the_markets_rules_is_refused_and_leaves_nothing(bench, size, price, fields, code):
    assert refusal(bench, Side.BUY, size, price, **fields) == code
    assert not bench.alice.orders
    assert bench.exchange.counters["orders_refused"] == 1


def test_a_client_id_is_used_once_even_by_a_closed_order(bench):
    bench.buy("0.1", "100010", client_id="a")
    assert refusal(bench, Side.BUY, "0.1", "100010", client_id="a") == "DUPLICATED_CLIENT_ID"
    assert bench.exchange.counters["duplicates_of_a_client_id"] == 1
    bench.buy("0.1", "100010", client_id="a", account=BOB)  # another account's ids are its own


def test_a_refused_order_does_not_use_up_its_client_id(bench):
    assert refusal(bench, Side.BUY, "0.000001", "100010", client_id="a") == "INVALID_ORDER_SIZE"
    assert bench.buy("0.1", "100010", client_id="a").status == "CLOSED"


def test_the_same_signed_order_is_taken_once(bench):
    bench.buy("0.1", "100010", signed_unix_ms=7)
    assert refusal(bench, Side.BUY, "0.1", "100010", signed_unix_ms=7) == "VALIDATION_ERROR"
    bench.buy("0.1", "100010", signed_unix_ms=8)


def test_open_orders_have_a_bound():
    bench = Bench(ParadexSimSettings(open_orders_max=2))
    for _ in range(2):
        bench.rest(Side.BUY, "0.1", "90000")
    assert refusal(bench, Side.BUY, "0.1", "90000") == "VALIDATION_ERROR"


def test_what_get_markets_names_is_what_holds():
    settings = ParadexSimSettings(open_orders_max=2)
    told = market_rules(Bench(settings).exchange.markets[BTC], settings)
    assert (told["max_open_orders"], told["max_slippage"], told["max_funding_rate"]) == (2, "0.05", "0.02")
    assert told["delta1_cross_margin_params"]["imf_base"] == "0.02"
    assert {name: fees["taker_fee"]["fee"] for name, fees in told["fee_config"].items()} == {
        "api_fee": "0.00045", "interactive_fee": "0", "rpi_fee": "0.00045",
    }  # fmt: skip


# --- what the risk engine refuses ---


@pytest.mark.parametrize(
    ("side", "price", "reason"),
    [
        (Side.BUY, "105005.3", "PRICE_OUTSIDE_BANDS"),  # 5 % over the mark of 100005 is 105005.25
        (Side.BUY, "105005.2", ""),
        (Side.SELL, "95004.7", "PRICE_OUTSIDE_BANDS"),
        (Side.SELL, "95004.8", ""),
    ],
)
def test_an_aggressive_price_beyond_the_band_is_refused(bench, side, price, reason):
    order = bench.send(side, "0.1", price)
    assert (order.status, order.cancel_reason) == ("CLOSED", reason)


def test_a_passive_price_far_away_is_fine(bench):
    assert bench.rest(Side.BUY, "0.1", "1000").status == "OPEN"


def test_reduce_only_closes_but_never_opens_or_flips(bench):
    assert bench.sell("0.1", "100000", reduce_only=True).cancel_reason == "REDUCE_ONLY_WILL_INCREASE"
    bench.buy("0.3", "100010")
    assert bench.buy("0.1", "100010", reduce_only=True).cancel_reason == "REDUCE_ONLY_WILL_INCREASE"
    assert bench.sell("0.30001", "100000", reduce_only=True).cancel_reason == "REDUCE_ONLY_WILL_INCREASE"
    assert bench.sell("0.3", "100000", reduce_only=True).filled_e8 == e8("0.3")
    assert bench.alice.size_e8(BTC) == 0


def test_reduce_only_may_be_tiny_when_it_closes_everything(bench):
    bench.buy("0.1001", "100010")
    bench.sell("0.10005", "100000")
    assert refusal(bench, Side.SELL, "0.00004", "100000", reduce_only=True) == "INVALID_ORDER_SIZE"
    assert bench.sell("0.00005", "100000", reduce_only=True).filled_e8 == e8("0.00005")


def test_a_shrunken_position_cancels_reduce_only_orders_it_cannot_carry_worst_first(bench):
    bench.buy("0.3", "100010")
    better = bench.rest(Side.SELL, "0.1", "100020", reduce_only=True)
    worse = bench.rest(Side.SELL, "0.2", "100030", reduce_only=True)
    bench.sell("0.1", "100000")
    assert (worse.status, worse.cancel_reason, better.status) == ("CLOSED", "REDUCE_ONLY_WILL_INCREASE", "OPEN")


def test_the_position_limit_counts_open_orders_too():
    bench = Bench()
    bench.alice.collateral_e8 = 10**9 * E8
    for n in range(3):
        bench.rest(Side.BUY, "99.9", str(90_000 + n))
    order = bench.buy("0.4", "100010")
    assert order.cancel_reason == "ORDER_EXCEEDS_POSITION_LIMIT"
    assert bench.buy("0.3", "100010").cancel_reason == ""


def test_an_order_the_account_cannot_margin_is_closed(bench):
    # 2 % initial and 0.045 % fee provision of 100005 a coin: 100000 USDC carries 48.9 coins.
    assert bench.rest(Side.BUY, "48", "90000")
    assert bench.buy("1", "100010").cancel_reason == "NOT_ENOUGH_MARGIN"
    assert bench.sell("1", "100000").cancel_reason == ""  # the other side adds nothing to the larger one


# --- money ---


def test_a_round_trip_costs_the_spread_and_two_taker_fees_exactly(bench):
    bench.buy("0.5", "100010")
    bench.sell("0.5", "100000")
    fees_e8 = e8("22.50225") + e8("22.5")  # 4.5 bps of 50005 and of 50000
    assert bench.alice.fees_paid_e8 == fees_e8
    assert bench.alice.realized_pnl_e8 == -e8("5")
    assert bench.alice.collateral_e8 == 100_000 * E8 - e8("5") - fees_e8


def test_a_maker_pays_three_tenths_of_a_basis_point_and_the_taker_four_and_a_half(bench):
    maker = bench.rest(Side.SELL, "0.2", "100005")
    taker = bench.buy("0.2", "100005", account=BOB)
    assert [fill.fee_e8 for fill in bench.fills_of(maker)] == [e8("0.60003")]
    assert [fill.fee_e8 for fill in bench.fills_of(taker)] == [e8("9.00045")]


def test_a_flip_realises_the_old_side_and_opens_the_new_one_at_its_own_price(bench):
    bench.buy("0.4", "100010")
    bench.sell("1", "100000")
    [position] = bench.exchange.position_views(bench.alice)
    assert (position.size_e8, position.entry_price_e8) == (-e8("0.6"), e8("100000"))
    assert bench.alice.realized_pnl_e8 == -e8("4")
    assert position.unrealized_pnl_e8 == -e8("3")  # 0.6 at a mark 5 above


def test_account_value_is_collateral_and_unrealised_pnl_and_margin_follows_the_rules(bench):
    bench.buy("1", "100010")
    view = bench.exchange.account_view(bench.alice)
    assert view.value_e8 == view.collateral_e8 - 5 * E8
    assert view.initial_e8 == e8("100005") * 2_045_000 // E8
    assert view.maintenance_e8 == e8("100005") * (1_000_000 + 45_000) // E8
    assert view.free_e8 == view.value_e8 - view.initial_e8


def test_funding_is_paid_by_longs_when_the_position_changes(bench):
    bench.exchange.accrue_funding()
    bench.buy("1", "100010")
    for _ in range(8 * 3600 // 30):
        bench.clock.advance(30)
        bench.exchange.accrue_funding()
    premium_e8 = e8("10.0005")  # 0.01 % of 100005 a coin, over the whole period
    assert bench.exchange.markets[BTC].funding.index_e8 == premium_e8
    assert bench.exchange.position_views(bench.alice)[0].unrealized_funding_e8 == -premium_e8
    bench.sell("1", "100000")
    assert bench.alice.funding_e8 == -premium_e8
    assert [event.realized_funding_e8 for event in bench.private if isinstance(event, SimFill)] == [0, -premium_e8]


def test_a_pause_longer_than_thirty_seconds_accrues_no_funding(bench):
    bench.exchange.accrue_funding()
    bench.clock.advance(31)
    bench.exchange.accrue_funding()
    assert bench.exchange.markets[BTC].funding.index_e8 == 0


def test_a_pro_taker_pays_less_when_it_meets_a_resting_retail_order(bench):
    bench.rest(Side.SELL, "0.2", "100005", account=BOB, rank=Rank.RETAIL)
    taker = bench.buy("0.3", "100010")
    fast, plain = bench.fills_of(taker)
    assert (fast.is_fastfill, fast.fee_e8) == (True, e8("6.300315"))  # 30 % off 4.5 bps of 20001
    assert (plain.is_fastfill, plain.fee_e8) == (False, e8("4.50045"))


def test_an_account_below_its_maintenance_margin_is_closed_out(bench):
    bench.buy("1", "100010")
    resting = bench.rest(Side.BUY, "0.1", "99000")
    bench.alice.collateral_e8 = 1_000 * E8  # needs 1045.05225 at the mark, and is worth 5 less
    bench.exchange.liquidate()
    assert (resting.status, resting.cancel_reason) == ("CLOSED", "IN_LIQUIDATION")
    assert bench.alice.size_e8(BTC) == 0
    last = [event for event in bench.private if isinstance(event, SimFill)][-1]
    assert (last.fill_type, last.side, last.price_e8) == ("LIQUIDATION", Side.SELL, e8("100000"))
    assert bench.buy("0.1", "100010").cancel_reason == "IN_LIQUIDATION"
    bench.tick("100001", "100010")
    bench.exchange.liquidate()  # the next check finds it well again
    assert bench.sell("0.1", "100001").cancel_reason == ""


def test_a_healthy_account_is_left_alone(bench):
    bench.buy("1", "100010")
    bench.exchange.liquidate()
    assert bench.alice.size_e8(BTC) == E8


# --- what is told ---


def test_every_step_of_the_book_has_the_next_number_and_fills_name_theirs():
    bench = Bench(DEEP)
    order = bench.buy("4", "100030.1")
    bench.tick("100001", "100012")
    assert [update.seq for update in bench.book] == list(range(1, len(bench.book) + 1))
    trades = [update.trade for update in bench.book if update.trade]
    assert [fill.book_seq for fill in bench.fills_of(order)] == [trade.seq for trade in trades]
    assert [update.seq for update in bench.book if update.trade] == [trade.seq for trade in trades]


def test_the_best_is_marked_as_changed_only_when_it_changed():
    bench = Bench(DEEP)
    bench.book.clear()
    bench.rest(Side.BUY, "0.1", "99000")  # behind the best
    bench.rest(Side.BUY, "0.1", "100000")  # adds to it
    assert [update.best_changed for update in bench.book] == [False, True]


def test_a_taker_hears_fill_order_position_account_and_the_maker_hears_its_own(bench):
    maker = bench.rest(Side.SELL, "0.2", "100005", account=BOB)
    bench.private.clear()
    taker = bench.buy("0.1", "100005")
    kinds: dict[int, list[type]] = {ALICE: [], BOB: []}
    for event in bench.private:
        kinds[event.account].append(type(event))
    assert kinds[ALICE] == kinds[BOB] == [SimFill, SimOrder, PositionView, AccountView]
    told = {event.id: event for event in bench.private if isinstance(event, SimOrder)}
    assert (told[taker.id].status, told[maker.id].status) == ("CLOSED", "OPEN")
    assert told[maker.id].leaves_e8 == e8("0.1")


def test_news_do_not_change_after_they_were_sent(bench):
    order = bench.rest(Side.BUY, "0.1", "100005")
    [told] = [event for event in bench.private if isinstance(event, SimOrder)]
    bench.exchange.cancel(order)
    assert told.status == "OPEN"


def test_seq_numbers_of_private_news_grow(bench):
    bench.buy("0.1", "100010")
    bench.sell("0.1", "100000")
    numbers = [event.seq_no for event in bench.private]
    assert len(set(numbers)) == len(numbers)


def test_order_ids_are_28_digits_and_grow(bench):
    ids = [bench.buy("0.1", "100010").id for _ in range(3)]
    assert all(len(order_id) == 28 and order_id.isdecimal() for order_id in ids)
    assert ids == sorted(set(ids))
