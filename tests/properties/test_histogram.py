"""The histogram against exact percentiles, and against itself taken apart and put together."""

import json
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawire.core.histogram import VALUE_MAX, Histogram, bucket_of, highest_of

# Spread over all powers of two: drawn evenly, nearly every value would have 63 bits.
VALUES = st.integers(0, 62).flatmap(lambda bits: st.integers(0, 2 ** (bits + 1) - 1))


def of(values) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(VALUES)
def test_a_bucket_holds_its_value_and_is_no_wider_than_its_128th_part(value):
    bucket = bucket_of(value)
    assert bucket_of(highest_of(bucket)) == bucket
    assert bucket_of(highest_of(bucket) + 1) == bucket + 1
    assert value <= highest_of(bucket) <= value + value // 128


@given(st.lists(VALUES, min_size=1, max_size=200), st.sampled_from([0, 1, 25, 50, 90, 99, 100]))
def test_percentiles_are_the_exact_ones_or_too_large_by_less_than_a_128th(values, percent):
    exact = sorted(values)[max(1, ceil(percent * len(values) / 100)) - 1]
    assert exact <= of(values).at(percent) <= exact + exact // 128


@given(st.lists(VALUES, max_size=50), st.lists(VALUES, max_size=50))
def test_merged_histograms_are_the_histogram_of_all(one, other):
    merged = of(one)
    merged.merge(of(other))
    assert merged == of(one + other)


@given(st.lists(VALUES, max_size=50))
def test_what_is_written_as_json_is_read_back(values):
    histogram = of(values)
    assert Histogram.from_json(json.loads(json.dumps(histogram.as_json()))) == histogram
    assert (histogram.n, histogram.total) == (len(values), sum(values))


@given(st.lists(VALUES, min_size=1, max_size=100))
def test_the_usual_percentiles_ascend_to_the_exact_largest(values):
    spread = of(values).spread()
    assert spread is not None
    assert min(values) <= spread.p50 <= spread.p90 <= spread.p99 <= spread.max == max(values)


def test_nothing_counted_has_no_percentiles():
    assert Histogram().spread() is None
    with pytest.raises(ValueError, match="empty"):
        Histogram().at(50)


@pytest.mark.parametrize("value", [-1, VALUE_MAX + 1])
def test_a_value_out_of_range_is_refused_and_not_counted(value):
    histogram = Histogram()
    with pytest.raises(ValueError, match="is not between"):
        histogram.record(value)
    assert histogram == Histogram()


@pytest.mark.parametrize(
    "wrong",
    [{"n": 2}, {"counts": [[5, 0]]}, {"max": 1000}, {"min": 0}, {"counts": [[5, -1], [6, 2]]}],
)
def test_json_that_contradicts_itself_is_refused(wrong):
    good = of([5]).as_json()
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_json(good | wrong)
