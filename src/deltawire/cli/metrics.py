"""`deltawire metrics`: answers Prometheus on loopback, from the running bot's control socket. A process of its own."""

import signal
import threading
from pathlib import Path

import typer
from prometheus_client import CollectorRegistry, start_http_server

from deltawire.cli import exits
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.config import load_config
from deltawire.observe.metrics import BotCollector, Reply

_ASK_WITHIN_S = 3.0  # Prometheus gives a scrape ten seconds; a bot that takes three is not well


def metrics(config_path: Path, socket: Path | None, port: int | None) -> None:
    """Serve until SIGINT or SIGTERM. A bot that is not there is told as deltawire_up 0, and waited for."""
    with exits.wrong_settings_told():
        config = load_config(config_path)
    at_port = port or config.metrics.port
    if at_port is None:
        exits.leave(f"{config_path}: metrics.port is not set; write one such as 9464, or use --port", exits.MISUSED)
    at_socket = socket or config.control.socket
    registry = CollectorRegistry()
    registry.register(BotCollector(lambda: _read(at_socket)))
    stop = threading.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda *_: stop.set())
    try:
        server, thread = start_http_server(at_port, "127.0.0.1", registry)
    except OSError as e:
        exits.leave(f"cannot listen on 127.0.0.1:{at_port} ({e.strerror}); set another metrics.port", exits.MISUSED)
    typer.echo(f"deltawire: metrics at http://127.0.0.1:{at_port}/metrics of the bot at {at_socket}", err=True)
    stop.wait()
    server.shutdown()
    server.server_close()
    thread.join()


def _read(socket: Path) -> Reply | None:
    try:
        return ask(socket, "metrics", _ASK_WITHIN_S)
    except (NotRunning, BotRefused):
        return None
