"""The streams of the simulated Vest without sockets: close codes, subscriptions, the private sequence, their faults."""

import json
from dataclasses import replace

import pytest
from tests.unit.sim_vest.world import SETTINGS, STRANGER, Socket, World

from deltawire.core.money import E8

GOOD = {"version": "1.0", "xwebsocketserver": "restserver0"}


@pytest.fixture
def world() -> World:
    return World()


def statuses(socket):
    return [data["args"]["status"] for data in socket.on("account_private")]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (GOOD | {"version": "2.0"}, 4000),
        ({"xwebsocketserver": "restserver0"}, 4000),
        (GOOD | {"xwebsocketserver": "restserver7"}, 4001),
        (GOOD | {"xwebsocketserver": "server0"}, 4002),
        ({"version": "1.0"}, 4002),
        (GOOD | {"listenKey": ""}, 4003),
        (GOOD | {"listenKey": "0" * 32}, 4004),
    ],
    ids=str,
)
def test_a_wrong_url_is_closed_with_the_venues_code(world, query, code):
    socket = Socket()
    assert world.hub.open(query, socket) is None
    assert socket.closed_with == code


@pytest.mark.parametrize("name", ["xwebsocketserver", "websocketserver"])
def test_both_spellings_of_the_group_open_a_stream(world, name):
    assert world.hub.open({"version": "1.0", name: "restserver1"}, Socket()) is not None


def test_a_listen_key_of_another_group_is_refused(world):
    key = world.exchange.accounts.open_listen_key(world.account)
    socket = Socket()
    assert world.hub.open(GOOD | {"xwebsocketserver": "restserver1", "listenKey": key}, socket) is None
    assert socket.closed_with == 4002


def test_the_private_channel_needs_a_listen_key(world):
    socket = Socket()
    stream = world.hub.open(GOOD, socket)
    world.hub.on_text(stream, b'{"method":"SUBSCRIBE","params":["account_private"],"id":1}')
    assert socket.closed_with == 4003


def test_an_application_ping_is_answered_without_an_id(world):
    socket = Socket()
    stream = world.hub.open(GOOD, socket)
    world.hub.on_text(stream, b'{"method":"PING","params":[],"id":7}')
    assert socket.frames == [{"data": "PONG"}]


@pytest.mark.parametrize(
    "frame", [b"", b"[1]", b'{"method":"PING"}', b'{"method":"LOGIN","params":[],"id":1}', b"\xff"]
)
def test_what_is_no_command_gets_an_error_and_keeps_the_stream(world, frame):
    socket = Socket()
    stream = world.hub.open(GOOD, socket)
    world.hub.on_text(stream, frame)
    assert socket.frames[0]["code"] == 1130
    assert socket.closed_with is None


def test_depth_is_a_full_picture_of_texts_without_time_or_sequence(world):
    socket = world.listen("BTC-PERP@depth")
    world.hub.on_picture(world.exchange.pools["BTC-PERP"])
    world.hub.on_picture(world.exchange.pools["ETH-PERP"])
    [data] = socket.on("BTC-PERP@depth")
    assert set(data) == {"bids", "asks"}
    assert len(data["bids"]) == len(data["asks"]) == 20
    assert data["bids"][0] == ["60000.00", "2.0000"]
    assert data["asks"][0] == ["60010.00", "2.0000"]
    assert len(socket.frames) == 1


def test_now_and_then_the_levels_come_out_of_order_but_all_of_them():
    world = World(replace(SETTINGS, unsorted_share=1.0))
    socket = world.listen("BTC-PERP@depth")
    world.hub.on_picture(world.exchange.pools["BTC-PERP"])
    [data] = socket.on("BTC-PERP@depth")
    prices = [price for price, _ in data["bids"]]
    assert prices != sorted(prices, reverse=True)
    assert set(prices) == {f"{price / E8:.2f}" for price, _ in world.exchange.pools["BTC-PERP"].picture.bids}


def test_an_unsubscribed_channel_is_silent(world):
    socket = Socket()
    stream = world.hub.open(GOOD, socket)
    for method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        world.hub.on_text(stream, json.dumps({"method": method, "params": ["BTC-PERP@depth"], "id": 2}).encode())
    world.hub.on_picture(world.exchange.pools["BTC-PERP"])
    assert socket.frames == [{"result": None, "id": 2}] * 2


def test_tickers_tell_index_mark_funding_and_imbalance(world):
    socket = world.listen("tickers")
    world.trade(size="0.2500")
    world.hub.start()
    world.advance(1000)
    btc, eth = socket.on("tickers")[-1]
    assert (btc["symbol"], eth["symbol"]) == ("BTC-PERP", "ETH-PERP")
    assert (btc["indexPrice"], btc["status"], btc["imbalance"]) == ("60005.00", "TRADING", "-0.2500")
    assert btc["oneHrFundingRate"] == "0.00001250"
    assert len(socket.on("tickers")) == 2


def test_a_trade_is_public_without_a_side(world):
    socket = world.listen("BTC-PERP@trades")
    order = world.trade("sell", size="0.2500")
    [trade] = socket.on("BTC-PERP@trades")
    assert trade == {
        "id": order.id,
        "price": "60000.00",
        "qty": "0.2500",
        "quoteQty": "15000.000000",
        "time": order.filled_time_ms,
    }


def test_the_private_stream_tells_new_then_filled_with_the_documented_fields(world):
    socket = world.listen("account_private", private=True)
    order = world.trade(size="0.5000")
    new, filled = (data["args"] for data in socket.on("account_private"))
    common = {
        "id": order.id,
        "symbol": "BTC-PERP",
        "isBuy": True,
        "orderType": "MARKET",
        "limitPrice": "66000.00",
        "size": "0.5000",
        "reduceOnly": False,
        "initMarginRatio": "0.1000",
        "postTime": order.post_time_ms,
        "nonce": order.fields.nonce,
    }
    assert new == common | {"status": "NEW"}
    assert filled == common | {
        "status": "FILLED",
        "lastFilledSize": "0.5000",
        "lastFilledPrice": "60010.00",
        "lastFilledTime": order.filled_time_ms,
        "avgFilledPrice": "60010.00",
        "cumFunding": filled["cumFunding"],
        "fees": "3.000500",
    }
    assert len(filled["cumFunding"].partition(".")[2]) == 12


def test_a_rejection_carries_its_code_and_little_else(world):
    socket = world.listen("account_private", private=True)
    order = world.trade(limit_price="1.00")
    rejected = socket.on("account_private")[-1]
    assert rejected == {
        "event": "ORDER",
        "args": {
            "id": order.id,
            "status": "REJECTED",
            "code": 3001,
            "postTime": order.post_time_ms,
            "nonce": order.fields.nonce,
        },
    }


def test_a_cancel_overtaking_the_new_event_is_not_told_twice(world):
    socket = world.listen("account_private", private=True)
    order = world.place(order_type="LIMIT", limit_price="59000.00")
    world.cancel(order.id)
    world.advance(60)
    assert sorted(statuses(socket)) == ["CANCELLED", "NEW"]


def test_private_events_reach_their_own_account_only(world):
    other = world.exchange.accounts.add(STRANGER.address, E8, 0)
    mine = world.listen("account_private", private=True)
    world.account, owner = other, world.account
    theirs = world.listen("account_private", private=True)
    world.account = owner
    world.trade()
    assert statuses(mine) == ["NEW", "FILLED"]
    assert statuses(theirs) == []


# --- listen keys ---


def test_a_listen_key_not_renewed_closes_its_stream(world):
    socket = world.listen("account_private", private=True)
    world.advance(60 * 60 * 1000 - 1)
    before = socket.closed_with
    world.advance(1)
    assert (before, socket.closed_with) == (None, 4005)
    late = Socket()
    key = next(iter(world.exchange.accounts._expired_listen_keys))
    world.hub.open(GOOD | {"listenKey": key}, late)
    assert late.closed_with == 4005


def test_a_renewed_listen_key_keeps_its_stream(world):
    socket = world.listen("account_private", private=True)
    world.advance(45 * 60 * 1000)
    assert world.ask("PUT", "/account/listenKey")[0] == 200
    world.advance(59 * 60 * 1000)
    before = socket.closed_with
    world.advance(60 * 1000)
    assert (before, socket.closed_with) == (None, 4005)


def test_deleting_the_listen_key_ends_its_stream(world):
    socket = world.listen("account_private", private=True)
    assert world.ask("DELETE", "/account/listenKey") == (200, {})
    assert socket.closed_with == 4004


# --- faults ---


@pytest.mark.parametrize(
    ("link", "closed"), [("private", [None, 1006]), ("market data", [1006, None]), ("", [1006, 1006])]
)
def test_drop_stream_drops_the_named_link_at_once(world, link, closed):
    sockets = [world.listen("BTC-PERP@depth"), world.listen("account_private", private=True)]
    world.arm("drop_stream", link=link)
    assert [socket.closed_with for socket in sockets] == closed
    assert world.faults.armed() == []
    world.hub.on_picture(world.exchange.pools["BTC-PERP"])  # a closed Socket fails on a frame


def test_a_stream_fault_with_no_such_stream_stays_armed(world):
    world.arm("drop_stream", link="private")
    assert len(world.faults.armed()) == 1


def test_a_silent_stream_says_nothing_not_even_pong_until_its_time_is_over(world):
    socket = world.listen("BTC-PERP@depth")
    world.arm("silent_stream", link="market data", ms=1000)
    world.exchange.start()
    world.advance(999)
    assert socket.frames == []
    world.advance(300)
    assert len(socket.frames) == 1
    assert socket.closed_with is None


def test_duplicate_events_come_twice(world):
    socket = world.listen("account_private", private=True)
    world.arm("duplicate_events")
    world.trade()
    world.trade()
    assert statuses(socket) == ["NEW", "NEW", "FILLED", "FILLED", "NEW", "FILLED"]


def test_a_late_fill_is_executed_in_time_and_told_late(world):
    socket = world.listen("account_private", private=True)
    world.arm("late_fill", ms=700)
    order = world.trade()
    assert order.status == "FILLED"
    assert statuses(socket) == ["NEW"]
    world.advance(700)
    assert statuses(socket) == ["NEW", "FILLED"]


def test_a_partial_fill_fills_its_fraction_and_cancels_the_rest(world):
    socket = world.listen("account_private", private=True)
    world.arm("partial_fill", fraction_e8=E8 // 3)
    order = world.trade(size="0.1000")
    assert statuses(socket) == ["NEW", "PARTIALLY_FILLED", "CANCELLED"]
    assert (order.status, order.filled_e8) == ("CANCELLED", 333 * 10**4)
    assert socket.on("account_private")[1]["args"]["lastFilledSize"] == "0.0333"
    assert world.account.ledger.position("BTC-PERP").size_e8 == 333 * 10**4


def test_a_partial_fill_of_nothing_is_a_cancel(world):
    world.arm("partial_fill", fraction_e8=0)
    order = world.trade()
    assert (order.status, order.filled_e8) == ("CANCELLED", 0)


def test_a_rejection_of_a_fault_comes_by_event_with_its_code(world):
    socket = world.listen("account_private", private=True)
    world.arm("reject_order", code="3010")
    order = world.trade()
    assert (order.status, order.code) == ("REJECTED", 3010)
    assert statuses(socket) == ["NEW", "REJECTED"]


def test_a_stopping_venue_closes_its_streams_as_a_restart(world):
    sockets = [world.listen(), world.listen("account_private", private=True)]
    world.hub.stop()
    assert [socket.closed_with for socket in sockets] == [1012, 1012]
    assert world.hub.links() == []
