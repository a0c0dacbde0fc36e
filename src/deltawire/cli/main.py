"""The command line: names and options of every command, and nothing else. Each imports its work when it is called."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def deltawire() -> None:
    """Delta-neutral arbitrage bot for perpetual DEXes, with exact local venues to prove it on."""


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    typer.echo(installed("deltawire"))
