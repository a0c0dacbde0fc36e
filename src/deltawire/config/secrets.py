"""Keys and addresses of the accounts: from the environment, or from a `.env` only its owner can read. Never from YAML.

The environment wins over the file. Messages name the variable and the form it should have, never its value.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from deltawire.config.errors import ConfigError, Problem, closest
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


@dataclass(frozen=True, slots=True)
class BotSecrets:
    """One account a venue. Addresses are public on chain, keys are not."""

    paradex_account: str
    paradex_private_key: Secret
    vest_primary_address: str
    vest_primary_private_key: Secret


NO_SECRETS = BotSecrets("", Secret(""), "", Secret(""))  # what paper trading needs


def load_secrets(env_file: Path, environ: Mapping[str, str] = os.environ) -> BotSecrets:
    """Read the four variables. Raises ConfigError naming each that is missing or malformed, and an open `.env`."""
    problems: list[Problem] = []
    texts = {**_read_env_file(env_file, problems, environ), **{k: v for k, v in environ.items() if k in _FORMS}}
    for name, (form, words) in _FORMS.items():
        text = texts.get(name, "")
        if not text:
            problems.append(Problem(env_file, None, name, "is missing", "set it here or in the environment"))
        elif not form.fullmatch(text):
            problems.append(Problem(env_file, None, name, f"is not {words}", "copy it again, without quotes or spaces"))
    if problems:
        raise ConfigError(problems)
    return BotSecrets(
        paradex_account=texts[PARADEX_ACCOUNT],
        paradex_private_key=Secret(texts[PARADEX_PRIVATE_KEY]),
        vest_primary_address=texts[VEST_PRIMARY_ADDRESS],
        vest_primary_private_key=Secret(texts[VEST_PRIMARY_PRIVATE_KEY]),
    )


def load_alert_urls(env_file: Path, environ: Mapping[str, str] = os.environ) -> list[Secret]:
    """Read where alerts go: URLs parted by spaces or line breaks. Raises ConfigError when there is none."""
    problems: list[Problem] = []
    text = environ.get(ALERT_URLS) or _read_env_file(env_file, problems, environ).get(ALERT_URLS, "")
    if not problems and not text.split():
        right = "write one or more URLs here or in the environment; docs/alerts.md shows them"
        problems = [Problem(env_file, None, ALERT_URLS, "is missing", right)]
    if problems:
        raise ConfigError(problems)
    return [Secret(url) for url in text.split()]


def _read_env_file(path: Path, problems: list[Problem], environ: Mapping[str, str]) -> dict[str, str]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as e:
        problems.append(Problem(path, None, "", f"cannot be read ({e.strerror})", "make it readable for you"))
        return {}
    # systemd gives a service alone the right to read its credentials, by an ACL that shows as the group's bits.
    groups = 0 if path.parent == Path(environ.get("CREDENTIALS_DIRECTORY", "/dev/null")) else stat.S_IRWXG
    if mode & (groups | stat.S_IRWXO):
        wrong = f"others may read it (mode {stat.S_IMODE(mode):04o})"
        problems.append(Problem(path, None, "", wrong, f"run: chmod 600 {path}"))
        return {}
    try:
        texts = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(path, None, "", "cannot be read", "give a readable UTF-8 text file"))
        return {}
    known = (*_FORMS, ALERT_URLS)
    for name in texts:
        if name.startswith("DELTAWIRE_") and name not in known:
            guess = closest(name, known)
            right = f"did you mean {guess}?" if guess else "known: " + ", ".join(known)
            problems.append(Problem(path, None, name, "is not a known variable", right))
    return {name: text or "" for name, text in texts.items() if name in known}
