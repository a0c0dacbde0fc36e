"""The recorded market traded on a virtual clock: the same every time, flat at its end, told as table and chart."""

import json

from deltawire.research.edge import EdgeSettings, bench_edge
from deltawire.research.market_world import MarketRun, run_market


def test_one_seed_gives_one_outcome_and_every_trade_is_over(tmp_path):
    runs = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        runs.append(run_market(MarketRun(rtt_ms=20, seconds=6), folder))
    first, second = runs
    assert first == second
    assert first
    assert all(trade.outcome in {"closed", "unwound", "nothing_filled"} for trade in first)


def test_the_report_has_a_row_and_points_for_each_distance():
    report = bench_edge(EdgeSettings(rtts_ms=(0.0, 400.0), seconds=6)).as_json()
    (table,) = report["tables"]
    assert [row[0] for row in table["rows"]] == ["0", "400"]
    for row in table["rows"]:
        begun, hedged, given_back, nothing = row[1:5]
        assert begun == hedged + given_back + nothing
    spreads, pnl = report["charts"]
    assert [at for at, _ in spreads["lines"]["detected"]] == [0.0, 400.0]
    assert [at for at, _ in pnl["lines"]["PnL"]] == [0.0, 400.0]
    assert report["settings"]["money"] == "simulated"
    assert json.loads(json.dumps(report)) == report
