"""One bot an account on this machine, whatever journal it writes: an exclusive lock for each account it trades.

Kept in the user's state folder, because it must be the same place for every journal. The kernel lets go of it when the
process dies. It cannot see other machines or other users; a guardian takes none, for it stands beside a bot by design.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from deltawire.journal.log import JournalLocked, JournalUnwritable

_TRIES = 3  # a file that its last owner removed between our opening and locking it is opened anew


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's folder for what programs keep between runs (XDG base directories)."""
    named = environ.get("XDG_STATE_HOME", "")
    return (Path(named) if named.startswith("/") else Path.home() / ".local/state") / "deltawire"


class LiveConsent:
    """The owner's word that these two accounts may be traded with real money, given once and kept."""

    def __init__(self, paradex_account: str, vest_address: str, folder: Path) -> None:
        self._path = folder / f"live-{int(paradex_account, 16):x}-{int(vest_address, 16):x}"

    @property
    def given(self) -> bool:
        return self._path.exists()

    def give(self) -> None:
        """Raise JournalUnwritable where the folder cannot be used."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
        except OSError as e:
            raise JournalUnwritable(f"cannot keep the word in {self._path.parent}: {e}; set XDG_STATE_HOME") from e


class AccountLocks:
    """Locks held until `close`."""

    def __init__(self, accounts: Mapping[str, str], folder: Path) -> None:
        """Take the lock of each account, venue -> address. Raises JournalLocked naming the process that has it.

        Raises JournalUnwritable where the folder cannot be used.
        """
        self._held: list[tuple[int, Path]] = []
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for venue, address in sorted(accounts.items()):
                path = folder / f"{venue}-{int(address, 16):x}.lock"  # one account, however its address is written
                self._held.append((_take(path, f"account {address} of {venue}"), path))
        except OSError as e:
            self.close()
            raise JournalUnwritable(f"cannot lock the accounts in {folder}: {e}; set XDG_STATE_HOME") from e
        except JournalLocked:
            self.close()
            raise

    def close(self) -> None:
        for fd, path in self._held:
            path.unlink(missing_ok=True)  # while it is still ours
            os.close(fd)
        self._held = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _take(path: Path, what: str) -> int:
    for _ in range(_TRIES):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(path, fd):
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
                return fd
        except BlockingIOError as e:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            told = f"{what} is traded by process {holder}, with another journal; stop that bot first"
            raise JournalLocked(told) from e
        os.close(fd)
    raise JournalLocked(f"{what} is being taken and given back by others; start again")


def _is_still_there(path: Path, fd: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False
