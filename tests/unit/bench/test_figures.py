"""Percentiles as a reader expects them, and the JSON contract of `deltawire bench`."""

import random

from deltawire.bench.figures import Figures, Report, figures


def test_percentiles_are_nearest_ranks_of_what_was_seen():
    samples = list(range(1, 101))
    random.Random(1).shuffle(samples)
    assert figures(samples, "ns") == Figures(100, 50, 90, 99, 100, "ns")


def test_a_few_samples_round_the_rank_up():
    assert figures([30, 10, 20], "ns") == Figures(3, 20, 30, 30, 30, "ns")
    assert figures([7], "ns") == Figures(1, 7, 7, 7, 7, "ns")


def test_units_are_converted():
    assert figures([1_234_567], "us").p50 == 1234.567
    assert figures([1_234_567], "ms").p50 == 1.235


def test_the_json_has_the_contracts_keys():
    report = Report("sign", {"rounds": 1}, {"a": figures([1500], "us")}, {"a/b": 1.23456})
    assert report.as_json() == {
        "name": "sign",
        "settings": {"rounds": 1},
        "results": {"a": {"n": 1, "p50": 1.5, "p90": 1.5, "p99": 1.5, "max": 1.5, "unit": "us"}},
        "ratios": {"a/b": 1.235},
    }
