"""Keys come from the environment or a private .env, and never show."""

from pathlib import Path

import pytest

from deltawire.config import BotSecrets, ConfigError, load_secrets

KEY = "0x" + "5e" * 32
VALUES = {
    "DELTAWIRE_PARADEX_ACCOUNT": "0x1234",
    "DELTAWIRE_PARADEX_PRIVATE_KEY": "0xabc",
    "DELTAWIRE_VEST_PRIMARY_ADDRESS": "0x" + "a1" * 20,
    "DELTAWIRE_VEST_PRIMARY_PRIVATE_KEY": KEY,
}


def env_file(tmp_path: Path, values: dict[str, str], mode: int = 0o600) -> Path:
    path = tmp_path / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    path.chmod(mode)
    return path


def refused(path: Path, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as error:
        load_secrets(path, environ)
    return str(error.value)


def test_a_private_env_file_is_read(tmp_path):
    secrets = load_secrets(env_file(tmp_path, VALUES), {})
    assert secrets.paradex_account == "0x1234"
    assert secrets.paradex_private_key.reveal() == "0xabc"
    assert secrets.vest_primary_private_key.reveal() == KEY


def test_the_environment_wins_over_the_file(tmp_path):
    secrets = load_secrets(env_file(tmp_path, VALUES), {"DELTAWIRE_PARADEX_ACCOUNT": "0x99"})
    assert secrets.paradex_account == "0x99"


def test_no_file_is_needed_when_the_environment_has_all(tmp_path):
    assert isinstance(load_secrets(tmp_path / ".env", VALUES), BotSecrets)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_file_others_may_touch_is_refused_with_the_command_that_mends_it(tmp_path, mode):
    path = env_file(tmp_path, VALUES, mode)
    assert f"chmod 600 {path}" in refused(path, {})


@pytest.mark.parametrize(("mode", "is_taken"), [(0o440, True), (0o400, True), (0o444, False)])
def test_a_credential_of_systemd_may_show_group_bits_and_no_others(tmp_path, mode: int, *, is_taken: bool):
    path, environ = env_file(tmp_path, VALUES, mode), {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    if is_taken:
        assert load_secrets(path, environ).paradex_account == VALUES["DELTAWIRE_PARADEX_ACCOUNT"]
    else:
        assert "others may read it" in refused(path, environ)


def test_each_missing_variable_is_named(tmp_path):
    text = refused(env_file(tmp_path, {}), {})
    assert all(name in text for name in VALUES)


@pytest.mark.parametrize("name", list(VALUES))
def test_a_malformed_value_is_named_by_its_variable_and_never_shown(tmp_path, name):
    text = refused(env_file(tmp_path, VALUES | {name: "0xnothexadecimal"}), {})
    assert name in text
    assert "hex digits" in text
    assert "0xnothexadecimal" not in text


def test_a_misspelt_variable_is_recognised(tmp_path):
    values = dict(VALUES)
    values["DELTAWIRE_PARADEX_PRIVATEKEY"] = values.pop("DELTAWIRE_PARADEX_PRIVATE_KEY")
    assert "did you mean DELTAWIRE_PARADEX_PRIVATE_KEY?" in refused(env_file(tmp_path, values), {})


def test_keys_do_not_show_in_the_repr(tmp_path):
    shown = repr(load_secrets(env_file(tmp_path, VALUES), {}))
    assert "0xabc" not in shown
    assert KEY not in shown
