"""Reads what is added to a JSON-lines log, over its rotation and over our own restarts. Only reads; never waits."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

READ_BYTES_MAX = 4 * 1024 * 1024  # in one call; what is left comes with the next


class Follower:
    """Follows one file, which need not exist yet. Keeps the old file open when it is renamed, so no line is lost."""

    def __init__(self, path: Path, place: tuple[int, int] | None = None) -> None:
        """place: as `place` returned in an earlier process. Without it, what is there already is not told."""
        self._path = path
        self._rest = b""
        self._file = self._opened()
        if self._file is not None:
            at = os.fstat(self._file.fileno())
            if place is None:
                self._file.seek(0, os.SEEK_END)
            elif place[0] == at.st_ino and place[1] <= at.st_size:
                self._file.seek(place[1])
            # Else the file was rotated while nobody looked: all of the new one is news.

    @property
    def place(self) -> tuple[int, int] | None:
        """Where reading goes on: inode, and offset of the first line not told yet."""
        if self._file is None:
            return None
        return os.fstat(self._file.fileno()).st_ino, self._file.tell() - len(self._rest)

    def read(self) -> list[dict[str, Any]]:
        """Return the lines added since the last call. Lines that are not JSON objects are passed over."""
        lines = self._read_open()
        if not lines and not self._is_in_place():
            self.close()
            self._file, self._rest = self._opened(), b""
            lines = self._read_open()
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except OSError:
            return None  # not there yet, or just being rotated

    def _is_in_place(self) -> bool:
        if self._file is None:
            return False
        try:
            here = self._path.stat()
        except OSError:
            return True  # between two files: what is open is all there is
        return os.path.samestat(os.fstat(self._file.fileno()), here)

    def _read_open(self) -> list[dict[str, Any]]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)  # emptied in place
            self._rest = b""
        *whole, self._rest = (self._rest + self._file.read(READ_BYTES_MAX)).split(b"\n")
        found = []
        for line in whole:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
        return found


def last_of(path: Path, events: set[str], bytes_max: int = 1024 * 1024) -> dict[str, Any] | None:
    """Return the newest line of these events near the end of a log, or None."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - bytes_max))
            lines = file.read().split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("event") in events:
            return value
    return None
