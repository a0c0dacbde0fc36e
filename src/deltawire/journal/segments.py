"""The journal's files: names, lines, and reading them back. Writing is `journal.log`; meaning is `journal.records`.

A journal whose old records were put away begins with its last `<first seq>.base.wal`; what lies before it is no longer
of it.

A line is `seq crc32 json` and its line end; the checksum covers seq and JSON. A segment `<first seq>.wal` holds a run
of lines without gaps. Readers need no lock and work beside a living writer; a cut-off last line is not there yet.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deltawire.journal.records import Record, decode, encode

LINE_BYTES_MAX = 2**20  # a reader's step; the longest record (RunStarted with a hundred pairs) is some 20 kB
_SUFFIX = ".wal"
_BASE = ".base"


class JournalError(Exception):
    """The journal cannot be used as asked."""


class JournalCorrupt(JournalError):
    """A line that is not the last is damaged or missing. Names file and line."""


def segment_path(directory: Path, first_seq: int) -> Path:
    return directory / f"{first_seq:020d}{_SUFFIX}"


def base_path(directory: Path, first_seq: int) -> Path:
    """Return the name of a segment before which nothing counts."""
    return directory / f"{first_seq:020d}{_BASE}{_SUFFIX}"


def is_base(path: Path) -> bool:
    return path.stem.endswith(_BASE)


def segments(directory: Path) -> list[tuple[int, Path]]:
    """List the segments as (first seq, path), oldest first. An absent directory has none."""
    found = all_segments(directory)
    bases = [at for at, (_, path) in enumerate(found) if is_base(path)]
    return found[bases[-1] :] if bases else found


def all_segments(directory: Path) -> list[tuple[int, Path]]:
    """As `segments`, with those that were put away and not removed yet."""
    try:
        paths = [path for path in directory.iterdir() if path.suffix == _SUFFIX]
    except FileNotFoundError:
        return []
    return sorted((int(path.stem.removesuffix(_BASE)), path) for path in paths)


def size_bytes(directory: Path) -> int:
    """Return what the journal takes on the disk, without its tables."""
    return sum(path.stat().st_size for _, path in segments(directory))


def encode_line(seq: int, record: Record) -> bytes:
    payload = encode(record)
    number = b"%d " % seq
    return b"%b%08x %b\n" % (number, zlib.crc32(payload, zlib.crc32(number)), payload)


def line_fault(line: bytes, seq: int) -> str:
    """Return what is wrong with a line (without its end) that should be record seq; "" when nothing is."""
    parts = line.split(b" ", 2)
    if len(parts) != 3:
        return "not `seq crc32 json`"
    number, checksum, payload = parts
    if checksum != b"%08x" % zlib.crc32(payload, zlib.crc32(number + b" ")):
        return "checksum differs"
    return "" if number == b"%d" % seq else f"is record {number.decode(errors='replace')}"


class Tail:
    """Reads a journal from a record on, again and again as it grows."""

    def __init__(self, directory: Path, after_seq: int = 0) -> None:
        self.directory = directory
        self.last_seq = after_seq  # the last record given out
        self.unread_bytes = 0  # behind the last good line at the last poll: being written, or torn by a crash
        self._path: Path | None = None
        self._first_seq = 0
        self._next_seq = 0  # record expected at _offset; behind last_seq while skipping
        self._offset = 0

    def poll(self) -> list[tuple[int, Record]]:
        """Return the next records, at most some LINE_BYTES_MAX of them; empty when there are none for now.

        Raises JournalCorrupt for damage, and JournalError for a record of a kind this version does not know, or when
        what was read has been put away meanwhile.
        """
        try:
            while self._path or self._enter(segments(self.directory)):
                found, progressed = self._read_on()
                if found:
                    return found
                if not progressed and not self._enter(segments(self.directory)):
                    return []
        except FileNotFoundError as e:
            raise JournalError(f"{e.filename} is gone: the journal was archived or moved; read it anew") from e
        return []

    def _enter(self, available: list[tuple[int, Path]]) -> bool:
        """Move to the next segment; False when there is none yet."""
        if self._path is None:
            wanted = self.last_seq + 1
            candidates = [item for item in available if item[0] <= wanted] or available[:1]
            if not candidates:
                return False
            first_seq, path = candidates[-1]
        else:
            later = [item for item in available if item[0] > self._first_seq]
            if not later:
                return False
            if self._path.stat().st_size != self._offset + self.unread_bytes:
                return True  # the writer went on here before it began the later segment: read this one first
            first_seq, path = later[0]
            wanted = self._next_seq
            if is_base(path):  # it repeats records: whoever has read the others has to begin anew
                raise JournalError(f"{self._path} was put away: the journal was archived; read it anew")
            if self.unread_bytes:
                raise JournalCorrupt(f"{self._where()}: damaged, and {path.name} follows")
        if first_seq > wanted and not is_base(path):
            raise JournalCorrupt(
                f"{self.directory}: records {wanted} to {first_seq - 1} are missing before {path.name}"
            )
        if self._path is not None and first_seq != wanted:
            raise JournalCorrupt(f"{path}: begins with record {first_seq}, expected {wanted}")
        self._path, self._first_seq, self._next_seq, self._offset, self.unread_bytes = path, first_seq, first_seq, 0, 0
        return True

    def _read_on(self) -> tuple[list[tuple[int, Record]], bool]:
        """Read one step of the present segment: records found, and whether any line was consumed."""
        assert self._path is not None
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(LINE_BYTES_MAX)
            size = os.fstat(file.fileno()).st_size
        found: list[tuple[int, Record]] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            fault = line_fault(line, self._next_seq)
            if fault:
                if self._offset + len(line) + 1 >= size:
                    break  # the very last line: torn, or not yet whole
                raise JournalCorrupt(f"{self._where()}: {fault}")
            if self._next_seq > self.last_seq:
                found.append((self._next_seq, self._decoded(line)))
                self.last_seq = self._next_seq
            self._next_seq += 1
            self._offset += len(line) + 1
            start = end + 1
        if not start and len(data) == LINE_BYTES_MAX:
            raise JournalCorrupt(f"{self._where()}: line longer than {LINE_BYTES_MAX} bytes")
        self.unread_bytes = 0 if start else size - self._offset
        return found, start > 0

    def _decoded(self, line: bytes) -> Record:
        try:
            return decode(line.split(b" ", 2)[2])
        except msgspec.MsgspecError as e:
            raise JournalError(f"{self._where()}: not a record this version can read: {e}") from e

    def _where(self) -> str:
        return f"{self._path} line {self._next_seq - self._first_seq + 1}"


def read(directory: Path, after_seq: int = 0) -> Iterator[tuple[int, Record]]:
    """Yield (seq, record) for all that is in the journal now. Raises as Tail.poll does."""
    tail = Tail(directory, after_seq)
    while batch := tail.poll():
        yield from batch
