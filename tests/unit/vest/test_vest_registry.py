"""The registry of orders keeps its bounds: finished orders go, unfinished ones and early events of ours stay."""

from tests.unit.vest.fake_vest import Log

from deltawire.core.money import E8
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.venues.contract import PreparedOrder
from deltawire.venues.vest import registry, wire
from deltawire.venues.vest.registry import Registry

BTC = Instrument("vest", "BTC-PERP", 10**6, 10**4, 10**4, 0, 0, 10_000)


def prepared(n):
    request = OrderRequest(ClientOrderId(f"o{n}"), TradeId("t"), Purpose.ENTRY, BTC, Side.BUY, E8, E8)
    return PreparedOrder(request, n, n, b"", 1_500, OrderStamps())


def test_the_oldest_finished_order_is_forgotten_and_no_unfinished_one():
    found = Registry(Log())
    for n in range(registry.TRACKED_ORDERS_MAX):
        found.add(prepared(n), window_ms=1_500).closed = n != 0
    found.add(prepared(10_000), window_ms=1_500)
    assert found.by_client_id(ClientOrderId("o0")) is not None
    assert found.by_client_id(ClientOrderId("o1")) is None
    assert found.find(wire.OrderEvent("0x1", wire.NEW, nonce=1)) is None
    assert [order.nonce for order in found.unfinished()] == [0, 10_000]


def test_with_nothing_finished_nothing_is_forgotten_and_it_is_said():
    log = Log()
    found = Registry(log)
    for n in range(registry.TRACKED_ORDERS_MAX + 1):
        found.add(prepared(n), window_ms=1_500)
    assert len(list(found.unfinished())) == registry.TRACKED_ORDERS_MAX + 1
    assert len(log.named("vest.orders.none_finished")) == 1


def test_early_events_without_a_nonce_are_kept_within_their_bound():
    found = Registry(Log())
    for n in range(registry.EARLY_EVENTS_MAX + 1):
        assert found.find(wire.OrderEvent(f"0x{n}", wire.NEW)) is None
    assert found.take_early("0x0") == []
    assert len(found.take_early("0x1")) == 1
    assert found.take_early("0x1") == []


def test_a_liquidation_is_an_error_in_the_log_and_no_event_of_ours():
    log = Log()
    found = Registry(log)
    event = wire.OrderEvent("0x1", wire.FILLED, symbol="BTC-PERP", order_type="LIQUIDATION", size="1")
    assert found.find(event) is None
    assert [line[1] for line in log.errors()] == ["vest.liquidation"]
    assert found.take_early("0x1") == []
