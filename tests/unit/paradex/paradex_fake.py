"""A small Paradex in memory: a Network and an HTTP client with state and rules, for the adapter's tests.

It refuses what the venue refuses: wrong tokens and signatures, private calls before auth, a second subscription, a used
client id. Its answers come on a later turn of the loop, as from a socket. Knows no matching: tests say what fills.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson

from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.types import ClientOrderId
from deltawire.net.api import HttpDone, HttpFailure, HttpPool, HttpResponse, HttpWritten, PoolSettings, WsHandler
from deltawire.venues.paradex import rest, rpc, sbe, signing
from deltawire.venues.paradex.records import Account, BookUpdate, Fill, Order, Position, Record
from deltawire.venues.paradex.wire_json import account_json, fill_json, order_json, position_json

CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"
E8 = 10**8


class RealClock:
    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def unix_ns(self) -> int:
        return time.time_ns()


class MemoryLog:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))


class MemorySink:
    """Keeps what the adapter says; `until` waits for a condition on it, with a deadline."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, OrderEvent]] = []
        self.links: list[tuple[str, bool]] = []
        self.books: list[tuple[str, bool]] = []
        self._heard = asyncio.Event()

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        self.books.append((book.symbol, book.valid))
        self._heard.set()

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.orders.append((client_id, event))
        self._heard.set()

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        self.links.append((link, up))
        self._heard.set()

    def of(self, client_id: str) -> list[OrderEvent]:
        return [event for known, event in self.orders if known == client_id]

    def kinds(self, client_id: str) -> list[str]:
        return [type(event).__name__ for event in self.of(client_id)]

    async def until(self, holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._heard.clear()
                # Woken by news, or by the poll for conditions that are not news of the sink.
                try:
                    await asyncio.wait_for(self._heard.wait(), 0.01)
                except TimeoutError:
                    continue


class FakeConnection:
    """One WebSocket of the fake: implements net.api.WsConnection on the client's side."""

    def __init__(self, venue: "FakeParadex", url: str, handler: WsHandler) -> None:
        self.venue, self.handler = venue, handler
        self.is_open = True
        self.authenticated = False
        self.armed = False
        self.channels: set[str] = set()
        self.methods: list[str] = []
        self._closed = asyncio.Event()
        self.is_sbe = bool(urlsplit(url).query)
        assert parse_qs(urlsplit(url).query) in ({}, {"sbeSchemaId": ["1"], "sbeSchemaVersion": ["2"]})

    def send_text(self, payload: bytes) -> None:
        if not self.is_open:
            raise ConnectionError("not open")
        request = rpc.decode_request(payload)
        self.methods.append(request.method)
        self.venue.on_request(self, request)

    def close(self, code: int = 1000) -> None:
        self._end(code, "")

    def abort(self) -> None:
        self._end(1006, "aborted")

    async def wait_closed(self) -> None:
        await self._closed.wait()

    def lose(self) -> None:
        """Cut by the network."""
        self._end(1006, "connection lost")

    def text(self, payload: bytes) -> None:
        self._later(lambda: self.handler.on_text(memoryview(payload), time.monotonic_ns()))

    def binary(self, payload: bytes) -> None:
        self._later(lambda: self.handler.on_binary(memoryview(payload), time.monotonic_ns()))

    def _later(self, deliver: Callable[[], None]) -> None:
        def run() -> None:
            if self.is_open:
                deliver()

        asyncio.get_running_loop().call_soon(run)

    def _end(self, code: int, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.venue.on_disconnect(self)
        self._closed.set()
        asyncio.get_running_loop().call_soon(self.handler.on_closed, code, reason)


class FakePool:
    """The warm connections of the second road: implements net.api.HttpPool."""

    def __init__(self, venue: "FakeParadex", connections: int) -> None:
        self.venue, self.idle, self._connections = venue, 0, connections
        self.posts = 0

    async def warm(self) -> None:
        self.idle = self._connections

    @property
    def has_idle(self) -> bool:
        return self.idle > 0

    def post_now(self, target: str, headers: bytes, body: bytes, on_done: HttpDone) -> HttpWritten | None:
        if not self.idle:
            return None
        self.idle -= 1
        self.posts += 1
        assert target == "/v1/orders"

        def done(outcome: HttpResponse | HttpFailure) -> None:
            self.idle += 1
            on_done(outcome)

        lines = dict(line.split(": ", 1) for line in headers.decode().splitlines())
        asyncio.get_running_loop().call_soon(self.venue.on_post_order, lines, body, done)
        return HttpWritten(time.monotonic_ns(), reused=True, connection_age_ns=5, connection_requests=7)

    async def request(self, method: str, target: str, headers: bytes = b"", body: bytes = b"") -> HttpResponse:
        raise AssertionError("only orders go over the pool")

    async def close(self) -> None:
        self.idle = 0


@dataclass(slots=True)
class FakeParadex:
    """The venue. Tests set `on_create` and the dicts below, and push frames with `tell`."""

    account_address: str
    public_key: int
    connections: list[FakeConnection] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)  # by client id
    fills: list[Fill] = field(default_factory=list)
    history_hidden: bool = False  # the history lags behind
    tokens: set[str] = field(default_factory=set)
    tokens_made: int = 0
    confirms_cancel_on_disconnect: bool = True
    private_as_json: bool = False
    on_create: Callable[[FakeConnection, rpc.Request, Order], None] | None = None
    snapshots: Callable[[str], BookUpdate] | None = None
    refuse_connects: int = 0
    unreachable: set[str] = field(default_factory=set)  # REST paths that do not answer
    refuse_tokens: int = 0  # private reads to answer with INVALID_TOKEN
    refusals: dict[str, str] = field(default_factory=dict)  # REST path -> code to refuse with
    cancelled_by_disconnect: list[str] = field(default_factory=list)
    fee_info: bool = True
    channels_refused: set[str] = field(default_factory=set)
    headers: dict[str, str] = field(default_factory=dict)  # of every REST answer
    state: str = "ok"
    main_public_key: str = "0x1"
    classes_asked: list[str] = field(default_factory=list)  # token_usage of each auth
    http_closed: bool = False
    pool: "FakePool | None" = None
    on_post: Callable[[rpc.CreateParams, HttpDone], None] | None = None  # what POST /orders does instead
    asked: list[str] = field(default_factory=list)
    seq: int = 1000

    # ---- Network

    async def connect_ws(
        self, url: str, handler: WsHandler, *, headers: Mapping[str, str] | None = None, timeout_s: float = 60.0
    ) -> FakeConnection:
        await asyncio.sleep(0)
        if self.refuse_connects:
            self.refuse_connects -= 1
            raise ConnectionError("refused")
        connection = FakeConnection(self, url, handler)
        self.connections.append(connection)
        return connection

    def http_pool(self, origin: str, settings: PoolSettings, warm_target: str, warm_headers: bytes) -> HttpPool:
        assert warm_target == "/v1/system/time"
        assert warm_headers == b""
        self.pool = FakePool(self, settings.connections)
        return self.pool

    @property
    def order_connection(self) -> FakeConnection:
        return [connection for connection in self.connections if "auth" in connection.methods][-1]

    @property
    def data_connection(self) -> FakeConnection:
        return [connection for connection in self.connections if "auth" not in connection.methods][-1]

    # ---- WebSocket

    def on_request(self, connection: FakeConnection, request: rpc.Request) -> None:
        params = request.params
        if isinstance(params, rpc.AuthParams):
            if params.bearer not in self.tokens:
                self._refuse(connection, request, 40111, "invalid bearer token")
                return
            connection.authenticated = True
            self._answer(connection, request, {"node_id": "n1"})
        elif isinstance(params, rpc.ChannelParams):
            self._on_channel(connection, request, params.channel)
        elif not connection.authenticated:
            self._refuse(connection, request, 40300, "permission denied")
        elif isinstance(params, rpc.CancelOnDisconnectParams):
            connection.armed = params.enabled and self.confirms_cancel_on_disconnect
            self._answer(connection, request, {"enabled": connection.armed})
        elif isinstance(params, rpc.CreateParams):
            self._on_create(connection, request, params)
        elif isinstance(params, rpc.CancelParams):
            known = params.id or params.client_id
            if any(known in (order.order_id, order.client_id) for order in self.orders.values()):
                self._answer(connection, request, {"order_id": known, "status": "QUEUED_FOR_CANCELLATION"})
            else:
                self._refuse(connection, request, 100, "ORDER_ID_NOT_FOUND")

    def _on_channel(self, connection: FakeConnection, request: rpc.Request, channel: str) -> None:
        private = channel in (rpc.ORDERS, rpc.FILLS, rpc.POSITIONS, rpc.ACCOUNT)
        if private and not connection.authenticated:
            self._refuse(connection, request, 40300, "permission denied")
        elif (channel in connection.channels) == (request.method == "subscribe"):
            self._refuse(connection, request, -32600, "already subscribed, or not")
        elif channel in self.channels_refused:
            self._refuse(connection, request, -32600, "invalid request", "invalid channel")
        elif request.method == "unsubscribe":
            connection.channels.discard(channel)
            self._answer(connection, request, {"channel": channel})
        else:
            connection.channels.add(channel)
            self._answer(connection, request, {"channel": channel})
            if channel.startswith("order_book.") and self.snapshots is not None and connection.is_sbe:
                connection.binary(sbe.encode(self.snapshots(channel.split(".")[1])))

    def _on_create(self, connection: FakeConnection, request: rpc.Request, params: rpc.CreateParams) -> None:
        made = self.make_order(params)
        if isinstance(made, str):
            self._refuse(connection, request, 100, "order refused", made)
        elif self.on_create is not None:
            self.on_create(connection, request, made)
        else:
            self.acknowledge(connection, request, made)

    def on_post_order(self, headers: Mapping[str, str], body: bytes, done: HttpDone) -> None:
        """POST /orders."""
        if headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            done(answer_of(401, rest.error_body("INVALID_TOKEN", "token is not valid")))
            return
        params = msgspec.json.decode(body, type=rpc.CreateParams)
        if self.on_post is not None:
            self.on_post(params, done)
            return
        made = self.make_order(params)
        if isinstance(made, str):
            done(answer_of(400, rest.error_body(made, "order refused")))
        else:
            done(answer_of(201, orjson.dumps(order_json(made))))

    def make_order(self, params: rpc.CreateParams) -> Order | str:
        """Return the order, or the code to refuse it with."""
        chain = signing.order_chain(params.signature_timestamp, params.market, params.order_side, params.type)
        message = signing.message_hash(
            CHAIN_ID, int(self.account_address, 16), signing.order_struct_hash(chain, params.size_e8, params.price_e8)
        )
        if not signing.verify(self.public_key, message, signing.decode_signature(params.signature)):
            return "INVALID_ORDER_SIGNATURE"
        client_id = params.client_id or ""
        if client_id in self.orders:
            return "DUPLICATED_CLIENT_ID"
        now_ns = time.time_ns() // 10**6 * 10**6
        order = Order(
            venue_unix_ns=params.signature_timestamp * 10**6, seq=self._next_seq(), status="NEW",
            side=params.order_side, order_type=params.type, instruction=params.instruction, price_e8=params.price_e8,
            trigger_price_e8=None, size_e8=params.size_e8, remaining_e8=params.size_e8, avg_fill_price_e8=None,
            created_unix_ns=now_ns, updated_unix_ns=now_ns, account=self.account_address, received_unix_ns=now_ns,
            published_unix_ns=now_ns, stp="NONE", flags=tuple(params.flags or ()), request_status="UNSPECIFIED",
            request_type="UNSPECIFIED", order_id=f"1795{len(self.orders):024d}", client_id=client_id,
            market=params.market, cancel_reason="", request_id="", request_message="",
        )  # fmt: skip
        self.orders[client_id] = order
        return order

    def acknowledge(self, connection: FakeConnection, request: rpc.Request, order: Order) -> None:
        self._answer(connection, request, rpc.order_result(order, time.time_ns()))

    def fill(self, client_id: str, size_e8: int, *, price_e8: int | None = None, quietly: bool = False) -> Fill:
        """Fill part of an order and, unless quietly, say so on the private channel."""
        order = self.orders[client_id]
        price_e8 = price_e8 or order.price_e8 or 0
        remaining_e8 = order.remaining_e8 - size_e8
        assert remaining_e8 >= 0
        self.orders[client_id] = order = replace(
            order, remaining_e8=remaining_e8, avg_fill_price_e8=price_e8, status="OPEN" if remaining_e8 else "CLOSED"
        )
        fill = Fill(
            venue_unix_ns=order.created_unix_ns, seq=self._next_seq(), fill_type="FILL", side=order.side,
            liquidity="TAKER", price_e8=price_e8, size_e8=size_e8, fee_e8=size_e8 * price_e8 // E8 * 45_000 // E8,
            realized_pnl_e8=0, created_unix_ns=order.created_unix_ns, account=order.account,
            underlying_price_e8=price_e8, realized_funding_e8=0, flags=(), book_seq=self.seq,
            fill_id=f"f{len(self.fills)}", order_id=order.order_id, client_id=client_id, trade_id="t",
            market=order.market, fee_currency="USDC",
        )  # fmt: skip
        self.fills.append(fill)
        if not quietly:
            self.tell(fill)
        return fill

    def end(self, client_id: str, reason: str = "", *, quietly: bool = False) -> None:
        """Close an order, with a reason unless it is filled."""
        order = replace(self.orders[client_id], status="CLOSED", cancel_reason=reason, seq=self._next_seq())
        self.orders[client_id] = order
        if not quietly:
            self.tell(order)

    def tell(self, record: Record) -> None:
        """Push a private record to every connection subscribed to its channel."""
        channel, data = {
            Order: (rpc.ORDERS, order_json), Fill: (rpc.FILLS, fill_json), Position: (rpc.POSITIONS, position_json),
            Account: (rpc.ACCOUNT, account_json),
        }[type(record)]  # fmt: skip
        for connection in self.connections:
            if connection.is_open and channel in connection.channels:
                if self.private_as_json:
                    connection.text(rpc.encode_notification(channel, data(record)))  # type: ignore[operator]  # matched by type
                else:
                    connection.binary(sbe.encode(record))

    def on_disconnect(self, connection: FakeConnection) -> None:
        if connection.armed:
            for client_id, order in self.orders.items():
                if not order.is_closed:
                    self.cancelled_by_disconnect.append(client_id)
                    self.end(client_id, "CANCEL_ON_DISCONNECT", quietly=True)

    def _answer(self, connection: FakeConnection, request: rpc.Request, result: Any) -> None:
        now_us = time.time_ns() // 1000
        connection.text(rpc.encode_reply(request.id, result, now_us - 37, now_us))

    def _refuse(
        self, connection: FakeConnection, request: rpc.Request, code: int, message: str, data: str = ""
    ) -> None:
        connection.text(rpc.encode_error(request.id, code, message, 0, 0, data))

    def _next_seq(self) -> int:
        self.seq += 1
        return self.seq

    # ---- REST

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout_s: float = 10.0,
    ) -> HttpResponse:
        await asyncio.sleep(0)
        parts = urlsplit(target)
        assert parts.path.startswith("/v1/")
        path = parts.path.removeprefix("/v1")
        self.asked.append(f"{method} {path}")
        if path in self.unreachable:
            raise HttpFailure(f"{path}: no answer", maybe_sent=True)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, answer = self._route(method, path, query, headers or {})
        return answer_of(status, answer, self.headers)

    async def close(self) -> None:
        self.http_closed = True

    def _route(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        if path in self.refusals:
            return 400, rest.error_body(self.refusals[path], "as the test wants it")
        if path.startswith("/auth/"):
            self.classes_asked.append(query.get("token_usage", ""))
            return self._auth(path, headers)
        public = {
            "/system/time": lambda: orjson.dumps({"server_time": str(time.time_ns() // 10**6)}),
            "/system/config": lambda: orjson.dumps({"starknet_chain_id": CHAIN_ID, "paraclear_decimals": 8}),
            "/system/state": lambda: orjson.dumps({"status": self.state}),
            "/markets": lambda: rest.results([rest.market_json(market) for market in MARKETS]),
        }
        if path in public:
            return 200, public[path]()
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or self.refuse_tokens:
            self.refuse_tokens = max(self.refuse_tokens - 1, 0)
            return 401, rest.error_body("INVALID_TOKEN", "token is not valid")
        if path.startswith("/orders/by_client_id/"):
            order = self.orders.get(path.rpartition("/")[2])
            if method == "DELETE" and order is not None and not order.is_closed:
                self.end(order.client_id, "USER_CANCELED")
                return 204, b""
            if order is None or order.is_closed:
                return 400, rest.error_body("CLIENT_ORDER_ID_NOT_FOUND", "no such order")
            return 200, orjson.dumps(order_json(order))
        return self._private(path, query)

    def _private(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        orders = self.orders.values()
        if path == "/orders-history":
            shown = [] if self.history_hidden else [o for o in orders if o.client_id == query["client_id"]]
            return 200, rest.results([order_json(order) for order in shown], paged=True)
        if path == "/orders":
            return 200, rest.results([order_json(order) for order in orders if not order.is_closed])
        if path == "/fills":
            since_ns = int(query["start_at"]) * 10**6
            shown_fills = [fill for fill in self.fills if fill.created_unix_ns >= since_ns]
            return 200, rest.results([fill_json(fill) for fill in shown_fills], paged=True)
        if path == "/account/info":
            info = rest.AccountInfo(self.account_address, "main", 3_000, 35_000 if self.fee_info else None)
            data = rest.account_info_json(info, self.main_public_key)
            if not self.fee_info:
                del data["fees"]
            return 200, rest.results([data])
        if path == "/account":
            return 200, orjson.dumps(
                {"account": self.account_address, "account_value": "1000.5", "free_collateral": "900.25"}
            )
        if path == "/positions":
            return 200, rest.results(
                [{"market": "BTC-USD-PERP", "side": "SHORT", "size": "-0.5", "average_entry_price": "100000.123456789"},
                 {"market": "ETH-USD-PERP", "side": "LONG", "size": "0", "status": "CLOSED"}]
            )  # fmt: skip
        return 404, rest.error_body("NOT_FOUND", path)

    def _auth(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        timestamp_s, expiration_s = (
            int(headers[name]) for name in ("PARADEX-TIMESTAMP", "PARADEX-SIGNATURE-EXPIRATION")
        )
        message = signing.message_hash(
            CHAIN_ID,
            int(headers["PARADEX-STARKNET-ACCOUNT"], 16),
            signing.auth_struct_hash(timestamp_s, expiration_s),
        )
        signature = signing.decode_signature(headers["PARADEX-STARKNET-SIGNATURE"])
        if int(path.rpartition("/")[2], 16) != self.public_key or not signing.verify(
            self.public_key, message, signature
        ):
            return 401, rest.error_body("STARKNET_SIGNATURE_VERIFICATION_FAILED", "bad signature")
        self.tokens_made += 1
        token = f"jwt-{self.tokens_made}-secret"
        self.tokens.add(token)
        return 200, orjson.dumps({"jwt_token": token})


def answer_of(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        status, headers or {}, body, 0, time.monotonic_ns(), reused=True, connection_age_ns=0, connection_requests=1
    )


MARKETS = [
    rest.Market(
        symbol=symbol, price_tick_e8=tick_e8, size_step_e8=step_e8, notional_min_e8=10 * E8, size_max_e8=100 * E8,
        position_limit_e8=300 * E8, price_band_e8=5_000_000, fee_maker_e8=3_000, fee_taker_e8=45_000,
        trading_mode=mode, asset_kind="PERP", funding_period_hours=8,
    )
    for symbol, tick_e8, step_e8, mode in (
        ("BTC-USD-PERP", E8 // 10, 1_000, "STANDARD"),
        ("ETH-USD-PERP", E8 // 100, 10_000, "STANDARD"),
        ("RFQ-USD-PERP", E8 // 100, 10_000, "RFQ_ONLY"),
    )
]  # fmt: skip
