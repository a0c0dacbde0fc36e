"""The statement of agreement: signed off when all is well, and each way it is not, named with both values."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.cli.verify import as_document, lines
from deltawire.journal.log import JournalLog
from deltawire.journal.records import PositionRow, PositionsChecked, Record
from deltawire.journal.statement import OrderAnswer, Statement, VenueAnswer, build_statement

BTC = "BTC-USD-PERP"


def stated(directory: Path, *records: Record) -> Statement:
    with JournalLog(directory) as log:
        log.append_all([facts.run_started(), facts.instrument(), *records])
    return build_statement(directory)


def row(journal_e8: int, venue_e8: int, venue: str = "paradex", symbol: str = BTC) -> PositionRow:
    agree = journal_e8 == venue_e8
    return PositionRow(venue=venue, symbol=symbol, journal_e8=journal_e8, venue_e8=venue_e8, agree=agree)


def checked(*rows: PositionRow) -> PositionsChecked:
    return PositionsChecked(when="shutdown", rows=list(rows), unix_ns=facts.T0 + 9)


BOUGHT: list[Record] = [intended("c1"), seen("c1", "sent"), fill("c1", "f1", 100, 2 * E8, 5)]
SOLD: list[Record] = [intended("c2", "a", 2), seen("c2", "sent"), fill("c2", "f2", 101, 2 * E8, 6)]
FLAT: list[Record] = [*BOUGHT, *SOLD]
ENDED = facts.run_ended()


def texts(statement: Statement) -> list[str]:
    return [str(difference) for difference in statement.differences]


def test_a_journal_in_order_is_signed_off(tmp_path: Path):
    statement = stated(tmp_path, *FLAT, checked(row(0, 0)), ENDED)
    assert (texts(statement), statement.violations, statement.signed_off) == ([], (), True)
    told = lines(statement)
    assert told[-1] == "SIGNED OFF"
    assert "paradex: position BTC-USD-PERP 0; 2 orders, 2 sent, 2 filled, 0 rejected, 0 unresolved" in told
    document = as_document(statement)
    assert document["signed_off"] is True
    assert document["venues"] == {
        "paradex": {
            "positions": {BTC: "0"},
            "orders": 2,
            "sent": 2,
            "filled": 2,
            "rejected": 0,
            "unresolved": 0,
            "fees_usd": "0.00000011",
        }
    }


@pytest.mark.parametrize(
    ("records", "named"),
    [
        ([*FLAT, checked(row(0, E8))], [f"paradex position {BTC}: journal 0, venue 1"]),
        (
            [*BOUGHT, checked(row(2 * E8, 2 * E8)), *SOLD],
            [f"paradex position {BTC}: journal 0, venue 2 when last asked, before that changed"],
        ),
        ([*BOUGHT, checked(row(0, 0, "vest", "BTC-PERP"))], [f"paradex position {BTC}: journal 2, venue not asked"]),
        (FLAT, ["positions of the last run: journal as stated, venue never asked"]),
        (
            [*FLAT, intended("c3"), seen("c3", "sent"), seen("c3", "in_doubt"), checked(row(0, 0))],
            ["paradex order c3: journal unknown, venue not asked"],
        ),
    ],
)
def test_each_difference_the_journal_shows_is_named_with_both_values(tmp_path: Path, records, named):
    statement = stated(tmp_path, *records)
    assert texts(statement) == named
    assert not statement.signed_off
    assert lines(statement)[-1] == "NOT SIGNED OFF"


def test_what_was_never_compared_is_no_agreement(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append(facts.run_started())
    statement = build_statement(tmp_path)
    assert not statement.agree
    assert not statement.signed_off
    assert "journal and venues agree (never compared): no" in lines(statement)


def test_a_broken_invariant_is_not_signed_off_even_where_positions_agree(tmp_path: Path):
    statement = stated(tmp_path, *FLAT, seen("c1", "sent"), checked(row(0, 0)), ENDED)
    assert [violation.rule for violation in statement.violations] == ["I3"]
    assert (texts(statement), statement.signed_off) == ([], False)
    assert any("breaks I3" in line for line in lines(statement))


def test_an_agreed_position_that_is_on_is_not_signed_off(tmp_path: Path):
    statement = stated(tmp_path, *BOUGHT, checked(row(2 * E8, 2 * E8)))
    assert (texts(statement), statement.signed_off) == ([], False)


GOOD = VenueAnswer(
    positions={BTC: 0, "ETH-USD-PERP": 3 * E8},  # another instrument is its owner's business
    orders=(OrderAnswer("c2", 2 * E8, 6, is_final=True), OrderAnswer("c1", 2 * E8, 5, is_final=True)),
)


def test_what_the_venues_say_now_counts_instead_of_the_last_comparison(tmp_path: Path):
    statement = stated(tmp_path, *FLAT, checked(row(0, E8)), ENDED).with_answers({"paradex": GOOD})
    assert texts(statement) == []
    assert "paradex says: equity 0, free 0 USD; 2 orders asked for one by one" in lines(statement)


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (replace(GOOD, positions={BTC: -E8}), f"paradex position {BTC}: journal 0, venue -1"),
        (
            replace(GOOD, open_orders=("dw1-0-1-a1",)),
            "paradex order dw1-0-1-a1: journal nothing of ours rests, venue open",
        ),
        (
            replace(GOOD, orders=(OrderAnswer("c1", E8, 5, is_final=True),)),
            "paradex order c1 filled: journal 2, venue 1",
        ),
        (replace(GOOD, orders=(OrderAnswer("c1"),)), "paradex order c1 filled: journal 2, venue unknown there"),
        (
            replace(GOOD, orders=(OrderAnswer("c1", 2 * E8, 7, is_final=True),)),
            "paradex order c1 fee: journal 0.00000005, venue 0.00000007",
        ),
        (replace(GOOD, orders=(OrderAnswer("c1", 2 * E8, 5),)), "paradex order c1: journal filled, venue still open"),
        (
            replace(GOOD, orders=(OrderAnswer("c1", failure="no route"),)),
            "paradex order c1: journal filled, venue no answer (no route)",
        ),
        (VenueAnswer(failure="no route"), "paradex account: journal as stated, venue no answer (no route)"),
    ],
)
def test_each_difference_a_venue_tells_is_named_with_both_values(tmp_path: Path, answer, named):
    statement = stated(tmp_path, *FLAT, checked(row(0, 0)), ENDED).with_answers({"paradex": answer})
    assert texts(statement) == [named]
    assert not statement.signed_off


def test_orders_of_unknown_end_are_asked_for_first(tmp_path: Path):
    doubtful: list[Record] = [intended("c0"), seen("c0", "sent"), seen("c0", "in_doubt")]
    statement = stated(tmp_path, *doubtful, *FLAT)
    assert [order.client_id for order in statement.to_look_up["paradex"]] == ["c0", "c2", "c1"]


def test_an_empty_journal_has_nothing_to_sign(tmp_path: Path):
    tmp_path.mkdir(exist_ok=True)
    statement = build_statement(tmp_path)
    assert (statement.records, statement.signed_off, texts(statement)) == (0, False, [])
