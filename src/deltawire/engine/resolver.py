"""Resolves orders in doubt by reading, never by sending again (I3, I4). One task an order, until the venue has spoken.

"The venue does not know it" is believed only once the order is too old for the venue to still accept it: each order
carries a receive window, and bytes on their way may arrive after a look-up that missed them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.events import Acked, Closed, FilledTotal, NotFound, OrderEvent
from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import Clock, EventLog, OrderReport, Refused, Venue

# A look-up costs the venue's read budget, so the wait doubles; the first comes at once because a leg may be alone.
WAIT_S_FIRST = 0.05
WAIT_S_MAX = 2.0
# An order unknown to its venue this long after its receive window has closed will never be there.
NEVER_MARGIN_NS = 500_000_000
_MS_NS = 10**6


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What a look-up needs to know of an order."""

    client_id: ClientOrderId
    venue: Venue
    symbol: str
    correlator: int
    intended_mono_ns: int


class Resolver:
    def __init__(
        self,
        *,
        clock: Clock,
        log: EventLog,
        on_news: Callable[[ClientOrderId, OrderEvent], None],
        is_settled: Callable[[ClientOrderId], bool],
    ) -> None:
        self._clock, self._log = clock, log
        self._on_news, self._is_settled = on_news, is_settled
        self._tasks: dict[ClientOrderId, asyncio.Task[None]] = {}
        self.looked_up = 0

    def resolve(self, order: Doubtful) -> None:
        """Start reading the order from its venue; asking twice is harmless."""
        if order.client_id not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._resolve(order), name=f"resolve {order.client_id}")
            self._tasks[order.client_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(order.client_id, None))

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _resolve(self, order: Doubtful) -> None:
        wait_s = WAIT_S_FIRST
        while True:
            news = await self._read(order)
            for event in news:
                self._on_news(order.client_id, event)
            if self._is_settled(order.client_id):
                self._log.info("order.resolved", client_id=order.client_id)
                return
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, WAIT_S_MAX)

    async def _read(self, order: Doubtful) -> list[OrderEvent]:
        self.looked_up += 1
        asked_ns = self._clock.mono_ns()
        try:
            report = await order.venue.look_up(order.client_id, order.correlator, order.symbol)
        except (OSError, TimeoutError, ValueError, Refused) as e:
            # OSError: no connection. ValueError: unreadable answer. Refused: the look-up itself was refused.
            self._log.warning("order.look_up_failed", client_id=order.client_id, reason=str(e))
            return []
        if report is None:
            never_after_ns = order.venue.capabilities.recv_window_ms * _MS_NS + NEVER_MARGIN_NS
            return [NotFound()] if asked_ns - order.intended_mono_ns > never_after_ns else []
        return _news(report)


def _news(report: OrderReport) -> list[OrderEvent]:
    """Say what a report means: first for the position, then by what id the venue knows the order."""
    news: list[OrderEvent] = []
    if report.filled_e8:
        news.append(FilledTotal(report.filled_e8, report.notional_e8, report.fee_e8))
    if report.is_final:
        news.append(Closed(report.filled_e8, report.reason))
    news.append(Acked(report.venue_order_id))
    return news
