"""`deltawire init`: a start that can be used, and nothing overwritten."""

import stat
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from deltawire.cli.main import app
from deltawire.cli.sim_files import Account, ParadexAccount, Ready, Urls, VestAccount
from deltawire.config import ConfigError, load_config, load_secrets
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT

runner = CliRunner()
READY = Ready(
    Urls("https://127.0.0.1:1/v1", "wss://127.0.0.1:2/v1"),
    Urls("https://127.0.0.1:3/v2", "wss://127.0.0.1:4/ws-api"),
    "../ca.pem",
    [Account(ParadexAccount("0x1", "0x2"), VestAccount("0x" + "2" * 40, "0x" + "1" * 64))],
    "http://127.0.0.1:5",
)


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


@pytest.mark.parametrize("preset", ["paper", "testnet", "live"])
def test_each_preset_is_a_config_of_its_mode(tmp_path, preset):
    assert runner.invoke(app, ["init", "--dir", str(tmp_path), "--for", preset]).exit_code == 0
    config = load_config(tmp_path / "config.yaml")
    assert config.mode.value == preset
    assert ("testnet" in config.venues.paradex.rest_url) == (preset == "testnet")
    assert ("-dev." in config.venues.vest.rest_url) == (preset == "testnet")
    assert (config.venues.vest.verifying_contract == PRODUCTION_CONTRACT) == (preset != "testnet")
    assert config.journal.dir.name == {"live": "journal"}.get(preset, f"journal-{preset}")


def test_without_a_word_it_is_paper_which_costs_nothing(tmp_path):
    assert runner.invoke(app, ["init", "--dir", str(tmp_path)]).exit_code == 0
    assert load_config(tmp_path / "config.yaml").is_paper


def test_it_can_point_at_simulators_that_run(tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_bytes(msgspec.json.encode(READY))
    (tmp_path / "ca.pem").write_text("a certificate")
    folder = tmp_path / "bot"
    result = runner.invoke(app, ["init", "--dir", str(folder), "--for", "live", "--simulated", str(ready)])
    assert result.exit_code == 0, result.output
    config = load_config(folder / "config.yaml")
    assert config.is_simulated
    assert not config.is_money
    assert load_secrets(folder / ".env", {}).paradex_account == "0x1"


@pytest.mark.parametrize("words", [["--for", "testnet"], []])
def test_it_refuses_simulators_it_cannot_use(tmp_path, words):
    (tmp_path / "ready.json").write_text("{")
    words = ["init", "--dir", str(tmp_path / "bot"), "--simulated", str(tmp_path / "ready.json"), *words]
    assert runner.invoke(app, words).exit_code == 2
    assert not (tmp_path / "bot").exists()


def on_this_machine(config: Path) -> None:
    """Point at a port of this machine where nobody listens: not simulators, and nothing leaves."""
    text = config.read_text()
    for line in text.splitlines():
        if line.strip().startswith(("rest_url:", "ws_url:")):
            scheme = line.split(": ")[1].partition("://")[0]
            text = text.replace(line, f"    {line.split(':')[0].strip()}: {scheme}://127.0.0.9:1/v1")
    config.write_text("".join(line for line in text.splitlines(keepends=True) if "deltawire.log" not in line))


KEYS = {
    "DELTAWIRE_PARADEX_ACCOUNT": "0xabc",
    "DELTAWIRE_PARADEX_PRIVATE_KEY": "0x1",
    "DELTAWIRE_VEST_PRIMARY_ADDRESS": "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf",
    "DELTAWIRE_VEST_PRIMARY_PRIVATE_KEY": "0x" + "0" * 63 + "1",
}


def test_real_orders_want_the_word_once_for_the_accounts(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path), "--for", "live"])
    config = tmp_path / "config.yaml"
    on_this_machine(config)
    env = {**KEYS, "XDG_STATE_HOME": str(tmp_path / "state")}
    run = ["run", "--config", str(config)]
    result = runner.invoke(app, run, env=env)
    assert result.exit_code == 2
    assert "deltawire run --live --config" in result.stderr
    assert "0xabc" in result.stderr
    given = runner.invoke(app, [*run, "--live"], env=env)
    assert given.exit_code == 1, "it goes on to the venues, where nobody is"
    assert runner.invoke(app, run, env=env).exit_code == 1, "the word is kept"
    other = runner.invoke(app, run, env={**env, "DELTAWIRE_PARADEX_ACCOUNT": "0xabd"})
    assert other.exit_code == 2, "but not for other accounts"


def test_a_word_that_cannot_be_kept_is_not_taken(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path), "--for", "live"])
    on_this_machine(tmp_path / "config.yaml")
    (tmp_path / "file").write_text("")
    env = {**KEYS, "XDG_STATE_HOME": str(tmp_path / "file")}
    result = runner.invoke(app, ["run", "--live", "--config", str(tmp_path / "config.yaml")], env=env)
    assert result.exit_code == 2
    assert "set XDG_STATE_HOME" in result.stderr


@pytest.mark.parametrize("preset", ["paper", "testnet"])
def test_the_word_for_real_orders_is_refused_where_there_are_none(tmp_path, preset):
    runner.invoke(app, ["init", "--dir", str(tmp_path), "--for", preset])
    result = runner.invoke(app, ["run", "--live", "--config", str(tmp_path / "config.yaml")], env=KEYS)
    assert result.exit_code == 2
    assert f"says mode: {preset}" in result.stderr


def test_a_guardian_of_paper_is_refused(tmp_path):
    runner.invoke(app, ["init", "--dir", str(tmp_path)])
    result = runner.invoke(app, ["guardian", "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2
    assert "no position to guard" in result.stderr


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
