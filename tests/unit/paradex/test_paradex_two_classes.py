"""Pro and Retail side by side (order_class by_edge): two order connections, against a venue in memory."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.paradex.paradex_fake import FakeConnection
from tests.unit.paradex.paradex_rig import BTC, Rig

from deltawire.core.entry_class import SlowClass
from deltawire.venues.contract import OffersSlowClass, PreparedOrder
from deltawire.venues.paradex.settings import OrderClass


def test_the_adapter_offers_a_slow_class(unstarted):
    assert isinstance(unstarted.venue, OffersSlowClass)


@pytest.fixture
async def both(unstarted: Rig) -> AsyncIterator[Rig]:
    """An adapter with a Pro and a Retail order connection; the latter stays lost once it is lost."""
    rig = unstarted.restart_with(order_class=OrderClass.BY_EDGE, reply_timeout_s=20.0)
    await rig.venue.start(rig.sink)
    yield rig
    await rig.venue.close()


def lines_of(rig: Rig) -> tuple[FakeConnection, FakeConnection]:
    """Return the Pro and the Retail order connection: only the first subscribes."""
    signed_in = [line for line in rig.fake.connections if "auth" in line.methods]
    pro, retail = sorted(signed_in, key=lambda line: "subscribe" not in line.methods)
    return pro, retail


def retail_order(rig: Rig) -> PreparedOrder:
    prepared = rig.prepare()
    prepared.order_class = "retail"
    return prepared


async def test_by_edge_opens_two_order_connections_with_a_token_each_and_both_protected(both):
    assert sorted(both.fake.classes_asked) == ["", "interactive"]
    assert both.venue.instrument(BTC).fee_rate_taker_e8 == 35_000
    slow = both.venue.slow_class(BTC)
    assert slow == SlowClass("retail", 300, 0)
    pro, retail = lines_of(both)
    assert pro.armed
    assert retail.armed
    assert "subscribe" not in retail.methods


async def test_the_class_of_an_order_decides_its_connection(both):
    pro, retail = lines_of(both)
    both.venue.submit(both.prepare())
    both.venue.submit(retail_order(both))
    assert [line.methods.count("order.create") for line in (pro, retail)] == [1, 1]


async def test_without_the_retail_connection_only_that_class_is_blocked_and_its_orders_are_in_doubt(both):
    both.fake.on_create = lambda _connection, _request, _order: None  # no answer
    _, retail = lines_of(both)
    usual, slow = both.prepare(), retail_order(both)
    for prepared in (usual, slow):
        both.venue.submit(prepared)
    both.fake.refuse_connects = 10**6
    retail.lose()
    await both.sink.until(lambda: "InDoubt" in both.sink.kinds(slow.request.client_id))
    assert both.sink.kinds(usual.request.client_id) == ["Sent"]
    assert both.venue.slow_block(BTC) == "the retail order socket is down"
    assert both.venue.ready
    late = retail_order(both)
    both.venue.submit(late)
    assert both.sink.kinds(late.request.client_id) == ["NotSent"]


async def test_the_retail_connection_comes_back_with_a_token_and_protection(both):
    _, retail = lines_of(both)
    before = len(both.fake.connections)
    retail.lose()
    await both.sink.until(lambda: len(both.fake.connections) > before and both.venue.slow_block(BTC) == "")
    again = both.fake.connections[-1]
    assert again is not retail
    assert again.armed


async def test_without_the_order_socket_no_entry_leaves_whatever_its_class(both):
    pro, _ = lines_of(both)
    both.fake.refuse_connects = 10**6
    pro.lose()
    await both.sink.until(lambda: both.venue.entry_block(BTC) != "")
    assert both.venue.slow_block(BTC) == ""
    assert "order socket is down" in both.venue.entry_block(BTC)


async def test_closing_with_nothing_open_takes_the_protection_off_both(both):
    lines = lines_of(both)
    await both.venue.close()
    assert both.fake.cancelled_by_disconnect == []
    assert [line.methods.count("order.cancel_on_disconnect") for line in lines] == [2, 2]
    assert [line.armed for line in lines] == [False, False]


@pytest.mark.parametrize("order_class", [OrderClass.PRO, OrderClass.RETAIL])
async def test_with_one_class_there_is_no_other(unstarted, order_class):
    rig = unstarted.restart_with(order_class=order_class)
    await rig.venue.start(rig.sink)
    assert rig.venue.slow_class(BTC) is None
    assert sum("auth" in line.methods for line in rig.fake.connections) == 1
    assert "retail orders" not in {report.name for report in rig.venue.budgets()}
    await rig.venue.close()
