"""What Vest tells everyone: markets, books, state. Needs no account, and makes no private call.

The live adapter (`session`) and paper trading stand on the same one.
Source: Vest API v2 notes, sections 2, 6, 8 and 9.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator

from deltawire.core.book import Book
from deltawire.core.types import Instrument
from deltawire.net.api import Network
from deltawire.net.backoff import Backoff
from deltawire.venues.contract import (
    MARKET_DATA,
    Capabilities,
    Clock,
    EventLog,
    MarketState,
    Refused,
    VenueSink,
)
from deltawire.venues.vest import wire, ws
from deltawire.venues.vest.feed import Feed
from deltawire.venues.vest.link import Link, LinkOwner
from deltawire.venues.vest.reads import VENUE, PublicReads
from deltawire.venues.vest.rest import VenueError
from deltawire.venues.vest.settings import VestSettings

EXECUTION_MS = (50, 400)  # from the order's receipt to its fill, as seen live (notes, section 13)


class VestPublic:
    """Owns the books and the market data socket, not the reads (an Account is some, too)."""

    name = VENUE
    fills_whole = True  # the pool gives one price for the size, or none
    execution_ms: tuple[int, int] = EXECUTION_MS

    def __init__(
        self,
        settings: VestSettings,
        reads: PublicReads,
        *,
        network: Network,
        clock: Clock,
        log: EventLog,
        rng: random.Random,
        on_refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        """on_refused: called with the close code that ended the socket for good."""
        self.capabilities = Capabilities(
            sees_client_id=False,
            cancels_by_client_id=False,
            cancels_on_disconnect=False,
            venue_stamps_books=False,
            fills_partially=True,
            reports_each_fill=False,
            recv_window_ms=settings.window_ms_max,
            look_up_lag_ms=settings.look_up_lag_ms,
        )
        self._settings, self._network, self._clock, self._log, self._rng = settings, network, clock, log, rng
        self._reads, self._on_refused, self.time = reads, on_refused, reads.time
        self.books = {symbol: Book(VENUE, symbol) for symbol in settings.symbols}
        self.feed: Feed | None = None
        self._instruments: dict[str, Instrument] = {}
        self._tickers: list[wire.Ticker] = []
        self.data_link: Link | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, sink: VenueSink) -> None:
        """Read the rules and open the market data. Raises, with everything closed again, when it cannot."""
        try:
            await self.read_rules()
            await self.read_state()
            await self.open(sink)
            await self.await_first_picture()
            self.watch()
        except BaseException:
            await self.close()
            raise

    async def read_rules(self) -> dict[str, tuple[Instrument, wire.Market]]:
        with refusals():
            markets = await self._reads.instruments()
        self._instruments = {symbol: found[0] for symbol, found in markets.items()}
        return markets

    async def read_state(self) -> None:
        with refusals():
            self._tickers = await self._reads.tickers()

    async def open(self, sink: VenueSink) -> None:
        """Open the market data socket."""
        feed = self.feed = Feed(self.books, self._reads.first_look, sink=sink, clock=self._clock, log=self._log)
        feed.on_tickers(self._tickers, self._clock.mono_ns())
        self.data_link = self.link(MARKET_DATA, feed, self._url)
        with refusals():
            await self.data_link.start()

    async def await_first_picture(self) -> None:
        """Have the shape of a depth frame compared. A market that is shut sends none: that is told, and no mismatch."""
        assert self.feed is not None
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self.feed.first_picture.wait()
        except TimeoutError:
            self._log.warning("vest.shape.not_seen", what="depth frame", reason="no picture has come yet")
        if self.feed.shape_error is not None:
            raise self.feed.shape_error

    def watch(self) -> None:
        """Start looking after channels that fell silent."""
        self._watching = asyncio.get_running_loop().create_task(self._watch(), name="vest watch")

    def instrument(self, symbol: str) -> Instrument:
        return self._instruments[symbol]

    def book(self, symbol: str) -> Book:
        return self.books[symbol]

    def trades(self, symbol: str) -> bool:
        return self.feed is None or not self.feed.entry_block(symbol)

    def entry_block(self, symbol: str) -> str:
        return "not started" if self.feed is None else self.feed.entry_block(symbol)

    def market_state(self, symbol: str) -> MarketState | None:
        """Return mark, index, funding and status of a market as last told; None before that."""
        if symbol not in self.books:
            raise KeyError(symbol)
        return None if self.feed is None else self.feed.state(symbol)

    async def ping(self) -> None:
        """Make one small public call."""
        with refusals():
            await self._reads.tickers()

    def link(self, name: str, owner: LinkOwner, url: Callable[[], Awaitable[str]]) -> Link:
        settings = self._settings
        return Link(
            name,
            owner,
            url,
            settings=settings,
            network=self._network,
            clock=self._clock,
            log=self._log,
            backoff=Backoff(settings.reconnect_floor_s, settings.reconnect_ceiling_s, rng=self._rng),
            on_refused=self._on_refused,
        )

    async def close(self) -> None:
        """End every connection and task, and the REST client."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self.data_link is not None:
            await self.data_link.close()
            self.data_link = None
        await self._reads.close()

    async def _url(self) -> str:
        return ws.socket_url(self._settings.ws_url, self._reads.access.account_group)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.channel_silence_s / 2)
            if self.feed is not None:
                self.feed.ask_again(self._settings.channel_silence_s)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn the codec's refusal into the contract's. 5xx pages too: what was asked was not answered."""
    try:
        yield
    except VenueError as e:
        raise Refused(VENUE, str(e.code if e.code is not None else f"http {e.http_status}"), e.msg) from e
