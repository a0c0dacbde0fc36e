"""The control socket: a Unix socket only its owner may use; one JSON line asked, one JSON line answered.

Answers are made from the bot's state between two events of the loop; a slow reader costs the bot nothing.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from deltawire.venues.contract import EventLog

Command = Callable[[], dict[str, Any] | Awaitable[dict[str, Any]]]

REQUEST_BYTES_MAX = 4096  # a command is a word; more is not a client of ours
READ_TIMEOUT_S = 5.0
QUIET = ("status", "metrics", "guard")  # asked again and again by programs


class SocketInUse(Exception):
    """Another bot answers at this socket."""


class ControlServer:
    def __init__(self, path: Path, commands: dict[str, Command], log: EventLog) -> None:
        self._path, self._commands, self._log = path, commands, log
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises SocketInUse when a living bot holds the path; a dead one's socket is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            if _answers(self._path):
                raise SocketInUse(
                    f"another bot answers at {self._path}: stop it, or give this one its own control.socket"
                )
            self._path.unlink()
        before = os.umask(0o177)  # the socket is born private; chmod afterwards would leave a gap
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=REQUEST_BYTES_MAX)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), READ_TIMEOUT_S)
            writer.write(orjson.dumps(await self._answer(line)) + b"\n")
            await asyncio.wait_for(writer.drain(), READ_TIMEOUT_S)
        except (OSError, TimeoutError, ValueError) as e:
            # The client went away, dawdled or sent an endless line: its loss alone.
            self._log.warning("control.client_lost", reason=type(e).__name__)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            name = orjson.loads(line)["cmd"]
            command = self._commands[name]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            known = ", ".join(sorted(self._commands))
            return {"ok": False, "error": f'not a command; send {{"cmd": one of {known}}}'}
        if name not in QUIET:
            self._log.info("control.command", command=name)
        answer = command()
        return {"ok": True, **(answer if isinstance(answer, dict) else await answer)}


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
