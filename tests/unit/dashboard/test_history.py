from typing import Any

import pytest

from deltawire.dashboard.history import COLUMNS, POINTS_SENT_MAX, History, point_of


def a_pair(pair_id: str = "BTC", **changes: Any) -> dict[str, Any]:
    def book(bid: str, ask: str) -> dict[str, Any]:
        return {"bid": bid, "ask": ask, "valid": True}

    known = {
        "id": pair_id,
        "books": {"paradex": book("99.5", "100"), "vest": book("101", "101.5")},
        "spread_bps": {"buy_a": 99.5, "buy_b": -199.0},
        "delta_usd": "0",
    }
    return known | changes


def test_a_point_has_both_books_and_what_either_direction_would_pay():
    # premium_low: buy on paradex, sell on vest. premium_high: what the reverse costs.
    assert point_of(a_pair(), 7.0) == (7.0, 99.5, 100.0, 101.0, 101.5, 99.5, 199.0, 0.0)


@pytest.mark.parametrize("changes", [{"books": {}}, {"spread_bps": {}}, {"books": {"x": {"valid": False, "bid": "1"}}}])
def test_what_is_not_known_is_no_number(changes: dict[str, Any]):
    point = point_of(a_pair(**changes), 1.0)
    assert len(point) == len(COLUMNS)
    assert None in point


def test_an_empty_side_told_as_zero_is_no_price():
    books = {"paradex": {"bid": "0", "ask": "100", "valid": True}}
    assert point_of(a_pair(books=books), 1.0)[1:3] == (None, 100.0)


def test_a_bot_that_is_away_leaves_one_gap():
    history = History()
    history.add({"pairs": [a_pair()]}, 1.0)
    for at in (2.0, 3.0, 4.0):
        history.gap(at)
    history.add({"pairs": [a_pair()]}, 5.0)
    columns = history.columns("BTC")
    assert columns["t"] == [1.0, 2.0, 5.0]
    assert columns["premium_low"] == [99.5, None, 99.5]


def test_it_is_bounded_and_what_is_sent_ends_with_the_newest():
    history = History(points_max=3000)
    for at in range(5000):
        history.add({"pairs": [a_pair()]}, float(at))
    times = history.columns("BTC")["t"]
    assert times[-1] == 4999.0
    assert times[0] is not None
    assert times[0] >= 2000.0
    assert 1000 <= len(times) <= POINTS_SENT_MAX
    assert history.columns("nobody")["t"] == []


def test_many_pairs_share_the_room_and_one_that_is_gone_is_forgotten():
    history = History(points_max=3000)
    for at in range(1000):
        history.add({"pairs": [a_pair(f"P{n}") for n in range(5)]}, float(at))
    assert len(history.columns("P0")["t"]) == 600
    history.add({"pairs": [a_pair("P0")]}, 1000.0)
    assert history.columns("P1")["t"] == []
