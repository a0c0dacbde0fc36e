"""The journal for the page: one thread of its own reads it, and makes the view anew when something was written.

Nothing is computed that `journal.report` computes; this only arranges. Times are s since 1970, money USD, for display.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import orjson

from deltawire.dashboard.ledger_view import trade_detail, view_of
from deltawire.journal.log import writer_pid
from deltawire.journal.read import JournalReader
from deltawire.journal.segments import JournalError, segments

T = TypeVar("T")


class Ledger:
    """Reads one journal. All its methods may be called on the loop; the reading is done in its thread."""

    def __init__(self, directory: Path, url: str = "") -> None:
        self._directory, self._url = directory, url
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._reader: JournalReader | None = None
        self._seen: object = None
        self.took_s = 0.0  # the last view, to make

    async def newest(self) -> bytes | None:
        """Return the view of the newest run as JSON, or None when nothing changed since the last one."""
        return await self._in_thread(self._newest)

    async def run(self, run_id: str) -> bytes:
        """Return the view of one run. Raises JournalError for one the journal does not have."""
        return await self._in_thread(lambda: orjson.dumps(self._view(run_id)))

    async def trade(self, trade_id: str) -> bytes | None:
        """Return the orders of one trade, None for an unknown one."""
        return await self._in_thread(lambda: self._trade(trade_id))

    async def close(self) -> None:
        await self._in_thread(self._drop)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _newest(self) -> bytes | None:
        began = time.monotonic()
        try:
            seen = self._look()
            if seen == self._seen:
                return None
            view = self._view("")
            self._seen = seen
        except Exception as e:  # noqa: BLE001 - a disk, a database, a record of tomorrow: the page says it and tries again
            self._drop()
            view = {"error": str(e) if isinstance(e, JournalError) else f"{type(e).__name__}: {e}"}
        self.took_s = time.monotonic() - began
        return orjson.dumps(view)

    def _look(self) -> object:
        """Return what changes whenever the journal does, or its writer."""
        files = []
        for _, path in segments(self._directory):
            try:
                files.append((path.name, path.stat().st_size))
            except FileNotFoundError:  # an old segment was put away between the two calls
                continue
        return files, writer_pid(self._directory)

    def _view(self, run_id: str) -> dict[str, Any]:
        alive = writer_pid(self._directory) is not None
        return view_of(self._open(), run_id, alive=alive)

    def _trade(self, trade_id: str) -> bytes | None:
        found = trade_detail(self._open(), trade_id)
        return None if found is None else orjson.dumps(found)

    def _open(self) -> JournalReader:
        """Return the reader, at the journal's present end.

        One made before the journal had a file keeps its tables in memory: it is made anew, to share those on the disk.
        """
        if self._reader is not None and self._reader.last_seq == 0:
            self._drop()
        if self._reader is None:
            self._reader = JournalReader(self._directory, self._url)
        try:
            self._reader.refresh()
        except BaseException:  # whatever it was: a reader left half way is not used again
            self._drop()
            raise
        return self._reader

    def _drop(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
