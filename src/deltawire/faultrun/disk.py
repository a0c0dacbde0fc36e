"""The bot's journal on a disk that fails: the product's own log, with a fault before, in or after a chosen write.

A crash is the death of the process at that very write: what the kernel has taken stays, a line may be cut off, and
nothing of the process runs any more. With the power goes all that was written after the last flush, or a part of it.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltawire.core.money import E8
from deltawire.faultrun.loop import VirtualLoop
from deltawire.journal.log import JournalLog, JournalUnwritable
from deltawire.journal.records import OrderIntended, decode
from deltawire.journal.segments import segments

MARK = "leaving"  # the file that stands for the machine's memory, see journal.leaving


class Crash(BaseException):
    """The process is dead. Not an Exception: nothing of the bot may answer it."""


@dataclass(slots=True)
class Disk:
    """What the disk does wrong now. One object for all runs of the bot: it outlives them."""

    loop: VirtualLoop
    full: bool = False  # nothing more is taken
    full_part: bool = False  # the first refused write is taken in part
    stall_ns: int = 0  # each write blocks the bot for so long
    sync_ns: int = 0  # each flush takes so long
    crash_in: int = 0  # the write, counted from now, at which the process dies; 0: none
    crash_where: str = "before"  # "before", "middle" or "after" that write
    before_in: int = 0  # the write, counted from now, before which `before` is called; 0: none
    before: Callable[[], None] = lambda: None
    on_crash: Callable[[], None] = lambda: None
    on_write: Callable[[bytes], None] = lambda _lines: None
    struck: Callable[[str], None] = lambda _what: None

    def make_room(self) -> None:
        self.full = False


class FaultyJournal(JournalLog):
    def __init__(self, directory: Path, disk: Disk) -> None:
        self._disk = disk
        self._dead = False
        super().__init__(directory)
        self._durable = self._offset  # opening flushed it; a run of the world never fills a segment
        self._path = segments(directory)[-1][1]

    def die(self) -> None:
        """Let go of the files as the kernel does for a dead process."""
        self._dead = True
        for fd in (*self._full_fds, self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._full_fds, self._fd, self._lock_fd = [], -1, -1

    def lose_unsynced(self, keep_e8: int) -> bytes:
        """Take back what no flush has made safe, but for a first part of it (1e-8). When dead.

        Returns the lines that are lost, the torn one whole: what is left of it says nothing.
        """
        with self._path.open("r+b") as file:
            file.seek(self._durable)
            tail = file.read()
            kept = len(tail) * keep_e8 // E8
            file.truncate(self._durable + kept)
        (self.directory / MARK).unlink(missing_ok=True)  # the machine's memory went with the power
        return tail[tail.rfind(b"\n", 0, kept) + 1 :]

    async def sync(self) -> None:
        written = self._offset
        if self._disk.sync_ns:
            self._disk.struck("slow_sync")
            await asyncio.sleep(self._disk.sync_ns / 1e9)
        await super().sync()
        self._durable = max(self._durable, written)

    def close(self) -> None:
        if not self._dead:
            super().close()

    def _write(self, lines: bytes) -> None:
        disk = self._disk
        if self._dead:
            raise Crash
        if disk.before_in:
            disk.before_in -= 1
            if disk.before_in == 0:
                disk.before()
        where = self._crash_now()
        if where:
            if where == "after":
                super()._write(lines)
                disk.on_write(lines)
            elif where == "middle":
                os.ftruncate(self._fd, self._offset)  # as the log does after a write that failed half way
                os.write(self._fd, lines[: len(lines) * 2 // 3])
            disk.struck(f"crash_{where}_write")
            disk.on_crash()
            raise Crash
        if disk.full:
            self._refuse(lines)
        if disk.stall_ns:
            disk.struck("slow_disk")
            disk.loop.stall(disk.stall_ns)
        super()._write(lines)
        disk.on_write(lines)

    def _crash_now(self) -> str:
        disk = self._disk
        if not disk.crash_in:
            return ""
        disk.crash_in -= 1
        return disk.crash_where if disk.crash_in == 0 else ""

    def _refuse(self, lines: bytes) -> None:
        """Fail as a full disk does: first it takes a part, then nothing. The log mends its end with its next write."""
        disk = self._disk
        disk.struck("full_disk")
        if disk.full_part and not self._dirty:
            disk.full_part = False
            os.write(self._fd, lines[: lines.index(b"\n") // 2])
            self._dirty = True
        e = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise JournalUnwritable(f"cannot append to the journal {self.directory}: {e}") from e


def intents_in(lines: bytes) -> list[OrderIntended]:
    """Return the intents among lines of a journal; a torn last one says nothing."""
    whole = lines[: lines.rfind(b"\n") + 1].splitlines()
    records = [decode(line.split(b" ", 2)[2]) for line in whole]
    return [record for record in records if isinstance(record, OrderIntended)]
