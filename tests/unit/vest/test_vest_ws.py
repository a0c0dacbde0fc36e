"""Every golden frame, URLs and client frames, and the simulator's frames read back."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from deltawire.core.book import Book
from deltawire.core.money import E8, parse_e8
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import levels, wire, ws

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"
GOLDEN = json.loads((VECTORS / "golden_messages.json").read_text())
URLS = json.loads((VECTORS / "urls.json").read_text())
HOSTS = {
    "prod": "wss://ws-prod.hz.vestmarkets.com/ws-api",
    "dev": "wss://ws-dev.hz.vestmarkets.com/ws-api",
}


def e8(pairs):
    return [(parse_e8(p), parse_e8(s)) for p, s in pairs]


def snake(message):
    fields = json.loads(json.dumps(message, default=str)) if isinstance(message, dict) else None
    assert fields is not None
    return {"".join("_" + c.lower() if c.isupper() else c for c in k): v for k, v in fields.items()}


def args_of(event):
    return snake(json.loads(ws.private_event(event))["data"]["args"])


def check(frame, expect):
    match expect["kind"]:
        case "pong":
            assert frame == ws.Pong()
        case "ack":
            assert frame == ws.SubscribeAck(expect["id"])
        case "depth":
            assert isinstance(frame, ws.Depth)
            assert frame.symbol == expect["symbol"]
            book = Book("vest", frame.symbol)
            book.replace(frame.bids, frame.asks)
            assert book.bids == e8(expect["bids"])
            assert book.asks == e8(expect["asks"])
        case "tickers":
            assert isinstance(frame, ws.TickersSeen)
            rows = [snake(json.loads(ws.tickers([t]))["data"][0]) | {"tradable": t.tradable} for t in frame.items]
            assert rows == expect["items"]
        case "trades":
            assert isinstance(frame, ws.TradesSeen)
            assert frame.symbol == expect["symbol"]
            rows = [(t.id, t.price, t.qty, t.time) for t in frame.items]
            assert rows == [(t["id"], t["price"], t["qty_raw"], t["time"]) for t in expect["items"]]
        case "order_event":
            assert isinstance(frame, wire.OrderEvent)
            nothing = {name: None for name in expect if name not in {"kind", "terminal"}}
            assert nothing | args_of(frame) == {k: v for k, v in expect.items() if k in nothing}
            assert wire.is_final(frame.status) is expect["terminal"]
        case "lp_event" | "transfer_event":
            assert isinstance(frame, wire.LpEvent | wire.TransferEvent)
            assert args_of(frame) | {"kind": expect["kind"]} == expect
        case "error":
            assert frame == ws.ErrorFrame(expect["code"], expect["msg"])
        case "kline":
            assert isinstance(frame, ws.KlineSeen)
            found = msgspec.structs.asdict(frame.item) | {"trades": int(frame.item.trades)}
            assert found | {"kind": "kline", "symbol": frame.symbol, "interval": frame.interval} == expect
        case "unknown":
            assert isinstance(frame, ws.Unknown)
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in GOLDEN if v["expect"]["kind"] != "malformed"])
def test_a_golden_frame_means_what_the_vector_says(v):
    raw = v["raw"].encode()
    check(ws.FrameReader().read(raw), v["expect"])
    check(ws.FrameReader().read(memoryview(raw)), v["expect"])


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in GOLDEN if v["expect"]["kind"] == "malformed"])
def test_a_malformed_frame_is_a_decode_error(v):
    with pytest.raises(DecodeError):
        ws.FrameReader().read(v["raw"].encode())


@pytest.mark.parametrize(
    "raw",
    [
        '{"channel":"BTC-PERP@depth","data":{"bids":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[["-1.00","1"]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[["1.00","-1"]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[["1e5","1"]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[["1_0","1"]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[[1e5,1]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[[true,null]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[[NaN,1]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":{"bids":[["1.000000001","1"]],"asks":[]}}',
        '{"channel":"BTC-PERP@depth","data":null}',
        '{"channel":"account_private","data":{"event":"ORDER","args":{"status":"FILLED"}}}',
        '{"channel":"account_private","data":{"event":"ORDER","args":{"id":"0x1","status":"FILLED","nonce":1.5}}}',
        '{"channel":"account_private","data":{"args":{}}}',
        '{"channel":"tickers","data":[{"symbol":"BTC-PERP"}]}',
        '{"channel":"BTC-PERP@trades","data":{"price":1}}',
    ],
)
def test_a_known_channel_in_a_wrong_shape_is_a_decode_error(raw):
    with pytest.raises(DecodeError):
        ws.FrameReader().read(raw.encode())


def test_the_memo_of_texts_stays_within_its_bound_and_changes_no_value():
    reader = levels.LevelReader()
    for start in range(0, levels.MEMO_TEXTS_MAX + 200, 50):
        book = levels.WireBook([(f"{n}.25", "1") for n in range(start, start + 50)], [])
        bids, asks = reader.read(book)
        assert (bids, asks) == ([(parse_e8(f"{n}.25"), 10**8) for n in range(start, start + 50)], [])
        assert len(reader._memo) <= levels.MEMO_TEXTS_MAX


def test_a_base_url_written_with_its_version_is_not_given_two_queries():
    url = "wss://ws-prod.hz.vestmarkets.com/ws-api"
    assert ws.socket_url(f"{url}?version=1.0", 0) == ws.socket_url(url, 0)


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in URLS["urls"]])
def test_a_socket_url_is_built_as_the_vector_says(v):
    key = Secret(v["listen_key"]) if v["listen_key"] else None
    found, want = urlsplit(ws.socket_url(HOSTS[v["env"]], v["account_group"], key)), urlsplit(v["url"])
    assert (found.scheme, found.netloc, found.path) == (want.scheme, want.netloc, want.path)
    assert parse_qs(found.query, strict_parsing=True) == parse_qs(want.query, strict_parsing=True)


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in URLS["frames"]])
def test_a_client_frame_is_written_and_read_as_the_vector_says(v):
    send = v["send"]
    match send["method"]:
        case "PING":
            raw = ws.ping(send["id"])
        case "SUBSCRIBE":
            raw = ws.subscribe(send["params"], send["id"])
        case "UNSUBSCRIBE":
            raw = ws.unsubscribe(send["params"], send["id"])
        case other:
            raise AssertionError(other)
    assert json.loads(raw) == send
    assert ws.read_command(raw) == wire.Command(send["method"], send["id"], send["params"])


def test_the_simulators_frames_read_back():
    reader = ws.FrameReader()
    bids, asks = [(parse_e8("100.10"), parse_e8("0.5"))], [(parse_e8("100.2"), parse_e8("1"))]
    assert reader.read(ws.depth("BTC-PERP", bids, asks, 2, 4)) == ws.Depth("BTC-PERP", bids, asks)
    assert json.loads(ws.depth("X", bids, asks, 2, 4))["data"]["bids"] == [["100.10", "0.5000"]]
    assert reader.read(ws.pong()) == ws.Pong()
    assert reader.read(ws.subscribe_ack(7)) == ws.SubscribeAck(7)
    assert reader.read(ws.error_frame(1130, "no")) == ws.ErrorFrame(1130, "no")
    trade = wire.Trade("0x1", "1.0", "2.0", "2.0", 5)
    assert reader.read(ws.trade("BTC-PERP", trade)) == ws.TradesSeen("BTC-PERP", [trade])
    kline = wire.Kline(1, "1.0", "2.0", "0.5", "1.5", 60_000, "3", "4.5", 7)
    sent = msgspec.structs.replace(kline, trades="7")
    assert reader.read(ws.kline("BTC-PERP", "1h", kline)) == ws.KlineSeen("BTC-PERP", "1h", sent)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"method":"PING"}', b'{"method":"PING","id":"x"}', b"\xff"])
def test_a_client_frame_outside_the_contract_is_a_decode_error(raw):
    with pytest.raises(DecodeError):
        ws.read_command(raw)


def test_a_depth_frame_reads_the_same_whatever_the_order_of_its_keys():
    data = b'{"bids":[["100.5","1"],["100","2"]],"asks":[["101","3"]]}'
    first = ws.FrameReader().read(b'{"channel":"BTC-PERP@depth","data":' + data + b"}")
    last = ws.FrameReader().read(memoryview(b'{"data":' + data + b',"channel":"BTC-PERP@depth"}'))
    assert first == last == ws.Depth("BTC-PERP", [(10_050_000_000, E8), (100 * E8, 2 * E8)], [(101 * E8, 3 * E8)])


def test_a_frame_that_only_mentions_depth_is_none():
    assert isinstance(ws.FrameReader().read(b'{"id":1,"msg":"no @depth","code":7}'), ws.ErrorFrame)
    assert isinstance(
        ws.FrameReader().read(b'{"x":"@depth","channel":"other","data":{"bids":[],"asks":[]}}'), ws.Unknown
    )
