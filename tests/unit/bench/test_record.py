"""What counts as slower than the record, and what a record that cannot be used says."""

import pytest

from deltawire.bench import record
from deltawire.bench.figures import Chart, Report, Table, figures


def report(**ratios):
    return Report("reaction", {}, {"a": figures([1], "ns")}, ratios).as_json()


def test_a_written_report_is_read_back(tmp_path):
    written = report(**{"deltawire/floor p50": 1.25})
    assert record.write(tmp_path / "results", written) == tmp_path / "results" / "reaction.json"
    assert record.recorded(tmp_path / "results", "reaction") == written


def test_where_nothing_was_recorded_there_is_nothing_to_compare(tmp_path):
    assert record.recorded(tmp_path, "reaction") is None


@pytest.mark.parametrize("text", ["", "[]", '{"name": "reaction"}', '{"ratios": 3}', "\xff"])
def test_a_broken_record_says_how_to_make_a_new_one(tmp_path, text):
    (tmp_path / "reaction.json").write_text(text, encoding="latin-1")
    with pytest.raises(record.NoRecord, match=r'make bench ARGS="--record reaction"'):
        record.recorded(tmp_path, "reaction")


def test_only_ratios_with_ours_above_the_line_are_compared():
    before = report(**{"deltawire/floor p50": 1.0, "cold/warm": 3.0})
    now = report(**{"deltawire/floor p50": 2.0, "cold/warm": 9.0})
    assert [str(found) for found in record.slower(before, now)] == [
        "reaction: deltawire/floor p50 was 1, is 2 (100 % slower)"
    ]


@pytest.mark.parametrize(
    ("name", "now", "is_slower"),
    [
        ("deltawire/floor p50", 1.19, False),
        ("deltawire/floor p50", 1.21, True),
        ("deltawire/floor p50", 0.5, False),
        ("deltawire/floor p99", 1.59, False),
        ("deltawire/floor p99", 1.61, True),
    ],
)
def test_a_tail_may_vary_more_than_a_median(name, now, is_slower):
    assert bool(record.slower(report(**{name: 1.0}), report(**{name: now}))) is is_slower


def test_a_ratio_only_one_of_them_has_is_not_compared():
    assert record.slower(report(**{"deltawire/sdk p50": 0.1}), report()) == []


def test_tables_charts_and_what_is_missing_are_told_where_there_are_any():
    table = Table("Served", ("from", "orders"), (("ladder", 3),))
    chart = Chart("Edge", "ms", "bps", {"got": [(0, 1.5)]})
    told = Report("edge", {}, {}, {}, ["no ccxt here"], [table], [chart]).as_json()
    assert told["missing"] == ["no ccxt here"]
    assert told["tables"] == [{"title": "Served", "columns": ["from", "orders"], "rows": [["ladder", 3]]}]
    assert told["charts"][0]["lines"] == {"got": [[0, 1.5]]}
    assert set(report()) == {"name", "settings", "results", "ratios"}
