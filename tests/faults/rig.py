"""One live adapter against one simulated venue over real TLS sockets, in one process: what a fault does to the two.

The sink keeps each order as the engine would (core.order) and doubt is resolved by the engine's own resolver, so a
test sees the adapter's words and the outcome the bot would act on. `end_of` compares it with the venue's own books.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.money import E8, parse_e8
from deltawire.core.order import Order, OrderState, apply
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.resolver import Doubtful, Resolver
from deltawire.net.api import PoolSettings
from deltawire.net.sockets import SocketNetwork
from deltawire.net.tls import client_context, server_context
from deltawire.sim.clock import RealClock
from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.network import DelayProxy, Link
from deltawire.sim.network_faults import strike_network
from deltawire.sim.paradex_rules import ParadexSimSettings
from deltawire.sim.paradex_server import ParadexSim
from deltawire.sim.vest_server import VestSim
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.venues.contract import PreparedOrder, Venue
from deltawire.venues.paradex.http import origin_of
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest.reads import split_rest_url
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

WITHIN_S = 60.0  # only a failure takes so long
SIZE_E8 = E8 // 100
QUOTE = Quote(60_000 * E8, 5 * E8, 60_001 * E8, 5 * E8)

# What a test takes when it has to wait for an end: an order that never arrives is written off after its window, and
# silence is noticed after a patience. All others have both long, so that a machine that stands still changes nothing.
SHORT_LIVED: dict[str, dict[str, Any]] = {
    "paradex": {"recv_window_ms": 1_000},
    "vest": {"recv_window_ms": 1_000, "exit_recv_window_ms": 1_000},
}
IMPATIENT: dict[str, dict[str, Any]] = {
    "paradex": {"reply_timeout_s": 0.4, "call_timeout_s": 1.0, "book_lag_s": 0.3, "silence_s": 0.6},
    "vest": {
        "rest_timeout_s": 1.0,
        "pool": PoolSettings(request_timeout_s=1.0),
        "ping_interval_s": 0.2,
        "silence_s": 0.6,
        "channel_silence_s": 1.0,
    },
}

# (venue, kind of fault) -> the tests that show the adapter's answer to it; test_catalogue.py looks for gaps.
COVERED: dict[tuple[str, str], list[str]] = {}


short_lived = pytest.mark.usefixtures("orders_are_short_lived")
impatient = pytest.mark.usefixtures("silence_is_noticed_soon")


def changes_for(venue: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the adapter's settings that a test has asked for with short_lived and impatient."""
    asked = request.fixturenames
    return (SHORT_LIVED[venue] if "orders_are_short_lived" in asked else {}) | (
        IMPATIENT[venue] if "silence_is_noticed_soon" in asked else {}
    )


def covers(venue: str, *kinds: str) -> Callable[[Any], Any]:
    """Enter a test into COVERED."""

    def entered(test: Any) -> Any:
        for kind in kinds:
            COVERED.setdefault((venue, kind), []).append(test.__name__)
        return test

    return entered


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append(event)

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append(event)

    def error(self, event: str, **fields: Any) -> None:
        self.events.append(event)


class Sink:
    """What the engine would know: books as they were told, links, and every order by the engine's own machine."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.events: dict[str, list[OrderEvent]] = {}
        self.links: list[tuple[str, bool]] = []
        self.books: list[tuple[str, bool, str]] = []  # symbol, valid, why not
        self.on_doubt: Callable[[str], None] = lambda _client_id: None

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        self.books.append((book.symbol, book.valid, book.why_invalid))

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.events.setdefault(client_id, []).append(event)
        self.orders[client_id] = apply(self.orders[client_id], event)
        if self.orders[client_id].state is OrderState.UNKNOWN:
            self.on_doubt(client_id)

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        self.links.append((link, up))


@dataclass
class Rig:
    name: str
    symbol: str
    venue: Venue
    sim: Any
    faults: Faults
    market: Market
    sink: Sink
    log: Log
    resolver: Resolver
    sent: list[PreparedOrder] = field(default_factory=list)
    proxies: dict[str, DelayProxy] = field(default_factory=dict)  # rest and ws, where there is a network between

    def arm(self, kind: str, *, count: int = 1, **params: Any) -> None:
        self.faults.add(Fault(self.name, kind, count, params))

    def quote(self, bid: int, ask: int) -> None:
        self.market.publish(self.name, "BTC", Quote(bid * E8, 5 * E8, ask * E8, 5 * E8))

    def is_up(self, link: str) -> bool:
        """Say whether the last word of this link was that it is up."""
        return [up for name, up in self.sink.links if name == link][-1:] == [True]

    @property
    def book(self) -> Book:
        return self.venue.book(self.symbol)

    @property
    def book_is_current(self) -> bool:
        quote = self.market.last(self.name, "BTC")
        book = self.book
        return quote is not None and book.valid and book.bids[0][0] == quote.bid_price_e8

    def send(self, side: Side = Side.BUY, size_e8: int = SIZE_E8) -> str:
        """Submit one immediate order with a generous cap; return its client id."""
        client_id = ClientOrderId(f"t-{len(self.sent)}-{time.time_ns():x}")
        request = OrderRequest(
            client_id=client_id,
            trade_id=TradeId("t"),
            purpose=Purpose.ENTRY,
            instrument=self.venue.instrument(self.symbol),
            side=side,
            size_e8=size_e8,
            cap_price_e8=(60_600 if side is Side.BUY else 59_400) * E8,
        )
        self.sink.orders[client_id] = Order(request)
        prepared = self.venue.prepare(request, OrderStamps())
        self.sent.append(prepared)
        self.venue.submit(prepared)
        return client_id

    async def outcome(self, side: Side = Side.BUY, size_e8: int = SIZE_E8) -> tuple[list[str], Order]:
        """Send one order; return the words heard of it and how it ended, once the venue's own books agree."""
        return await self.end_of(self.send(side, size_e8))

    async def end_of(self, client_id: str) -> tuple[list[str], Order]:
        await until(lambda: self.sink.orders[client_id].is_final, f"{client_id} ends: {self.kinds(client_id)}")
        order = self.sink.orders[client_id]
        await until(
            lambda: self.filled_at_venue(client_id) == self.sink.orders[client_id].filled_e8, "the venue agrees"
        )
        return self.kinds(client_id), order

    def kinds(self, client_id: str) -> list[str]:
        return [type(event).__name__ for event in self.sink.events.get(client_id, [])]

    def filled_at_venue(self, client_id: str) -> int:
        """Return what the venue filled of the order, by its own books; 0 when it does not know it."""
        raise NotImplementedError

    def held_at_venue(self) -> int:
        """Return the position by the venue's own books."""
        raise NotImplementedError


class ParadexRig(Rig):
    def filled_at_venue(self, client_id: str) -> int:
        [account] = self.sim.state()["accounts"].values()
        return sum(parse_e8(order["filled"]) for order in account["orders"] if order["client_id"] == client_id)

    def held_at_venue(self) -> int:
        [account] = self.sim.state()["accounts"].values()
        return parse_e8(account["positions"].get(self.symbol, "0"))


class VestRig(Rig):
    def filled_at_venue(self, client_id: str) -> int:
        nonce = next(prepared.correlator for prepared in self.sent if prepared.request.client_id == client_id)
        [account] = self.sim.state()["accounts"]
        return sum(order["filled_e8"] for order in account["orders"] if order["nonce"] == nonce)

    def held_at_venue(self) -> int:
        [account] = self.sim.state()["accounts"]
        return sum(position["size_e8"] for position in account["positions"] if position["symbol"] == self.symbol)


async def until(holds: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Poll until it holds: real sockets have no clock to move."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"never came true: {what}"
        await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Certificates:
    server_file: Path
    ca_file: Path


def certificates(folder: Path) -> Certificates:
    ca = trustme.CA()
    made = Certificates(folder / "server.pem", folder / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(made.server_file))
    ca.cert_pem.write_to_path(str(made.ca_file))
    return made


@contextlib.asynccontextmanager
async def paradex_rig(files: Certificates, *, network: Link | None = None, **changes: Any) -> AsyncIterator[ParadexRig]:
    async with contextlib.AsyncExitStack() as cleanup:
        clock, market, faults, log = RealClock(), _market("paradex"), Faults(), Log()
        # Reads and reconnects come far more often here than from a bot; the limits have tests of their own.
        often = ((100_000, 1),)
        loose = ParadexSimSettings(reads_private=often, calls_private=often, calls_public=often, connects=often)
        sim = ParadexSim(clock=clock, market=market, faults=faults, settings=loose, log=log)
        keys = paradex_keys()
        sim.add_account(keys.account_address, keys.public_key, 100_000 * E8)
        (rest, ws), proxies = await _open("paradex", sim, files, faults, network, cleanup)
        settings: dict[str, Any] = {
            "rest_url": f"https://127.0.0.1:{rest}/v1",
            "ws_url": f"wss://127.0.0.1:{ws}/v1",
            "account_address": hex(keys.account_address),
            "private_key": keys.private_key,
            "symbols": ("BTC-USD-PERP",),
            "recv_window_ms": 10_000,
            "reply_timeout_s": 10.0,
            "call_timeout_s": 10.0,
            "reconnect_floor_s": 0.02,
            "reconnect_ceiling_s": 0.1,
            "resubscribe_pause_s": 0.05,
            "book_lag_s": 10.0,
            "silence_s": 10.0,
            "state_poll_s": 0.1,
        }
        made = ParadexSettings(**(settings | changes))
        sockets = _sockets(files.ca_file, clock)
        http = sockets.rest(origin_of(made.rest_url))
        venue = ParadexVenue(made, network=sockets, http=http, clock=clock, log=log, rng=random.Random(1))
        rig = await _started(ParadexRig, "paradex", "BTC-USD-PERP", venue, sim, faults, market, log, clock, cleanup)
        rig.proxies = proxies
        yield rig
        assert faults.armed() == [], "every fault has struck"


@contextlib.asynccontextmanager
async def vest_rig(files: Certificates, *, network: Link | None = None, **changes: Any) -> AsyncIterator[VestRig]:
    async with contextlib.AsyncExitStack() as cleanup:
        clock, market, faults, log = RealClock(), _market("vest"), Faults(), Log()
        sim_settings = VestSimSettings(
            depth_median_ms=30,
            depth_p90_ms=30,
            unsorted_share=0.0,
            event_first_share=0.0,
            execution_delay_ms=(5, 10),
            account_delay_ms=(5, 10),
            ticker_interval_ms=50,
        )
        sim = VestSim(clock=clock, market=market, faults=faults, settings=sim_settings, log=log)
        keys = vest_keys()
        sim.add_account(keys.primary_address, 100_000 * E8)
        (rest, ws), _ = await _open("vest", sim, files, faults, network, cleanup)
        settings: dict[str, Any] = {
            "rest_url": f"https://127.0.0.1:{rest}/v2",
            "ws_url": f"wss://127.0.0.1:{ws}/ws-api",
            "primary_address": keys.primary_address,
            "primary_private_key": keys.primary_private_key,
            "symbols": ("BTC-PERP",),
            "recv_window_ms": 10_000,
            "exit_recv_window_ms": 10_000,
            "look_up_lag_ms": 50,
            "fill_poll_after_ms": 200,
            "fill_poll_interval_ms": 50,
            "rest_timeout_s": 10.0,
            "pool": PoolSettings(request_timeout_s=10.0),
            "ping_interval_s": 0.2,
            "silence_s": 10.0,
            "channel_silence_s": 10.0,
            "reconnect_floor_s": 0.02,
            "reconnect_ceiling_s": 0.1,
            "register_retry_s": 0.05,
            "register_pause_s": 0.1,
        }
        made = VestSettings(**(settings | changes))
        sockets = _sockets(files.ca_file, clock)
        client = sockets.rest(split_rest_url(made.rest_url)[0])
        venue = VestVenue(made, network=sockets, client=client, clock=clock, log=log, rng=random.Random(1))
        rig = await _started(VestRig, "vest", "BTC-PERP", venue, sim, faults, market, log, clock, cleanup)
        yield rig
        assert faults.armed() == [], "every fault has struck"


def _market(venue: str) -> Market:
    market = Market(("BTC",))
    market.publish(venue, "BTC", QUOTE)
    return market


def _sockets(ca_file: Path, clock: RealClock) -> SocketNetwork:
    context: ssl.SSLContext = client_context(str(ca_file))
    return SocketNetwork(now_ns=clock.mono_ns, ssl_context=context, rng=random.Random(1))


async def _open(
    venue: str, sim: Any, files: Certificates, faults: Faults, network: Link | None, cleanup: contextlib.AsyncExitStack
) -> tuple[tuple[int, int], dict[str, DelayProxy]]:
    """Start the venue, with the simulated network before it if one is given; return the ports to use, and it."""
    cleanup.push_async_callback(sim.stop)
    ports = dict(zip(("rest", "ws"), await sim.start(server_context(str(files.server_file))), strict=True))
    proxies: dict[str, DelayProxy] = {}
    if network is not None:
        proxies = {name: DelayProxy(p, network, rng=random.Random(1), log=None) for name, p in ports.items()}
        strike_network(venue, proxies, faults, asyncio.get_running_loop().call_later)
        for name, proxy in proxies.items():
            cleanup.push_async_callback(proxy.stop)
            ports[name] = await proxy.start()
    return (ports["rest"], ports["ws"]), proxies


async def _started(
    kind: Any,
    name: str,
    symbol: str,
    venue: Any,
    sim: Any,
    faults: Faults,
    market: Market,
    log: Log,
    clock: RealClock,
    cleanup: contextlib.AsyncExitStack,
) -> Any:
    sink = Sink()
    resolver = Resolver(
        clock=clock,
        log=log,
        on_news=sink.on_order,
        is_settled=lambda client_id: sink.orders[client_id].state is not OrderState.UNKNOWN,
    )
    rig = kind(name, symbol, venue, sim, faults, market, sink, log, resolver)

    def on_doubt(client_id: str) -> None:
        prepared = next(prepared for prepared in rig.sent if prepared.request.client_id == client_id)
        intended_ns = prepared.stamps.prepared_mono_ns
        doubtful = Doubtful(
            ClientOrderId(client_id), venue, symbol, prepared.correlator, intended_ns, prepared.signed_unix_ms
        )
        resolver.resolve(doubtful)

    sink.on_doubt = on_doubt
    cleanup.push_async_callback(venue.close)
    await venue.start(sink)
    cleanup.push_async_callback(resolver.close)
    await until(lambda: venue.ready and rig.book_is_current, "the adapter is ready and has its book")
    return rig
