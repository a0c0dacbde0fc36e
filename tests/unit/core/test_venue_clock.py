"""What is known of a venue's clock: never more than its answers prove."""

import random

import pytest

from deltawire.core.venue_clock import VenueClock, http_date_unix_s

MS, S = 10**6, 10**9
T0 = 1_800_000_000 * S
START = 5_000 * S  # our monotonic clock at T0 of the venue


def heard_at(clock: VenueClock, mono_ns: int, *, venue_ns: int = T0 - START, round_trip_ns: int = 20 * MS) -> None:
    """Have an answer with milliseconds, its clock read in the middle of the round trip."""
    read_ns = mono_ns + round_trip_ns // 2
    shown_ns = (read_ns + venue_ns) // MS * MS
    clock.heard(shown_ns, MS, mono_ns, mono_ns + round_trip_ns)


def test_before_the_first_answer_nothing_is_known_and_nothing_blocked():
    clock = VenueClock(500 * MS)
    assert clock.unix_ns_low(START) is None
    assert clock.offset(START, T0) is None
    assert clock.block(START, T0 + 3600 * S) == ""
    assert clock.signing_unix_ns(START, T0 + 3600 * S) == T0 + 3600 * S


def test_one_answer_proves_no_more_than_its_round_trip():
    clock = VenueClock(500 * MS)
    heard_at(clock, START, round_trip_ns=100 * MS)
    now = START + 100 * MS
    offset = clock.offset(now, T0 + 100 * MS)
    assert offset is not None
    assert offset.low_ns < 0 < offset.high_ns, "our clock may be right"
    assert abs(offset.uncertainty_ns - 50 * MS) <= MS
    assert offset.certain_ns == 0


@pytest.mark.parametrize(("off_ms", "blocked"), [(-700, "behind"), (-300, ""), (0, ""), (300, ""), (700, "ahead of")])
def test_a_clock_surely_off_by_more_than_the_limit_blocks(off_ms, blocked):
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    said = clock.block(START + 20 * MS, T0 + 20 * MS + off_ms * MS)
    assert bool(said) is bool(blocked)
    assert blocked in said
    if blocked:
        assert "limit 500 ms" in said


def test_a_date_that_is_set_is_seen_at_once_without_another_answer():
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    now = START + S
    assert clock.block(now, T0 + S) == ""
    assert "90000 ms behind" in clock.block(now, T0 + S - 90 * S)


def test_whole_seconds_become_exact_where_answers_fall_on_different_parts_of_them():
    clock, rng = VenueClock(500 * MS), random.Random(1)
    venue_ns = T0 - START + 123 * MS
    at = START
    for _ in range(60):
        at += rng.randrange(S, 6 * S)
        read = at + 10 * MS
        clock.heard((read + venue_ns) // S * S, S, at, at + 20 * MS)
        around = clock.offset(at, at + venue_ns)
        assert around is not None
        assert around.low_ns <= 0 <= around.high_ns, "the truth is never left"
    offset = clock.offset(at, at + venue_ns)
    assert offset is not None
    assert offset.uncertainty_ns < 120 * MS
    low = clock.unix_ns_low(at)
    assert low is not None
    assert low <= at + venue_ns


def test_what_was_learned_is_worth_less_with_time():
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    assert clock.block(START + 60 * S, T0 + 60 * S) == ""
    said = clock.block(START + 6 * 3600 * S, T0 + 6 * 3600 * S)
    assert "known to" in said


def test_one_answer_that_contradicts_is_suspected_and_a_second_is_believed():
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    jumped = T0 - START + 30 * S
    heard_at(clock, START + S, venue_ns=jumped)
    now = START + 2 * S
    low = clock.unix_ns_low(now)
    assert low is not None
    assert low < T0 + 2 * S, "the earlier of the two, until one of them is shown wrong"
    assert "known to" in clock.block(now, T0 + 2 * S)
    heard_at(clock, now, venue_ns=jumped)
    assert "behind" in clock.block(now + S, T0 + 3 * S)
    assert clock.block(now + S, T0 + 33 * S) == ""


def test_one_wrong_answer_among_right_ones_is_forgotten():
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    heard_at(clock, START + S, venue_ns=T0 - START - 3600 * S)
    heard_at(clock, START + 2 * S)
    assert clock.block(START + 3 * S, T0 + 3 * S) == ""


@pytest.mark.parametrize("off_s", [-90, 90])
def test_where_our_date_is_surely_wrong_the_venues_is_signed(off_s):
    clock = VenueClock(500 * MS)
    heard_at(clock, START)
    now = START + 10 * S
    assert clock.signing_unix_ns(now, T0 + 10 * S) == T0 + 10 * S, "else ours, to the nanosecond"
    assert abs(clock.signing_unix_ns(now, T0 + 10 * S + off_s * S) - (T0 + 10 * S)) < 20 * MS


@pytest.mark.parametrize(
    ("headers", "second"),
    [
        ({"date": "Sun, 22 Nov 2026 14:36:04 GMT"}, 1_795_358_164),
        ({"date": "Sun, 22 Nov 2026 14:36:04 GMT", "age": "0"}, 1_795_358_164),
        ({"date": "Sun, 22 Nov 2026 14:36:04 GMT", "age": "7"}, None),  # out of a cache
        ({"date": "soon"}, None),
        ({}, None),
    ],
)
def test_the_date_of_an_answer_is_read_unless_a_cache_kept_it(headers, second):
    assert http_date_unix_s(headers) == second
