"""HTTP/1.1 in memory: the product's own connections and pool over a wire, and the venue's end of one.

Only the socket is replaced: requests and answers are the bytes they would be, parsed by the same parser.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from deltawire.faultrun.wire import Way, Wire
from deltawire.net.api import HttpFailure, HttpResponse, NowNs, PoolSettings
from deltawire.net.h1 import H1Connection
from deltawire.net.pool import SocketHttpPool

_RESPONSE_BYTES_MAX = 8 * 1024 * 1024
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the pool wants one; nothing is encrypted here
_REST_CONNECTIONS_MAX = 8
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


class MemoryConnection(H1Connection):
    """The product's HTTP connection with a wire for its socket."""

    def __init__(self, now_ns: NowNs, on_change: Callable[[H1Connection], None]) -> None:
        super().__init__(now_ns, on_change, _RESPONSE_BYTES_MAX, 30.0)

    def is_quiet(self) -> bool:
        transport = cast("ClientTransport | None", self._transport)
        return transport is None or not transport.has_word

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.opened_mono_ns = self.used_mono_ns = self._now_ns()


class ClientTransport:
    """What a MemoryConnection writes to, and the client's end of the wire."""

    def __init__(self, wire: Wire, protocol: MemoryConnection) -> None:
        self._wire, self._protocol = wire, protocol
        self._closing = False

    @property
    def has_word(self) -> bool:
        """Whether the kernel would have something to read: it came while the loop stood still."""
        return self._wire.has_arrived(Way.DOWN)

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._wire.send(Way.UP, data)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._wire.close_from(Way.UP)
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def on_data(self, data: bytes) -> None:
        if not self._closing:
            self._protocol.data_received(data)

    def on_end(self) -> None:
        if not self._closing:
            self._closing = True
            self._protocol.eof_received()
            self._protocol.connection_lost(None)


Connect = Callable[[str, MemoryConnection], Any]  # (origin, connection) -> awaitable; raises OSError


class MemoryPool(SocketHttpPool):
    """The product's pool; only how a connection is made is ours."""

    def __init__(
        self,
        origin: str,
        settings: PoolSettings,
        warm_target: str,
        warm_headers: bytes,
        *,
        now_ns: NowNs,
        rng: Any,
        connect: Connect,
    ) -> None:
        super().__init__(origin, settings, warm_target, warm_headers, now_ns=now_ns, ssl_context=_NO_TLS, rng=rng)
        self._connect_to = connect

    async def _connect(self, on_change: Callable[[H1Connection], None], timeout_s: float) -> H1Connection:
        del timeout_s  # the caller's own timeout is around this
        connection = MemoryConnection(self._now_ns, on_change)
        await self._connect_to(self._origin, connection)
        return connection


class MemoryRest:
    """Implements net.api.HttpClient as net.rest does: kept-alive connections, one more try where that cannot hurt."""

    def __init__(self, origin: str, *, now_ns: NowNs, connect: Connect) -> None:
        self._origin, self._now_ns, self._connect_to = origin, now_ns, connect
        self._host = urlsplit(origin).netloc
        self._idle: list[H1Connection] = []
        self._open: dict[H1Connection, None] = {}
        self._slots = asyncio.Semaphore(_REST_CONNECTIONS_MAX)

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout_s: float = 10.0,
    ) -> HttpResponse:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        request = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\n{lines}{length}\r\n".encode() + (body or b"")
        where = f"{method} {self._origin}{target.partition('?')[0]}"
        facts = _Facts()
        try:
            async with asyncio.timeout(timeout_s):
                async with self._slots:
                    return await self._send(request, facts, again=method in _IDEMPOTENT)
        except TimeoutError as e:
            raise HttpFailure(f"{where}: no answer within {timeout_s:g} s", maybe_sent=facts.sent) from e
        except OSError as e:
            raise HttpFailure(f"{where}: {type(e).__name__}: {e}", maybe_sent=facts.sent) from e

    async def close(self) -> None:
        for connection in list(self._open):
            connection.end("client closed")

    async def _send(self, request: bytes, facts: "_Facts", *, again: bool) -> HttpResponse:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_idle:
                try:
                    return await self._exchange(connection, request, facts)
                except HttpFailure:
                    if not again:
                        raise
                    break
        connection = MemoryConnection(self._now_ns, self._on_change)
        await self._connect_to(self._origin, connection)
        if not connection.is_idle:  # its end came before this task went on
            raise ConnectionError("closed as soon as it was open")
        self._open[connection] = None
        return await self._exchange(connection, request, facts)

    async def _exchange(self, connection: H1Connection, request: bytes, facts: "_Facts") -> HttpResponse:
        answer: asyncio.Future[HttpResponse | HttpFailure] = asyncio.get_running_loop().create_future()
        facts.sent = True
        connection.send(request, 3600.0, lambda outcome: None if answer.done() else answer.set_result(outcome))
        try:
            outcome = await answer
        except asyncio.CancelledError:
            connection.end("caller gave up")
            raise
        if isinstance(outcome, HttpFailure):
            raise outcome
        return outcome

    def _on_change(self, connection: H1Connection) -> None:
        if connection.is_idle:
            self._idle.append(connection)
        elif connection.lost.is_set():
            self._open.pop(connection, None)


@dataclass(slots=True)
class _Facts:
    sent: bool = False


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """One request as a venue's binding hands it on. Header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


# status 0: drop the connection, answering nothing.
ServerReply = Callable[[int, bytes, str, Mapping[str, str]], None]
Serve = Callable[[ServerRequest, ServerReply], None]


class ServerConnection:
    """The venue's end of an HTTP wire: bytes to requests, answers to bytes. A request cut off is never served."""

    def __init__(self, wire: Wire, serve: Serve) -> None:
        self._wire, self._serve = wire, serve
        self._buffer = b""
        self._requests = 0
        self._gone = False

    def on_data(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _version = first.split(" ")
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self._requests += 1
        self._serve(ServerRequest(method, url.path, query, headers, rest[:length]), self._reply)

    def on_end(self) -> None:
        self._gone = True

    def _reply(self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        if self._gone:
            return
        if status == 0:
            self._gone = True
            self._wire.close_from(Way.DOWN)
            return
        date_s = self._wire.route.date_s
        dated = {} if date_s is None else {"Date": formatdate(date_s(), usegmt=True)}
        more = "".join(f"{name}: {value}\r\n" for name, value in (dated | dict(headers)).items())
        kind = (
            ""
            if status == HTTPStatus.NO_CONTENT
            else f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        )
        self._wire.send(Way.DOWN, f"HTTP/1.1 {status} -\r\n{kind}{more}\r\n".encode() + body)
        if self._wire.route.idle_close_ns:
            self._close_when_idle(self._requests)

    def _close_when_idle(self, requests: int) -> None:
        def close() -> None:
            if not self._gone and self._requests == requests:
                self._gone = True
                self._wire.close_from(Way.DOWN)

        loop = self._wire.route.loop
        loop.call_later(self._wire.route.idle_close_ns / 1e9, close)
