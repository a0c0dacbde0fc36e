"""The worlds: each venue's simulator on real TLS sockets, its record in one form, its adapter with quick timings.

Timings are shortened so that the suite is quick; what is answered, and how, is as the product's simulators have it.
"""

import json
import random
import shutil
import ssl
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from examples.toy_venue import simulator
from examples.toy_venue.adapter import ToySettings, ToyVenue
from tests.conformance.venues.suite import (
    ASK_E8,
    BASE,
    SIZE_E8,
    MemoryLog,
    OrderTruth,
    Rig,
    SystemClock,
    Truth,
    World,
    quote,
)

from deltawire.core.money import E8, floor_to, parse_e8
from deltawire.core.secret import Secret
from deltawire.core.types import Instrument, Side, VenueOrderId
from deltawire.net.api import PoolSettings
from deltawire.net.sockets import SocketNetwork
from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_checks import NewOrder
from deltawire.sim.paradex_rules import BTC, ParadexSimSettings
from deltawire.sim.paradex_server import ParadexSim
from deltawire.sim.vest_server import VestSim
from deltawire.sim.vest_settings import VestMarketRules, VestSimSettings
from deltawire.venues.contract import OpenOrder, Venue
from deltawire.venues.paper.account import PaperAccount
from deltawire.venues.paper.market import PublicMarket
from deltawire.venues.paper.session import PaperVenue
from deltawire.venues.paradex.public import ParadexPublic
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import OrderClass, ParadexSettings
from deltawire.venues.vest.public import VestPublic
from deltawire.venues.vest.reads import PublicReads
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

COLLATERAL_E8 = 100_000 * E8
CLOCK = SystemClock()
LONG_MS = 60_000  # longer than any test


def market_of(venue: str) -> Market:
    market = Market((BASE,))
    market.publish(venue, BASE, quote())
    return market


def network_of(tls: ssl.SSLContext) -> SocketNetwork:
    return SocketNetwork(now_ns=CLOCK.mono_ns, ssl_context=tls, rng=random.Random(1))


class ParadexWorld:
    on_paper = False
    name, symbol = "paradex", BTC.symbol
    # Funding off: nothing but fills moves the account.
    # The suite reads and reconnects far more often than a bot does; the limits have tests of their own.
    settings = ParadexSimSettings(
        funding_rate_e8=0,
        reads_private=((100_000, 1),),
        calls_private=((100_000, 1),),
        calls_public=((100_000, 1),),
        sign_ins=((100_000, 1),),
        connects=((100_000, 1),),
    )
    instrument = Instrument(
        venue="paradex",
        symbol=BTC.symbol,
        price_tick_e8=BTC.price_tick_e8,
        size_step_e8=BTC.size_step_e8,
        size_min_e8=BTC.size_step_e8,
        size_max_e8=BTC.size_max_e8,
        notional_min_e8=BTC.notional_min_e8,
        position_max_e8=BTC.position_max_e8,
        price_band_e8=BTC.band_e8,
        fee_rate_taker_e8=settings.fees_pro.taker_e8,
    )

    def __init__(self) -> None:
        self.market, self.faults = market_of(self.name), Faults()
        self.keys = paradex_keys()
        self.sim = ParadexSim(
            clock=CLOCK, market=self.market, faults=self.faults, settings=self.settings, log=MemoryLog()
        )
        self.sim.add_account(self.keys.account_address, self.keys.public_key, COLLATERAL_E8)
        self.ports = (0, 0)

    async def start(self, tls: ssl.SSLContext) -> None:
        self.ports = await self.sim.start(tls, *self.ports)

    async def stop(self) -> None:
        await self.sim.stop()

    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        rest_port, ws_port = self.ports
        network = network_of(tls)
        settings = ParadexSettings(
            rest_url=f"https://127.0.0.1:{rest_port}/v1",
            ws_url=f"wss://127.0.0.1:{ws_port}/v1",
            account_address=hex(self.keys.account_address),
            private_key=self.keys.private_key,
            symbols=(self.symbol,),
            recv_window_ms=recv_window_ms,
            reply_timeout_s=reply_timeout_s,
            order_class=OrderClass.RETAIL if slow_s else OrderClass.PRO,  # with the speed bump, or without
            reconnect_floor_s=0.01,
            reconnect_ceiling_s=0.05,
            resubscribe_pause_s=0.01,
        )
        http = network.rest(f"https://127.0.0.1:{rest_port}")
        return ParadexVenue(settings, network=network, http=http, clock=CLOCK, log=log, rng=random.Random(1))

    def truth(self) -> Truth:
        state = self.sim.state()
        account = state["accounts"][hex(self.keys.account_address)]
        return Truth(
            orders={
                order["client_id"]: OrderTruth(
                    parse_e8(order["filled"]), parse_e8(order["average_price"]), order["status"] == "CLOSED"
                )
                for order in account["orders"]
            },
            position_e8=parse_e8(account["positions"].get(self.symbol, "0")),
            open_orders=account["orders_live"],
            equity_e8=parse_e8(account["account_value"]),
            fees_paid_e8=parse_e8(account["fees_paid"]),
            orders_received=state["counters"].get("orders_received", 0),
        )

    def secrets(self) -> list[str]:
        key = self.keys.private_key.reveal()
        return [key, key.removeprefix("0x"), str(int(key, 16)), "eyJ"]  # how every JSON web token begins

    async def hold(self, rig: Rig) -> OpenOrder:
        """Rest an offer above the market, by the adapter's order connection: the last that was opened."""
        now_ns = CLOCK.unix_ns()
        price_e8 = ASK_E8 + 100 * E8
        offer = NewOrder(
            account=self.keys.account_address,
            symbol=self.symbol,
            side=Side.SELL,
            kind="LIMIT",
            instruction="GTC",
            size_e8=SIZE_E8,
            price_e8=price_e8,
            signed_unix_ms=now_ns // 10**6,
            received_unix_ns=now_ns,
            client_id="by-hand",
            origin=self.sim._venue._sessions_made,
        )
        order = self.sim.exchange.accept(offer)
        self.sim.exchange.execute(order)
        return OpenOrder(self.symbol, VenueOrderId(order.id), "by-hand", 0, Side.SELL, SIZE_E8)

    def lose_all_news(self) -> list[Fault]:
        return [Fault(self.name, "lose_reply"), Fault(self.name, "late_fill", params={"ms": LONG_MS})]

    def break_book(self) -> list[Fault]:
        return [Fault(self.name, "gap", params={"base": BASE})]

    def mend_book(self) -> None:
        """The adapter asks for a fresh picture."""


class VestWorld:
    on_paper = False
    name = "vest"
    rules = VestMarketRules(BASE, 4, 2, one_hr_funding_rate_e8=0)  # funding off: nothing but fills moves the account
    symbol = rules.symbol
    settings = VestSimSettings(
        markets=(rules,),
        depth_median_ms=10,
        depth_p90_ms=10,
        ticker_interval_ms=20,
        execution_delay_ms=(5, 10),
        account_delay_ms=(5, 10),
        event_first_share=0.0,
    )
    instrument = Instrument(
        venue="vest",
        symbol=symbol,
        price_tick_e8=rules.price_tick_e8,
        size_step_e8=rules.size_step_e8,
        size_min_e8=rules.size_step_e8,
        size_max_e8=0,
        notional_min_e8=0,
        fee_rate_taker_e8=rules.taker_fee_e8,
    )

    def __init__(self) -> None:
        self.market, self.faults = market_of(self.name), Faults()
        self.keys = vest_keys()
        self.sim = VestSim(clock=CLOCK, market=self.market, faults=self.faults, settings=self.settings, log=MemoryLog())
        self.sim.add_account(self.keys.primary_address, COLLATERAL_E8)
        self.ports = (0, 0)

    async def start(self, tls: ssl.SSLContext) -> None:
        self.ports = await self.sim.start(tls, *self.ports)

    async def stop(self) -> None:
        await self.sim.stop()

    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        rest_port, ws_port = self.ports
        network = network_of(tls)
        if slow_s:
            self.sim.exchange.settings = replace(self.settings, execution_delay_ms=(int(slow_s * 1_000),) * 2)
        settings = VestSettings(
            rest_url=f"https://127.0.0.1:{rest_port}/v2",
            ws_url=f"wss://127.0.0.1:{ws_port}/ws-api?version=1.0",
            primary_address=self.keys.primary_address,
            primary_private_key=self.keys.primary_private_key,
            symbols=(self.symbol,),
            recv_window_ms=recv_window_ms,
            exit_recv_window_ms=recv_window_ms,
            pool=PoolSettings(request_timeout_s=reply_timeout_s),
            fill_poll_after_ms=int(reply_timeout_s * 200),
            fill_poll_interval_ms=int(reply_timeout_s * 100),
            look_up_lag_ms=50,
            reconnect_floor_s=0.01,
            reconnect_ceiling_s=0.05,
        )
        client = network.rest(f"https://127.0.0.1:{rest_port}")
        return VestVenue(
            settings,
            network=network,
            client=client,
            clock=CLOCK,
            log=log,
            rng=random.Random(1),
            random_bytes=marked_bytes,
        )

    def truth(self) -> Truth:
        state = self.sim.state()
        [account] = state["accounts"]
        positions = {position["symbol"]: position["size_e8"] for position in account["positions"]}
        return Truth(
            orders={str(order["nonce"]): self._order(order) for order in account["orders"]},
            position_e8=positions.get(self.symbol, 0),
            open_orders=account["open_orders"],
            equity_e8=floor_to(account["equity_e8"], E8 // 10**6),  # the API has six decimals
            fees_paid_e8=account["fees_paid_e8"],
            orders_received=state["counters"].get("orders_received", 0),
        )

    def _order(self, order: dict[str, Any]) -> OrderTruth:
        is_over = order["status"] in {"FILLED", "CANCELLED", "REJECTED"}
        return OrderTruth(order["filled_e8"], order["price_e8"] if order["filled_e8"] else 0, is_over)

    def secrets(self) -> list[str]:
        accounts = self.sim.exchange.accounts
        key = self.keys.primary_private_key.reveal()
        listen_keys = [account.listen_key for account in accounts.by_address.values() if account.listen_key]
        return [key.removeprefix("0x"), marked_bytes(32).hex(), *accounts._sessions, *listen_keys]

    async def hold(self, rig: Rig) -> OpenOrder:
        """Nothing of ours rests, but an order is open until it executes."""
        prepared = rig.submit()
        await rig.named(prepared)
        order_id = rig.order(prepared).venue_order_id
        assert order_id is not None
        return OpenOrder(self.symbol, order_id, "", prepared.correlator, Side.BUY, SIZE_E8)

    def lose_all_news(self) -> list[Fault]:
        silent = Fault(self.name, "silent_stream", params={"link": "private", "ms": LONG_MS})
        return [silent, Fault(self.name, "lose_reply")]

    def break_book(self) -> list[Fault]:
        return [Fault(self.name, "halt", params={"base": BASE})]

    def mend_book(self) -> None:
        self.sim.halt(self.symbol, halted=False)


def marked_bytes(count: int) -> bytes:
    """Give a signing key that is easily found again."""
    return b"\x5a" * count


class ToyWorld:
    on_paper = False
    name, symbol = "toy", f"{BASE}-TOY"
    venue_class: type[ToyVenue] = ToyVenue
    instrument = Instrument(
        venue="toy",
        symbol=symbol,
        price_tick_e8=simulator.TICK_E8,
        size_step_e8=simulator.STEP_E8,
        size_min_e8=simulator.STEP_E8,
        size_max_e8=0,
        notional_min_e8=0,
        fee_rate_taker_e8=simulator.FEE_RATE_E8,
    )

    def __init__(self) -> None:
        self.market, self.faults = market_of(self.name), Faults(venues=("toy",))
        self.secret = Secret("toy-secret-that-is-easily-found-again")
        self.sim = simulator.ToySim(CLOCK, self.market, self.faults, "toy-key", self.secret, COLLATERAL_E8)
        self.port = 0

    async def start(self, tls: ssl.SSLContext) -> None:
        self.port = await self.sim.server.start(tls, self.port)

    async def stop(self) -> None:
        await self.sim.server.stop()

    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        del slow_s  # orders are over at once here
        settings = ToySettings(
            url=f"wss://127.0.0.1:{self.port}/",
            key="toy-key",
            secret=self.secret,
            symbols=(self.symbol,),
            recv_window_ms=recv_window_ms,
            reply_timeout_s=reply_timeout_s,
            reconnect_floor_s=0.01,
        )
        return self.make_venue(settings, tls, log)

    def make_venue(self, settings: ToySettings, tls: ssl.SSLContext, log: MemoryLog) -> ToyVenue:
        return self.venue_class(settings, network=network_of(tls), clock=CLOCK, log=log, rng=random.Random(1))

    def truth(self) -> Truth:
        sim = self.sim
        return Truth(
            orders={
                client_id: OrderTruth(filled_e8, paid_e8 * E8 // filled_e8 if filled_e8 else 0, is_final)
                for client_id, (_, is_final, filled_e8, paid_e8, *_) in sim.orders.items()
            },
            position_e8=sim.held_e8,
            open_orders=0,
            equity_e8=sim.equity_e8,
            fees_paid_e8=sim.fees_e8,
            orders_received=sim.counters["orders_received"],
        )

    def secrets(self) -> list[str]:
        return [self.secret.reveal()]

    async def hold(self, rig: Rig) -> None:
        """Every order is over at once."""

    def lose_all_news(self) -> list[Fault]:
        return [Fault(self.name, "lose_reply"), Fault(self.name, "late_fill", params={"ms": LONG_MS})]

    def break_book(self) -> list[Fault]:
        return [Fault(self.name, "gap")]

    def mend_book(self) -> None:
        """The adapter asks for a fresh picture."""


class PaperAccounts:
    """The part of a world that paper trading keeps: the file of the account, read here by its own means."""

    on_paper = True
    name: str
    symbol: str
    instrument: Instrument

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dw-paper-"))
        weakref.finalize(self, shutil.rmtree, self.folder)
        self.market_of_venue: PublicMarket | None = None

    def paper(self, market: PublicMarket, log: MemoryLog, *, slow_s: float) -> Venue:
        self.market_of_venue = market
        if slow_s:
            market.execution_ms = (int(slow_s * 1_000),) * 2
        account = PaperAccount(self.folder / "account.jsonl", equity_e8=COLLATERAL_E8, unix_ns=1)
        return PaperVenue(market, account, leverage=10, clock=CLOCK, log=log, rng=random.Random(1))

    def truth(self) -> Truth:
        lines = [json.loads(line) for line in (self.folder / "account.jsonl").read_text().splitlines()]
        rows = [line for line in lines if line["type"] == "Ended"]
        orders, paid_e8, held_e8, fees_e8 = {}, 0, 0, 0
        for row in rows:
            filled_e8 = sum(size for _, size, _ in row["fills"])
            notional = sum(price * size // E8 for price, size, _ in row["fills"])
            sign = 1 if row["side"] == 1 else -1
            paid_e8, held_e8 = paid_e8 + sign * notional, held_e8 + sign * filled_e8
            fees_e8 += sum(fee for *_, fee in row["fills"])
            truth = OrderTruth(filled_e8, notional * E8 // filled_e8 if filled_e8 else 0, is_over=True)
            orders[row["client_id"]] = orders[str(row["correlator"])] = truth
        return Truth(
            orders, held_e8, 0, COLLATERAL_E8 - paid_e8 - fees_e8 + self._worth_e8(held_e8), fees_e8, len(rows)
        )

    def _worth_e8(self, held_e8: int) -> int:
        assert self.market_of_venue is not None
        state = self.market_of_venue.market_state(self.symbol)
        return 0 if state is None else state.mark_price_e8 * held_e8 // E8

    async def hold(self, rig: Rig) -> OpenOrder:
        """Nothing of ours rests, but an order is open until it executes."""
        prepared = rig.submit()
        await rig.named(prepared)
        order_id = rig.order(prepared).venue_order_id
        assert order_id is not None
        sees = rig.venue.capabilities.sees_client_id
        client_id, correlator = (prepared.request.client_id, 0) if sees else ("", prepared.correlator)
        return OpenOrder(self.symbol, order_id, client_id, correlator, Side.BUY, SIZE_E8)


class PaperParadexWorld(PaperAccounts, ParadexWorld):
    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        del reply_timeout_s
        rest_port, ws_port = self.ports
        network = network_of(tls)
        settings = ParadexSettings(
            rest_url=f"https://127.0.0.1:{rest_port}/v1",
            ws_url=f"wss://127.0.0.1:{ws_port}/v1",
            account_address="",
            private_key=Secret(""),
            symbols=(self.symbol,),
            recv_window_ms=recv_window_ms,
            reconnect_floor_s=0.01,
            reconnect_ceiling_s=0.05,
            resubscribe_pause_s=0.01,
        )
        http = network.rest(f"https://127.0.0.1:{rest_port}")
        market = ParadexPublic(settings, network=network, http=http, clock=CLOCK, log=log, rng=random.Random(1))
        return self.paper(market, log, slow_s=slow_s)


class PaperVestWorld(PaperAccounts, VestWorld):
    def venue(
        self,
        tls: ssl.SSLContext,
        log: MemoryLog,
        *,
        recv_window_ms: int = 5_000,
        reply_timeout_s: float = 5.0,
        slow_s: float = 0.0,
    ) -> Venue:
        del reply_timeout_s
        rest_port, ws_port = self.ports
        network = network_of(tls)
        settings = VestSettings(
            rest_url=f"https://127.0.0.1:{rest_port}/v2",
            ws_url=f"wss://127.0.0.1:{ws_port}/ws-api?version=1.0",
            primary_address="",
            primary_private_key=Secret(""),
            symbols=(self.symbol,),
            recv_window_ms=recv_window_ms,
            exit_recv_window_ms=recv_window_ms,
            reconnect_floor_s=0.01,
            reconnect_ceiling_s=0.05,
        )
        client = network.rest(f"https://127.0.0.1:{rest_port}")
        reads = PublicReads(settings, client, clock=CLOCK, log=log)
        market = VestPublic(settings, reads, network=network, clock=CLOCK, log=log, rng=random.Random(1))
        market.execution_ms = (5, 10)
        return self.paper(market, log, slow_s=slow_s)


WORLDS: dict[str, Callable[[], World]] = {"paradex": ParadexWorld, "vest": VestWorld, "toy": ToyWorld}
WORLDS |= {"paper-paradex": PaperParadexWorld, "paper-vest": PaperVestWorld}
