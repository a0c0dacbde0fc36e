"""TLS servers on loopback, as rude as a test wants them, and the client side over them."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme

from deltawire.net import tls
from deltawire.net.sockets import SocketNetwork
from deltawire.net.ws import WsSettings

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
        self._writers.append(writer)
        try:
            await self.script(Peer(self.connections, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client left in the middle of the script
        finally:
            writer.close()


async def polite(peer: Peer) -> None:
    """Answer every request with its own body, for ever."""
    while True:
        request = await peer.request()
        await peer.answer(request.partition(b"\r\n\r\n")[2] or b"warm")


class Until:
    """Polls a condition; what is not true within its deadline fails the test."""

    async def __call__(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"never came true: {what}"
            await asyncio.sleep(0.002)


@pytest.fixture
def until() -> Until:
    return Until()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(scope="session")
def server_context(ca, tmp_path_factory) -> ssl.SSLContext:
    path = tmp_path_factory.mktemp("server") / "server.pem"
    ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return tls.server_context(str(path))


@pytest.fixture
def client_context(ca_file) -> ssl.SSLContext:
    return tls.client_context(ca_file)


@pytest.fixture
async def server(server_context) -> AsyncIterator[HttpServer]:
    server = HttpServer(server_context)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def network(client_context) -> SocketNetwork:
    return SocketNetwork(
        now_ns=time.monotonic_ns,
        ssl_context=client_context,
        rng=random.Random(7),
        ws_settings=WsSettings(ping_idle_s=None, message_bytes_max=100_000),
    )
