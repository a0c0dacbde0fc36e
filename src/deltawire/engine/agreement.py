"""Whether the venues say of our positions what the journal says: asked at the start, on a timer, and at the end.

It reads, records and tells; the only thing it does at a venue is to cancel resting orders of ours, of which there
should be none. What a difference leads to is decided by those who ask.
"""

import asyncio
from collections.abc import Callable, Sequence

from deltawire.core.types import ClientOrderId
from deltawire.engine.ids import is_ours
from deltawire.engine.positions import Positions
from deltawire.engine.recorder import Recorder
from deltawire.engine.watch import UNREADABLE
from deltawire.journal.records import PositionRow, PositionsChecked, When
from deltawire.venues.contract import Clock, EventLog, Venue

# Vest shows a position some 200 to 500 ms after its fill: a difference counts once it has lasted this long.
AGREE_WITHIN_S = 5.0
AGREE_POLL_S = 0.25
# A venue that cannot be read at the end is asked again for this long: a new registration at Vest may take ten seconds,
# and each half-open connection kept for reads costs a time-out of five.
CONFIRM_WITHIN_S = 30.0
CONFIRM_AGAIN_S = 1.0


class Agreement:
    """The journal's positions beside the venues'. watched: the (venue, symbol) legs that are always asked about."""

    def __init__(
        self,
        positions: Positions,
        venues: Sequence[Venue],
        watched: Sequence[tuple[str, str]],
        *,
        recorder: Recorder,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._positions, self._venues, self.watched = positions, venues, watched
        self._recorder, self._clock, self._log = recorder, clock, log

    def record(self, when: When, rows: list[PositionRow]) -> None:
        """Write one comparison to the journal."""
        self._recorder.later(PositionsChecked(when=when, rows=rows, unix_ns=self._clock.unix_ns()))

    async def compare(self, when: When, within_s: float = AGREE_WITHIN_S) -> list[PositionRow]:
        """Compare positions with the venues, giving them time to show the last fills; journal the outcome."""
        rows: list[PositionRow] = []
        deadline_ns = self._clock.mono_ns() + int(within_s * 1e9)
        while True:
            rows = await self._positions.compare(self._venues, self.watched)
            if all(row.agree for row in rows) or self._clock.mono_ns() > deadline_ns:
                break
            await asyncio.sleep(AGREE_POLL_S)
        self.record(when, rows)
        return rows

    async def cancel_strays(self) -> None:
        """Cancel what rests at the venues and is ours; immediate orders never rest, so there should be none."""
        answers = await asyncio.gather(*(venue.open_orders() for venue in self._venues))
        for venue, orders in zip(self._venues, answers, strict=True):
            for order in orders:
                if is_ours(order.client_id):
                    self._log.warning("order.stray", venue=venue.name, client_id=order.client_id)
                    venue.cancel(ClientOrderId(order.client_id))

    async def confirm_end(self, *, idle: bool) -> tuple[bool, bool]:
        """Return (flat, agreed) as the venues confirm it. idle: whether every pair was done by our own count."""
        deadline_ns = self._clock.mono_ns() + int(CONFIRM_WITHIN_S * 1e9)
        rows: list[PositionRow] | None = None
        while rows is None:
            try:
                await self.cancel_strays()
                rows = await self.compare("shutdown")
            except UNREADABLE as e:
                # A lost connection or a key being renewed heals in seconds; an end nobody confirmed calls a person.
                if self._clock.mono_ns() > deadline_ns:
                    self._log.error("positions.unreadable", reason=str(e))
                    return False, False
                self._log.warning("positions.unreadable", reason=str(e))
                await asyncio.sleep(CONFIRM_AGAIN_S)
        for row in rows:
            if not row.agree or row.venue_e8:
                self._log.error("positions.left", reason=difference(row))
        flat = idle and not any(row.venue_e8 for row in rows)
        return flat, all(row.agree for row in rows)


async def until(done: Callable[[], bool], within_s: float, *, clock: Clock, poll_s: float) -> bool:
    """Wait until something is so. False when it is not so in time."""
    deadline_ns = clock.mono_ns() + int(within_s * 1e9)
    while not done():
        if clock.mono_ns() > deadline_ns:
            return False
        await asyncio.sleep(poll_s)
    return True


def difference(row: PositionRow) -> str:
    """Return one difference in words."""
    return (
        f"{row.venue} {row.symbol}: the venue holds {row.venue_e8 / 1e8:g}, the journal says {row.journal_e8 / 1e8:g}"
    )
