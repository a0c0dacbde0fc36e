"""`deltawire run` and `deltawire guardian`: in the foreground, until told to stop or SIGINT or SIGTERM ends it."""

from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.config import BotConfig, load_config, load_secrets
from deltawire.config.secrets import NO_SECRETS
from deltawire.journal.accounts import LiveConsent, state_folder
from deltawire.journal.segments import JournalError


def run(config_path: Path, env_file: Path | None, *, live: bool) -> None:
    """Check settings and keys, then hand over to the engine. Its exit code is the command's."""
    with exits.wrong_settings_told():
        config = load_config(config_path)
        at = env_file or config_path.absolute().parent / ".env"
        secrets = NO_SECRETS if config.is_paper else load_secrets(at)
    if live and not config.is_money:
        exits.leave(f"--live: {config_path} says mode: {config.mode.value}{_on(config)}, so no money", exits.MISUSED)
    if config.is_money:
        consent = LiveConsent(secrets.paradex_account, secrets.vest_primary_address, state_folder())
        if live:
            _keep(consent)
        elif not consent.given:
            exits.leave(
                f"{config_path} says mode: live, which sends real orders for account {secrets.paradex_account} of "
                f"paradex and {secrets.vest_primary_address} of vest. Say so once for these accounts: deltawire run "
                f"--live --config {config_path}. To try without money, write mode: paper",
                exits.MISUSED,
            )
    from deltawire.engine.assembly import run_bot  # noqa: PLC0415 - a wrong setting is told before the engine loads

    with exits.wrong_settings_told():
        raise typer.Exit(run_bot(config, secrets))


def _keep(consent: LiveConsent) -> None:
    try:
        consent.give()
    except JournalError as e:
        exits.leave(str(e), exits.MISUSED)


def _on(config: BotConfig) -> str:
    return " on simulated venues" if config.is_simulated else ""


def guard(config_path: Path, env_file: Path | None) -> None:
    """Check settings and keys, then watch over the bot of this config."""
    with exits.wrong_settings_told():
        config = load_config(config_path)
        if config.is_paper:
            exits.leave(f"{config_path} says mode: paper: there is no position to guard", exits.MISUSED)
        secrets = load_secrets(env_file or config_path.absolute().parent / ".env")
    from deltawire.engine.assembly import run_guardian  # noqa: PLC0415 - a wrong setting is told before the engine loads

    with exits.wrong_settings_told():
        raise typer.Exit(run_guardian(config, secrets))
