"""What REST tells beside its answers: the limit a call was counted against, and cursors to the pages of a list."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import BTC, ONE_LEVEL, START_UNIX_NS, Bench

from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records

NOW_S = START_UNIX_NS // 10**9


def limit_of(answer):
    return tuple(int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset", "Window"))


@pytest.mark.parametrize(
    ("path", "private", "limit", "window_s"),
    [("/system/time", False, 1_500, 60), (f"/bbo/{BTC}", False, 1_500, 60), ("/account", True, 120, 1)],
)
def test_every_answer_tells_the_limit_it_was_counted_against(path, private, limit, window_s):
    world = World()
    answer = world.http("GET", path, world.token() if private else "")
    assert limit_of(answer) == (limit, limit - 1, NOW_S + 1, window_s)
    assert "Retry-After" not in answer.headers


def test_remaining_goes_down_with_each_call_and_comes_back_with_time():
    world = World()
    left = [limit_of(world.http("GET", "/system/time"))[1] for _ in range(3)]
    assert left == [1_499, 1_498, 1_497]
    world.clock.advance(0.04)  # one call's worth of 1500 a minute
    assert limit_of(world.http("GET", "/system/time"))[1] == 1_497


def test_an_answer_to_an_order_tells_the_order_limit_of_its_class():
    world = World()
    for rank, limit in ((Rank.PRO, (800, 799, NOW_S + 1, 1)), (Rank.RETAIL, (3, 2, NOW_S + 1, 1))):
        placed = world.http("POST", "/orders", world.token(rank), world.order(Side.BUY, f"0.{limit[0]}", "90000"))
        assert (placed.status, limit_of(placed)) == (201, limit)


def test_a_refused_call_says_when_to_come_back_and_costs_nothing():
    world = World(replace(ONE_LEVEL, reads_private=((2, 60),)))
    answers = [world.http("GET", "/account", world.token()) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert limit_of(answers[3]) == (2, 0, NOW_S + 60, 60)
    assert answers[3].headers["Retry-After"] == "30"
    world.clock.advance(30)
    assert world.http("GET", "/account", world.token()).status == 200


def test_of_several_limits_the_longest_wait_is_told():
    world = World(replace(ONE_LEVEL, reads_private=((1, 1), (2, 60))))
    for _ in range(2):
        assert world.http("GET", "/account", world.token()).status == 200
        world.clock.advance(1)
    refused = world.http("GET", "/account", world.token())  # a second passed, but not half a minute
    assert (refused.status, refused.headers["Retry-After"]) == (429, "28")


def test_private_calls_of_all_accounts_together_have_a_limit_by_address():
    world = World(replace(ONE_LEVEL, calls_private=((2, 60),)))
    assert world.http("GET", "/account", world.token()).status == 200
    assert world.http("DELETE", "/orders", world.token()).status == 200
    refused = world.http("GET", "/account", world.token())
    assert (refused.status, refused.body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert "result" in world.connect(rank=Rank.PRO).call("order.cancel_all")


def test_a_batch_costs_one_call_of_the_order_limit():
    world = World()
    orders = [world.order(Side.BUY, f"0.{n}", "90000", instruction="GTC") for n in range(1, 6)]
    assert limit_of(world.http("POST", "/orders/batch", world.token(), orders))[1] == 799
    assert limit_of(world.http("DELETE", "/orders", world.token()))[1] == 798


def test_orders_of_both_roads_share_one_limit():
    world = World(replace(ONE_LEVEL, orders_pro=((2, 60),)))
    wire = world.connect("orders.ALL", rank=Rank.PRO)
    assert "result" in wire.call("order.create", **world.order(Side.BUY, "0.1", "90000"))
    assert world.http("POST", "/orders", world.token(), world.order(Side.BUY, "0.2", "90000")).status == 201
    assert wire.call("order.create", **world.order(Side.BUY, "0.3", "90000"))["error"]["code"] == 42901
    assert world.http("DELETE", "/orders", world.token()).status == 429


def test_retail_over_its_budget_is_treated_as_pro_in_everything():
    world = World(replace(ONE_LEVEL, orders_retail=((1, 60),), rpi_orders=True))
    maker = world.exchange.add_account(0xBEEF, 7, 10**13)
    resting = replace(
        Bench().request(Side.SELL, "0.1", "100005", account=maker.address), instruction="RPI", rank=Rank.RPI
    )
    world.exchange.execute(world.exchange.accept(resting))
    wire = world.connect("fills.ALL", rank=Rank.RETAIL)
    for size in ("0.2", "0.3"):
        wire.call("order.create", **world.order(Side.BUY, size, "100010"))
    [pro] = wire.records(records.Fill)  # at once, past the RPI order, for a fee
    assert (pro.size_e8, pro.price_e8, pro.fee_e8, pro.flags) == (3 * 10**7, 100_010 * 10**8, 13_50135000, ())
    world.clock.advance(0.3)
    retail = wire.records(records.Fill)[1:]
    assert [(fill.price_e8, fill.fee_e8) for fill in retail] == [(100_005 * 10**8, 0), (100_010 * 10**8, 0)]
    world.clock.advance(60)
    wire.call("order.create", **world.order(Side.BUY, "0.01", "100010"))
    assert len(wire.records(records.Fill)) == 3  # the budget is back, and so is the speed bump


# --- pages ---


@pytest.fixture
def traded():
    world = World()
    for n in range(5):
        order = world.order(Side.BUY, f"0.{n + 1}", "100010", client_id=f"c{n}")
        assert world.http("POST", "/orders", world.token(), order).status == 201
    return world


def test_next_cursors_lead_through_a_list_once_newest_first(traded):
    seen: list[str] = []
    body: dict[str, Any] = {"next": ""}
    pages = 0
    while body["next"] is not None:
        body = traded.http("GET", "/orders-history", traded.token(), page_size="2", cursor=body["next"]).body
        seen += [order["client_id"] for order in body["results"]]
        pages += 1
    assert (seen, pages) == (["c4", "c3", "c2", "c1", "c0"], 3)


def test_what_comes_meanwhile_neither_repeats_nor_hides_a_record(traded):
    first = traded.http("GET", "/orders-history", traded.token(), page_size="2").body
    order = traded.order(Side.BUY, "0.01", "90000", client_id="late")
    traded.http("POST", "/orders", traded.token(), order)
    second = traded.http("GET", "/orders-history", traded.token(), page_size="2", cursor=first["next"]).body
    assert [order["client_id"] for order in second["results"]] == ["c2", "c1"]
    back = traded.http("GET", "/orders-history", traded.token(), page_size="2", cursor=second["prev"]).body
    assert [order["client_id"] for order in back["results"]] == ["c4", "c3"]


@pytest.mark.parametrize("path", ["/fills", f"/trades?market={BTC}"])
def test_other_lists_have_pages_too(traded, path):
    name, _, market = path.partition("?market=")
    query = {"market": market} if market else {}
    whole = traded.http("GET", name, traded.token(), **query).body
    half = traded.http("GET", name, traded.token(), page_size="1", **query).body
    rest = traded.http("GET", name, traded.token(), cursor=half["next"], **query).body
    assert half["results"] + rest["results"] == whole["results"]
    assert (whole["next"], whole["prev"], half["prev"], rest["next"]) == (None, None, None, None)


def test_a_cursor_of_another_list_or_an_altered_one_is_refused(traded):
    cursor = traded.http("GET", "/orders-history", traded.token(), page_size="2").body["next"]
    tampered = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for path, query in (
        ("/fills", {"cursor": cursor}),
        ("/orders-history", {"cursor": cursor, "side": "SELL"}),
        ("/orders-history", {"cursor": cursor, "side": "BUY"}),  # the same orders, but another list
        ("/orders-history", {"cursor": tampered}),
        ("/orders-history", {"cursor": "nonsense"}),
        ("/orders-history", {"cursor": "é"}),
    ):
        answer = traded.http("GET", path, traded.token(), **query)
        assert (answer.status, answer.body["error"]) == (400, "INVALID_REQUEST_PARAMETER"), query
