"""`deltawire init`: a config.yaml and a .env to start from. Never touches a file that is there."""

import os
from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.cli.template import Values, config_text, env_text


def init(folder: Path) -> None:
    """Write both files into the folder, or say which are in the way and write nothing."""
    config, env = folder / "config.yaml", folder / ".env"
    there = [str(path) for path in (config, env) if path.exists() or path.is_symlink()]
    if there:
        exits.leave(f"{' and '.join(there)} is there already; move it away or choose another --dir", exits.MISUSED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_new(config, config_text(Values()), mode=0o644)
        write_new(env, env_text("", "", "", ""), mode=0o600)
    except OSError as e:
        exits.leave(f"cannot write into {folder}: {e}", exits.MISUSED)
    typer.echo(f"wrote {config} and {env}\nnext: put accounts and keys into {env}, then read {config} from top to end")


def write_new(path: Path, text: str, *, mode: int) -> None:
    """Write a file that was not there, never readable by more people than mode says. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
