"""The page of the benchmarks is made of whatever JSON was recorded."""

import subprocess
import sys
from pathlib import Path

from deltawire.bench import record
from deltawire.bench.figures import Chart, Report, Table, figures, machine

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/make_benchmarks_page.py"


def make_page(folder):
    options = ["--results", folder / "results", "--docs", folder / "docs"]
    return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, check=False)


def test_a_page_has_a_section_for_each_result_with_its_plots(tmp_path):
    chart = Chart("Edge kept", "round trip, ms", "bps", {"kept": [(0, 10.0), (80, 4.5)]})
    table = Table("Served", ("from", "orders"), (("ladder", 1234),))
    results = {"floor a|b": figures([1_500, 2_500_000], "us"), "rate": figures([5], "ns")}
    ratios = {"deltawire/floor p50": 1.234}
    record.write(tmp_path / "results", Report("sign", machine(), {"a": figures([9], "us")}, {}).as_json())
    record.write(
        tmp_path / "results",
        Report("unheard_of", machine(), results, ratios, ["ccxt is away"], [table], [chart]).as_json(),
    )
    done = make_page(tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/benchmarks.md").read_text()
    assert page.index("## Signing") < page.index("## unheard_of")
    for line in (
        "| floor a\\|b | 2 | 1.5 | 2,500 | 2,500 | 2,500 | us |",
        "| deltawire/floor p50 | 1.23 |",
        "| ladder | 1,234 |",
        "Not measured: ccxt is away",
    ):
        assert line in page.splitlines()
    drawn = {path.name for path in (tmp_path / "docs/img").iterdir()}
    wanted = {"bench-sign.svg", "bench-unheard_of-us.svg", "bench-unheard_of-ns.svg", "bench-unheard_of-1.svg"}
    assert drawn == wanted
    assert all(f"(img/{name})" in page for name in drawn)


def test_targets_are_met_missed_or_not_measured(tmp_path):
    ratios = {"deltawire/floor paradex idle p50": 1.29, "deltawire/floor paradex idle p99": 2.01}
    orders = Table(
        "Orders", ("mode", "purpose", "venue", "orders", "ahead", "at once"), (("hot", "entry", "vest", 200, 199, 1),)
    )
    write = Report("reaction", machine(), {"a": figures([9], "us")}, ratios, tables=[orders]).as_json()
    record.write(tmp_path / "results", write)
    assert make_page(tmp_path).returncode == 0
    page = (tmp_path / "docs/benchmarks.md").read_text().splitlines()
    for line in (
        "| Paradex reaction, p50, as a multiple of the floor's | <= 1.3 | 1.29 | met |",
        "| Paradex reaction, p99, as a multiple of the floor's | <= 2 | 2.01 | missed |",
        "| orders signed ahead of their trigger, % | >= 99 | 99.5 | met |",
        "| memory with 10 pairs, MB | <= 150 | not measured |  |",
    ):
        assert line in page


def test_without_results_it_says_how_to_make_them(tmp_path):
    done = make_page(tmp_path)
    assert done.returncode == 1
    assert 'make bench ARGS="--record"' in done.stderr
