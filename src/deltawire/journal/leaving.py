"""A mark in memory that outlives its process: whether orders signed ahead may have left and are not on record yet.

Orders of a ladder are written to their venue first and recorded just after. In between, a kill leaves the journal
without them, and the next start would have to ask for every order of every ladder, which takes as long as their receive
windows. The mark is set before the first byte and cleared once the record is in the journal, so after a kill it tells
which ladder was leaving, mostly none. Setting it is a store into shared memory, without a call of the kernel.

It lies in the machine's memory (tmpfs), never on a disk: such a store stalls or kills the process once a disk fails. So
it is gone after a reboot and in a new container; without it, everything is asked for.
"""

import hashlib
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the mark must lie in memory; its owner and mode are checked
ANY = 2**64 - 1  # more than one ladder was on its way: which ones is not known
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FORMAT = struct.Struct("<QQ112s")  # the order on its way, a sign that the rest is whole, whose word it is
_WHOLE = 0x3154464C_44574D31
_OWNER_AT = 16


@dataclass(frozen=True, slots=True)
class Left:
    """What a run said of its ladders when it died. correlator: of the order that was leaving; 0: all are on record."""

    run_id: str
    correlator: int


class LeavingMark:
    """One journal's mark. It keeps the word of the run before until `begin`."""

    def __init__(self, path: Path, boot_id: str) -> None:
        """Open or make it. Raises OSError where it cannot lie there, or belongs to somebody else."""
        self._path, self._boot_id = path, boot_id
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                raise PermissionError(f"{path} is not ours alone")
            os.posix_fallocate(fd, 0, mmap.PAGESIZE)  # a store must never find the memory full
            self._map = mmap.mmap(fd, mmap.PAGESIZE)
        finally:
            os.close(fd)
        self._cells = memoryview(self._map).cast("Q")
        self._begun = False

    @property
    def left(self) -> Left | None:
        """What the last run that had begun says; None when nothing it says can be relied on."""
        correlator, whole, owner = _FORMAT.unpack_from(self._map)
        boot_id, _, run_id = owner.rstrip(b"\0").decode("ascii", "replace").rpartition(" ")
        return Left(run_id, correlator) if whole == _WHOLE and run_id and boot_id == self._boot_id else None

    def begin(self, run_id: str) -> None:
        """Speak for this run from now on. Only once the fate of every ladder before it is on record."""
        self._cells[1] = 0  # a kill in here leaves a mark that says nothing
        owner = f"{self._boot_id} {run_id}".encode("ascii")
        struct.pack_into("<112s", self._map, _OWNER_AT, owner)
        self._cells[0] = 0
        self._cells[1] = _WHOLE
        self._begun = True

    def leaving(self, correlator: int) -> None:
        """An order of a ladder, and others of the same, are about to be written. On the hot path."""
        cells = self._cells
        cells[0] = ANY if cells[0] or not 0 < correlator < ANY else correlator

    def recorded(self) -> None:
        """All that left of this run is in the journal. Until it has begun, the mark is the one's before."""
        if self._begun:
            self._cells[0] = 0

    def remove(self) -> None:
        """The run ended, and its journal says so."""
        self._path.unlink(missing_ok=True)


def open_mark(journal: Path, folder: Path = SHARED_MEMORY) -> LeavingMark:
    """Open the mark of the journal in this directory. Raises OSError on a machine that has no place for it."""
    name = hashlib.blake2b(os.fsencode(journal.resolve()), digest_size=8).hexdigest()
    return LeavingMark(folder / f"deltawire-{os.geteuid()}-{name}", _BOOT_ID.read_text("ascii").strip())
