"""Keys come from the environment or a private .env, and never show."""

from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked

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


def credentials(tmp_path: Path, values: dict[str, str], mode: int = 0o400) -> dict[str, str]:
    """Lay out what systemd hands a service, and return its environment."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, value in values.items():
        (folder / name).write_text(value + "\n")
        (folder / name).chmod(mode)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_systemd_credentials_are_read(tmp_path):
    secrets = load_secrets(tmp_path / ".env", credentials(tmp_path, VALUES))
    assert secrets.vest_primary_private_key.reveal() == KEY


def test_a_credential_others_may_read_is_refused(tmp_path):
    assert "others may read it" in refused(tmp_path / ".env", credentials(tmp_path, VALUES, 0o444))


def test_environment_then_credentials_then_file_then_keyring(tmp_path):
    names = list(VALUES)
    path = env_file(tmp_path, {name: VALUES[name] for name in names[:3]} | {"DELTAWIRE_KEYRING": "mine"})
    environ = credentials(tmp_path, {name: VALUES[name] for name in names[:2]}) | {names[0]: VALUES[names[0]]}
    asked = []

    def ask(service: str, name: str) -> str | None:
        asked.append((service, name))
        return VALUES[name]

    secrets = load_secrets(path, environ, ask)
    folder = environ["CREDENTIALS_DIRECTORY"]
    assert dict(secrets.places) == {
        names[0]: "environment",
        names[1]: f"{folder}/{names[1]}",
        names[2]: str(path),
        names[3]: "keyring mine",
    }
    assert asked == [("mine", names[3])], "the keyring is asked for what nobody else has"


def test_the_keyring_is_not_asked_unless_its_owner_says_so(tmp_path):
    def ask(service: str, name: str) -> str | None:
        raise AssertionError(f"asked for {name}")

    with pytest.raises(ConfigError, match="is missing"):
        load_secrets(tmp_path / ".env", {}, ask)


class Drawer(KeyringBackend):
    """A keyring in memory, as a backend of the library."""

    priority = 1

    def __init__(self, entries: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        super().__init__()
        self.entries, self.locked = entries, locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def use():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_systems_keyring_is_read_through_its_library(tmp_path, use):
    use(Drawer({("deltawire", name): value for name, value in VALUES.items()}))
    secrets = load_secrets(tmp_path / ".env", {"DELTAWIRE_KEYRING": "deltawire"})
    assert secrets.vest_primary_private_key.reveal() == KEY


def test_a_locked_keyring_is_told_once_and_nothing_of_it_is_shown(tmp_path, use):
    use(Drawer({}, locked=True))
    text = refused(tmp_path / ".env", {"DELTAWIRE_KEYRING": "deltawire"})
    assert text.count("the keyring cannot be asked (KeyringLocked: locked)") == 1
    assert "unlock" in text


def test_without_a_keyring_on_the_machine_the_reason_is_told(tmp_path, use):
    use(fail.Keyring())
    assert "the keyring cannot be asked (NoKeyringError" in refused(tmp_path / ".env", {"DELTAWIRE_KEYRING": "x"})


def test_a_malformed_value_is_told_with_the_place_it_came_from(tmp_path):
    environ = credentials(tmp_path, VALUES | {"DELTAWIRE_PARADEX_ACCOUNT": "12"})
    assert f"{environ['CREDENTIALS_DIRECTORY']}/DELTAWIRE_PARADEX_ACCOUNT: " in refused(tmp_path / ".env", environ)
