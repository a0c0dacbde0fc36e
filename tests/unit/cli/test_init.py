"""`deltawire init`: a start that can be used, and nothing overwritten."""

import stat

import pytest
from typer.testing import CliRunner

from deltawire.cli.main import app
from deltawire.config import ConfigError, load_config, load_secrets

runner = CliRunner()


def test_it_writes_a_config_that_loads_and_an_env_only_its_owner_reads(tmp_path):
    result = runner.invoke(app, ["init", "--dir", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert load_config(tmp_path / "new/config.yaml").pairs[0].id == "BTC"
    assert stat.S_IMODE((tmp_path / "new/.env").stat().st_mode) == 0o600


def test_the_empty_env_is_refused_until_it_is_filled(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path)])
    with pytest.raises(ConfigError, match="DELTAWIRE_VEST_PRIMARY_PRIVATE_KEY: is missing"):
        load_secrets(tmp_path / ".env", {})


@pytest.mark.parametrize("name", ["config.yaml", ".env"])
def test_it_never_overwrites_and_then_writes_nothing(tmp_path, name):
    (tmp_path / name).write_text("mine")
    result = runner.invoke(app, ["init", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert name in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_it_does_not_write_through_a_dangling_link(tmp_path):
    (tmp_path / "config.yaml").symlink_to(tmp_path / "elsewhere")
    assert runner.invoke(app, ["init", "--dir", str(tmp_path)]).exit_code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_run_refuses_paper_in_plain_words(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path)])
    result = runner.invoke(app, ["run", "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2
    assert "paper trading is not built yet" in result.stderr
    assert "deltawire demo" in result.stderr


def test_run_tells_a_wrong_setting_on_one_line_and_exits_2(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path)])
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("mode: paper", "mod: live"))
    result = runner.invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 2
    assert 'mod: is not a known key; did you mean "mode"?' in result.stderr
    assert "Traceback" not in result.output + result.stderr


def test_run_in_live_mode_asks_for_the_keys(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path)])
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("mode: paper", "mode: live"))
    result = runner.invoke(app, ["run", "--config", str(config)], env={"DELTAWIRE_PARADEX_ACCOUNT": None})
    assert result.exit_code == 2
    assert "DELTAWIRE_PARADEX_ACCOUNT: is missing" in result.stderr
