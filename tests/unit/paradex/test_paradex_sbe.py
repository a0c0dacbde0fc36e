"""SBE frames against the golden vectors in both directions, and frames that must be refused."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from deltawire.core.book import Book
from deltawire.core.types import Side
from deltawire.venues.contract import DecodeError
from deltawire.venues.paradex import sbe
from deltawire.venues.paradex.records import Bbo, BookUpdate, Fill, Order, Position, Skipped, Trade

VECTORS = Path(__file__).parents[2] / "vectors" / "paradex"
FRAMES = json.loads((VECTORS / "sbe_frames.json").read_text())
STREAM = json.loads((VECTORS / "sbe_book_stream.json").read_text())["steps"]

NOT_MODELLED = {"FundingRateComparisonEvent", "SubscribedEvent"}
MODELLED = [frame for frame in FRAMES["frames"] if frame["message"] not in NOT_MODELLED]

# Wire name -> our name, where they differ by more than case and unit.
NAMES = {
    "ts": "venue_unix_ns", "createdAt": "created_unix_ns", "updatedAt": "updated_unix_ns",
    "receivedAt": "received_unix_ns", "publishedAt": "published_unix_ns",
    "lastSeenNotification": "last_seen_notification_unix_ns",
    "tradeId": "trade_id_low64", "tradeIdStr": "trade_id", "side": "side", "timeInForce": "instruction",
    "sizeOpen": "remaining_e8", "orderbookSeqNo": "book_seq", "clientOrderId": "client_id",
    "avgEntryPrice": "entry_price_e8", "avgEntryPriceUsd": "entry_price_usd_e8",
    "unrealizedPnl": "unrealized_pnl_e8", "realizedPnl": "realized_pnl_e8", "cachedFundingIndex": "funding_index_e8",
    "unrealizedFundingPnl": "unrealized_funding_e8", "realizedFunding": "realized_funding_e8",
    "initialMarginReq": "initial_margin_e8", "maintenanceMarginReq": "maintenance_margin_e8",
    "bid": "bid_price_e8", "ask": "ask_price_e8", "volumeUsd24h": "volume_usd_24h_e8",
    "priceChangeRate24h": "price_change_rate_24h_e8", "fundingRate8h": "funding_rate_8h_e8",
    "fundingRatePrecise": "funding_rate_e12",
}  # fmt: skip
TIMES = {name for name in NAMES if NAMES[name].endswith("_unix_ns")}


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def ids(vectors: list[dict[str, Any]]) -> list[str]:
    return [vector["name"] for vector in vectors]


def value_of(record: Any, wire_name: str) -> Any:
    name = NAMES.get(wire_name, snake(wire_name))
    if wire_name == "tradeId" and isinstance(record, Fill):
        name = "trade_id"
    return getattr(record, name if hasattr(record, name) else f"{name}_e8")


@pytest.mark.parametrize("vector", MODELLED, ids=ids(MODELLED))
def test_every_frame_decodes_and_encodes_back_to_the_same_bytes(vector):
    frame = bytes.fromhex(vector["hex"])
    record = sbe.decode(frame)
    assert not isinstance(record, Skipped)
    assert sbe.encode(record, vector["version"]) == frame
    assert sbe.decode(memoryview(frame)) == record


TABLED = [frame for frame in MODELLED if frame["message"] not in {"BboEvent", "BookEvent"}]


@pytest.mark.parametrize("vector", TABLED, ids=ids(TABLED))
def test_every_number_and_text_of_a_frame_is_the_vectors(vector):
    record: Any = sbe.decode(bytes.fromhex(vector["hex"]))
    checked = 0
    for wire_name, raw in vector["raw"].items():
        if wire_name in {"side", "status", "orderType", "timeInForce", "fillType", "liquidity", "stp", "flags"}:
            continue  # enums: compared with the SDK's words below
        if wire_name in {"requestStatus", "requestType", "tradeType"}:
            continue
        expected = raw * 1000 if wire_name in TIMES else raw
        if wire_name == "size" and isinstance(record, Position):
            expected = raw * record.side.sign
        assert value_of(record, wire_name) == expected, wire_name
        checked += 1
    assert checked >= 2


WORDS = {"status": "status", "orderType": "order_type", "timeInForce": "time_in_force", "fillType": "fill_type",
         "liquidity": "liquidity", "stp": "stp", "tradeType": "trade_type"}  # fmt: skip


@pytest.mark.parametrize("vector", TABLED, ids=ids(TABLED))
def test_every_enum_has_the_sdks_word(vector):
    record: Any = sbe.decode(bytes.fromhex(vector["hex"]))
    decoded = vector["decoded"]
    for wire_name, sdk_name in WORDS.items():
        if vector["raw"].get(wire_name) is None:
            continue
        word = value_of(record, wire_name)
        if decoded[sdk_name] is None:
            assert word == f"UNKNOWN_{vector['raw'][wire_name]}"
        else:
            assert word == decoded[sdk_name]
    if "flags" in vector["raw"]:
        assert list(record.flags) == decoded["flags"]
    if "side" in vector["raw"]:
        side = record.aggressor if isinstance(record, Trade) else record.side
        word = decoded["side"]
        assert side == (None if word is None else Side.BUY if word in ("BUY", "LONG") else Side.SELL)


BBOS = [frame for frame in MODELLED if frame["message"] == "BboEvent"]


@pytest.mark.parametrize("vector", BBOS, ids=ids(BBOS))
def test_bbo_numbers_are_the_vectors(vector):
    raw = vector["raw"]
    bid = None if raw["bidPrice"] is None else (raw["bidPrice"], raw["bidSize"])
    ask = None if raw["askPrice"] is None else (raw["askPrice"], raw["askSize"])
    assert sbe.decode(bytes.fromhex(vector["hex"])) == Bbo(raw["ts"] * 1000, raw["seq"], bid, ask, raw["market"])


BOOKS = [frame for frame in MODELLED if frame["message"] == "BookEvent"]


@pytest.mark.parametrize("vector", BOOKS, ids=ids(BOOKS))
def test_book_numbers_are_the_vectors(vector):
    raw = vector["raw"]
    book = sbe.decode(bytes.fromhex(vector["hex"]))
    assert isinstance(book, BookUpdate)

    def pair(name: str) -> tuple[int, int] | None:
        return None if raw[f"{name}Price"] is None else (raw[f"{name}Price"], raw[f"{name}Size"])

    assert book == BookUpdate(
        raw["ts"] * 1000, raw["seq"], raw["pkgType"] == 0, [tuple(level) for level in raw["bids"]],
        [tuple(level) for level in raw["asks"]], raw["market"], pair("bestBid"), pair("bestAsk"),
        raw["relativeSpread"], pair("bestBidApi"), pair("bestAskApi"),
    )  # fmt: skip


GOLDEN = FRAMES["server_golden"]


@pytest.mark.parametrize("vector", GOLDEN, ids=ids(GOLDEN))
def test_frames_of_the_servers_own_encoder_decode(vector):
    frame = bytes.fromhex(vector["hex"])
    record = sbe.decode(frame)
    if vector["name"] == "funding-comparison":
        assert record == Skipped(6)
        return
    raw = vector["raw"]
    assert isinstance(record, Position)
    assert (record.market, record.size_e8, record.entry_price_e8, record.last_fill_id, record.account) == (
        raw["market"], raw["size"] * record.side.sign, raw["avgEntryPrice"], raw["lastFillId"], raw["account"],
    )  # fmt: skip
    assert sbe.encode(record) == frame


@pytest.mark.parametrize("vector", FRAMES["rejected"], ids=ids(FRAMES["rejected"]))
def test_bad_frames_are_refused_and_unknown_templates_skipped(vector):
    frame = bytes.fromhex(vector["hex"])
    if vector["name"] == "unknown-template":
        assert sbe.decode(frame) == Skipped(99)
        return
    with pytest.raises(DecodeError):
        sbe.decode(frame)


def test_templates_we_do_not_model_are_skipped():
    skipped = {f["message"]: sbe.decode(bytes.fromhex(f["hex"])) for f in FRAMES["frames"] if f not in MODELLED}
    assert skipped == {"FundingRateComparisonEvent": Skipped(6), "SubscribedEvent": Skipped(41)}


def test_the_early_layout_of_version_two_has_no_request_and_no_flags():
    # Hand-made: the appended root fields and texts are cut, the header says version 2 with the old block length.
    for index, block, cut_root, last_texts in ((42, 126, 2, ("requestId", "requestMessage")), (57, 107, 9, ())):
        vector = FRAMES["frames"][index]
        frame = bytes.fromhex(vector["hex"])
        head, root, texts = frame[:8], frame[8 : 8 + block], frame[8 + block + cut_root :]
        if last_texts:
            assert texts.endswith(b"\x00\x00")
            texts = texts[:-2]
        else:
            texts = texts[: -1 - len(vector["raw"]["feeCurrency"])]
        record = sbe.decode(struct.pack("<H", block) + head[2:] + root + texts)
        if isinstance(record, Order):
            assert (record.request_status, record.request_type, record.request_id) == (None, None, None)
            assert record.order_id == vector["raw"]["orderId"]
        else:
            assert isinstance(record, Fill)
            assert (record.flags, record.book_seq, record.fee_currency) == (None, None, None)
            assert record.fill_id == vector["raw"]["fillId"]


def test_a_longer_block_of_a_later_version_is_read_and_its_rest_skipped():
    vector = FRAMES["frames"][11]
    frame = bytes.fromhex(vector["hex"])
    longer = struct.pack("<H", 56) + frame[2:56] + bytes(8) + frame[56:]
    assert sbe.decode(longer) == sbe.decode(frame)


def order_frame(**changes: int) -> bytes:
    at = {"status": 24, "side": 25, "orderType": 26}
    frame = bytearray.fromhex(FRAMES["frames"][43]["hex"])
    for name, value in changes.items():
        frame[at[name]] = value
    return bytes(frame)


@pytest.mark.parametrize("changes", [{"status": 254}, {"status": 9}, {"side": 254}, {"side": 0}])
def test_an_order_with_an_unknown_status_or_side_is_refused(changes):
    with pytest.raises(DecodeError):
        sbe.decode(order_frame(**changes))


def test_an_order_with_an_unknown_type_is_kept_by_its_number():
    order = sbe.decode(order_frame(orderType=77))
    assert isinstance(order, Order)
    assert order.order_type == "UNKNOWN_77"
    assert sbe.encode(order) == order_frame(orderType=77)


@pytest.mark.parametrize(("offset", "value"), [(24, 0), (24, -5), (32, -1), (40, 0), (48, -(2**63))])
def test_a_bbo_with_an_impossible_price_or_size_is_refused(offset, value):
    frame = bytearray.fromhex(FRAMES["frames"][11]["hex"])
    struct.pack_into("<q", frame, offset, value)
    with pytest.raises(DecodeError):
        sbe.decode(bytes(frame))


def test_the_book_stream_gives_the_vectors_book_at_every_step():
    book = Book("paradex", "BTC-USD-PERP")
    kinds = set()
    for step in STREAM:
        update = sbe.decode(bytes.fromhex(step["hex"]))
        assert isinstance(update, BookUpdate)
        assert sbe.encode(update) == bytes.fromhex(step["hex"])
        kinds.add(step["expect"].split(":")[0])
        if update.is_snapshot:
            book.replace(update.bids, update.asks, update.seq)
        elif book.valid and update.seq == book.seq + 1:
            book.apply(update.bids, update.asks, update.seq)
        elif book.valid and update.seq > book.seq:
            book.invalidate("sequence gap")
        if step["book"] is None:
            assert not book.valid
        else:
            assert book.valid
            assert [[str(number) for number in level] for level in book.bids] == step["book"]["bids"]
            assert [[str(number) for number in level] for level in book.asks] == step["book"]["asks"]
    assert kinds == {"apply", "gap", "ignore until a snapshot", "ignore"}


def test_a_value_that_does_not_fit_its_field_is_refused_when_encoding():
    with pytest.raises(ValueError):
        sbe.encode(Bbo(0, 2**70, None, None, "BTC-USD-PERP"))
    with pytest.raises(ValueError):
        sbe.encode(Bbo(0, 1, None, None, "M" * 256))
