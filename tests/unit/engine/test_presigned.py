"""Orders signed ahead, in the whole bot: when they serve, when not, and what is known of them after a crash."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.test_bot import MS, WAIT_S, World

from deltawire.core.money import E8
from deltawire.core.types import ClientOrderId, Purpose
from deltawire.engine.presigner import RENEW_PERCENT, USABLE_PERCENT, SigningThread
from deltawire.engine.recovery import read_back
from deltawire.engine.trader import CLEARED_NS, PairTrader
from deltawire.journal.check import check_journal
from deltawire.journal.leaving import Left
from deltawire.journal.records import Armed, LadderSigned, OrderIntended, OrderObserved, RunEnded
from deltawire.venues.contract import PreparedOrder

WINDOW_MS = 5_000  # of the fake venues


async def signed(world: World, bps: float = 8) -> None:
    """Let the market come near an edge, and wait for both directions' ladders."""
    world.spread(bps)
    ladders = world.bot.traders[0].ladders
    await world.until(lambda: ladders.entries[0] is not None)


async def test_an_entry_leaves_with_orders_signed_before_it(world: World):
    await world.begin()
    await signed(world)
    ahead = {order.request.client_id for order in (*world.paradex.presigned, *world.vest.presigned)}
    world.enter()
    sent = {world.paradex.last.client_id, world.vest.last.client_id}
    assert sent <= ahead
    assert world.bot.traders[0].ladders.served == 1
    for venue in (world.paradex, world.vest):
        stamps = venue.orders[venue.last.client_id].stamps
        assert stamps.presigned
        assert stamps.signed_mono_ns == stamps.decided_mono_ns > 0


async def test_the_first_trigger_finds_its_orders_signed(world: World):
    world.made()
    await asyncio.gather(world.paradex.start(world.bot), world.vest.start(world.bot))
    world.spread(8)
    await patient(world, world.bot.start())
    world.enter()
    assert world.paradex.orders[world.paradex.last.client_id].stamps.presigned


async def test_a_venue_that_blocks_entries_between_two_ticks_is_heard_with_its_news(world: World):
    """What is asked ahead holds for a tick, and not past any news."""
    await world.begin()
    await signed(world)
    trader = world.bot.traders[0]
    trader.clear()
    world.paradex.blocked = "in doubt"
    world.bot.on_link("paradex", "orders", up=True, detail="")
    world.enter()
    assert world.paradex.orders == {}
    assert trader.last_refusal == "paradex blocks entries"


async def test_what_was_asked_ahead_of_an_entry_does_not_hold_for_long(world: World):
    await world.begin()
    await signed(world)
    trader = world.bot.traders[0]
    trader.clear()
    world.paradex.blocked = "maintenance"
    world.clock.now_ns += CLEARED_NS + 1
    world.enter()
    assert world.paradex.orders == {}


async def test_an_order_of_a_ladder_is_on_record_before_its_bytes_leave(world: World):
    await world.begin()
    await signed(world)
    on_record: list[bool] = []

    def look(prepared: PreparedOrder) -> None:
        ladders = world.of(LadderSigned)
        ids = {order.client_id for ladder in ladders for order in ladder.orders}
        on_record.append(prepared.request.client_id in ids)

    world.paradex.on_submit = world.vest.on_submit = look
    world.enter()
    assert on_record == [True, True]


async def test_the_journal_intends_what_was_sent_before_it_tells_any_news_of_it(world: World):
    await world.begin()
    await signed(world)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.bot.recorder.flush()
    intended = {record.client_id for record in world.of(OrderIntended)}
    assert intended == {world.paradex.last.client_id, world.vest.last.client_id}
    assert check_journal(world.folder) == []


async def test_an_exit_leaves_with_orders_signed_before_it(world: World):
    await world.begin()
    world.enter()
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    trader = world.bot.traders[0]
    await world.until(lambda: bool(trader.ladders.exits))
    world.spread(0)
    for venue in (world.paradex, world.vest):
        assert venue.last.purpose is Purpose.EXIT
        assert venue.last.reduce_only
        assert venue.orders[venue.last.client_id].stamps.presigned
        venue.fill(venue.last.client_id)
    assert world.paradex.position_e8 == world.vest.position_e8 == 0


async def test_a_ladder_too_old_for_its_receive_window_is_not_used(world: World):
    await world.begin()
    await signed(world)
    world.clock.now_ns += WINDOW_MS * MS * USABLE_PERCENT // 100 + 10 * MS
    world.enter()
    assert not world.paradex.orders[world.paradex.last.client_id].stamps.presigned
    assert world.bot.traders[0].ladders.missed["too old"] == 1


async def test_a_ladder_is_renewed_before_it_is_too_old_with_ids_of_its_own(world: World):
    await world.begin()
    await signed(world)
    ladders = world.bot.traders[0].ladders
    first = ladders.entries[0]
    world.clock.now_ns += WINDOW_MS * MS * RENEW_PERCENT // 100
    await world.until(lambda: ladders.entries[0] is not first)
    ids = [order.client_id for ladder in world.of(LadderSigned) for order in ladder.orders]
    assert len(ids) == len(set(ids)) > 4


async def test_orders_the_venue_would_refuse_by_now_are_signed_at_once_instead(world: World):
    await world.begin()
    await signed(world)
    world.vest.stale_up_to = max(order.correlator for order in world.vest.presigned)
    world.enter()
    assert not world.vest.orders[world.vest.last.client_id].stamps.presigned
    assert world.vest.last.client_id not in {order.request.client_id for order in world.vest.presigned}


async def test_prices_beyond_every_cap_are_signed_at_once(world: World):
    await world.begin()
    await signed(world)
    # The buying leg goes up past its caps, and the other one further, before the next tick could sign again.
    world.paradex.quote(60_024 * E8 - E8 // 10, 60_024 * E8 + E8 // 10)
    world.vest.quote(60_204 * E8 - E8 // 10, 60_204 * E8 + E8 // 10)
    assert not world.paradex.orders[world.paradex.last.client_id].stamps.presigned
    assert world.bot.traders[0].ladders.missed["out of reach"] == 1


async def test_without_a_journal_nothing_is_signed_ahead(world: World):
    await world.begin()
    world.journal.is_full = True
    world.spread(8)
    signed_before = world.bot.presigner.signed
    for _ in range(10):
        world.bot.presigner.on_tick()
    assert world.bot.presigner.signed == signed_before


async def test_a_journal_that_breaks_after_the_signing_lets_no_entry_leave(world: World):
    await world.begin()
    await signed(world)
    world.journal.is_full = True
    world.bot.recorder.later(Armed(unix_ns=1))
    world.bot.recorder.flush()
    world.enter()
    assert world.paradex.orders == {}
    assert world.bot.traders[0].last_refusal == "journal"


async def test_an_order_of_a_ladder_passes_the_gate_like_any_other(world: World):
    await world.begin()
    await signed(world)
    world.bot.gate.limits = replace(world.bot.gate.limits, orders_per_minute_max=1)
    world.enter()
    assert world.paradex.orders == world.vest.orders == {}


async def test_the_pair_that_traded_last_is_signed_for_first(world: World):
    bot = await world.begin()
    await signed(world)
    latest = bot.traders[0]
    other = PairTrader(1, latest.rules, latest.venues, latest._desk)
    other.entries_on = True
    bot.traders.append(other)
    await world.until(lambda: other.ladders.entries[0] is not None and bot.presigner._busy is None)
    latest.dealer.stirred_mono_ns = world.clock.now_ns
    for trader in bot.traders:
        trader.ladders.entries[:] = [None, None]
    bot.presigner._next = 1
    bot.presigner.on_tick()
    await asyncio.sleep(0)
    assert latest.ladders.entries[0] is not None
    assert other.ladders.entries == [None, None]


async def test_a_ladder_signed_while_its_trade_began_is_thrown_away(world: World):
    """Its trade's id is in use by then: another entry with it would be taken for the same trade."""
    await world.begin()
    await signed(world)
    trader, presigner = world.bot.traders[0], world.bot.presigner
    await world.until(lambda: presigner._busy is None)
    world.clock.now_ns += WINDOW_MS * MS * RENEW_PERCENT // 100
    presigner.on_tick()
    assert presigner._busy is not None
    world.enter()
    assert world.paradex.orders[world.paradex.last.client_id].stamps.presigned
    await world.until(lambda: presigner._busy is None)
    assert trader.ladders.entries[0] is None


async def test_far_from_its_threshold_nothing_is_signed(world: World):
    await world.begin()
    world.spread(-200)
    world.clock.now_ns += WINDOW_MS * MS
    for _ in range(10):
        world.bot.presigner.on_tick()
    assert world.bot.traders[0].ladders.entries[0] is None


async def test_news_inside_the_first_write_waits_for_the_second(world: World):
    await world.begin()
    await signed(world)
    told: list[str] = []
    world.vest.on_submit = lambda _prepared: told.extend(
        record.client_id for record in world.bot.recorder._later if isinstance(record, OrderObserved)
    )
    world.enter()
    assert told == []
    assert any(isinstance(record, OrderObserved) for record in world.bot.recorder._later)


# ---- after a crash -------------------------------------------------------------------------------------------------


async def killed_in_its_writes(world: World) -> tuple[ClientOrderId, ClientOrderId]:
    """Kill the bot after both bytes left and before a word of it is on record."""
    await world.begin()
    await signed(world)
    world.enter()
    sent = world.paradex.last.client_id, world.vest.last.client_id
    world.bot.recorder._later.clear()
    return sent


async def test_orders_that_left_unrecorded_are_found_and_taken_over(world: World):
    sent = await killed_in_its_writes(world)
    for venue, client_id in zip((world.paradex, world.vest), sent, strict=True):
        venue.execute(client_id)
    recovered = await world.crash()
    assert set(sent) <= {intent.client_id for intent in recovered.presigned}
    assert recovered.open_trades == []
    starting = world.made(recovered).start()
    await patient(world, starting)
    [trade] = world.bot.traders[0].dealer.open
    assert set(trade.orders) == set(sent)
    assert trade.matched_e8 > 0
    assert trade.delta_e8 == 0
    assert check_journal(world.folder) == []


async def test_orders_signed_and_never_sent_leave_no_trace(world: World):
    await world.begin()
    await signed(world)
    recovered = await world.crash()
    assert recovered.presigned
    await patient(world, world.made(recovered).start())
    assert world.bot.traders[0].is_idle
    assert world.of(OrderIntended) == []
    assert check_journal(world.folder) == []


@pytest.fixture
def marked(world: World) -> World:
    """A world whose bots keep the mark, as they do wherever there is shared memory."""
    world.mark_at = world.folder.parent / "mark"
    return world


async def test_with_a_mark_that_says_so_no_order_is_asked_for(marked: World):
    await marked.begin()
    await signed(marked)
    marked.enter()
    recovered = await marked.crash()
    assert recovered.open_trades
    assert recovered.presigned == []


async def test_of_a_run_killed_in_its_writes_only_the_ladder_that_left_is_asked_for(marked: World):
    sent = await killed_in_its_writes(marked)
    [trade] = {order.trade_id for order in (marked.paradex.last, marked.vest.last)}
    for venue, client_id in zip((marked.paradex, marked.vest), sent, strict=True):
        venue.execute(client_id)
    recovered = await marked.crash()
    assert set(sent) <= {intent.client_id for intent in recovered.presigned}
    assert {intent.trade_id for intent in recovered.presigned} == {trade}
    await patient(marked, marked.made(recovered).start())
    [taken] = marked.bot.traders[0].dealer.open
    assert set(taken.orders) == set(sent)


async def test_once_the_order_that_left_is_found_the_others_of_its_leg_are_not_waited_for(marked: World):
    sent = await killed_in_its_writes(marked)
    for venue, client_id in zip((marked.paradex, marked.vest), sent, strict=True):
        venue.execute(client_id)
    recovered = await marked.crash()
    assert len(recovered.presigned) > len(sent)
    # The clock stands still: no receive window ever ends.
    async with asyncio.timeout(WAIT_S):
        await marked.made(recovered, arm_itself=False).start()
    [taken] = marked.bot.traders[0].dealer.open
    assert set(taken.orders) == set(sent)


async def test_a_kill_while_the_next_run_still_asks_does_not_lose_the_question(marked: World):
    sent = await killed_in_its_writes(marked)
    recovered = await marked.crash()
    starting = asyncio.ensure_future(marked.made(recovered).start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    marked.bot.recorder.flush()
    marked.journal.close()
    again = read_back(marked.records(), marked.clock.unix_ns(), marked.left)
    assert set(sent) <= {intent.client_id for intent in again.presigned}


async def test_an_exit_that_left_without_a_record_keeps_its_mark_until_the_disk_takes_it(marked: World):
    await marked.begin()
    await signed(marked)
    marked.enter()
    for venue in (marked.paradex, marked.vest):
        venue.fill(venue.last.client_id)
    exits = marked.bot.traders[0].ladders.exits
    await marked.until(lambda: bool(exits))
    marked.journal.is_full = True
    marked.spread(0)
    assert marked.paradex.orders[marked.paradex.last.client_id].stamps.presigned
    marked.bot.recorder.flush()
    assert marked.left not in (None, Left("dwtest1", 0))
    marked.journal.is_full = False
    marked.bot.recorder.flush()
    assert marked.left == Left("dwtest1", 0)


async def test_the_mark_of_an_earlier_run_says_nothing_of_a_later_runs_ladders(marked: World):
    await marked.begin()
    await signed(marked)
    recovered = await marked.crash()
    assert recovered.presigned == []
    left, marked.mark_at = marked.left, None  # a version without one, or another machine
    await patient(marked, marked.made(recovered).start())
    await signed(marked)
    await marked.crash()
    assert read_back(marked.records(), marked.clock.unix_ns(), left).presigned
    assert read_back(marked.records(), marked.clock.unix_ns(), Left("another journal's", 0)).presigned


async def test_an_orderly_end_leaves_no_order_to_ask_for(world: World):
    await world.begin()
    await signed(world)
    await patient(world, world.bot.stop("test"))
    assert world.of(RunEnded)
    assert read_back(world.records(), world.clock.unix_ns()).presigned == []


async def test_of_a_ladder_that_was_used_nothing_is_asked_for(world: World):
    await world.begin()
    await signed(world)
    world.enter()
    used = world.paradex.last.trade_id
    world.bot.recorder.flush()
    recovered = read_back(world.records(), world.clock.unix_ns())
    assert used not in {intent.trade_id for intent in recovered.presigned}


async def test_only_the_last_ladder_of_a_direction_is_asked_for(world: World):
    await world.begin()
    await signed(world)
    world.clock.now_ns += WINDOW_MS * MS * RENEW_PERCENT // 100
    before = len(world.of(LadderSigned))
    await world.until(lambda: len(world.of(LadderSigned)) >= before + 2)
    recovered = read_back(world.records(), world.clock.unix_ns())
    by_direction = {record.buy_leg: record for record in world.of(LadderSigned)}
    assert {intent.client_id for intent in recovered.presigned} == {
        order.client_id for ladder in by_direction.values() for order in ladder.orders
    }


async def patient(world: World, work: Coroutine[Any, Any, Any]) -> None:
    """Wait for a start or an end while the clock runs."""
    task = asyncio.ensure_future(work)
    await world.until(task.done)
    await task


async def test_the_thread_that_signs_ends_with_the_bot():
    signer = SigningThread()
    assert await signer([]) == []
    assert any(thread.name.startswith("presigner") for thread in threading.enumerate())
    signer.close()
    assert not any(thread.name.startswith("presigner") for thread in threading.enumerate())
