"""Warm HTTP/1.1 connections to one origin: open before they are needed, used at once, replaced in the background.

A request is never sent twice by this module. `maybe_sent` is False only where no connection was made at all; once
bytes are written the outcome of a failure is unknown, also when the server had closed the idle connection unseen.

Connections come from aiofastnet (picows brings it): its TLS write encrypts and sends inside the call, where uvloop's
own queues to the end of the loop's turn. Addresses are remembered (net/dns.py); TLS sessions are not resumed, and
docs/decisions/0008-tls-sessions.md says with figures why.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiofastnet

from deltawire.net.api import (
    HttpDone,
    HttpFailure,
    HttpResponse,
    HttpWritten,
    NowNs,
    PoolSettings,
)
from deltawire.net.backoff import Backoff
from deltawire.net.dns import AddressCache
from deltawire.net.h1 import RESPONSE_BYTES_MAX, H1Connection
from deltawire.net.tcp import connect_tcp, hang_up
from deltawire.net.ws import USER_AGENT

_LOG = logging.getLogger(__name__)
# A lost connection is replaced at once; only failures in a row wait, so that a venue in trouble is not hammered.
_RETRY_FLOOR_S, _RETRY_CEILING_S = 0.05, 5.0
_EXTRA_MAX = 8  # connections `request` may open beside the pool's own: a burst of look-ups, not a flood
_TLS_SHUTDOWN_S = 1.0


@dataclass(slots=True)
class PoolCounters:
    """Since the pool was made, warm-up requests included."""

    opened: int = 0  # connections that completed their handshake
    replaced: int = 0  # of these, in place of one that was lost
    requests: int = 0
    reused: int = 0  # requests on a connection that had carried one before
    failed: int = 0  # requests written and ended in HttpFailure
    refused: int = 0  # times post_now found no idle connection


class SocketHttpPool:
    """Implements net.api.HttpPool."""

    def __init__(
        self,
        origin: str,
        settings: PoolSettings,
        warm_target: str,
        warm_headers: bytes,
        *,
        now_ns: NowNs,
        ssl_context: ssl.SSLContext,
        rng: random.Random,
        addresses: AddressCache | None = None,
        response_bytes_max: int = RESPONSE_BYTES_MAX,
    ) -> None:
        """addresses: shared by the pools of one network; own when None."""
        self._origin, self._host, self._port, host_header = split_origin(origin)
        self._settings, self._now_ns, self._ssl_context, self._rng = settings, now_ns, ssl_context, rng
        self._response_bytes_max = response_bytes_max
        self._addresses = addresses or AddressCache(now_ns)
        self._fixed_lines = f" HTTP/1.1\r\nHost: {host_header}\r\nUser-Agent: {USER_AGENT}\r\n".encode("ascii")
        self._warm_request = self._encode("GET", warm_target, warm_headers, b"")
        self._post_to, self._post_head = ("", b""), b""  # of the last post_now: orders all go to one place
        self._idle: list[H1Connection] = []  # most recently used last
        self._all: set[H1Connection] = set()
        self._extra = 0
        self._tenders: list[asyncio.Task[None]] = []
        self._closed = False
        self.counters = PoolCounters()

    @property
    def idle(self) -> int:
        return sum(connection.is_idle for connection in self._idle)

    @property
    def has_idle(self) -> bool:
        # Those that are in use or lost are not on the list; one that is closing goes with the loop's next turn.
        return bool(self._idle)

    async def warm(self) -> None:
        settings = self._settings
        _LOG.info("net.pool.warming origin=%s settings=%s", self._origin, settings)
        tries = (self._open_warm() for _ in range(settings.connections))
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        opened = [outcome for outcome in outcomes if isinstance(outcome, H1Connection)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if not isinstance(failure, HttpFailure) or not opened:
                for connection in opened:
                    connection.end("pool not warmed")
                raise failure
            _LOG.warning("net.pool.open_failed origin=%s reason=%s", self._origin, failure.reason)
        loop = asyncio.get_running_loop()
        slots: list[H1Connection | None] = [*opened, *(None for _ in failures)]
        self._tenders = [loop.create_task(self._tend(slot)) for slot in slots]
        _LOG.info("net.pool.warmed origin=%s connections=%d of=%d", self._origin, len(opened), settings.connections)

    def post_now(self, target: str, headers: bytes, body: bytes, on_done: HttpDone) -> HttpWritten | None:
        connection = self._take_idle()
        if connection is None:
            self.counters.refused += 1
            return None
        if self._post_to != (target, headers):
            self._post_to = (target, headers)
            self._post_head = b"POST %s%s%sContent-Length: " % (target.encode(), self._fixed_lines, headers)
        return self._send(connection, b"%s%d\r\n\r\n%s" % (self._post_head, len(body), body), on_done)

    async def request(self, method: str, target: str, headers: bytes = b"", body: bytes = b"") -> HttpResponse:
        if method == "HEAD":
            raise ValueError("HEAD is not spoken: its answer's length describes a body that does not come")
        request = self._encode(method, target, headers, body)
        connection = self._take_idle()
        if connection is not None:
            return await self._exchange(connection, request)
        if self._extra >= _EXTRA_MAX:
            raise HttpFailure(f"{self._origin}: {_EXTRA_MAX} extra connections are open already", maybe_sent=False)
        self._extra += 1
        try:
            connection = await self._open(self._on_extra_change)
            try:
                return await self._exchange(connection, request)
            finally:
                connection.end("no longer needed")
        finally:
            self._extra -= 1

    async def close(self) -> None:
        self._closed = True
        for task in self._tenders:
            task.cancel()
        await asyncio.gather(*self._tenders, return_exceptions=True)
        connections = list(self._all)
        for connection in connections:
            connection.end("pool closed")
        await asyncio.gather(*(connection.lost.wait() for connection in connections))
        _LOG.info("net.pool.closed origin=%s counters=%s", self._origin, self.counters)

    # Helpers.

    def _take_idle(self) -> H1Connection | None:
        """Take the most recently used idle connection that shows no sign of being closed by the server."""
        idle = self._idle
        for i in range(len(idle) - 1, -1, -1):
            connection = idle[i]
            if connection.is_idle and connection.is_quiet():
                del idle[i]
                return connection
        return None

    def _send(self, connection: H1Connection, request: bytes, on_done: HttpDone) -> HttpWritten:
        counters = self.counters
        counters.requests += 1

        def count_and_tell(outcome: HttpResponse | HttpFailure) -> None:
            if isinstance(outcome, HttpFailure):
                counters.failed += 1
            on_done(outcome)

        written = connection.send(request, self._settings.request_timeout_s, count_and_tell)
        counters.reused += written.reused
        return written

    async def _exchange(self, connection: H1Connection, request: bytes) -> HttpResponse:
        answer: asyncio.Future[HttpResponse | HttpFailure] = asyncio.get_running_loop().create_future()

        def on_done(outcome: HttpResponse | HttpFailure) -> None:
            if not answer.done():  # done when the caller was cancelled
                answer.set_result(outcome)

        self._send(connection, request, on_done)
        try:
            outcome = await answer
        except asyncio.CancelledError:
            connection.end("caller gave up")  # its answer must not meet the next request
            raise
        if isinstance(outcome, HttpFailure):
            raise outcome
        return outcome

    async def _open(self, on_change: Callable[[H1Connection], None]) -> H1Connection:
        if self._closed:
            raise HttpFailure(f"{self._origin}: the pool is closed", maybe_sent=False)
        timeout_s = self._settings.connect_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connect(on_change, timeout_s)
        except TimeoutError as e:
            self._addresses.forget(self._host, self._port)
            raise HttpFailure(f"{self._origin} did not open within {timeout_s:g} s", maybe_sent=False) from e
        except OSError as e:  # ssl.SSLError is one
            self._addresses.forget(self._host, self._port)
            raise HttpFailure(f"{self._origin} did not open: {type(e).__name__}: {e}", maybe_sent=False) from e
        if not connection.is_open:  # its end came before this task went on
            raise HttpFailure(f"{self._origin} closed the connection as soon as it was open", maybe_sent=False)
        self._all.add(connection)
        self.counters.opened += 1
        return connection

    async def _connect(self, on_change: Callable[[H1Connection], None], timeout_s: float) -> H1Connection:
        """Try the host's addresses in turn; each but the last has its share of the time. Raises OSError."""
        settings = self._settings
        addresses = await self._addresses.addresses(self._host, self._port, settings.dns_cache_s)
        for left, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            try:
                async with asyncio.timeout(timeout_s / len(addresses) if left else None):
                    return await self._dial(address, on_change)
            except OSError as e:  # TimeoutError is one
                if not left:
                    raise
                _LOG.warning("net.pool.address_failed origin=%s address=%s reason=%r", self._origin, address, e)
        raise AssertionError("the last address returns or raises")

    async def _dial(self, address: str, on_change: Callable[[H1Connection], None]) -> H1Connection:
        sock = await connect_tcp(address, self._port)
        try:
            _, connection = await aiofastnet.create_connection(
                asyncio.get_running_loop(),
                lambda: H1Connection(self._now_ns, on_change, self._response_bytes_max, self._settings.tcp_keepalive_s),
                sock=sock,
                ssl=self._ssl_context,
                server_hostname=self._host,
                ssl_shutdown_timeout=_TLS_SHUTDOWN_S,
            )
        except BaseException:
            hang_up(sock)
            raise
        return connection

    async def _open_warm(self) -> H1Connection:
        """Open a connection and prove that it answers and stays."""
        connection = await self._open(self._on_change)
        response = await self._exchange(connection, self._warm_request)
        if response.status >= 400:  # it carries requests, which is what matters here; the adapter judges the venue
            _LOG.warning("net.pool.warm_up_answer origin=%s status=%d", self._origin, response.status)
        if not connection.is_open:
            raise HttpFailure(f"{self._origin} closes each connection after one answer", maybe_sent=True)
        return connection

    def _on_change(self, connection: H1Connection) -> None:
        """Keep the idle list: called when a request has ended and when a connection is lost."""
        if connection.is_idle:
            self._idle.append(connection)
            return
        if connection in self._idle:
            self._idle.remove(connection)
        self._on_extra_change(connection)

    def _on_extra_change(self, connection: H1Connection) -> None:
        if connection.lost.is_set():
            self._all.discard(connection)

    async def _tend(self, connection: H1Connection | None) -> None:
        """Keep one place of the pool filled: exercise what is idle, replace what is lost."""
        backoff = Backoff(_RETRY_FLOOR_S, _RETRY_CEILING_S, rng=self._rng)
        while True:
            if connection is not None:
                await self._keep_alive(connection)
                age_s = (self._now_ns() - connection.opened_mono_ns) / 1e9
                _LOG.info(
                    "net.pool.lost origin=%s age_s=%.1f requests=%d reason=%s",
                    self._origin,
                    age_s,
                    connection.requests,
                    connection.end_reason,
                )
            try:
                connection = await self._open_warm()
            except HttpFailure as e:
                _LOG.warning("net.pool.open_failed origin=%s reason=%s", self._origin, e.reason)
                connection = None
                await asyncio.sleep(backoff.next_s())
            else:
                backoff.reset()
                self.counters.replaced += 1

    async def _keep_alive(self, connection: H1Connection) -> None:
        """Return when the connection is lost; until then send the warm-up request whenever it was idle too long."""
        keepalive_ns = int(self._settings.keepalive_s * 1e9)
        while not connection.lost.is_set():
            idle_ns = self._now_ns() - connection.used_mono_ns
            if idle_ns < keepalive_ns or not connection.is_idle:
                # Busy: its request ends within its own timeout; look again after a whole period.
                wait_ns = keepalive_ns - idle_ns if connection.is_idle else keepalive_ns
                try:
                    async with asyncio.timeout(wait_ns / 1e9):
                        await connection.lost.wait()
                except TimeoutError:
                    continue
                return
            self._idle.remove(connection)
            try:
                await self._exchange(connection, self._warm_request)
            except HttpFailure as e:
                _LOG.info("net.pool.keepalive_failed origin=%s reason=%s", self._origin, e.reason)

    def _encode(self, method: str, target: str, headers: bytes, body: bytes) -> bytes:
        length = b"Content-Length: %d\r\n" % len(body) if body or method != "GET" else b""
        return b"%s %s%s%s%s\r\n%s" % (method.encode(), target.encode(), self._fixed_lines, headers, length, body)


def split_origin(origin: str) -> tuple[str, str, int, str]:
    """Return origin, host, port and the Host header. Raises ValueError for anything but https://host[:port]."""
    parts = urlsplit(origin)
    if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.username:
        raise ValueError(f"need an origin like https://host:port, got {parts.scheme}://{parts.hostname or ''}")
    port = parts.port or 443
    host_header = parts.hostname if port == 443 else f"{parts.hostname}:{port}"
    return f"https://{host_header}", parts.hostname, port, host_header
