"""Connections as adapters see them: small ports with two worlds behind them (real sockets, and memory for fault runs).

`net` knows no venue. All stamps are from the monotonic clock function handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

NowNs = Callable[[], int]


class WsHandler(Protocol):
    """Receives one WebSocket's frames, synchronously, on the loop. Views are valid only during the call."""

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None: ...
    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None: ...
    def on_closed(self, code: int, reason: str) -> None:
        """The connection is over, for whatever reason; called exactly once. code 1006: lost without a close frame."""


class WsConnection(Protocol):
    @property
    def is_open(self) -> bool: ...
    def send_text(self, payload: bytes) -> None:
        """Hand one text frame to the socket, synchronously. Raises ConnectionError when not open."""

    def close(self, code: int = 1000) -> None:
        """Start a clean close; on_closed follows."""

    def abort(self) -> None:
        """Drop the connection at once; on_closed follows."""

    async def wait_closed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    written_mono_ns: int
    received_mono_ns: int  # first byte of the answer handed to us
    reused: bool
    connection_age_ns: int
    connection_requests: int  # requests this connection had carried before this one


class HttpFailure(ConnectionError):
    """No usable answer. maybe_sent False: the request certainly did not leave whole; True: outcome unknown."""

    def __init__(self, reason: str, *, maybe_sent: bool) -> None:
        super().__init__(reason)
        self.reason, self.maybe_sent = reason, maybe_sent


@dataclass(frozen=True, slots=True)
class HttpWritten:
    """Facts known the moment the request bytes are with the socket."""

    written_mono_ns: int
    reused: bool
    connection_age_ns: int
    connection_requests: int


@dataclass(frozen=True, slots=True)
class PoolSettings:
    connections: int = 2  # kept open and warm: one for the order, one for a repair behind it
    keepalive_s: float = 10.0  # idle time after which a connection is exercised with a warm-up request
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 3.0
    tcp_keepalive_s: float = 30.0  # idle time after which the kernel probes the path: finds a dead one between warm-ups
    dns_cache_s: float = 60.0  # how long the host's addresses are used before they are asked for again


HttpDone = Callable[[HttpResponse | HttpFailure], None]


class HttpPool(Protocol):
    """Warm, kept-alive HTTP/1.1 connections to one origin, for requests that must leave at once."""

    async def warm(self) -> None:
        """Open every connection and carry one warm-up request over each. Raises HttpFailure when none works."""

    def post_now(self, target: str, headers: bytes, body: bytes, on_done: HttpDone) -> HttpWritten | None:
        """Write a POST on an idle warm connection, synchronously, and call on_done exactly once later.

        headers: complete extra header lines, each ending in CRLF. Returns None, with on_done not called, when no idle
        connection is there: then nothing was sent and the caller may use `request`, which opens one.
        """

    async def request(self, method: str, target: str, headers: bytes = b"", body: bytes = b"") -> HttpResponse:
        """Send one request on a pooled connection, opening one if needed. Raises HttpFailure."""

    @property
    def idle(self) -> int: ...

    @property
    def has_idle(self) -> bool:
        """Whether post_now would find a connection; asked before each trade, so it looks at one of them only."""

    async def close(self) -> None: ...


class HttpClient(Protocol):
    """Calls to one origin that are not orders: no hurry, so connections are opened and kept as it likes."""

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout_s: float = 10.0,
    ) -> HttpResponse:
        """Send one request and read its whole answer. Raises HttpFailure, whatever went wrong."""

    async def close(self) -> None: ...


class Network(Protocol):
    """Makes connections. The real one is net.sockets; fault runs use one in memory."""

    async def connect_ws(
        self, url: str, handler: WsHandler, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> WsConnection:
        """Open a WebSocket (no compression, TCP_NODELAY). Raises ConnectionError or TimeoutError naming the url."""

    def http_pool(self, origin: str, settings: PoolSettings, warm_target: str, warm_headers: bytes) -> HttpPool:
        """Make a pool for an origin such as "https://host:port"; nothing is opened yet."""
