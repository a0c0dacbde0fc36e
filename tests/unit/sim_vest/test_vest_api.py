"""The simulated Vest's REST side without sockets: routes, headers, every error envelope, and the faults of a reply."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.unit.sim_vest.world import DELEGATE, PRIMARY, STRANGER, World

from deltawire.core.money import E8
from deltawire.sim.vest_api import Answer, Drop
from deltawire.sim.vest_settings import PRODUCTION_CONTRACT
from deltawire.venues.vest import rest, wire

VECTORS = Path(__file__).parents[2] / "vectors" / "vest"
NOW = {"time": "1"}


@pytest.fixture
def world() -> World:
    return World()


def body_of(submit: wire.OrderSubmit) -> bytes:
    return msgspec.json.encode(submit)


def order_body(world, *args, **changes) -> bytes:
    return body_of(world.submit(*args, **changes))


# --- routes and headers ---


@pytest.mark.parametrize("v", json.loads((VECTORS / "requests.json").read_text()), ids=lambda v: v["id"])
def test_every_documented_request_has_its_route(world, v):
    body = b"" if v["body"] is None else json.dumps(v["body"]).encode()
    [answer] = world.call(v["method"], v["path"], body, key=v["api_key"], group=v["account_group"], **v["query"])
    private = v["api_key"] is not None
    if private:
        assert (answer.status, json.loads(answer.body)["code"]) == (401, 1002)
    else:
        assert answer.status != 404


def test_an_unknown_path_is_not_found(world):
    assert world.ask("GET", "/fundingHistory")[0] == 404
    assert world.ask("DELETE", "/orders")[0] == 404


def test_a_private_call_without_a_key_is_forbidden_in_plain_text(world):
    assert world.call("GET", "/account", key=None) == [Answer(403, b"Forbidden", "text/plain")]


def test_a_wrong_or_missing_group_on_a_private_call_is_named(world):
    for group in (1, 7, None):
        status, found = world.ask("GET", "/account", group=group)
        assert (status, found["code"]) == (400, 1146)


def test_a_public_call_may_leave_the_group_out_but_not_name_one_that_is_not_there(world):
    assert world.ask("GET", "/exchangeInfo", group=None, key=None)[0] == 200
    assert world.ask("GET", "/exchangeInfo", group=7, key=None)[1]["code"] == 1146


# --- registration ---


@pytest.mark.parametrize("v", json.loads((VECTORS / "register.json").read_text()), ids=lambda v: v["id"])
def test_a_registration_proof_is_good_for_its_own_contract_only(world, v):
    world.exchange.accounts.add(v["primary_address"], E8, 1)
    world.clock.now_ns -= world.clock.unix_ns() - (v["expiry_ms"] - 1) * 10**6
    status, found = world.ask("POST", "/register", json.dumps(v["body"]).encode(), key=None)
    if v["verifying_contract"] == PRODUCTION_CONTRACT:
        assert (status, found["accGroup"]) == (200, 1)
        assert world.ask("GET", "/account/nonce", key=found["apiKey"], group=1, **NOW) == (200, {"lastNonce": 0})
    else:
        assert (status, found) == (400, {"detail": {"code": 1022, "msg": "INVALID_SIGNATURE"}})


def proof(world, primary=PRIMARY, **changes):
    expiry = changes.pop("expiry", world.now_ms + 1000)
    fields = {
        "signingAddr": DELEGATE.address.lower(),
        "primaryAddr": primary.address.lower(),
        "signature": primary.prove(PRODUCTION_CONTRACT, DELEGATE.address, expiry),
        "expiryTime": expiry,
        "networkType": 0,
    } | changes
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"networkType": 1}, 1024),
        ({"signingAddr": "0x12"}, 1130),
        ({"expiryTime": 2**64}, 1022),
        ({"primaryAddr": STRANGER.address}, 1022),
        ({"expiry": 0}, 1022),
        ({"primary": STRANGER}, 1099),
    ],
    ids=str,
)
def test_a_bad_registration_is_refused(world, changes, code):
    status, found = world.ask("POST", "/register", proof(world, **changes), key=None)
    assert status == 400
    assert (found.get("detail") or found)["code"] == code


def test_registering_again_keeps_the_key_and_moves_its_expiry(world):
    first = world.ask("POST", "/register", proof(world), key=None)[1]
    again = world.ask("POST", "/register", proof(world, expiry=world.now_ms + 5000), key=None)[1]
    assert first == again
    world.advance(4999)
    assert world.ask("GET", "/account", key=first["apiKey"])[0] == 200
    world.advance(1)
    assert world.ask("GET", "/account", key=first["apiKey"]) == (401, {"code": 1002, "msg": "UNAUTHORIZED"})


# --- public reads ---


def test_exchange_info_has_what_an_adapter_relies_on(world):
    [answer] = world.call("GET", "/exchangeInfo", key=None, symbols="ETH-PERP")
    info = rest.read_answer(200, answer.body, wire.ExchangeInfo)
    [eth] = info.symbols
    assert (eth.symbol, eth.size_decimals, eth.price_decimals, eth.taker_fee) == ("ETH-PERP", 3, 3, "0.0001")
    assert (eth.init_margin_ratio, eth.maint_margin_ratio, eth.trading_status) == ("0.05", "0.025", "TRADING")
    assert info.exchange.collateral_decimals == 6


def test_an_unknown_symbol_is_an_error_in_a_200_body(world):
    assert world.ask("GET", "/exchangeInfo", symbols="X-PERP") == (200, {"code": 1121, "msg": "BAD_SYMBOL"})


def test_the_ticker_follows_the_market(world):
    world.exchange.pools["BTC-PERP"].halted = True
    [ticker] = world.ask("GET", "/ticker/latest", symbols="BTC-PERP")[1]["tickers"]
    assert (ticker["indexPrice"], ticker["markPrice"], ticker["status"]) == ("60005.00", "60005.00", "HALT")
    assert "priceChange" not in ticker


def test_depth_by_rest_is_the_picture(world):
    status, found = world.ask("GET", "/depth", symbol="BTC-PERP", limit="2")
    assert (status, found["bids"][0], len(found["asks"])) == (200, ["60000.00", "2.0000"], 2)
    assert world.ask("GET", "/depth", symbol="BTC-PERP", limit="101")[1]["code"] == 1130
    missing = {"type": "missing", "loc": ["query", "symbol"], "msg": "Field required", "input": None}
    assert world.ask("GET", "/depth") == (422, {"detail": [missing]})


def test_funding_history_is_the_rate_at_each_interval_newest_first(world):
    world.advance(3 * 3_600_000)
    status, rows = world.ask("GET", "/funding/history", symbol="BTC-PERP", interval="1h", limit="2")
    assert status == 200
    assert [row["time"] % 3_600_000 for row in rows] == [0, 0]
    assert rows[0]["time"] - rows[1]["time"] == 3_600_000
    assert rows[0]["time"] <= world.now_ms
    assert (rows[0]["symbol"], rows[0]["oneHrFundingRate"]) == ("BTC-PERP", "0.00001250")
    start = str(rows[0]["time"])
    assert world.ask("GET", "/funding/history", symbol="BTC-PERP", interval="1h", startTime=start)[1] == rows[:1]
    assert world.ask("GET", "/funding/history", symbol="BTC-PERP", interval="7m")[1]["code"] == 1130


def test_public_trades_are_the_fills_newest_first(world):
    first, second = world.trade(size="0.1000"), world.trade("sell", size="0.2000")
    status, rows = world.ask("GET", "/trades", symbol="BTC-PERP")
    assert (status, [row["id"] for row in rows]) == (200, [second.id, first.id])
    assert world.ask("GET", "/trades", symbol="BTC-PERP", limit="1")[1] == rows[:1]
    assert world.ask("GET", "/trades", symbol="BTC-PERP", endTime=str(first.filled_time_ms))[1] == rows[1:]
    assert world.ask("GET", "/trades", symbol="ETH-PERP") == (200, [])


def test_open_interest_counts_both_sides(world):
    world.trade("sell", size="0.5000")
    found = world.ask("GET", "/oi", symbols="BTC-PERP")[1]
    assert found == {"ois": [{"symbol": "BTC-PERP", "longOi": "0.0000", "shortOi": "0.5000"}]}


# --- orders ---


def test_an_order_is_answered_with_its_id_alone_before_it_executes(world):
    status, found = world.ask("POST", "/orders", order_body(world))
    assert status == 200
    assert list(found) == ["id"]
    order = world.exchange.orders[found["id"]]
    assert (order.status, len(order.id)) == ("NEW", 66)


def test_a_refused_signature_comes_nested_in_detail(world):
    found = world.ask("POST", "/orders", order_body(world, signer=STRANGER))
    assert found == (400, {"detail": {"code": 1022, "msg": "INVALID_SIGNATURE"}})


def test_other_refusals_come_plain(world):
    assert world.ask("POST", "/orders", order_body(world, size="1")) == (400, {"code": 1111, "msg": "BAD_DECIMALS"})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"order":{"time":1},"signature":"0x"}', ["body", "order", "nonce"]),
        (b'{"signature":"0x"}', ["body", "order"]),
        (b"not json", ["body"]),
        (b"", ["body"]),
    ],
)
def test_a_body_in_the_wrong_shape_is_422_naming_the_field(world, body, where):
    status, found = world.ask("POST", "/orders", body)
    assert status == 422
    assert found["detail"][0]["loc"] == where


def test_an_ill_typed_field_is_422_naming_it(world):
    submit = json.loads(order_body(world))
    submit["order"]["size"] = 0.1
    status, found = world.ask("POST", "/orders", json.dumps(submit).encode())
    assert (status, found["detail"][0]["loc"]) == (422, ["body", "order", "size"])


def test_orders_are_found_by_nonce_id_symbol_and_state(world):
    filled, rejected = world.trade(), world.trade("sell", limit_price="70000.00")
    waiting = world.trade(order_type="LIMIT", limit_price="50000.00")

    def ids(**query):
        status, rows = world.ask("GET", "/orders", **NOW, **query)
        assert status == 200
        return [row["id"] for row in rows]

    assert ids() == [waiting.id, rejected.id, filled.id]
    assert ids(nonce=str(rejected.fields.nonce)) == [rejected.id]
    assert ids(nonce="123") == []
    assert ids(id=f"{filled.id},{waiting.id}") == [waiting.id, filled.id]
    assert ids(status="FILLED") == [filled.id]
    assert ids(orderType="LIMIT") == [waiting.id]
    assert ids(symbol="ETH-PERP") == []
    assert ids(limit="1") == [waiting.id]
    assert ids(startTime=str(waiting.post_time_ms)) == [waiting.id]
    assert ids(endTime=str(filled.post_time_ms)) == [filled.id]


def test_a_row_tells_the_fill_and_a_rejection_its_code(world):
    world.trade(size="0.5000")
    rejected, filled = (
        world.trade("sell", limit_price="70000.00"),
        world.ask("GET", "/orders", **NOW, status="FILLED")[1][0],
    )
    assert (filled["avgFilledPrice"], filled["lastFilledSize"], filled["fees"]) == ("60010.00", "0.5000", "3.000500")
    assert (filled["realizedPnl"], filled["settledFunding"], filled["code"]) == ("-3.000500", "0.000000", None)
    row = world.ask("GET", "/orders", **NOW, id=rejected.id)[1][0]
    assert (row["status"], row["code"], row["avgFilledPrice"], row["fees"]) == ("REJECTED", 3001, None, "0.000000")
    rest.read_orders(200, json.dumps([filled, row]).encode())


def test_reading_orders_needs_the_time_and_one_known_state(world):
    assert world.ask("GET", "/orders")[0] == 422
    assert world.ask("GET", "/orders", time="now")[1]["detail"][0]["type"] == "int_parsing"
    assert world.ask("GET", "/orders", **NOW, status="NEW,FILLED") == (400, {"code": 1130, "msg": "INVALID_PARAMETER"})
    assert world.ask("GET", "/orders", **NOW, limit="1001")[1]["code"] == 1130


def test_another_accounts_orders_are_not_shown(world):
    world.trade()
    world.exchange.accounts.add(STRANGER.address, E8, 0)
    assert world.ask("GET", "/orders", key=world.register(STRANGER, STRANGER), **NOW) == (200, [])


def cancel_body(world, order_id):
    fields = wire.CancelFields(time=world.now_ms, nonce=1, id=order_id)
    signature = DELEGATE.sign(rest.signed_cancel_bytes(fields))
    return msgspec.json.encode(wire.CancelSubmit(order=fields, signature=signature))


def test_a_cancel_of_a_finished_order_is_refused_in_a_200_body(world):
    order = world.trade()
    found = world.ask("POST", "/orders/cancel", cancel_body(world, order.id), **NOW)
    assert found == (200, {"code": 3017, "msg": "ORDER_NOT_FOUND"})


def test_a_cancel_wants_its_time_in_the_query_too(world):
    order = world.trade(order_type="LIMIT", limit_price="50000.00")
    missing = {"type": "missing", "loc": ["query", "time"], "msg": "Field required", "input": None}
    assert world.ask("POST", "/orders/cancel", cancel_body(world, order.id)) == (422, {"detail": [missing]})
    assert world.ask("POST", "/orders/cancel", cancel_body(world, order.id), **NOW) == (200, {"id": order.id})


# --- account ---


def test_the_account_shows_a_net_position_with_a_positive_size(world):
    world.trade("sell", size="0.5000")
    assert world.ask("GET", "/account")[1]["positions"] == []
    world.advance(500)
    [answer] = world.call("GET", "/account")
    account = rest.read_answer(200, answer.body, wire.Account)
    [held] = account.positions
    assert account.address == PRIMARY.address
    assert (held.symbol, held.is_long, held.size, held.entry_price) == ("BTC-PERP", False, "0.5000", "60000.00")
    assert (held.index_price, held.init_margin, held.maint_margin) == ("60005.00", "3000.250000", "1500.125000")
    assert account.collateral == "99997.000000"
    # Half of 5 under water; some millionths of funding received.
    assert (account.total_account_value[:10], account.withdrawable[:10]) == ("99994.5000", "96994.2500")
    assert held.unrealized_pnl.startswith("-2.4999")


def test_the_liquidation_price_is_where_the_value_meets_the_maintenance_margin(world):
    world.trade("buy", size="10.0000")
    world.advance(500)
    [held] = world.ask("GET", "/account")[1]["positions"]
    liquidation = float(held["liqPrice"])
    entry_fee = 60.0 * 1.001
    value = 100_000 - entry_fee + 10 * (liquidation - float(held["entryPrice"]))
    assert value == pytest.approx(0.05 * 10 * liquidation, abs=10)


def test_leverage_is_set_without_a_signature_and_shown(world):
    body = b'{"time":1,"symbol":"ETH-PERP","value":10}'
    assert world.ask("POST", "/account/leverage", body) == (200, {"symbol": "ETH-PERP", "value": 10})
    assert world.ask("GET", "/account")[1]["leverages"] == [{"symbol": "ETH-PERP", "value": 10}]
    order = world.trade(symbol="ETH-PERP", size="1.000", limit_price="2600.000")
    assert order.row().init_margin_ratio == "0.1000"


def test_the_nonce_read_is_the_last_one_used(world):
    order = world.trade()
    assert world.ask("GET", "/account/nonce", **NOW) == (200, {"lastNonce": order.fields.nonce})


def test_a_listen_key_is_made_once_renewed_and_gone_after_delete(world):
    key = world.ask("POST", "/account/listenKey")[1]["listenKey"]
    assert len(bytes.fromhex(key)) == 16
    assert world.ask("POST", "/account/listenKey") == (200, {"listenKey": key})
    assert world.ask("PUT", "/account/listenKey") == (200, {"listenKey": key})
    assert world.ask("DELETE", "/account/listenKey") == (200, {})
    assert world.ask("PUT", "/account/listenKey") == (400, {"code": 1125, "msg": "INVALID_LISTEN_KEY"})
    assert world.ask("POST", "/account/listenKey")[1]["listenKey"] != key


# --- faults of a reply ---


def one_order(world):
    answers = world.call("POST", "/orders", order_body(world))
    return answers, list(world.exchange.orders.values())


def test_a_lost_reply_leaves_an_executed_order_without_an_answer(world):
    world.arm("lose_reply")
    answers, [order] = one_order(world)
    world.advance(60_000)
    assert (answers, order.status) == ([], "FILLED")


def test_drop_before_closes_the_connection_and_executes_nothing(world):
    world.arm("drop_before")
    assert one_order(world) == ([Drop()], [])


def test_drop_after_executes_and_closes_the_connection(world):
    world.arm("drop_after")
    answers, [order] = one_order(world)
    world.advance(60)
    assert (answers, order.status) == ([Drop()], "FILLED")


def test_a_delayed_reply_comes_late_but_executes_in_time(world):
    world.arm("delay_reply", ms=700)
    answers, [order] = one_order(world)
    world.advance(699)
    assert (answers, order.status) == ([], "FILLED")
    world.advance(1)
    assert answers[0].status == 200


def test_fill_before_ack_sends_the_events_first(world):
    socket = world.listen("account_private", private=True)
    world.arm("fill_before_ack")
    body = order_body(world)
    told: list[list[str]] = []
    answers = world.call("POST", "/orders", body)
    while not answers:
        told.append([data["args"]["status"] for data in socket.on("account_private")])
        world.advance(1)
    assert told[0] == []
    assert [data["args"]["status"] for data in socket.on("account_private")] == ["NEW", "FILLED"]
    assert answers[0].status == 200


def test_the_edge_may_fail_before_or_after_the_order(world):
    world.arm("http_530")
    answers, orders = one_order(world)
    assert (answers[0].status, answers[0].content_type, orders) == (530, "text/html", [])
    world.arm("http_530", where="after")
    answers, orders = one_order(world)
    assert (answers[0].status, len(orders)) == (530, 1)


def test_a_rate_limit_is_429_with_its_code(world):
    world.arm("rate_limit")
    assert world.ask("POST", "/orders", order_body(world)) == (429, {"code": 1003, "msg": "TOO_MANY_REQUESTS"})
    assert not world.exchange.orders


@pytest.mark.parametrize(
    ("params", "at_once"),
    [
        ({"code": "1130"}, True),
        ({"code": "3001"}, False),
        ({"code": "3001", "where": "answer"}, True),
        ({"code": "1148", "where": "event"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_refusal_comes_in_the_answer_or_by_event(world, params, at_once):
    world.arm("reject_order", **params)
    [answer], orders = one_order(world)
    world.advance(60)
    code = int(params.get("code", "3001"))
    if at_once:
        assert (json.loads(answer.body)["code"], orders) == (code, [])
    else:
        assert (answer.status, orders[0].status, orders[0].code) == (200, "REJECTED", code)


def test_a_refused_request_uses_up_no_fault_of_the_reply(world):
    world.arm("lose_reply")
    assert world.ask("POST", "/orders", order_body(world, size="1"))[0] == 400
    assert len(world.faults.armed()) == 1


def test_faults_strike_orders_only(world):
    for kind in ("drop_before", "lose_reply", "rate_limit", "http_530"):
        world.arm(kind)
    assert world.ask("GET", "/account")[0] == 200
    assert len(world.faults.armed()) == 4
