import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.journal.log import JournalLog, writer_pid
from deltawire.journal.records import OrderObserved, PositionRow, Record, TradeClosed
from deltawire.journal.report import Report, build_report
from deltawire.journal.report_view import render
from deltawire.journal.segments import JournalError, segments


def finished() -> list[Record]:
    return [
        facts.run_started(),
        facts.instrument(),
        facts.instrument(venue="vest", symbol="BTC-PERP"),
        *facts.round_trip("t1", entry=(100, 101)),
        *facts.round_trip("t2", entry=(100, 102), out=(100, 101)),
        facts.positions_checked(),
        facts.run_ended(),
    ]


def report_of(directory: Path, records: Sequence[Record]) -> Report:
    with JournalLog(directory) as log:
        log.append_all(records)
    return build_report(directory)


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(render(report))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_report_of_a_finished_run(tmp_path: Path):
    told = report_of(tmp_path, finished()).to_json()
    wanted = {
        "run_id": "r1",
        "status": "ended",
        "mode": "live",
        "simulated": True,
        "duration_s": 60.0,
        "round_trips": 2,
        "open_trades": 0,
        "flat": True,
        "agree": True,
        "pnl_usd": 3.92,  # (101-100)*2 and (102-100+100-101)*2, less 8 fees of 0.01
        "fees_usd": 0.08,
        "detected_bps": {"n": 2, "p50": 30.0, "mean": 30.0},
        "executed_bps": {"n": 2, "p50": 99.5024, "mean": 148.7611},
        "exit_detected_bps": {"n": 2, "p50": -1.0, "mean": -1.0},
        "exit_executed_bps": {"n": 2, "p50": -99.5025, "mean": -49.7512},
        "unhedged_ms_max": 12.5,
        "in_doubt": 0,
        "notes": [],
    }
    assert {name: told[name] for name in wanted} == wanted
    assert json.loads(json.dumps(told)) == told
    assert [trade["pnl_usd"] for trade in told["trades"]] == [1.96, 1.96]


def test_latency_is_by_venue_and_phase_in_microseconds_with_counts(tmp_path: Path):
    told = report_of(tmp_path, finished()).to_json()["latency"]
    assert list(told) == ["paradex", "vest"]
    assert told["paradex"]["wire"] == {"n": 4, "p50": 84200.0, "p90": 84200.0, "p99": 84200.0, "max": 84200.0}
    assert told["paradex"]["signature"]["max"] == 0.0
    assert set(told["vest"]) >= {"signature", "encode", "write", "wire", "parse", "total", "reaction"}
    assert told["paradex"]["transport"] == {"ws": 4}
    assert told["vest"]["transport"] == {"https": 4}
    assert told["vest"]["reused"] == {"yes": 4, "no": 0}


def test_percentiles_come_from_the_samples_themselves(tmp_path: Path):
    stamps = [facts.timed(f"c{n}", reply_mono_ns=9_000 + n * 1_000, acked_mono_ns=9_000_000) for n in range(1, 101)]
    wire = report_of(tmp_path, [facts.run_started(), *stamps]).to_json()["latency"]["paradex"]["wire"]
    assert wire == {"n": 100, "p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def test_an_empty_journal_says_that_it_is_empty(tmp_path: Path):
    report = build_report(tmp_path)
    assert (report.status, report.round_trips, report.flat, report.agree) == ("empty", 0, False, False)
    assert report.to_json()["notes"] == ["the journal is empty"]
    assert report.to_json()["detected_bps"] == {"n": 0, "p50": None, "mean": None}
    assert "no run" in shown(report)


def test_a_run_still_going_on_is_reported_as_such(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all(finished()[:-2])
        log.append_all([intended("next", trade_id="t3"), seen("next", "sent")])
        report = build_report(tmp_path)
        assert (report.status, report.round_trips, report.in_doubt) == ("running", 2, 0)
        assert not report.agree
        assert "still going on" in report.notes[0]
        assert "running" in shown(report)


def test_an_order_in_doubt_of_a_running_bot_is_counted(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), intended("c"), seen("c", "sent"), seen("c", "in_doubt", text="timeout")])
        report = build_report(tmp_path)
        assert (report.in_doubt, report.flat) == (1, False)


@pytest.mark.parametrize("cut", [0, 60])
def test_a_crashed_run_claims_nothing_it_cannot_know(tmp_path: Path, cut: int):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), *facts.round_trip("t1"), facts.positions_checked()])
        log.append_all([intended("lost", trade_id="t2"), intended("open", trade_id="t2"), seen("open", "sent")])
    path = segments(tmp_path)[-1][1]
    path.write_bytes(path.read_bytes()[: -cut or None])
    report = build_report(tmp_path)
    assert (report.status, report.round_trips, report.flat) == ("crashed", 1, False)
    assert report.in_doubt == 2  # an intent without news may have left in the instant of the crash
    text = " ".join(report.notes)
    assert "the run has no end" in text
    assert "order lost at paradex is unresolved: intended" in text
    assert ("cut off by a crash" in text) is (cut > 0)


def test_a_run_that_did_not_end_clean_says_why(tmp_path: Path):
    records = finished()
    records[-1] = facts.run_ended(clean=False, flat=False, agree=False, reason="vest could not be read")
    report = report_of(tmp_path, records)
    assert (report.status, report.flat, report.agree) == ("unclean", False, False)
    assert "vest could not be read" in shown(report)


def test_an_open_trade_is_not_a_round_trip_and_its_cash_is_not_a_profit(tmp_path: Path):
    records = finished()
    start = next(i for i, r in enumerate(records) if isinstance(r, OrderObserved) and r.client_id == "t2-xa")
    report = report_of(tmp_path, records[: start - 1])
    assert (report.round_trips, report.open_trades, report.pnl_e8) == (1, 1, 2 * E8 - 4 * E8 // 100)
    assert report.positions == {("paradex", "BTC-USD-PERP"): 2 * E8, ("vest", "BTC-PERP"): -2 * E8}
    assert not report.flat
    assert report.trades[1].entry_executed == 1_980_198
    assert report.trades[1].to_json()["pnl_usd"] is None
    assert report.executed.n == 2
    assert report.exit_executed.n == 1


def test_a_journal_that_says_flat_while_its_fills_do_not_is_not_flat(tmp_path: Path):
    records = finished()
    extra: list[Record] = [intended("x", "a", 1, trade_id="t9"), seen("x", "sent"), fill("x", "f", 100, 2 * E8)]
    report = report_of(tmp_path, [*records[:-2], *extra, *records[-2:]])
    assert not report.flat
    assert not report.agree
    assert "paradex BTC-USD-PERP: compared at 0, now 2" in report.notes


@pytest.mark.parametrize(
    ("row", "agree", "flat"),
    [
        ({}, True, True),
        ({"venue_e8": E8, "agree": False}, False, False),
        ({"journal_e8": E8, "venue_e8": E8}, False, False),
    ],
)
def test_flat_and_agree_follow_the_last_comparison(tmp_path: Path, row: dict[str, object], agree: int, flat: int):
    known: dict[str, object] = {
        "venue": "vest", "symbol": "BTC-PERP", "journal_e8": 0, "venue_e8": 0, "agree": True
    }  # fmt: skip
    records = finished()
    rows = [*facts.positions_checked().rows[:1], msgspec.convert(known | row, PositionRow)]
    records[-2:-2] = [facts.positions_checked(rows=rows)]
    del records[-2]
    report = report_of(tmp_path, records)
    assert (report.agree, report.flat) == (agree, flat)


def test_never_compared_is_not_agreement(tmp_path: Path):
    records = finished()
    del records[-2]
    report = report_of(tmp_path, records)
    assert not report.agree
    assert "positions were not compared with the venues" in report.notes


def test_dust_is_named_and_is_flat(tmp_path: Path):
    records = finished()
    dust_e8 = E8 // 2000
    records[-2:-2] = [
        intended("d", "a", 1, dust_e8, trade_id="t9"),
        seen("d", "sent"),
        fill("d", "f", 100, dust_e8),
        facts.positions_checked(
            rows=[PositionRow(venue="paradex", symbol="BTC-USD-PERP", journal_e8=dust_e8, venue_e8=dust_e8, agree=True)]
        ),
    ]
    del records[-2]
    report = report_of(tmp_path, records)
    assert (report.flat, report.agree) == (True, True)
    assert report.notes == ("paradex BTC-USD-PERP: 0.0005 left, under one lot",)


def test_money_is_of_the_fills_and_a_trade_that_told_otherwise_is_noted(tmp_path: Path):
    records = [
        msgspec.structs.replace(record, pnl_e8=9 * E8) if isinstance(record, TradeClosed) else record
        for record in finished()
    ]
    report = report_of(tmp_path, records)
    assert report.pnl_e8 == 392 * E8 // 100
    assert "trade t1: its end told a PnL of 9, its fills give 1.96" in report.notes


def test_a_trade_without_all_its_prices_has_no_result(tmp_path: Path):
    records = finished()
    index = next(i for i, r in enumerate(records) if isinstance(r, OrderObserved) and r.fill_id == "f-t2-eb")
    del records[index]
    report = report_of(tmp_path, records)
    assert report.pnl_e8 == 196 * E8 // 100
    assert report.trades[1].entry_executed is None
    assert "trade t2: no price for all that filled of t2-eb" in report.notes
    assert report.detected.n == 1


def test_an_unwound_trade_counts_its_loss_but_is_no_round_trip(tmp_path: Path):
    orders: list[Record] = [
        intended("u1", "a", 1, trade_id="t3"),
        seen("u1", "sent"),
        fill("u1", "f1", 100, 2 * E8, E8),
        intended("u2", "a", 2, trade_id="t3", purpose="unwind"),
        seen("u2", "sent"),
        fill("u2", "f2", 99, 2 * E8, E8),
    ]
    opened = facts.trade_opened(trade_id="t3")
    closed = facts.trade_closed(trade_id="t3", outcome="unwound", pnl_e8=-4 * E8, fees_e8=2 * E8)
    records = finished()
    report = report_of(tmp_path, [*records[:-2], opened, *orders, closed, *records[-2:]])
    assert (report.round_trips, len(report.trades), report.pnl_e8) == (2, 3, 392 * E8 // 100 - 4 * E8)
    assert (report.detected.n, report.executed.n) == (2, 2)
    assert report.notes == ()


def test_one_run_of_many_is_reported_by_its_id_and_the_last_by_default(tmp_path: Path):
    later = [
        facts.run_started(run_id="r2"),
        *facts.round_trip("t5"),
        facts.positions_checked(),
        facts.run_ended(run_id="r2"),
    ]
    assert report_of(tmp_path, [*finished(), *later]).run_id == "r2"
    assert build_report(tmp_path).round_trips == 1
    assert build_report(tmp_path, "r1").round_trips == 2
    with pytest.raises(JournalError, match="has no run 'r9'; the last ones: r1, r2"):
        build_report(tmp_path, "r9")


def test_simulated_money_is_called_simulated_wherever_it_is_shown(tmp_path: Path):
    text = shown(report_of(tmp_path / "sim", finished()))
    assert "no figure here is money" in text
    assert re.search(r"PnL after fees and funding +│ +[0-9.]+ simulated USD", text)
    real = [facts.run_started(simulated=False), *finished()[1:]]
    assert "simulated" not in shown(report_of(tmp_path / "real", real))


def test_who_writes_a_journal_can_be_asked_without_disturbing_the_writer(tmp_path: Path):
    import os

    assert writer_pid(tmp_path) is None
    with JournalLog(tmp_path) as log:
        assert writer_pid(tmp_path) == os.getpid()
        log.append(facts.run_started())
    assert writer_pid(tmp_path) is None
