"""The journal lost with its disk in mid-trade, and brought back from a backup taken beside the running bot."""

import shutil
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, wait_until
from typer.testing import CliRunner

from deltawire.cli.main import app

pytestmark = pytest.mark.e2e
WIDE_BPS = 40


@pytest.fixture
def rig(tmp_path: Path):
    with Rig(tmp_path) as made:
        yield made


def test_a_bot_on_a_restored_journal_takes_its_open_trade_over_and_closes_it(rig: Rig):
    rig.start_bot()
    rig.spread(WIDE_BPS)
    rig.wait_for("holding")
    journal = rig.folder / "bot" / "journal"
    done = CliRunner().invoke(app, ["backup", "--journal", str(journal), "--to", str(rig.folder / "backups")])
    assert done.exit_code == 0, done.output
    assert rig.bot is not None
    rig.bot.kill()
    rig.bot.wait()
    shutil.rmtree(journal)
    done = CliRunner().invoke(app, ["restore", done.stdout.strip(), "--journal", str(journal)])
    assert done.exit_code == 0, done.output
    rig.start_bot()
    assert rig.status()["state"] == "disarmed"
    rig.wait_for("holding")
    rig.spread(0)
    wait_until(lambda: rig.pair_state() == "watching", f"the pair is flat\n{rig.bot_log()}", within_s=60)
    assert rig.end_bot() == 0
    rig.assert_all_is_well()
