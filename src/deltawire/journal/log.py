"""The write-ahead log: the one writer of the journal, and the journal's only source of truth.

Guarantees, and their limits:

- `append` is one write call on the caller's thread: on return the record survives the death of the process (kill -9).
  It does not survive the death of the machine until `sync` has returned; the engine syncs on a timer, and before an
  order signed ahead may leave.
- One writer at a time: an exclusive lock, released by the kernel when the process dies.
- A last line that was cut off is what a crash leaves: it is set aside beside its segment and reported. Damage anywhere
  else is an error naming file and line; nothing is guessed.
- A disk that is full or fails is an exception the caller must answer; the log goes on when the disk does.

Files and reading are `journal.segments`.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deltawire.journal.records import Record
from deltawire.journal.segments import (
    JournalCorrupt,
    JournalError,
    encode_line,
    line_fault,
    segment_path,
    segments,
    size_bytes,
)

SEGMENT_BYTES_MAX = 16 * 2**20  # reopening reads the last segment whole: about a tenth of a second at this size
LOCK_TRIES = 4  # `writer_pid` of a reader holds the lock for some microseconds: that is not a second bot
LOCK_PAUSE_S = 0.01
_LOCK_NAME = "lock"


class JournalLocked(JournalError):
    """Another process writes this journal."""


class JournalUnwritable(JournalError):
    """What was to be recorded is not in the journal. Entries stop; exits go on without it."""


@dataclass(frozen=True, slots=True)
class TornTail:
    """The cut-off last line of a crashed writer: where it was, and the file that now holds its bytes."""

    segment: Path
    offset: int
    size: int
    kept_in: Path


class JournalLog:
    """Appends on the caller's thread; flushes in a worker thread. Owns its directory while open."""

    def __init__(self, directory: Path, *, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        """Take the lock, set a torn last line aside, and stand ready after the last good record.

        Raises JournalLocked, JournalUnwritable, or JournalCorrupt (by the last segment; readers check the rest).
        """
        self.directory = directory
        self.torn: TornTail | None = None  # set when this opening found a torn last line
        self._segment_bytes_max = segment_bytes_max
        self._dirty = False  # a part of a failed append still stands behind _offset
        self._syncing = asyncio.Lock()
        self._sync_failed = ""
        self._fd = -1
        self._full_fds: list[int] = []  # earlier segments that wait for their flush
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = _take_lock(directory / _LOCK_NAME)
            try:
                self._open_last_segment()
            except BaseException:
                os.close(self._lock_fd)
                raise
        except OSError as e:
            raise JournalUnwritable(f"cannot open the journal {directory}: {e}") from e
        self._synced_seq = self.last_seq  # opening flushed the last segment
        self._full_bytes = size_bytes(directory) - self._offset  # of the segments before the one written now

    @property
    def last_seq(self) -> int:
        """Number of the last record written, 0 for none."""
        return self._next_seq - 1

    @property
    def synced_seq(self) -> int:
        """Number of the last record known to survive a power loss, 0 for none."""
        return self._synced_seq

    @property
    def size_bytes(self) -> int:
        """What the journal takes on the disk. Asks no disk."""
        return self._full_bytes + self._offset

    def append(self, record: Record) -> int:
        """Write one record and return its number. Raises JournalUnwritable: then it is not in the journal."""
        self._write(encode_line(self._next_seq, record))
        return self._next_seq - 1

    def append_all(self, records: Iterable[Record]) -> int:
        """Write many records in one call and return the last number.

        After JournalUnwritable some of the first may be in. That is harmless: an intent that never leaves and a
        fact told twice change nothing.
        """
        lines = b"".join(encode_line(seq, record) for seq, record in enumerate(records, self._next_seq))
        if lines:
            self._write(lines)
        return self._next_seq - 1

    async def sync(self) -> None:
        """Flush all that was appended before the call, in a worker thread. Raises JournalUnwritable."""
        async with self._syncing:
            flush = self._begin_flush()
            try:
                await asyncio.to_thread(flush.run)
            except OSError as e:
                raise self._flush_failed(e) from e
            self._end_flush(flush)

    def close(self) -> None:
        """Flush, close, let go of the lock. Twice is harmless. Raises JournalUnwritable, closed all the same."""
        if self._lock_fd < 0:
            return
        try:
            self._begin_flush().run()
        except OSError as e:
            raise self._flush_failed(e) from e
        finally:
            for fd in (*self._full_fds, self._fd, self._lock_fd):
                os.close(fd)
            self._full_fds = []
            self._fd = self._lock_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _write(self, lines: bytes) -> None:
        written = 0
        try:
            if self._dirty:
                os.ftruncate(self._fd, self._offset)
                self._dirty = False
            if self._offset >= self._segment_bytes_max:
                with contextlib.suppress(OSError):  # the full segment serves until a new one can be made
                    self._begin_segment()
            while written < len(lines):  # a disk that fills up takes a part first, and says why on the next call
                written += os.write(self._fd, lines[written:] if written else lines)
        except OSError as e:
            # Whole lines stay, as a reader may have them already; a part of a line goes before the next append.
            whole = lines[: lines.rfind(b"\n", 0, written) + 1]
            self._offset += len(whole)
            self._next_seq += whole.count(b"\n")
            self._dirty = self._dirty or written > len(whole)
            raise JournalUnwritable(f"cannot append to the journal {self.directory}: {e}") from e
        self._offset += written
        self._next_seq += lines.count(b"\n")

    def _open_last_segment(self) -> None:
        existing = segments(self.directory)
        first_seq, path = existing[-1] if existing else (1, segment_path(self.directory, 1))
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._offset, self._next_seq = _find_end(path, first_seq)
            size = os.fstat(self._fd).st_size
            if size > self._offset:
                self.torn = _set_aside(path, self._fd, self._offset, size)
            os.fdatasync(self._fd)
            sync_directory(self.directory)
        except BaseException:
            os.close(self._fd)
            raise

    def _begin_segment(self) -> None:
        path = segment_path(self.directory, self._next_seq)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._full_fds.append(self._fd)
        self._full_bytes += self._offset
        self._fd, self._offset = fd, 0

    def _begin_flush(self) -> "_Flush":
        if self._sync_failed:
            raise JournalUnwritable(self._sync_failed)
        fds = [os.dup(fd) for fd in (*self._full_fds, self._fd)]
        return _Flush(self.last_seq, fds, self.directory if self._full_fds else None)

    def _end_flush(self, flush: "_Flush") -> None:
        if self._lock_fd < 0:
            return  # closed meanwhile, and flushed by that
        for _ in flush.fds[:-1]:
            os.close(self._full_fds.pop(0))
        self._synced_seq = max(self._synced_seq, flush.last_seq)

    def _flush_failed(self, error: OSError) -> JournalUnwritable:
        """Remember for good: after one failed flush the kernel may drop the pages and report success next time."""
        self._sync_failed = f"cannot flush the journal {self.directory}: {error}"
        return JournalUnwritable(self._sync_failed)


def writer_pid(directory: Path) -> int | None:
    """Return the process that writes this journal now, 0 when it does not say; None when nobody writes."""
    try:
        fd = os.open(directory / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(fd, 32, 0).strip() or 0)
    finally:
        os.close(fd)  # with it goes the lock, if we got it
    return None


@dataclass(frozen=True, slots=True)
class _Flush:
    """One flush under way. Owns its descriptors, so the log may rotate or close meanwhile."""

    last_seq: int
    fds: list[int]
    directory: Path | None  # to be flushed too, when a segment was added to it

    def run(self) -> None:
        try:
            for fd in self.fds:
                os.fdatasync(fd)
            if self.directory:
                sync_directory(self.directory)
        finally:
            for fd in self.fds:
                os.close(fd)


def _take_lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(LOCK_TRIES - 1):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(LOCK_PAUSE_S)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except BlockingIOError as e:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise JournalLocked(f"the journal {path.parent} is in use by process {holder}; stop that bot first") from e
    except BaseException:
        os.close(fd)
        raise
    return fd


def _find_end(path: Path, first_seq: int) -> tuple[int, int]:
    """Return the offset behind the last good line and the number of the next record."""
    data = path.read_bytes()
    offset, seq = 0, first_seq
    while (end := data.find(b"\n", offset)) >= 0:
        fault = line_fault(data[offset:end], seq)
        if fault and end + 1 < len(data):
            raise JournalCorrupt(f"{path} line {seq - first_seq + 1}: {fault}")
        if fault:
            break
        offset, seq = end + 1, seq + 1
    return offset, seq


def _set_aside(path: Path, fd: int, offset: int, size: int) -> TornTail:
    kept_in = path.with_suffix(f".torn-{offset}")
    with path.open("rb") as file, kept_in.open("wb") as kept:
        file.seek(offset)
        kept.write(file.read())
        kept.flush()
        os.fsync(kept.fileno())
    os.ftruncate(fd, offset)
    return TornTail(path, offset, size - offset, kept_in)


def sync_directory(directory: Path) -> None:
    """Flush a directory to disk: the names in it last from here on. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
