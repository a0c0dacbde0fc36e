"""`deltawire check`: every line ok, warn, fail or skip, with its remedy. Sends no order and changes nothing.

It signs in as the bot would, but only while no bot runs on this journal. Lines appear as they are known.
"""

from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.text import Text

from deltawire.cli import exits
from deltawire.config import BotConfig, BotSecrets, ConfigError, load_config, load_secrets
from deltawire.config.secrets import load_alert_urls
from deltawire.doctor.examine import examine
from deltawire.doctor.lines import Level, Line, Sheet
from deltawire.engine.clock import SystemClock
from deltawire.net import loop as net_loop
from deltawire.observe.log import BufferedLog

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.SKIP: "dim"}


def check(config_path: Path, env_file: Path | None, *, as_json: bool) -> None:
    """Print the sheet. Exit 0: no line failed; 1: one did; 2: the settings cannot be read."""
    sheet = Sheet()
    view = _Silent() if as_json else _View(sheet)
    with view:
        config = _config(config_path, sheet)
        if config is not None:
            secrets = _secrets(env_file or config_path.absolute().parent / ".env", config, sheet)
            _alerts(env_file or config_path.absolute().parent / ".env", sheet)
            net_loop.run(_examine(config, secrets, sheet))
    if as_json:
        typer.echo(orjson.dumps(as_document(sheet, config)).decode())
    elif config is not None:
        _sum_up(sheet)
    if config is None:
        raise typer.Exit(exits.MISUSED)
    if not sheet.passed:
        raise typer.Exit(exits.FAILED)


def as_document(sheet: Sheet, config: BotConfig | None) -> dict[str, object]:
    """Return the sheet as JSON."""
    return {
        "passed": sheet.passed,
        "mode": None if config is None else config.mode.value,
        "counts": {level.value: sheet.count(level) for level in Level},
        "lines": [
            {
                "section": line.section,
                "name": line.name,
                "level": line.level.value,
                "found": line.found,
                "remedy": line.remedy,
            }
            for line in sheet.lines
        ],
    }


def _config(path: Path, sheet: Sheet) -> BotConfig | None:
    try:
        return load_config(path)
    except ConfigError as e:
        _tell_problems("config", e, sheet)
        return None


def _secrets(env_file: Path, config: BotConfig, sheet: Sheet) -> BotSecrets | None:
    if config.is_paper:
        sheet.skip("settings", "keys", "mode paper needs none")
        return None
    try:
        secrets = load_secrets(env_file)
    except ConfigError as e:
        _tell_problems("keys", e, sheet)
        return None
    places = ", ".join(dict.fromkeys(secrets.places.values()))
    sheet.ok("settings", "keys", f"accounts and keys are there, in the right form, not open to others (from {places})")
    return secrets


def _alerts(env_file: Path, sheet: Sheet) -> None:
    """Look whether alerts have a place to go; their process may well have an env file of its own."""
    try:
        count = len(load_alert_urls(env_file))
    except ConfigError:
        sheet.skip("settings", "alerts", "no DELTAWIRE_ALERT_URLS here: see that `deltawire alert run` has them")
    else:
        sheet.ok("settings", "alerts", f"{count} place(s); `deltawire alert test` sends a message to each")


def _tell_problems(name: str, error: ConfigError, sheet: Sheet) -> None:
    for problem in error.problems:
        place = f"{problem.file}:{problem.line}" if problem.line else f"{problem.file}"
        key = f"{problem.key}: " if problem.key else ""
        sheet.fail("settings", name, f"{place}: {key}{problem.wrong}", problem.right)


async def _examine(config: BotConfig, secrets: BotSecrets | None, sheet: Sheet) -> None:
    clock = SystemClock()
    with BufferedLog(clock, []) as log:  # what the adapters log is told by the sheet, in words of its own
        if secrets is not None:
            log.hide(secrets.paradex_private_key)
            log.hide(secrets.vest_primary_private_key)
        log.start()
        await examine(config, secrets, sheet, clock=clock, log=log)


class _Silent:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_exc: object) -> None:
        pass


class _View:
    """Prints each line as it comes; on a terminal a spinner says what is being waited for."""

    def __init__(self, sheet: Sheet) -> None:
        self._console = Console(highlight=False)
        self._section = ""
        # One console for lines and spinner where both are on the terminal: it keeps the two apart.
        on = self._console if self._console.is_terminal else Console(stderr=True)
        self._status = on.status("looking") if on.is_terminal else None
        sheet.on_line, sheet.on_wait = self._line, self._wait

    def __enter__(self) -> None:
        if self._status is not None:
            self._status.start()

    def __exit__(self, *_exc: object) -> None:
        if self._status is not None:
            self._status.stop()

    def _wait(self, what: str) -> None:
        if self._status is not None:
            self._status.update(what)

    def _line(self, line: Line) -> None:
        if line.section != self._section:
            self._section = line.section
            self._console.print(Text(line.section, style="bold"))
        text = Text.assemble(
            ("  ", ""), (f"{line.level.value:<5}", _STYLES[line.level]), f"{line.name:<13} {line.found}"
        )
        self._console.print(text, soft_wrap=True)
        if line.remedy:
            self._console.print(Text(f"{'':21}→ {line.remedy}", style=_STYLES[line.level]), soft_wrap=True)
        self._console.file.flush()  # also where nobody watches: what is known is not lost with a Ctrl-C


def _sum_up(sheet: Sheet) -> None:
    parts = [f"{sheet.count(level)} {level.value}" for level in Level if sheet.count(level)]
    verdict = "ready" if sheet.passed else "not ready"
    typer.echo(f"\n{verdict}: {', '.join(parts)}")
