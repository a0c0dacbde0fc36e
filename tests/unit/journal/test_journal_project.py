import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.core.order import FINAL, OrderState
from deltawire.journal.database import DATABASE_NAME, DatabaseUnusable, Row, open_database, url_problem
from deltawire.journal.log import JournalLog
from deltawire.journal.project import Projector, catch_up
from deltawire.journal.read import FillTotals, JournalReader
from deltawire.journal.records import PositionAdjusted, PositionRow, Record
from deltawire.journal.schema import TABLES
from deltawire.journal.segments import JournalCorrupt, segments


def append(directory: Path, records: Sequence[Record]) -> None:
    with JournalLog(directory) as log:
        log.append_all(records)


def tables(projector: Projector) -> dict[str, list[Row]]:
    """All that is in the tables, in an order of its own."""
    found = {name: projector.database.rows(f"SELECT * FROM {name}") for name in (*TABLES, "meta")}
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def dump(directory: Path, url: str) -> dict[str, list[Row]]:
    with contextlib.closing(catch_up(directory, url)) as projector:
        return tables(projector)


def drop(directory: Path, url: str) -> None:
    with contextlib.closing(open_database(url, directory)) as database:
        for name in (*TABLES, "meta"):
            database.execute(f"DROP TABLE {name}")


def test_an_order_from_intent_to_end(tmp_path: Path, url: str):
    order = intended("c1", "a", 1, 2 * E8, cap_price_e8=101 * E8, correlator=77)
    append(tmp_path, [facts.run_started(), order, seen("c1", "sent")])
    with JournalReader(tmp_path, url) as journal:
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
    tmp_path: Path, url: str, news: list[Record], filled_e8: int, notional_e8: int, fee_e8: int, priced: int
):
    append(tmp_path, [facts.run_started(), intended("c1"), seen("c1", "sent"), *news])
    with JournalReader(tmp_path, url) as journal:
        row = journal.orders()[0]
        assert (row.filled_e8, row.notional_e8, row.fee_e8) == (filled_e8, notional_e8, fee_e8)
        assert row.is_priced == priced
        totals = journal.fill_totals()[0]
        assert totals.unpriced_e8 == (0 if priced else E8)
        assert journal.positions() == {("paradex", "BTC-USD-PERP"): filled_e8}


def test_money_is_counted_even_where_the_news_contradict_the_state(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1"), fill("c1", "f1", 100, E8), fill("c1", "f2", 100, 2 * E8)])
    with JournalReader(tmp_path, url) as journal:
        row = journal.orders()[0]
        assert (row.filled_e8, row.notional_e8, row.surprises) == (3 * E8, 300 * E8, 2)
        assert row.state not in FINAL  # the bot halted over it: nobody has settled this order
        assert journal.unresolved() == [row]


def test_positions_are_the_signed_sum_over_all_runs(tmp_path: Path, url: str):
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
    with JournalReader(tmp_path, url) as journal:
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


def test_unresolved_is_whatever_may_be_at_a_venue(tmp_path: Path, url: str):
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
    with JournalReader(tmp_path, url) as journal:
        assert [(row.client_id, row.state.name) for row in journal.unresolved()] == [
            ("silent", "INTENDED"),
            ("sent", "SENT"),
            ("doubt", "UNKNOWN"),
        ]
        assert [row.clean for row in journal.runs()] == [None, True]


def test_a_trade_with_its_states_and_its_end(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), *facts.round_trip()[:-1], facts.state_changed("holding")])
    with JournalReader(tmp_path, url) as journal:
        trade = journal.trades()[0]
        assert (trade.trade_id, trade.state, trade.outcome, trade.pnl_e8) == ("t1", "holding", None, None)
        append(tmp_path, [facts.run_started(run_id="r2"), facts.round_trip()[-1]])
        journal.refresh()
        trade = journal.trades(run_id="r2")[0]
        assert (trade.run_id, trade.closed_run_id, trade.outcome) == ("r1", "r2", "closed")
        assert trade.pnl_e8 == 2 * E8 - 4 * E8 // 100
        assert len(journal.trades(run_id="r1")) == 1
        assert journal.trades(run_id="r3") == []


def test_checks_instruments_and_latency_are_read_back(tmp_path: Path, url: str):
    row = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=1, venue_e8=2, agree=False)
    timed = facts.timed("c1", "vest", transport="https", reused=False)
    records: list[Record] = [facts.instrument(), facts.positions_checked(rows=[row], when="timer"), timed]
    append(tmp_path, [facts.run_started(), *records])
    with JournalReader(tmp_path, url) as journal:
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


def test_projecting_twice_changes_nothing_and_a_rebuilt_projection_is_the_same(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), facts.instrument(), *facts.round_trip(), facts.positions_checked()])
    first = dump(tmp_path, url)
    assert dump(tmp_path, url) == first
    drop(tmp_path, url)
    assert dump(tmp_path, url) == first


def test_two_projectors_of_one_journal_count_each_record_once(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), *facts.round_trip("t1")])
    with contextlib.closing(Projector(tmp_path, open_database(url, tmp_path))) as one:
        with contextlib.closing(Projector(tmp_path, open_database(url, tmp_path))) as other:
            while one.step():
                pass
            append(tmp_path, facts.round_trip("t2"))
            while other.step():
                pass
        while one.step():
            pass
        found = tables(one)
    drop(tmp_path, url)
    assert dump(tmp_path, url) == found


def test_a_projection_ahead_of_the_log_is_built_anew(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("lost")])
    assert "lost" in repr(dump(tmp_path, url))
    path = segments(tmp_path)[0][1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert "lost" not in repr(dump(tmp_path, url))


def test_a_projection_of_records_the_log_no_longer_has_is_built_anew(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("lost")])
    dump(tmp_path, url)
    path = segments(tmp_path)[0][1]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    append(tmp_path, [intended("other"), intended("more")])
    found = repr(dump(tmp_path, url))
    assert "lost" not in found
    assert "other" in found
    assert "more" in found


def test_a_projection_of_another_schema_is_built_anew(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), *facts.round_trip()])
    first = dump(tmp_path, url)
    with contextlib.closing(open_database(url, tmp_path)) as database:
        database.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
        database.execute("DELETE FROM orders")
    assert dump(tmp_path, url) == first


def test_a_projector_whose_tables_were_built_anew_by_another_starts_over(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), *facts.round_trip("t1")])
    with contextlib.closing(catch_up(tmp_path, url)) as one:
        with contextlib.closing(open_database(url, tmp_path)) as database:
            database.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
        with contextlib.closing(Projector(tmp_path, open_database(url, tmp_path))) as other:
            assert other.last_seq == 0
        append(tmp_path, facts.round_trip("t2"))
        while one.step():
            pass
        found = tables(one)
    drop(tmp_path, url)
    assert dump(tmp_path, url) == found


def test_an_absent_journal_is_empty_and_asking_makes_nothing(tmp_path: Path, url: str):
    with JournalReader(tmp_path / "none", url) as journal:
        assert (journal.runs(), journal.orders(), journal.positions(), journal.last_seq) == ([], [], {}, 0)
    assert not (tmp_path / "none").exists()


def test_without_a_place_for_the_tables_they_are_kept_in_memory(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1")])
    (tmp_path / DATABASE_NAME).mkdir()
    with JournalReader(tmp_path, url) as journal:
        assert len(journal.orders()) == 1


def test_a_damaged_journal_is_not_projected_past_the_damage(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1"), intended("c2")])
    path = segments(tmp_path)[0][1]
    path.write_bytes(path.read_bytes().replace(b'"c1"', b'"cX"'))
    with pytest.raises(JournalCorrupt, match="line 2"):
        JournalReader(tmp_path, url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_journal_one_may_only_read_is_read(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1")])
    tmp_path.chmod(0o500)
    with JournalReader(tmp_path, url) as journal:
        assert len(journal.orders()) == 1


def test_tables_of_version_1_are_built_anew_from_the_log(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), *facts.round_trip()])
    now = dump(tmp_path, url)
    with contextlib.closing(open_database(url, tmp_path)) as database:
        database.execute("DROP TABLE adjustments")  # what version 2 added
        database.execute("DROP TABLE halts")
        database.execute("ALTER TABLE trades DROP COLUMN first_leg")
        database.execute("ALTER TABLE trades DROP COLUMN layer")
        database.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
        database.execute("DELETE FROM meta WHERE name = 'first_record'")
    assert dump(tmp_path, url) == now


def test_a_position_nobody_ordered_is_part_of_the_position(tmp_path: Path, url: str):
    change = PositionAdjusted(
        trade_id="t1",
        pair_id="btc",
        leg="a",
        venue="paradex",
        symbol="BTC-USD-PERP",
        size_e8=-E8,
        reason="liquidated",
        unix_ns=1,
    )
    append(tmp_path, [facts.run_started(), intended("c1"), seen("c1", "sent"), fill("c1", "f", 100, 2 * E8), change])
    with JournalReader(tmp_path, url) as journal:
        assert journal.positions() == {("paradex", "BTC-USD-PERP"): E8}


def test_a_zero_byte_in_a_venues_words_is_kept_out_of_the_tables_only(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1"), seen("c1", "rejected", code="1", text="a\0b")])
    with JournalReader(tmp_path, url) as journal:
        assert journal.orders()[0].why in ("1 a\0b", "1 a\ufffdb")


def test_sums_beyond_32_bits_come_back_whole(tmp_path: Path, url: str):
    append(tmp_path, [facts.run_started(), intended("c1", size_e8=10**12), fill("c1", "f", 90_000, 10**12, 10**11)])
    with JournalReader(tmp_path, url) as journal:
        [totals] = journal.fill_totals()
    assert (totals.bought_e8, totals.bought_notional_e8, totals.fees_e8) == (10**12, 9 * 10**16, 10**11)


def test_tables_of_another_journal_are_refused_and_left_alone(tmp_path: Path, new_schema):
    url = new_schema()
    append(tmp_path / "mine", [facts.run_started(run_id="mine"), intended("c1")])
    append(tmp_path / "other", [facts.run_started(run_id="other")])
    mine = dump(tmp_path / "mine", url)
    with pytest.raises(DatabaseUnusable, match="hold another journal"):
        JournalReader(tmp_path / "other", url)
    assert dump(tmp_path / "mine", url) == mine


def test_a_server_that_is_not_there_is_told_in_one_sentence(tmp_path: Path):
    with pytest.raises(DatabaseUnusable, match="PostgreSQL and the journal's projection"):
        JournalReader(tmp_path, f"postgresql://nobody@/none?host={tmp_path}")


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@h/d", "postgresql://u@h/d?password=hunter2"])
def test_a_url_with_a_password_is_refused_without_repeating_it(tmp_path: Path, url: str):
    with pytest.raises(DatabaseUnusable, match="PGPASSWORD") as told:
        open_database(url, tmp_path)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("url", ["mysql://u@h/d", "journal.db", ""])
def test_a_url_that_is_not_postgresqls_is_refused(url: str):
    assert "postgresql://" in url_problem(url)


def test_a_look_up_that_misses_an_acknowledged_order_settles_nothing_here_either(tmp_path: Path, url: str):
    acked = [seen("c1", "sent"), seen("c1", "acked", venue_order_id="v")]
    append(tmp_path, [facts.run_started(), intended("c1"), *acked, seen("c1", "in_doubt"), seen("c1", "not_found")])
    with JournalReader(tmp_path, url) as journal:
        assert journal.orders()[0].state is OrderState.UNKNOWN
