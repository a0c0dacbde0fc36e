"""Delays between tries, and tries in a window."""

import random

import pytest

from deltawire.net.backoff import Backoff, ConnectBudget


def test_delays_double_from_the_floor_to_the_ceiling_without_jitter():
    backoff = Backoff(0.1, 1.0, rng=random.Random(1), jitter=0)
    assert [backoff.next_s() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert backoff.attempts == 6


def test_reset_starts_again_from_the_floor():
    backoff = Backoff(0.1, 1.0, rng=random.Random(1), jitter=0)
    backoff.next_s()
    backoff.next_s()
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next_s() == pytest.approx(0.1)


def test_jitter_only_shortens_and_by_no_more_than_its_share():
    backoff = Backoff(1.0, 1.0, rng=random.Random(3), jitter=0.25)
    delays = [backoff.next_s() for _ in range(500)]
    assert all(0.75 < delay <= 1.0 for delay in delays)
    assert max(delays) - min(delays) > 0.2


def test_the_same_seed_gives_the_same_delays():
    one, two = (Backoff(0.1, 9.0, rng=random.Random(5)) for _ in range(2))
    assert [one.next_s() for _ in range(9)] == [two.next_s() for _ in range(9)]


@pytest.mark.parametrize(
    ("floor_s", "ceiling_s", "factor", "jitter"), [(0, 1, 2, 0), (2, 1, 2, 0), (1, 2, 0.5, 0), (1, 2, 2, 1)]
)
def test_impossible_settings_are_refused(floor_s, ceiling_s, factor, jitter):
    with pytest.raises(ValueError, match="need"):
        Backoff(floor_s, ceiling_s, rng=random.Random(1), factor=factor, jitter=jitter)


def test_a_budget_allows_its_count_in_each_window_and_says_how_long_to_wait():
    budget = ConnectBudget(2, 1000)
    assert [budget.take(0), budget.take(300), budget.take(999)] == [0, 0, 1]
    assert budget.take(1000) == 0
    assert budget.take(1000) == 300


def test_no_window_of_any_budget_ever_holds_more_than_its_count():
    rng = random.Random(11)
    budget, taken, now = ConnectBudget(3, 50), [], 0
    for _ in range(2000):
        now += rng.randrange(20)
        if budget.take(now) == 0:
            taken.append(now)
    assert all(later - earlier >= 50 for earlier, later in zip(taken, taken[3:], strict=False))
    assert len(taken) > 500
