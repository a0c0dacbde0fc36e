"""Whatever is traded: fills add up to positions, and the house is the exact other side of every account."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sim_vest.world import DELEGATE, SETTINGS, STRANGER, World

from deltawire.core.ledger import MICRO_E8, Ledger
from deltawire.core.money import BPS_E8, E8, format_e8, notional_e8
from deltawire.sim.vest_accounts import margin_of

RISKY = replace(SETTINGS, premium_rate_at_million_e8=50 * BPS_E8)

trades = st.lists(
    st.tuples(
        st.integers(0, 1),  # which account
        st.booleans(),  # buy
        st.sampled_from(["BTC-PERP", "ETH-PERP"]),
        st.integers(1, 30_000),  # steps of size
        st.integers(-500, 500),  # how the market moves before it, in bps
        st.integers(0, 3_600_000),  # ms that pass before it
    ),
    max_size=25,
)
ROOT_PRICE = {"BTC": 60_000 * E8, "ETH": 2_500 * E8}


def equity_e8(ledger: Ledger, world: World) -> int:
    """Value without funding due: what is not settled has moved nowhere yet."""
    return ledger.collateral_e8 + sum(
        position.unrealized_e8(world.exchange.pools[symbol].index_e8) for symbol, position in ledger.positions.items()
    )


@settings(max_examples=60, deadline=None)
@given(trades)
def test_money_in_is_money_out_and_fills_are_positions(steps):
    world = World(RISKY, collateral=10_000_000)
    world.exchange.accounts.add(STRANGER.address, 10_000_000 * E8, 0)
    sessions = [world.session, world.exchange.accounts.authenticate(world.register(STRANGER, STRANGER), 0)]
    signers = [DELEGATE, STRANGER]
    ledgers = [session.account.ledger for session in sessions]
    total_e8 = sum(ledger.collateral_e8 for ledger in [*ledgers, world.exchange.house])
    for who, is_buy, symbol, steps_of_size, move_bps, pause_ms in steps:
        base, pool = symbol.removesuffix("-PERP"), world.exchange.pools[symbol]
        bid_e8 = ROOT_PRICE[base] * (10_000 + move_bps) // 10_000
        world.quote(base, format_e8(bid_e8), format_e8(bid_e8 + E8))
        submit = world.submit(
            "buy" if is_buy else "sell",
            signer=signers[who],
            symbol=symbol,
            size=format_e8(steps_of_size * pool.rules.size_step_e8, pool.rules.size_decimals),
            limit_price=format_e8(200_000 * E8 if is_buy else E8, pool.rules.price_decimals),
        )
        world.exchange.place(sessions[who], submit)
        world.advance(60 + pause_ms)
        assert sum(equity_e8(ledger, world) for ledger in [*ledgers, world.exchange.house]) == total_e8
    for session in sessions:
        orders = world.exchange.orders_of(session.account)
        assert all(order.is_final for order in orders)
        for symbol in world.exchange.pools:
            filled = [o for o in orders if o.fields.symbol == symbol]
            net = sum(o.filled_e8 if o.fields.is_buy else -o.filled_e8 for o in filled)
            assert net == session.account.ledger.position(symbol).size_e8
        assert sum(o.fees_e8 for o in orders) == session.account.ledger.fees_paid_e8
        realized = sum(o.realized_e8 for o in orders)
        assert realized == session.account.ledger.collateral_e8 - 10_000_000 * E8
    for symbol, pool in world.exchange.pools.items():
        net = sum(ledger.position(symbol).size_e8 for ledger in ledgers)
        assert pool.net_e8 == net == -world.exchange.house.position(symbol).size_e8


@settings(max_examples=60, deadline=None)
@given(trades)
def test_poor_accounts_are_liquidated_in_time_and_still_money_in_is_money_out(steps):
    world = World(replace(RISKY, funding_rate_at_million_e8=50_000), collateral=20_000)
    ledgers = [world.account.ledger, world.exchange.house]
    total_e8 = sum(ledger.collateral_e8 for ledger in ledgers)
    for _, is_buy, symbol, steps_of_size, move_bps, pause_ms in steps:
        base, pool = symbol.removesuffix("-PERP"), world.exchange.pools[symbol]
        bid_e8 = ROOT_PRICE[base] * (10_000 + 5 * move_bps) // 10_000
        world.quote(base, format_e8(bid_e8), format_e8(bid_e8 + E8), size="1000")
        margin = margin_of(world.account, world.account.ledger, world.exchange.pools)
        assert margin.equity_e8 >= margin.maintenance_e8, "left under-margined after a tick of its market"
        world.place(
            "buy" if is_buy else "sell",
            symbol=symbol,
            size=format_e8(steps_of_size * pool.rules.size_step_e8, pool.rules.size_decimals),
            limit_price=format_e8(200_000 * E8 if is_buy else E8, pool.rules.price_decimals),
        )
        world.advance(60 + pause_ms)
        assert sum(equity_e8(ledger, world) for ledger in ledgers) == total_e8
        assert pool.net_e8 == world.account.ledger.position(symbol).size_e8


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-(10**6), 10**6).filter(bool), st.integers(1, 10**7)), min_size=1, max_size=20))
def test_a_ledger_gains_exactly_the_cash_that_flowed(fills):
    ledger, cash_e8 = Ledger(0), 0
    for steps, ticks in fills:
        size_e8, price_e8 = steps * 10**4, ticks * 10**6
        ledger.apply_fill("BTC-PERP", size_e8, price_e8, 0, 0)
        cash_e8 -= notional_e8(price_e8, size_e8)
    held = ledger.position("BTC-PERP")
    assert ledger.collateral_e8 - held.cost_e8 == cash_e8
    assert ledger.collateral_e8 % MICRO_E8 == 0
    ledger.apply_fill("BTC-PERP", -held.size_e8, E8, 0, 0)
    assert ledger.collateral_e8 == cash_e8 + notional_e8(E8, held.size_e8)
    assert not ledger.positions
