"""Drives every call the simulated Paradex has, refusals included, over its real sockets, and keeps all it answered."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import aiohttp
import orjson
from tests.unit.sim_paradex.venue import ALICE, BTC, ONE_LEVEL, Client, Running, Socket, quote, running

from deltawire.core.money import E8
from deltawire.core.types import Side
from deltawire.venues.paradex.signing import onboarding_struct_hash

PRIVATE = (
    "orders.ALL", "fills.ALL", "positions", "account", "tradebusts", "balance_events", "funding_payments.ALL",
    "transaction",
)  # fmt: skip
QUIET = ("transfers",)  # may be subscribed; never happens in the simulator


@dataclass(frozen=True)
class Answer:
    method: str
    path: str
    status: int
    body: bytes
    asked: str  # what was sent, for the message of a failing test


@dataclass
class Heard:
    """answers: of REST. replies: of WebSocket, by method. news: channel data in JSON, by channel."""

    answers: list[Answer] = field(default_factory=list)
    replies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    news: list[tuple[str, Any]] = field(default_factory=list)
    routes: list[tuple[str, str]] = field(default_factory=list)  # of REST, as patterns
    methods: set[str] = field(default_factory=set)  # of WebSocket


class RestCaller:
    def __init__(self, venue: Running, heard: Heard) -> None:
        self.venue = venue
        self._heard = heard
        self.token = ""

    async def call(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Any:
        client = self.venue.client
        token = self.token if token is None else token
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        async with client.http.request(method, client.base + path, headers=sent, data=data) as answer:
            raw = await answer.read()
            asked = f"{method} {path} {'' if data is None else data[:120]!r}"
            self._heard.answers.append(Answer(method, path.split("?", maxsplit=1)[0], answer.status, raw, asked))
            return orjson.loads(raw) if raw else None

    def order(self, size: str = "0.1", price: str = "100010", **fields: Any) -> dict[str, Any]:
        stamp = fields.pop("signature_timestamp", self.venue.now_ms)
        return self.venue.client.order(Side.BUY, size, price, signature_timestamp=stamp, **fields)

    def modification(self, order_id: str, price: str) -> dict[str, Any]:
        signer, now_ms = self.venue.client.signer, self.venue.now_ms
        signature = signer.sign_modify(now_ms, BTC, Side.BUY, "LIMIT", E8 // 10, int(price) * E8, order_id)
        fields = {"id": order_id, "market": BTC, "side": "BUY", "type": "LIMIT", "size": "0.1", "price": price}
        return fields | {"signature": signature, "signature_timestamp": now_ms}


class SocketCaller(Socket):
    """Keeps each reply with the method it answers, and every piece of channel data."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, heard: Heard) -> None:
        super().__init__(ws)
        self._heard = heard

    async def read(self) -> None:
        message = await self.ws.receive(timeout=60)
        if message.type == aiohttp.WSMsgType.BINARY:
            return  # SBE is judged elsewhere
        assert message.type == aiohttp.WSMsgType.TEXT, message
        frame = orjson.loads(message.data)
        if "method" in frame:
            assert set(frame) == {"jsonrpc", "method", "params"}
            assert frame["method"] == "subscription"
            self._heard.news.append((frame["params"]["channel"], frame["params"]["data"]))
        else:
            self.replies[frame["id"]] = frame

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        reply = await super().call(method, **params)
        self._heard.replies.append((method, reply))
        return reply

    async def news_of(self, channel: str) -> None:
        while all(name != channel for name, _ in self._heard.news):
            await self.read()

    async def answered_without_id(self, method: str, **params: Any) -> None:
        replies = cast("dict[int | None, Any]", self.replies)
        await self.send(method, **params)
        while None not in replies:
            await self.read()
        self._heard.replies.append((method, replies[None]))


async def hear() -> Heard:
    heard = Heard()
    async with running(replace(ONE_LEVEL, private_as_json=True)) as venue:
        venue.market.publish("paradex", "ETH", quote("4000", "4001"))
        rest = RestCaller(venue, heard)
        await _public(rest)
        await _signing_in(rest)
        await _orders(rest)
        await _private(rest)
        await _refused_orders(rest)
        await _websocket(venue, rest, heard)
        await _maintenance(rest)
        heard.routes = [(method, pattern.pattern) for method, pattern, _ in venue.sim._venue.rest._routes]
    tight = replace(ONE_LEVEL, calls_public=((1, 60),), orders_pro=((1, 60),))
    async with running(tight) as venue:
        rest = RestCaller(venue, heard)
        for _ in range(2):
            await rest.call("GET", "/system/time")
        rest.token = await venue.client.auth(venue.now_ms // 1000)
        for cid in ("l1", "l2"):
            await rest.call("POST", "/orders", rest.order(client_id=cid))
    return heard


async def _public(rest: RestCaller) -> None:
    for path in (
        "/system/time", "/system/config", "/system/state", "/jwks.json", "/markets", f"/markets?market={BTC}",
        "/markets?market=NO", "/markets/summary?market=ALL", f"/markets/summary?market={BTC}", "/markets/summary",
        f"/bbo/{BTC}", "/bbo/NO", f"/bbo/{BTC}/interactive", f"/orderbook/{BTC}", f"/orderbook/{BTC}?depth=1",
        f"/orderbook/{BTC}?depth=x", f"/orderbook/{BTC}/interactive", f"/trades?market={BTC}", "/trades?market=NO",
        f"/funding/data?market={BTC}", "/funding/data",
    ):  # fmt: skip
        await rest.call("GET", path)


async def _signing_in(rest: RestCaller) -> None:
    client: Client = rest.venue.client
    now_s = rest.venue.now_ms // 1000
    key = client.signer.public_key_hex

    def headers(timestamp_s: int = now_s, until_s: int = now_s + 600, **more: str) -> dict[str, str]:
        signed = {
            "PARADEX_STARKNET_ACCOUNT": f"0x{client.account:x}",
            "PARADEX_STARKNET_SIGNATURE": client.signer.sign_auth(timestamp_s, until_s),
            "PARADEX_TIMESTAMP": str(timestamp_s),
            "PARADEX_SIGNATURE_EXPIRATION": str(until_s),
        }
        return signed | more

    await rest.call("POST", "/auth", **headers())
    rest.token = (await rest.call("POST", f"/auth/{key}", **headers()))["jwt_token"]
    for wrong in (
        headers(until_s=now_s - 1),
        headers(PARADEX_STARKNET_ACCOUNT="0x1"),
        headers(PARADEX_STARKNET_ACCOUNT="me"),
        headers(PARADEX_STARKNET_SIGNATURE="none"),
        headers(PARADEX_STARKNET_SIGNATURE='["1","2"]'),
    ):
        await rest.call("POST", "/auth", token="", **wrong)
    await rest.call("POST", "/auth/0x1", **headers())
    await rest.call("GET", f"/onboarding?public_key={key}&account_signer_type=starknet")
    await rest.call("GET", "/onboarding?public_key=0x1&account_signer_type=starknet")
    onboarding = headers(
        PARADEX_ETHEREUM_ACCOUNT="0x0", PARADEX_STARKNET_SIGNATURE=client.signer.sign_struct(onboarding_struct_hash())
    )
    await rest.call("POST", "/onboarding", {"public_key": key}, **onboarding)


async def _orders(rest: RestCaller) -> None:
    await rest.call("POST", "/orders", rest.order(client_id="taken"))
    resting = await rest.call("POST", "/orders", rest.order(price="99000", instruction="GTC", client_id="resting"))
    for path in ("/orders", f"/orders?market={BTC}", f"/orders/{resting['id']}", "/orders/by_client_id/resting"):
        await rest.call("GET", path)
    await rest.call("PUT", f"/orders/{resting['id']}", rest.modification(resting["id"], "98000"))
    await rest.call("DELETE", f"/orders/{resting['id']}")
    await rest.call("DELETE", f"/orders/{resting['id']}")
    await rest.call("POST", "/orders", rest.order(price="97000", instruction="GTC", client_id="second"))
    await rest.call("DELETE", f"/orders/by_client_id/second?market={BTC}")
    prices = ("96000", "95000", "94000")
    batch = [rest.order(price=price, instruction="GTC", client_id=f"b{price}") for price in prices]
    placed = await rest.call("POST", "/orders/batch", [*batch, rest.order(size="0.000011")])
    asked = {"order_ids": [placed["orders"][0]["id"], "1", resting["id"]], "client_order_ids": ["b95000", "none"]}
    await rest.call("DELETE", "/orders/batch", asked)
    await rest.call("DELETE", f"/orders?market={BTC}")
    await rest.call("DELETE", "/orders")
    for second in range(60):
        rest.venue.clock.advance(second and 1)
        rest.venue.sim.exchange.accrue_funding()
    await rest.call("POST", "/orders", rest.order(size="0.05"))  # realises funding


async def _private(rest: RestCaller) -> None:
    paths = (
        "/account", "/account/info", "/account/margin", f"/account/margin?market={BTC}", "/balance", "/positions",
        "/orders-history", "/orders-history?client_id=taken", "/fills", f"/fills?market={BTC}&page_size=1",
        f"/funding/payments?market={BTC}", "/tradebusts", "/transactions", "/transfers",
    )  # fmt: skip
    for path in paths:
        await rest.call("GET", path)
        await rest.call("GET", path.split("?")[0], token="")
    await rest.call("GET", "/account", token="a.b.c")
    wanted = {"name": "watch", "token_type": "read_only", "expiry_duration": 600}
    made = await rest.call("POST", "/account/tokens", wanted)
    await rest.call("POST", "/account/tokens", wanted | {"expiry_duration": 1})
    await rest.call("GET", "/account/tokens")
    await rest.call("DELETE", "/orders", token=made["token"])
    for lookup_id in (made["api_token"]["lookup_id"], "none"):
        await rest.call("DELETE", f"/account/tokens/{lookup_id}")
    await rest.call("GET", "/trades?market=ALL")
    await rest.call("GET", "/funding/payments")
    await rest.call("GET", "/fills?page_size=x")
    page = await rest.call("GET", "/fills?page_size=1")
    await rest.call("GET", f"/fills?page_size=1&cursor={page['next']}")
    await rest.call("GET", "/fills?page_size=1&cursor=x")


async def _refused_orders(rest: RestCaller) -> None:
    for body in (
        b"{",
        rest.order(client_id="taken"),
        rest.order(size="0.000011"),
        rest.order(size="0"),
        rest.order(signature='["1","2"]'),
        rest.order(signature_timestamp=rest.venue.now_ms - 600_000),
        rest.order(type="STOP_LIMIT"),
        rest.order(instruction="RPI"),
        rest.order() | {"market": "NO-USD-PERP"},
    ):
        await rest.call("POST", "/orders", body)
    await rest.call("POST", "/orders", rest.order(), token="")
    await rest.call("POST", "/orders/batch", [])
    await rest.call("POST", "/orders/batch", b"{")
    await rest.call("DELETE", "/orders/batch", b"[")
    for method in ("GET", "DELETE"):
        await rest.call(method, "/orders/1")
        await rest.call(method, "/orders/by_client_id/none")
    await rest.call("PUT", "/orders/1", rest.modification("1", "98000"))
    await rest.call("PUT", "/orders/1", rest.modification("2", "98000"))


async def _maintenance(rest: RestCaller) -> None:
    for status in ("post_only", "cancel_only", "maintenance"):
        rest.venue.sim.exchange.status = status
        await rest.call("GET", "/system/state")
        await rest.call("POST", "/orders", rest.order(client_id=status))


async def _websocket(venue: Running, rest: RestCaller, heard: Heard) -> None:
    async with venue.http.ws_connect(venue.client.ws_url, autoclose=False) as ws:
        socket = SocketCaller(ws, heard)
        for method in ("order.create", "order.cancel_all", "order.cancel_on_disconnect"):
            await socket.call(method, **(rest.order() if method == "order.create" else {"enabled": True}))
        await socket.call("auth", bearer="nonsense")
        await socket.call("auth", bearer="a.b.c")
        await socket.call("auth")
        await socket.call("subscribe", channel="orders.ALL")
        await socket.call("auth", bearer=rest.token)
        for channel in (*PRIVATE, *QUIET, f"order_book.{BTC}.deltas", f"bbo.{BTC}"):
            await socket.call("subscribe", channel=channel)
        for channel in ("nonsense", "positions"):
            await socket.call("subscribe", channel=channel)
        await socket.call("subscribe", channel="markets_summary", markets=[BTC])
        await socket.call("modify_subscription", channel="markets_summary", add=["ETH-USD-PERP"], remove=[BTC])
        await socket.call("modify_subscription", channel=f"bbo.{BTC}", add=["ETH-USD-PERP"])
        for _ in range(2):
            await socket.call("unsubscribe", channel=f"bbo.{BTC}")
        await _websocket_orders(rest, socket)
        await socket.call("order.fly")
        heard.methods = set(venue.sim._venue._streams.connections[0]._handlers)  # type: ignore[attr-defined]


async def _websocket_orders(rest: RestCaller, socket: SocketCaller) -> None:
    rest.venue.clock.advance(20)
    rest.venue.sim.exchange.accrue_funding()
    await socket.call("order.create", **rest.order(size="0.02", client_id="w1"))
    for channel in ("fills.ALL", "orders.ALL", "positions", "account", "funding_payments.ALL"):
        await socket.news_of(channel)
    for wrong in (
        rest.order(client_id="w1"),
        rest.order(signature='["1","2"]'),
        rest.order() | {"size": "x"},
        {"side": "BUY"},
    ):
        await socket.call("order.create", **wrong)
    resting = await socket.call("order.create", **rest.order(price="99000", instruction="GTC", client_id="w2"))
    order_id = resting["result"]["order"]["id"]
    await socket.call("order.modify", **rest.modification(order_id, "98500"))
    await socket.call("order.modify", **rest.modification(order_id, "98500") | {"signature": '["1","2"]'})
    await socket.call("order.cancel", id=order_id)
    await socket.call("order.cancel", id=order_id)
    await socket.call("order.cancel")
    orders = [rest.order(price=price, instruction="GTC", client_id=f"w{price}") for price in ("97000", "96000")]
    batch = await socket.call("order.create_batch", orders=[*orders, rest.order(size="0.000011")])
    await socket.call("order.create_batch", orders=[])
    ids = [one["order"]["id"] for one in batch["result"]["results"] if "order" in one]
    await socket.call("order.cancel", client_id="w97000", market=BTC)
    await socket.call("order.cancel_batch", order_ids=[*ids, "1"])
    await socket.call("order.cancel_all")
    await socket.call("order.cancel_all", market=BTC)
    await socket.call("order.cancel_on_disconnect", enabled=True)
    await socket.call("order.cancel_on_disconnect", enabled="yes")
    await socket.call("order.create", **rest.order(size="0.5", price="1", type="MARKET", flags=["REDUCE_ONLY"]))
    rest.venue.fault("idless_error")
    await socket.answered_without_id("order.create", **rest.order(size="0.03", client_id="w3"))
    rest.venue.fault("bust")
    await socket.news_of("tradebusts")
    await rest.call("GET", "/tradebusts")


def heard_once() -> Heard:
    assert ALICE
    return asyncio.run(hear())
