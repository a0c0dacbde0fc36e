"""TLS servers on loopback, as rude as a test wants them, written on asyncio streams: not with the code under test."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Self

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's end of one connection; a script drives it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number, self.reader, self.writer = number, reader, writer

    async def request(self) -> bytes:
        """Read one whole request: head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return head + await self.reader.readexactly(length)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"ok", *, status: bytes = b"200 OK", headers: bytes = b"") -> None:
        await self.write(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body))

    async def gone(self) -> None:
        """Wait until the client has closed."""
        await self.reader.read()


class HttpServer:
    """Runs `script` for each connection. requests: all that was read, by any script that records it there."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.script: Script = polite
        self.connections = 0
        self.open = 0
        self.port = 0

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.append(writer)
        try:
            await self.script(Peer(self.connections, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client left in the middle of the script
        finally:
            self.open -= 1
            writer.close()


async def polite(peer: Peer) -> None:
    """Answer every request with its own body, for ever."""
    while True:
        request = await peer.request()
        await peer.answer(request.partition(b"\r\n\r\n")[2] or b"warm")


class Until:
    """Polls a condition; what is not true within its deadline fails the test."""

    async def __call__(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"never came true: {what}"
            await asyncio.sleep(0.002)


class DeafServer:
    """Accepts TCP and says nothing: no TLS, no end. `left` is set when a client has gone."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass  # gone with a reset: gone all the same
        writer.close()
        self.left.set()
