"""What is left of a trade can be worth less than the smallest order of its venue, and be refused for it."""

from tests.unit.core.builders import PARADEX, SIZE_E8
from tests.unit.engine.test_bot import World

from deltawire.core.trade import REST_TRIES_MAX, STUCK
from deltawire.core.types import Purpose
from deltawire.engine.bot import Bot
from deltawire.engine.snapshot import status
from deltawire.journal.check import check_journal
from deltawire.journal.report import build_report

REST_E8 = 7_000  # some 4 USD; Paradex wants 10


def hold(world: World) -> None:
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)


async def refuse(world: World, bot: Bot, trade_at: int = 0) -> None:
    """Refuse every order for the rest of a trade until the bot gives up."""
    trade = bot.traders[0].dealer.open[trade_at]

    def given_up() -> bool:
        for client_id, order in list(trade.orders.items()):
            if not order.is_final and order.request.instrument.venue == "paradex":
                world.paradex.reject(client_id)
        return trade.phase is STUCK

    await world.until(given_up)


async def close_but_for_a_rest(world: World, bot: Bot, trade_at: int = 0) -> None:
    trade = bot.traders[0].dealer.open[trade_at]
    for client_id, order in list(trade.orders.items()):
        if order.request.purpose is Purpose.EXIT:
            venue = world.paradex if order.request.instrument.venue == "paradex" else world.vest
            venue.fill(client_id, SIZE_E8 - REST_E8 if venue is world.paradex else SIZE_E8)


async def with_a_rest(world: World) -> Bot:
    bot = await world.begin()
    hold(world)
    world.spread(0)
    await close_but_for_a_rest(world, bot)
    await refuse(world, bot)
    return bot


async def test_a_refused_rest_is_named_and_holds_up_its_pair_alone(world: World):
    bot = await with_a_rest(world)
    rests = [fields for name, fields in world.log.events if name == "trade.rest"]
    assert len(rests) == 1
    assert str(rests[0]["reason"]).startswith("0.00007 on paradex BTC-USD-PERP left of trade")
    [pair] = status(bot)["pairs"]
    assert (pair["trade"]["is_rest"], pair["trade"]["legs"]["paradex"]) == (True, "0.00007")
    assert (bot.gate.halted, bot.state) == ("", "running")
    bot.recorder.flush()
    [note] = [note for note in build_report(world.folder).notes if "stuck" in note]
    assert note.startswith("trade dwtest1-0-1 of btc is stuck (what is left is less than the venue's smallest order)")
    sent = len(world.paradex.orders)
    world.enter()
    world.clock.now_ns += 3600 * 10**9
    bot.traders[0].on_timer()
    assert len(world.paradex.orders) == sent
    assert check_journal(world.folder) == []


async def test_accounts_are_compared_while_a_rest_waits(world: World):
    bot = await with_a_rest(world)
    assert bot._activity() is not None


async def test_a_rest_that_a_person_closed_frees_its_pair(world: World):
    bot = await with_a_rest(world)
    world.paradex.liquidated_e8 = -REST_E8
    for _ in range(3):
        world.clock.now_ns += 2 * 10**9
        bot._stall.on_tick()  # its timer need not come in between, and six seconds at once are a stall
        await bot.watcher.round()
    await world.until(lambda: bot.traders[0].is_idle)
    bot.arm()  # a change nobody ordered halts entries until a person has looked
    sent = len(world.paradex.orders)
    world.enter()
    assert len(world.paradex.orders) == sent + 1


async def test_after_a_restart_a_rest_is_tried_and_named_again(world: World):
    await with_a_rest(world)
    bot = await world.begin(await world.crash())
    before = len(world.paradex.orders) - 1  # one left with the start
    await refuse(world, bot)
    assert len(world.paradex.orders) - before == REST_TRIES_MAX
    assert [name for name, _ in world.log.events].count("trade.rest") == 2


async def test_two_rests_of_a_pair_are_put_together_and_closed_as_one(world: World):
    bot = await world.begin(layers_max=2, layer_step_e8=0)
    hold(world)
    world.clock.now_ns += 2 * 10**9
    world.spread(31)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert len(bot.traders[0].dealer.open) == 2
    world.spread(0)
    for at in (0, 1):
        await close_but_for_a_rest(world, bot, at)
    stuck = list(bot.traders[0].dealer.open)

    def joined() -> bool:
        for client_id, prepared in list(world.paradex.orders.items()):
            if client_id not in world.paradex.is_final:
                if prepared.request.size_e8 == 2 * REST_E8:
                    world.paradex.fill(client_id)
                else:
                    world.paradex.reject(client_id)
        return bot.traders[0].is_idle

    await world.until(joined)
    assert all(trade.position_e8(0) == 0 for trade in stuck)
    assert world.paradex.position_e8 == 0
    assert bot.positions.of("paradex", PARADEX.symbol) == 0
    bot.recorder.flush()
    assert check_journal(world.folder) == []
    assert bot.gate.halted == ""
