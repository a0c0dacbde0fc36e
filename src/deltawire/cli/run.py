"""`deltawire run` and `deltawire guardian`: in the foreground, until told to stop or SIGINT or SIGTERM ends it."""

from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.config import load_config, load_secrets


def run(config_path: Path) -> None:
    """Check settings and keys, then hand over to the engine. Its exit code is the command's."""
    with exits.wrong_settings_told():
        config = load_config(config_path)
    if not config.is_live:
        exits.leave(
            f"{config_path}: mode: paper trading is not built yet; set mode to live (the bot then sends real orders), "
            "or run `deltawire demo` to trade against simulated venues",
            exits.MISUSED,
        )
    with exits.wrong_settings_told():
        secrets = load_secrets(config_path.absolute().parent / ".env")
    from deltawire.engine.assembly import run_bot  # noqa: PLC0415 - a wrong setting is told before the engine loads

    with exits.wrong_settings_told():
        raise typer.Exit(run_bot(config, secrets))


def guard(config_path: Path, env_file: Path | None) -> None:
    """Check settings and keys, then watch over the bot of this config."""
    with exits.wrong_settings_told():
        config = load_config(config_path)
        secrets = load_secrets(env_file or config_path.absolute().parent / ".env")
    from deltawire.engine.assembly import run_guardian  # noqa: PLC0415 - a wrong setting is told before the engine loads

    with exits.wrong_settings_told():
        raise typer.Exit(run_guardian(config, secrets))
