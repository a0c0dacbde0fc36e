"""Huge pages: which memory is asked for, and that what lies in it stays what it was."""

from deltawire.net.pages import HUGE_BYTES, _huge_ranges, collapse

MAPS = """\
7f0000100000-7f0000d00000 rw-p 00000000 00:00 0
7f0001000000-7f0001100000 rw-p 00000000 00:00 0
7f0002000000-7f0002400000 r-xp 00000000 fe:00 123                        /usr/lib/libpython3.11.so.1.0
7f0003000000-7f0003400000 rw-s 00000000 00:01 99                         /dev/shm/deltawire-0-ab
7f0004000000-7f0004400000 rw-p 00000000 fe:00 123                        /usr/lib/libbig.so
55d000000000-55d000600000 rw-p 00000000 00:00 0                          [heap]
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_whole_huge_pages_of_heap_and_arenas_are_asked_for():
    assert list(_huge_ranges(MAPS)) == [(0x7F0000200000, 0x7F0000C00000), (0x55D000000000, 0x55D000600000)]


def test_a_line_that_cannot_be_read_is_passed_over():
    assert list(_huge_ranges("no map at all\n\n7f00-zz rw-p 0 00:00 0\n")) == []


def test_memory_keeps_what_is_in_it():
    block = bytearray(range(256)) * (4 * HUGE_BYTES // 256)
    before = bytes(block)
    done = collapse()
    assert 0 <= done.huge_bytes <= done.of_bytes
    assert done.of_bytes >= 3 * HUGE_BYTES, "the block alone holds three whole ones"
    assert done.huge_bytes == done.of_bytes or done.reason
    assert block == before
