"""The process: a socket, the page on it, and a clean end. Nicer than the bot: it gets the processor when that rests."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from deltawire.core.secret import Secret
from deltawire.dashboard.app import Settings, make_app
from deltawire.dashboard.door import LOOPBACK, Keyring
from deltawire.dashboard.hub import Hub

NICENESS = 10
GRACE_S = 3  # for answers under way; streams are ended at once
CONNECTIONS_MAX = 128


class CannotListen(Exception):
    """The address cannot be had. Says which, and why."""


def listen(host: str, port: int) -> socket.socket:
    """Bind, so that the port is known before anything is told. port 0: any free one. Raises CannotListen."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(found[0], socket.SOCK_STREAM)
    except OSError as e:
        raise CannotListen(f"{host} is not an address of this machine: {e}") from e
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
    except OSError as e:
        listening.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {e.strerror}; choose another with --port") from e
    return listening


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def serve(settings: Settings, listening: socket.socket, host: str, tell: Callable[[Secret], None]) -> None:
    """Serve until SIGINT or SIGTERM. tell: is given the address to open, token included, once it can be opened."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    asyncio.run(_serve(settings, listening, host, tell))


async def _serve(settings: Settings, listening: socket.socket, host: str, tell: Callable[[Secret], None]) -> None:
    token = secrets.token_urlsafe(32)
    hub = Hub()
    settings = replace(settings, hosts=settings.hosts | ({host} if not _is_any(host) else set()))
    app = make_app(settings, Keyring(Secret(token), now_s=time.monotonic), hub)
    logging.basicConfig(level=logging.WARNING)
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S,
        )
    )

    def end() -> None:
        hub.close()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(which, end)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn tells by an attribute only
        await asyncio.sleep(0.01)
    if server.started:
        shown = "127.0.0.1" if _is_any(host) else f"[{host}]" if ":" in host else host
        tell(Secret(f"http://{shown}:{settings.port}/login#token={token}"))
    await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us: uvicorn would raise them again at the end, and the exit code would not be 0."""
        yield


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
