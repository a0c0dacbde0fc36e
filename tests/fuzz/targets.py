"""One target a codec: makes damaged frames, hands them to the codec, and judges what comes out.

Allowed: the codec's own typed errors, and readings that agree with the slow one in `oracle`. Anything else is a
finding: another exception escapes to the runner, a disagreement is Wrong. The market data codecs feed live books too,
and those books must be what an independent book-keeper (`shadow`) has.
"""

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import corpus, oracle
from tests.fuzz.mutate import Mutator
from tests.fuzz.shadow import ParadexShadow, VestShadow

from deltawire.core.book import Book
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.paradex_rpc import decode_request as decode_any_request
from deltawire.venues.contract import DecodeError, Refused
from deltawire.venues.paradex import errors, rpc, sbe
from deltawire.venues.paradex import rest as paradex_rest
from deltawire.venues.paradex.feed import MarketFeed
from deltawire.venues.paradex.records import Bbo, BookUpdate, Fill, Order, Position, Skipped, Trade
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest import rest as vest_rest
from deltawire.venues.vest import wire, ws
from deltawire.venues.vest.feed import Feed
from deltawire.venues.vest.levels import LevelReader

REFUSED = "refused"
LIVE = 0.25  # share of frames that are sound and fit the book as it stands, so that there is a book to spoil


class Wrong(AssertionError):
    """A frame was read as something it does not say."""


def agree(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise Wrong(f"{what}: {ours!r:.300}, the slow reading is {theirs!r:.300}")


def slowly(read: Callable[..., Any], *args: Any) -> Any:
    """Return the slow reading of a frame the codec took. A frame without meaning should have been refused."""
    try:
        return read(*args)
    except (oracle.Unreadable, KeyError, IndexError, TypeError, ValueError) as e:
        raise Wrong(f"taken, though by the slow reading it says nothing: {type(e).__name__} {e}") from e


class _Quiet:
    """An EventLog, a Clock that stands still, and a VenueSink in one."""

    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...
    def mono_ns(self) -> int:
        return 0

    def unix_ns(self) -> int:
        return 0

    def on_book(self, book: Book, received_mono_ns: int) -> None: ...
    def on_order(self, client_id: Any, event: Any) -> None: ...
    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None: ...


# ---- Paradex


class ParadexSbe:
    MARKETS = ("BTC-USD-PERP", "ETH-USD-PERP")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.sbe_frames(), is_json=False)
        settings = ParadexSettings("https://h/v1", "wss://h/v1", "0x1", Secret("0x1"), self.MARKETS)
        self._feed = MarketFeed(settings, clock=_Quiet(), log=_Quiet())
        self._feed.attach(_NoLink(), _Quiet())  # type: ignore[arg-type]  # time stands still: it is never called
        self._shadows = {market: ParadexShadow() for market in self.MARKETS}

    def next_frame(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.5:
            return self._mutator.frame()
        market = rng.choice(self.MARKETS)
        sound = sbe.encode(self._next_record(market, self._shadows[market]))
        return sound if rng.random() < LIVE * 2 else self._mutator.frame(sound)

    def check(self, frame: bytes) -> str:
        outcome, record = REFUSED, None
        try:
            record = sbe.decode(frame)
        except DecodeError:
            pass
        else:
            outcome = type(record).__name__
            self._compare(record, frame)
        self._feed_it(frame)
        return outcome

    def _compare(self, record: Any, frame: bytes) -> None:
        match record:
            case Bbo():
                slow = slowly(oracle.sbe_bbo, frame)
                mine = {"us": record.venue_unix_ns // 1000, "seq": record.seq, "bid": record.bid, "ask": record.ask}
                agree("bbo", mine | {"market": record.market}, slow)
            case BookUpdate():
                slow = slowly(oracle.sbe_book, frame)
                book = {"us": record.venue_unix_ns // 1000, "seq": record.seq, "snapshot": record.is_snapshot}
                agree("book", book | {"bids": record.bids, "asks": record.asks, "market": record.market}, slow)
            case Trade():
                slow = slowly(oracle.sbe_money, frame)
                agree("trade", {"price": record.price_e8, "size": record.size_e8}, slow)
            case Order() | Fill() | Position():
                slow = slowly(oracle.sbe_money, frame)
                agree(type(record).__name__, {name: _money(record, name) for name in slow}, slow)
            case Skipped():
                agree("skipped template", record.template_id, slowly(oracle.sbe_template, frame))

    def _feed_it(self, frame: bytes) -> None:
        template = _or_none(oracle.sbe_template, frame)
        slow, refused = None, True
        before = self._feed.unreadable
        self._feed.on_binary(memoryview(frame), 1)
        if self._feed.unreadable == before:
            refused = False
            if template in {sbe.BBO, sbe.BOOK}:
                slow = slowly(oracle.sbe_bbo if template == sbe.BBO else oracle.sbe_book, frame)
        for market, shadow in self._shadows.items():
            if refused:
                shadow.unreadable()
            elif slow is not None and slow["market"] == market:
                shadow.on_bbo(slow) if template == sbe.BBO else shadow.on_book(slow)
            _same_book(self._feed.book(market), shadow)

    def _next_record(self, market: str, shadow: ParadexShadow) -> Any:
        """Return a frame that fits: a snapshot when there is no book, else the next delta, or a newer bbo."""
        rng, tick = self._rng, 10**8
        mid = 61_800 * tick

        def side(sign: int, count: int, *, zeros: bool) -> list[tuple[int, int]]:
            steps = sorted(rng.sample(range(1, 30), count))
            return [
                (mid + sign * n * tick, 0 if zeros and rng.random() < 0.4 else rng.randint(1, 9) * tick) for n in steps
            ]

        if not shadow.valid or shadow.seq > 2**62:
            return BookUpdate(
                1_000_000, rng.randrange(1, 2**40), True, side(-1, 8, zeros=False), side(1, 8, zeros=False), market
            )
        seq = shadow.seq + 1
        if rng.random() < 0.25:
            [bid], [ask] = side(-1, 1, zeros=False), side(1, 1, zeros=False)
            return Bbo(1_000_000, seq + rng.randrange(3), bid if rng.random() < 0.95 else None, ask, market)
        return BookUpdate(1_000_000, seq, False, side(-1, 3, zeros=True), side(1, 3, zeros=True), market)


class ParadexRpc:
    """Text frames of the socket, both ways."""

    CHANNELS = ("orders.ALL", "fills.ALL", "positions", "account")

    def __init__(self, rng: random.Random) -> None:
        self._mutator = Mutator(rng, corpus.paradex_texts(), is_json=True)

    def next_frame(self) -> bytes:
        return self._mutator.frame()

    def check(self, frame: bytes) -> str:
        for read in (rpc.decode_request, decode_any_request):
            try:
                read(frame)
            except rpc.BadRequest as bad:
                # What the venue would answer must be writable too.
                rpc.encode_error(bad.request_id, bad.code, bad.message, 1, 2, bad.data)
        try:
            message = rpc.decode_server(frame)
        except DecodeError:
            return REFUSED
        document = slowly(oracle.read_json, frame)
        if isinstance(message, rpc.Failure):
            errors.order_event(message.code, message.message, message.data)
            agree("error code", message.code, slowly(lambda: int(document["error"]["code"])))
            return "failure"
        if isinstance(message, rpc.Reply):
            _try(lambda: rpc.decode_result(message.result))
            order = _try(lambda: rpc.decode_order_result(message.result))
            if order is not None:
                agree("order", *slowly(_both_json, order, document["result"]["order"]))
            return "reply"
        agree("channel", message.channel, document["params"]["channel"])
        record = _try(lambda: rpc.decode_channel(message.channel, message.data))
        if isinstance(record, Order | Fill | Position):
            agree(message.channel, *slowly(_both_json, record, document["params"]["data"]))
        return REFUSED if record is None else type(record).__name__


class ParadexRest:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.paradex_bodies(), is_json=True)
        self._readers: tuple[Callable[[bytes], Any], ...] = (
            paradex_rest.read_time_unix_ms,
            paradex_rest.read_config,
            paradex_rest.read_state,
            paradex_rest.read_token,
            paradex_rest.read_markets,
            paradex_rest.read_account,
            paradex_rest.read_account_info,
            paradex_rest.read_balances,
        )

    def next_frame(self) -> bytes:
        return self._mutator.frame()

    def check(self, frame: bytes) -> str:
        taken = 0
        for read in self._readers:
            taken += _try(lambda read=read: read(frame)) is not None  # type: ignore[misc]
        for status in (200, 400, 429, 503):
            with contextlib.suppress(Refused, errors.Unavailable):
                paradex_rest.check(status, frame)
        one = _try(lambda: paradex_rest.read_order(frame))
        if one is not None:
            taken += 1
            agree("order", *slowly(_both_json, one, slowly(oracle.read_json, frame)))
        for read_list in (paradex_rest.read_orders, paradex_rest.read_fills):
            page = _try(lambda read_list=read_list: read_list(frame))  # type: ignore[misc]
            taken += page is not None
            self._compare(page[0] if page else [], frame)
        positions = _try(lambda: paradex_rest.read_positions(frame))
        self._compare(positions or [], frame)
        return "taken" if taken + (positions is not None) else REFUSED

    def _compare(self, records: list[Any], frame: bytes) -> None:
        if records:
            rows = slowly(lambda: oracle.read_json(frame)["results"])
            agree("rows", len(records), len(rows))
            for record, row in zip(records, rows, strict=True):
                agree(type(record).__name__, *slowly(_both_json, record, row))


class _NoLink:
    up = False


# ---- Vest


class VestWs:
    SYMBOLS = ("BTC-PERP", "ETH-PERP")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.vest_texts(), is_json=True)
        self._reader = ws.FrameReader()
        self._books = {symbol: Book("vest", symbol) for symbol in self.SYMBOLS}
        self._feed = Feed(self._books, sink=_Quiet(), clock=_Quiet(), log=_Quiet())
        self._shadows = {symbol: VestShadow() for symbol in self.SYMBOLS}

    def next_frame(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.7:
            return self._mutator.frame()
        sound = self._picture()
        return sound if rng.random() < LIVE else self._mutator.frame(sound)

    def check(self, frame: bytes) -> str:
        with contextlib.suppress(DecodeError):
            ws.read_command(frame)
        read = _try(lambda: self._reader.read(frame))
        # Unknown is what was not looked into; all else must be JSON.
        document: Any = None if read is None or isinstance(read, ws.Unknown) else slowly(oracle.read_json, frame)
        if isinstance(read, ws.Depth):
            self._compare(read, document)
        self._feed.on_frame(memoryview(frame), 1)
        for symbol, shadow in self._shadows.items():
            if read is None:
                shadow.unreadable()
            elif isinstance(read, ws.Depth) and read.symbol == symbol:
                shadow.on_picture(read.bids, read.asks)
            elif isinstance(read, ws.TickersSeen):
                shadow.on_tickers(symbol, slowly(lambda: [(t["symbol"], t["status"]) for t in document["data"]]))
            _same_book(self._books[symbol], shadow)
        return REFUSED if read is None else type(read).__name__

    def _compare(self, depth: ws.Depth, document: Any) -> None:
        symbol = slowly(lambda: document["channel"].rpartition("@")[0])
        bids, asks = slowly(lambda: [oracle.json_levels(document["data"][side]) for side in ("bids", "asks")])
        agree("depth", (depth.symbol, depth.bids, depth.asks), (symbol, bids, asks))

    def _picture(self) -> bytes:
        rng = self._rng
        sides = {
            name: [
                [f"{61_800 + sign * n}.{rng.randrange(100):02d}", f"{rng.randrange(1, 9)}.5"]
                for n in rng.sample(range(1, 40), 6)
            ]
            for name, sign in (("bids", -1), ("asks", 1))
        }
        return json.dumps({"channel": f"{rng.choice(self.SYMBOLS)}@depth", "data": sides}).encode()


class VestRest:
    SHAPES: tuple[Any, ...] = (
        wire.ExchangeInfo,
        wire.Tickers,
        wire.Registered,
        wire.Account,
        wire.LastNonce,
        wire.Leverage,
        wire.OrderId,
        wire.ListenKey,
    )
    BODIES: tuple[Any, ...] = (wire.OrderSubmit, wire.CancelSubmit, wire.Registration, wire.LeverageChange)

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        # What moves money is damaged more often than its share of the vectors.
        weights = {"/depth": 6, "/orders": 3}
        bodies = [body or b"{}" for path, _, body in corpus.vest_answers() for _ in range(weights.get(path, 1))]
        self._mutator = Mutator(rng, bodies, is_json=True)
        self._levels = LevelReader()

    def next_frame(self) -> bytes:
        return self._mutator.frame()

    def check(self, frame: bytes) -> str:
        taken = 0
        for shape in self.SHAPES:
            taken += self._answer(lambda shape=shape: vest_rest.read_answer(200, frame, shape)) is not None  # type: ignore[misc]
        for shape in self.BODIES:
            _try(lambda shape=shape: vest_rest.read_body(frame, shape))  # type: ignore[misc]
        self._answer(lambda: vest_rest.read_registered(200, frame))
        self._answer(lambda: vest_rest.read_done(200, frame))
        status = self._rng.choice((200, 400, 401, 403, 422, 429, 500, 530))
        vest_rest.error_of(status, frame)
        self._answer(lambda: vest_rest.read_orders(status, frame))
        rows = self._answer(lambda: vest_rest.read_orders(200, frame))
        if rows:
            taken += 1
            self._compare_rows(rows, slowly(oracle.read_json, frame))
        depth = self._answer(lambda: vest_rest.read_depth(200, frame, self._levels))
        if depth is not None:
            taken += 1
            document = slowly(oracle.read_json, frame)
            agree(
                "depth", depth, slowly(lambda: tuple(oracle.json_levels(document[side]) for side in ("bids", "asks")))
            )
        return "taken" if taken else REFUSED

    def _answer(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (DecodeError, vest_rest.VenueError):
            return None

    def _compare_rows(self, rows: list[wire.OrderRow], document: Any) -> None:
        for row, slow in slowly(lambda: list(zip(rows, document, strict=True))):
            agree(
                "row",
                (row.id, row.status, row.size, row.is_buy),
                slowly(lambda slow=slow: (slow["id"], slow["status"], slow["size"], slow["isBuy"])),
            )
            for name, wire_name in (
                ("last_filled_size", "lastFilledSize"),
                ("avg_filled_price", "avgFilledPrice"),
                ("fees", "fees"),
            ):
                agree(name, getattr(row, name), slow.get(wire_name))


TARGETS: dict[str, Callable[[random.Random], Any]] = {
    "paradex-sbe": ParadexSbe,
    "paradex-rpc": ParadexRpc,
    "paradex-rest": ParadexRest,
    "vest-ws": VestWs,
    "vest-rest": VestRest,
}


def _try(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DecodeError:
        return None


def _or_none(read: Callable[[bytes], Any], frame: bytes) -> Any:
    try:
        return read(frame)
    except oracle.Unreadable:
        return None


_NAMES = {"price": "price_e8", "size": "size_e8", "remaining": "remaining_e8", "fee": "fee_e8"}


def _money(record: Any, name: str) -> Any:
    value = getattr(record, _NAMES.get(name, name))
    return value.name if isinstance(value, Side) else value


def _both_json(record: Order | Fill | Position, row: dict[str, Any]) -> tuple[Any, Any]:
    """Return what the codec read and what the slow reading says."""
    if isinstance(record, Order):
        mine = (
            record.order_id,
            record.market,
            record.status,
            record.side.name,
            record.size_e8,
            record.remaining_e8,
            record.price_e8,
        )
        price = (oracle.e8(row["price"]) if row.get("price") else 0) or None
        slow = (
            row["id"],
            row["market"],
            row["status"],
            row["side"],
            oracle.e8(row["size"]),
            oracle.e8(row["remaining_size"]),
            price,
        )
        return (*mine, record.client_id), (*slow, row.get("client_id") or "")
    if isinstance(record, Fill):
        both = (record.fill_id, record.order_id, record.side.name, record.size_e8, record.price_e8, record.fee_e8)
        row_fee = oracle.e8_cut(row.get("fee"))
        return both, (row["id"], row["order_id"], row["side"], oracle.e8(row["size"]), oracle.e8(row["price"]), row_fee)
    side = {"LONG": "BUY", "SHORT": "SELL"}[row["side"]]
    return (record.market, record.side.name, record.size_e8), (row["market"], side, oracle.e8(row["size"]))


def _same_book(book: Book, shadow: ParadexShadow | VestShadow) -> None:
    agree(f"valid {book.symbol} ({book.why_invalid})", book.valid, shadow.valid)
    if shadow.valid:
        agree(f"bids of {book.symbol}", book.bids, shadow.sorted_bids())
        agree(f"asks of {book.symbol}", book.asks, shadow.sorted_asks())
