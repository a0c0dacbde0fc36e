"""A simulated Paradex for tests: by plain calls with a hand-moved clock, and a raw client for its real sockets."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import trustme

from deltawire.core.money import E8, parse_e8
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.paradex_accounts import AccountView, PositionView, SimFill, SimOrder
from deltawire.sim.paradex_book import BookUpdate, SelfTrade
from deltawire.sim.paradex_checks import NewOrder
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_rules import CHAIN_ID, Depth, ParadexSimSettings
from deltawire.sim.paradex_server import ParadexSim
from deltawire.venues.paradex import records, rpc, sbe
from deltawire.venues.paradex.signing import Signer

BTC, ETH = "BTC-USD-PERP", "ETH-USD-PERP"
ALICE, BOB = 0xA11CE, 0xB0B
START_UNIX_NS = 1_795_000_000_000_000_000
DEADLINE_S = 60.0


class HandClock:
    """Time that stands still until it is moved; a scheduler on it."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._made = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return START_UNIX_NS + self.now_ns

    def call_later(self, delay_s: float, fn: Callable[[], None], /) -> "_Timer":
        self._made += 1  # settles ties
        entry = (self.now_ns + round(delay_s * 10**9), self._made, fn)
        self._due.append(entry)
        return _Timer(lambda: self._due.remove(entry) if entry in self._due else None)

    def advance(self, seconds: float) -> None:
        until_ns = self.now_ns + round(seconds * 10**9)
        while due := sorted(entry for entry in self._due if entry[0] <= until_ns):
            self._due.remove(due[0])
            self.now_ns = due[0][0]
            due[0][2]()
        self.now_ns = until_ns


@dataclass(frozen=True)
class _Timer:
    cancel: Callable[[], None]


class NoLog:
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


def e8(text: str) -> int:
    return parse_e8(text)


def quote(bid: str = "100000", ask: str = "100010", bid_size: str = "1", ask_size: str = "1") -> Quote:
    return Quote(e8(bid), e8(bid_size), e8(ask), e8(ask_size))


ONE_LEVEL = ParadexSimSettings(depth=Depth(levels=1))


@dataclass
class Bench:
    """An exchange with two accounts, and everything it published."""

    settings: ParadexSimSettings = ONE_LEVEL
    clock: HandClock = field(default_factory=HandClock)
    book: list[BookUpdate] = field(default_factory=list)
    private: list[SimOrder | SimFill | PositionView | AccountView] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = ParadexExchange(
            clock=self.clock,
            settings=self.settings,
            publish_book=self.book.append,
            publish_private=self.private.extend,
        )
        self.alice = self.exchange.add_account(ALICE, 1, 100_000 * E8)
        self.bob = self.exchange.add_account(BOB, 2, 100_000 * E8)
        self._signed_ms = 0
        self.exchange.on_quote("BTC", quote())

    def request(self, side: Side, size: str, price: str = "0", **fields: Any) -> NewOrder:
        self._signed_ms += 1
        given: dict[str, Any] = {
            "account": ALICE,
            "symbol": BTC,
            "kind": "LIMIT" if price != "0" else "MARKET",
            "instruction": "IOC",
            "signed_unix_ms": self._signed_ms,
            "received_unix_ns": self.clock.unix_ns(),
        }
        return NewOrder(side=side, size_e8=e8(size), price_e8=e8(price), **(given | fields))

    def send(self, side: Side, size: str, price: str = "0", **fields: Any) -> SimOrder:
        order = self.exchange.accept(self.request(side, size, price, **fields))
        self.exchange.execute(order)
        return order

    def buy(self, size: str, price: str = "0", **fields: Any) -> SimOrder:
        return self.send(Side.BUY, size, price, **fields)

    def sell(self, size: str, price: str = "0", **fields: Any) -> SimOrder:
        return self.send(Side.SELL, size, price, **fields)

    def rest(self, side: Side, size: str, price: str, **fields: Any) -> SimOrder:
        order = self.send(side, size, price, **({"instruction": "GTC"} | fields))
        assert order.status == "OPEN", order.cancel_reason
        return order

    def tick(self, bid: str, ask: str, bid_size: str = "1", ask_size: str = "1") -> None:
        self.exchange.on_quote("BTC", quote(bid, ask, bid_size, ask_size))

    def fills_of(self, order: SimOrder) -> list[SimFill]:
        return [event for event in self.private if isinstance(event, SimFill) and event.order_id == order.id]


EXPIRE_MAKER, EXPIRE_BOTH = SelfTrade.EXPIRE_MAKER, SelfTrade.EXPIRE_BOTH


class Client:
    """A raw client of the running simulator: aiohttp, no code of the adapter."""

    def __init__(self, http: aiohttp.ClientSession, rest_port: int, ws_port: int, account: int, key: int) -> None:
        self.http = http
        self.base = f"https://localhost:{rest_port}/v1"
        self.ws_url = f"wss://localhost:{ws_port}/v1?{sbe.QUERY}"
        self.signer = Signer(Secret(f"0x{key:x}"), f"0x{account:x}", CHAIN_ID)
        self.account = account

    async def auth(self, now_s: int, **query: str) -> str:
        status, body = await self.sign_in(now_s, now_s + 600, **query)
        assert status == 200, body
        return str(body["jwt_token"])

    async def sign_in(self, timestamp_s: int, expiry_s: int, *, headers=None, path=None, **query: str):
        sent = {
            "PARADEX-STARKNET-ACCOUNT": f"0x{self.account:x}",
            "PARADEX-STARKNET-SIGNATURE": self.signer.sign_auth(timestamp_s, expiry_s),
            "PARADEX-TIMESTAMP": str(timestamp_s),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiry_s),
            **(headers or {}),
        }
        url = f"{self.base}/auth/{path or self.signer.public_key_hex}"
        async with self.http.post(url, headers=sent, params=query) as answer:
            return answer.status, await answer.json()

    async def call(self, method: str, path: str, token: str = "", body: Any = None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, self.base + path, headers=headers, json=body) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else None

    def order(self, side: Side, size: str, price: str, **fields: Any) -> dict[str, Any]:
        signed_ms = fields.pop("signature_timestamp")
        kind = fields.get("type", "LIMIT")
        price_e8 = e8(price) if kind == "LIMIT" else 0
        return {
            "market": BTC,
            "side": side.name,
            "type": "LIMIT",
            "size": size,
            "instruction": "IOC",
            "signature": self.signer.sign_order(signed_ms, BTC, side, kind, e8(size), price_e8),
            "signature_timestamp": signed_ms,
            **({"price": price} if kind == "LIMIT" else {}),
            **fields,
        }


class Socket:
    """One WebSocket of the raw client; keeps the frames that came while it waited for another."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.frames: list[records.Record | records.Skipped] = []
        self.replies: dict[int, dict[str, Any]] = {}
        self.seen: list[str] = []  # "reply" or the record's class, in order of arrival
        self._ids = 0

    async def send(self, method: str, **params: Any) -> int:
        self._ids += 1
        await self.ws.send_str(rpc.encode_request(self._ids, method, params).decode())
        return self._ids

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        wanted = await self.send(method, **params)
        async with asyncio.timeout(DEADLINE_S):
            while wanted not in self.replies:
                await self.read()
        return self.replies[wanted]

    async def read(self) -> None:
        message = await self.ws.receive()
        if message.type == aiohttp.WSMsgType.TEXT:
            reply = orjson.loads(message.data)
            self.seen.append("reply")
            self.replies[reply["id"]] = reply
        elif message.type == aiohttp.WSMsgType.BINARY:
            record = sbe.decode(message.data)
            self.seen.append(type(record).__name__)
            self.frames.append(record)
        else:
            raise ConnectionError(f"closed: {message.type}")

    async def wait_for(self, kind: type, found: Callable[[Any], bool] = lambda _record: True) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for record in self.frames:
                    if isinstance(record, kind) and found(record):
                        return record
                await self.read()

    async def wait_closed(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await self.read()
                except ConnectionError:
                    return


@dataclass
class Running:
    sim: ParadexSim
    market: Market
    faults: Faults
    clock: HandClock
    client: Client
    http: aiohttp.ClientSession

    @property
    def now_ms(self) -> int:
        return self.clock.unix_ns() // 1_000_000

    def fault(self, kind: str, **params: Any) -> None:
        self.faults.add(Fault("paradex", kind, params=params))

    @asynccontextmanager
    async def socket(self, *, auth: bool = False, channels=(), **query: str):
        async with self.http.ws_connect(self.client.ws_url, autoclose=False) as ws:
            socket = Socket(ws)
            if auth:
                token = await self.client.auth(self.now_ms // 1000, **query)
                assert "result" in await socket.call("auth", bearer=token)
            for channel in channels:
                assert (await socket.call("subscribe", channel=channel))["result"] == {"channel": channel}
            yield socket


@asynccontextmanager
async def running(settings: ParadexSimSettings = ONE_LEVEL, collateral_e8: int = 100_000 * E8):
    """A simulator on real TLS sockets, its clock standing still, with one account and a quoted BTC market."""
    ca = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    ca.configure_trust(client_tls)
    clock, market, faults = HandClock(), Market(("BTC", "ETH")), Faults()
    sim = ParadexSim(clock=clock, market=market, faults=faults, settings=settings, log=NoLog())
    market.publish("paradex", "BTC", quote())
    rest_port, ws_port = await sim.start(server_tls)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls)) as http:
            client = Client(http, rest_port, ws_port, ALICE, 0x123456789)
            sim.add_account(ALICE, client.signer.public_key, collateral_e8)
            yield Running(sim, market, faults, clock, client, http)
    finally:
        await sim.stop()
