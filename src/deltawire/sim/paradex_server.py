"""The simulated Paradex as a TLS server on loopback: REST by aiohttp, WebSocket by picows, both under /v1.

Only sockets, timers and counters; what a request means is decided in the sans-I/O modules beside it.
Source: Paradex reference, sections 1, 5 and 9.1.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from picows import (
    WSAutoPingStrategy,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from deltawire.sim.clock import Timer
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_gateway import VENUE
from deltawire.sim.paradex_http import HttpAnswer, HttpCall
from deltawire.sim.paradex_rules import ParadexSimSettings
from deltawire.sim.paradex_session import Session
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.venues.contract import Clock, EventLog
from deltawire.venues.paradex import sbe

if TYPE_CHECKING:
    from picows import WSCloseCode

LOOPBACK = "127.0.0.1"
PREFIX = "/v1"
FRAME_BYTES_MAX = 1 << 20
SHUTDOWN_S = 0.5  # for answers on their way when the simulator stops


class ParadexSim:
    """One simulated venue. add_account any time; start once; stop ends every connection and timer."""

    def __init__(
        self, *, clock: Clock, market: Market, faults: Faults, settings: ParadexSimSettings, log: EventLog
    ) -> None:
        self._clock = clock
        self._log = log
        self._venue = SimulatedParadex(
            clock=clock, call_later=_call_later, market=market, faults=faults, settings=settings
        )
        self.exchange = self._venue.exchange
        self._sockets: set[_Socket] = set()
        self._runner: web.ServerRunner | None = None
        self._ws_server: asyncio.Server | None = None

    def add_account(self, address: int, public_key: int, collateral_e8: int) -> None:
        """Open an account. public_key: the x-coordinate of the key that signs for it."""
        self.exchange.add_account(address, public_key, collateral_e8)

    def add_subkey(self, address: int, public_key: int) -> None:
        """Let another key sign for an account, as a registered subkey does."""
        self.exchange.add_subkey(address, public_key)

    async def start(self, tls: ssl.SSLContext, rest_port: int = 0, ws_port: int = 0) -> tuple[int, int]:
        """Listen on loopback and begin the timers; returns the REST and the WebSocket port."""
        server = web.Server(self._on_http, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, rest_port, ssl_context=tls).start()
        settings = self._venue.settings
        self._ws_server = await ws_create_server(
            self._on_upgrade,
            LOOPBACK,
            ws_port,
            ssl=tls,
            max_frame_size=FRAME_BYTES_MAX,
            enable_auto_ping=True,
            auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
            auto_ping_idle_timeout=settings.ping_every_s,
            auto_ping_reply_timeout=settings.pong_within_s,
        )
        self._venue.start()
        rest_at, ws_at = self._runner.addresses[0][1], self._ws_server.sockets[0].getsockname()[1]
        self._log.info("sim.started", venue=VENUE, rest_port=rest_at, ws_port=ws_at)
        return rest_at, ws_at

    async def stop(self) -> None:
        """End timers, connections and listeners; may be called without start, and twice."""
        self._venue.stop()
        if self._ws_server is not None:
            self._ws_server.close()
            for socket in list(self._sockets):
                socket.abort()
            await self._ws_server.wait_closed()
            self._ws_server = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._log.info("sim.stopped", venue=VENUE)

    def state(self) -> dict[str, Any]:
        """Return accounts, orders and counters for the control URL. No secret is in it."""
        return self._venue.state()

    def market_written_mono_ns(self, base: str) -> int:
        """Return when the newest frame of a base's market was sent to anyone, 0: never."""
        return self._venue.market_written_mono_ns(base)

    def reaction(self, since_mono_ns: int) -> dict[str, Any]:
        """Return what a client's reaction is measured by, for the control URL."""
        return self._venue.reaction(since_mono_ns)

    async def _on_http(self, request: web.BaseRequest) -> web.StreamResponse:
        read_mono_ns = self._clock.mono_ns()
        self._venue.counters["http_requests"] += 1
        if not request.path.startswith(f"{PREFIX}/"):
            return web.Response(status=HTTPStatus.NOT_FOUND)
        body = await request.read()  # bounded by aiohttp at 1 MiB
        call = HttpCall(
            method=request.method,
            path=request.path.removeprefix(PREFIX),
            query=dict(request.query),
            headers={name.upper(): value for name, value in request.headers.items()},
            body=body,
            read_mono_ns=read_mono_ns,
        )
        answered: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()

        def reply(answer: HttpAnswer) -> None:
            if not answered.done():  # done: the client has gone meanwhile
                answered.set_result(answer)

        self._venue.rest.handle(call, reply)
        status, payload, headers = await answered
        if status == 0:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)  # goes nowhere: the connection is gone
        if status == HTTPStatus.NO_CONTENT:
            return web.Response(status=status, headers=headers)
        return web.Response(status=status, body=payload, content_type="application/json", headers=headers)

    def _on_upgrade(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        url = urlsplit(request.path.decode("latin-1"))
        if url.path != PREFIX:
            return None  # picows answers 404
        if not self._venue.may_connect():
            response = WSUpgradeResponse.create_error_response(HTTPStatus.TOO_MANY_REQUESTS, b"too many connects")
            return WSUpgradeResponseWithListener(response, None)
        query = parse_qs(url.query)
        version = query.get("sbeSchemaVersion", [""])[0]
        asked = int(version) if version.isascii() and version.isdecimal() and len(version) <= 4 else -1
        if query.get("sbeSchemaId") != [str(sbe.SCHEMA_ID)] or not 0 <= asked <= self._venue.settings.sbe_version_max:
            self._venue.counters["upgrades_refused"] += 1
            response = WSUpgradeResponse.create_error_response(HTTPStatus.BAD_REQUEST, b"SBE schema not served")
            return WSUpgradeResponseWithListener(response, None)
        return _Socket(self._venue, self._clock, self._sockets, asked)


def _call_later(delay_s: float, fn: Callable[[], None], /) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, fn)


class _Socket(WSListener):
    """One accepted WebSocket: picows on one side, a Session on the other."""

    def __init__(self, venue: SimulatedParadex, clock: Clock, sockets: "set[_Socket]", sbe_version: int) -> None:
        super().__init__()
        self._sbe_version = sbe_version
        self._venue = venue
        self._clock = clock
        self._sockets = sockets
        self._transport: WSTransport | None = None
        self._session: Session | None = None
        self._paused = False
        self.unsent = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._sockets.add(self)
        self._session = self._venue.connect(self, self._sbe_version)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        read_mono_ns = self._clock.mono_ns()
        if frame.msg_type == WSMsgType.TEXT and frame.fin:
            cast("Session", self._session).on_text(frame.get_payload_as_memoryview(), read_mono_ns)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002  picows calls it so
        self._sockets.discard(self)
        cast("Session", self._session).on_disconnected()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused, self.unsent = False, 0

    def send_text(self, payload: bytes) -> None:
        self._send(WSMsgType.TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        self._send(WSMsgType.BINARY, payload)

    def close(self, code: int) -> None:
        transport = cast("WSTransport", self._transport)
        transport.send_close(cast("WSCloseCode", code))  # picows takes any number
        transport.disconnect()

    def abort(self) -> None:
        cast("WSTransport", self._transport).disconnect(graceful=False)

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        self.unsent += self._paused
        cast("WSTransport", self._transport).send(kind, payload)
