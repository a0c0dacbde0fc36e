"""Keys and addresses of the accounts: what must be there, in which form. Never from YAML; see `places` for where from.

Messages name the variable and the form it should have, never its value.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltawire.config.errors import ConfigError, Problem
from deltawire.config.places import AskKeyring, ask_keyring, find
from deltawire.core.secret import Secret

PARADEX_ACCOUNT = "DELTAWIRE_PARADEX_ACCOUNT"
PARADEX_PRIVATE_KEY = "DELTAWIRE_PARADEX_PRIVATE_KEY"
VEST_PRIMARY_ADDRESS = "DELTAWIRE_VEST_PRIMARY_ADDRESS"
VEST_PRIMARY_PRIVATE_KEY = "DELTAWIRE_VEST_PRIMARY_PRIVATE_KEY"
ALERT_URLS = "DELTAWIRE_ALERT_URLS"  # of the alert process alone; a bot's keys are not asked for with it

_FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    PARADEX_ACCOUNT: (re.compile(r"0x[0-9a-fA-F]{1,64}"), "0x and up to 64 hex digits"),
    PARADEX_PRIVATE_KEY: (re.compile(r"0x[0-9a-fA-F]{1,64}"), "0x and up to 64 hex digits"),
    VEST_PRIMARY_ADDRESS: (re.compile(r"0x[0-9a-fA-F]{40}"), "0x and 40 hex digits"),
    VEST_PRIMARY_PRIVATE_KEY: (re.compile(r"0x[0-9a-fA-F]{64}"), "0x and 64 hex digits"),
}
_KNOWN = (*_FORMS, ALERT_URLS)
_MISSING = "set it here, in the environment, as a systemd credential or in the keyring (docs/secrets.md)"


@dataclass(frozen=True, slots=True)
class BotSecrets:
    """One account a venue. Addresses are public on chain, keys are not."""

    paradex_account: str
    paradex_private_key: Secret
    vest_primary_address: str
    vest_primary_private_key: Secret
    places: Mapping[str, str] = field(default_factory=dict, compare=False)  # variable -> where it was found


NO_SECRETS = BotSecrets("", Secret(""), "", Secret(""))  # what paper trading needs


def load_secrets(env_file: Path, environ: Mapping[str, str] = os.environ, ask: AskKeyring = ask_keyring) -> BotSecrets:
    """Read the four variables. Raises ConfigError naming each that is missing or malformed, and an open `.env`."""
    found = find(_FORMS, env_file, environ, _KNOWN, ask)
    problems: list[Problem] = []
    for name, (form, words) in _FORMS.items():
        if name not in found:
            problems.append(Problem(env_file, None, name, "is missing", _MISSING))
        elif not form.fullmatch(found[name].text):
            wrong, right = f"is not {words}", "copy it again, without quotes or spaces"
            problems.append(Problem(found[name].place, None, name, wrong, right))
    if problems:
        raise ConfigError(problems)
    return BotSecrets(
        paradex_account=found[PARADEX_ACCOUNT].text,
        paradex_private_key=Secret(found[PARADEX_PRIVATE_KEY].text),
        vest_primary_address=found[VEST_PRIMARY_ADDRESS].text,
        vest_primary_private_key=Secret(found[VEST_PRIMARY_PRIVATE_KEY].text),
        places={name: str(one.place) for name, one in found.items()},
    )


def load_alert_urls(
    env_file: Path, environ: Mapping[str, str] = os.environ, ask: AskKeyring = ask_keyring
) -> list[Secret]:
    """Read where alerts go: URLs parted by spaces or line breaks. Raises ConfigError when there is none."""
    found = find((ALERT_URLS,), env_file, environ, _KNOWN, ask).get(ALERT_URLS)
    if found is None or not found.text.split():
        right = "write one or more URLs here or in the environment; docs/alerts.md shows them"
        raise ConfigError([Problem(env_file, None, ALERT_URLS, "is missing", right)])
    return [Secret(url) for url in found.text.split()]
