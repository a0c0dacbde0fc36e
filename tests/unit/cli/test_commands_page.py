"""docs/commands.md is written from the command line; what it promises of JSON and exit codes is what commands give."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deltawire.cli.check import as_document
from deltawire.cli.main import app
from deltawire.doctor.lines import Sheet
from deltawire.journal.log import JournalLog
from deltawire.journal.records import PositionRow, PositionsChecked, RunEnded, RunStarted

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "make_commands_page.py"
MAKE = runpy.run_path(str(SCRIPT))
RENEW = "run: python scripts/make_commands_page.py (a new command wants a note there)"


def test_the_page_is_what_the_command_line_says():
    assert (ROOT / "docs" / "commands.md").read_text() == MAKE["page"](), RENEW


def test_every_command_and_every_option_is_on_the_page():
    page = MAKE["page"]()
    told = CliRunner().invoke(app, ["verify", "--help"], env={"TERM": "dumb"}).output
    for option in ("--config", "--journal", "--live", "--json"):
        assert option in told
    section = page.partition("## `deltawire verify`")[2].partition("\n## ")[0]
    assert all(f"`{option}`" in section for option in ("--config", "--journal", "--live", "--json"))


@pytest.fixture
def journal(tmp_path: Path) -> str:
    log = JournalLog(tmp_path / "journal")
    log.append(RunStarted(run_id="r1", unix_ns=1, mono_ns=1, version="0", mode="live", simulated=True, pairs=[]))
    row = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=0, venue_e8=0, agree=True)
    log.append(PositionsChecked(when="shutdown", rows=[row], unix_ns=2))
    log.append(RunEnded(run_id="r1", clean=True, flat=True, agree=True, reason="stop", unix_ns=2))
    log.close()
    return str(tmp_path / "journal")


def promised(command: str) -> set[str]:
    return set(MAKE["NOTES"][command].keys.split())


@pytest.mark.parametrize("command", ["report", "verify"])
def test_keys_of_commands_that_read_a_journal_are_those_promised(journal: str, command: str):
    result = CliRunner().invoke(app, [command, "--json", "--journal", journal])
    assert result.exit_code == 0
    assert promised(command) <= json.loads(result.stdout).keys()
    assert result.stdout.count("\n") == 1, "one line and nothing else"


def test_keys_of_check_are_those_promised():
    assert promised("check") == set(as_document(Sheet(), None))


def test_check_of_settings_that_cannot_be_read_still_speaks_json(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("mod: live\n")
    result = CliRunner().invoke(app, ["check", "--json", "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["passed"] is False
    assert all(line["level"] == "fail" and line["remedy"] for line in told["lines"])


def test_the_shell_completes_commands_and_options():
    environ = os.environ | {"_DELTAWIRE_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "deltawire fla"}
    run = [sys.executable, "-c", "from deltawire.cli.main import app; app(prog_name='deltawire')"]
    assert subprocess.run(run, env=environ, capture_output=True, text=True, check=False).stdout.split() == ["flatten"]
    environ |= {"COMP_CWORD": "2", "COMP_WORDS": "deltawire check --js"}
    assert subprocess.run(run, env=environ, capture_output=True, text=True, check=False).stdout.split() == ["--json"]
