"""The estimate of a venue's clock is that of the quickest exchange, and forgets what is old."""

from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.offset import AGE_NS_MAX, KEPT, ClockOffset

MS = 1_000_000
T0 = 1_700_000_000_000_000_000


def exchange(offset: ClockOffset, *, ahead: int, out: int, venue: int = 0, back: int, at: int = T0) -> int:
    received = at + out + ahead
    offset.add(at, received, received + venue, at + out + venue + back)
    return at + out + venue + back


def test_ways_of_equal_length_give_the_offset_exactly():
    for ahead in (0, 250 * MS, -250 * MS):
        offset = ClockOffset()
        now = exchange(offset, ahead=ahead, out=40 * MS, venue=3 * MS, back=40 * MS)
        assert offset.ahead_ns(now) == ahead


def test_the_quickest_exchange_counts_whenever_it_was():
    offset, now = ClockOffset(), T0
    for out, back in ((200 * MS, 40 * MS), (41 * MS, 40 * MS), (40 * MS, 300 * MS)):
        now = exchange(offset, ahead=7 * MS, out=out, back=back)
    assert offset.ahead_ns(now) == 7 * MS + MS // 2


@given(st.integers(-(10**12), 10**12), st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), min_size=1, max_size=KEPT))
def test_it_errs_by_no_more_than_half_the_quickest_way(ahead, ways):
    offset, now = ClockOffset(), T0
    for out, venue, back in ways:
        now = exchange(offset, ahead=ahead, out=out, venue=venue, back=back)
    found = offset.ahead_ns(now)
    assert found is not None
    assert abs(found - ahead) <= min(out + back for out, _, back in ways) // 2 + 1


def test_nothing_seen_or_only_what_is_old_gives_no_estimate():
    offset = ClockOffset()
    assert offset.ahead_ns(T0) is None
    now = exchange(offset, ahead=0, out=MS, back=MS)
    assert offset.ahead_ns(now + AGE_NS_MAX) == 0
    assert offset.ahead_ns(now + AGE_NS_MAX + 1) is None


def test_an_impossible_exchange_is_no_exchange():
    offset = ClockOffset()
    offset.add(T0, T0 + 2, T0 + 1, T0 + 10)  # sent before it was received
    offset.add(T0, T0, T0 + 20, T0 + 10)  # longer at the venue than away from us
    assert offset.ahead_ns(T0) is None
