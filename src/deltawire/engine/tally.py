"""What our own record says each order filled and cost, kept for the comparison with the venues. Decides nothing.

Fed with what the journal is fed with: the records of the runs before, then the news of this one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from deltawire.core.events import Closed, FilledTotal, FillSeen, OrderEvent
from deltawire.core.money import notional_e8
from deltawire.core.types import Side
from deltawire.engine.recovery import Remains
from deltawire.journal.records import OrderIntended, OrderObserved, event_of


@dataclass(slots=True, eq=False)
class Tallied:
    """One order: its single fills and its running total; the larger is believed, never the sum."""

    client_id: str
    venue: str
    symbol: str
    correlator: int
    sign: int  # of what it fills: +1 bought
    made_unix_ns: int
    fills: dict[str, FillSeen] = field(default_factory=dict)
    total: FilledTotal = field(default_factory=lambda: FilledTotal(0, 0, 0))
    final_e8: int = 0
    filled_unix_ns: int = 0  # when the last fill was told

    @property
    def seen_e8(self) -> int:
        return sum(fill.size_e8 for fill in self.fills.values())

    @property
    def filled_e8(self) -> int:
        return max(self.seen_e8, self.total.size_e8, self.final_e8)

    @property
    def is_priced(self) -> bool:
        return self.filled_e8 in (self.seen_e8, self.total.size_e8)

    @property
    def notional_e8(self) -> int:
        if self.seen_e8 >= self.total.size_e8:
            return sum(notional_e8(fill.price_e8, fill.size_e8) for fill in self.fills.values())
        return self.total.notional_e8

    @property
    def fee_e8(self) -> int:
        if self.seen_e8 >= self.total.size_e8:
            return sum(fill.fee_e8 for fill in self.fills.values())
        return self.total.fee_e8


class Tally:
    def __init__(self) -> None:
        self.orders: dict[str, Tallied] = {}
        self.fees_e8: dict[str, int] = {}  # by venue, of all orders ever added, the dropped ones too
        self.changes = 0  # grows with every fill: what was read before and after one does not belong together
        self.filled_unix_ns = 0  # when the newest fill was told
        self._by_correlator: dict[tuple[str, int], Tallied] = {}

    def add(self, order: Tallied) -> None:
        self.orders[order.client_id] = self._by_correlator[order.venue, order.correlator] = order
        self.changes += 1

    def on_news(self, client_id: str, event: OrderEvent, unix_ns: int) -> None:
        order = self.orders.get(client_id)
        if order is None or not isinstance(event, FillSeen | FilledTotal | Closed):
            return
        before = (order.filled_e8, order.fee_e8)
        match event:
            case FillSeen():
                order.fills.setdefault(event.fill_id, event)
            case FilledTotal() if event.size_e8 > order.total.size_e8:
                order.total = event
            case Closed():
                order.final_e8 = max(order.final_e8, event.filled_e8 or 0)
            case _:
                pass
        if (order.filled_e8, order.fee_e8) != before:
            self.fees_e8[order.venue] = self.fees_e8.get(order.venue, 0) + order.fee_e8 - before[1]
            order.filled_unix_ns = unix_ns
            self.filled_unix_ns = max(self.filled_unix_ns, unix_ns)
            self.changes += 1

    def find(self, venue: str, client_id: str, correlator: int) -> Tallied | None:
        """Return the order a venue names by our id, or by its correlator where it has none."""
        return self.orders.get(client_id) if client_id else self._by_correlator.get((venue, correlator))

    def drop(self, order: Tallied) -> None:
        """Forget an order that was compared and agreed."""
        del self.orders[order.client_id]
        self._by_correlator.pop((order.venue, order.correlator), None)

    def inherit(self, trades: Iterable[Remains], since_unix_ns: int) -> None:
        """Take over what the journal tells of orders made since then, and of all orders of trades left open."""
        for remains in trades:
            for intent in remains.intents:
                if intent.unix_ns >= since_unix_ns or remains.closed is None:
                    self.take_over(intent, remains.news.get(intent.client_id, []))

    def take_over(self, intent: OrderIntended, news: Iterable[OrderObserved]) -> None:
        """Know an order of an earlier run; twice is harmless."""
        if intent.client_id in self.orders:
            return
        sign = Side(intent.side).sign
        self.add(Tallied(intent.client_id, intent.venue, intent.symbol, intent.correlator, sign, intent.unix_ns))
        for record in news:
            self.on_news(intent.client_id, event_of(record), record.unix_ns)
