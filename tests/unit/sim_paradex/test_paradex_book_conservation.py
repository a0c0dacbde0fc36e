"""Whatever is quoted and sent: size is never made or lost, no level is negative, and the sequence never skips."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sim_paradex.venue import ALICE, BOB, BTC, Bench

from deltawire.core.book import Book
from deltawire.core.money import BPS_E8, E8
from deltawire.core.types import Side
from deltawire.sim.market import Quote
from deltawire.sim.paradex_accounts import OPEN, SimFill
from deltawire.sim.paradex_book import RECORDED_MARKET, Rank, SelfTrade
from deltawire.sim.paradex_rules import ApiRefusal, Depth, ParadexSimSettings

SETTINGS = ParadexSimSettings(depth=Depth(levels=3, rpi_improve_e8=BPS_E8), rpi_orders=True)
TICK_E8 = 10_000_000
MIDDLE_E8 = 1_000 * E8

quotes = st.tuples(st.just("quote"), st.integers(-30, 30), st.integers(1, 20), st.integers(1, 90), st.integers(1, 90))
orders = st.tuples(
    st.just("order"),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(list(Side)),
    st.integers(-40, 40),  # ticks from the middle
    st.integers(1, 200),  # tenths of a coin
    st.sampled_from(["GTC", "IOC", "POST_ONLY", "RPI"]),
    st.sampled_from([Rank.PRO, Rank.RETAIL]),
    st.sampled_from(list(SelfTrade)),
    st.booleans(),  # reduce-only
)
cancels = st.tuples(st.just("cancel"), st.integers(0, 50))
steps = st.lists(st.one_of(quotes, orders, cancels), max_size=40)


def play(step, bench):
    exchange = bench.exchange
    if step[0] == "quote":
        _, ticks, spread, bid_size, ask_size = step
        bid_e8 = MIDDLE_E8 + ticks * TICK_E8
        exchange.on_quote("BTC", Quote(bid_e8, bid_size * E8 // 10, bid_e8 + spread * TICK_E8, ask_size * E8 // 10))
    elif step[0] == "order":
        _, account, side, ticks, tenths, instruction, rank, mode, reduce_only = step
        request = bench.request(side, "1", "1000", account=account, instruction=instruction, self_trade=mode)
        request = replace(request, reduce_only=reduce_only, rank=Rank.RPI if instruction == "RPI" else rank)
        request = replace(request, size_e8=tenths * E8 // 10, price_e8=MIDDLE_E8 + ticks * TICK_E8)
        try:
            exchange.execute(exchange.accept(request))
        except ApiRefusal:
            return
    else:
        live = [*bench.alice.live.values(), *bench.bob.live.values()]
        if live:
            exchange.cancel(live[step[1] % len(live)])


@settings(max_examples=200, deadline=None)
@given(steps)
def test_sizes_positions_sequence_and_the_shown_book_always_agree(played):
    bench = Bench(SETTINGS)
    bench.exchange.on_quote("BTC", Quote(MIDDLE_E8 - TICK_E8, E8, MIDDLE_E8 + TICK_E8, E8))
    market = bench.exchange.markets[BTC]
    for step in played:
        play(step, bench)
        best = market.book.best(Side.BUY), market.book.best(Side.SELL)
        assert best[0] is None or best[1] is None or best[0][0] < best[1][0], "crossed"

    assert [update.seq for update in bench.book] == list(range(1, market.book.seq + 1))
    shown = Book("paradex", BTC)
    shown.replace([], [])
    for update in bench.book:
        assert all(size_e8 >= 0 for _, size_e8 in update.bids + update.asks)
        shown.apply(update.bids, update.asks, update.seq)
        assert shown.valid, shown.why_invalid
    assert shown.bids == market.book.levels(Side.BUY)
    assert shown.asks == market.book.levels(Side.SELL)

    trades = {update.trade.seq: update.trade for update in bench.book if update.trade}
    fills = [event for event in bench.private if isinstance(event, SimFill)]
    for seq, trade in trades.items():
        parties = [fill for fill in fills if fill.book_seq == seq]
        owners = sorted(owner for owner in (trade.maker_owner, trade.taker_owner) if owner != RECORDED_MARKET)
        assert sorted(fill.account for fill in parties) == owners
        assert len(set(owners)) == len(owners), "traded with itself"
        assert all((fill.size_e8, fill.price_e8) == (trade.size_e8, trade.price_e8) for fill in parties)
    assert {fill.book_seq for fill in fills} <= set(trades)

    for account in (bench.alice, bench.bob):
        own = [fill for fill in fills if fill.account == account.address]
        assert account.size_e8(BTC) == sum(fill.side.sign * fill.size_e8 for fill in own)
        paid_e8 = sum(fill.side.sign * fill.size_e8 * fill.price_e8 // E8 for fill in own)
        cost_e8 = account.position(BTC).cost_e8
        assert account.realized_pnl_e8 == cost_e8 - paid_e8
        assert account.collateral_e8 == 100_000 * E8 + account.realized_pnl_e8 - sum(fill.fee_e8 for fill in own)
        for order in account.orders.values():
            filled_e8 = sum(fill.size_e8 for fill in own if fill.order_id == order.id)
            assert order.filled_e8 == filled_e8
            assert 0 <= order.leaves_e8 <= order.size_e8
            assert (order.status == OPEN) == (order.id in account.live)
            assert order.leaves_e8 == 0 or order.status == OPEN or order.cancel_reason
