"""Funding that turns against a pair: nothing is opened into it, and what is open is closed."""

import pytest
from tests.unit.engine.test_bot import World

from deltawire.core.edge import funding_hour_e8
from deltawire.core.types import Purpose
from deltawire.engine.dealer import READ_FUNDING_NS
from deltawire.journal.records import TradeStateChanged

BPS = 10_000
LIMIT = 5 * BPS


async def told(world: World, paradex_bps: int, vest_bps: int) -> None:
    """Have both venues tell a rate an hour, and the bot read it. It buys on Paradex in these tests."""
    world.paradex.funding_hour_e8, world.vest.funding_hour_e8 = paradex_bps * BPS, vest_bps * BPS
    world.clock.now_ns += READ_FUNDING_NS
    for trader in world.bot.traders:
        trader.on_timer()


async def holding(world: World) -> None:
    await world.begin(funding_hour_e8_max=LIMIT)
    await told(world, 1, 1)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)


def test_the_long_leg_pays_its_rate_and_the_short_leg_receives_its_own():
    assert funding_hour_e8((3 * BPS, 1 * BPS), 0) == 2 * BPS
    assert funding_hour_e8((3 * BPS, 1 * BPS), 1) == -2 * BPS
    assert funding_hour_e8((-3 * BPS, 2 * BPS), 0) == -5 * BPS


async def test_a_pair_whose_funding_flipped_is_closed_though_the_spread_is_not_back(world: World):
    await holding(world)
    world.enter()
    await told(world, 4, -2)
    assert (world.paradex.last.purpose, world.vest.last.purpose) == (Purpose.EXIT, Purpose.EXIT)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await world.bot.stop("test")
    reasons = {record.reason for record in world.of(TradeStateChanged) if record.state == "exiting"}
    assert reasons == {"funding"}


@pytest.mark.parametrize(("paradex_bps", "vest_bps"), [(4, -1), (-9, 9), (0, 0)])
async def test_funding_up_to_the_limit_or_received_leaves_a_pair_alone(world: World, paradex_bps: int, vest_bps: int):
    await holding(world)
    world.enter()
    await told(world, paradex_bps, vest_bps)
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 1)


async def test_nothing_is_opened_where_funding_costs_more_than_the_limit(world: World):
    bot = await world.begin(funding_hour_e8_max=LIMIT)
    await told(world, 4, -2)
    world.enter()
    assert not world.paradex.orders
    assert bot.traders[0].last_refusal == "funding"
    await told(world, -2, 4)
    world.enter()
    assert len(world.paradex.orders) == 1


async def test_a_rate_one_venue_does_not_tell_is_no_reason_for_anything(world: World):
    await holding(world)
    world.vest.funding_hour_e8 = None
    world.paradex.funding_hour_e8 = 100 * BPS
    world.clock.now_ns += READ_FUNDING_NS
    world.bot.traders[0].on_timer()
    assert len(world.paradex.orders) == 1
