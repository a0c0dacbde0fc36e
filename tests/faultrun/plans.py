"""A plan that is written out, so that new draws do not change it, and faults to put into it."""

from dataclasses import replace
from typing import Any

from deltawire.core.money import BPS_E8, E8
from deltawire.faultrun.kinds import Strike
from deltawire.faultrun.plan import Plan
from deltawire.faultrun.world import Outcome, run_plan
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
