"""Faults that strike the moment they are armed."""

import pytest
from tests.unit.sim_vest.world import DELEGATE, PRIMARY, World

from deltawire.sim.vest_refusal import Refusal


@pytest.fixture
def world() -> World:
    return World()


def test_a_halt_stops_one_market_for_its_time(world):
    world.arm("halt", base="BTC", ms=1000)
    with pytest.raises(Refusal) as found:
        world.place()
    assert found.value.code == 1148
    eth = {"symbol": "ETH-PERP", "size": "1.000", "limit_price": "2600.000"}
    assert world.trade(**eth).status == "FILLED"
    world.advance(1000)
    assert world.trade().status == "FILLED"


@pytest.mark.parametrize(("side", "left"), [("bids", [0, 20]), ("asks", [20, 0]), ("both", [0, 0])])
def test_a_thin_book_is_shown_without_its_sides_until_its_time_is_over(world, side, left):
    socket = world.listen("BTC-PERP@depth")
    world.arm("thin_book", base="BTC", side=side, ms=250)
    world.exchange.start()
    world.quote("BTC", "60001.00", "60011.00")
    world.advance(300)
    frames = [[len(data[name]) for name in ("bids", "asks")] for data in socket.on("BTC-PERP@depth")]
    assert frames == [left, [20, 20]]


def test_a_missing_side_fills_nothing(world):
    world.arm("thin_book", side="asks")
    order = world.trade()
    assert (order.status, order.code) == ("REJECTED", 3001)
    assert world.trade("sell").status == "FILLED"


def test_a_fault_of_a_market_the_venue_has_not_stays_armed(world):
    world.arm("halt", base="DOGE")
    assert len(world.faults.armed()) == 1


def test_expired_listen_keys_close_private_streams_alone(world):
    public, private = world.listen("tickers"), world.listen("account_private", private=True)
    world.arm("expire_listen_key")
    assert [public.closed_with, private.closed_with] == [None, 4005]
    assert world.ask("PUT", "/account/listenKey")[1]["code"] == 1125
    world.advance(60 * 60 * 1000)
    assert world.listen("account_private", private=True).closed_with is None


def test_a_restart_closes_the_named_link_with_1012(world):
    public, private = world.listen("tickers"), world.listen("account_private", private=True)
    world.arm("restart", link="market data")
    assert [public.closed_with, private.closed_with] == [1012, None]


def test_a_stale_book_shows_nothing_new_until_its_time_is_over(world):
    socket = world.listen("BTC-PERP@depth")
    world.exchange.start()
    world.advance(400)
    shown = len(socket.on("BTC-PERP@depth"))
    world.arm("stale_book", base="BTC", ms=1000)
    world.quote("BTC", "60500.00", "60510.00")
    world.advance(900)
    assert len(socket.on("BTC-PERP@depth")) == shown
    world.advance(500)
    assert socket.on("BTC-PERP@depth")[-1]["bids"][0][0] == "60500.00"


def test_expired_api_keys_are_unauthorized_and_a_new_registration_gives_a_new_one(world):
    world.arm("expire_token")
    assert world.ask("GET", "/account", time="1")[1]["code"] == 1002
    old = world.api_key
    world.api_key = world.register(PRIMARY, DELEGATE)
    assert world.api_key != old
    assert world.ask("GET", "/account", time="1")[0] == 200


def test_reordered_events_come_last_word_first(world):
    socket = world.listen("account_private", private=True)
    world.arm("reorder_events")
    world.arm("partial_fill")
    world.trade()
    assert [event["args"]["status"] for event in socket.on("account_private")] == [
        "CANCELLED",
        "PARTIALLY_FILLED",
        "NEW",
    ]


def test_a_stream_fault_without_its_link_is_not_spent_by_another(world):
    private = world.listen("account_private", private=True)
    world.arm("drop_stream", link="no such")
    world.arm("drop_stream", link="private")
    assert private.closed_with == 1006
    assert [fault["params"] for fault in world.faults.armed()] == [{"link": "no such"}]
