"""Orders at the simulated Vest, by plain calls: what is refused, what is executed, what is told, and when."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.unit.sim_vest.world import DELEGATE, PRIMARY, SETTINGS, STRANGER, World

from deltawire.core.money import BPS_E8, E8, parse_e8
from deltawire.sim.vest_accounts import Session
from deltawire.sim.vest_refusal import Refusal
from deltawire.venues.vest import rest, wire

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"


@pytest.fixture
def world() -> World:
    return World()


def refused(world, *args, **changes):
    with pytest.raises(Refusal) as found:
        world.place(*args, **changes)
    return found.value.code


def rejected(world, *args, **changes):
    order = world.trade(*args, **changes)
    assert order.status == wire.REJECTED
    return order.code


# --- the checks of a request ---


@pytest.mark.parametrize("v", json.loads((VECTORS / "signature_checks.json").read_text()), ids=lambda v: v["id"])
def test_the_venue_judges_the_signature_vectors(v):
    world = World()
    account = world.exchange.accounts.add(v["signer_address"], 100_000 * E8, 0)
    session = Session(account, 2**63)
    world.clock.now_ns += v["body"]["order"]["time"] * 10**6 - world.clock.unix_ns()
    body = json.dumps(v["body"]).encode()
    code = 0
    try:
        if v["kind"] == "order":
            world.exchange.place(session, rest.read_body(body, wire.OrderSubmit))
        else:
            world.exchange.cancel(session, rest.read_body(body, wire.CancelSubmit))
    except Refusal as refusal:
        code = refusal.code
    good = 0 if v["kind"] == "order" else 3017  # there is no such order to cancel
    assert code == (good if v["valid"] else v["error_code_if_invalid"])


@pytest.mark.parametrize("signer", [DELEGATE, PRIMARY], ids=["delegate", "primary"])
def test_delegate_and_primary_may_sign(world, signer):
    assert world.trade(signer=signer).status == wire.FILLED


def test_nobody_else_may_sign(world):
    assert refused(world, signer=STRANGER) == 1022


def test_a_delegate_stops_signing_when_its_registration_expires(world):
    world.advance(7 * 86_400_000)
    assert refused(world) == 1022


@pytest.mark.parametrize("size", ["0.1", "0.100", "0.10000", "0.1000 ", "1e-1", ".1000", "00.1000", "-0.1000", "1", ""])
def test_a_size_with_other_than_the_markets_decimals_is_refused(world, size):
    assert refused(world, size=size) == 1111


@pytest.mark.parametrize("price", ["66000", "66000.0", "66000.000", "6.6e4"])
def test_a_price_with_other_than_the_markets_decimals_is_refused(world, price):
    assert refused(world, limit_price=price) == 1111


def test_each_market_has_its_own_decimals(world):
    eth = {"symbol": "ETH-PERP", "limit_price": "2600.000"}
    assert refused(world, size="0.1000", **eth) == 1111
    assert world.trade(size="0.100", **eth).status == wire.FILLED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "DOGE-PERP"}, 1121),
        ({"order_type": "LIQUIDATION"}, 1116),
        ({"order_type": "LIMIT", "time_in_force": "IOC"}, 1133),
        ({"time_in_force": "FOK"}, 1133),
        ({"size": "0.0000"}, 1130),
        ({"nonce": -1}, 1023),
        ({"nonce": 2**256}, 1023),
        ({"tp_price": "70000.00", "tp_signature": "0x"}, 1145),
        ({"order_type": "LIMIT", "tp_price": "70000.00", "tp_signature": "0x"}, 1022),
        ({"recv_window": 0}, 1131),
        ({"recv_window": 60_001}, 1131),
    ],
    ids=str,
)
def test_what_the_documents_forbid_is_refused_with_their_code(world, changes, code):
    submit = _signed(world, changes)
    with pytest.raises(Refusal) as found:
        world.exchange.place(world.session, submit)
    assert found.value.code == code
    assert not world.exchange.orders
    assert world.exchange.counters["orders_refused"] == 1


def _signed(world, changes):
    """Sign the order as it should be, then change what the test wants: the signature is the last thing asked."""
    if changes.get("nonce") in {-1, 2**256}:  # no ABI word holds it
        submit = world.submit()
        submit.order.nonce = changes["nonce"]
        return submit
    return world.submit(**changes)


def test_an_order_dies_when_its_window_has_passed(world):
    submit = world.submit(recv_window=100)
    world.advance(101)
    with pytest.raises(Refusal) as found:
        world.exchange.place(world.session, submit)
    assert found.value.code == 1132


def test_an_order_lives_to_the_last_millisecond_of_its_window(world):
    submit = world.submit(recv_window=100)
    world.advance(100)
    assert world.exchange.place(world.session, submit).status == wire.NEW


def test_the_same_order_is_taken_once(world):
    submit = world.submit()
    world.exchange.place(world.session, submit)
    with pytest.raises(Refusal) as found:
        world.exchange.place(world.session, submit)
    assert found.value.code == 3015
    assert world.exchange.counters["duplicates"] == 1
    world.advance(60)
    assert world.account.ledger.position("BTC-PERP").size_e8 == E8 // 10


def test_a_window_sent_again_with_the_same_order_is_still_a_duplicate(world):
    submit = world.submit()
    world.exchange.place(world.session, submit)
    submit.recv_window = 6000
    with pytest.raises(Refusal) as found:
        world.exchange.place(world.session, submit)
    assert found.value.code == 3015


def test_one_nonce_may_serve_two_different_orders(world):
    world.place(nonce=77)
    world.place("sell", nonce=77)
    assert world.exchange.counters["duplicates"] == 0


def test_the_last_nonce_is_the_highest_accepted(world):
    world.place(nonce=2**53 + 1)
    world.place(nonce=5)
    refused(world, nonce=2**60, size="0.1")
    assert world.account.last_nonce == 2**53 + 1


# --- execution ---


def test_a_market_order_fills_at_the_picture_and_pays_exact_fees(world):
    order = world.trade(size="0.5000")
    assert (order.status, order.price_e8) == (wire.FILLED, parse_e8("60010"))
    assert order.fees_e8 == parse_e8("3.0005")  # 1 bp of 30005
    assert world.account.ledger.collateral_e8 == 100_000 * E8 - parse_e8("3.0005")


def test_a_fee_is_rounded_up_to_a_millionth(world):
    world.quote("BTC", "60000.00", "60010.01")
    order = world.trade(size="0.0001")
    assert order.fees_e8 == parse_e8("0.000601")  # of 0.0006001001


def test_premium_is_part_of_the_fees_and_only_for_added_risk():
    world = World(replace(SETTINGS, premium_rate_at_million_e8=100 * BPS_E8))
    opened, closed = world.trade(), world.trade("sell")
    taker_e8 = parse_e8("0.6001")
    assert opened.fees_e8 > taker_e8
    assert closed.fees_e8 == parse_e8("0.6")
    assert opened.price_e8 == parse_e8("60010")  # the price is the picture's


def test_an_order_executes_against_the_picture_of_its_execution_not_of_its_sending(world):
    order = world.place(limit_price="60020.00")
    world.quote("BTC", "60015.00", "60019.00")
    world.advance(60)
    assert order.price_e8 == parse_e8("60019")


def test_a_price_past_the_limit_is_rejected_whole(world):
    order = world.place(limit_price="60010.00")
    world.quote("BTC", "60015.00", "60019.00")
    world.advance(60)
    assert (order.status, order.code, order.filled_e8) == (wire.REJECTED, 3001, 0)
    assert not world.account.ledger.positions


def test_the_limit_itself_is_good_enough(world):
    assert world.trade(limit_price="60010.00").status == wire.FILLED
    assert world.trade("sell", limit_price="60000.00").status == wire.FILLED
    assert rejected(world, limit_price="60009.99") == 3001
    assert rejected(world, "sell", limit_price="60000.01") == 3001


def test_the_average_over_levels_is_compared_not_the_first_level(world):
    assert rejected(world, size="3.0000", limit_price="60010.00") == 3001


def test_a_market_order_without_a_limit_price_is_rejected(world):
    assert rejected(world, limit_price="0.00") == 3011


def test_the_code_of_a_failed_price_check_is_a_setting():
    world = World(replace(SETTINGS, price_check_code=3011))
    assert rejected(world, limit_price="60009.99") == 3011
    assert rejected(world, order_type="LIMIT", limit_price="0.00") == 3011  # and not a trigger that waits for ever


def test_no_side_of_the_picture_means_no_fill(world):
    world.exchange.pools["BTC-PERP"].picture = replace(world.exchange.pools["BTC-PERP"].picture, asks=())
    assert rejected(world) == 3001
    assert world.trade("sell").status == wire.FILLED


def test_a_stale_index_rejects():
    world = World(replace(SETTINGS, index_stale_ms=1000))
    assert world.trade().status == wire.FILLED
    world.advance(1000)
    assert rejected(world) == 3003


def test_a_halted_market_refuses_new_orders_and_rejects_those_in_flight(world):
    order = world.place()
    world.exchange.pools["BTC-PERP"].halted = True
    assert refused(world) == 1148
    world.advance(60)
    assert (order.status, order.code) == (wire.REJECTED, 3024)


def test_positions_net_and_close_with_their_gain(world):
    world.trade(size="0.2000")
    world.trade("sell", size="0.5000")
    assert world.account.ledger.position("BTC-PERP").size_e8 == -3 * E8 // 10
    world.quote("BTC", "59000.00", "59010.00")
    closed = world.trade("buy", size="0.3000")
    gain_e8 = parse_e8("297")  # 0.3 coins sold at 60000, bought back at 59010
    assert closed.realized_e8 == gain_e8 + closed.funding_e8 - closed.fees_e8
    assert not world.account.ledger.positions


def test_reduce_only_never_opens_grows_or_flips(world):
    assert rejected(world, reduce_only=True) == 3018
    world.trade(size="0.2000")
    assert rejected(world, reduce_only=True) == 3018
    assert rejected(world, "sell", size="0.2001", reduce_only=True) == 3019
    assert world.trade("sell", size="0.2000", reduce_only=True).status == wire.FILLED
    assert not world.account.ledger.positions


def test_more_than_the_margin_carries_is_rejected_but_closing_always_goes():
    world = World(collateral=1_000)
    assert rejected(world, size="0.2000") == 3002  # needs 1200 of 1000 at a tenth
    world.trade(size="0.1600")
    world.quote("BTC", "57000.00", "57010.00")  # about 500 left: over what is maintained, under what a new one needs
    assert rejected(world, size="0.0001") == 3002
    assert world.trade("sell", size="0.1600", limit_price="49000.00").status == wire.FILLED


def test_leverage_lowers_or_raises_the_margin_an_order_needs(world):
    btc = world.exchange.pools["BTC-PERP"]
    world.exchange.accounts.set_leverage(world.account, btc, 1)
    assert rejected(world, size="2.0000") == 3002
    world.exchange.accounts.set_leverage(world.account, btc, 10)
    assert world.trade(size="2.0000").status == wire.FILLED
    with pytest.raises(Refusal) as found:
        world.exchange.accounts.set_leverage(world.account, btc, 9)
    assert found.value.code == 3021
    for value in (0, 11):
        with pytest.raises(Refusal) as found:
            world.exchange.accounts.set_leverage(world.account, btc, value)
        assert found.value.code == 1130


def test_funding_is_settled_when_the_position_changes(world):
    world.trade(size="1.0000")
    world.advance(3_600_000)
    closed = world.trade("sell", size="1.0000")
    assert -parse_e8("0.7502") <= closed.funding_e8 <= -parse_e8("0.75")  # 0.0000125 of 60005, an hour and some ms
    assert closed.realized_e8 == -10 * E8 + closed.funding_e8 - closed.fees_e8


# --- triggers ---


def test_a_limit_order_waits_for_the_index_and_then_executes_as_a_market_order(world):
    order = world.trade(order_type="LIMIT", limit_price="59500.00")
    assert (order.status, order.resting) == (wire.NEW, True)
    world.quote("BTC", "59496.00", "59506.00")  # the index is 59501
    assert order.status == wire.NEW
    world.quote("BTC", "59480.00", "59490.00")
    world.quote("BTC", "59480.00", "59490.00")  # the picture follows the index by one beat
    assert (order.status, order.price_e8) == (wire.FILLED, parse_e8("59490"))


def test_a_trigger_touched_by_the_index_still_wants_its_price(world):
    order = world.trade(order_type="LIMIT", limit_price="59500.00")
    world.quote("BTC", "59480.00", "59510.00")
    world.quote("BTC", "59480.00", "59510.00")  # index 59495, but a buy costs 59510
    assert (order.status, order.resting) == (wire.NEW, True)


def test_fill_or_kill_acts_now_or_dies(world):
    assert rejected(world, order_type="LIMIT", time_in_force="FOK", limit_price="59500.00") == 3001
    filled = world.trade(order_type="LIMIT", time_in_force="FOK", limit_price="60010.00")
    assert filled.status == wire.FILLED


def test_an_ioc_where_it_is_taken_acts_now_or_dies_too():
    world = World(replace(SETTINGS, accepts_ioc=True))
    ioc = {"order_type": "LIMIT", "time_in_force": "IOC"}
    assert world.trade(limit_price="60010.00", **ioc).status == wire.FILLED
    assert rejected(world, limit_price="59500.00", **ioc) == 3001
    assert refused(world, time_in_force="IOC") == 1133  # on a MARKET order


def test_a_waiting_trigger_can_be_cancelled_once(world):
    order = world.trade(order_type="LIMIT", time_in_force="GTC", limit_price="59500.00")
    assert world.cancel(order.id) == order.id
    assert order.status == wire.CANCELLED
    with pytest.raises(Refusal) as found:
        world.cancel(order.id)
    assert found.value.code == 3017
    world.quote("BTC", "59000.00", "59001.00")
    assert order.filled_e8 == 0


def test_a_trigger_cancelled_before_its_execution_never_executes(world):
    order = world.place(order_type="LIMIT", limit_price="60010.00")
    world.cancel(order.id)
    world.advance(60)
    assert (order.status, order.filled_e8) == (wire.CANCELLED, 0)


@pytest.mark.parametrize("time_in_force", ["", "FOK"])
def test_what_never_rests_cannot_be_cancelled(world, time_in_force):
    changes = {"order_type": "LIMIT", "time_in_force": "FOK"} if time_in_force else {}
    order = world.place(**changes)
    with pytest.raises(Refusal) as found:
        world.cancel(order.id)
    assert found.value.code == 3017
    world.advance(60)
    assert order.status == wire.FILLED


def test_another_accounts_order_cannot_be_cancelled(world):
    order = world.trade(order_type="LIMIT", limit_price="59500.00")
    world.exchange.accounts.add(STRANGER.address, E8, 0)
    world.session = world.exchange.accounts.authenticate(world.register(STRANGER, STRANGER), 0)
    with pytest.raises(Refusal) as found:
        world.cancel(order.id, signer=STRANGER)
    assert found.value.code == 3017
    assert order.status == wire.NEW


# --- what is seen, and when ---


def test_execution_takes_a_delay_within_its_range(world):
    order = world.place()
    world.advance(19)
    assert order.status == wire.NEW
    world.advance(41)
    assert order.status == wire.FILLED


def test_a_fill_shows_in_the_account_only_after_its_delay(world):
    order = world.place()
    while order.status == wire.NEW:
        world.advance(1)
    world.advance(198)
    assert not world.account.shown.positions
    world.advance(302)
    assert world.account.shown == world.account.ledger
    assert world.account.shown.positions


def test_an_older_picture_of_the_account_never_replaces_a_newer_one():
    world = World(replace(SETTINGS, execution_delay_ms=(0, 0), account_delay_ms=(1, 500)))
    for _ in range(30):
        world.trade(size="0.0001")
        assert world.account.shown.position("BTC-PERP").size_e8 <= world.account.ledger.position("BTC-PERP").size_e8
    sizes = []
    for _ in range(500):
        world.advance(1)
        sizes.append(world.account.shown.position("BTC-PERP").size_e8)
    assert sizes == sorted(sizes)
    assert sizes[-1] == parse_e8("0.003")


def test_the_same_seed_draws_the_same_ids_and_delays():
    one, other = World(), World()
    for world in (one, other):
        for _ in range(5):
            world.trade()
    assert list(one.exchange.orders) == list(other.exchange.orders)
    times = [[o.filled_time_ms for o in world.exchange.orders.values()] for world in (one, other)]
    assert times[0] == times[1]


def test_only_the_newest_finished_orders_are_kept():
    world = World(replace(SETTINGS, orders_kept=3))
    orders = [world.trade(size="0.0001") for _ in range(5)]
    assert list(world.exchange.orders) == [order.id for order in orders[2:]]


def test_the_pictures_come_on_their_beat(world):
    socket = world.listen("BTC-PERP@depth")
    world.exchange.start()
    world.advance(3000)
    assert len(socket.on("BTC-PERP@depth")) == 11  # at once and then every 300 ms
    world.exchange.stop()
    world.advance(3000)
    assert len(socket.on("BTC-PERP@depth")) == 11


def test_an_uneven_beat_has_the_median_and_p90_of_its_settings():
    world = World(replace(SETTINGS, depth_median_ms=300, depth_p90_ms=800))
    stamps: list[int] = []
    world.exchange.sink.on_picture = lambda pool: stamps.append(world.clock.now_ns)  # type: ignore[method-assign, union-attr]
    world.exchange.pools.pop("ETH-PERP")
    world.exchange.start()
    world.advance(2_000_000)
    gaps = sorted((b - a) / 1e6 for a, b in pairwise(stamps))
    assert gaps[len(gaps) // 2] == pytest.approx(300, rel=0.1)
    assert gaps[len(gaps) * 9 // 10] == pytest.approx(800, rel=0.1)
