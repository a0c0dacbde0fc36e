"""One HTTP/1.1 client connection over TLS: at most one request in flight, its answer parsed, stamped and bounded.

It does not choose, open, retry or replace connections: `pool` does. HEAD and upgrades are not spoken.
Sources: RFC 9112 (framing, section 6; persistence, section 9), httptools 0.9.
"""

import asyncio
import logging
import select
import socket
from collections.abc import Callable

import httptools

from deltawire.net.api import HttpDone, HttpFailure, HttpResponse, HttpWritten, NowNs

_LOG = logging.getLogger(__name__)
# Probes of an idle path, once it has been quiet for tcp_keepalive_s: three unanswered ones, and it is lost.
_PROBE_EVERY_S, _PROBES = 5, 3
RESPONSE_BYTES_MAX = 8 * 1024 * 1024  # well over the longest list a venue sends in one page


class H1Connection(asyncio.Protocol):
    """A connection to one origin; on_change(connection) is called when a request has ended and when it is lost."""

    def __init__(
        self,
        now_ns: NowNs,
        on_change: Callable[["H1Connection"], None],
        response_bytes_max: int,
        tcp_keepalive_s: float,
    ) -> None:
        self._now_ns, self._on_change, self._response_bytes_max = now_ns, on_change, response_bytes_max
        self._tcp_keepalive_s = max(1, round(tcp_keepalive_s))
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self.opened_mono_ns = 0
        self.used_mono_ns = 0  # end of the last answer
        self.requests = 0  # answered or under way
        self.end_reason = ""
        self.lost = asyncio.Event()
        self._keep = True  # False: this connection carries no further request
        self._eof = False
        # The request in flight. Its answer's parser is made when the one before ends, not on the way of an order.
        self._on_done: HttpDone | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._written: HttpWritten | None = None
        self._answer = _Answer()

    # For the pool.

    @property
    def is_open(self) -> bool:
        return self._transport is not None and self._keep and not self._transport.is_closing()

    @property
    def is_idle(self) -> bool:
        return self._on_done is None and self.is_open

    def is_quiet(self) -> bool:
        """Tell whether an idle connection has nothing to read: what a server says unasked is mostly goodbye.

        Looks at the socket itself (about 1 us), because its end may have come while the loop was busy elsewhere.
        """
        return not self._poll.poll(0)

    def send(self, request: bytes, timeout_s: float, on_done: HttpDone) -> HttpWritten:
        """Write a whole request, synchronously; only on an idle connection. on_done is called once, later."""
        transport = self._transport
        assert transport is not None
        assert self._on_done is None
        self._on_done = on_done
        transport.write(request)
        written_mono_ns = self._now_ns()
        carried = self.requests
        self._written = HttpWritten(written_mono_ns, carried > 0, written_mono_ns - self.opened_mono_ns, carried)
        self.requests = carried + 1
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._on_timeout, timeout_s)
        return self._written

    def end(self, reason: str) -> None:
        """End the connection. A request in flight fails at once, its outcome unknown."""
        self._keep = False
        self.end_reason = self.end_reason or reason
        if self._transport is not None:
            if self._on_done is None:
                self._transport.close()
            else:
                self._transport.abort()
        self._finish(HttpFailure(reason, maybe_sent=True))

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # the base class is typed for pipes too
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", self._tcp_keepalive_s),
            ("TCP_KEEPINTVL", _PROBE_EVERY_S),
            ("TCP_KEEPCNT", _PROBES),
        ):
            if hasattr(socket, name):  # not every system has all three
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._poll.register(sock.fileno(), select.POLLIN)  # an end of the stream reads as input
        self.opened_mono_ns = self.used_mono_ns = self._now_ns()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if self._on_done is None:
            self.end("bytes without a request")
            return
        if answer.received_mono_ns == 0:
            answer.received_mono_ns = self._now_ns()
        answer.size += len(data)
        if answer.size > self._response_bytes_max:
            self.end(f"answer over {self._response_bytes_max} bytes")
            return
        try:
            answer.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as e:
            if not answer.complete:
                self.end(f"unreadable answer: {type(e).__name__}")
                return
            answer.surplus = True
        # Not inside the parser's callback: on_done may send the next request.
        if answer.complete:
            if not answer.keep_alive or answer.surplus:
                self._keep = False
                self.end_reason = "the server's answer ends it" if not answer.surplus else "more than one answer"
            self._finish(self._response(answer))

    def eof_received(self) -> None:
        self._eof = True  # TLS close_notify: what came is all there was

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep = False
        detail = f": {type(exc).__name__}" if exc is not None else ""
        self.end_reason = self.end_reason or f"closed by the peer{detail}"
        if self._on_done is not None:
            if self._answer.lasts_until_close and self._eof and exc is None:
                self._finish(self._response(self._answer))
            else:
                self._finish(HttpFailure(f"connection lost before the whole answer{detail}", maybe_sent=True))
        self._transport = None
        self.lost.set()
        self._on_change(self)

    # Helpers.

    def _response(self, answer: "_Answer") -> HttpResponse:
        written = self._written
        assert written is not None
        return HttpResponse(
            answer.status,
            answer.headers,
            bytes(answer.body),
            written.written_mono_ns,
            answer.received_mono_ns,
            written.reused,
            written.connection_age_ns,
            written.connection_requests,
        )

    def _on_timeout(self, timeout_s: float) -> None:
        self.end(f"no answer within {timeout_s:g} s")

    def _finish(self, outcome: HttpResponse | HttpFailure) -> None:
        """Give the request in flight its outcome, if there is one; the connection is ready or going by then."""
        on_done, self._on_done = self._on_done, None
        if on_done is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._answer = _Answer()
        self.used_mono_ns = self._now_ns()
        if not self._keep and self._transport is not None:
            self._transport.close()
        self._on_change(self)
        try:
            on_done(outcome)
        except Exception:  # noqa: BLE001  a bug in the caller's callback must not end the loop or pass in silence
            _LOG.exception("net.http.callback_failed")


class _Answer:
    """What has come of one response. The on_* methods are httptools' callbacks."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.status = 0
        self.size = 0  # bytes on the wire so far
        self.received_mono_ns = 0
        self.complete = False
        self.keep_alive = False
        self.surplus = False  # more came than one answer
        self.lasts_until_close = False  # neither length nor chunks: its end is the connection's (RFC 9112, 6.3)

    def feed(self, data: bytes) -> None:
        """Raises what httptools raises for what is no response, or no longer is."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.status = self._parser.get_status_code()
            self.lasts_until_close = not self.headers.keys() & {"content-length", "transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        if 100 <= self.status < 200:  # an interim answer; the real one follows
            self.headers, self.status, self.lasts_until_close = {}, 0, False
        elif not self.complete:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()
