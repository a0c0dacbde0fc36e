"""The distance between bot and venue: a TCP proxy on loopback that delays, jitters, throttles, freezes and cuts.

It forwards bytes and understands none of them, so TLS passes through untouched. Order is kept in each direction.
What a connection costs on a real network before its first byte is charged too: the kernel completes the loopback
handshake at once, where SYN and SYN-ACK would take one round trip, so the client's first bytes wait that round trip
before they start on their way. (TLS's own round trips need no such care: they are bytes.)
Not simulated: loss of single packets with their retransmission, congestion windows, time to resolve a name.
"""

import asyncio
import heapq
import itertools
import random
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from deltawire.sim.alarm import Alarm
from deltawire.venues.contract import EventLog

_HOST = "127.0.0.1"
# Bytes on their way in one direction, at most; 16 MiB is 1.6 Gbit/s at 80 ms, far above any feed here.
_QUEUED_BYTES_MAX = 16 * 1024 * 1024
_CONNECT_TIMEOUT_S = 5.0
_BACKLOG = 256
_HALF_END = b""  # in a queue: the source sends no more; None: the source is gone


@dataclass(frozen=True, slots=True)
class Link:
    """Delays; up is towards the venue. Jitter: each chunk takes up to so much longer, evenly spread."""

    up_ns: int = 0
    down_ns: int = 0
    jitter_up_ns: int = 0
    jitter_down_ns: int = 0
    bytes_per_s: int | None = None  # in each direction of each connection; None: without limit

    @classmethod
    def of_rtt(cls, rtt_ms: float, jitter_ms: float = 0.0) -> "Link":
        """Split a round trip evenly over both ways."""
        one_way_ns = round(rtt_ms * 1e6 / 2)
        return cls(one_way_ns, one_way_ns, round(jitter_ms * 1e6), round(jitter_ms * 1e6))


@dataclass(frozen=True, slots=True)
class PortLinks:
    """The network before one port: one link for all connections, or for some of them, by number, one of their own."""

    link: Link = field(default_factory=Link)
    connections: Mapping[int, Link] = field(default_factory=dict)


class DelayProxy:
    """Listens on a port of its own in front of target_port. `links` may be replaced at any time; it counts from then.

    name: for the log. log None: silent.
    """

    def __init__(
        self, target_port: int, links: Link | PortLinks, *, rng: random.Random, log: EventLog | None, name: str = ""
    ) -> None:
        self.links = links if isinstance(links, PortLinks) else PortLinks(links)
        self.name = name
        self.port = 0
        self.connections: list[ProxiedConnection] = []  # open ones, oldest first
        self.on_connection: Callable[[ProxiedConnection], None] | None = None  # sees each before its first byte
        self.late_ns_max = 0  # the most this process has added to a delay asked for
        self._target_port, self._rng, self._log = target_port, rng, log
        self._numbers, self._arrivals = itertools.count(1), itertools.count()
        self._due: list[tuple[int, int, _Flow]] = []  # heap of (due, order of arrival, flow)
        self._alarm: Alarm | None = None
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on loopback and return the port."""
        self._alarm = Alarm(self._deliver_due)
        self._listener = socket.create_server((_HOST, port), backlog=_BACKLOG)
        self._listener.settimeout(0)  # the loop waits, not the call
        self.port = int(self._listener.getsockname()[1])
        self._spawn(self._accept(self._listener))
        if self._log is not None:
            link = self.links.link
            delays = {"up_ns": link.up_ns, "down_ns": link.down_ns}
            self._log.info("network.listening", name=self.name, port=self.port, target=self._target_port, **delays)
        return self.port

    def link_of(self, number: int) -> Link:
        """Return the link of the connection with this number."""
        return self.links.connections.get(number, self.links.link)

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        open_sides = [side for c in self.connections for side in (c.client, c.venue) if side.attached]
        self.drop()
        await asyncio.gather(*(side.lost.wait() for side in open_sides))
        if self._listener is not None:
            self._listener.close()
        if self._alarm is not None:
            self._alarm.close()

    def drop(self) -> int:
        """Cut every connection now, on both sides; what is on its way is lost. Returns how many there were."""
        dropped = list(self.connections)
        for connection in dropped:
            connection.drop()
        return len(dropped)

    # Helpers.

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            self._spawn(self._join(client, time.monotonic_ns()))

    async def _join(self, client: socket.socket, opened_ns: int) -> None:
        """Connect to the venue, then let bytes pass. The client's bytes wait in its socket meanwhile."""
        loop = asyncio.get_running_loop()
        connection = ProxiedConnection(self, next(self._numbers), opened_ns)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: connection.venue, _HOST, self._target_port)
            self.connections.append(connection)
            if self.on_connection is not None:
                self.on_connection(connection)
            await loop.connect_accepted_socket(lambda: connection.client, client)
        except OSError as e:  # TimeoutError is one
            if self._log is not None:
                self._log.warning("network.not_joined", name=self.name, reason=type(e).__name__)
            connection.drop()
        finally:
            if not connection.client.attached:
                client.close()

    def schedule(self, due_ns: int, flow: "_Flow") -> None:
        """Have flow.deliver() called once at due_ns."""
        first = not self._due or due_ns < self._due[0][0]
        heapq.heappush(self._due, (due_ns, next(self._arrivals), flow))
        if first and self._alarm is not None:
            self._alarm.set(due_ns)

    def drawn_ns(self, most_ns: int) -> int:
        """Draw a jitter."""
        return round(self._rng.random() * most_ns)

    def _deliver_due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            due_ns, _, flow = heapq.heappop(self._due)
            self.late_ns_max = max(self.late_ns_max, now_ns - due_ns)
            flow.deliver()
            now_ns = time.monotonic_ns()
        if self._due and self._alarm is not None:
            self._alarm.set(self._due[0][0])


class ProxiedConnection:
    """One client connection and its twin to the venue."""

    def __init__(self, proxy: DelayProxy, number: int, opened_ns: int) -> None:
        self.number = number  # 1, 2, … in the order they were accepted
        self.client, self.venue = _Side(), _Side()
        self._proxy = proxy
        handshake_ns = self._up_ns() + self._down_ns()
        self.up = _Flow(proxy, self, self.client, self.venue, self._up_ns, opened_ns + handshake_ns)
        self.down = _Flow(proxy, self, self.venue, self.client, self._down_ns, opened_ns)

    @property
    def link(self) -> Link:
        return self._proxy.link_of(self.number)

    def _up_ns(self) -> int:
        return self.link.up_ns + self._proxy.drawn_ns(self.link.jitter_up_ns)

    def _down_ns(self) -> int:
        return self.link.down_ns + self._proxy.drawn_ns(self.link.jitter_down_ns)

    def drop(self) -> None:
        """Cut both sides now; what is on its way is lost."""
        self._end()
        self.client.abort()
        self.venue.abort()

    def cut_after_up(self, count: int) -> None:
        """Let `count` more bytes reach the venue, then cut: the venue has read them all, the client gets no answer."""
        self.up.cut_at = self.up.delivered + count

    def cut_after_down(self, count: int) -> None:
        """Let `count` more bytes reach the client, then cut."""
        self.down.cut_at = self.down.delivered + count

    def freeze(self) -> None:
        """Swallow all further bytes both ways and stay open: a peer that is gone without a word."""
        self.up.frozen = self.down.frozen = True

    def end_of(self, flow: "_Flow", *, whole: bool) -> None:
        """An end has been delivered; whole: its source is gone altogether, not only done with sending."""
        if whole or (self.up.ended and self.down.ended):
            self._end()
            self.client.close()
            self.venue.close()
        else:
            flow.sink.write_eof()

    def _end(self) -> None:
        self.up.close()
        self.down.close()
        if self in self._proxy.connections:
            self._proxy.connections.remove(self)


class _Flow:
    """One direction of one connection: chunks in order, each with its time."""

    def __init__(
        self,
        proxy: DelayProxy,
        connection: ProxiedConnection,
        source: "_Side",
        sink: "_Side",
        delay_ns: Callable[[], int],
        line_free_ns: int,
    ) -> None:
        self._proxy, self._connection, self._delay_ns = proxy, connection, delay_ns
        self._source, self.sink = source, sink
        source.outward, sink.inward = self, self
        self._line_free_ns = line_free_ns  # when the sender's line takes the next chunk
        self._last_due_ns = 0
        self._queue: deque[bytes | None] = deque()
        self._queued_bytes = 0
        self._sink_full = False
        self._closed = False
        self.delivered = 0  # bytes handed on
        self.ended = False
        self.frozen = False
        self.cut_at: int | None = None

    def push(self, chunk: bytes | None) -> None:
        """Put a chunk, or an end, on its way."""
        if self._closed:
            return
        link, now_ns = self._connection.link, time.monotonic_ns()
        size = len(chunk) if chunk is not None else 0
        self._line_free_ns = max(now_ns, self._line_free_ns)
        if link.bytes_per_s is not None:
            self._line_free_ns += size * 1_000_000_000 // link.bytes_per_s
        due_ns = max(self._line_free_ns + self._delay_ns(), self._last_due_ns)
        self._last_due_ns = due_ns
        self._queue.append(chunk)
        self._queued_bytes += size
        if due_ns <= now_ns and len(self._queue) == 1:
            self.deliver()
        else:
            self._proxy.schedule(due_ns, self)
            self._set_reading()

    def deliver(self) -> None:
        """Hand on the oldest chunk. Called once for each, at its time."""
        if self._closed:
            return
        chunk = self._queue.popleft()
        if chunk == _HALF_END or chunk is None:
            self.ended = True
            if not self.frozen:
                self._connection.end_of(self, whole=chunk is None)
            return
        self._queued_bytes -= len(chunk)
        self._set_reading()
        if self.frozen:
            return
        cut = self.cut_at is not None and self.delivered + len(chunk) >= self.cut_at
        if cut and self.cut_at is not None:
            chunk = chunk[: self.cut_at - self.delivered]
        self.delivered += len(chunk)
        self.sink.write(chunk)
        if cut:
            self._connection.end_of(self, whole=True)

    def set_sink_full(self, *, full: bool) -> None:
        self._sink_full = full
        self._set_reading()

    def close(self) -> None:
        self._closed = True
        self._queue.clear()

    def _set_reading(self) -> None:
        # A reader that does not keep up is felt by the sender, as through a real network.
        self._source.set_reading(on=not self._sink_full and self._queued_bytes < _QUEUED_BYTES_MAX)


class _Side(asyncio.Protocol):
    """One socket: what it receives goes into `outward`; `inward` writes to it."""

    outward: _Flow
    inward: _Flow

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()  # came for it before its socket was attached
        self._reading = True
        self._aborted = False
        self.lost = asyncio.Event()

    @property
    def attached(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # the base class is typed for pipes too
        if self._aborted:
            transport.close()
        elif self._early:
            self.write(bytes(self._early))

    def data_received(self, data: bytes) -> None:
        self.outward.push(data)

    def eof_received(self) -> bool:
        self.outward.push(_HALF_END)
        return True  # the other direction may go on

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost.set()
        self.outward.push(None)

    def pause_writing(self) -> None:
        self.inward.set_sink_full(full=True)

    def resume_writing(self) -> None:
        self.inward.set_sink_full(full=False)

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._early += data
        elif not self._transport.is_closing():  # uvloop raises where asyncio drops what a closed socket is given
            self._transport.write(data)

    def write_eof(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def set_reading(self, *, on: bool) -> None:
        if self._transport is None or on == self._reading or self._transport.is_closing():
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """End after what was written."""
        self._aborted = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()
