"""Orders that wait for the mark price, and the worst average a market order may have."""

from dataclasses import replace

import pytest
from tests.unit.sim_paradex.memory import SIGNER, World
from tests.unit.sim_paradex.venue import ALICE, BOB, BTC, Bench, e8

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_rules import ApiRefusal, Depth, ParadexSimSettings
from deltawire.venues.paradex import records


@pytest.fixture
def bench() -> Bench:
    """A book of 100000 to 100010: the mark is 100005."""
    return Bench()


def stop(bench, side, kind, trigger, price="0", **fields):
    request = {"kind": kind, "trigger_price_e8": e8(trigger), "instruction": "GTC"}
    return bench.send(side, "0.1", price, **(request | fields))


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "holds", "lets_go"),
    [
        ("STOP_MARKET", Side.BUY, "100105", ("100099", "100110"), ("100100", "100110")),
        ("STOP_MARKET", Side.SELL, "99905", ("99901", "99910"), ("99900", "99910")),
        ("STOP_LOSS_MARKET", Side.SELL, "99905", ("99901", "99910"), ("99900", "99910")),
        ("TAKE_PROFIT_MARKET", Side.SELL, "100105", ("100099", "100110"), ("100100", "100110")),
        ("TAKE_PROFIT_MARKET", Side.BUY, "99905", ("99901", "99910"), ("99900", "99910")),
    ],
)
def test_a_stop_waits_until_the_mark_meets_its_trigger(bench, kind, side, trigger, holds, lets_go):
    order = stop(bench, side, kind, trigger)
    assert (order.status, order.filled_e8) == ("UNTRIGGERED", 0)
    bench.tick(*holds)
    assert order.status == "UNTRIGGERED"
    bench.tick(*lets_go)
    assert (order.status, order.cancel_reason, order.filled_e8) == ("CLOSED", "", e8("0.1"))


def test_a_stop_limit_goes_to_the_book_with_its_price(bench):
    order = stop(bench, Side.BUY, "STOP_LIMIT", "100105", "100050")
    bench.tick("100100", "100110")
    assert (order.status, order.leaves_e8) == ("OPEN", e8("0.1"))
    bench.tick("100000", "100010")  # the mark is back below the trigger: it stays let go
    assert (order.status, order.average_price_e8) == ("CLOSED", e8("100050"))


def test_a_stop_that_was_let_go_does_not_wait_again_when_it_is_modified(bench):
    order = stop(bench, Side.BUY, "STOP_LIMIT", "100105", "100050")
    bench.tick("100100", "100110")
    bench.tick("100060", "100070")  # the mark is back below the trigger
    bench.exchange.modify(order, e8("0.2"), e8("100055"))
    assert (order.status, order.leaves_e8) == ("OPEN", e8("0.2"))


def test_a_stop_whose_trigger_is_met_already_does_not_wait(bench):
    assert stop(bench, Side.SELL, "STOP_MARKET", "100105").filled_e8 == e8("0.1")


def test_a_stop_that_waits_needs_no_margin_and_is_judged_when_it_is_let_go(bench):
    bench.alice.collateral_e8 = 1_000 * E8
    order = bench.buy("1", kind="STOP_MARKET", trigger_price_e8=e8("100105"), instruction="GTC")
    assert bench.exchange.account_view(bench.alice).initial_e8 == 0
    bench.tick("100100", "100110")
    assert (order.status, order.cancel_reason) == ("CLOSED", "NOT_ENOUGH_MARGIN")


def test_a_reduce_only_stop_closes_the_position_or_nothing(bench):
    bench.buy("0.1", "100010")
    guard, twin = (stop(bench, Side.SELL, "STOP_LOSS_MARKET", "99905", reduce_only=True) for _ in range(2))
    bench.tick("99900", "99910")
    assert (guard.filled_e8, twin.cancel_reason) == (e8("0.1"), "REDUCE_ONLY_WILL_INCREASE")
    assert bench.alice.size_e8(BTC) == 0


def test_a_stop_is_cancelled_or_moved_while_it_waits(bench):
    gone, moved = (stop(bench, Side.BUY, "STOP_MARKET", trigger) for trigger in ("100105", "100106"))
    assert bench.exchange.cancel(gone)
    bench.exchange.modify(moved, e8("0.2"), 0, e8("100205"))
    bench.tick("100100", "100120")
    assert (gone.status, gone.filled_e8, moved.status) == ("CLOSED", 0, "UNTRIGGERED")
    bench.tick("100200", "100210")
    assert moved.filled_e8 == e8("0.2")
    resting = bench.rest(Side.BUY, "0.1", "100000")
    with pytest.raises(ApiRefusal, match="VALIDATION_ERROR"):
        bench.exchange.modify(resting, e8("0.2"), e8("100000"), e8("100205"))


def test_triggers_pause_while_the_system_is_not_ok(bench):
    order = stop(bench, Side.BUY, "STOP_MARKET", "100105")
    bench.exchange.enter("post_only")
    bench.tick("100100", "100110")
    assert order.status == "UNTRIGGERED"
    bench.exchange.enter("ok")
    bench.tick("100100", "100111")
    assert order.filled_e8 == e8("0.1")


# --- by the API ---


def test_a_stop_order_is_signed_by_its_type_and_told_as_it_waits():
    world = World()
    wire = world.connect("orders.ALL", rank=Rank.PRO)
    params = world.order(Side.BUY, "0.1", type="STOP_MARKET", trigger_price="100105", instruction="GTC")
    placed = wire.call("order.create", **params)["result"]["order"]
    assert (placed["status"], placed["type"], placed["trigger_price"]) == ("NEW", "STOP_MARKET", "100105")
    assert placed["flags"] == ["STOP_CONDITION_ABOVE_TRIGGER"]
    [known] = world.http("GET", "/orders", world.token()).body["results"]
    assert (known["id"], known["status"]) == (placed["id"], "UNTRIGGERED")
    world.tick("100100", "100110")
    told = wire.records(records.Order)
    assert [order.status for order in told] == ["NEW", "UNTRIGGERED", "CLOSED"]
    assert {order.trigger_price_e8 for order in told} == {e8("100105")}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"type": "STOP_MARKET"}, "VALIDATION_ERROR"),
        ({"type": "STOP_MARKET", "trigger_price": "100105.05"}, "VALIDATION_ERROR"),  # between two ticks
        ({"type": "STOP_MARKET", "trigger_price": "100105", "instruction": "POST_ONLY"}, "VALIDATION_ERROR"),
        ({"type": "MARKET", "trigger_price": "100105"}, "VALIDATION_ERROR"),
        ({"type": "ICEBERG_MARKET"}, "VALIDATION_ERROR"),
        ({"type": "STOP_MARKET", "trigger_price": "x"}, "VALIDATION_ERROR"),
    ],
)
def test_stops_need_a_trigger_on_the_tick_and_others_have_none(fields, code):
    world = World()
    refused = world.http("POST", "/orders", world.token(), world.order(Side.BUY, "0.1", **fields))
    assert (refused.status, refused.body["error"]) == (400, code)


def test_a_trigger_of_zero_is_none():
    world = World()
    params = world.order(Side.BUY, "0.1", "100010", trigger_price="0")
    assert world.http("POST", "/orders", world.token(), params).status == 201


def test_a_waiting_stop_is_modified_by_rest():
    world = World()
    params = world.order(Side.BUY, "0.1", type="STOP_MARKET", trigger_price="100105", instruction="GTC")
    order_id = world.http("POST", "/orders", world.token(), params).body["id"]
    signature = SIGNER.sign_modify(world.now_ms, BTC, Side.BUY, "STOP_MARKET", e8("0.1"), 0, order_id)
    change = {"id": order_id, "market": BTC, "side": "BUY", "type": "STOP_MARKET", "size": "0.1", "price": "0"}
    change |= {"trigger_price": "100205", "signature": signature, "signature_timestamp": world.now_ms}
    changed = world.http("PUT", f"/orders/{order_id}", world.token(), change)
    assert (changed.status, changed.body["trigger_price"]) == (200, "100205")
    world.tick("100100", "100110")
    assert world.account.orders[order_id].status == "UNTRIGGERED"


# --- the worst average ---

DEEP = ParadexSimSettings(depth=Depth(levels=3))  # asks: 1 at 100010, 2 at 100020.1, 3 at 100030.1


def test_a_market_order_stops_where_its_average_would_pass_vwap_price():
    bench = Bench(DEEP)
    order = bench.buy("3", vwap_price_e8=e8("100013"))
    # 1 at 100010 leaves 3 to spare, and each coin at 100020.1 costs 7.1 of it: 0.42253 on the step.
    assert order.filled_e8 == e8("1.42253")
    assert order.average_price_e8 <= e8("100013")
    assert (order.status, order.cancel_reason) == ("CLOSED", "REMAINING_IOC_CANCEL")


def test_a_vwap_price_inside_the_best_price_trades_nothing_and_a_generous_one_everything(bench):
    assert bench.buy("0.1", vwap_price_e8=e8("100009")).cancel_reason == "EMPTY_MARKET"
    assert bench.buy("0.1", vwap_price_e8=e8("100010")).filled_e8 == e8("0.1")
    assert bench.sell("0.1", vwap_price_e8=e8("100001")).filled_e8 == 0
    assert bench.sell("0.1", vwap_price_e8=e8("99000")).filled_e8 == e8("0.1")


def test_without_vwap_price_the_markets_slippage_bounds_the_average():
    rules = replace(ParadexSimSettings().markets[0], slippage_max_e8=E8 // 100)  # 1 %: up to 101010.1 from 100010
    bench = Bench(ParadexSimSettings(markets=(rules,), depth=Depth(levels=1)))
    bench.rest(Side.SELL, "1", "103000", account=BOB)
    order = bench.buy("2")
    assert order.filled_e8 == E8 + e8("0.50258")  # 1000.1 to spare, at 1989.9 a coin, is 0.502588: on the step below
    assert order.average_price_e8 <= e8("101010.1")


def test_vwap_price_is_for_market_orders_and_told_by_a_flag():
    world = World()
    refused = world.http("POST", "/orders", world.token(), world.order(Side.BUY, "0.1", "100010", vwap_price="100010"))
    assert refused.body["error"] == "VALIDATION_ERROR"
    placed = world.http("POST", "/orders", world.token(), world.order(Side.BUY, "0.1", vwap_price="100010"))
    assert placed.body["flags"] == ["TARGET_STRATEGY_VWAP"]
    assert world.exchange.accounts[ALICE].size_e8(BTC) == e8("0.1")
