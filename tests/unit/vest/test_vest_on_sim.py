"""The adapter on the simulated Vest, over real connections: the settings whose answers the documents leave open."""

import asyncio
from dataclasses import replace

import pytest
import trustme
from tests.unit.vest.desk import DEADLINE_S, FAST, SIZE_E8, SYMBOL, a_desk, until

from deltawire.core.events import Rejected
from deltawire.core.money import E8
from deltawire.core.types import Purpose, Side
from deltawire.sim.faults import Fault
from deltawire.venues.contract import PositionReport
from deltawire.venues.vest.settings import OrderStyle


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("style", [OrderStyle.MARKET, OrderStyle.LIMIT_FOK])
async def test_both_documented_styles_of_an_immediate_order_fill(ca, style):
    async with a_desk(ca, order_style=style) as desk:
        assert (await desk.trade()).filled_e8 == SIZE_E8
        assert (await desk.trade(Side.SELL, purpose=Purpose.EXIT)).filled_e8 == SIZE_E8


@pytest.mark.parametrize("accepts", [True, False])
async def test_ioc_fills_where_it_is_taken_and_is_refused_by_its_code_where_not(ca, accepts):
    async with a_desk(ca, sim_settings=replace(FAST, accepts_ioc=accepts), order_style=OrderStyle.LIMIT_IOC) as desk:
        order = await desk.trade()
        assert order.filled_e8 == (SIZE_E8 if accepts else 0)
        refusals = [event for event in desk.ear.events[order.request.client_id] if isinstance(event, Rejected)]
        assert [event.code for event in refusals] == ([] if accepts else ["1133"])


async def test_a_reduce_only_close_closes_and_one_past_the_position_goes_on_without_the_flag(ca):
    async with a_desk(ca, send_reduce_only=True) as desk:
        await desk.trade()
        over = await desk.trade(Side.SELL, purpose=Purpose.EXIT, reduce_only=True, size_e8=2 * SIZE_E8)
        assert (over.filled_e8, over.why) == (0, "3019 REDUCE_ONLY_EXCEEDS_SIZE")
        closed = await desk.trade(Side.SELL, purpose=Purpose.EXIT, reduce_only=True)
        assert closed.filled_e8 == SIZE_E8
        sent = desk.sim.state()["accounts"][0]["orders"]
        assert [order["reduce_only"] for order in sent] == [False, True, False]


async def test_leverage_is_set_at_start_and_shown_by_the_venue(ca):
    async with a_desk(ca, leverage=7) as desk:
        await desk.trade()
        account = await desk.venue._account.read()
        assert [(found.symbol, found.value) for found in account.leverages] == [(SYMBOL, 7)]


async def test_a_position_shows_some_time_after_its_fill_with_the_state_of_its_market(ca):
    async with a_desk(ca) as desk:
        order = await desk.trade()
        async with asyncio.timeout(DEADLINE_S):
            while not await desk.venue.positions():  # noqa: ASYNC110  # behind sockets
                await asyncio.sleep(0.02)
        assert await desk.venue.positions() == [PositionReport(SYMBOL, SIZE_E8, order.notional_e8 * E8 // SIZE_E8)]
        state = desk.venue.market_state(SYMBOL)
        assert state is not None
        assert (state.index_price_e8, state.status) == (60_005 * E8, "TRADING")
        assert state.funding_rate_e8 >= 1_250


async def test_a_listen_key_that_ran_out_is_replaced_and_the_stream_comes_back(ca):
    async with a_desk(ca, reconnect_floor_s=0.01) as desk:
        desk.faults.add(Fault("vest", "expire_listen_key"))
        await until(lambda: desk.ear.links.count(("private", True)) == 2)
        assert (await desk.trade()).filled_e8 == SIZE_E8


async def test_an_api_key_that_ran_out_is_a_refusal_and_then_a_new_registration(ca):
    async with a_desk(ca) as desk:
        desk.faults.add(Fault("vest", "expire_token"))
        refused = await desk.trade()
        assert refused.filled_e8 == 0
        assert refused.why.startswith("1002")


async def test_a_halt_of_the_market_keeps_entries_out_until_it_is_over(ca):
    async with a_desk(ca, sim_settings=replace(FAST, ticker_interval_ms=20)) as desk:
        desk.sim.halt(SYMBOL, halted=True)
        await until(lambda: "halted" in desk.venue.entry_block(SYMBOL))
        assert not desk.venue.book(SYMBOL).valid
        desk.sim.halt(SYMBOL, halted=False)
        await until(lambda: desk.venue.entry_block(SYMBOL) == "")
        await until(lambda: desk.venue.book(SYMBOL).valid)


async def test_the_books_tell_what_each_order_did_to_the_collateral(ca):
    async with a_desk(ca) as desk:
        before = await desk.venue.money(0)
        orders = [await desk.trade(), await desk.trade(Side.SELL, purpose=Purpose.EXIT)]

        async def settled() -> bool:
            after = await desk.venue.money(0)
            moved_e8 = sum(b.pnl_e8 - b.fee_e8 + b.funding_e8 for b in after.bookings)
            return abs(after.cash_e8 - before.cash_e8 - moved_e8) <= 10 * after.step_e8 and len(after.bookings) == 2

        async with asyncio.timeout(DEADLINE_S):
            while not await settled():  # noqa: ASYNC110 - the venue tells no event
                await asyncio.sleep(0.05)  # the venue shows its collateral late
        bookings = (await desk.venue.money(0)).bookings
        assert [booking.size_e8 for booking in bookings] == [SIZE_E8, SIZE_E8]
        assert [booking.fee_e8 for booking in bookings] == [order.fee_e8 for order in orders]
        assert before.bookings == ()
