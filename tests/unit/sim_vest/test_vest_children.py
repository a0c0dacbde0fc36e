"""Take-profit and stop-loss at the simulated Vest: judged with their parent, born when it fills, one ends the other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sim_vest.world import DELEGATE, SETTINGS, STRANGER, World

from deltawire.core.money import E8, parse_e8
from deltawire.sim.vest_checks import checked_children
from deltawire.sim.vest_refusal import Refusal
from deltawire.venues.vest import children, rest, wire
from deltawire.venues.vest.children import ChildNonce


@pytest.fixture
def world() -> World:
    return World()


VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vest" / "tpsl.json").read_text())


def submit(world, *, tp="", sl="", reading=ChildNonce.SAME, signer=DELEGATE, side="buy", **changes):
    plain = world.submit(side, order_type="LIMIT", limit_price="60010.00" if side == "buy" else "60000.00", **changes)
    fields = children.with_children(plain.order, signer, reading, tp_price=tp, sl_price=sl)
    return wire.OrderSubmit(order=fields, signature=DELEGATE.sign(rest.signed_order_bytes(fields)))


def trade(world, **changes):
    order = world.exchange.place(world.session, submit(world, **changes))
    world.advance(world.settings.execution_delay_ms[1])
    assert order.status == wire.FILLED
    return order


def kinds(world):
    return {order.fields.order_type: order for order in world.exchange.orders_of(world.account)}


@pytest.mark.parametrize("reading", ChildNonce)
def test_both_readings_of_the_nonce_are_taken_and_both_children_wait(world, reading):
    parent = trade(world, tp="61000.00", sl="59000.00", reading=reading)
    found = kinds(world)
    steps = 0 if reading is ChildNonce.SAME else 1
    assert found["TAKE_PROFIT"].nonce == parent.nonce + steps
    assert [found[kind].status for kind in ("TAKE_PROFIT", "STOP_LOSS")] == ["NEW", "NEW"]
    assert (parent.row().tp_price, parent.row().sl_price) == ("61000.00", "59000.00")


@pytest.mark.parametrize("v", VECTORS, ids=lambda v: v["id"])
@pytest.mark.parametrize("reading", ChildNonce)
def test_the_vectors_children_are_judged_signed_or_not(world, v, reading):
    variant = v["variants"][f"{reading.value}_nonce"]
    fields = rest.read_body(
        json.dumps(
            v["parent"]
            | {"tpPrice": v["tpPrice"], "tpSignature": variant["tpSignature"]}
            | {"slPrice": v["slPrice"], "slSignature": variant["slSignature"]}
        ).encode(),
        wire.OrderFields,
    )
    signer = v["signer_address"].lower()
    for may_sign, code in ((lambda who: who == signer, 0), (lambda who: False, 1022)):
        found = judged(fields, may_sign, (reading,))
        assert found == code
    other = ChildNonce.NEXT if reading is ChildNonce.SAME else ChildNonce.SAME
    assert judged(fields, lambda who: who == signer, (other,)) == 1022


def judged(fields, may_sign, readings):
    decimals = len(fields.limit_price.partition(".")[2])
    try:
        found = checked_children(fields, parse_e8(fields.limit_price), decimals, readings=readings, may_sign=may_sign)
    except Refusal as refusal:
        return refusal.code
    assert [child.order_type for child in found] == ["TAKE_PROFIT", "STOP_LOSS"]
    return 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tp": "59000.00"}, 1145),  # a buyer's profit lies above
        ({"sl": "61000.00"}, 1145),
        ({"tp": "60010.00"}, 1145),
        ({"side": "sell", "tp": "61000.00"}, 1145),
        ({"tp": "61000.0"}, 1111),
        ({"tp": "61000.00", "signer": STRANGER}, 1022),
    ],
)
def test_a_child_that_makes_no_sense_is_refused_with_its_parent(world, changes, code):
    with pytest.raises(Refusal) as refused:
        world.exchange.place(world.session, submit(world, **changes))
    assert refused.value.code == code
    assert world.exchange.orders_of(world.account) == []


def test_a_venue_that_takes_no_children_says_so():
    world = World(replace(SETTINGS, child_nonces=()))
    with pytest.raises(Refusal) as refused:
        world.exchange.place(world.session, submit(world, tp="61000.00"))
    assert refused.value.code == 1145


@pytest.mark.parametrize(
    ("bid", "ask", "fired", "ended"),
    [("61000.00", "61010.00", "TAKE_PROFIT", "STOP_LOSS"), ("58000.00", "58010.00", "STOP_LOSS", "TAKE_PROFIT")],
)
def test_the_index_fires_one_child_without_a_check_of_its_price_and_that_ends_the_other(world, bid, ask, fired, ended):
    trade(world, tp="61000.00", sl="59000.00")
    private = world.listen("account_private", private=True)
    world.quote("BTC", "60500.00", "60510.00")
    assert len(kinds(world)) == 3
    world.quote("BTC", bid, ask)
    world.quote("BTC", bid, ask)  # the picture of the first tick was the one before it
    found = kinds(world)
    assert (found[fired].status, found[ended].status) == ("FILLED", "CANCELLED")
    assert found[fired].fields.reduce_only
    assert world.account.ledger.positions == {}
    assert [data["args"]["status"] for data in private.on("account_private")] == ["FILLED", "CANCELLED"]


def test_children_die_with_the_position_they_guard(world):
    trade(world, tp="61000.00", sl="59000.00")
    assert world.trade("sell").status == wire.FILLED
    found = kinds(world)
    assert [found[kind].status for kind in ("TAKE_PROFIT", "STOP_LOSS")] == ["CANCELLED", "CANCELLED"]


def test_a_position_with_children_does_not_grow(world):
    trade(world, sl="59000.00")
    assert world.trade(size="0.0100").code == 3006
    assert world.trade("sell", size="0.0100").status == wire.FILLED
    assert world.account.ledger.position("BTC-PERP").size_e8 == 9 * E8 // 100


def test_a_child_can_be_cancelled_and_a_cancelled_parent_has_none(world):
    trade(world, sl="59000.00")
    child = kinds(world)["STOP_LOSS"]
    assert world.cancel(child.id) == child.id
    assert child.status == wire.CANCELLED
    waiting = world.exchange.place(world.session, submit(world, tp="61000.00"))
    world.cancel(waiting.id)
    world.advance(1_000)
    assert [order.fields.order_type for order in world.exchange.orders_of(world.account)].count("TAKE_PROFIT") == 0


def test_a_child_waits_out_a_halt_and_a_picture_without_its_side(world):
    trade(world, sl="59000.00")
    world.exchange.pools["BTC-PERP"].halted = True
    world.quote("BTC", "58000.00", "58010.00")
    assert kinds(world)["STOP_LOSS"].status == "NEW"
    world.exchange.pools["BTC-PERP"].halted = False
    world.arm("thin_book", side="bids")
    world.quote("BTC", "57000.00", "57010.00")
    assert kinds(world)["STOP_LOSS"].status == "NEW"
