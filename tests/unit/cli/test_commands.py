"""The command line as a whole: fast help, honest exit codes, and each command's refusals."""

import json
import subprocess
import sys

import pytest
from tests.unit.journal import facts
from typer.testing import CliRunner

from deltawire import __version__
from deltawire.cli.main import app
from deltawire.journal.log import JournalLog
from deltawire.journal.records import PositionRow, PositionsChecked, RunEnded, RunStarted

runner = CliRunner()
HEAVY = ("pydantic", "aiohttp", "uvloop", "picows", "cryptography", "deltawire.engine", "deltawire.sim")


def journal(tmp_path, *, clean: bool) -> str:
    with JournalLog(tmp_path / "journal") as log:
        log.append(RunStarted(run_id="r1", unix_ns=1, mono_ns=1, version="0", mode="live", simulated=True, pairs=[]))
        if clean:
            row = PositionRow(venue="vest", symbol="BTC-PERP", journal_e8=0, venue_e8=0, agree=True)
            log.append(PositionsChecked(when="shutdown", rows=[row], unix_ns=2))
        log.append(RunEnded(run_id="r1", clean=clean, flat=clean, agree=clean, reason="stop", unix_ns=2))
    return str(tmp_path / "journal")


def test_help_loads_nothing_heavy():
    program = "import sys; import deltawire.cli.main; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith(HEAVY)] == []


def test_an_unknown_command_exits_2():
    assert runner.invoke(app, ["dance"]).exit_code == 2


@pytest.mark.parametrize("command", ["report", "verify"])
@pytest.mark.parametrize("place", ["none", "file", "folder of something else"])
def test_a_journal_that_is_not_there_is_refused(tmp_path, command, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder of something else").mkdir()
    result = runner.invoke(app, [command, "--journal", str(tmp_path / place)])
    assert result.exit_code == 2
    assert "there is no journal" in result.stderr


def test_init_names_every_file_in_its_way(tmp_path):
    assert runner.invoke(app, ["init", "--dir", str(tmp_path)]).exit_code == 0
    assert ".env are there already; move them away" in runner.invoke(app, ["init", "--dir", str(tmp_path)]).stderr
    (tmp_path / ".env").unlink()
    assert "config.yaml is there already; move it away" in runner.invoke(app, ["init", "--dir", str(tmp_path)]).stderr


def test_the_version_is_one_line():
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"deltawire {__version__}\n")


def test_an_archive_is_told_in_words_and_in_json(tmp_path):
    journal = tmp_path / "journal"
    with JournalLog(journal) as log:
        log.append_all([facts.run_started(), *facts.round_trip(), facts.positions_checked(), facts.run_ended()])
    arguments = ["journal", "archive", "--journal", str(journal), "--to", str(tmp_path / "to")]
    told = runner.invoke(app, arguments)
    assert (told.exit_code, "nothing was archived: no whole run ended more than 30 days ago" in told.stdout) == (
        0,
        True,
    )
    told = runner.invoke(app, [*arguments, "--json"])
    assert json.loads(told.stdout)["archive"] is None
    with JournalLog(journal):
        refused = runner.invoke(app, arguments)
    assert (refused.exit_code, "stop that bot first" in refused.stderr) == (1, True)


@pytest.mark.parametrize("command", ["report", "verify"])
def test_a_damaged_journal_is_told_without_a_traceback(tmp_path, command):
    folder = journal(tmp_path, clean=True)
    (segment,) = (tmp_path / "journal").glob("*.wal")
    segment.write_bytes(b"nonsense\n" + segment.read_bytes())
    result = runner.invoke(app, [command, "--journal", folder])
    assert result.exit_code == 1
    assert segment.name in result.stderr
    assert "Traceback" not in result.output


def test_verify_exits_0_for_a_clean_end_and_1_for_one_that_was_not(tmp_path):
    good = runner.invoke(app, ["verify", "--json", "--journal", journal(tmp_path / "good", clean=True)])
    assert json.loads(good.stdout)["violations"] == []
    assert good.exit_code == 0
    bad = runner.invoke(app, ["verify", "--json", "--journal", journal(tmp_path / "bad", clean=False)])
    assert json.loads(bad.stdout)["flat"] is False
    assert bad.exit_code == 1


def test_report_json_has_the_keys_of_the_contract(tmp_path):
    result = runner.invoke(app, ["report", "--json", "--journal", journal(tmp_path, clean=True)])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    for key in ("round_trips", "flat", "agree", "pnl_usd", "fees_usd", "unhedged_ms_max", "in_doubt", "latency"):
        assert key in report
    assert report["detected_bps"] == {"n": 0, "p50": None, "mean": None}


def test_an_unknown_benchmark_is_refused_with_the_known_ones():
    result = runner.invoke(app, ["bench", "nothing"])
    assert result.exit_code == 2
    assert "sign" in result.stderr


def test_wrong_settings_of_the_simulators_exit_2(tmp_path):
    (tmp_path / "sim.yaml").write_text("sed: 1\n")
    result = runner.invoke(
        app, ["sim", "--config", str(tmp_path / "sim.yaml"), "--ready-file", str(tmp_path / "ready.json")]
    )
    assert result.exit_code == 2
    assert "sim.yaml:1: sed: is not a known key" in result.stderr
    assert not (tmp_path / "ready.json").exists()


@pytest.mark.parametrize("option", [["--trades", "0"], ["--seconds", "1"], ["--rtt-ms", "-1"]])
def test_the_demo_refuses_senseless_options(option):
    assert runner.invoke(app, ["demo", *option]).exit_code == 2


@pytest.mark.parametrize("command", ["report", "verify"])
def test_a_journal_is_read_though_the_venues_certificate_is_gone(tmp_path, command):
    journal(tmp_path, clean=True)
    assert runner.invoke(app, ["init", "--for", "live", "--dir", str(tmp_path)]).exit_code == 0
    config = tmp_path / "config.yaml"
    text = config.read_text()
    assert "    rest_url:" in text
    config.write_text(text.replace("    rest_url:", "    ca_file: gone.pem\n    rest_url:", 1))
    result = runner.invoke(app, [command, "--config", str(config)])
    assert (result.exit_code, "gone.pem" in result.output) == (0, False), result.output
    live = runner.invoke(app, ["verify", "--live", "--config", str(config)])
    assert live.exit_code == 2
    assert "gone.pem" in live.output


def test_a_missing_file_of_the_simulators_is_not_blamed_on_init(tmp_path):
    missing, ready = str(tmp_path / "none.yaml"), str(tmp_path / "ready.json")
    result = runner.invoke(app, ["sim", "--config", missing, "--ready-file", ready])
    assert result.exit_code == 2
    assert "docs/venues/sim.md" in result.output
    assert "init" not in result.output
