"""A log file that never fills the disk: full, it becomes `.1`, the older ones move up, and the oldest goes.

Called by the log's writing thread only, so nothing here is in the loop's way. It does not compress and knows no dates.
Renaming and numbers are as in the standard library's RotatingFileHandler; a file that somebody else moved or deleted
(logrotate) is opened anew, as in its WatchedFileHandler.
"""

import os
from pathlib import Path
from typing import BinaryIO


class RotatingFile:
    """An output of the event log. The first opening raises OSError; later ones are tried again with every write."""

    def __init__(self, path: Path, *, bytes_max: int, keep: int) -> None:
        """keep: how many full files stay beside the current one, at least one."""
        self._path, self._bytes_max, self._keep = path, bytes_max, keep
        self._file: BinaryIO | None = self._open()

    def write(self, data: bytes, /) -> None:
        """Append whole lines; a batch is never torn between two files."""
        file = self._in_place() or self._reopened()
        size = os.fstat(file.fileno()).st_size
        if size and size + len(data) > self._bytes_max:
            file = self._rotated()
        file.write(data)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Let go of the file, whatever could not be written to it."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:  # what it held is lost already: the disk is full
                return

    def _open(self) -> BinaryIO:
        return self._path.open("ab")

    def _in_place(self) -> BinaryIO | None:
        """Return the open file while it is the one that the path names."""
        try:
            same = self._file is not None and os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            same = False
        return self._file if same else None

    def _reopened(self) -> BinaryIO:
        self.close()
        self._file = file = self._open()
        return file

    def _rotated(self) -> BinaryIO:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._path if number == 1 else numbered(self._path, number - 1)
            if older.exists():
                older.replace(numbered(self._path, number))
        return self._reopened()


def numbered(path: Path, number: int) -> Path:
    """Return the name of a full file: 1 is the newest."""
    return path.with_name(f"{path.name}.{number}")
