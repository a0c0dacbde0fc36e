"""Faults of the simulated Paradex, on a clock moved by hand: what the venue itself then does."""

import orjson
import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import BTC

from deltawire.core.types import Side
from deltawire.sim.faults import Fault
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records
from deltawire.venues.paradex.errors import INTERNAL_ERROR

DELTAS = f"order_book.{BTC}.deltas"


@pytest.fixture
def world() -> World:
    return World()


def test_a_stream_fault_without_its_link_stays_armed_and_is_not_spent_by_another(world):
    wire = world.connect(f"bbo.{BTC}")
    world.fault("drop_stream", link="private")
    world.fault("drop_stream", link="market data")
    assert wire.aborted
    assert [fault["params"] for fault in world.faults.armed()] == [{"link": "private"}]


def test_a_stale_book_stands_still_while_the_best_prices_go_on(world):
    wire = world.connect(f"bbo.{BTC}", DELTAS)
    world.fault("stale_book", base="BTC", ms=1_000)
    world.tick("100001", "100011")
    assert len(wire.records(records.BookUpdate)) == 1, "the snapshot alone"
    assert wire.records(records.Bbo)
    world.clock.advance(1.5)
    world.tick("100002", "100012")
    assert len(wire.records(records.BookUpdate)) > 1


def test_expired_tokens_are_refused_and_new_ones_taken(world):
    old = world.token()
    world.fault("expire_token")
    assert [world.http("GET", "/positions", token).status for token in (old, world.token())] == [401, 200]


def test_a_failing_read_fails_once(world):
    world.fault("read_error")
    assert [world.http("GET", "/system/time").status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(("where", "orders"), [("before", 0), ("after", 1)])
def test_an_error_without_id_comes_instead_of_the_reply(world, where, orders):
    wire = world.connect(rank=Rank.PRO)
    world.fault("idless_error", where=where)
    request = {"jsonrpc": "2.0", "id": 7, "method": "order.create", "params": world.order(Side.BUY, "0.01", "100010")}
    wire.session.on_text(orjson.dumps(request), 0)
    assert (wire.texts[-1]["id"], wire.texts[-1]["error"]["code"]) == (None, INTERNAL_ERROR)
    assert len(world.account.orders) == orders


def test_a_planned_fault_strikes_the_order_it_was_planned_for(world):
    world.faults.plan(Fault("paradex", "rate_limit"), "order", 2)
    wire = world.connect(rank=Rank.PRO)
    answers = [wire.call("order.create", **world.order(Side.BUY, "0.01", f"1000{n}0")) for n in (1, 2, 3)]
    assert ["error" in answer for answer in answers] == [False, True, False]
