"""The live Paradex adapter: venues.contract.Venue over two WebSockets and REST reads. Puts the parts together.

Market data and orders have a connection each, so that neither waits behind the other. Orders leave over the order
socket, exits over REST while it is down; REST reads rules, account and orders in doubt. Parts: `public` has all that
needs no account (rules, books, the system's state), `link` keeps a socket open, `orders` has the orders, `road` their
REST, `reads` and `tokens` the reads.

Source: Paradex protocol reference, state of October 2026.
"""

import asyncio
import random

from deltawire.core.book import Book
from deltawire.core.entry_class import SlowClass
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Side
from deltawire.net.api import HttpClient, HttpPool, Network, PoolSettings
from deltawire.venues.contract import (
    BalanceReport,
    BudgetReport,
    Clock,
    EventLog,
    MarketState,
    Money,
    OpenOrder,
    OrderReport,
    PositionReport,
    PreparedOrder,
    SigningClock,
    VenueSink,
)
from deltawire.venues.kit import NumberedOrders
from deltawire.venues.paradex import books, orders, rest, retail, rpc
from deltawire.venues.paradex.calls import OrderCalls
from deltawire.venues.paradex.http import origin_of
from deltawire.venues.paradex.link import Link
from deltawire.venues.paradex.order_lines import OrderLines
from deltawire.venues.paradex.public import RETAIL_BUMP_MS, ParadexPublic
from deltawire.venues.paradex.reads import Reads
from deltawire.venues.paradex.road import RestRoad
from deltawire.venues.paradex.settings import OrderClass, ParadexSettings
from deltawire.venues.paradex.signing import Signer
from deltawire.venues.paradex.tokens import TokenKeeper

# An order that is not there so long after its receive window will never be: the venue's clock may differ from ours.
# Well below the engine's own margin: once the engine believes it, it asks no more, and the market must be free by then.
NEVER_MARGIN_MS = 250
WARM_UP_PATH = "/system/time"  # public and small; exercises the connections of the second road
ORDER_TYPE = "LIMIT"  # with IOC: an immediate order with a capped price


class ParadexVenue(NumberedOrders):
    """Implements venues.contract.Venue. Owns `http` (made for `http.origin_of(settings.rest_url)`) and closes it."""

    name = rest.NAME

    def __init__(
        self,
        settings: ParadexSettings,
        *,
        network: Network,
        http: HttpClient,
        clock: Clock,
        log: EventLog,
        rng: random.Random,
    ) -> None:
        """rng: for the jitter of reconnects only."""
        self._market = ParadexPublic(settings, network=network, http=http, clock=clock, log=log, rng=rng)
        self.capabilities, self.time = self._market.capabilities, self._market.time
        self.clock = SigningClock(clock, self.time)
        self._settings, self._network, self._log = settings, network, log
        self._budgets, self._http = self._market.budgets, self._market.http
        self._pool: HttpPool | None = None
        self._started = False
        # Made at start, once the venue has told its chain id.
        self._signer: Signer | None = None
        self._tokens: TokenKeeper | None = None
        self._desk: orders.OrderDesk | None = None
        self._order_lines: OrderLines | None = None  # with several order sockets
        self._reads: Reads | None = None
        self.key_kind = ""  # once started: main or subkey, "" where the venue does not tell
        self.calls: OrderCalls | None = None  # what the contract does not ask for; None before start

    @property
    def ready(self) -> bool:
        """Whether an exit can leave: over the order socket, or else over a warm REST connection."""
        return self._started and self._desk is not None and self._desk.ready

    def trades(self, symbol: str) -> bool:
        return self._market.trades(symbol)

    def entry_block(self, symbol: str) -> str:
        if not self._started or self._desk is None:
            return "not started"
        return (
            self._market.health.block()
            or self._desk.block(symbol)
            or self._budgets.entry_block(self.clock.mono_ns())
            or self._market.band_block(symbol)
        )

    def slow_class(self, symbol: str) -> SlowClass | None:
        """Return what Retail is here, with both classes side by side and a market that tells its Retail fee."""
        rate_e8 = self._market.retail_rates_e8.get(symbol)
        if self._settings.order_class is not OrderClass.BY_EDGE or rate_e8 is None:
            return None
        return SlowClass(retail.NAME, RETAIL_BUMP_MS, rate_e8)

    def slow_block(self, symbol: str) -> str:  # noqa: ARG002 - the budget is one for all markets
        return "not started" if self._desk is None else self._desk.retail_block()

    def market_state(self, symbol: str) -> MarketState | None:
        """Return mark price and funding, with the system's state as the status; None before the venue has told them."""
        return self._market.market_state(symbol)

    def budgets(self) -> list[BudgetReport]:
        """Return how much of each rate limit is left, by our count."""
        return self._budgets.reports(self.clock.mono_ns())

    async def start(self, sink: VenueSink) -> None:
        """Read the rules, authenticate and open both sockets. Raises, with everything closed again, when it cannot."""
        try:
            await self._start(sink)
        except BaseException:
            await self.close()
            raise

    async def _start(self, sink: VenueSink) -> None:
        await self._market.venue_unix_ms()
        settings = self._settings
        config = rest.read_config(await self._http.call(rest.system_config()))
        self._signer = Signer(settings.private_key, settings.account_address, config.chain_id)
        self._tokens = self._token_keeper(self._signer, interactive=settings.order_class is OrderClass.RETAIL)
        await self._tokens.start()
        self._desk = orders.OrderDesk(
            settings,
            tokens=self._tokens,
            road=RestRoad(await self._warm_pool(), self._http, self._tokens, self._http.base),
            clock=self.clock,
            log=self._log,
            on_refused=self._market.health.heard,
            budgets=self._budgets,
        )
        self._reads = Reads(
            http=self._http, tokens=self._tokens, log=self._log, instrument=self.instrument, fee_of=self._desk.fee_of
        )
        self.calls = OrderCalls(self._desk, self._reads, self._sign_modify, budgets=self._budgets, clock=self.clock)
        info = await self._reads.account_info(self._signer.account_address)
        if info is not None and info.public_key:
            is_main = int(info.public_key, 16) == self._signer.public_key
            self.key_kind = "main" if is_main else "subkey"
        if self.key_kind == "main":
            self._log.warning("paradex.main_key", advice="it can withdraw; register a subkey and trade with that")
        await self._market.read_rules(info.fee_taker_e8 if info else None)
        self._log.info("paradex.rules_read", chain_id=config.chain_id, symbols=list(settings.symbols))
        order_link = self._order_link(self._desk)
        self._desk.attach(order_link, sink)
        opening = [self._market.open(sink), order_link.start()]
        if settings.order_class is OrderClass.BY_EDGE:
            opening.append(self._retail_link(self._desk, self._signer).start())
        # Side by side: each is a dozen round trips. All have come to an end before a failure is told, so that whoever
        # closes finds nothing half open.
        for outcome in await asyncio.gather(*opening, return_exceptions=True):
            if outcome is not None:
                raise outcome
        self._started = True

    def _order_link(self, desk: orders.OrderDesk) -> Link | OrderLines:
        count = self._settings.order_connections
        if count == 1:
            return self._market.link(orders.LINK, desk)
        lines = self._order_lines = OrderLines(desk, clock=self.clock, log=self._log)
        for number in range(1, count + 1):
            line = lines.add()
            line.link = self._market.link(f"{orders.LINK} {number}", line)
        return lines

    def instrument(self, symbol: str) -> Instrument:
        return self._market.instrument(symbol)

    def book(self, symbol: str) -> Book:
        return self._market.book(symbol)

    def sign(self, request: OrderRequest, signed_ms: int, stamps: OrderStamps) -> PreparedOrder:
        """Sign with the time as the nonce, and encode: nine Pedersen hashes and one signature, about 0.6 ms."""
        assert self._signer is not None
        symbol = request.instrument.symbol
        signature = self._signer.sign_order(
            signed_ms, symbol, request.side, ORDER_TYPE, request.size_e8, request.cap_price_e8
        )
        stamps.signed_mono_ns = self.clock.mono_ns()
        payload = rpc.encode_order_create(
            signed_ms,
            market=symbol,
            side=request.side,
            size_e8=request.size_e8,
            price_e8=request.cap_price_e8,
            signature=signature,
            signature_timestamp_ms=signed_ms,
            client_id=request.client_id,
            order_type=ORDER_TYPE,
            instruction="IOC",
            recv_window_ms=self._settings.recv_window_ms,
            reduce_only=request.reduce_only,
        )
        stamps.encoded_mono_ns = self.clock.mono_ns()
        return PreparedOrder(request, signed_ms, signed_ms, payload, self._settings.recv_window_ms, stamps)

    def submit(self, prepared: PreparedOrder) -> None:
        assert self._desk is not None
        self._desk.submit(prepared)

    def cancel(self, client_id: ClientOrderId) -> None:
        if self._desk is not None:
            self._desk.cancel(client_id)

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        """Read one order. The correlator is its signature timestamp, which bounds the search for its fills."""
        there_ns = self.time.unix_ns_low(self.clock.mono_ns())
        asked_unix_ms = (self.clock.unix_ns() if there_ns is None else there_ns) // 1_000_000
        report = await self._read().look_up(client_id, correlator, symbol)
        if self._desk is not None:
            never_ms = correlator + self._settings.recv_window_ms + NEVER_MARGIN_MS
            self._desk.on_report(client_id, report, is_too_late=asked_unix_ms >= never_ms)
        return report

    async def positions(self) -> list[PositionReport]:
        return await self._read().positions()

    async def open_orders(self) -> list[OpenOrder]:
        return await self._read().open_orders()

    async def balance(self) -> BalanceReport:
        return await self._read().balance()

    async def money(self, since_unix_ns: int) -> Money:
        return await books.money(self._read().call, self._settings.symbols, since_unix_ns)

    async def leverages(self) -> dict[str, int]:
        """Read the leverage set for each market traded."""
        return await self._read().leverages(self._settings.symbols)

    async def close(self) -> None:
        """End every task and connection. Cancel-on-disconnect is switched off first if nothing of ours rests."""
        self._started = False
        if self._order_lines is not None:
            await self._order_lines.close()
        if self._desk is not None:
            await self._desk.close()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        if self._tokens is not None:
            await self._tokens.close()
        await self._market.close()

    def _token_keeper(self, signer: Signer, *, interactive: bool) -> TokenKeeper:
        return TokenKeeper(
            self._settings,
            http=self._http,
            signer=signer,
            clock=self.clock,
            log=self._log,
            backoff=self._market.backoff(),
            interactive=interactive,
        )

    def _retail_link(self, desk: orders.OrderDesk, signer: Signer) -> Link:
        # Its keeper is not started: a token is wanted at each `auth` alone, and fetched then.
        line = retail.RetailLine(desk, self._token_keeper(signer, interactive=True), log=self._log)
        line.link = self._market.link(retail.LINK, line)
        desk.attach_retail(line.link, self._market.retail_rates_e8)
        return line.link

    def _sign_modify(self, order_id: str, market: str, side: Side, size_e8: int, price_e8: int) -> tuple[str, int]:
        assert self._signer is not None
        signed_ms = self.next_ms()
        signature = self._signer.sign_modify(signed_ms, market, side, ORDER_TYPE, size_e8, price_e8, order_id)
        return signature, signed_ms

    async def _warm_pool(self) -> HttpPool:
        settings = self._settings
        pool_settings = PoolSettings(
            connections=settings.rest_connections,
            connect_timeout_s=settings.connect_timeout_s,
            request_timeout_s=settings.rest_timeout_s,
        )
        origin = origin_of(settings.rest_url)
        self._pool = pool = self._network.http_pool(origin, pool_settings, self._http.base + WARM_UP_PATH, b"")
        await pool.warm()
        self._log.info("paradex.second_road", connections=settings.rest_connections, idle=pool.idle)
        return pool

    def _read(self) -> Reads:
        if self._reads is None:
            raise ConnectionError("paradex is not started")
        return self._reads
