"""`deltawire sim`: both simulated venues in the foreground, until SIGINT or SIGTERM."""

from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.sim.runner import sim_main


def sim(config: Path | None, ready_file: Path, *, seed: int | None, rtt_ms: float | None) -> None:
    """Run them with these settings; what the options say wins over the file."""
    with exits.wrong_settings_told():
        raise typer.Exit(sim_main(config, ready_file, seed=seed, rtt_ms=rtt_ms))
