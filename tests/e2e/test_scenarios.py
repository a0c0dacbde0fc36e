"""Scenario files as a person uses them: simulators with planned faults and a network between, and the bot on top."""

import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, ask_sim, wait_until

from deltawire.journal.records import OrderIntended
from deltawire.sim.settings_file import load_settings

pytestmark = pytest.mark.e2e

SCENARIOS = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_bot_ends_a_scenario_flat_and_in_agreement(path: Path, tmp_path: Path):
    planned = load_settings(path).faults
    with Rig(tmp_path, path.read_text().replace("seed: ", "# seed: ")) as rig:
        rig.start_bot()
        _one_trade(rig)
        _one_trade(rig)
        wanted = {(line.fault.venue, line.fault.kind) for line in planned}
        wait_until(lambda: _struck(rig) == wanted, f"every fault strikes\n{rig.bot_log()}")
        wait_until(lambda: rig.pair_state() == "watching", f"still flat\n{rig.bot_log()}")
        assert rig.end_bot(signal.SIGTERM) == 0
        assert max(Counter(intent.client_id for intent in rig.of(OrderIntended)).values()) == 1
        rig.assert_all_is_well()


def _one_trade(rig: Rig) -> None:
    """Let the pair enter, or try to, and come back to flat."""
    before = rig.status()["trades"]
    rig.spread(40)
    wait_until(lambda: rig.pair_state() == "holding" or rig.status()["trades"] > before, f"entered\n{rig.bot_log()}")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"flat\n{rig.bot_log()}")


def _struck(rig: Rig) -> set[tuple[str, str]]:
    taken = ask_sim(rig.ready, "/state")["faults"]["taken"]
    return {(venue, kind) for venue, kinds in taken.items() for kind in kinds}
