"""Requests as the vectors want them, answers as the vectors mean them, and what each error proves."""

import json
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from deltawire.core.money import E8, parse_e8
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError
from deltawire.venues.vest import errors, formatting, rest, wire
from deltawire.venues.vest.errors import Verdict
from deltawire.venues.vest.levels import LevelReader
from deltawire.venues.vest.signing import Signer

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"
CONTRACTS = {
    "prod": "0x919386306C47b2Fe1036e3B4F7C40D22D2461a23",
    "dev": "0x8E4D87AEf4AC4D5415C35A12319013e34223825B",
}


def load(name):
    return json.loads((VECTORS / name).read_text())


def request_for(v):  # noqa: PLR0912  one branch a call
    """Build the vector's call with our builders, from its own inputs."""
    access = rest.Access(v["account_group"], Secret(v["api_key"]) if v["api_key"] else None)
    query, body, keys = v["query"], v["body"], v.get("signing", {})
    match v["method"], v["path"]:
        case "GET", "/exchangeInfo":
            return rest.get_exchange_info(access)
        case "GET", "/ticker/latest":
            return rest.get_ticker_latest(access, query["symbols"].split(","))
        case "GET", "/depth":
            return rest.get_depth(access, query["symbol"], int(query["limit"]))
        case "GET", "/funding/history":
            return rest.get_funding_history(
                access, query["symbol"], interval=query["interval"], limit=int(query["limit"])
            )
        case "GET", "/account":
            return rest.get_account(access, int(query["time"]))
        case "GET", "/account/nonce":
            return rest.get_nonce(access, int(query["time"]))
        case "GET", "/orders":
            chosen = {k: query[k] for k in ("symbol", "status") if k in query}
            return rest.get_orders(
                access,
                int(query["time"]),
                order_id=query.get("id", ""),
                limit=int(query["limit"]) if "limit" in query else None,
                **chosen,
            )
        case "POST", "/orders":
            order = rest.read_body(json.dumps(body["order"]).encode(), wire.OrderFields)
            return rest.post_order(access, order, body["recvWindow"], Signer(Secret(keys["signing_private_key"])))
        case "POST", "/orders/cancel":
            cancel = wire.CancelFields(**body["order"])
            return rest.post_cancel(access, cancel, body["recvWindow"], Signer(Secret(keys["signing_private_key"])))
        case "POST", "/account/leverage":
            return rest.post_leverage(access, body["time"], body["symbol"], body["value"])
        case "POST", "/register":
            primary = Signer(Secret(keys["primary_private_key"]))
            return rest.post_register(access, primary, keys["signing_address"], CONTRACTS[v["env"]], body["expiryTime"])
        case method, "/account/listenKey":
            return rest.listen_key(access, method)
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in load("requests.json")])
def test_a_request_is_built_as_the_vector_says(v):
    request = request_for(v)
    url = urlsplit(v["base_url"] + request.target)
    assert request.method == v["method"]
    assert f"{url.scheme}://{url.netloc}{url.path}" == v["base_url"] + v["path"]
    assert dict(parse_qsl(url.query, strict_parsing=True) if url.query else ()) == v["query"]
    assert {k.lower(): x for k, x in request.headers.items()} == {k.lower(): x for k, x in v["headers"].items()}
    assert (json.loads(request.body) if request.body else None) == v["body"]
    assert request.header_lines().count(b"\r\n") == len(v["headers"])


def test_a_request_shows_neither_key_nor_signature():
    access = rest.Access(0, Secret("marked-api-key"))
    signer = Signer(Secret("0x" + "01" * 32))
    order = wire.OrderFields(1, 2, "MARKET", "BTC-PERP", True, "0.0001", "1.00", False)
    request = rest.post_order(access, order, 5000, signer)
    signature = json.loads(request.body)["signature"]
    shown = f"{request!r} {access!r} {rest.read_body(request.body, wire.OrderSubmit)!r}"
    assert "marked-api-key" not in shown
    assert signature not in shown


def test_a_private_call_before_registration_is_refused():
    with pytest.raises(ValueError, match="before registration"):
        rest.get_account(rest.Access(), 1)


@pytest.mark.parametrize(
    "v", [pytest.param(v, id=f"{v['mode']}-{v['value']}-{v['decimals']}") for v in load("formatting.json")]
)
def test_a_decimal_is_written_as_the_vector_says(v):
    value, decimals = Decimal(v["value"]), v["decimals"]
    rounding = ROUND_CEILING if v["mode"] == "ceil" else ROUND_FLOOR
    value_e8 = int((value * E8).to_integral_value(rounding))
    match v["mode"]:
        case "exact":
            assert value_e8 == value * E8
        case "down" | "floor":
            value_e8 = formatting.floor(value_e8, decimals)
        case "ceil":
            value_e8 = formatting.ceil(value_e8, decimals)
    if v["expected"] is None:
        with pytest.raises(ValueError):
            formatting.exact(value_e8, decimals)
    else:
        assert formatting.exact(value_e8, decimals) == v["expected"]


@pytest.mark.parametrize("decimals", range(9))
def test_the_step_of_a_market_gives_its_decimals_back(decimals):
    assert formatting.decimals_of(formatting.step_e8(decimals)) == decimals


@pytest.mark.parametrize("step", [0, 5, 250, 10**9])
def test_a_step_that_is_no_power_of_ten_is_refused(step):
    with pytest.raises(ValueError):
        formatting.decimals_of(step)


# --- golden answers ---


def plain(message):
    return json.loads(rest.answer(message))


def snake(fields):
    return {"".join("_" + c.lower() if c.isupper() else c for c in k): v for k, v in fields.items()}


def check_exchange_info(v, body):
    found = rest.read_answer(200, body, wire.ExchangeInfo)
    assert found.exchange.collateral_decimals == v["collateral_decimals"]
    assert [m.symbol for m in found.symbols] == list(v["symbols"])
    for m in found.symbols:
        expect = v["symbols"][m.symbol]
        assert (m.base, m.quote, m.isolated) == (expect["base"], expect["quote"], expect["isolated"])
        assert (m.size_decimals, m.price_decimals) == (expect["size_decimals"], expect["price_decimals"])
        assert formatting.step_e8(m.size_decimals) == parse_e8(expect["size_step"]) == parse_e8(expect["min_size"])
        assert formatting.step_e8(m.price_decimals) == parse_e8(expect["price_step"])
        assert (m.taker_fee, m.init_margin_ratio) == (expect["taker_fee"], expect["init_margin_ratio"])
        assert m.maint_margin_ratio == expect["maint_margin_ratio"]
    return found


def check_account(v, body):
    found = rest.read_answer(200, body, wire.Account)
    assert found.address == v["address"]
    for name in ("collateral", "withdrawable", "total_account_value", "open_order_margin", "total_maint_margin"):
        assert getattr(found, name) == v[name]
    assert found.time == v["time"]
    assert {x.symbol: x.value for x in found.leverages} == v["leverages"]
    held = [p for p in found.positions if parse_e8(p.size)]
    assert [p.symbol for p in held] == [p["symbol"] for p in v["positions"]]
    for p, expect in zip(held, v["positions"], strict=True):
        for name in ("is_long", "size", "entry_price", "unrealized_pnl", "settled_funding", "mark_price"):
            assert getattr(p, name) == expect[name]
        for name in ("index_price", "liq_price", "init_margin", "maint_margin", "init_margin_ratio"):
            assert getattr(p, name) == expect[name]
    return found


def check_orders(v, body):
    found = rest.read_orders(200, body)
    rows = [snake(row) | {"terminal": wire.is_final(row["status"])} for row in plain(found)]
    assert rows == v["items"]
    return found


def check_depth(v, body):
    bids, asks = rest.read_depth(200, body, LevelReader())
    for side, name in ((bids, "bids"), (asks, "asks")):
        assert side == [(parse_e8(p), parse_e8(s)) for p, s in v[name]]
    assert json.loads(rest.depth_answer(bids, asks, 2, 4)) == json.loads(body)


def check_tickers(v, body):
    found = rest.read_answer(200, body, wire.Tickers)
    absent = {"price_change": None, "price_change_percent": None}
    rows = [absent | snake(plain(t)) | {"tradable": t.tradable} for t in found.tickers]
    assert rows == v["items"]
    return found


def check_tickers_24h(v, body):
    found = rest.read_answer(200, body, wire.Tickers24h)
    names = {"open_price": "open", "close_price": "close", "high_price": "high", "low_price": "low"}
    rows = [{names.get(k, k): x for k, x in snake(plain(t)).items()} for t in found.tickers]
    assert rows == v["items"]
    return found


def check_funding_history(v, body):
    found = rest.read_answer(200, body, list[wire.FundingRate])
    rows = [{"symbol": r.symbol, "time": r.time, "rate": r.one_hr_funding_rate} for r in found]
    assert rows == v["items"]
    return found


def check_klines(v, body):
    found = rest.read_answer(200, body, list[wire.Kline])
    assert [msgspec.structs.asdict(k) for k in found] == v["items"]
    return found


def check_trades(v, body):
    found = rest.read_answer(200, body, list[wire.Trade])
    rows = [(str(t.id), t.price, t.qty, t.quote_qty.lstrip("-"), t.time) for t in found]
    assert rows == [(t["id"], t["price"], t["qty_raw"], t["quote_qty"], t["time"]) for t in v["items"]]
    assert [t.qty.lstrip("-") for t in found] == [t["qty"] for t in v["items"]]
    return found


def check_one(shape, *names):
    def check(v, body):
        found = rest.read_answer(200, body, shape)
        for name in names:
            assert getattr(found, name) == v[name]
        return found

    return check


CHECKS = {
    "exchange_info": check_exchange_info,
    "account": check_account,
    "orders": check_orders,
    "depth": check_depth,
    "tickers": check_tickers,
    "tickers_24h": check_tickers_24h,
    "funding_history": check_funding_history,
    "klines": check_klines,
    "trades": check_trades,
    "register": check_one(wire.Registered, "api_key", "acc_group"),
    "listen_key": check_one(wire.ListenKey, "listen_key"),
    "nonce": check_one(wire.LastNonce, "last_nonce"),
    "leverage": check_one(wire.Leverage, "symbol", "value"),
    "order_ack": check_one(wire.OrderId, "id"),
    "empty": lambda v, body: rest.read_done(200, body),
}
REST = load("golden_rest.json")


def test_every_kind_of_answer_in_the_vectors_is_read():
    assert {v["expect"]["kind"] for v in REST} == CHECKS.keys() | {"error"}


def test_what_the_history_calls_are_not_asked_for_stays_out_of_the_query():
    access = rest.Access()
    assert rest.get_klines(access, "BTC-PERP").target == "/klines?symbol=BTC-PERP"
    full = rest.get_klines(access, "BTC-PERP", interval="1m", start_ms=0, end_ms=5, limit=2)
    assert full.target == "/klines?symbol=BTC-PERP&interval=1m&startTime=0&endTime=5&limit=2"
    assert rest.get_trades(access, "X", limit=7).target == "/trades?symbol=X&limit=7"
    assert rest.get_ticker_24hr(access, ["A", "B"]).target == "/ticker/24hr?symbols=A,B"


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in REST if v["expect"]["kind"] in CHECKS])
def test_a_golden_answer_means_what_the_vector_says(v):
    body = v["raw"].encode()
    found = CHECKS[v["expect"]["kind"]](v["expect"], body)
    if found is not None and v["basis"] != "tolerance":  # those carry fields no one documents
        written, sent = plain(found), json.loads(body)
        assert written == sent or v["id"] == "rest-v-02"  # written with the two 2026 fields, empty


@pytest.mark.parametrize("v", [pytest.param(v, id=v["id"]) for v in REST if v["expect"]["kind"] == "error"])
def test_a_golden_error_is_a_venue_error_whatever_was_asked(v):
    for shape in (wire.OrderId, list[wire.OrderRow], dict):
        with pytest.raises(rest.VenueError) as caught:
            rest.read_answer(v["http_status"], v["raw"].encode(), shape)
        assert caught.value.http_status == v["http_status"]
        assert caught.value.code == v["expect"]["code"]
        assert caught.value.msg == (v["expect"]["msg"] or "")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"[]", b"{}", b'{"id":7}', b'{"code":0}', b'{"id":null}', b"null"]
)
def test_a_success_without_the_field_asked_for_is_a_decode_error(body):
    with pytest.raises(DecodeError):
        rest.read_answer(200, body, wire.OrderId)


def test_a_missing_field_is_named():
    with pytest.raises(DecodeError, match=r"sizeDecimals.*symbols\[0\]|symbols\[0\].*sizeDecimals"):
        rest.read_answer(
            200, b'{"symbols":[{"symbol":"BTC-PERP"}],"exchange":{"collateralDecimals":6}}', wire.ExchangeInfo
        )


@pytest.mark.parametrize("key", ["", "a\\r\\nX: y", "a\\u00e9", "a\\u0000"])
def test_an_api_key_that_could_break_a_header_is_refused(key):
    with pytest.raises(DecodeError, match="apiKey"):
        rest.read_registered(200, f'{{"apiKey":"{key}","accGroup":0}}'.encode())


@pytest.mark.parametrize(
    ("body", "code", "msg"),
    [
        (rest.error_answer(3001, "x"), 3001, "x"),
        (rest.error_answer_nested(1022, "y"), 1022, "y"),
        (rest.error_answer_422(["query", "time"]), None, "query.time: Field required"),
        (b'{"code":"1111","msg":"text code"}', 1111, "text code"),
        (b'{"detail":"Not Found"}', None, "Not Found"),
        (b'{"detail":[]}', None, ""),
    ],
)
def test_each_envelope_reads_back_with_any_status(body, code, msg):
    for status in (200, 400, 500):
        with pytest.raises(rest.VenueError) as caught:
            rest.read_answer(status, body, wire.OrderId)
        assert (caught.value.http_status, caught.value.code, caught.value.msg) == (status, code, msg)


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, 1111, Verdict.REJECTED),
        (400, 1022, Verdict.REJECTED),
        (400, 3001, Verdict.REJECTED),
        (429, 1003, Verdict.REJECTED),
        (429, None, Verdict.REJECTED),
        (401, None, Verdict.REJECTED),
        (403, None, Verdict.REJECTED),
        (422, None, Verdict.REJECTED),
        (400, None, Verdict.IN_DOUBT),
        (404, None, Verdict.IN_DOUBT),
        (400, 9999, Verdict.IN_DOUBT),
        (401, 9999, Verdict.IN_DOUBT),
        (200, 1023, Verdict.IN_DOUBT),
        (200, 3015, Verdict.IN_DOUBT),
        (200, 3017, Verdict.IN_DOUBT),
        (200, 4002, Verdict.IN_DOUBT),
        (500, 1111, Verdict.IN_DOUBT),
        (502, None, Verdict.IN_DOUBT),
        (530, None, Verdict.IN_DOUBT),
        (302, 1111, Verdict.IN_DOUBT),
    ],
)
def test_what_an_answer_proves_about_an_order(status, code, verdict):
    assert errors.rule_for_answer(rest.VenueError(status, code, "")).verdict is verdict


def test_a_reason_names_the_code():
    assert errors.reason(3001) == "3001 PRICE_CHECK_FAILED"
    assert errors.reason(9999) == "9999 UNLISTED"
    assert errors.reason(None) == "no code"
