"""Tells the latency of each order once: to the log, the journal, the figures, and whoever shows the last few.

Joins our stamps with the venue's: where the venue tells when it received the order and when it answered, each answer is
an exchange from which its clock's offset is estimated, and the way there and back can be told apart.
"""

from collections import defaultdict

from deltawire.core.offset import ClockOffset
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.engine.figures import Figures
from deltawire.engine.recorder import Recorder
from deltawire.engine.registry import LiveOrder
from deltawire.journal.records import OrderTimed
from deltawire.observe.latency import log_order_latency
from deltawire.venues.contract import Clock, EventLog

ANSWER_WITHIN_NS = 2_000_000_000  # a finished order without an answer is told without its answer's stamps
KEPT = 20


class Timing:
    def __init__(self, *, recorder: Recorder, clock: Clock, log: EventLog, figures: Figures) -> None:
        self._recorder, self._clock, self._log, self._figures = recorder, clock, log, figures
        self._waiting: dict[ClientOrderId, tuple[int, LiveOrder]] = {}  # finished, unanswered: (until, order)
        self.last: list[OrderTimed] = []
        self._offsets: dict[str, ClockOffset] = defaultdict(ClockOffset)

    def finished(self, client_id: ClientOrderId, order: LiveOrder) -> None:
        """Tell an order that is over; news of the end can overtake the answer, which is then waited for."""
        if order.timed:
            return
        if order.stamps.acked_mono_ns:
            self._tell(client_id, order)
        elif client_id not in self._waiting:
            self._waiting[client_id] = (self._clock.mono_ns() + ANSWER_WITHIN_NS, order)

    def overdue(self, now_ns: int) -> None:
        """Tell those whose answer did not come in time."""
        for client_id in [at for at, (until_ns, _) in self._waiting.items() if now_ns > until_ns]:
            self._tell(client_id, self._waiting[client_id][1])

    def tell_all(self) -> None:
        """Tell what still waits: the end has come."""
        for client_id, (_, order) in list(self._waiting.items()):
            self._tell(client_id, order)

    def _tell(self, client_id: ClientOrderId, order: LiveOrder) -> None:
        order.timed = True
        self._waiting.pop(client_id, None)
        timed = OrderTimed(client_id=client_id, venue=order.doubtful.venue.name, stamps=order.stamps)
        self._join(timed.venue, order.stamps)
        self._recorder.later(timed)
        log_order_latency(self._log, client_id, timed.venue, order.stamps)
        self._figures.order_timed(timed.venue, order.stamps)
        self.last.append(timed)
        del self.last[:-KEPT]

    def _join(self, venue: str, stamps: OrderStamps) -> None:
        """Bring the moment of writing to UTC, and estimate how far the venue's clock is ahead."""
        if not stamps.written_mono_ns:
            return
        now_mono_ns, now_unix_ns = self._clock.mono_ns(), self._clock.unix_ns()
        stamps.written_unix_ns = now_unix_ns - (now_mono_ns - stamps.written_mono_ns)
        offset = self._offsets[venue]
        if stamps.reply_mono_ns and stamps.venue_received_unix_ns and stamps.venue_sent_unix_ns:
            replied_unix_ns = now_unix_ns - (now_mono_ns - stamps.reply_mono_ns)
            offset.add(
                stamps.written_unix_ns, stamps.venue_received_unix_ns, stamps.venue_sent_unix_ns, replied_unix_ns
            )
        stamps.venue_ahead_ns = offset.ahead_ns(now_unix_ns)
