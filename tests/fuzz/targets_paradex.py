"""Targets at Paradex: SBE frames and JSON public channels into a live feed, text frames, REST bodies."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import corpus, oracle
from tests.fuzz.judge import LIVE, REFUSED, Quiet, agree, attempt, same_book, slowly
from tests.fuzz.mutate import Mutator
from tests.fuzz.shadow import ParadexShadow

from deltawire.core.money import format_e8
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.sim.paradex_rpc import decode_request as decode_any_request
from deltawire.venues.contract import DecodeError, Refused
from deltawire.venues.paradex import busts, errors, rpc, sbe, wire_many
from deltawire.venues.paradex import rest as paradex_rest
from deltawire.venues.paradex.feed import MarketFeed
from deltawire.venues.paradex.records import Bbo, BookUpdate, Fill, Order, Position, Skipped, Trade
from deltawire.venues.paradex.settings import ParadexSettings

MARKETS = ("BTC-USD-PERP", "ETH-USD-PERP")


class _Feeding:
    """A live feed of two markets, and the shadow of each book."""

    def __init__(self, rng: random.Random, *, sbe: bool) -> None:
        self._rng = rng
        settings = ParadexSettings("https://h/v1", "wss://h/v1", "0x1", Secret("0x1"), MARKETS, sbe=sbe)
        self.feed = MarketFeed(settings, clock=Quiet(), log=Quiet())
        self.feed.attach(_NoLink(), Quiet())  # type: ignore[arg-type]  # time stands still: it is never called
        self._shadows = {market: ParadexShadow() for market in MARKETS}

    def compare(self, *, refused: bool, kind: str, slow: dict[str, Any] | None) -> None:
        """Tell the shadows what the feed has just taken or refused, and compare the books."""
        for market, shadow in self._shadows.items():
            if refused:
                shadow.unreadable()
            elif slow is not None and slow["market"] == market:
                shadow.on_bbo(slow) if kind == "bbo" else shadow.on_book(slow)
            same_book(self.feed.book(market), shadow)

    def next_record(self) -> Bbo | BookUpdate:
        """Return what fits: a snapshot when there is no book, else the next delta, or a newer bbo."""
        market = self._rng.choice(MARKETS)
        return self._next_record(market, self._shadows[market])

    def _next_record(self, market: str, shadow: ParadexShadow) -> Bbo | BookUpdate:
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
        # Mostly the next one; now and then a repeat, or one too far.
        seq = shadow.seq + (1 if rng.random() < 0.95 else rng.randrange(4))
        if rng.random() < 0.25:
            [bid], [ask] = side(-1, 1, zeros=False), side(1, 1, zeros=False)
            return Bbo(1_000_000, seq + rng.randrange(3), bid if rng.random() < 0.95 else None, ask, market)
        return BookUpdate(1_000_000, seq, False, side(-1, 3, zeros=True), side(1, 3, zeros=True), market)


class ParadexSbe:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.sbe_frames(), is_json=False)
        self._feeding = _Feeding(rng, sbe=True)

    def next_frame(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.5:
            return self._mutator.frame()
        sound = sbe.encode(self._feeding.next_record())
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
        feed = self._feeding.feed
        before = feed.unreadable
        feed.on_binary(memoryview(frame), 1)
        if feed.unreadable != before:
            self._feeding.compare(refused=True, kind="", slow=None)
            return
        template = slowly(oracle.sbe_template, frame)
        kind = {sbe.BBO: "bbo", sbe.BOOK: "book"}.get(template, "")
        slow = slowly(oracle.sbe_bbo if kind == "bbo" else oracle.sbe_book, frame) if kind else None
        self._feeding.compare(refused=False, kind=kind, slow=slow)


class ParadexPublic:
    """The public channels in JSON form, into a live feed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mutator = Mutator(rng, corpus.paradex_public(), is_json=True)
        self._feeding = _Feeding(rng, sbe=False)

    def next_frame(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.5:
            return self._mutator.frame()
        sound = _public_frame(self._feeding.next_record())
        return sound if rng.random() < LIVE * 2 else self._mutator.frame(sound)

    def check(self, frame: bytes) -> str:
        feed = self._feeding.feed
        before = feed.unreadable
        message = attempt(lambda: rpc.decode_server(frame))
        if message is None:
            feed.on_unreadable("unreadable")
        elif isinstance(message, rpc.Notification):
            feed.on_channel(message.channel, message.data, 1)
        if feed.unreadable != before:
            self._feeding.compare(refused=True, kind="", slow=None)
            return REFUSED
        kind, slow = "", None
        if isinstance(message, rpc.Notification):
            kind = {"bbo": "bbo", "order_book": "book"}.get(message.channel.partition(".")[0], "")
        if kind:
            data = slowly(lambda: oracle.read_json(frame)["params"]["data"])
            slow = slowly(oracle.json_bbo if kind == "bbo" else oracle.json_book, data)
        self._feeding.compare(refused=False, kind=kind, slow=slow)
        return kind or "other"


def _public_frame(record: Bbo | BookUpdate) -> bytes:
    data: dict[str, Any] = {"market": record.market, "seq_no": record.seq, "last_updated_at": 1}
    if isinstance(record, Bbo):
        for name, level in (("bid", record.bid), ("ask", record.ask)):
            price_e8, size_e8 = level or (0, 0)
            data |= {name: format_e8(price_e8) if level else "", f"{name}_size": format_e8(size_e8) if level else ""}
        return rpc.encode_notification(f"bbo.{record.market}", data)
    levels = [("BUY", *level) for level in record.bids] + [("SELL", *level) for level in record.asks]
    rows = [{"side": side, "price": format_e8(price), "size": format_e8(size)} for side, price, size in levels]
    data |= {
        "update_type": "s" if record.is_snapshot else "d",
        "inserts": [row for row in rows if row["size"] != "0"],
        "updates": [],
        "deletes": [row for row in rows if row["size"] == "0"],
    }
    return rpc.encode_notification(f"order_book.{record.market}.deltas", data)


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
            result = attempt(lambda: rpc.decode_result(message.result))
            if result is not None:
                attempt(lambda: wire_many.read_create_batch(result, 2))
                attempt(lambda: wire_many.read_cancel_batch(result))
                attempt(lambda: wire_many.read_modified(result))
            order = attempt(lambda: rpc.decode_order_result(message.result))
            if order is not None:
                agree("order", *slowly(_both_json, order, document["result"]["order"]))
            return "reply"
        agree("channel", message.channel, document["params"]["channel"])
        attempt(lambda: busts.decode(message.data))
        record = attempt(lambda: rpc.decode_channel(message.channel, message.data))
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
            taken += attempt(lambda read=read: read(frame)) is not None  # type: ignore[misc]
        for status in (200, 400, 429, 503):
            with contextlib.suppress(Refused, errors.Unavailable):
                paradex_rest.check(status, frame)
        attempt(lambda: wire_many.read_posted_batch(frame, ["a-1", "a-2"]))
        attempt(lambda: wire_many.read_cancelled(frame))
        one = attempt(lambda: paradex_rest.read_order(frame))
        if one is not None:
            taken += 1
            agree("order", *slowly(_both_json, one, slowly(oracle.read_json, frame)))
        for read_list in (paradex_rest.read_orders, paradex_rest.read_fills):
            page = attempt(lambda read_list=read_list: read_list(frame))  # type: ignore[misc]
            taken += page is not None
            self._compare(page[0] if page else [], frame)
        positions = attempt(lambda: paradex_rest.read_positions(frame))
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
