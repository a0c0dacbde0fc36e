"""A bot that had to give a trade back rests before it opens another; what is open it closes as ever."""

from tests.unit.engine.test_bot import World

MS, S = 10**6, 10**9


async def give_back(world: World) -> None:
    """Enter, have Vest refuse its leg, and give Paradex's back."""
    world.enter()
    orders = len(world.paradex.orders)
    world.vest.reject(world.vest.last.client_id)
    world.paradex.fill(world.paradex.last.client_id)
    await world.until(lambda: len(world.paradex.orders) == orders + 1)
    world.paradex.fill(world.paradex.last.client_id)


async def test_after_a_trade_was_given_back_entries_wait_and_longer_the_second_time(world: World):
    bot = await world.begin(cooldown_ns=5 * S, repairs_max=0)
    sent = 0
    for pause_s in (5, 10):
        await give_back(world)
        sent = len(world.paradex.orders)
        world.clock.now_ns += pause_s * S - 900 * MS
        world.enter()
        assert len(world.paradex.orders) == sent
        assert bot.traders[0].last_refusal == "cooldown"
        world.clock.now_ns += 900 * MS
        world.spread(0)
    told = [fields for name, fields in world.log.events if name == "pair.cooldown"]
    assert [(fields["pause_ms"], fields["failed_in_a_row"]) for fields in told] == [(5_000, 1), (10_000, 2)]
    world.enter()
    assert len(world.paradex.orders) == sent + 1


async def test_a_restart_neither_ends_a_pause_nor_forgets_how_many_there_were(world: World):
    await world.begin(cooldown_ns=5 * S, repairs_max=0)
    await give_back(world)
    world.clock.now_ns += 2 * S
    bot = await world.begin(await world.crash(), cooldown_ns=5 * S, repairs_max=0)
    sent = len(world.paradex.orders)
    world.spread(0)
    world.enter()
    assert (len(world.paradex.orders), bot.traders[0].last_refusal) == (sent, "cooldown")
    told = [fields for name, fields in world.log.events if name == "pair.cooldown"][-1]
    assert told["failed_in_a_row"] == 1
    assert told["pause_ms"] in range(1, 3_001)
    world.clock.now_ns += 3 * S
    world.spread(0)
    await give_back(world)
    assert bot.traders[0].dealer.cooldown.failed == 2


async def test_a_trade_that_went_well_ends_the_count_for_the_next_run_too(world: World):
    await world.begin(cooldown_ns=5 * S, repairs_max=0)
    await give_back(world)
    world.clock.now_ns += 5 * S
    world.spread(0)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.spread(0)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert world.bot.traders[0].is_idle
    assert (await world.crash()).given_back == {}


async def test_a_pause_holds_up_no_exit(world: World):
    bot = await world.begin(cooldown_ns=3600 * S, repairs_max=0, layers_max=2, layer_step_e8=0)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    await give_back(world)
    world.enter()
    assert bot.traders[0].last_refusal == "cooldown"
    sent = (len(world.paradex.orders), len(world.vest.orders))
    world.spread(0)
    assert (len(world.paradex.orders), len(world.vest.orders)) == (sent[0] + 1, sent[1] + 1)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await bot.stop("test")
