import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.core.order import FINAL, OrderState
from deltawire.journal.log import JournalLog
from deltawire.journal.project import DATABASE_NAME, Projector, ProjectorThread, catch_up
from deltawire.journal.read import FillTotals, JournalReader
from deltawire.journal.records import PositionRow, Record
from deltawire.journal.segments import JournalCorrupt, segments


def append(directory: Path, records: Sequence[Record]) -> None:
    with JournalLog(directory) as log:
        log.append_all(records)


def dump(directory: Path) -> list[str]:
    with contextlib.closing(catch_up(directory)) as projector:
        return list(projector.connection.iterdump())


def test_an_order_from_intent_to_end(tmp_path: Path):
    order = intended("c1", "a", 1, 2 * E8, cap_price_e8=101 * E8, correlator=77)
    append(tmp_path, [facts.run_started(), order, seen("c1", "sent")])
    with JournalReader(tmp_path) as journal:
        row = journal.orders()[0]
        assert (row.client_id, row.seq, row.run_id, row.state, row.was_sent) == ("c1", 2, "r1", OrderState.SENT, True)
        assert (row.side, row.size_e8, row.cap_price_e8, row.correlator) == (1, 2 * E8, 101 * E8, 77)
        append(tmp_path, [seen("c1", "acked", venue_order_id="v1"), fill("c1", "f1", 100, E8, 7)])
        assert journal.orders()[0].state is OrderState.SENT
        journal.refresh()
        row = journal.orders()[0]
        assert (row.state, row.venue_order_id) == (OrderState.OPEN, "v1")
        assert (row.filled_e8, row.notional_e8, row.fee_e8) == (E8, 100 * E8, 7)
        append(tmp_path, [seen("c1", "closed", size_e8=E8, text="expired")])
        journal.refresh()
        assert (journal.orders()[0].state, journal.orders()[0].why) == (OrderState.CANCELLED, "expired")


FILLS = [fill("c1", "f1", 100, E8, 5), fill("c1", "f2", 102, E8, 5)]


@pytest.mark.parametrize(
    ("news", "filled_e8", "notional_e8", "fee_e8", "priced"),
    [
        (FILLS, 2 * E8, 202 * E8, 10, True),
        ([*FILLS, *FILLS], 2 * E8, 202 * E8, 10, True),
        (
            [*FILLS, seen("c1", "filled_total", size_e8=2 * E8, notional_e8=202 * E8, fee_e8=10)],
            2 * E8,
            202 * E8,
            10,
            True,
        ),
        (
            [FILLS[0], seen("c1", "filled_total", size_e8=2 * E8, notional_e8=202 * E8, fee_e8=9)],
            2 * E8,
            202 * E8,
            9,
            True,
        ),
        ([seen("c1", "filled_total", size_e8=E8, notional_e8=99 * E8, fee_e8=4), *FILLS], 2 * E8, 202 * E8, 10, True),
        ([FILLS[0], seen("c1", "closed", size_e8=2 * E8)], 2 * E8, 100 * E8, 5, False),
        ([seen("c1", "closed")], 0, 0, 0, True),
    ],
)
def test_the_larger_account_is_believed_and_never_the_sum(
    tmp_path: Path, news: list[Record], filled_e8: int, notional_e8: int, fee_e8: int, priced: int
):
    append(tmp_path, [facts.run_started(), intended("c1"), seen("c1", "sent"), *news])
    with JournalReader(tmp_path) as journal:
        row = journal.orders()[0]
        assert (row.filled_e8, row.notional_e8, row.fee_e8) == (filled_e8, notional_e8, fee_e8)
        assert row.is_priced == priced
        totals = journal.fill_totals()[0]
        assert totals.unpriced_e8 == (0 if priced else E8)
        assert journal.positions() == {("paradex", "BTC-USD-PERP"): filled_e8}


def test_money_is_counted_even_where_the_news_contradict_the_state(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1"), fill("c1", "f1", 100, E8), fill("c1", "f2", 100, 2 * E8)])
    with JournalReader(tmp_path) as journal:
        row = journal.orders()[0]
        assert (row.filled_e8, row.notional_e8, row.surprises) == (3 * E8, 300 * E8, 2)
        assert row.state not in FINAL  # the bot halted over it: nobody has settled this order
        assert journal.unresolved() == [row]


def test_positions_are_the_signed_sum_over_all_runs(tmp_path: Path):
    append(
        tmp_path,
        [
            facts.run_started(),
            intended("c1", "a", 1),
            seen("c1", "sent"),
            fill("c1", "f", 100, 2 * E8, 3),
            facts.run_started(run_id="r2"),
            intended("c2", "a", 2),
            seen("c2", "sent"),
            fill("c2", "f", 101, E8, 4),
            intended("c3", "b", 2),
        ],
    )
    with JournalReader(tmp_path) as journal:
        assert journal.positions() == {("paradex", "BTC-USD-PERP"): E8, ("vest", "BTC-PERP"): 0}
        assert journal.fill_totals()[0] == FillTotals(
            venue="paradex",
            symbol="BTC-USD-PERP",
            bought_e8=2 * E8,
            sold_e8=E8,
            bought_notional_e8=200 * E8,
            sold_notional_e8=101 * E8,
            fees_e8=7,
            unpriced_e8=0,
        )
        assert [row.client_id for row in journal.orders(run_id="r2")] == ["c2", "c3"]


def test_unresolved_is_whatever_may_be_at_a_venue(tmp_path: Path):
    append(
        tmp_path,
        [
            facts.run_started(),
            intended("silent"),
            intended("sent"),
            seen("sent", "sent"),
            intended("doubt"),
            seen("doubt", "sent"),
            seen("doubt", "in_doubt", text="timeout"),
            intended("done"),
            seen("done", "sent"),
            seen("done", "rejected", code="X"),
            intended("never"),
            seen("never", "not_sent", text="no connection"),
            facts.run_started(run_id="r2", unclean_before=True),
            intended("unused"),
            facts.run_ended(run_id="r2"),
        ],
    )
    with JournalReader(tmp_path) as journal:
        assert [(row.client_id, row.state.name) for row in journal.unresolved()] == [
            ("silent", "INTENDED"),
            ("sent", "SENT"),
            ("doubt", "UNKNOWN"),
        ]
        assert [row.clean for row in journal.runs()] == [None, True]


def test_a_trade_with_its_states_and_its_end(tmp_path: Path):
    append(tmp_path, [facts.run_started(), *facts.round_trip()[:-1], facts.state_changed("holding")])
    with JournalReader(tmp_path) as journal:
        trade = journal.trades()[0]
        assert (trade.trade_id, trade.state, trade.outcome, trade.pnl_e8) == ("t1", "holding", None, None)
        append(tmp_path, [facts.run_started(run_id="r2"), facts.round_trip()[-1]])
        journal.refresh()
        trade = journal.trades(run_id="r2")[0]
        assert (trade.run_id, trade.closed_run_id, trade.outcome) == ("r1", "r2", "closed")
        assert trade.pnl_e8 == 2 * E8 - 4 * E8 // 100
        assert len(journal.trades(run_id="r1")) == 1
        assert journal.trades(run_id="r3") == []


def test_checks_instruments_and_latency_are_read_back(tmp_path: Path):
    row = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=1, venue_e8=2, agree=False)
    timed = facts.timed("c1", "vest", transport="https", reused=False)
    records: list[Record] = [facts.instrument(), facts.positions_checked(rows=[row], when="timer"), timed]
    append(tmp_path, [facts.run_started(), *records])
    with JournalReader(tmp_path) as journal:
        check = journal.checks(run_id="r1")[0]
        assert (check.venue, check.journal_e8, check.venue_e8, check.agree, check.reason) == (
            "vest",
            1,
            2,
            False,
            "timer",
        )
        assert journal.lot_e8("paradex", "BTC-USD-PERP") == E8 // 1000
        assert journal.lot_e8("vest", "BTC-PERP") == 0
        assert journal.latency()[0].stamps == timed.stamps


def test_projecting_twice_changes_nothing_and_a_rebuilt_projection_is_the_same(tmp_path: Path):
    append(tmp_path, [facts.run_started(), facts.instrument(), *facts.round_trip(), facts.positions_checked()])
    first = dump(tmp_path)
    assert dump(tmp_path) == first
    (tmp_path / DATABASE_NAME).unlink()
    assert dump(tmp_path) == first


def test_two_projectors_of_one_journal_count_each_record_once(tmp_path: Path):
    append(tmp_path, [facts.run_started(), *facts.round_trip("t1")])
    with contextlib.closing(Projector(tmp_path, tmp_path / DATABASE_NAME)) as one:
        with contextlib.closing(Projector(tmp_path, tmp_path / DATABASE_NAME)) as other:
            while one.step():
                pass
            append(tmp_path, facts.round_trip("t2"))
            while other.step():
                pass
        while one.step():
            pass
        found = list(one.connection.iterdump())
    (tmp_path / DATABASE_NAME).unlink()
    assert dump(tmp_path) == found


def test_a_projection_ahead_of_the_log_is_built_anew(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("lost")])
    assert "lost" in "".join(dump(tmp_path))
    path = segments(tmp_path)[0][1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert "lost" not in "".join(dump(tmp_path))


def test_a_projection_of_records_the_log_no_longer_has_is_built_anew(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("lost")])
    dump(tmp_path)
    path = segments(tmp_path)[0][1]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    append(tmp_path, [intended("other"), intended("more")])
    found = "".join(dump(tmp_path))
    assert "lost" not in found
    assert "other" in found
    assert "more" in found


def test_a_projection_of_another_schema_is_built_anew(tmp_path: Path):
    append(tmp_path, [facts.run_started(), *facts.round_trip()])
    first = dump(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
        connection.execute("DELETE FROM orders")
        connection.commit()
    assert dump(tmp_path) == first


def test_a_projector_whose_tables_were_built_anew_by_another_starts_over(tmp_path: Path):
    append(tmp_path, [facts.run_started(), *facts.round_trip("t1")])
    with contextlib.closing(catch_up(tmp_path)) as one:
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
            connection.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
            connection.commit()
        with contextlib.closing(Projector(tmp_path, tmp_path / DATABASE_NAME)) as other:
            assert other.last_seq == 0
        append(tmp_path, facts.round_trip("t2"))
        while one.step():
            pass
        found = list(one.connection.iterdump())
    (tmp_path / DATABASE_NAME).unlink()
    assert dump(tmp_path) == found


def test_an_absent_journal_is_empty_and_asking_makes_nothing(tmp_path: Path):
    with JournalReader(tmp_path / "none") as journal:
        assert (journal.runs(), journal.orders(), journal.positions(), journal.last_seq) == ([], [], {}, 0)
    assert not (tmp_path / "none").exists()


def test_without_a_place_for_the_tables_they_are_kept_in_memory(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1")])
    (tmp_path / DATABASE_NAME).mkdir()
    with JournalReader(tmp_path) as journal:
        assert len(journal.orders()) == 1


def test_a_damaged_journal_is_not_projected_past_the_damage(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("c2")])
    path = segments(tmp_path)[0][1]
    path.write_bytes(path.read_bytes().replace(b'"c1"', b'"cX"'))
    with pytest.raises(JournalCorrupt, match="line 2"):
        JournalReader(tmp_path)


async def test_a_projector_thread_keeps_the_tables_near_the_log(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        thread = ProjectorThread(tmp_path)
        thread.start()
        log.append_all([facts.run_started(), *facts.round_trip()])
        async with asyncio.timeout(10):
            while True:  # poll the file another thread writes
                with contextlib.suppress(sqlite3.OperationalError):
                    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
                        found = connection.execute("SELECT value FROM meta WHERE name = 'last_seq'").fetchone()
                    if found and int(found[0]) == log.last_seq:
                        break
                await asyncio.sleep(0.01)
        thread.stop()
        assert thread.failure == ""


def test_a_projector_thread_that_fails_says_why_and_ends(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("c2")])
    path = segments(tmp_path)[0][1]
    path.write_bytes(path.read_bytes().replace(b'"c1"', b'"cX"'))
    thread = ProjectorThread(tmp_path)
    thread.start()
    thread._thread.join(10)
    assert "line 2: checksum differs" in thread.failure
    thread.stop()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_journal_one_may_only_read_is_read(tmp_path: Path):
    append(tmp_path, [facts.run_started(), intended("c1")])
    tmp_path.chmod(0o500)
    with JournalReader(tmp_path) as journal:
        assert len(journal.orders()) == 1
