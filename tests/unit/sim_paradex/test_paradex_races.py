"""Cancels and modifications that race fills: "queued" is no promise, and what filled stays filled."""

from dataclasses import replace

import pytest
from tests.unit.sim_paradex.memory import SIGNER, World
from tests.unit.sim_paradex.venue import BTC, ONE_LEVEL, e8, quote

from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records

QUEUED = replace(ONE_LEVEL, cancel_queue_s=0.05)
CHANNELS = ("orders.ALL", "fills.ALL")


def resting(world, wire, size="0.4"):
    """Rest a buy at 100005, between 100000 and 100010; past any speed bump."""
    reply = wire.call("order.create", **world.order(Side.BUY, size, "100005", instruction="GTC"))
    world.clock.advance(0.3)
    order = world.account.orders[reply["result"]["order"]["id"]]
    assert order.status == "OPEN"
    return order


def cross(world, ask_size="1"):
    """Let the market come down through the order."""
    world.market.publish("paradex", "BTC", quote("99990", "100000", ask_size=ask_size))


def news(wire):
    return [(type(record).__name__, getattr(record, "status", None)) for record in wire.records()]


@pytest.mark.parametrize(
    ("settings", "rank", "wait_s"), [(ONE_LEVEL, Rank.RETAIL, 0.3), (QUEUED, Rank.PRO, 0.05)], ids=["retail", "pro"]
)
@pytest.mark.parametrize("way", ["order.cancel", "order.cancel_batch", "order.cancel_all"])
def test_an_order_fills_while_its_cancel_is_queued(settings, rank, wait_s, way):
    world = World(settings)
    wire = world.connect(*CHANNELS, rank=rank)
    order = resting(world, wire)
    named = {"order.cancel": {"id": order.id}, "order.cancel_batch": {"order_ids": [order.id]}, "order.cancel_all": {}}
    queued = wire.call(way, **named[way])
    assert "QUEUED" in str(queued["result"]) or queued["result"] == {"status": "ok"}
    world.clock.advance(wait_s - 0.01)
    cross(world)
    world.clock.advance(1)
    assert (order.status, order.cancel_reason, order.leaves_e8) == ("CLOSED", "", 0)
    assert news(wire)[-2:] == [("Fill", None), ("Order", "CLOSED")]  # and nothing of a cancel after it
    assert wire.call("order.cancel", id=order.id)["error"]["data"] == "ORDER_IS_CLOSED"


def test_a_queued_cancel_takes_what_is_left_after_a_part_was_filled():
    world = World(QUEUED)
    wire = world.connect(*CHANNELS, rank=Rank.PRO)
    order = resting(world, wire)
    wire.call("order.cancel", id=order.id)
    cross(world, ask_size="0.1")
    assert (order.status, order.filled_e8) == ("OPEN", e8("0.1"))
    world.clock.advance(0.05)
    assert (order.status, order.cancel_reason, order.filled_e8) == ("CLOSED", "USER_CANCELED", e8("0.1"))
    assert news(wire)[-3:] == [("Fill", None), ("Order", "OPEN"), ("Order", "CLOSED")]
    assert world.account.size_e8(BTC) == e8("0.1")


def test_a_cancel_overtakes_a_retail_order_that_waits_for_its_turn():
    world = World()
    slow, quick = world.connect(*CHANNELS, rank=Rank.RETAIL), world.connect(rank=Rank.PRO)
    placed = slow.call("order.create", **world.order(Side.BUY, "0.4", "100010"))["result"]["order"]
    quick.call("order.cancel", id=placed["id"])
    world.clock.advance(1)
    assert news(slow) == [("Order", "NEW"), ("Order", "CLOSED")]
    assert (world.account.orders[placed["id"]].cancel_reason, world.account.size_e8(BTC)) == ("USER_CANCELED", 0)


def test_a_modify_that_comes_after_the_fill_is_refused_and_one_before_it_moves_the_order_away():
    world = World()
    wire = world.connect(*CHANNELS, rank=Rank.PRO)
    moved, filled = resting(world, wire, "0.2"), resting(world, wire, "0.3")

    def modify(order, size, price):
        signature = SIGNER.sign_modify(world.now_ms, BTC, Side.BUY, "LIMIT", e8(size), e8(price), order.id)
        fields = {"id": order.id, "market": BTC, "side": "BUY", "type": "LIMIT", "size": size, "price": price}
        return wire.call("order.modify", **fields, signature=signature, signature_timestamp=world.now_ms)

    assert modify(moved, "0.2", "99000")["result"]["order"]["price"] == "99000"
    cross(world)
    assert (moved.status, moved.filled_e8, filled.status) == ("OPEN", 0, "CLOSED")
    assert modify(filled, "0.3", "99000")["error"]["data"] == "ORDER_IS_CLOSED"


def test_a_disconnect_cancels_what_is_left_and_keeps_what_filled():
    world = World()
    wire, watcher = world.connect(rank=Rank.PRO), world.connect(*CHANNELS, rank=Rank.PRO)
    wire.call("order.cancel_on_disconnect", enabled=True)
    order = resting(world, wire)
    cross(world, ask_size="0.1")
    wire.session.on_disconnected()
    assert (order.status, order.cancel_reason, order.filled_e8) == ("CLOSED", "CANCEL_ON_DISCONNECT", e8("0.1"))
    assert watcher.records(records.Order)[-1].cancel_reason == "CANCEL_ON_DISCONNECT"
