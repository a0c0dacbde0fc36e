"""`deltawire faults`: a summary for people, one object for scripts, and one seed in full."""

import orjson
from typer.testing import CliRunner

from deltawire.cli.main import app
from deltawire.faultrun.sweep import all_rows


def test_json_has_its_four_keys_and_names_every_row():
    result = CliRunner().invoke(app, ["faults", "--seeds", "1000..1001", "--jobs", "1", "--json"])
    assert result.exit_code == 0, result.output
    summary = orjson.loads(result.stdout)
    assert summary.keys() == {"seeds", "violations", "failing", "coverage"}
    assert (summary["seeds"], summary["violations"], summary["failing"]) == (2, 0, [])
    assert summary["coverage"].keys() == set(all_rows())


def test_one_seed_is_told_in_full():
    result = CliRunner().invoke(app, ["faults", "--seed-log", "1000"])
    assert result.exit_code == 0, result.output
    assert "bot.started run=1" in result.stdout
    assert "seed 1000: 0 violations" in result.stdout


def test_a_range_that_is_none_is_refused():
    assert CliRunner().invoke(app, ["faults", "--seeds", "9..1"]).exit_code == 2
