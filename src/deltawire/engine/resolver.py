"""Resolves orders in doubt by reading, never by sending again (I3, I4). One task an order, until the venue has spoken.

"The venue does not know it" is believed only once the order is too old for the venue to still accept it: each order
carries a receive window, and bytes on their way may arrive after a look-up that missed them. The venue judges the age
by its own clock and the time we signed, so it is judged here by what is known of that clock; ours may be wrong.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.events import Acked, Closed, FilledTotal, NotFound, OrderEvent
from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import Clock, EventLog, OrderReport, Refused, TellsTime, Venue

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
    written_mono_ns: int  # at the latest: when its bytes may have left
    signed_unix_ms: int  # by the signature
    recv_window_ms: int = 0  # 0: not told, so the venue's longest
    inherited: bool = False  # of an earlier run, so that nobody here knows when it was written

    def is_too_late(self, asked_mono_ns: int) -> bool:
        """Say whether a look-up asked then would have shown the order if the venue had taken it, or ever will."""
        able = self.venue.capabilities
        margin_ns = max(able.look_up_lag_ms * _MS_NS, NEVER_MARGIN_NS)
        wait_ns = (self.recv_window_ms or able.recv_window_ms) * _MS_NS + margin_ns
        is_old = asked_mono_ns - self.written_mono_ns > wait_ns
        there_ns = self.venue.time.unix_ns_low(asked_mono_ns) if isinstance(self.venue, TellsTime) else None
        if there_ns is None:
            return is_old
        closed = there_ns > self.signed_unix_ms * _MS_NS + wait_ns
        # Of its own orders this run knows both ages, and wants both: a venue's clock is known by what it tells.
        return closed and (is_old or self.inherited)


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
            return [NotFound()] if order.is_too_late(asked_ns) else []
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
