"""Which orders of ours Vest may still speak of: found by nonce, by the venue's id or by client id. Bounded; no I/O."""

from collections import OrderedDict
from collections.abc import Iterator

from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import EventLog, PreparedOrder
from deltawire.venues.vest import tracking, wire
from deltawire.venues.vest.tracking import TrackedOrder

# Days of orders at the venue's 5 a second are far more, but only recent ones can still get news.
TRACKED_ORDERS_MAX = 4_096
# Events that name an id no answer has named yet and carry no nonce; one order in flight a connection makes a few.
EARLY_EVENTS_MAX = 64


class Registry:
    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._by_nonce: OrderedDict[int, TrackedOrder] = OrderedDict()
        self._by_client_id: dict[ClientOrderId, TrackedOrder] = {}
        self._by_venue_id: dict[str, TrackedOrder] = {}
        self._early: OrderedDict[str, list[wire.OrderEvent]] = OrderedDict()

    def add(self, prepared: PreparedOrder, *, window_ms: int) -> TrackedOrder:
        """Track an order from before its bytes leave. Raises ValueError for one that was added before (I3)."""
        request = prepared.request
        order = TrackedOrder(
            client_id=request.client_id,
            nonce=prepared.correlator,
            symbol=request.instrument.symbol,
            side=request.side,
            size_e8=request.size_e8,
            signed_unix_ms=prepared.signed_unix_ms,
            window_ms=window_ms,
            stamps=prepared.stamps,
        )
        if order.nonce in self._by_nonce or order.client_id in self._by_client_id:
            raise ValueError(f"submitted before: {order.client_id}, nonce {order.nonce}")
        self._by_nonce[order.nonce] = self._by_client_id[order.client_id] = order
        if len(self._by_nonce) > TRACKED_ORDERS_MAX:
            self._forget_oldest()
        return order

    def by_client_id(self, client_id: ClientOrderId) -> TrackedOrder | None:
        return self._by_client_id.get(client_id)

    def unfinished(self) -> Iterator[TrackedOrder]:
        return (order for order in self._by_nonce.values() if not order.closed)

    def name(self, order: TrackedOrder) -> None:
        """Note the venue's id of an order once it has one."""
        if order.venue_order_id:
            self._by_venue_id[order.venue_order_id] = order

    def find(self, event: wire.OrderEvent) -> TrackedOrder | None:
        """Return the order an event speaks of; one that may yet turn out to be ours is kept for take_early."""
        order = self._by_venue_id.get(event.id)
        if order is None and event.nonce is not None:
            order = self._by_nonce.get(event.nonce)
        if order is not None and tracking.is_ours(order, event):
            return order
        self._keep_early(event)
        return None

    def take_early(self, venue_order_id: str) -> list[wire.OrderEvent]:
        """Return the events that came before the answer that names their id."""
        return self._early.pop(venue_order_id, [])

    def _keep_early(self, event: wire.OrderEvent) -> None:
        if event.order_type == wire.LIQUIDATION:
            self._log.error("vest.liquidation", symbol=event.symbol, size=event.size, status=event.status)
            return
        self._log.info("vest.order.unknown_event", id=event.id[:80], status=event.status[:40], nonce=event.nonce)
        if event.nonce is not None:
            return  # every order of ours is known by its nonce before its bytes leave: this is another client's
        self._early.setdefault(event.id, []).append(event)
        while sum(map(len, self._early.values())) > EARLY_EVENTS_MAX:
            self._early.popitem(last=False)

    def _forget_oldest(self) -> None:
        """Drop the oldest finished order; unfinished ones stay, however old."""
        order = next((found for found in self._by_nonce.values() if found.closed), None)
        if order is None:
            self._log.error("vest.orders.none_finished", tracked=len(self._by_nonce))
            return
        del self._by_nonce[order.nonce]
        self._by_client_id.pop(order.client_id, None)
        self._by_venue_id.pop(order.venue_order_id, None)
