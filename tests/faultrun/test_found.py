"""Bugs that seeds have found, each as the few faults it took."""

import asyncio
import random
from dataclasses import replace

import pytest
from tests.faultrun.plans import PLAN, S_NS, at, run

from deltawire.core.events import FilledTotal, Sent
from deltawire.core.money import E8
from deltawire.core.types import ClientOrderId
from deltawire.engine.recovery import read_back
from deltawire.faultrun.disk import Disk, FaultyJournal
from deltawire.faultrun.http import MemoryConnection, MemoryPool
from deltawire.faultrun.loop import VirtualLoop
from deltawire.faultrun.world import Outcome
from deltawire.journal.records import Halted, OrderIntended, TradeClosed, observed
from deltawire.net.api import HttpFailure, PoolSettings


def held_at_the_end(outcome: Outcome) -> str:
    return [line for line in outcome.lines if "* positions" in line][-1].split("positions ")[1].strip()


def test_exits_sent_while_the_disk_was_full_are_on_record_once_it_has_room():
    outcome = run(at(2.3, "disk.full", ms=1_500, part=True))
    assert outcome.coverage["fault full_disk"] > 0
    assert outcome.broken == []


def test_an_exit_whose_record_died_with_the_process_is_not_sent_again():
    """The next run took the journal's word that both legs were on, used the lost order's id again, and closed twice."""
    outcome = run(at(2.3, "disk.full", ms=1_000, part=False), at(2.95, "crash.now"))
    assert any("bot.killed" in line and "unrecorded=0" not in line for line in outcome.lines)
    assert outcome.broken == []
    assert held_at_the_end(outcome) == "paradex=0 vest=0"


def test_a_fill_told_after_the_end_of_its_trade_is_not_forgotten_by_the_next_run():
    """The journal had the trade's end, so the run after a crash left the leg that the late fill had put on alone."""
    entry = OrderIntended(
        client_id="dw1-0-1-b2",
        trade_id="dw1-0-1",
        pair_id="BTC",
        leg="b",
        venue="vest",
        symbol="BTC-PERP",
        side=2,
        size_e8=500_000,
        cap_price_e8=50_000 * E8,
        purpose="entry",
        reduce_only=False,
        correlator=1,
        signed_unix_ms=1,
        unix_ns=1,
    )
    end = TradeClosed(
        trade_id="dw1-0-1",
        pair_id="BTC",
        outcome="nothing_filled",
        entry_detected_spread_rate_e8=0,
        entry_executed_spread_rate_e8=None,
        exit_detected_spread_rate_e8=None,
        exit_executed_spread_rate_e8=None,
        fees_e8=0,
        pnl_e8=0,
        unhedged_ns_max=0,
        dust_a_e8=0,
        dust_b_e8=0,
        opened_unix_ns=1,
        closed_unix_ns=2,
    )
    sent = observed(ClientOrderId("dw1-0-1-b2"), Sent(), 1)
    late = observed(ClientOrderId("dw1-0-1-b2"), FilledTotal(50_000, 25 * E8, 0), 3)
    assert read_back([entry, sent, end], 0).open_trades == []
    assert [left.trade_id for left in read_back([entry, sent, end, late], 0).open_trades] == ["dw1-0-1"]


def test_a_fill_that_vest_shows_late_twice_is_not_taken_for_somebody_elses_trade():
    """Two rounds of the watcher, five seconds and two trades apart, each met a fill not shown yet: one leg was sold."""
    outcome = run(vest_keeps_back_ms=500, layers_max=2, late_one_in=200, late_ns=S_NS)
    assert not any("position.changed" in line for line in outcome.lines)
    assert outcome.broken == []


def test_an_end_that_cannot_be_read_at_once_is_read_again():
    """Vest refuses the key a moment before the stop, and a new registration has to wait."""
    outcome = run(at(8.0, "crash.now"), at(13.99, "vest.expire_token"))
    assert any("positions.unreadable" in line for line in outcome.lines)
    assert outcome.broken == []


def test_a_cancel_that_overtakes_its_fill_does_not_end_the_order():
    """Vest's word of the end has no amounts: the part that had filled was asked for again, and the leg grew too big."""
    outcome = run(
        at(0.1, "vest.reorder_events", count=2),
        at(0.2, "vest.partial_fill", fraction_e8=E8 // 2, count=1),
        harder_leg_first=True,
    )
    assert outcome.coverage["trade repairing missing"] or outcome.coverage["trade entering missing"]
    assert outcome.broken == []


async def test_a_connection_lost_in_the_moment_it_opened_is_a_failure_and_not_a_bug():
    """The server's end came before the task that had opened it went on: the bot died of an assertion."""

    async def connect(_origin: str, connection: MemoryConnection) -> None:
        connection.connection_made(asyncio.Transport())
        connection.connection_lost(None)

    pool = MemoryPool(
        "https://venue.test", PoolSettings(), "/", b"", now_ns=lambda: 1, rng=random.Random(1), connect=connect
    )
    with pytest.raises(HttpFailure, match="as soon as it was open"):
        await pool.warm()
    with pytest.raises(HttpFailure) as failure:
        await pool.request("GET", "/")
    assert not failure.value.maybe_sent
    await pool.close()


@pytest.mark.parametrize("ms", [-90_000, 90_000])
def test_a_date_set_wrong_while_a_pair_is_held_opens_nothing_and_refuses_no_exit(ms):
    """Signed by a date far behind every order would be too old at the venue; far ahead it could be taken for long."""
    outcome = run(at(2.0, "clock.step", ms=ms))
    told = [line for line in outcome.lines if "trade.closed" in line or "phase=exiting" in line]
    assert len(told) == 2, "one round trip, whose exit came after the step"
    assert any("entry.refused" in line and "rule=clock" in line for line in outcome.lines)
    assert not any('"kind":"rejected"' in line for line in outcome.lines)
    assert outcome.broken == []


# Held for seconds: what happens to a trade here takes longer than the usual hold.
HELD = {
    "basis": replace(PLAN.basis, period_ns=7 * S_NS, hold_min_ns=3 * S_NS, hold_max_ns=5 * S_NS),
    "hold_ns_max": 30 * S_NS,
    "watch_every_ms": 500,
}


def test_a_trade_that_is_stuck_is_over_once_a_person_has_closed_its_leg():
    """Nothing was compared while a trade was stuck or closing: it tried on against a position that was not there."""
    refuse = at(2.3, "vest.reject_order", code="3001", where="answer", count=10**4)
    outcome = run(refuse, at(45.0, "hand.close"), faults_until_ns=60 * S_NS, watch_every_ms=500)
    assert outcome.coverage["trade stuck empty"] == 1
    assert outcome.broken == []


def test_what_others_closed_is_taken_off_every_layer_and_not_twice_off_the_newest():
    outcome = run(at(3.2, "hand.close"), layers_max=2, **HELD)
    assert outcome.coverage["trade holding empty"] == 2
    assert outcome.broken == []


def test_a_fill_taken_back_before_a_crash_is_not_bought_again_by_the_next_run():
    """The journal had the change; the next run took the pair for one with a missing leg, and repaired it."""
    outcome = run(at(2.6, "paradex.bust"), at(4.0, "crash.now"), **HELD)
    assert not outcome.coverage["trade entering missing"]
    assert outcome.broken == []


def test_a_refusal_of_an_order_that_was_found_filled_changes_nothing():
    """The table had no row for it: the order's news raised, and entries were halted."""
    outcome = run(
        at(0.1, "paradex.false_reject", code="VALIDATION_ERROR", count=1),
        at(0.1, "paradex.lose_events", count=1),
        at(0.5, "net.slow", venue="paradex", port="ws", way="down", delay_ms=2_000, ms=4_000),
        tells_new=False,
    )
    assert outcome.coverage["order filled Rejected"] == 1
    assert outcome.broken == []


def test_entries_wait_while_a_position_nobody_ordered_is_looked_at_again():
    """With a trade every second the second look never found the pair at rest, and one leg stayed alone unseen."""
    outcome = run(at(2.0, "vest.close_position"), watch_every_ms=500)
    assert any("position.changed" in line for line in outcome.lines)
    assert outcome.broken == []


def test_a_look_that_met_a_trade_under_way_is_made_up_for_at_the_next_pause():
    """The bot waited for its next round, five seconds later, which met the next trade."""
    outcome = run(at(2.0, "paradex.close_position"), watch_every_ms=5_000, faults_until_ns=30 * S_NS)
    told = [line for line in outcome.lines if "position.changed" in line]
    assert float(told[0].split()[0]) < 10.5  # the first round came at 5.5 s, the second would have come at 10.5 s
    assert outcome.broken == []


def test_power_loss_costs_what_was_not_flushed_and_nothing_else():
    outcome = run(at(1.75, "crash.power", keep_e8=0))
    assert outcome.coverage["fault crash.power"] == 1
    assert any("journal.lost" in line for line in outcome.lines)
    assert outcome.broken == []


def test_a_refusal_of_an_order_that_was_found_partly_filled_changes_nothing():
    outcome = run(
        at(0.1, "paradex.false_reject", code="VALIDATION_ERROR", count=1),
        at(0.1, "paradex.lose_events", count=1),
        at(0.1, "paradex.partial_fill", fraction_e8=E8 // 2, count=1),
        at(0.5, "net.slow", venue="paradex", port="ws", way="down", delay_ms=2_000, ms=4_000),
        tells_new=False,
    )
    assert outcome.coverage["order cancelled Rejected"] == 1
    assert outcome.broken == []


def test_a_line_torn_by_the_power_counts_as_lost_whole(tmp_path):
    """The judge took an order whose line was cut off in the middle for one that the bot had never written down."""
    loop = VirtualLoop()
    journal = FaultyJournal(tmp_path, Disk(loop))
    for number in range(3):
        journal.append(Halted(reason=f"reason {number}", unix_ns=number))
    journal.die()
    written = next(tmp_path.glob("*.wal")).read_bytes().splitlines(keepends=True)[-3:]
    assert journal.lose_unsynced(E8 // 2) == b"".join(written[1:])
    loop.close()
