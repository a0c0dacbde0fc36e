"""`deltawire init`: a config.yaml and a .env to start from. Never touches a file that is there."""

import os
from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.cli.sim_files import env_of, read_ready, simulated
from deltawire.cli.template import PRESETS, config_text, env_text


def init(folder: Path, preset: str, ready_file: Path | None) -> None:
    """Write both files into the folder, or say which are in the way and write nothing.

    ready_file: of `deltawire sim`; the files then name those simulators and an account there.
    """
    values, env_words = PRESETS[preset], env_text("", "", "", "")
    if ready_file is not None:
        if preset == "testnet":
            exits.leave("simulated venues are for paper or live; leave --for testnet out", exits.MISUSED)
        ready = read_ready(ready_file)
        if ready is None:
            exits.leave(f"{ready_file} is not a ready file of `deltawire sim`, or not written yet", exits.MISUSED)
        values, env_words = simulated(values, ready), env_of(ready)
    config, env = folder / "config.yaml", folder / ".env"
    there = [str(path) for path in (config, env) if path.exists() or path.is_symlink()]
    if there:
        are = "is there already; move it" if len(there) == 1 else "are there already; move them"
        exits.leave(f"{' and '.join(there)} {are} away or choose another --dir", exits.MISUSED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_new(config, config_text(values), mode=0o644)
        write_new(env, env_words, mode=0o600)
    except OSError as e:
        exits.leave(f"cannot write into {folder}: {e}", exits.MISUSED)
    typer.echo(f"wrote {config} and {env}")
    keys = "" if values.mode == "paper" or ready_file is not None else f"put accounts and keys into {env}, "
    typer.echo(f"next: {keys}read {config} from top to end, then: deltawire check --config {config}")


def write_new(path: Path, text: str, *, mode: int) -> None:
    """Write a file that was not there, never readable by more people than mode says. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
