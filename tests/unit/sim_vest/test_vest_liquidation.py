"""An under-margined account at the simulated Vest: what goes first, how much, at what price, and what is left."""

from dataclasses import replace

from tests.unit.sim_vest.world import SETTINGS, World

from deltawire.core.money import E8, parse_e8
from deltawire.sim.vest_accounts import margin_of
from deltawire.venues.vest import wire


def margin(world):
    return margin_of(world.account, world.account.ledger, world.exchange.pools)


def liquidations(world):
    return [o for o in world.exchange.orders_of(world.account) if o.fields.order_type == wire.LIQUIDATION]


def a_world(collateral=1_000, **changes):
    return World(replace(SETTINGS, **changes), collateral=collateral)


def test_an_account_over_its_maintenance_margin_is_left_alone():
    world = a_world()
    world.trade(size="0.1600")
    world.quote("BTC", "57000.00", "57010.00")
    assert margin(world).equity_e8 > margin(world).maintenance_e8
    assert liquidations(world) == []


def test_an_account_under_it_loses_half_of_its_position_and_what_is_left_is_carried():
    world = a_world()
    world.trade(size="0.1600")
    private = world.listen("account_private", private=True)
    world.quote("BTC", "56500.00", "56510.00")
    (done,) = liquidations(world)
    assert (done.status, done.size_e8, done.fields.is_buy) == (wire.FILLED, parse_e8("0.0800"), False)
    assert world.account.ledger.position("BTC-PERP").size_e8 == parse_e8("0.0800")
    assert margin(world).equity_e8 >= margin(world).maintenance_e8
    event = private.on("account_private")[-1]["args"]
    assert (event["orderType"], event["status"], event.get("nonce")) == ("LIQUIDATION", "FILLED", None)
    row = done.row()
    assert (row.nonce, row.reduce_only) == (None, True)
    assert world.exchange.counters["liquidations"] == 1


def test_waiting_orders_go_first_and_say_why():
    world = a_world()
    world.trade(size="0.1600")
    waiting = world.trade(order_type="LIMIT", limit_price="50000.00", size="0.0100")
    assert waiting.status == wire.NEW
    world.quote("BTC", "56500.00", "56510.00")
    assert (waiting.status, waiting.code) == (wire.REJECTED, 3008)


def test_a_fall_past_everything_closes_everything_and_the_house_takes_the_other_side():
    world = a_world()
    world.trade(size="0.1600")
    world.quote("BTC", "50000.00", "50010.00")
    assert world.account.ledger.positions == {}
    assert world.exchange.pools["BTC-PERP"].net_e8 == 0
    before_e8 = 1_000 * E8 + SETTINGS.house_collateral_e8
    assert world.account.ledger.collateral_e8 == 0  # the house bears the rest
    assert world.account.ledger.collateral_e8 + world.exchange.house.collateral_e8 == before_e8


def test_a_penalty_is_a_setting():
    world = a_world(liquidation_fee_rate_e8=E8 // 100)
    world.trade(size="0.1600")
    world.quote("BTC", "56500.00", "56510.00")
    done = liquidations(world)[0]
    notional_e8 = done.price_e8 * done.size_e8 // E8
    assert done.fees_e8 >= notional_e8 // 100


def test_without_a_side_to_close_on_the_position_stays_and_must_not_grow():
    world = a_world()
    world.trade(size="0.1600")
    world.arm("thin_book", side="bids")
    world.quote("BTC", "56500.00", "56510.00")
    assert liquidations(world) == []
    assert world.trade(size="0.0010").code == 3007


def test_an_isolated_position_falls_by_itself_while_the_account_stands():
    btc, *others = SETTINGS.markets
    world = a_world(collateral=100_000, markets=(replace(btc, isolated=True), *others))
    world.trade(size="0.1600")
    world.trade(symbol="ETH-PERP", size="1.000", limit_price="2600.000")
    _, found = world.ask("GET", "/exchangeInfo")
    assert [market["isolated"] for market in found["symbols"]] == [True, False]
    world.quote("BTC", "56500.00", "56510.00")
    assert set(world.account.ledger.positions) == {"ETH-PERP"}
    assert liquidations(world)[0].size_e8 == parse_e8("0.1600")


def test_an_order_taken_in_under_another_leverage_does_not_execute_under_this_one():
    world = a_world(collateral=100_000)
    btc = world.exchange.pools["BTC-PERP"]
    world.exchange.accounts.set_leverage(world.account, btc, 5)
    world.trade(size="0.1000")
    waiting = world.place(size="0.1000")
    world.exchange.accounts.set_leverage(world.account, btc, 10)
    world.advance(60)
    assert (waiting.status, waiting.code) == (wire.REJECTED, 3020)
    assert world.trade(size="0.1000").status == wire.FILLED
