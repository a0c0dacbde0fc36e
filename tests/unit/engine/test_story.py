"""What is told of a finished trade, by a whole bot over venues in memory."""

from tests.unit.core.builders import SIZE_E8
from tests.unit.engine.test_bot import World

from deltawire.core.money import format_e8
from deltawire.core.types import Purpose
from deltawire.journal.records import TradeClosed
from deltawire.observe.story import trade_line


def story(world: World) -> dict[str, object]:
    [fields] = [fields for event, fields in world.log.events if event == "trade.closed"]
    return fields


async def test_a_round_trip_is_told_with_what_the_journal_says_of_it(world: World):
    bot = await world.begin()
    world.enter()
    entry = world.paradex.last.client_id
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    stamps = bot.registry.get(entry).stamps  # type: ignore[union-attr]  # it was just sent
    stamps.decided_mono_ns, stamps.acked_mono_ns = 10**9, 10**9 + 84_312_345
    world.spread(0)
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    assert await bot.stop("test")
    [closed] = world.of(TradeClosed)
    told = story(world)
    assert (told["pair"], told["buy"], told["sell"], told["size"]) == ("btc", "paradex", "vest", format_e8(SIZE_E8))
    assert closed.entry_detected_spread_rate_e8 is not None
    assert told["detected_bps"] == closed.entry_detected_spread_rate_e8 / 1e4
    assert (told["pnl_usd"], told["fees_usd"]) == (closed.pnl_e8 / 1e8, closed.fees_e8 / 1e8)
    assert (told["orders"], told["repairs"], told["unwinds"], told["why"]) == (4, 0, 0, "spread_back")
    assert told["latency_ms"]["paradex"] == 84.312  # type: ignore[index]  # a dict
    assert trade_line(told).startswith(f"trade closed: btc buy=paradex sell=vest size={format_e8(SIZE_E8)} detected=+")


async def test_a_leg_given_back_is_told_with_its_repairs(world: World):
    bot = await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    refused: set[str] = set()

    def given_back() -> bool:
        for client_id in set(world.vest.orders) - refused:
            refused.add(client_id)
            world.vest.reject(client_id)
        return world.paradex.last.purpose is Purpose.UNWIND

    await world.until(given_back)
    world.paradex.fill(world.paradex.last.client_id)
    assert await bot.stop("test")
    told = story(world)
    assert (told["outcome"], told["size"], told["unwinds"]) == ("unwound", format_e8(SIZE_E8), 1)
    assert told["repairs"] == len(refused) - 1
    assert told["exit_executed_bps"] is None
    assert "exit=- " in trade_line(told)
