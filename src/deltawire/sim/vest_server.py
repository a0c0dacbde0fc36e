"""The simulated Vest on real sockets: HTTPS under /v2 and a WebSocket at /ws-api, on loopback, TLS handed in.

Only carries bytes; what they mean is in vest_api and vest_streams. Connections are counted, so a client's keep-alive
can be seen from this side. Source: Vest API v2 notes, sections 1, 2 and 8.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from deltawire.sim.clock import Timer
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.vest_accounts import margin_of
from deltawire.sim.vest_api import PREFIX, Answer, Drop, Request, VestApi
from deltawire.sim.vest_dice import VENUE
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_faults import strike_at_once
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.sim.vest_streams import Stream, StreamHub
from deltawire.venues.contract import Clock, EventLog
from deltawire.venues.vest import signing

LOOPBACK = "127.0.0.1"
WS_PATH = "/ws-api"
_ORDERS_PATH = f"{PREFIX}/orders"
CLOSE_GRACE_S = 0.5  # for the client's own close frame; a client that sends none must not hold the venue open
CONNECTIONS_KEPT = 1_000  # request counts of the newest connections shown in state()
ORDERS_READ_KEPT = 10_000  # when the newest orders were read, for the reaction figures
ORDERS_SHOWN = 50_000  # newest orders of each account shown in state(): all of a long drill's


class VestSim:
    """One simulated Vest: add accounts, start, trade, read state(), stop."""

    def __init__(
        self, *, clock: Clock, market: Market, faults: Faults, settings: VestSimSettings, log: EventLog
    ) -> None:
        rng = Random(settings.seed)
        self._log, self._settings, self._clock = log, settings, clock
        self._orders_read_mono_ns: deque[int] = deque(maxlen=ORDERS_READ_KEPT)
        self.exchange = VestExchange(
            clock=clock, call_later=_call_later, rng=rng, faults=faults, settings=settings, bases=market.bases
        )
        self.streams = StreamHub(self.exchange, clock=clock, call_later=_call_later, rng=rng, faults=faults)
        strike_at_once(self.exchange, self.streams, faults, _call_later)
        self._api = VestApi(
            self.exchange,
            call_later=_call_later,
            rng=rng,
            faults=faults,
            on_listen_key_closed=self.streams.listen_key_closed,
        )
        self._runner: web.ServerRunner | None = None
        self._http: _CountingServer | None = None
        self._ws: asyncio.Server | None = None
        self._sockets: dict[_Listener, None] = {}  # open ones, oldest first
        for base in market.bases:
            last = market.last(VENUE, base)
            if last is not None:
                self.exchange.on_quote(base, last)
        market.subscribe(VENUE, self.exchange.on_quote)

    def add_account(self, primary_address: str, collateral_e8: int, acc_group: int = 0) -> None:
        """Open an account with this collateral. Raises ValueError for a bad address or group."""
        self.exchange.accounts.add(primary_address, collateral_e8, acc_group)

    def halt(self, symbol: str, *, halted: bool) -> None:
        """Close a market (orders: 1148, or 3024 when already in flight), or open it again."""
        self.exchange.pool(symbol).halted = halted

    async def start(self, tls: ssl.SSLContext, rest_port: int = 0, ws_port: int = 0) -> tuple[int, int]:
        """Listen on loopback and begin to quote; returns the REST and the WebSocket port."""
        self._http = _CountingServer(
            self._serve, handler_cancellation=True, keepalive_timeout=self._settings.keepalive_s, access_log=None
        )
        self._runner = web.ServerRunner(self._http, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, rest_port, ssl_context=tls).start()
        self._ws = await ws_create_server(self._listener, LOOPBACK, ws_port, ssl=tls)
        self.exchange.start()
        self.streams.start()
        rest_at, ws_at = self._runner.addresses[0][1], self._ws.sockets[0].getsockname()[1]
        self._log.info("sim.started", venue=VENUE, rest_port=rest_at, ws_port=ws_at)
        return rest_at, ws_at

    async def stop(self) -> None:
        """Close every connection and stop listening; may be called without start."""
        self.exchange.stop()
        self.streams.stop()
        if self._ws is not None:
            self._ws.close()
            for socket in list(self._sockets):
                await socket.ended()
            await self._ws.wait_closed()
            self._ws = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._log.info("sim.stopped", venue=VENUE)

    def state(self) -> dict[str, Any]:
        """Return accounts, orders and counters for the control URL. Amounts in 1e-8; no secret is in it."""
        exchange, pools = self.exchange, self.exchange.pools
        for pool in pools.values():
            exchange.accrue(pool)
        accounts = []
        for account in exchange.accounts.by_address.values():
            orders = exchange.orders_of(account)
            accounts.append(
                {
                    "primary_address": signing.checksummed(account.address),
                    "group": account.group,
                    "collateral_e8": account.ledger.collateral_e8,
                    "equity_e8": margin_of(account, account.ledger, pools).equity_e8,
                    "fees_paid_e8": account.ledger.fees_paid_e8,
                    "last_nonce": account.last_nonce,
                    "positions": [
                        {"symbol": symbol, "size_e8": held.size_e8, "entry_price_e8": held.entry_price_e8}
                        for symbol, held in sorted(account.ledger.positions.items())
                    ],
                    "open_orders": sum(not order.is_final for order in orders),
                    "orders": [order.state() for order in orders[:ORDERS_SHOWN]],
                }
            )
        http = self._http
        return {
            "accounts": accounts,
            "house": {"collateral_e8": exchange.house.collateral_e8},
            "counters": dict(exchange.counters),
            "http": {
                "connections_opened": http.opened if http else 0,
                "connections_open": len(http.connections) if http else 0,
                "requests_by_connection": [carried[0] for carried in http.carried] if http else [],
            },
            "streams": self.streams.links(),
        }

    def reaction(self, since_mono_ns: int) -> dict[str, Any]:
        """Return when orders were read, whatever became of them, from a moment on."""
        return {"orders_read_mono_ns": [mono_ns for mono_ns in self._orders_read_mono_ns if mono_ns >= since_mono_ns]}

    async def _serve(self, raw: web.BaseRequest) -> web.StreamResponse:
        assert self._http is not None
        if raw.method == "POST" and raw.path == _ORDERS_PATH:
            self._orders_read_mono_ns.append(self._clock.mono_ns())
        self._http.count(raw.protocol)
        body = await raw.read()
        request = Request(
            method=raw.method,
            path=raw.path.removeprefix(PREFIX) if raw.path.startswith(f"{PREFIX}/") else "",
            query=dict(raw.query),
            headers={name.lower(): value for name, value in raw.headers.items()},
            body=body,
        )
        answered: asyncio.Future[Answer | Drop] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer | Drop) -> None:
            if not answered.done():  # done: the client has gone meanwhile
                answered.set_result(answer)

        self._api.handle(request, reply)
        answer = await answered
        if isinstance(answer, Drop):
            if raw.transport is not None:
                raw.transport.abort()
            return web.Response(status=500)  # goes nowhere: the connection is gone
        headers = dict(answer.headers) | {"Content-Type": answer.content_type}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _listener(self, upgrade: WSUpgradeRequest) -> WSListener | None:
        target = urlsplit(upgrade.path.decode("latin-1"))
        if target.path != WS_PATH:
            return None  # picows answers 404
        return _Listener(self.streams, dict(parse_qsl(target.query, keep_blank_values=True)), self._sockets)


def _call_later(delay_s: float, fn: Callable[[], None], /) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, fn)


class _CountingServer(web.Server):
    """Counts connections and the requests each of them carried."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any], **settings: Any) -> None:
        super().__init__(handler, **settings)
        self.opened = 0
        self.carried: deque[list[int]] = deque(maxlen=CONNECTIONS_KEPT)
        self._by_handler: dict[RequestHandler, list[int]] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.opened += 1
        self._by_handler[handler] = [0]
        self.carried.append(self._by_handler[handler])

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._by_handler.pop(handler, None)
        super().connection_lost(handler, exc)

    def count(self, handler: RequestHandler | None) -> None:
        carried = self._by_handler.get(handler) if handler is not None else None
        if carried is not None:
            carried[0] += 1


class _Listener(WSListener):
    """One accepted socket: picows on one side, a Stream on the other."""

    def __init__(self, hub: StreamHub, query: dict[str, str], opened: "dict[_Listener, None]") -> None:
        self._hub, self._query, self._open = hub, query, opened
        self._stream: Stream | None = None
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._open[self] = None
        self._stream = self._hub.open(self._query, self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and self._stream is not None and not transport.is_close_frame_sent:
            self._hub.on_text(self._stream, frame.get_payload_as_bytes())

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self._transport = None
        self._open.pop(self, None)
        if self._stream is not None:
            self._hub.closed(self._stream)

    # --- vest_streams.Connection ---

    def send_text(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, payload)

    def close(self, code: int) -> None:
        """Send the close frame and wait a little for the client's, as RFC 6455 wants, before the TCP end."""
        if self._transport is not None:
            # picows passes any number on; its enum only names the standard ones.
            self._transport.send_close(cast("WSCloseCode", code))
            _call_later(CLOSE_GRACE_S, self.abort)

    async def ended(self) -> None:
        """Wait for the end of the connection; close() bounds it."""
        if self._transport is not None:
            await self._transport.wait_disconnected()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
