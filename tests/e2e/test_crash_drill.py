"""A small crash drill in every test run; docs/crash-drill.md has a long one. And what its judge would see."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.unit.journal import facts

from deltawire.cli.drill import as_document, lines
from deltawire.cli.drill_aim import PHASES, RECOVERING, START, Aims, share_of
from deltawire.cli.drill_judge import Execution, charged, doubts, duplicates, executions, lot_of, too_long, unhedged
from deltawire.cli.drill_run import Drill
from deltawire.cli.drill_watch import JournalWatch, Scene
from deltawire.cli.template import LIVE, config_text
from deltawire.core.events import InDoubt
from deltawire.core.types import ClientOrderId
from deltawire.journal.log import JournalLog
from deltawire.journal.records import observed

E8 = 10**8


@pytest.mark.e2e
def test_a_bot_killed_five_times_leaves_nothing_open_twice_or_unaccounted_for(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "deltawire", "drill", "--kills", "5", "--seed", "4", "--json", "--dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    # How long a leg was alone tells here how busy the machine is; the fault runs bound it by the clock of their world.
    found = [what for what in report["found"] if not what.startswith("one leg was alone for")]
    assert (report["kills"], found) == (5, [])
    assert done.returncode == bool(report["found"]), done.stderr
    assert report["orders_executed"] > 0


def paradex_order(client_id: str, side: str, filled: str, unix_ns: int) -> dict[str, object]:
    return {"client_id": client_id, "side": side, "filled": filled, "updated_unix_ns": unix_ns}


def state(paradex: list[dict[str, object]], vest: list[dict[str, object]], refused: int = 0) -> dict[str, object]:
    return {
        "paradex": {"accounts": {"0x1": {"orders": paradex}}, "counters": {"duplicates_of_a_client_id": refused}},
        "vest": {"accounts": [{"primary_address": "0xA", "orders": vest}], "counters": {}},
    }


VEST_SOLD = {"nonce": 7, "side": "sell", "filled_e8": E8, "filled_time_ms": 3}


def test_executions_of_both_venues_are_put_in_one_order_of_time():
    bought = paradex_order("c1", "BUY", "1", 2_000_000)
    unfilled = paradex_order("c2", "SELL", "0", 1_000_000)
    found = executions(state([bought, unfilled], [VEST_SOLD]), "0x1", "0xA")
    assert found == [Execution(2_000_000, E8), Execution(3_000_000, -E8)]


@pytest.mark.parametrize(
    ("done", "stretches"),
    [
        ([], []),
        ([Execution(1, 5), Execution(4, -5)], [(1, 4)]),
        ([Execution(1, 5), Execution(4, -3), Execution(6, -2)], [(1, 6)]),
        ([Execution(1, 5), Execution(4, -4)], [(1, 4)]),  # 1 left is under the lot of 2
        ([Execution(1, 5)], [(1, 100)]),
        ([Execution(1, 1), Execution(2, 1), Execution(3, -2), Execution(9, -5), Execution(10, 5)], [(2, 3), (9, 10)]),
    ],
)
def test_a_stretch_lasts_from_the_first_lot_to_the_last(done, stretches):
    assert unhedged(done, 2, 100) == stretches


def test_a_stretch_is_charged_only_while_a_bot_lived():
    assert charged([(10, 30)], [(0, 5), (5, 12), (20, 24), (28, 90)]) == [(10, 12), (20, 24), (28, 30)]


def test_the_bound_grows_with_each_further_order_that_its_venue_lost():
    lost = [(5, "c0"), (11, "c1"), (13, "c1"), (15, "c2"), (40, "c3")]
    assert too_long([(10, 18)], lost, 8, 7) == []
    assert too_long([(10, 25)], lost, 8, 7) == [], "two orders"
    assert too_long([(10, 26)], lost, 8, 7) == [(16, 15)]
    assert too_long([(16, 25)], lost, 8, 7) == [(9, 8)], "none"


def test_orders_in_doubt_are_told_by_the_journal(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), facts.intended("c1"), observed(ClientOrderId("c1"), InDoubt("lost"), 7)])
    assert doubts(tmp_path) == [(7, "c1")]


def test_the_lot_is_what_both_venues_can_trade(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), facts.instrument(), facts.intended("c1", cap_price_e8=100 * E8)])
    assert lot_of(tmp_path) == 11 * E8 // 100  # 10 USD at 100, and a tenth


@pytest.mark.parametrize(
    ("world", "named"),
    [
        (state([paradex_order("c1", "BUY", "1", 1)], []), []),
        (state([paradex_order("c1", "BUY", "1", 1)] * 2, []), ["paradex has order c1 twice"]),
        (state([], [VEST_SOLD]), ["vest has order 7, the journal does not"]),
        (state([], [], refused=1), ["paradex refused 1 orders as sent before"]),
    ],
)
def test_each_sign_of_an_order_sent_twice_or_unrecorded_is_named(tmp_path: Path, world, named):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), facts.intended("c1")])
    assert duplicates(world, tmp_path) == named


def test_the_summary_counts_the_kills_of_each_phase_and_names_those_that_were_not_met():
    phases = ["entering", "entering", "holding", "exiting", "unwinding", "recovering", "starting"]
    done = Drill(seed=1, kills=len(phases), scenes=[Scene(phase, 0, was_open=True) for phase in phases])
    told = lines(done)
    assert "killed while: entering 2, repairing 0, unwinding 1, holding 1, exiting 1, leaving 0, recovering 1" in told
    assert "killed outside a trade: starting 1" in told
    assert [line for line in told if "TOO SELDOM" in line] == ["MET TOO SELDOM: repairing, leaving"]
    assert as_document(done)["phases_short"] == ["repairing", "leaving"]
    wanted = as_document(replace(done, at_least=2))
    assert wanted["phases_short"] == ["repairing", "unwinding", "holding", "exiting", "leaving", "recovering"]


@pytest.mark.parametrize("seed", range(5))
def test_a_drill_that_hits_what_it_aims_at_meets_every_phase_within_its_kills(seed):
    rng = random.Random(seed)
    aims, was_open = Aims(100, share_of(100), rng), False
    met = Counter[str]()
    for done in range(100):
        aim = aims.next(met, done, was_open=was_open)
        assert aim != RECOVERING or was_open, "there is nothing to recover"
        met[aim] += 1
        was_open = aim != START
    assert aims.missing(met) == {}
    assert len(met) > len(PHASES), "the others were drawn too"


def test_a_drill_that_misses_goes_on_aiming_at_what_is_missing():
    aims = Aims(20, 1, random.Random(1))
    met = Counter({phase: 1 for phase in PHASES if phase != "unwinding"})
    assert aims.missing(met) == {"unwinding": 1}
    assert {aims.next(met, done, was_open=True) for done in range(20, 40)} == {"unwinding"}


def test_a_trade_is_led_to_be_given_back_by_more_refusals_than_there_are_repairs():
    aims = Aims(20, 1, random.Random(1))
    [refusals, *_] = aims.faults("unwinding")
    config = yaml.safe_load(config_text(LIVE))
    assert refusals["count"] > config["limits"]["max_repairs"]
    assert list(aims.faults("holding")) == []


def test_the_watch_tells_the_phase_from_the_intent_which_comes_first(tmp_path: Path):
    with JournalLog(tmp_path) as log:
        log.append_all([facts.run_started(), facts.intended("c1"), facts.intended("c2", purpose="unwind")])
    watch = JournalWatch(tmp_path)
    watch.look()
    assert (watch.scene.phase, watch.phases) == ("unwinding", {"unwinding"})
