"""Funding, balances and differences in the journal: old formats and tables, the report, the statement."""

import contextlib
import shutil
from pathlib import Path

import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, T0

from deltawire.cli.verify import as_document, lines
from deltawire.journal.check import check_journal
from deltawire.journal.database import open_database
from deltawire.journal.log import JournalLog
from deltawire.journal.read import JournalReader
from deltawire.journal.records import FORMAT, AccountsReconciled, FundingPaid, ItemRow, MoneyRow, Record
from deltawire.journal.report import build_report
from deltawire.journal.segments import JournalError, read
from deltawire.journal.statement import Statement, build_statement

OLD = Path(__file__).parents[2] / "vectors/journal/format-1.wal"  # written by the last version that wrote format 1


def paid(payment_id: str, payment_e8: int, client_id: str = "") -> FundingPaid:
    return FundingPaid(
        venue="vest",
        symbol="BTC-PERP",
        payment_id=payment_id,
        payment_e8=payment_e8,
        client_id=client_id,
        paid_unix_ns=T0 + 5,
        unix_ns=T0 + 6,
    )


def reconciled(*differences: ItemRow) -> AccountsReconciled:
    row = MoneyRow(
        venue="vest",
        opening_unix_ns=T0,
        opening_e8=100 * E8,
        pnl_e8=3 * E8,
        fees_e8=E8,
        funding_e8=-E8 // 2,
        others_e8=0,
        moved_e8=10 * E8,
        unexplained_e8=0,
        cash_e8=111 * E8 + E8 // 2,
        tolerance_e8=600,
        fills=2,
    )
    return AccountsReconciled(when="shutdown", rows=[row], differences=list(differences), unix_ns=T0 + 59 * 10**9)


def stated(directory: Path, *more: Record, records_format: int = FORMAT) -> Statement:
    with JournalLog(directory) as log:
        log.append_all(
            [
                facts.run_started(format=records_format),
                *facts.round_trip(),
                facts.positions_checked(),
                *more,
                facts.run_ended(),
            ]
        )
    return build_statement(directory)


def test_a_journal_of_format_1_is_read_judged_reported_and_signed_as_before(tmp_path: Path):
    shutil.copy(OLD, tmp_path / "00000000000000000001.wal")
    statement = build_statement(tmp_path)
    assert check_journal(tmp_path) == []
    assert (statement.report.round_trips, statement.report.pnl_e8) == (2, 592 * E8 // 100)
    assert statement.signed_off
    assert (statement.money, statement.reconciled_unix_ns) == ({}, 0)


def test_a_journal_of_format_1_is_written_on_in_the_new_one(tmp_path: Path):
    shutil.copy(OLD, tmp_path / "00000000000000000001.wal")
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(run_id="r2", format=FORMAT), reconciled(), paid("p1", 7)])
    assert [type(record) for _, record in read(tmp_path)][-1] is FundingPaid
    assert build_report(tmp_path, "r1").round_trips == 2
    assert build_report(tmp_path, "r2").funding_e8 == 7


def test_a_format_yet_to_come_is_refused_with_the_version_that_wrote_it(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(format=FORMAT + 1, version="9.9")])
    with pytest.raises(JournalError, match=rf"line 1: .*deltawire 9\.9 in format {FORMAT + 1}"):
        build_statement(tmp_path)


def test_tables_of_version_2_are_built_anew_from_the_log(tmp_path: Path):
    told = stated(tmp_path, paid("p1", 7, "t1-xb"), reconciled())
    with contextlib.closing(open_database("", tmp_path)) as database:
        for table in ("funding", "reconciliations", "money", "differences"):  # what version 3 added
            database.execute(f"DROP TABLE {table}")
        database.execute("ALTER TABLE runs DROP COLUMN format")
        database.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
    assert build_statement(tmp_path) == told
    with JournalReader(tmp_path) as journal:
        assert [(p.payment_id, p.trade_id) for p in journal.funding()] == [("p1", "t1")]


def test_funding_is_part_of_the_pnl_once_however_often_it_is_recorded(tmp_path: Path):
    report = stated(tmp_path, paid("p1", -30, "t1-xb"), paid("p1", -30, "t1-xb"), paid("p2", 10), reconciled()).report
    assert report.funding_e8 == -20
    assert report.pnl_e8 == 196 * E8 // 100 - 20
    assert report.to_json()["funding_usd"] == -0.0000002


def test_the_statement_tells_how_the_balance_came_about(tmp_path: Path):
    statement = stated(tmp_path, reconciled())
    assert statement.signed_off
    told = "vest: opening 100 + PnL 3 - fees 1 - funding 0.5 + deposits less withdrawals 10 = balance 111.5 USD"
    assert any(line.startswith(told) for line in lines(statement))
    money = as_document(statement)["money"]
    assert isinstance(money, dict)
    assert money["vest"]["cash_usd"] == "111.5"


def test_each_difference_of_money_is_named_and_nothing_is_signed(tmp_path: Path):
    item = ItemRow(kind="fee", venue="vest", item="order c1 fee", journal="1", told="1.5", answer="alarmed")
    statement = stated(tmp_path, reconciled(item))
    assert [str(difference) for difference in statement.differences] == ["vest order c1 fee: journal 1, venue 1.5"]
    assert not statement.signed_off
    assert as_document(statement)["differences"] == [
        {"kind": "fee", "item": "vest order c1 fee", "journal": "1", "venue": "1.5", "answer": "alarmed"}
    ]


def test_a_run_whose_money_was_never_compared_is_not_signed(tmp_path: Path):
    statement = stated(tmp_path)
    assert [difference.venue for difference in statement.differences] == ["never asked"]
