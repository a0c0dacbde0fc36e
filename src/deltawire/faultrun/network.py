"""The network of a fault run: implements net.api.Network over wires. One for each run of the bot; it dies with it.

The product's own WebSocket connection, HTTP connection and pool do the work; this module is the sockets under them.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextvars import Context
from types import SimpleNamespace
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from picows import WSFrame, WSMsgType, WSTransport

from deltawire.faultrun.http import ClientTransport, MemoryConnection, MemoryPool, MemoryRest, Serve, ServerConnection
from deltawire.faultrun.loop import VirtualLoop
from deltawire.faultrun.wire import End, Route, Way, Wire
from deltawire.net.api import PoolSettings, WsHandler
from deltawire.net.ws import PicowsConnection, WsSettings

_TEXT, _BINARY, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE
_WS = WsSettings()
HANDSHAKE_TRIPS = 2  # round trips of TCP and TLS before the first byte that means something


class Host(Protocol):
    """One venue as the network sees it."""

    def serve(self, port: str) -> Serve: ...
    def accept(self, url: str, wire: Wire) -> End | None:
        """Take a WebSocket; None: refused."""


class MemoryNetwork:
    """Implements net.api.Network for one venue."""

    def __init__(
        self,
        host: Host,
        routes: Mapping[str, Route],
        *,
        loop: VirtualLoop,
        rng: random.Random,
        bot: Context,
        world: Context,
    ) -> None:
        """routes: "rest" and "ws". bot, world: contexts in which what arrives at either end is handled."""
        self._host, self._routes, self._loop, self._rng = host, routes, loop, rng
        self._contexts = {Way.UP: world, Way.DOWN: bot}
        self._wires: list[Wire] = []

    async def connect_ws(
        self, url: str, handler: WsHandler, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> PicowsConnection:
        del headers
        label = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        connection = PicowsConnection(handler, lambda: self._loop.now_ns, label, _WS.message_bytes_max)
        opened: asyncio.Future[None] = self._loop.create_future()

        def attach(wire: Wire) -> End | None:
            client = WsClient(wire, connection, opened, self._loop)
            server = self._host.accept(url, wire)
            if server is not None:
                wire.attach(client=client, server=server)
            return server

        try:
            async with asyncio.timeout(timeout_s):
                await self._open("ws", attach, opened)
        except TimeoutError as e:
            connection.abort()
            raise TimeoutError(f"{label} did not open within {timeout_s:g} s") from e
        except OSError as e:
            connection.abort()
            raise ConnectionError(f"{label} did not open: {e}") from e
        except BaseException:
            connection.abort()
            raise
        return connection

    def http_pool(self, origin: str, settings: PoolSettings, warm_target: str, warm_headers: bytes) -> MemoryPool:
        return MemoryPool(
            origin,
            settings,
            warm_target,
            warm_headers,
            now_ns=lambda: self._loop.now_ns,
            rng=self._rng,
            connect=self._connect_http,
        )

    def rest(self, origin: str) -> MemoryRest:
        return MemoryRest(origin, now_ns=lambda: self._loop.now_ns, connect=self._connect_http)

    def die(self, *, lose: bool) -> None:
        """End every connection as the kernel does for a killed process. lose: what was under way up is lost."""
        for wire in self._wires:
            wire.close_from(Way.UP, lose=lose)

    async def _connect_http(self, _origin: str, connection: MemoryConnection) -> None:
        opened: asyncio.Future[None] = self._loop.create_future()

        def attach(wire: Wire) -> End:
            transport = ClientTransport(wire, connection)
            server = ServerConnection(wire, self._host.serve("rest"))
            wire.attach(client=_Opening(transport, connection, opened), server=server)
            return server

        await self._open("rest", attach, opened)

    async def _open(self, port: str, attach: Callable[[Wire], End | None], opened: asyncio.Future[None]) -> None:
        """Make a connection: handshakes, then the venue's word that it is open. Raises OSError."""
        route = self._routes[port]
        trips = (route.draw_ns(Way.UP) + route.draw_ns(Way.DOWN) for _ in range(HANDSHAKE_TRIPS))
        arrives_ns = self._loop.now_ns + sum(trips) + route.draw_ns(Way.UP)

        def arrive() -> None:
            if route.dark:
                return
            if route.closed:
                self._fail(opened, "connection refused")
                return
            wire = Wire(route, self._contexts)
            self._wires.append(wire)
            wire.send(Way.DOWN, OPENED)  # first: a venue may speak as soon as it has accepted
            if attach(wire) is None:
                wire.close_from(Way.DOWN)
                self._fail(opened, "refused by the venue")

        self._loop.call_at(arrives_ns / 1e9, arrive, context=self._contexts[Way.UP])
        await opened

    def _fail(self, opened: asyncio.Future[None], why: str) -> None:
        def fail() -> None:
            if not opened.done():
                opened.set_exception(ConnectionError(why))

        self._loop.call_soon(fail, context=self._contexts[Way.DOWN])


OPENED = object()  # the first message down a wire: the venue's side of the handshake is done


class _Opening:
    """The client's end of an HTTP wire: a connection once the venue has answered the handshake."""

    def __init__(self, transport: ClientTransport, connection: MemoryConnection, opened: asyncio.Future[None]) -> None:
        self._transport, self._connection, self._opened = transport, connection, opened

    def on_data(self, data: Any) -> None:
        if data is not OPENED:
            self._transport.on_data(data)
        elif self._opened.done():  # the caller has given up meanwhile
            self._transport.close()
        else:
            self._connection.connection_made(cast("asyncio.BaseTransport", self._transport))
            self._opened.set_result(None)

    def on_end(self) -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectionError("lost in its handshake"))
        else:
            self._transport.on_end()


class _Frame:
    """What a PicowsConnection reads of a frame."""

    fin, rsv1, rsv2, rsv3 = True, False, False, False

    def __init__(self, kind: WSMsgType, payload: bytes, code: int = 0) -> None:
        self.msg_type, self._payload, self._code = kind, payload, code

    def get_payload_as_memoryview(self) -> memoryview:
        return memoryview(self._payload)

    def get_close_code(self) -> int:
        return self._code


class WsClient:
    """The transport a PicowsConnection writes to, and the client's end of the wire. Frames are (kind, payload)."""

    def __init__(
        self, wire: Wire, connection: PicowsConnection, opened: asyncio.Future[None], loop: VirtualLoop
    ) -> None:
        self._wire, self._connection, self._opened, self._loop = wire, connection, opened, loop
        self.is_close_frame_sent = False
        self.close_handshake: Any = None
        self._closing = False
        self._heard_ns = loop.now_ns
        wire.on_frozen = self._on_frozen

    @property
    def underlying_transport(self) -> "WsClient":
        return self

    def is_closing(self) -> bool:
        return self._closing

    def send(self, kind: WSMsgType, payload: bytes) -> None:
        self._wire.send(Way.UP, (kind, payload))

    def send_close(self, code: int, reason: bytes | None = None) -> None:
        if self.is_close_frame_sent:
            return
        self.is_close_frame_sent = True
        self._shake(sent=SimpleNamespace(code=code, reason=(reason or b"").decode()))
        self._wire.send(Way.UP, (_CLOSE, int(code)))

    def disconnect(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002  as picows has it
        del graceful
        if not self._closing:
            self._closing = True
            self._wire.close_from(Way.UP)
            self._loop.call_soon(self._tell_closed)

    # End

    def on_data(self, data: Any) -> None:
        self._heard_ns = self._loop.now_ns
        if data is OPENED:
            if self._opened.done():
                self._closing = True
                self._wire.close_from(Way.UP)
                return
            self._connection.on_ws_connected(cast("WSTransport", self))
            self._opened.set_result(None)
            return
        if self._closing:
            return
        kind, payload = data
        if kind is _CLOSE:
            self._shake(recv=SimpleNamespace(code=payload, reason=""))
            frame = _Frame(kind, b"", payload)
        else:
            frame = _Frame(kind, payload)
        self._connection.on_ws_frame(cast("WSTransport", self), cast("WSFrame", frame))

    def on_end(self) -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectionError("lost in its handshake"))
        elif not self._closing:
            self._closing = True
            self._tell_closed()

    def _shake(self, **words: Any) -> None:
        if self.close_handshake is None:
            self.close_handshake = SimpleNamespace(recv=None, sent=None)
        for name, word in words.items():
            setattr(self.close_handshake, name, word)

    def _tell_closed(self) -> None:
        self._connection.on_ws_disconnected(cast("WSTransport", self))

    def _on_frozen(self) -> None:
        """Find the half-open connection as picows' pings do: silence, a ping, no pong, dropped."""
        ping_ns, reply_ns = int((_WS.ping_idle_s or 0) * 1e9), int(_WS.ping_reply_s * 1e9)
        found_ns = max(self._heard_ns + ping_ns, self._loop.now_ns) + reply_ns

        def found() -> None:
            if not self._closing and self._opened.done():
                self._closing = True
                self._tell_closed()

        self._loop.call_at(found_ns / 1e9, found, context=self._wire.contexts[Way.DOWN])
