"""Vest market data: depth pictures into books, and whether a market is halted. One socket for all symbols.

Depth is a full replacement without time, sequence or checksum: stamped on arrival, sorted by the book. A frame that
cannot be read invalidates every book of the socket; the next picture of each, some 300 ms later, heals it (I10).
Source: Vest API v2 notes, section 8.
"""

import asyncio
from collections.abc import Mapping

from deltawire.core.book import Book
from deltawire.venues.contract import MARKET_DATA, Clock, DecodeError, EventLog, MarketState, VenueSink
from deltawire.venues.vest import shapes, wire, ws
from deltawire.venues.vest.formatting import cut_e8
from deltawire.venues.vest.link import Link
from deltawire.venues.vest.shapes import FirstLook


class Feed:
    """Owns the books; a LinkOwner."""

    def __init__(
        self, books: Mapping[str, Book], first_look: FirstLook, *, sink: VenueSink, clock: Clock, log: EventLog
    ) -> None:
        self._books, self._first_look = books, first_look
        self._sink, self._clock, self._log = sink, clock, log
        self._reader = ws.FrameReader()
        self._link: Link | None = None
        self._up = False
        self._halted: set[str] = set()
        self._odd_statuses: dict[str, str] = {}  # symbol -> status nobody documents
        self._states: dict[str, MarketState] = {}
        self._looked_at_depth = False
        # The first picture has come, or a frame in a shape we do not rely on: then shape_error says which.
        self.first_picture = asyncio.Event()
        self.shape_error: DecodeError | None = None
        self._asked_mono_ns = dict.fromkeys(books, 0)  # when each depth channel was last asked for
        self.unreadable = 0
        self.unknown = 0

    def on_open(self, link: Link) -> None:
        self._link = link
        # Separate requests: one reader saw all depth stop when crypto and shares were mixed.
        shares = [symbol for symbol in self._books if symbol.endswith("-USD-PERP")]
        crypto = [symbol for symbol in self._books if symbol not in shares]
        for symbols in (crypto, shares):
            if symbols:
                self._subscribe(link, symbols)
        link.send(ws.subscribe([ws.TICKERS], link.next_id()))

    def on_frame(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            frame = self._reader.read(payload)
            if type(frame) is ws.Depth:
                self._look_at_depth(payload)
            elif isinstance(frame, ws.TickersSeen):
                self._first_look.look("tickers frame", shapes.TICKERS_FRAME, payload)
        except DecodeError as e:
            if not self.first_picture.is_set():
                self.shape_error = e
                self.first_picture.set()
            self._on_unreadable(str(e), received_mono_ns)
            return
        if type(frame) is ws.Depth:
            self._on_depth(frame, received_mono_ns)
        elif isinstance(frame, ws.TickersSeen):
            self.on_tickers(frame.items, received_mono_ns)
        elif isinstance(frame, ws.ErrorFrame):
            self._log.error("vest.feed.error_frame", code=frame.code, msg=frame.msg)
        elif isinstance(frame, ws.Unknown):
            self.unknown += 1
            self._log.warning("vest.feed.unknown_frame", what=frame.what, count=self.unknown)

    def on_down(self, code: int, reason: str) -> None:
        was_up, self._up = self._up, False
        self._invalidate_all(f"market data link down: {code} {reason}".rstrip())
        if was_up:
            self._sink.on_link("vest", MARKET_DATA, up=False, detail=f"{code} {reason}".rstrip())

    def ask_again(self, silence_s: float) -> None:
        """Subscribe anew to channels that gave nothing for this long; a refused channel is told in no other way."""
        if self._link is None or not self._up:
            return
        now_mono_ns = self._clock.mono_ns()
        for symbol, book in self._books.items():
            since_ns = now_mono_ns - max(book.received_mono_ns, self._asked_mono_ns[symbol])
            if since_ns > silence_s * 1e9:
                self._log.warning("vest.feed.channel_silent", symbol=symbol, silent_s=round(since_ns / 1e9, 1))
                self._subscribe(self._link, [symbol])

    def state(self, symbol: str) -> MarketState | None:
        """Return the market as the venue last told it, None before it has."""
        return self._states.get(symbol)

    def entry_block(self, symbol: str) -> str:
        """Say why this market takes no entries: "" when it does."""
        if symbol in self._halted:
            return "the venue halted the market"
        if symbol in self._odd_statuses:
            return f"the market's status is {self._odd_statuses[symbol]}"
        return ""

    def halt(self, symbol: str) -> None:
        """Take a market for halted, from a refusal that says so, until a ticker says that it trades."""
        book = self._books[symbol]
        if symbol not in self._halted:
            self._halted.add(symbol)
            self._log.warning("vest.market.halted", symbol=symbol)
            book.invalidate("the venue halted the market")
            self._sink.on_book(book, self._clock.mono_ns())

    def _look_at_depth(self, payload: memoryview) -> None:
        if not self._looked_at_depth:
            self._first_look.look("depth frame", shapes.DEPTH_FRAME, payload)
            self._looked_at_depth = True

    def _subscribe(self, link: Link, symbols: list[str]) -> None:
        now_mono_ns = self._clock.mono_ns()
        self._asked_mono_ns.update(dict.fromkeys(symbols, now_mono_ns))
        link.send(ws.subscribe([ws.depth_channel(symbol) for symbol in symbols], link.next_id()))

    def _on_depth(self, frame: ws.Depth, received_mono_ns: int) -> None:
        book = self._books.get(frame.symbol)
        if book is None or frame.symbol in self._halted:
            return
        book.received_mono_ns = received_mono_ns
        book.replace(frame.bids, frame.asks)
        self.first_picture.set()
        if not self._up:
            self._up = True
            self._sink.on_link("vest", MARKET_DATA, up=True, detail="")
        self._sink.on_book(book, received_mono_ns)

    def on_tickers(self, items: list[wire.Ticker], received_mono_ns: int) -> None:
        """Take in the state of the markets: from the channel, and at start from REST."""
        for ticker in items:
            symbol = ticker.symbol
            if symbol not in self._books:
                continue
            self._note_state(ticker, received_mono_ns)
            if ticker.status == wire.HALT:
                self.halt(symbol)
                continue
            if symbol in self._halted:
                self._halted.discard(symbol)
                self._log.info("vest.market.resumed", symbol=symbol, status=ticker.status[:40])
            if ticker.tradable:
                self._odd_statuses.pop(symbol, None)
            elif self._odd_statuses.get(symbol) != ticker.status[:40]:
                self._odd_statuses[symbol] = ticker.status[:40]
                self._log.warning("vest.market.unlisted_status", symbol=symbol, status=ticker.status[:40])

    def _note_state(self, ticker: wire.Ticker, received_mono_ns: int) -> None:
        try:
            self._states[ticker.symbol] = MarketState(
                symbol=ticker.symbol,
                mark_price_e8=cut_e8(ticker.mark_price),
                index_price_e8=cut_e8(ticker.index_price),
                funding_rate_e8=cut_e8(ticker.one_hr_funding_rate),
                status=ticker.status[:40],
                received_mono_ns=received_mono_ns,
            )
        except ValueError as e:
            self._log.warning("vest.ticker.unreadable", symbol=ticker.symbol, reason=str(e))

    def _on_unreadable(self, reason: str, received_mono_ns: int) -> None:
        self.unreadable += 1
        self._log.warning("vest.feed.unreadable_frame", reason=reason, count=self.unreadable)
        self._invalidate_all("unreadable frame", received_mono_ns)

    def _invalidate_all(self, why: str, received_mono_ns: int = 0) -> None:
        at_ns = received_mono_ns or self._clock.mono_ns()
        for book in self._books.values():
            if book.valid:
                book.invalidate(why)
                self._sink.on_book(book, at_ns)
