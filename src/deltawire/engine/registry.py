"""Every order of this run, by client id: whose it is, how it is read at its venue, and its stamps. Bounded."""

from collections import OrderedDict
from dataclasses import dataclass

from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.engine.resolver import Doubtful
from deltawire.engine.trader import PairTrader

ORDERS_KEPT = 5_000  # an hour of orders at the highest rate the gate allows; late news is seconds late, not hours


@dataclass(slots=True)
class LiveOrder:
    trader: PairTrader
    doubtful: Doubtful
    stamps: OrderStamps
    timed: bool = False  # its latency has been told


class Registry:
    def __init__(self) -> None:
        self._orders: OrderedDict[ClientOrderId, LiveOrder] = OrderedDict()
        self.count_by_venue: dict[str, int] = {}
        self.made = 0

    def add(self, order: LiveOrder) -> None:
        self._orders[order.doubtful.client_id] = order
        venue = order.doubtful.venue.name
        self.made += 1
        self.count_by_venue[venue] = self.count_by_venue.get(venue, 0) + 1
        if len(self._orders) > ORDERS_KEPT:
            self._orders.popitem(last=False)

    def get(self, client_id: ClientOrderId) -> LiveOrder | None:
        return self._orders.get(client_id)
