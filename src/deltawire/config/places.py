"""Where secrets are looked for: environment, systemd credentials, `.env`, system keyring; the first that has one wins.

A file that others can read is refused, not used. The keyring is asked only where its owner said so, for it may open a
window and wait for a person: DELTAWIRE_KEYRING names the service its entries stand under.
Source: systemd.exec(5), "Credentials"; keyring 25.7.
"""

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from deltawire.config.errors import ConfigError, Problem, closest

KEYRING = "DELTAWIRE_KEYRING"
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # set by systemd for LoadCredential= and its like
ENVIRONMENT = Path("environment")

AskKeyring = Callable[[str, str], str | None]  # service, name -> text; raises KeyringUnusable


class KeyringUnusable(Exception):
    """There is no keyring to ask, or it did not answer. Says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    text: str  # a secret mostly, so there is no repr
    place: Path


def ask_keyring(service: str, name: str) -> str | None:
    """Read one entry of the system's keyring. Imported here: nobody else pays for it."""
    import keyring  # noqa: PLC0415
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return keyring.get_password(service, name)
    except (KeyringError, RuntimeError, OSError) as e:  # its backends raise what D-Bus and the like give them
        raise KeyringUnusable(f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else 'no reason given'}") from e


def find(
    names: Iterable[str], env_file: Path, environ: Mapping[str, str], known: Iterable[str], ask: AskKeyring
) -> dict[str, Found]:
    """Return what there is of the names. Raises ConfigError for a place that cannot be trusted or read.

    known: every variable that may stand in `.env`; another one of ours there is a mistake.
    """
    problems: list[Problem] = []
    in_file = read_env_file(env_file, (*known, KEYRING), environ, problems)
    found = {name: Found(text, env_file) for name, text in in_file.items() if text}
    found |= _credentials(names, environ, problems)
    found |= {name: Found(environ[name], ENVIRONMENT) for name in names if environ.get(name)}
    service = environ.get(KEYRING) or in_file.get(KEYRING, "")
    if service:
        for name in names:
            if name not in found:
                text = _from_keyring(service, name, env_file, ask, problems)
                if text:
                    found[name] = Found(text, Path(f"keyring {service}"))
    if problems:
        raise ConfigError(problems)
    return {name: found[name] for name in names if name in found}


def _from_keyring(service: str, name: str, env_file: Path, ask: AskKeyring, problems: list[Problem]) -> str | None:
    try:
        return ask(service, name)
    except KeyringUnusable as e:
        if not any(problem.key == KEYRING for problem in problems):  # once, not for each name
            right = f"unlock or set up the keyring, or take {KEYRING} out"
            problems.append(Problem(env_file, None, KEYRING, f"the keyring cannot be asked ({e})", right))
        return None


def _credentials(names: Iterable[str], environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Found]:
    folder = environ.get(CREDENTIALS, "")
    found: dict[str, Found] = {}
    for name in names if folder else ():
        path = Path(folder) / name
        try:
            mode = path.stat().st_mode
            if mode & (stat.S_IRWXO):
                problems.append(_open_to_others(path, mode))
                continue
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            problems.append(Problem(path, None, name, "cannot be read", "give a readable UTF-8 text"))
            continue
        if text:
            found[name] = Found(text, path)
    return found


def read_env_file(
    path: Path, known: Iterable[str], environ: Mapping[str, str], problems: list[Problem]
) -> dict[str, str]:
    """Return the known variables of the file; what is wrong with it goes to problems."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as e:
        problems.append(Problem(path, None, "", f"cannot be read ({e.strerror})", "make it readable for you"))
        return {}
    # systemd gives a service alone the right to read its credentials, by an ACL that shows as the group's bits.
    groups = 0 if path.parent == Path(environ.get(CREDENTIALS, "/dev/null")) else stat.S_IRWXG
    if mode & (groups | stat.S_IRWXO):
        problems.append(_open_to_others(path, mode))
        return {}
    try:
        texts = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(path, None, "", "cannot be read", "give a readable UTF-8 text file"))
        return {}
    known = tuple(known)
    for name in texts:
        if name.startswith("DELTAWIRE_") and name not in known:
            guess = closest(name, known)
            right = f"did you mean {guess}?" if guess else "known: " + ", ".join(known)
            problems.append(Problem(path, None, name, "is not a known variable", right))
    return {name: text or "" for name, text in texts.items() if name in known}


def _open_to_others(path: Path, mode: int) -> Problem:
    wrong = f"others may read it (mode {stat.S_IMODE(mode):04o})"
    return Problem(path, None, "", wrong, f"run: chmod 600 {path}")
