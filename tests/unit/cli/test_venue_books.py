"""The comparison of journal and venues: equal books agree, and every kind of difference is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from deltawire.cli.venue_books import Books, Unreadable, differences, is_flat, journal_books, venue_books
from deltawire.journal.log import JournalLog
from deltawire.journal.records import OrderIntended, OrderObserved

E8 = 10**8
FLAT = Books(positions={"BTC-PERP": 0}, filled={"11": 5 * E8, "12": 5 * E8}, fees_e8=7, open_orders=0)


def test_equal_books_agree():
    assert differences({"vest": FLAT}, {"vest": replace(FLAT)}) == []


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        (replace(FLAT, positions={"BTC-PERP": E8}), "vest position BTC-PERP: journal 0, venue 1"),
        (replace(FLAT, positions={"BTC-PERP": 0, "E-PERP": -E8}), "vest position E-PERP: journal 0, venue -1"),
        (replace(FLAT, filled={"11": 5 * E8}), "vest order 12 filled: journal 5, venue 0"),
        (replace(FLAT, filled=FLAT.filled | {"13": 1}), "vest order 13 filled: journal 0, venue 0.00000001"),
        (replace(FLAT, fees_e8=8), "vest fees: journal 0.00000007, venue 0.00000008"),
        (replace(FLAT, open_orders=1), "vest holds 1 open orders"),
    ],
)  # fmt: skip
def test_each_difference_is_named(theirs, named):
    assert differences({"vest": FLAT}, {"vest": theirs}) == [named]


def test_a_venue_the_journal_has_never_heard_of_is_compared_too():
    assert differences({}, {"vest": replace(FLAT, filled={"1": E8}, fees_e8=0)}) == [
        "vest order 1 filled: journal 0, venue 1"
    ]


@pytest.mark.parametrize(
    ("books", "flat"),
    [(FLAT, True), (replace(FLAT, positions={"BTC-PERP": -1}), False), (replace(FLAT, open_orders=1), False)],
)
def test_flat_means_no_position_and_no_open_order(books, flat):
    assert is_flat({"vest": books}) is flat


def intent(client_id: str, venue: str, side: int, correlator: int) -> OrderIntended:
    return OrderIntended(
        client_id=client_id,
        trade_id="t1",
        pair_id="BTC",
        leg="a",
        venue=venue,
        symbol="BTC-PERP",
        side=1 if side == 1 else 2,
        size_e8=2 * E8,
        cap_price_e8=100 * E8,
        purpose="entry",
        reduce_only=False,
        correlator=correlator,
        signed_unix_ms=1,
        unix_ns=1,
    )


def fill(client_id: str, size_e8: int, fee_e8: int, fill_id: str = "f1") -> OrderObserved:
    return OrderObserved(
        client_id=client_id, kind="fill", unix_ns=2, fill_id=fill_id, price_e8=100 * E8, size_e8=size_e8, fee_e8=fee_e8
    )


def test_the_journal_is_added_up_by_the_id_each_venue_knows(tmp_path):
    sent = [OrderObserved(client_id=name, kind="sent", unix_ns=1) for name in ("a", "b", "c")]
    with JournalLog(tmp_path) as journal:
        journal.append_all(
            [
                intent("a", "paradex", 1, 91),
                intent("b", "vest", 2, 92),
                intent("c", "vest", 1, 93),
                *sent,
                fill("a", E8, 3),
                fill("a", E8, 4, "f2"),
                fill("a", E8, 4, "f2"),  # told twice
                fill("b", 2 * E8, 5),
            ]
        )
    books = journal_books(tmp_path)
    assert books["paradex"] == Books({"BTC-PERP": 2 * E8}, {"a": 2 * E8}, 7)
    assert books["vest"] == Books({"BTC-PERP": -2 * E8}, {"92": 2 * E8}, 5)


def test_an_absent_journal_has_no_books(tmp_path):
    assert journal_books(tmp_path / "none") == {}


def test_simulators_that_do_not_answer_are_no_agreement(tmp_path: Path):
    with pytest.raises(Unreadable):
        venue_books("http://127.0.0.1:1", "0x1", "0x2")
