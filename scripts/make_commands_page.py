# ruff: noqa: INP001 - a script, not a package
"""Writes docs/commands.md from the command line itself: make_commands_page.py [--check].

Names, options and help texts are the program's own; what it does not know of itself (exit codes, the keys of its JSON)
stands in NOTES here. --check writes nothing and fails when the page is not what would be written.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from deltawire.cli.main import app
from deltawire.doctor.lines import NAMES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"

HEAD = """\
# Commands

<!-- Written by scripts/make_commands_page.py from the command line itself; edit the texts there. -->

`deltawire --help` and `deltawire <command> --help` say the same. Output goes to stdout, errors and progress to stderr.
Colours and live views are for terminals: in a pipe, and with `NO_COLOR` set, all is plain text.

## Exit codes

| code | means |
|---|---|
| 0 | done, and all is as it should be |
| 1 | it ran, and what it found or left behind is not as it should be: read what it says |
| 2 | a setting, an option or a file is wrong; nothing was started |
| 130, 143 | ended by SIGINT (Ctrl-C) or SIGTERM before it was done |

Commands that run until they are told to stop (`run`, `guardian`, `sim`, `metrics`, `dashboard`, `alert run`,
`project --follow`) end with 0 on SIGINT and SIGTERM, once what they had to end cleanly has ended.

## Completion

`deltawire --install-completion` writes completion for the shell it is called from (bash, zsh, fish, PowerShell);
`deltawire --show-completion` prints it, to be put where you like. It works once `deltawire` is on the `PATH`, as by
`source .venv/bin/activate`.

## JSON

With `--json` a command prints one JSON object on one line of stdout and nothing else there; the exit code is the same.
New keys may come; none of those below goes without a word in the changelog. Money and prices that must be exact are
decimal texts.
"""


@dataclass(frozen=True)
class Note:
    exits: str = ""  # what the codes mean here, beyond the table above
    keys: str = ""  # of its JSON object, those at the top, parted by spaces
    keys_note: str = ""
    more: str = ""  # put at the end of its section


BOT_REPLY = Note("1: no bot is running, or it refused.", "ok state", "With code 1: `error` says why.")
REPORT = (
    "run_id status mode simulated duration_s round_trips open_trades flat agree pnl_usd fees_usd funding_usd "
    "detected_bps executed_bps exit_detected_bps exit_executed_bps order_classes causes quote_age unhedged_ms_max "
    "in_doubt latency loop positions trades notes"
)
NOTES: dict[str, Note] = {
    "demo": Note(
        "0 only when it traded, all is flat, and journal and venues agree.",
        f"{REPORT} passed bot_exit_code demo_s differences violations venue_books",
        "As `report`, with the simulated venues' own books beside it.",
    ),
    "init": Note("2: a file is in the way; then nothing is written."),
    "check": Note(
        "1: at least one line failed. 2: the settings cannot be read. Warnings and skips do not count.",
        "passed mode counts lines",
        "Each of `lines` has `section`, `name`, `level` (ok, warn, fail, skip), `found`, `remedy`; names are stable.",
        "| line | stands under | looks at |\n|---|---|---|\n"
        + "".join(f"| `{name}` | {where} | {what} |\n" for name, (where, what) in NAMES.items()),
    ),
    "run": Note("1: it ended and something is left to look at. 2: settings, keys or journal, or `--live` is missing."),
    "guardian": Note("2: it cannot start, or the mode is paper."),
    "status": Note(
        "1: no bot is running.",
        "ok state run_id mode simulated halted uptime_s venues pairs differences differences_n round_trips trades "
        "pnl_usd fees_usd limits",
    ),
    "top": Note("1: no bot is running."),
    "pause": BOT_REPLY,
    "resume": BOT_REPLY,
    "arm": BOT_REPLY,
    "kill": BOT_REPLY,
    "flatten": BOT_REPLY,
    "stop": BOT_REPLY,
    "report": Note(
        "1: the journal cannot be read. 2: there is none.",
        REPORT,
        "`detected_bps` and its like are `{n, p50, mean}`; `latency` maps venue, then phase, to figures in µs.",
    ),
    "alert run": Note(),
    "alert test": Note("1: a place did not take it.", "delivered"),
    "metrics": Note(),
    "dashboard": Note(),
    "project": Note("1: the journal or the database cannot be used."),
    "backup": Note("1: nothing usable was written."),
    "restore": Note("1: the backup is damaged, or the folder is not empty."),
    "journal archive": Note(
        "0 also when nothing was old enough. 1: nothing was archived, and why; the journal is as it was.",
        "archive records_before records_after bytes_before bytes_after",
        "`archive` is null when nothing was old enough.",
    ),
    "verify": Note(
        "0 only when it is signed off: no rule broken, flat, and all agrees.",
        "signed_off run_id status records flat agree asked_live compared_unix_ns venues answers differences violations "
        "notes",
    ),
    "drill": Note(
        "1: a promise was broken, or a phase was met too seldom.",
        "seed kills killed_in_phase phases_short faults round_trips found",
    ),
    "bench": Note(
        "1: with `--check`, something got slower.",
        "name settings results ratios",
        "A list of such objects when more than one benchmark ran.",
    ),
    "faults": Note("1: a seed broke an invariant.", "seeds violations failing coverage"),
    "latency-value": Note("", "name settings results ratios", "As `bench`."),
    "sim": Note(),
}


def page() -> str:
    """Return the whole page. Raises ValueError for a command without a note and a note without a command."""
    root = typer.main.get_command(app)
    found = dict(_walk(root, ""))
    if differing := NOTES.keys() ^ found.keys():
        raise ValueError(f"in the command line or in NOTES of {__file__}, but not in both: {sorted(differing)}")
    return HEAD + "".join(_section(name, command, NOTES[name]) for name, command in found.items())


def _walk(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _walk(command, f"{before}{name} ")
        else:
            yield before + name, command


def _section(name: str, command: Any, note: Note) -> str:
    parts = [f"\n## `deltawire {name}`\n", " ".join(command.help.split()) + "\n"]
    options = [_row(param) for param in command.params if param.name != "help"]
    if options:
        parts += ["| option | default | what it does |\n|---|---|---|\n" + "".join(options)]
    if note.exits:
        parts.append(f"Exit codes: {note.exits}\n")
    has_json = any("--json" in param.opts for param in command.params)
    if has_json != bool(note.keys):
        raise ValueError(f"{name}: --json and the keys noted for it do not go together")
    if has_json:
        keys = ", ".join(f"`{key}`" for key in note.keys.split())
        parts.append(f"JSON: {keys}. {note.keys_note}".rstrip() + "\n")
    if note.more:
        parts.append(note.more)
    return "\n".join(parts)


def _row(param: Any) -> str:
    what = " ".join((param.help or "").split())
    if param.param_type_name == "argument":
        shown = f"`{param.metavar or param.name.upper()}`"
    else:
        shown = f"`{', '.join(param.opts)}`" + (f" {_kind(param)}" if _kind(param) else "")
    return f"| {shown} | {_default(param)} | {what.replace('|', chr(92) + '|')} |\n"


def _kind(param: Any) -> str:
    if param.is_bool_flag or param.is_flag:
        return ""
    annotation = param.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " ".join(member.value for member in annotation).replace(" ", ", ")
    span = [param.min, param.max] if hasattr(param, "min") else [None, None]
    if span[0] is not None and span[1] is not None:
        return f"{span[0]:g} to {span[1]:g}"
    return param.metavar or ("number" if annotation in (int, float) else "")


def _default(param: Any) -> str:
    if param.required:
        return "required"
    default = param.default
    if default in (None, False, "", []) or callable(default):
        return ""
    return f"`{default.value if isinstance(default, Enum) else default}`"


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is not up to date")
    text = page()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE} is not up to date: run scripts/make_commands_page.py\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
