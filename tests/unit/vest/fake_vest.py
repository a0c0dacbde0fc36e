"""A small Vest in memory, behind net.api: it keeps state, checks keys, signatures, decimals and nonces, and refuses.

Not the simulator: no market, no pool, no fees worth the name. Tests say what happens to the next orders.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.order import Order, apply
from deltawire.core.secret import Secret
from deltawire.net.api import HttpFailure, HttpResponse, HttpWritten, WsHandler
from deltawire.venues.vest import rest, signing, wire, ws
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT, VestSettings
from deltawire.venues.vest.signing import Signer

PRIMARY_KEY = "0x" + "11" * 32
PRIMARY = Signer(Secret(PRIMARY_KEY)).address
DECIMALS = {"BTC-PERP": (4, 2), "ETH-PERP": (3, 3), "AAPL-USD-PERP": (3, 2)}


def settings(**changes):
    base = VestSettings(
        rest_url="https://vest.test/v2",
        ws_url="wss://vest.test/ws-api",
        primary_address=PRIMARY,
        primary_private_key=Secret(PRIMARY_KEY),
        symbols=("BTC-PERP", "AAPL-USD-PERP"),
    )
    return replace(base, **changes)


@dataclass
class Fate:
    """What happens to one order. events: statuses told one after the other, `gap_s` apart."""

    answer: str = "ack"  # ack | lost (taken, no answer) | never (not taken, no answer) | refuse
    answer_s: float = 0.08
    refusal: tuple[int, bytes] = (200, b"")
    events: tuple[str, ...] = ("NEW", "FILLED")
    first_event_s: float = 0.2
    gap_s: float = 0.05
    code: int | None = None  # of REJECTED
    partial: str = ""  # lastFilledSize of PARTIALLY_FILLED
    repeats: int = 1  # each event so many times
    without_nonce: bool = False


@dataclass
class FakeOrder:
    row: wire.OrderRow
    fate: Fate
    listed: bool = True


@dataclass
class FakeSocket:
    venue: "FakeVest"
    url: str
    handler: WsHandler
    is_open: bool = True
    sent: list[wire.Command] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def private(self):
        return "listenKey=" in self.url

    def send_text(self, payload):
        if not self.is_open:
            raise ConnectionError("not open")
        command = ws.read_command(payload)
        self.sent.append(command)
        loop = asyncio.get_running_loop()
        if command.method == ws.PING:
            if self.venue.answers_pings:
                loop.call_soon(self.push, ws.pong())
        elif command.method == ws.SUBSCRIBE:
            if command.params == [ws.ACCOUNT_PRIVATE] and not self.private:
                loop.call_soon(self.end, 4003)
                return
            self.channels.update(command.params)
            loop.call_soon(self.push, ws.subscribe_ack(command.id))
            if any(channel.endswith("@depth") for channel in command.params):
                for raw in self.venue.first_frames:
                    loop.call_soon(self.push, raw)

    def push(self, raw):
        if self.is_open:
            self.handler.on_text(memoryview(raw), self.venue.clock.mono_ns())

    def end(self, code=1006, reason=""):
        if self.is_open:
            self.is_open = False
            self._over.set()
            self.handler.on_closed(code, reason)

    def close(self, code=1000):
        asyncio.get_running_loop().call_soon(self.end, code)

    def abort(self):
        asyncio.get_running_loop().call_soon(self.end, 1006, "aborted here")

    async def wait_closed(self):
        await self._over.wait()


class FakePool:
    def __init__(self, venue, origin, pool_settings, warm_target, warm_headers):
        self.venue, self.origin, self.settings = venue, origin, pool_settings
        self.warm_target, self.warm_headers = warm_target, warm_headers
        self.idle = 0
        self.carried = 1
        self.closed = False

    async def warm(self):
        if self.venue.pool_down:
            raise HttpFailure("did not open", maybe_sent=False)
        self.idle = self.settings.connections

    @property
    def has_idle(self) -> bool:
        return self.idle > 0

    def post_now(self, target, headers, body, on_done):
        if self.idle == 0:
            return None
        self.idle -= 1
        now = self.venue.clock.mono_ns()
        written = HttpWritten(now, True, 5_000_000, self.carried)
        self.carried += 1

        def done(outcome):
            self.idle += 1
            on_done(outcome)

        self._exchange(target, headers, body, written, done)
        return written

    async def request(self, method, target, headers=b"", body=b""):
        if self.venue.pool_down:
            raise HttpFailure("did not open", maybe_sent=False)
        answer = asyncio.get_running_loop().create_future()
        written = HttpWritten(self.venue.clock.mono_ns(), False, 0, 0)
        self._exchange(target, headers, body, written, answer.set_result)
        outcome = await answer
        if isinstance(outcome, HttpFailure):
            raise outcome
        return outcome

    def _exchange(self, target, headers, body, written, done):
        fate, answer = self.venue.take_order(target, headers, body)

        def reply():
            if answer is None:
                done(HttpFailure("no answer", maybe_sent=True))
                return
            done(
                HttpResponse(
                    answer[0],
                    {"content-type": "application/json", "x-ratelimit-remaining": "199"},
                    answer[1],
                    written.written_mono_ns,
                    self.venue.clock.mono_ns(),
                    written.reused,
                    written.connection_age_ns,
                    written.connection_requests,
                )
            )

        asyncio.get_running_loop().call_later(fate.answer_s, reply)

    async def close(self):
        self.closed = True


class FakeVest:
    """Network, HttpClient and venue in one."""

    def __init__(self, clock):
        self.clock = clock
        self.api_key = ""
        self.api_keys_made = 0
        self.signer = ""
        self.group = 1
        self.listen_key = ""
        self.listen_keys_made = 0
        self.last_nonce = 0
        self.orders: dict[int, FakeOrder] = {}
        self.fates: deque[Fate] = deque()
        self.bodies: list[bytes] = []
        self.positions: list[wire.Position] = []
        self.sockets: list[FakeSocket] = []
        self.pools: list[FakePool] = []
        self.pool_down = False
        self.ws_down = False
        self.answers_pings = True
        self.account_address = PRIMARY
        self.leverages: list[wire.Leverage] = []
        self.statuses: dict[str, str] = {}  # symbol -> of its ticker, TRADING when left out
        self.first_frames: list[bytes] = []  # pushed on each subscription to a depth channel
        self.calls: list[str] = []
        self.failing: dict[
            str, deque[tuple[int, bytes] | Exception]
        ] = {}  # "GET /account" -> answers to give instead, an Exception is raised
        self.client_closed = False

    # net.api.Network

    async def connect_ws(self, url, handler, *, headers=None, timeout_s=5.0):
        if self.ws_down:
            raise ConnectionError("refused wss://vest.test")
        query = parse_qs(urlsplit(url).query)
        socket = FakeSocket(self, url, handler)
        self.sockets.append(socket)
        loop = asyncio.get_running_loop()
        if query["xwebsocketserver"] != [f"restserver{self.group}"]:
            loop.call_soon(socket.end, 4002)
        elif "listenKey" in query and query["listenKey"] != [self.listen_key]:
            loop.call_soon(socket.end, 4004)
        return socket

    def http_pool(self, origin, pool_settings, warm_target, warm_headers):
        self.pools.append(FakePool(self, origin, pool_settings, warm_target, warm_headers))
        return self.pools[-1]

    # HttpClient

    async def request(self, method, target, headers=None, body=None, *, timeout_s=10.0):
        await asyncio.sleep(0.02)
        assert target.startswith("/v2/")
        url = urlsplit(target.removeprefix("/v2"))
        call = f"{method} {url.path}"
        self.calls.append(call)
        planned = self.failing.get(call)
        if planned:
            answer = planned.popleft()
            if isinstance(answer, Exception):
                raise answer
        else:
            answer = self._serve(call, parse_qs(url.query), headers, body)
        now = self.clock.mono_ns()
        return HttpResponse(answer[0], {}, answer[1], now, now, True, 0, 1)

    async def close(self):
        self.client_closed = True

    # The venue.

    def _serve(self, call, query, headers, body):
        public = call in {"GET /exchangeInfo", "GET /ticker/latest", "POST /register"}
        if headers["xrestservermm"] != f"restserver{self.group}" and not public:
            return 400, rest.error_answer(1146, "Invalid account group")
        match call:  # the public calls
            case "GET /exchangeInfo":
                markets = [wire.Market(s, d[0], d[1], "0.0001", "0.1", "0.05") for s, d in DECIMALS.items()]
                return 200, rest.answer(wire.ExchangeInfo(markets, wire.Exchange(6)))
            case "GET /ticker/latest":
                tickers = [
                    wire.Ticker(s, "0.0000125", "0", "0", "69999.5", "70000", self.statuses.get(s, wire.TRADING))
                    for s in query["symbols"][0].split(",")
                ]
                return 200, rest.answer(wire.Tickers(tickers))
            case "POST /register":
                return self._register(rest.read_body(body, wire.Registration))
        if headers.get("X-API-KEY") != self.api_key or not self.api_key:
            return 401, rest.error_answer(1002, "Unauthorized")
        if call.endswith("/listenKey"):
            return self._serve_listen_key(call)
        if "orders" in call:
            return self._serve_orders(call, query, body)
        return self._serve_account(call, body)

    def _serve_listen_key(self, call):
        match call:
            case "POST /account/listenKey":
                if not self.listen_key:
                    self.listen_keys_made += 1
                    self.listen_key = f"listen-key-{self.listen_keys_made}"
                return 200, rest.answer(wire.ListenKey(self.listen_key))
            case "PUT /account/listenKey":
                if not self.listen_key:
                    return 400, rest.error_answer(1125, "gone")
                return 200, rest.answer(wire.ListenKey(self.listen_key))
            case "DELETE /account/listenKey":
                self.listen_key = ""
                return 200, b"{}"
            case _:
                raise AssertionError(call)

    def _serve_account(self, call, body):
        match call:
            case "GET /account":
                account = wire.Account(
                    self.account_address, "10", "8.5", "10.25", self.positions, leverages=self.leverages
                )
                return 200, rest.answer(account)
            case "GET /account/nonce":
                return 200, rest.answer(wire.LastNonce(self.last_nonce))
            case "POST /account/leverage":
                change = rest.read_body(body, wire.LeverageChange)
                return 200, rest.answer(wire.Leverage(change.symbol, change.value))
            case _:
                raise AssertionError(call)

    def _serve_orders(self, call, query, body):
        match call:
            case "GET /orders":
                rows = [o.row for o in self.orders.values() if o.listed]
                if "nonce" in query:
                    rows = [row for row in rows if row.nonce == int(query["nonce"][0])]
                if "status" in query:
                    rows = [row for row in rows if row.status == query["status"][0]]
                return 200, rest.answer(rows)
            case "POST /orders/cancel":
                sent = rest.read_body(body, wire.CancelSubmit)
                assert query["time"] == [str(sent.order.time)]
                digest = signing.personal_digest(rest.signed_cancel_bytes(sent.order))
                assert signing.is_signed_by(self.signer, digest, sent.signature)
                order = next(o for o in self.orders.values() if o.row.id == sent.order.id)
                if order.row.status in wire.FINAL:
                    return 200, rest.error_answer(3017, "nothing to cancel")
                order.row.status = wire.CANCELLED
                self.tell(order, wire.CANCELLED)
                return 200, rest.answer(wire.OrderId(order.row.id))
            case _:
                raise AssertionError(call)

    def _register(self, body):
        digest = signing.proof_digest(PRODUCTION_CONTRACT, body.signing_addr, body.expiry_time)
        if not signing.is_signed_by(body.primary_addr, digest, body.signature):
            return 400, rest.error_answer_nested(1022, "Invalid signature")
        self.signer = body.signing_addr
        self.api_keys_made += 1
        self.api_key = f"api-key-{self.api_keys_made}"
        return 200, rest.answer(wire.Registered(self.api_key, self.group))

    def take_order(self, target, headers, body):
        """Return (fate, answer); the answer is None when the client gets none."""
        assert target == "/v2/orders"
        self.bodies.append(body)
        fate = self.fates.popleft() if self.fates else Fate()
        if fate.answer == "never":
            return fate, None
        if fate.answer == "refuse":
            return fate, fate.refusal
        if f"X-API-KEY: {self.api_key}\r\n".encode() not in headers:
            return fate, (401, rest.error_answer(1002, "Unauthorized"))
        sent = rest.read_body(body, wire.OrderSubmit)
        refused = self._refusal(sent)
        if refused:
            return fate, (400, rest.error_answer(refused, "refused by rule"))
        order = self._place(sent.order, fate)
        return fate, None if fate.answer == "lost" else (200, rest.answer(wire.OrderId(order.row.id)))

    def _refusal(self, sent):
        order = sent.order
        digest = signing.personal_digest(rest.signed_order_bytes(order))
        if not signing.is_signed_by(self.signer, digest, sent.signature):
            return 1022
        size_decimals, price_decimals = DECIMALS[order.symbol]
        for text, decimals in ((order.size, size_decimals), (order.limit_price, price_decimals)):
            if len(text.partition(".")[2]) != decimals:
                return 1111
        if order.nonce in self.orders:
            return 3015
        if self.clock.unix_ns() // 10**6 > order.time + sent.recv_window:
            return 1132
        return 0

    def _place(self, order, fate):
        self.last_nonce = max(self.last_nonce, order.nonce)
        row = wire.OrderRow(
            id=f"0x{order.nonce:064x}",
            symbol=order.symbol,
            is_buy=order.is_buy,
            size=order.size,
            status=wire.NEW,
            nonce=order.nonce,
            order_type=order.order_type,
            limit_price=order.limit_price,
            reduce_only=order.reduce_only,
            post_time=self.clock.unix_ns() // 10**6,
        )
        placed = self.orders[order.nonce] = FakeOrder(row, fate)
        loop = asyncio.get_running_loop()
        for i, status in enumerate(fate.events):
            loop.call_later(fate.first_event_s + i * fate.gap_s, self.move, placed, status)
        return placed

    def move(self, order, status):
        """Bring an order into a state and tell the private stream."""
        row, fate = order.row, order.fate
        row.status = status
        if status == wire.FILLED or (status == wire.PARTIALLY_FILLED and fate.partial):
            row.last_filled_size = row.size if status == wire.FILLED else fate.partial
            row.last_filled_price = row.avg_filled_price = row.limit_price
            row.last_filled_time = self.clock.unix_ns() // 10**6
            row.fees = "0.250000"
        if status == wire.REJECTED:
            row.code = fate.code
        for _ in range(fate.repeats):
            self.tell(order, status)

    def tell(self, order, status):
        row = order.row
        event = wire.OrderEvent(row.id, status, row.nonce, code=row.code, post_time=row.post_time)
        if order.fate.without_nonce:
            event.nonce = None
        if status not in {wire.CANCELLED, wire.REJECTED}:
            for name in ("symbol", "is_buy", "order_type", "limit_price", "size", "reduce_only", "fees"):
                setattr(event, name, getattr(row, name))
            for name in ("last_filled_size", "last_filled_price", "last_filled_time", "avg_filled_price"):
                setattr(event, name, getattr(row, name))
        self.push_private(ws.private_event(event))

    def push_private(self, raw):
        for socket in self.sockets:
            if socket.private and ws.ACCOUNT_PRIVATE in socket.channels:
                socket.push(raw)

    def push_public(self, raw):
        for socket in self.sockets:
            if not socket.private:
                socket.push(raw)

    def open_sockets(self, *, private):
        return [s for s in self.sockets if s.is_open and s.private is private]


class Ear:
    """A VenueSink that plays the engine's order machine, so that an illegal sequence fails the test."""

    def __init__(self):
        self.orders: dict[str, Order] = {}
        self.events: dict[str, list[OrderEvent]] = {}
        self.books: list[tuple[Book, int]] = []
        self.links: list[tuple[str, bool]] = []

    def on_book(self, book, received_mono_ns):
        self.books.append((book, received_mono_ns))

    def on_order(self, client_id, event):
        self.events.setdefault(client_id, []).append(event)
        self.orders[client_id] = apply(self.orders[client_id], event)

    def on_link(self, venue, link, *, up, detail):
        assert venue == "vest"
        self.links.append((link, up))


class Log:
    """An EventLog that keeps everything it is given."""

    def __init__(self):
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event, **fields):
        self.lines.append(("info", event, fields))

    def warning(self, event, **fields):
        self.lines.append(("warning", event, fields))

    def error(self, event, **fields):
        self.lines.append(("error", event, fields))

    def named(self, event):
        return [fields for _, name, fields in self.lines if name == event]

    def errors(self):
        return [line for line in self.lines if line[0] == "error"]

    def text(self):
        return json.dumps(self.lines, default=repr)
