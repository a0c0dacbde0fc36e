"""Bugs that seeds have found, each as the few faults it took. The plan is written out: new draws do not change it."""

from dataclasses import replace
from typing import Any

from deltawire.core.events import FilledTotal, Sent
from deltawire.core.money import BPS_E8, E8
from deltawire.core.types import ClientOrderId
from deltawire.engine.recovery import read_back
from deltawire.faultrun.plan import Plan, Strike
from deltawire.faultrun.world import Outcome, run_plan
from deltawire.journal.records import OrderIntended, TradeClosed, observed
from deltawire.sim.basis import MS, BasisSettings
from deltawire.sim.walk import WalkBase

S_NS = 10**9

PLAN = Plan(
    seed=387,
    base=WalkBase(50_300 * E8, E8 // 10, E8 // 20),
    walk_interval_ns=250 * MS,
    basis=BasisSettings(
        height_min_e8=20 * BPS_E8,
        height_max_e8=30 * BPS_E8,
        period_ns=3_000 * MS,
        ramp_ns=150 * MS,
        hold_min_ns=600 * MS,
        hold_max_ns=1_800 * MS,
    ),
    delay_ns={"paradex": 6 * MS, "vest": 5 * MS},
    jitter_ns=MS,
    late_one_in=0,
    late_ns=0,
    idle_close_ns=0,
    size_e8=E8 // 200,
    confirm_updates=1,
    repairs_max=1,
    hold_ns_max=S_NS,
    slippage_e8=BPS_E8,
    layers_max=1,
    harder_leg_first=False,
    recv_window_ms=1_500,
    pool_connections=2,
    send_reduce_only=False,
    order_style="market",
    book_feed="deltas",
    faults_until_ns=14 * S_NS,
    vest_keeps_back_ms=40,
    strikes=(),
    restart_after_ns=(300 * MS,) * 9,
)


def run(*strikes: Strike, **changes: Any) -> Outcome:
    return run_plan(replace(PLAN, strikes=strikes, **changes), keep_log=True)


def at(seconds: float, kind: str, **params: Any) -> Strike:
    return Strike(round(seconds * S_NS), kind, params)


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
    outcome = run(at(12.0, "crash.now"), at(13.99, "vest.expire_token"))
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
