"""Candles, the day's ticker, funding that follows the imbalance, and the venue's request limit."""

import json
from dataclasses import replace

import pytest
from tests.unit.sim_vest.world import SETTINGS, World

from deltawire.core.money import parse_e8
from deltawire.sim.vest_api import Answer
from deltawire.sim.vest_candles import DAY_MS, MINUTE_MS, MINUTES_KEPT, Candles
from deltawire.venues.vest import rest, wire, ws


@pytest.fixture
def world() -> World:
    return World()


def test_a_candle_has_the_first_highest_lowest_and_last_price_of_its_minute_and_its_fills():
    candles = Candles()
    for at_ms, price in ((120_000, 10), (130_000, 14), (150_000, 8), (179_999, 11), (180_000, 12)):
        candles.on_price(at_ms, price)
    candles.on_fill(200_000, 5, 60)
    first, second = candles.rows(MINUTE_MS, 0, 10**15, 10)
    assert (first.open_ms, first.open_e8, first.high_e8, first.low_e8, first.close_e8) == (120_000, 10, 14, 8, 11)
    assert (second.open_ms, second.volume_e8, second.quote_volume_e8, second.trades) == (180_000, 5, 60, 1)
    (both,) = candles.rows(5 * MINUTE_MS, 0, 10**15, 10)
    assert (both.open_ms, both.open_e8, both.high_e8, both.low_e8, both.close_e8) == (0, 10, 14, 8, 12)
    assert (both.trades, both.volume_e8) == (1, 5)


def test_the_newest_candles_of_a_span_are_given_and_old_minutes_forgotten():
    candles = Candles()
    for minute in range(MINUTES_KEPT + 10):
        candles.on_price(minute * MINUTE_MS, 100 + minute)
    rows = candles.rows(MINUTE_MS, 0, 10**15, 5)
    assert [row.open_e8 for row in rows] == [100 + MINUTES_KEPT + n for n in (5, 6, 7, 8, 9)]
    assert len(candles.rows(MINUTE_MS, 0, 10**15, 10**6)) == MINUTES_KEPT
    inside = candles.rows(MINUTE_MS, 20 * MINUTE_MS, 22 * MINUTE_MS, 100)
    assert [row.open_ms // MINUTE_MS for row in inside] == [20, 21, 22]


def test_a_fill_in_a_quiet_minute_opens_it_at_the_last_price():
    candles = Candles()
    candles.on_fill(5, 1, 1)
    assert candles.current(MINUTE_MS) is None
    candles.on_price(10, 7)
    candles.on_fill(3 * MINUTE_MS, 2, 14)
    assert candles.rows(MINUTE_MS, 0, 10**15, 9)[-1].open_e8 == 7


def test_klines_come_as_rows_of_nine_oldest_first(world):
    world.trade(size="0.1000")
    world.advance(60_000)
    world.quote("BTC", "60100.00", "60110.00")
    status, rows = world.ask("GET", "/klines", key=None, symbol="BTC-PERP")
    assert status == 200
    read = rest.read_answer(200, json.dumps(rows).encode(), list[wire.Kline])
    assert (read[0].open, read[0].volume, read[0].trades) == ("60005.00", "0.1000", 1)
    assert parse_e8(read[0].quote_volume) == parse_e8("6001")
    assert (read[-1].close, read[-1].trades) == ("60105.00", 0)
    assert read[0].close_time == read[0].open_time + 59_999
    assert world.ask("GET", "/klines", key=None, symbol="BTC-PERP", interval="1M")[1]["code"] == 1130
    assert len(world.ask("GET", "/klines", key=None, symbol="BTC-PERP", limit="1")[1]) == 1


def test_the_days_ticker_has_the_documented_fields(world):
    world.quote("BTC", "61205.00", "61215.00")
    world.trade(size="0.1000")
    _, found = world.ask("GET", "/ticker/24hr", key=None, symbols="BTC-PERP")
    (day,) = rest.read_answer(200, json.dumps(found).encode(), wire.Tickers24h).tickers
    assert (day.open_price, day.close_price, day.high_price) == ("60005.00", "61210.00", "61210.00")
    assert (day.price_change, day.price_change_percent, day.volume) == ("1205.00", "2.00", "0.1000")
    assert day.close_time - day.open_time == DAY_MS
    assert len(world.ask("GET", "/ticker/24hr", key=None)[1]["tickers"]) == 2


def test_the_candle_under_way_is_streamed_with_its_count_as_text(world):
    world.exchange.start()
    world.hub.start()
    socket = world.listen("BTC-PERP@kline_1m", "BTC-PERP@kline_7m")
    world.trade(size="0.1000")
    world.advance(1_000)
    frames = [frame for frame in socket.frames if frame["channel"] == "BTC-PERP@kline_1m"]
    seen = ws.FrameReader().read(json.dumps(frames[-1]).encode())
    assert isinstance(seen, ws.KlineSeen)
    assert (seen.symbol, seen.interval, seen.item.trades, seen.item.volume) == ("BTC-PERP", "1m", "1", "0.1000")
    assert not any("7m" in frame["channel"] for frame in socket.frames)


# --- funding ---

FUNDED = replace(SETTINGS, funding_rate_at_million_e8=50_000, funding_rate_max_e8=3_000)


@pytest.mark.parametrize(
    ("side", "size", "rate_e8"),
    [
        ("buy", "1.0000", 1_250 + 3_000 - 1_250),  # 60,005 USDC long: 3000 more than the base, cut at the most
        ("sell", "0.5000", 1_250 - 1_501),  # 30,002.5 short; rounded down
    ],
)
def test_the_rate_follows_the_imbalance_up_to_its_bound(side, size, rate_e8):
    world = World(FUNDED)
    world.trade(side, size=size)
    pool = world.exchange.pools["BTC-PERP"]
    assert pool.funding_rate_e8 == rate_e8
    _, found = world.ask("GET", "/ticker/latest", key=None, symbols="BTC-PERP")
    assert parse_e8(found["tickers"][0]["oneHrFundingRate"]) == rate_e8


def test_a_crowded_side_pays_its_rate_by_the_hour_and_the_history_shows_the_change():
    world = World(FUNDED)
    began_ms = world.now_ms
    world.advance(2 * 3_600_000)
    world.trade(size="1.0000")
    world.advance(3_600_000)
    world.exchange.accrue(world.exchange.pools["BTC-PERP"])
    due_e8 = world.account.ledger.position("BTC-PERP").funding_due_e8(world.exchange.pools["BTC-PERP"].cum_funding_e8)
    assert -due_e8 == pytest.approx(60_005 * 3_000, rel=1e-4)
    _, rows = world.ask("GET", "/funding/history", key=None, symbol="BTC-PERP", interval="1h")
    read = rest.read_answer(200, json.dumps(rows).encode(), list[wire.FundingRate])
    rates = [parse_e8(row.one_hr_funding_rate) for row in read]
    assert rates[0] == 3_000
    assert rates[-1] == 1_250
    assert rates == sorted(rates, reverse=True)
    assert all(row.time >= began_ms for row in read)


# --- request limits ---


def limited(limit=3):
    return World(replace(SETTINGS, rate_limit=limit, rate_window_ms=1_000))


def test_requests_past_the_limit_are_429_with_the_code_and_the_count_in_headers():
    world = limited()
    for left in (2, 1, 0):
        [answer] = world.call("GET", "/account/nonce", time="1")
        assert isinstance(answer, Answer)
        assert (answer.status, dict(answer.headers)["x-ratelimit-remaining"]) == (200, str(left))
    [refused] = world.call("GET", "/account/nonce", time="1")
    assert isinstance(refused, Answer)
    assert (refused.status, json.loads(refused.body)["code"]) == (429, 1003)
    assert dict(refused.headers) == {
        "x-ratelimit-limit": "3",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset-ms": "1000",
    }
    [elsewhere] = world.call("GET", "/exchangeInfo", key=None)  # another budget
    assert isinstance(elsewhere, Answer)
    assert elsewhere.status == 200
    world.advance(1_000)
    assert world.ask("GET", "/account/nonce", time="1")[0] == 200


def test_an_order_past_the_limit_is_refused_before_it_is_read():
    world = limited(1)
    world.ask("GET", "/account/nonce", time="1")
    status, found = world.ask("POST", "/orders", b"not even JSON")
    assert (status, found["code"]) == (429, 1003)
    assert world.exchange.counters["rate_limited"] == 1


def test_an_order_that_is_answered_carries_the_headers_too():
    world = limited()
    body = rest.answer(world.submit())
    [answer] = world.call("POST", "/orders", body)
    assert isinstance(answer, Answer)
    assert dict(answer.headers)["x-ratelimit-remaining"] == "2"


def test_without_a_limit_there_are_no_headers(world):
    [answer] = world.call("GET", "/exchangeInfo", key=None)
    assert isinstance(answer, Answer)
    assert answer.headers == ()


@pytest.mark.parametrize(("in_200", "status"), [(frozenset({1130}), 200), (frozenset(), 400)])
def test_which_codes_come_in_a_200_body_is_a_setting(in_200, status):
    world = World(replace(SETTINGS, codes_in_200=in_200))
    found = world.ask("GET", "/orders", time="1", status="NEW,FILLED")
    assert (found[0], found[1]["code"]) == (status, 1130)
