"""What the bot writes down, and when. Intents go to the journal before their bytes can leave (I6); all else after.

The hot path only appends to a list here; a loop callback writes it out once the orders are with the sockets.
"""

import asyncio
from collections.abc import Iterable

from deltawire.journal.leaving import LeavingMark
from deltawire.journal.log import JournalLog, JournalUnwritable
from deltawire.journal.records import OrderIntended, Record
from deltawire.venues.contract import EventLog, PreparedOrder

SYNC_EVERY_S = 0.2  # power loss may cost this much of the record; a crash of the process costs nothing


class Recorder:
    """Owns the journal's write side. A journal that cannot be written stops entries and never an exit."""

    def __init__(self, journal: JournalLog, log: EventLog, mark: LeavingMark | None = None) -> None:
        self._journal, self._log, self._mark = journal, log, mark
        self._later: list[Record] = []
        self._scheduled = False
        self._synced_seq = 0
        self._sync_timer: asyncio.TimerHandle | None = None
        self._sync_task: asyncio.Task[None] | None = None
        self.broken = ""  # why the journal cannot be written; "" while it can

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._sync_timer = loop.call_later(SYNC_EVERY_S, self._sync_tick)

    def record_now(self, records: Iterable[Record]) -> bool:
        """Write intents or a ladder now, behind what waits, in one write. False when they are not in the journal.

        The caller decides by purpose what that means (I8).
        """
        try:
            self._journal.append_all([*self._later, *records])
        except JournalUnwritable as e:
            self._break(e)
            return False
        self._all_recorded()
        return True

    def begin_mark(self, run_id: str) -> None:
        """Speak for this run from now on: the fate of every ladder of an earlier one is on record."""
        if self._mark is not None:
            self._mark.begin(run_id)

    def leaving(self, order: PreparedOrder) -> None:
        """An order of a ladder is about to be written, others of the same ladder with it: their record follows."""
        if self._mark is not None:
            self._mark.leaving(order.correlator)

    @property
    def journal_bytes(self) -> int:
        """What the journal takes on the disk."""
        return self._journal.size_bytes

    @property
    def unrecorded(self) -> list[OrderIntended]:
        """Return the intents that wait for the disk: of orders that left all the same, and lost with the process.

        A ladder's are on record as that; the next run asks for them.
        """
        return [record for record in self._later if isinstance(record, OrderIntended)]

    def later(self, record: Record) -> None:
        """Write a record as soon as the loop is free again, in order."""
        self._later.append(record)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        self._scheduled = False
        if not self._later:
            return
        try:
            self._journal.append_all(self._later)
        except JournalUnwritable as e:
            # Kept in memory, in order: written when the disk has room again, lost only with the process.
            self._break(e)
            return
        self._all_recorded()

    async def close(self) -> None:
        """Write what is left, flush to disk, and let go of the journal. Raises JournalUnwritable."""
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        if self._sync_task is not None:
            await self._sync_task
        self.flush()
        try:
            if self._later:
                raise JournalUnwritable(self.broken)
            await self._journal.sync()
        finally:
            self._journal.close()

    def _all_recorded(self) -> None:
        self.broken = ""
        self._later = []
        if self._mark is not None:
            self._mark.recorded()

    def _break(self, error: JournalUnwritable) -> None:
        if not self.broken:
            self._log.error("journal.unwritable", reason=str(error))
        self.broken = str(error)

    def _sync_tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._sync_timer = loop.call_later(SYNC_EVERY_S, self._sync_tick)
        if self._later and not self._scheduled:
            self.flush()
        idle = self._sync_task is None or self._sync_task.done()
        if idle and self._journal.last_seq > self._synced_seq:
            self._synced_seq = self._journal.last_seq
            self._sync_task = loop.create_task(self._sync())

    async def _sync(self) -> None:
        try:
            await self._journal.sync()
        except JournalUnwritable as e:
            self._break(e)
