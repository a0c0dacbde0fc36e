"""At start every shape we rely on is compared: one field missing, renamed or retyped, and no order is ever sent."""

import copy
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from tests.unit.vest.bench import SYMBOL, Bench, started
from tests.unit.vest.fake_vest import PRIMARY, Log
from tests.unit.vest.virtual import virtual

from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import shapes, wire, ws
from deltawire.venues.vest.shapes import FirstLook, ShapeChanged

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"
POSITION = {"symbol": SYMBOL, "isLong": True, "size": "0.0100", "entryPrice": "70000.00", "liqPrice": None}
ROW = {
    "id": "0x1",
    "nonce": 5,
    "symbol": SYMBOL,
    "isBuy": True,
    "orderType": "MARKET",
    "size": "0.0100",
    "status": "FILLED",
    "code": None,
    "lastFilledSize": "0.0100",
    "lastFilledPrice": "70000.00",
    "lastFilledTime": 7,
    "avgFilledPrice": "70000.00",
    "fees": "0.070000",
    "postTime": 6,
}
TICKER = {
    "symbol": SYMBOL,
    "markPrice": "70000.00",
    "indexPrice": "70000.00",
    "imbalance": "0",
    "oneHrFundingRate": "0.0000125",
    "cumFunding": "0",
    "status": "TRADING",
}
MARKET = {
    "symbol": SYMBOL,
    "sizeDecimals": 4,
    "priceDecimals": 2,
    "takerFee": "0.0001",
    "initMarginRatio": "0.1",
    "maintMarginRatio": "0.05",
}
# Call -> (what it is called in messages, a good answer, where in it the fields that are relied on stand).
ANSWERS: dict[str, tuple[str, Any, dict[tuple[str | int, ...], list[str]]]] = {
    "GET /exchangeInfo": (
        "exchangeInfo",
        {
            "symbols": [MARKET, MARKET | {"symbol": "AAPL-USD-PERP"}],
            "exchange": {"collateralDecimals": 6},
        },
        {
            ("symbols", 0): list(MARKET),
            ("exchange",): ["collateralDecimals"],
            (): ["symbols", "exchange"],
        },
    ),
    "POST /register": ("register", {"apiKey": "api-key-marked", "accGroup": 1}, {(): ["apiKey", "accGroup"]}),
    "POST /account/listenKey": ("account/listenKey", {"listenKey": "listen-key-marked"}, {(): ["listenKey"]}),
    "GET /account": (
        "account",
        {"address": PRIMARY, "withdrawable": "1", "totalAccountValue": "1", "collateral": "1", "positions": [POSITION]},
        {
            (): ["address", "withdrawable", "totalAccountValue", "positions"],
            ("positions", 0): ["symbol", "isLong", "size", "entryPrice"],
        },
    ),
    "GET /account/nonce": ("account/nonce", {"lastNonce": 3}, {(): ["lastNonce"]}),
    "GET /orders": (
        "orders",
        [ROW],
        {
            (0,): ["id", "nonce", "symbol", "isBuy", "orderType", "size", "status", "avgFilledPrice", "fees"],
        },
    ),
    "GET /ticker/latest": (
        "ticker/latest",
        {"tickers": [TICKER]},
        {(): ["tickers"], ("tickers", 0): ["symbol", "markPrice", "indexPrice", "oneHrFundingRate", "status"]},
    ),
}
CASES = [
    pytest.param(call, at, field, id=f"{call} {'.'.join(map(str, at))} {field}")
    for call, (_, _, fields) in ANSWERS.items()
    for at, names in fields.items()
    for field in names
]


def changed(answer, at, field, change):
    """Return a copy with the one field gone, under another name, or of another kind."""
    whole = copy.deepcopy(answer)
    holder = whole
    for step in at:
        holder = holder[step]
    value = holder.pop(field)
    if change == "renamed":
        holder["new" + field] = value
    elif change == "retyped":
        holder[field] = {str: 7, int: "7", bool: "true", list: {}, dict: []}[type(value)]
    return json.dumps(whole).encode()


@pytest.mark.parametrize("change", ["missing", "renamed", "retyped"])
@pytest.mark.parametrize(("call", "at", "field"), CASES)
@virtual
async def test_start_refuses_an_answer_with_one_field_changed_and_names_it(call, at, field, change):
    name, answer, _ = ANSWERS[call]
    b = Bench(register_tries=1)
    b.vest.failing[call] = deque([(200, changed(answer, at, field, change))])
    with pytest.raises(ShapeChanged) as refused:
        await b.start()
    text = str(refused.value)
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    if change == "retyped":
        assert f"{name}{path}.{field} is " in text
    else:
        assert f"{name}{path}.{field} is missing" in text
    assert (f"new{field}" in text) is (change == "renamed")
    assert "marked" not in text
    assert not b.adapter.ready
    assert b.vest.client_closed


@pytest.mark.parametrize("call", ANSWERS)
@virtual
async def test_start_takes_the_good_answer_of_these_tests(call):
    b = Bench()
    if call != "POST /register":  # its key is the venue's to make: the fake's own answer is the good one
        b.vest.failing[call] = deque([(200, json.dumps(ANSWERS[call][1]).encode())])
    if call == "POST /account/listenKey":
        b.vest.listen_key = "listen-key-marked"
    await b.start()
    assert b.adapter.ready
    await b.adapter.close()


@virtual
async def test_fields_nobody_knows_are_told_once_and_do_no_harm():
    b = Bench()
    answer = ANSWERS["GET /account"][1] | {"secretPlans": "v3", "positions": [POSITION | {"marginMode": "cross"}]}
    b.vest.failing["GET /account"] = deque([(200, json.dumps(answer).encode())] * 2)
    await b.start()
    await b.adapter.positions()
    told = [line for line in b.log.named("vest.shape.unknown_fields") if line["what"] == "account"]
    assert [sorted(line["fields"].split(", ")) for line in told] == [["marginMode", "secretPlans"]]
    await b.adapter.close()


@virtual
async def test_an_account_without_orders_has_its_first_one_compared_when_it_comes():
    async with started() as b:
        assert [line["what"] for line in b.log.named("vest.shape.not_seen")] == ["orders", "depth frame"]
        row = {name: value for name, value in ROW.items() if name != "nonce"} | {"clientNonce": 5}
        b.vest.failing["GET /orders"] = deque([(200, json.dumps([row]).encode())])
        with pytest.raises(ShapeChanged, match=r"orders\[0\].nonce is missing; it has clientNonce"):
            await b.adapter.look_up(ClientOrderId("old"), 5, SYMBOL)


def test_an_order_the_venue_made_itself_needs_no_nonce_and_an_open_one_no_fill():
    look = FirstLook(Log())
    rows = [
        ROW | {"orderType": "LIQUIDATION", "nonce": None},
        ROW | {"status": "NEW", "avgFilledPrice": None, "fees": None, "lastFilledTime": None},
    ]
    look.look_at_answer(list[wire.OrderRow], json.dumps(rows).encode())
    assert look.has_seen("orders")


# --- the depth frame ---

BOOK = {"bids": [["69990.00", "1.0000"]], "asks": [["70010.00", "1.0000"]]}


def frame(data):
    return json.dumps({"channel": f"{SYMBOL}@depth", "data": data}).encode()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"bids": BOOK["bids"]}, "asks"),
        ({"asks": BOOK["asks"], "buys": BOOK["bids"]}, "bids"),
        (BOOK | {"bids": {}}, "bids"),
        (BOOK | {"asks": [["70010.00"]]}, "asks"),
        (BOOK | {"asks": [[70010.00, 1]]}, r"data.asks\[0\]\[0\] is a number with a fraction"),
        (BOOK | {"asks": [{"price": "70010.00", "qty": "1"}]}, "asks"),
    ],
)
@virtual
async def test_start_refuses_a_depth_frame_in_another_shape(data, named):
    b = Bench()
    b.vest.first_frames = [frame(data)]
    with pytest.raises(DecodeError, match=named):
        await b.start()
    assert b.vest.client_closed


@virtual
async def test_start_waits_for_the_first_picture_and_looks_at_it():
    b = Bench()
    b.vest.first_frames = [frame(BOOK | {"sequence": 7})]
    began_s = b.clock.mono_ns() / 1e9
    await b.start()
    assert b.clock.mono_ns() / 1e9 - began_s < 1
    assert b.adapter.book(SYMBOL).valid
    (told,) = [line for line in b.log.named("vest.shape.unknown_fields") if line["what"] == "depth frame"]
    assert told["fields"] == "sequence"
    await b.adapter.close()


@virtual
async def test_after_the_first_look_numbers_in_place_of_texts_are_survived():
    b = Bench()
    b.vest.first_frames = [frame(BOOK)]
    await b.start()
    b.vest.push_public(frame({"bids": [[69000.5, 1]], "asks": [[70010, 1]]}))
    assert b.adapter.book(SYMBOL).bids == [(6_900_050_000_000, 10**8)]
    await b.adapter.close()


# --- the specs and the vectors ---

KINDS = {
    "exchange_info": wire.ExchangeInfo,
    "tickers": wire.Tickers,
    "register": wire.Registered,
    "listen_key": wire.ListenKey,
    "nonce": wire.LastNonce,
    "account": wire.Account,
    "orders": list[wire.OrderRow],
}
GOLDEN = json.loads((VECTORS / "golden_rest.json").read_text())


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in GOLDEN if v["expect"]["kind"] in KINDS])
def test_a_golden_answer_has_the_shape_we_rely_on_and_no_field_we_do_not_know(v):
    log = Log()
    FirstLook(log).look_at_answer(KINDS[v["expect"]["kind"]], v["raw"].encode())
    unknown = [fields["fields"] for fields in log.named("vest.shape.unknown_fields")]
    assert not unknown or v["basis"] == "tolerance", unknown


def test_the_golden_depth_and_ticker_frames_have_the_shape_we_rely_on():
    specs = {"depth": shapes.DEPTH_FRAME, "tickers": shapes.TICKERS_FRAME}
    frames = json.loads((VECTORS / "golden_messages.json").read_text())
    documented = [v for v in frames if v["expect"]["kind"] in specs and v["basis"] in {"doc", "live", "doc+live"}]
    assert {v["expect"]["kind"] for v in documented} == specs.keys()
    for v in documented:
        assert shapes.compare("frame", specs[v["expect"]["kind"]], json.loads(v["raw"])) == [], v["id"]


def test_every_kind_named_here_is_compared_at_start():
    assert {name for name, _, _ in ANSWERS.values()} == {name for name, _ in shapes.OF_ANSWER.values()}


@pytest.mark.parametrize(
    ("value", "named"),
    [([], "a list"), (None, "null"), (1.5, "a number with a fraction"), ("x", "text"), (True, "true or false")],
)
def test_what_is_no_object_at_all_is_named_by_its_kind(value, named):
    with pytest.raises(ShapeChanged, match=named):
        shapes.compare("account", shapes.ACCOUNT, value)


def test_a_message_names_a_bounded_number_of_strangers_and_no_value():
    value = {f"field{n}": "0xsecret" for n in range(100)}
    with pytest.raises(ShapeChanged) as refused:
        shapes.compare("register", shapes.REGISTERED, value)
    assert "and 80 more" in str(refused.value)
    assert "0xsecret" not in str(refused.value)


def test_a_ticker_frame_is_compared_as_it_comes():
    look = FirstLook(Log())
    good = ws.tickers([wire.Ticker(SYMBOL, "0", "0", "0", "1", "1", "TRADING")])
    with pytest.raises(ShapeChanged, match=r"tickers frame.data\[0\].status is missing"):
        look.look("tickers frame", shapes.TICKERS_FRAME, good.replace(b'"status"', b'"state"'))
    look.look("tickers frame", shapes.TICKERS_FRAME, good)
    assert look.has_seen("tickers frame")
