"""What the channels and lists tell of one order's life beside the order: acceptance, balance, funding, chain, busts."""

from dataclasses import replace

import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import BTC, ONE_LEVEL

from deltawire.core.money import E8, format_e8, parse_e8
from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records


def statuses(wire):
    return [record.status for record in wire.records(records.Order)]


@pytest.mark.parametrize(
    ("price", "instruction", "told"),
    [("100010", "IOC", ["NEW", "CLOSED"]), ("99000", "GTC", ["NEW", "OPEN"]), ("99000", "IOC", ["NEW", "CLOSED"])],
)
def test_orders_tells_of_an_order_as_it_is_accepted_and_as_it_goes_on(price, instruction, told):
    world = World()
    wire = world.connect("orders.ALL", rank=Rank.PRO)
    wire.call("order.create", **world.order(Side.BUY, "0.1", price, instruction=instruction))
    assert statuses(wire) == told


def test_a_retail_order_is_told_as_new_for_its_300_ms():
    world = World()
    wire = world.connect("orders.ALL", rank=Rank.RETAIL)
    wire.call("order.create", **world.order(Side.BUY, "0.1", "100010"))
    world.clock.advance(0.299)
    assert statuses(wire) == ["NEW"]
    world.clock.advance(0.001)
    assert statuses(wire) == ["NEW", "CLOSED"]


def test_the_acceptance_is_not_told_where_that_is_set():
    world = World(replace(ONE_LEVEL, tells_new=False))
    wire = world.connect("orders.ALL", rank=Rank.PRO)
    wire.call("order.create", **world.order(Side.BUY, "0.1", "100010"))
    assert statuses(wire) == ["CLOSED"]


CHANNELS = ("balance_events", "transaction", "tradebusts", f"funding_payments.{BTC}", "fills.ALL", "transfers")


@pytest.fixture
def traded():
    """A long of one coin held for a minute, then half of it sold; and what was told of it."""
    world = World()
    wire = world.connect(*CHANNELS, rank=Rank.PRO)
    wire.call("order.create", **world.order(Side.BUY, "1", "100010"))
    world.clock.advance(60)
    wire.call("order.create", **world.order(Side.SELL, "0.5", "100000"))
    return world, wire


def test_balance_events_carry_the_balance_from_fill_to_fill(traded):
    world, wire = traded
    bought, sold = wire.data("balance_events")
    fills = wire.records(records.Fill)
    assert [event["fill_id"] for event in (bought, sold)] == [fill.fill_id for fill in fills]
    assert bought["settlement_asset_balance_before"] == "100000"
    assert bought["settlement_asset_balance_after"] == sold["settlement_asset_balance_before"] == "99954.9955"
    assert sold["settlement_asset_balance_after"] == format_e8(world.account.collateral_e8)
    assert (sold["realized_pnl"], sold["fees"], sold["type"]) == ("-5", "22.5", "TRANSACTION_FILL")
    change = sum(parse_e8(sold[name]) for name in ("realized_pnl", "realized_funding")) - parse_e8(sold["fees"])
    assert parse_e8(sold["settlement_asset_balance_after"]) == parse_e8("99954.9955") + change


def test_a_funding_payment_is_told_and_listed_when_a_position_changes(traded):
    world, wire = traded
    [payment] = wire.data(f"funding_payments.{BTC}")
    paid_e8 = parse_e8(payment["payment"])
    # 0.01 % of 100005 in 8 hours, on the whole coin; the index moved for the first time after one second.
    assert abs(paid_e8 + 100_005 * E8 // 10_000 * 59 // 28_800) <= 1
    assert payment["fill_id"] == wire.records(records.Fill)[1].fill_id
    assert world.http("GET", "/funding/payments", world.token(), market=BTC).body["results"] == [payment]
    assert world.account.funding_e8 == paid_e8


def test_each_fill_has_its_transaction(traded):
    world, wire = traded
    told = wire.data("transaction")
    assert [(one["type"], one["state"]) for one in told] == [("TRANSACTION_FILL", "ACCEPTED_ON_L2")] * 2
    assert world.http("GET", "/transactions", world.token()).body["results"] == told[::-1]
    assert len({one["hash"] for one in told}) == 2


def test_a_bust_is_told_listed_and_reverts_its_transaction(traded):
    world, wire = traded
    last = wire.records(records.Fill)[1].fill_id
    world.fault("bust")
    [bust] = wire.data("tradebusts")
    assert bust["busted_fill_id"] == last
    assert world.http("GET", "/tradebusts", world.token()).body["results"] == [bust]
    states = {one["id"]: one["state"] for one in world.http("GET", "/transactions", world.token()).body["results"]}
    assert states[last] == "REVERTED"
    assert sorted(states.values()) == ["ACCEPTED_ON_L2", "REVERTED"]
    assert world.account.size_e8(BTC) == E8


def test_channels_of_what_never_happens_here_are_taken_and_say_nothing(traded):
    world, wire = traded
    world.connect("markets", f"markets.{BTC}", "markets.ALL")
    assert wire.data("transfers") == []
    assert world.http("GET", "/transfers", world.token()).body["results"] == []


def test_an_accounts_news_go_to_its_own_connections_only(traded):
    world, wire = traded
    stranger = world.exchange.add_account(0xBEEF, 7, 10**13)
    token = world.venue._parts.tokens.issue(stranger, Rank.PRO)
    other = world.connect("balance_events", "transaction", "funding_payments.ALL", token=token)
    before = len(other.texts)
    assert "result" in wire.call("order.create", **world.order(Side.SELL, "0.4", "100000"))
    assert len(wire.data("balance_events")) == 3
    assert len(other.texts) == before
