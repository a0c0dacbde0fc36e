"""Targets at Vest: text frames into a live feed and an order's account, REST answers and bodies."""

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import corpus, oracle
from tests.fuzz.judge import LIVE, REFUSED, Quiet, agree, attempt, same_book, slowly
from tests.fuzz.mutate import Mutator
from tests.fuzz.shadow import VestShadow

from deltawire.core.book import Book
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import rest as vest_rest
from deltawire.venues.vest import tracking, wire, ws
from deltawire.venues.vest.feed import Feed
from deltawire.venues.vest.levels import LevelReader
from deltawire.venues.vest.shapes import FirstLook


class VestWs:
    SYMBOLS = ("BTC-PERP", "ETH-PERP")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.vest_texts(), is_json=True)
        self._reader = ws.FrameReader()
        self._books = {symbol: Book("vest", symbol) for symbol in self.SYMBOLS}
        self._feed = Feed(self._books, FirstLook(Quiet()), sink=Quiet(), clock=Quiet(), log=Quiet())
        self._shadows = {symbol: VestShadow() for symbol in self.SYMBOLS}
        # The adapter compares the first frame of each kind with the shape it relies on: sound ones come first.
        for kind in (b'"tickers"', b"BTC-PERP@depth"):
            self.check(next(frame for frame in corpus.vest_texts() if kind in frame))

    def next_frame(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.7:
            return self._mutator.frame()
        sound = self._tickers() if rng.random() < 0.1 else self._picture()
        return sound if rng.random() < LIVE else self._mutator.frame(sound)

    def check(self, frame: bytes) -> str:
        with contextlib.suppress(DecodeError):
            ws.read_command(frame)
        read = attempt(lambda: self._reader.read(frame))
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
            same_book(self._books[symbol], shadow)
        if isinstance(read, wire.OrderEvent):
            tracking.learn(_order(), read, is_row=False)
        return REFUSED if read is None else type(read).__name__

    def _compare(self, depth: ws.Depth, document: Any) -> None:
        symbol = slowly(lambda: document["channel"].rpartition("@")[0])
        bids, asks = slowly(lambda: [oracle.json_levels(document["data"][side]) for side in ("bids", "asks")])
        agree("depth", (depth.symbol, depth.bids, depth.asks), (symbol, bids, asks))

    def _tickers(self) -> bytes:
        rates = dict.fromkeys(("oneHrFundingRate", "cumFunding", "imbalance", "indexPrice", "markPrice"), "1.5")
        status = self._rng.choice(("TRADING", "TRADING", "HALT"))
        return json.dumps(
            {
                "channel": "tickers",
                "data": [{"symbol": self._rng.choice(self.SYMBOLS), **rates, "status": status}],
            }
        ).encode()

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
            attempt(lambda shape=shape: vest_rest.read_body(frame, shape))  # type: ignore[misc]
        self._answer(lambda: vest_rest.read_registered(200, frame))
        self._answer(lambda: vest_rest.read_done(200, frame))
        status = self._rng.choice((200, 400, 401, 403, 422, 429, 500, 530))
        vest_rest.error_of(status, frame)
        self._answer(lambda: vest_rest.read_orders(status, frame))
        rows = self._answer(lambda: vest_rest.read_orders(200, frame))
        if rows:
            taken += 1
            self._compare_rows(rows, slowly(oracle.read_json, frame))
            attempt(lambda: tracking.report(_order(), rows))
            for row in rows:
                tracking.learn(_order(), row, is_row=True)
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


def _order() -> tracking.TrackedOrder:
    """Return an order nothing is known of yet."""
    return tracking.TrackedOrder(
        ClientOrderId("a-1"),
        1,
        "BTC-PERP",
        Side.BUY,
        10**7,
        signed_unix_ms=1,
        window_ms=1500,
        stamps=OrderStamps(),
    )
