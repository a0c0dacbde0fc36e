"""A journal in one file, taken beside a running bot, and back again. Every line's checksum is verified twice.

The log is append-only, so what is whole at the moment of copying is a journal that was: a last line still being written
is left out. Tables are left out too, for they are made from the log. Restores only into an empty place. What the
venues hold is in no backup: the bot compares positions at its next start, as at every start.
"""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from deltawire.journal.segments import JournalError, line_fault, read, segments

MANIFEST = "manifest.json"
PREFIX = "deltawire-journal-"
SUFFIX = ".tar.gz"
_FORMAT = 1
_FILE_BYTES_MAX = 2**30  # a segment is some 16 MiB; more in an archive is not one of ours


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds."""

    first_seq: int
    last_seq: int
    files: dict[str, str]  # name -> SHA-256
    taken_unix_ns: int
    version: int = _FORMAT


def write_backup(journal: Path, archive: Path, now_unix_ns: int) -> Contents:
    """Write a new archive of a journal, whole or not at all. Raises JournalError, also for damage in the journal."""
    if archive.exists():
        raise JournalError(f"{archive} is there already")
    half = archive.with_name(archive.name + ".part")
    try:
        with half.open("xb") as raw:
            os.fchmod(raw.fileno(), 0o600)
            contents = _write(journal, raw, now_unix_ns)
            raw.flush()
            os.fsync(raw.fileno())
        verify_backup(half)
        half.rename(archive)
    except FileExistsError:
        raise JournalError(f"{half} is there: another backup runs, or one was cut off; remove it") from None
    except (OSError, tarfile.TarError) as e:
        half.unlink(missing_ok=True)
        raise JournalError(f"cannot write {archive}: {e}") from e
    except JournalError:
        half.unlink(missing_ok=True)
        raise
    return contents


def _write(journal: Path, raw: BinaryIO, now_unix_ns: int) -> Contents:
    files: dict[str, str] = {}
    first_seq, next_seq = 0, 0
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for seq, path in segments(journal):
            if next_seq and seq != next_seq:
                raise JournalError(f"{path}: begins with record {seq}, expected {next_seq}")
            data, next_seq = _whole_lines(path, seq)
            first_seq = first_seq or seq
            files[path.name] = hashlib.sha256(data).hexdigest()
            _add(tar, path.name, data)
        if next_seq <= first_seq:
            raise JournalError(f"{journal}: there is no record to save")
        contents = Contents(first_seq, next_seq - 1, files, now_unix_ns)
        _add(tar, MANIFEST, msgspec.json.encode(contents))
    return contents


def verify_backup(archive: Path) -> Contents:
    """Read a whole archive: every file against its sum, every line against its checksum. Raises JournalError."""
    sums: dict[str, str] = {}
    contents: Contents | None = None
    next_seq = 0
    for name, data in _members(archive):
        if name == MANIFEST:
            contents = _contents(archive, data)
            continue
        if not _is_segment(name) or (next_seq and int(name[:20]) != next_seq):
            raise JournalError(f"{archive}: {name[:60]!r} has no place in a journal there")
        sums[name] = hashlib.sha256(data).hexdigest()
        next_seq = _checked(f"{archive} {name}", data, int(name[:20]))
    if contents is None:
        raise JournalError(f"{archive} is not a whole backup of a journal: it has no manifest")
    if sums != contents.files or next_seq - 1 != contents.last_seq:
        raise JournalError(f"{archive}: its files differ from its manifest")
    return contents


def restore_backup(archive: Path, journal: Path) -> Contents:
    """Put the journal of an archive into a folder that is empty or not there. Raises JournalError."""
    contents = verify_backup(archive)
    try:
        if journal.exists() and any(journal.iterdir()):
            raise JournalError(f"{journal} is not empty: move it away first, it may be the better one")
        journal.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in _members(archive):
            if name in contents.files:
                with (journal / name).open("xb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
    except OSError as e:
        raise JournalError(f"cannot restore into {journal}: {e}") from e
    last_seq = contents.first_seq - 1
    for seq, _ in read(journal, last_seq):  # by the journal's own reader: records this version knows
        last_seq = seq
    if last_seq != contents.last_seq:
        raise JournalError(f"{journal}: {last_seq} is the last record, the backup has {contents.last_seq}")
    return contents


def old_backups(folder: Path, keep: int) -> list[Path]:
    """Return what is beyond the newest `keep` backups of a folder, by the time in their names."""
    found = sorted(path for path in folder.glob(f"{PREFIX}*{SUFFIX}") if path.is_file())
    return found[:-keep]


def _whole_lines(path: Path, first_seq: int) -> tuple[bytes, int]:
    """Return a segment up to its last whole line, and the number of the record that follows."""
    data = path.read_bytes()
    data = data[: data.rfind(b"\n") + 1]
    return data, _checked(path.name, data, first_seq)


def _checked(name: str, data: bytes, first_seq: int) -> int:
    seq = first_seq
    for line in data.split(b"\n")[:-1]:
        if fault := line_fault(line, seq):
            raise JournalError(f"{name} line {seq - first_seq + 1}: {fault}")
        seq += 1
    return seq


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    tar.addfile(info, io.BytesIO(data))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file of an archive, one in memory at a time. Raises JournalError."""
    if not archive.is_file():
        raise JournalError(f"there is no file {archive}")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None or member.size > _FILE_BYTES_MAX:
                    raise JournalError(f"{archive}: {member.name[:60]!r} has no place in a journal")
                yield member.name, file.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as e:
        raise JournalError(f"{archive} is not a whole backup of a journal: {e}") from e


def _contents(archive: Path, data: bytes) -> Contents:
    try:
        contents = msgspec.json.decode(data, type=Contents)
    except msgspec.MsgspecError as e:
        raise JournalError(f"{archive}: its manifest cannot be read: {e}") from e
    if contents.version != _FORMAT:
        raise JournalError(f"{archive}: form {contents.version} of another version of deltawire")
    return contents


def _is_segment(name: str) -> bool:
    """Say whether a name is one a journal gives; no other is ever used as a path."""
    number = name[:20]
    return name in (f"{number}.wal", f"{number}.base.wal") and len(number) == 20 and number.isdigit() and name.isascii()
