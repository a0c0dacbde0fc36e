"""`deltawire dashboard`: the web page of a running or a finished bot, in the foreground."""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from deltawire.cli import exits
from deltawire.cli.report import journal_place
from deltawire.config import load_config
from deltawire.core.secret import Secret


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    config: Path
    journal: Path | None
    socket: Path | None
    host: str
    port: int
    allow_hosts: tuple[str, ...]
    url_file: Path | None
    read_only: bool


def dashboard(options: DashboardOptions) -> None:
    """Serve the page until SIGINT or SIGTERM."""
    from deltawire.dashboard.app import Settings  # noqa: PLC0415 - a wrong setting is told before the server loads
    from deltawire.dashboard.serve import CannotListen, is_loopback, listen, serve  # noqa: PLC0415

    socket_path = options.socket
    if options.journal is None and socket_path is None:
        with exits.wrong_settings_told():
            socket_path = load_config(options.config, connects=False).control.socket
    place = journal_place(options.config, options.journal, must_exist=options.journal is not None)
    try:
        listening = listen(options.host, options.port)
    except CannotListen as e:
        exits.leave(str(e), exits.MISUSED)
    if not is_loopback(options.host):
        typer.echo(
            f"deltawire: WARNING: {options.host} is reachable from other machines, and this page speaks plain HTTP: "
            "whoever can read the network can take the session and push the buttons. An SSH tunnel to loopback "
            "(ssh -L) is safer.",
            err=True,
        )
    settings = Settings(
        journal=place.folder,
        journal_url=place.url,
        socket=socket_path,
        port=listening.getsockname()[1],
        hosts=frozenset(name.lower() for name in options.allow_hosts),
        read_only=options.read_only,
    )
    serve(settings, listening, options.host, lambda url: _tell(url, options.url_file))


def _tell(url: Secret, file: Path | None) -> None:
    """Print the address, or write it where only its owner can read it."""
    if file is None:
        typer.echo("deltawire: open this address; its token is good until this command ends", err=True)
        typer.echo(url.reveal())
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as out:
        out.write(f"{url.reveal()}\n")
    beside.replace(file)
    typer.echo(f"deltawire: the address with its token is in {file}", err=True)
