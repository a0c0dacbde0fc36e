"""The simulated Vest on real TLS sockets, spoken to by aiohttp and not by our own client."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec
import pytest
import trustme
from tests.unit.sim_vest.world import DELEGATE, PRIMARY, SETTINGS, STRANGER, quote

from deltawire.core.money import E8
from deltawire.sim.clock import RealClock
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market
from deltawire.sim.vest_server import VestSim
from deltawire.sim.vest_settings import PRODUCTION_CONTRACT
from deltawire.venues.vest import rest, wire
from deltawire.venues.vest.signing import Signer

DEADLINE_S = 60
# Fast, so that no test waits: real delays are the exchange's matter and tested on a clock moved by hand.
FAST = replace(
    SETTINGS, depth_median_ms=20, depth_p90_ms=20, execution_delay_ms=(1, 5), account_delay_ms=(1, 5), keepalive_s=5.0
)


class NoLog:
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


class Client:
    """A trader's program: signs with our codec, but its transport is aiohttp's."""

    def __init__(self, sim: VestSim, faults: Faults, session: aiohttp.ClientSession, ports: tuple[int, int]) -> None:
        self.sim, self.faults, self.session = sim, faults, session
        self.url = f"https://127.0.0.1:{ports[0]}/v2"
        self.ws_url = f"wss://127.0.0.1:{ports[1]}/ws-api"
        self.clock = RealClock()
        self.headers = {"xrestservermm": "restserver0"}
        self.nonce = self.now_ms

    @property
    def now_ms(self) -> int:
        return self.clock.unix_ns() // 10**6

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        kind = {"Content-Type": "application/json"} if body else {}
        async with self.session.request(
            method, self.url + path, data=body or None, headers=self.headers | kind
        ) as answer:
            text = await answer.read()
            json_answer = answer.content_type == "application/json"
            return answer.status, json.loads(text) if json_answer else text.decode()

    async def register(self, primary: Signer = PRIMARY, prover: Signer = PRIMARY) -> tuple[int, Any]:
        expiry = self.now_ms + 60_000
        body = {
            "signingAddr": DELEGATE.address.lower(),
            "primaryAddr": primary.address.lower(),
            "signature": prover.prove(PRODUCTION_CONTRACT, DELEGATE.address, expiry),
            "expiryTime": expiry,
            "networkType": 0,
        }
        status, found = await self.call("POST", "/register", json.dumps(body).encode())
        if status == 200:
            self.headers["X-API-KEY"] = found["apiKey"]
        return status, found

    async def order(self, signer: Signer = DELEGATE, size: str = "0.1000") -> tuple[int, Any]:
        self.nonce += 1
        fields = wire.OrderFields(
            time=self.now_ms,
            nonce=self.nonce,
            order_type="MARKET",
            symbol="BTC-PERP",
            is_buy=True,
            size=size,
            limit_price="66000.00",
            reduce_only=False,
        )
        submit = wire.OrderSubmit(order=fields, signature=signer.sign(rest.signed_order_bytes(fields)))
        return await self.call("POST", "/orders", msgspec.json.encode(submit))

    async def listen(self, *channels: str, key: str = "", **query: str) -> aiohttp.ClientWebSocketResponse:
        params = {"version": "1.0", "xwebsocketserver": "restserver0"} | query
        if key:
            params["listenKey"] = key
        socket = await self.session.ws_connect(self.ws_url, params=params)
        if channels:
            await socket.send_json({"method": "SUBSCRIBE", "params": channels, "id": 9})
            assert await receive(socket) == {"result": None, "id": 9}
        return socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Any:
    return await socket.receive_json(timeout=DEADLINE_S)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is waited for happens behind sockets
            await asyncio.sleep(0.001)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def client(ca: trustme.CA) -> AsyncIterator[Client]:
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    ca.configure_trust(client_tls)
    market, faults = Market(("BTC", "ETH")), Faults()
    market.publish("vest", "BTC", quote("60000.00", "60010.00"))
    market.publish("vest", "ETH", quote("2500.000", "2500.500"))
    sim = VestSim(clock=RealClock(), market=market, faults=faults, settings=FAST, log=NoLog())
    sim.add_account(PRIMARY.address, 100_000 * E8)
    ports = await sim.start(server_tls)
    connector = aiohttp.TCPConnector(ssl=client_tls, limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Client(sim, faults, session, ports)
    await sim.stop()


async def test_a_stranger_reads_the_market_and_is_told_where_he_may_not(client):
    status, info = await client.call("GET", "/exchangeInfo")
    assert (status, [market["symbol"] for market in info["symbols"]]) == (200, ["BTC-PERP", "ETH-PERP"])
    assert await client.call("GET", "/account") == (403, "Forbidden")
    assert (await client.call("GET", "/nothing"))[0] == 404


async def test_a_proof_of_the_primary_key_registers_and_another_does_not(client):
    assert (await client.register(prover=STRANGER))[1] == {"detail": {"code": 1022, "msg": "INVALID_SIGNATURE"}}
    status, found = await client.register()
    assert (status, found["accGroup"]) == (200, 0)
    status, account = await client.call("GET", "/account?time=1")
    assert (status, account["address"], account["collateral"]) == (200, PRIMARY.address, "100000.000000")


async def test_an_order_goes_from_its_answer_to_the_private_stream_to_the_account(client):
    await client.register()
    key = (await client.call("POST", "/account/listenKey"))[1]["listenKey"]
    socket = await client.listen("account_private", key=key)
    status, answer = await client.order()
    assert (status, list(answer)) == (200, ["id"])
    new, filled = await receive(socket), await receive(socket)
    assert [event["data"]["args"]["status"] for event in (new, filled)] == ["NEW", "FILLED"]
    assert filled["data"]["args"]["id"] == answer["id"]
    assert filled["data"]["args"]["fees"] == "0.600100"
    rows = (await client.call("GET", f"/orders?time=1&nonce={client.nonce}"))[1]
    assert [(row["id"], row["status"]) for row in rows] == [(answer["id"], "FILLED")]
    await until(lambda: bool(next(iter(client.sim.exchange.accounts.by_address.values())).shown.positions))
    [held] = (await client.call("GET", "/account?time=1"))[1]["positions"]
    assert (held["symbol"], held["isLong"], held["size"]) == ("BTC-PERP", True, "0.1000")
    await socket.close()


async def test_a_bad_signature_is_refused_and_nothing_executes(client):
    await client.register()
    status, found = await client.order(signer=STRANGER)
    assert (status, found["detail"]["code"]) == (400, 1022)
    assert client.sim.state()["counters"]["orders_refused"] == 1
    assert client.sim.state()["accounts"][0]["orders"] == []


async def test_one_connection_carries_every_request_of_a_client_that_keeps_it(client):
    await client.register()
    for _ in range(5):
        assert (await client.order(size="0.0001"))[0] == 200
    http = client.sim.state()["http"]
    assert (http["connections_opened"], http["requests_by_connection"]) == (1, [6])


async def test_depth_and_ticker_stream_while_pings_are_answered(client):
    socket = await client.listen("BTC-PERP@depth", "ETH-PERP@depth")
    seen = {(await receive(socket))["channel"] for _ in range(6)}
    assert seen == {"BTC-PERP@depth", "ETH-PERP@depth"}
    await socket.send_json({"method": "PING", "params": [], "id": 0})
    async with asyncio.timeout(DEADLINE_S):
        while await receive(socket) != {"data": "PONG"}:
            pass
    await socket.close()
    await until(lambda: client.sim.streams.links() == [])


@pytest.mark.parametrize(
    ("query", "code"),
    [({"version": "9"}, 4000), ({"xwebsocketserver": "restserver9"}, 4001), ({"listenKey": "no"}, 4004)],
    ids=str,
)
async def test_a_wrong_url_is_closed_with_its_code_on_the_wire(client, query, code):
    socket = await client.listen(**query)
    assert (await socket.receive(timeout=DEADLINE_S)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == code


async def test_another_path_is_no_socket(client):
    client.ws_url = client.ws_url.replace("/ws-api", "/other")
    with pytest.raises(aiohttp.WSServerHandshakeError) as found:
        await client.listen()
    assert found.value.status == 404


async def test_a_dropped_reply_is_a_closed_connection_and_a_fresh_one_goes_on(client):
    await client.register()
    client.faults.add(Fault("vest", "drop_after"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.order()
    assert (await client.call("GET", "/account?time=1"))[0] == 200
    assert client.sim.state()["http"]["connections_opened"] == 2
    assert client.sim.state()["counters"]["orders_received"] == 1


async def test_a_lost_reply_never_comes_though_the_order_fills(client):
    await client.register()
    client.faults.add(Fault("vest", "lose_reply"))
    asking = asyncio.create_task(client.order())
    await until(lambda: client.sim.exchange.counters["orders_filled"] == 1)
    assert not asking.done()
    asking.cancel()
    await until(lambda: client.sim.state()["http"]["connections_open"] == 0)


async def test_a_dropped_stream_ends_without_a_close_frame(client):
    socket = await client.listen("BTC-PERP@depth")
    client.faults.add(Fault("vest", "drop_stream", params={"link": "market data"}))
    async with asyncio.timeout(DEADLINE_S):
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    assert socket.close_code == 1006


async def test_an_edge_page_is_html_with_its_odd_status(client):
    await client.register()
    client.faults.add(Fault("vest", "http_530"))
    status, page = await client.order()
    assert (status, page[:9]) == (530, "<!DOCTYPE")


async def test_stopping_closes_streams_as_a_restart_and_the_state_can_still_be_read(client):
    await client.register()
    await client.order()
    await until(lambda: client.sim.exchange.counters["orders_filled"] == 1)
    socket = await client.listen()
    receiving = asyncio.create_task(socket.receive(timeout=DEADLINE_S))
    await client.sim.stop()
    assert (await receiving).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == 1012
    [account] = client.sim.state()["accounts"]
    assert account["positions"] == [{"symbol": "BTC-PERP", "size_e8": E8 // 10, "entry_price_e8": 60_010 * E8}]
    assert account["collateral_e8"] == 100_000 * E8 - account["fees_paid_e8"]
    json.dumps(client.sim.state())


async def test_no_secret_is_in_the_state(client):
    _, found = await client.register()
    key = (await client.call("POST", "/account/listenKey"))[1]["listenKey"]
    text = json.dumps(client.sim.state())
    assert found["apiKey"] not in text
    assert key not in text
