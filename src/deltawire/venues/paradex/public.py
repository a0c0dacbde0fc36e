"""What Paradex tells everyone: rules, books, state of the system, time. Needs no account, and makes no private call.

The live adapter (`session`) and paper trading stand on the same one.
Source: Paradex protocol reference, sections 8 to 11.
"""

import random

from deltawire.core.book import Book
from deltawire.core.types import Instrument
from deltawire.core.venue_clock import VenueClock
from deltawire.net.api import HttpClient, Network
from deltawire.net.backoff import Backoff, ConnectBudget
from deltawire.venues.contract import Capabilities, Clock, EventLog, MarketState, VenueSink
from deltawire.venues.paradex import feed, rest
from deltawire.venues.paradex.budget import Budgets
from deltawire.venues.paradex.health import Health
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.lines import Lines
from deltawire.venues.paradex.link import Link, LinkOwner
from deltawire.venues.paradex.reads import read_instruments
from deltawire.venues.paradex.settings import OrderClass, ParadexSettings

RETAIL_BUMP_MS = 300  # each order of the Retail class is held so long (reference, section 15)


class ParadexPublic:
    """Owns `http` (made for `http.origin_of(settings.rest_url)`) and closes it."""

    name = rest.NAME
    fills_whole = False

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
        self.capabilities = Capabilities(
            sees_client_id=True,
            cancels_by_client_id=True,
            cancels_on_disconnect=True,
            venue_stamps_books=True,
            fills_partially=True,
            reports_each_fill=True,
            recv_window_ms=settings.recv_window_ms,
        )
        self.time = VenueClock(settings.clock_offset_max_ms * 10**6)
        bump_ms = RETAIL_BUMP_MS if settings.order_class is OrderClass.RETAIL else 0
        self.execution_ms = (bump_ms, bump_ms)
        self._settings, self._network, self._clock, self._log, self._rng = settings, network, clock, log, rng
        self.budgets = Budgets(settings.order_class)
        self.http = HttpCaller(http, settings.rest_url, settings.rest_timeout_s, budgets=self.budgets, clock=clock)
        self._connects = ConnectBudget(settings.connects_max, int(settings.connects_window_s * 1e9))
        self._feed = feed.MarketFeed(settings, clock=clock, log=log)
        self._lines = None if settings.feed_connections == 1 else Lines(self._feed, settings, clock=clock, log=log)
        self.health = Health(settings, http=self.http, clock=clock, log=log, also=self.venue_unix_ms)
        self._instruments: dict[str, Instrument] = {}
        self.retail_rates_e8: dict[str, int] = {}  # taker fee of Retail orders by market, where the venue tells it
        self._links: list[Link] = []

    async def start(self, sink: VenueSink) -> None:
        """Read the rules and open the market data. Raises, with everything closed again, when it cannot."""
        try:
            await self.venue_unix_ms()
            await self.read_rules(None)
            await self.open(sink)
        except BaseException:
            await self.close()
            raise

    async def read_rules(self, fee_taker_e8: int | None) -> None:
        """Read the markets. fee_taker_e8: the account's own rate, None where there is no account or it is not told."""
        settings = self._settings
        self._instruments, self.retail_rates_e8 = await read_instruments(
            self.http, settings.symbols, settings.order_class, fee_taker_e8, self._log
        )
        await self.health.start()

    async def open(self, sink: VenueSink) -> None:
        """Open the market data sockets."""
        if self._lines is None:
            link = self.link(feed.LINK, self._feed)
            self._feed.attach(link, sink)
            await link.start()
            self._feed.watch()
            return
        self._feed.attach(self._lines, sink)
        for number in range(1, self._settings.feed_connections + 1):
            line = self._lines.add()
            line.link = self.link(f"{feed.LINK} {number}", line)
            await line.link.start()
        self._lines.watch()

    def instrument(self, symbol: str) -> Instrument:
        return self._instruments[symbol]

    def book(self, symbol: str) -> Book:
        return self._feed.book(symbol)

    def trades(self, symbol: str) -> bool:  # noqa: ARG002 - its state is one for all markets
        return self.health.takes_orders()

    def entry_block(self, symbol: str) -> str:
        """Say what speaks against an entry: the system's state, or a book at the edge of the price band."""
        return self.health.block() or self.band_block(symbol)

    def band_block(self, symbol: str) -> str:
        return self._feed.facts.band_block(self._instruments[symbol], self._feed.book(symbol))

    def market_state(self, symbol: str) -> MarketState | None:
        """Return mark price and funding, with the system's state as the status; None before the venue has told them."""
        return self._feed.facts.state(symbol, self.health.state)

    async def venue_unix_ms(self) -> int:
        """Ask the venue for its time: one small public call."""
        sent_ns = self._clock.mono_ns()
        shown_ms = rest.read_time_unix_ms(await self.http.call(rest.system_time()))
        self.time.heard(shown_ms * 10**6, 10**6, sent_ns, self._clock.mono_ns())
        return shown_ms

    async def ping(self) -> None:
        """Make one small public call."""
        await self.venue_unix_ms()

    def link(self, name: str, owner: LinkOwner) -> Link:
        """Make a connection that shares the budget of connects; closed with the others."""
        link = Link(
            name,
            owner,
            self._settings,
            network=self._network,
            clock=self._clock,
            log=self._log,
            backoff=self.backoff(),
            budget=self._connects,
        )
        self._links.append(link)
        return link

    def backoff(self) -> Backoff:
        return Backoff(self._settings.reconnect_floor_s, self._settings.reconnect_ceiling_s, rng=self._rng)

    async def close(self) -> None:
        """End every connection, timer and task."""
        if self._lines is not None:
            await self._lines.close()
        await self._feed.close()
        for link in self._links:
            await link.close()
        self._links.clear()
        await self.health.close()
        await self.http.close()
