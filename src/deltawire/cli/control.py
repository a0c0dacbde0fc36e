"""The commands that talk to the running bot (status, pause, arm, kill, ...): one question, its answer in words."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
import typer
from rich.console import Console

from deltawire.cli import exits
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.status_reply import read_status
from deltawire.cli.status_view import picture
from deltawire.config import load_config

SAID = {
    "pause": "paused: no new entries; open trades go on to their end",
    "resume": "resumed: entries are allowed again",
    "arm": "armed: the halt is lifted; entries are allowed again",
    "kill": "killed: every open trade is being closed, and nothing is opened until `deltawire arm`, restarts included",
    "flatten": "flattening: no new entries, every open trade is being closed; see `deltawire status`",
    "stop": "stopping: entries end, what is open is closed and confirmed with the venues, then the bot exits",
}


def tell(command: str, config_path: Path, socket: Path | None, *, as_json: bool) -> None:
    """Ask the bot of this config (or at this socket), and print what it said."""
    with exits.wrong_settings_told():
        path = socket or load_config(config_path, connects=False).control.socket
    try:
        reply = ask(path, command)
    except NotRunning as e:
        _fail(str(e), as_json=as_json)
    except BotRefused as e:
        _fail(f"the bot refused: {e}", as_json=as_json)
    else:
        _show(command, reply, as_json=as_json)


def _show(command: str, reply: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(reply).decode())
    elif command != "status":
        typer.echo(reply.get("message") or SAID[command])
    else:
        console = Console()
        try:
            console.print(picture(read_status(reply), console.width))
        except msgspec.ValidationError as e:
            exits.leave(f"the bot's answer is not one this version knows ({e}); see it with --json", exits.FAILED)


def _fail(message: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"ok": False, "error": message}).decode())
        raise typer.Exit(exits.FAILED)
    exits.leave(message, exits.FAILED)
