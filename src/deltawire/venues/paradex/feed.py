"""The public market data of Paradex: bbo and book channels of each market into one Book each. Keeps no history.

The two channels share one sequence per market. Deltas must be consecutive; a bbo newer than the book is laid over it at
once, and deltas that trail behind that bbo may then only touch what lies behind its top, which makes the result exact:
what was better than the newer top is gone by then. A gap, a crossed book or an unreadable frame invalidates the book
and subscribes anew (I10). Mark prices and funding go to `facts`, and never stand in the way of a book.

Source: Paradex protocol reference, sections 8 to 10.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from deltawire.core.book import Book, Level
from deltawire.venues.contract import MARKET_DATA, Clock, DecodeError, EventLog, Refused, VenueSink
from deltawire.venues.paradex import rpc, sbe, wire_public
from deltawire.venues.paradex.facts import Facts
from deltawire.venues.paradex.link import DISTURBED, Link, subscribe
from deltawire.venues.paradex.records import Bbo, BookUpdate, FundingData, Heartbeat, MarketSummary
from deltawire.venues.paradex.rest import NAME
from deltawire.venues.paradex.settings import BookFeed, OrderClass, ParadexSettings

LINK = MARKET_DATA
WATCH_S = 0.25  # how often silence and lag are looked at; they are measured in seconds


class Carrier(Protocol):
    """What carries the channels: a link, or several of them as one (`lines`)."""

    @property
    def up(self) -> bool: ...
    @property
    def heard_mono_ns(self) -> int: ...
    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...
    def drop(self, why: str) -> None: ...


@dataclass(slots=True, eq=False)
class Track:
    """One market: its book and where its two channels stand."""

    book: Book
    seq: int = -1  # of the last snapshot or delta taken; -1: waiting for a snapshot
    top_seq: int = -1  # of the newest bbo, which top_bid and top_ask are
    top_bid: Level | None = None
    top_ask: Level | None = None
    subscribed_mono_ns: int = 0
    due_mono_ns: int = 0  # when to subscribe again if there is still no snapshot
    behind_since_mono_ns: int = 0  # bbo is ahead, and no book frame has come since then; 0 when it is not
    subscribing: asyncio.Task[None] | None = None
    gaps: int = 0


class MarketFeed:
    """Owns the market data link's content. The session makes the link and hands it over in `attach`."""

    def __init__(self, settings: ParadexSettings, *, clock: Clock, log: EventLog) -> None:
        """Raise ValueError for a book feed that the order class cannot trade on."""
        if settings.book_feed == BookFeed.INTERACTIVE and settings.order_class is not OrderClass.RETAIL:
            raise ValueError("book feed interactive shows RPI liquidity, which only Retail orders can take")
        self._settings, self._clock, self._log = settings, clock, log
        self._tracks = {symbol: Track(Book(NAME, symbol)) for symbol in settings.symbols}
        self._sink: VenueSink | None = None
        self._link: Carrier | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._told_up = False
        self.facts = Facts(settings.symbols, clock=clock)
        self.unreadable = 0
        self.skipped: Counter[int] = Counter()  # frames of templates nobody here asked for

    def attach(self, link: Carrier, sink: VenueSink) -> None:
        self._link, self._sink = link, sink

    def seq_of(self, symbol: str) -> int:
        """Return the sequence of the last book frame taken, -1 while a snapshot is waited for."""
        return self._tracks[symbol].seq

    def book(self, symbol: str) -> Book:
        return self._tracks[symbol].book

    def watch(self) -> None:
        """Start looking after silent channels."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="paradex feed watch")

    async def close(self) -> None:
        tasks = [track.subscribing for track in self._tracks.values()] + [self._watcher]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    # ---- LinkOwner

    async def handshake(self) -> None:
        assert isinstance(self._link, Link)
        self.begin()
        await self.subscribe_all(self._link)

    def begin(self) -> None:
        """Forget what an earlier connection told; a snapshot is due from now on."""
        for track in self._tracks.values():
            _forget(track)
            self._mark_subscribed(track)

    async def subscribe_all(self, link: Link) -> None:
        facts = [of(symbol) for symbol in self._tracks for of in (rpc.summary_channel, rpc.funding_channel)]
        # All at once: one after the other, a hundred markets would be four hundred round trips.
        await asyncio.gather(
            subscribe(link, (channel for symbol in self._tracks for channel in self._channels(symbol))),
            *(self._subscribe_to_fact(link, channel) for channel in facts),
        )

    async def _subscribe_to_fact(self, link: Link, channel: str) -> None:
        """Mark price and funding are worth having, not worth the books: without them the feed goes on."""
        try:
            await link.call("subscribe", {"channel": channel})
        except Refused as e:
            self._log.warning("paradex.channel_refused", channel=channel, reason=str(e))

    def on_up(self) -> None:
        assert self._sink is not None
        self._told_up = True
        self._sink.on_link(NAME, LINK, up=True, detail="subscribed")

    def on_down(self, detail: str) -> None:
        assert self._sink is not None
        for track in self._tracks.values():
            _forget(track)
            track.book.invalidate(f"market data {detail}")
        # First all books, then the news: nobody may act on one book while the other is still there.
        if self._told_up:
            self._told_up = False
            self._sink.on_link(NAME, LINK, up=False, detail=detail)
        for track in self._tracks.values():
            self._sink.on_book(track.book, self._clock.mono_ns())

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        del received_mono_ns
        self._log.info("paradex.answer_unasked", link=LINK, id=answer.id)

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None:
        try:
            record = wire_public.decode(channel, data)
            if record is None:
                self._log.info("paradex.channel_unasked", channel=channel[:60])
            else:
                self.take(record, received_mono_ns)
        except DecodeError as e:
            self.lose_frame(str(e))

    def on_unreadable(self, reason: str) -> None:
        if self._settings.sbe:
            # The link has logged it; text carries no market data here, a lost acknowledgement shows as silence.
            self.unreadable += 1
        else:
            self.lose_frame(reason)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            # As read_top; written out, for most triggers come this way.
            top = sbe.read_bbo(payload)
            if top is None:
                self.read_rest(payload, received_mono_ns)
                return
            venue_unix_ns, seq, bid, ask, market = top
            track = self._tracks.get(market)
            if track is not None and seq > track.top_seq:
                self._on_top(track, seq, bid, ask, venue_unix_ns, received_mono_ns)
        except DecodeError as e:
            self.lose_frame(str(e))

    def read_rest(self, payload: memoryview, received_mono_ns: int) -> None:
        """Take one SBE frame that is no bbo. Raises DecodeError."""
        template = sbe.template_of(payload)
        if template == sbe.BOOK:
            self._on_book(sbe.decode_book(payload), received_mono_ns)
        else:
            self._on_other(template, payload, received_mono_ns)

    def read_top(self, payload: memoryview, received_mono_ns: int) -> bool:
        """Take one SBE frame if it is a bbo; returns False for any other. Raises DecodeError."""
        top = sbe.read_bbo(payload)
        if top is None:
            return False
        venue_unix_ns, seq, bid, ask, market = top
        track = self._tracks.get(market)
        if track is not None and seq > track.top_seq:
            self._on_top(track, seq, bid, ask, venue_unix_ns, received_mono_ns)
        return True

    def _on_other(self, template: int, payload: memoryview, received_mono_ns: int) -> None:
        record = sbe.decode(payload)
        if isinstance(record, MarketSummary | FundingData):
            self.take(record, received_mono_ns)
        elif not isinstance(record, Heartbeat):
            self.skipped[template] += 1
            if self.skipped[template] == 1:
                self._log.info("paradex.template_skipped", template=template)

    def take(self, record: wire_public.Public, received_mono_ns: int) -> None:
        """Take one record. Raises DecodeError for one that no book can hold."""
        if isinstance(record, Bbo):
            track = self._tracks.get(record.market)
            if track is not None and record.seq > track.top_seq:
                self._on_top(track, record.seq, record.bid, record.ask, record.venue_unix_ns, received_mono_ns)
        elif isinstance(record, BookUpdate):
            self._on_book(record, received_mono_ns)
        elif isinstance(record, MarketSummary):
            self.facts.on_summary(record, received_mono_ns)
        else:
            self.facts.on_funding(record, received_mono_ns)

    # ---- frames

    def _on_top(
        self, track: Track, seq: int, bid: Level | None, ask: Level | None, venue_unix_ns: int, received_mono_ns: int
    ) -> None:
        track.top_seq, track.top_bid, track.top_ask = seq, bid, ask
        if track.seq < 0 or seq <= track.seq:
            return
        if not track.behind_since_mono_ns:
            track.behind_since_mono_ns = received_mono_ns
        book = track.book
        book.set_top(bid, ask, seq)
        if not book.valid:
            self._changed(track, venue_unix_ns, received_mono_ns)
            return
        book.received_mono_ns = received_mono_ns
        book.venue_unix_ns = max(book.venue_unix_ns, venue_unix_ns)
        self._sink.on_book(book, received_mono_ns)  # type: ignore[union-attr]  # attached before the first frame

    def _on_book(self, update: BookUpdate, received_mono_ns: int) -> None:
        track = self._tracks.get(update.market)
        if track is None:
            return
        if update.seq < 0:  # it would be taken for "waiting for a snapshot", with a book that looks valid
            raise DecodeError(f"book sequence {update.seq}")
        if update.is_snapshot:
            if self._settings.book_feed != BookFeed.DELTAS and update.seq <= track.seq:
                return
            self._replace(track, update)
        else:
            if track.seq < 0 or update.seq <= track.seq:
                return  # waiting for a snapshot, or a repeat
            if self.is_consecutive and update.seq != track.seq + 1:
                track.gaps += 1
                self._resync(track, f"sequence gap: {update.seq} after {track.seq}")
                return
            self._apply(track, update)
        track.behind_since_mono_ns = received_mono_ns if track.top_seq > track.seq else 0
        self._changed(track, update.venue_unix_ns, received_mono_ns)

    def _replace(self, track: Track, update: BookUpdate) -> None:
        track.book.replace(update.bids, update.asks, update.seq)
        track.seq = update.seq
        if track.top_seq > update.seq:
            track.book.set_top(track.top_bid, track.top_ask, track.top_seq)

    def _apply(self, track: Track, update: BookUpdate) -> None:
        track.seq = update.seq
        if track.top_seq <= update.seq:
            track.book.apply(update.bids, update.asks, update.seq)
            return
        # The delta is older than the top we show: at the bbo's sequence nothing better than that top exists.
        bid, ask = track.top_bid, track.top_ask
        bids = [level for level in update.bids if bid is not None and level[0] < bid[0]]
        asks = [level for level in update.asks if ask is not None and level[0] > ask[0]]
        track.book.apply(bids, asks, track.top_seq)

    def _changed(self, track: Track, venue_unix_ns: int, received_mono_ns: int) -> None:
        assert self._sink is not None
        book = track.book
        if not book.valid:
            if self._settings.book_feed == BookFeed.INTERACTIVE:
                # RPI orders may cross the book by some bps: not to be traded on, and no frame was lost.
                self._sink.on_book(book, received_mono_ns)
            else:
                self._resync(track, book.why_invalid)
            return
        book.received_mono_ns = received_mono_ns
        book.venue_unix_ns = max(book.venue_unix_ns, venue_unix_ns)
        self._sink.on_book(book, received_mono_ns)

    def lose_frame(self, reason: str) -> None:
        """Count a frame that could not be read. Which market it was of is unknown: every book may have missed it."""
        self.unreadable += 1
        if self.unreadable.bit_count() == 1:  # the 1st, 2nd, 4th, ...: a torrent of them must not flood the log
            self._log.warning("paradex.frame_unreadable", link=LINK, reason=reason, count=self.unreadable)
        for track in self._tracks.values():
            if track.seq >= 0:
                self._resync(track, f"unreadable frame: {reason}")

    # ---- repair

    def _resync(self, track: Track, why: str) -> None:
        """Invalidate, tell, and subscribe anew unless that was done just now (the watch then does it)."""
        assert self._sink is not None
        _forget(track)
        track.book.invalidate(why)
        self._log.warning("book.invalid", venue=NAME, symbol=track.book.symbol, reason=why)
        now_ns = self._clock.mono_ns()
        track.due_mono_ns = track.subscribed_mono_ns + int(self._settings.resubscribe_pause_s * 1e9)
        if now_ns >= track.due_mono_ns:
            self._resubscribe(track)
        self._sink.on_book(track.book, now_ns)

    def _resubscribe(self, track: Track) -> None:
        if track.subscribing is None or track.subscribing.done():
            self._mark_subscribed(track)
            track.subscribing = asyncio.get_running_loop().create_task(self._subscribe_again(track.book.symbol))

    async def _subscribe_again(self, symbol: str) -> None:
        assert self._link is not None
        channel = self._channels(symbol)[-1]
        for method in ("unsubscribe", "subscribe"):
            try:
                await self._link.call(method, {"channel": channel})
            except DISTURBED as e:
                # Not being subscribed is an error of unsubscribe only; a failed subscribe is tried again by the watch.
                self._log.warning("paradex.resubscribe", symbol=symbol, method=method, reason=str(e))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self.look(self._clock.mono_ns())

    def look(self, now_mono_ns: int) -> None:
        """Repair what fell silent: the link as a whole, a book without snapshot, a book trailing behind its bbo."""
        assert self._link is not None
        if not self._link.up:
            return
        settings = self._settings
        if now_mono_ns - self._link.heard_mono_ns > settings.silence_s * 1e9:
            self._link.drop(f"no frame for {settings.silence_s:g} s")
            return
        for track in self._tracks.values():
            behind_ns = now_mono_ns - track.behind_since_mono_ns if track.behind_since_mono_ns else 0
            if behind_ns > settings.book_lag_s * 1e9:
                self._resync(track, f"the book channel trails behind bbo for {settings.book_lag_s:g} s")
            elif track.seq < 0 and now_mono_ns >= track.due_mono_ns:
                self._resubscribe(track)

    def _mark_subscribed(self, track: Track) -> None:
        track.subscribed_mono_ns = self._clock.mono_ns()
        track.due_mono_ns = track.subscribed_mono_ns + int(self._settings.first_frame_timeout_s * 1e9)

    @property
    def is_consecutive(self) -> bool:
        """Only the unthrottled deltas count on by one."""
        return self._settings.book_feed == BookFeed.DELTAS and self._settings.deltas_consecutive

    @property
    def is_whole(self) -> bool:
        """Whether each book frame is the whole picture, so that none depends on another."""
        return self._settings.book_feed != BookFeed.DELTAS

    def _channels(self, symbol: str) -> tuple[str, ...]:
        """Return the channels a market's book is made of, the book's own last.

        bbo leaves RPI orders out, so it cannot be laid over the interactive book.
        """
        match self._settings.book_feed:
            case BookFeed.INTERACTIVE:
                return (rpc.interactive_channel(symbol),)
            case BookFeed.SNAPSHOT:
                return rpc.bbo_channel(symbol), rpc.snapshot_channel(symbol)
            case _:
                return rpc.bbo_channel(symbol), rpc.deltas_channel(symbol)


def _forget(track: Track) -> None:
    track.seq = track.top_seq = -1
    track.top_bid = track.top_ask = None
    track.behind_since_mono_ns = 0
