"""Gathers the process's memory into huge pages, once, when it is set up: fewer translations to look up after a sleep.

A woken process walks code and data that lie on hundreds of 4 KiB pages, and in a virtual machine each page whose
translation has been forgotten costs two nested walks. Linux 6.1 and newer; where it cannot be had, nothing is lost.
Shared memory and files are left alone (docs/decisions/0019).

Source: madvise(2), MADV_COLLAPSE. It works whatever /sys/kernel/mm/transparent_hugepage says.
"""

import ctypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HUGE_BYTES = 2 * 1024 * 1024
_MADV_COLLAPSE = 25
_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Collapsed:
    """What came of it: bytes that lie in huge pages now, of so many that could; why the last that failed did."""

    huge_bytes: int
    of_bytes: int
    reason: str = ""


def collapse() -> Collapsed:
    """Gather what the process has allocated so far. Takes some milliseconds: for the start, not for the hot path."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="ascii", errors="replace")
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, AttributeError) as e:
        return Collapsed(0, 0, str(e))
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    done = whole = 0
    reason = ""
    for start, end in _huge_ranges(maps):
        for at in range(start, end, HUGE_BYTES):
            whole += HUGE_BYTES
            if madvise(at, HUGE_BYTES, _MADV_COLLAPSE) == 0:
                done += HUGE_BYTES
            else:
                reason = os.strerror(ctypes.get_errno())
    return Collapsed(done, whole, reason)


def _huge_ranges(maps: str) -> Iterator[tuple[int, int]]:
    """Return the whole huge pages in private memory without a file that can be written: heap and arenas."""
    for line in maps.splitlines():
        found = _REGION.match(line)
        if found is None or found[3] != "rw-p" or found[4] != "0" or found[5] not in ("", "[heap]"):
            continue
        start = -(-int(found[1], 16) // HUGE_BYTES) * HUGE_BYTES
        end = int(found[2], 16) // HUGE_BYTES * HUGE_BYTES
        if start < end:
            yield start, end
