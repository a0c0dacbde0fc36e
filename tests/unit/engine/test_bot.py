"""The whole bot over venues in memory, a real journal on disk, and a clock the test moves."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from tests.unit.core.builders import PARADEX, SIZE_E8, VEST, rules
from tests.unit.engine.fake_venue import FakeVenue, ListLog, ManualClock
from tests.unit.journal.facts import intended, run_started

from deltawire.core.events import Closed, FillSeen
from deltawire.core.limits import Limits
from deltawire.core.money import E8, format_e8
from deltawire.core.trade import STUCK
from deltawire.core.types import Purpose, Side
from deltawire.engine.assembly import run_to_end
from deltawire.engine.bot import Bot
from deltawire.engine.plan import BotSettings, CannotStart, PairPlan
from deltawire.engine.presigner import AtOnce
from deltawire.engine.recovery import Recovered, read_back
from deltawire.engine.snapshot import status
from deltawire.engine.watch import SHOWN_WITHIN_NS
from deltawire.journal.check import check_journal
from deltawire.journal.leaving import LeavingMark, Left
from deltawire.journal.log import JournalLog, JournalUnwritable
from deltawire.journal.read import JournalReader
from deltawire.journal.records import (
    Halted,
    OrderIntended,
    OrderObserved,
    PositionsChecked,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
)
from deltawire.journal.segments import read
from deltawire.venues.contract import PreparedOrder

MS = 1_000_000
POSITION_AGE_NS_MAX = 2_000 * MS  # less than what counts as a stall when a test moves the clock by it
WAIT_S = 60.0  # only a failure takes so long; the machine may be busy
LIMITS = Limits(
    order_notional_e8_max=10_000 * E8,
    orders_per_minute_max=100,
    open_pairs_max=1,
    daily_loss_e8_max=1_000 * E8,
    quote_age_ns_max={"paradex": 10**9, "vest": 10**9},
    venue_age_ns_max=5 * 10**9,
    book_spread_e8_max=200_000,
    price_cap_e8_max=500_000,
    edge_e8_max=10_000_000,
    drawdown_e8_max=1_000 * E8,
    inventory_e8_max=10_000 * E8,
    free_margin_e8_min=10_000_000,
    liquidation_e8_min=5_000_000,
)


R = TypeVar("R", bound=Record)


class FullDisk(JournalLog):
    """A journal whose disk can be full."""

    is_full = False

    def append_all(self, records):
        if self.is_full:
            raise JournalUnwritable("no space left on device")
        return super().append_all(records)


class World:
    """A bot with its two venues. `Bot` objects come and go over one journal; the venues remember."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.log = ManualClock(), ListLog()
        self.paradex, self.vest = FakeVenue(PARADEX, self.clock), FakeVenue(VEST, self.clock)
        self.runs = 0
        self.mark_at: Path | None = None  # without one, the bots have no shared memory
        self.mark: LeavingMark | None = None
        self.journal: FullDisk
        self.bot: Bot

    async def begin(
        self, recovered: Recovered | None = None, *, arm_itself: bool = True, limits: Limits = LIMITS, **changes: object
    ) -> Bot:
        starting = asyncio.ensure_future(self.made(recovered, arm_itself=arm_itself, limits=limits, **changes).start())
        if recovered is not None and recovered.presigned:
            await self.until(starting.done)  # the venues are asked until the orders' receive windows have gone by
        await starting
        return self.bot

    def made(
        self, recovered: Recovered | None = None, *, arm_itself: bool = True, limits: Limits = LIMITS, **changes: object
    ) -> Bot:
        self.journal = FullDisk(self.folder)
        self.runs += 1
        self.mark = LeavingMark(self.mark_at, "boot") if self.mark_at is not None else None
        plan = PairPlan(
            "btc",
            (("paradex", PARADEX.symbol), ("vest", VEST.symbol)),
            SIZE_E8,
            lambda legs: replace(rules(**changes), legs=legs),
        )
        self.bot = Bot(
            BotSettings(
                limits,
                (plan,),
                simulated=True,
                config_digest="d",
                watch_every_s=3600,
                position_age_ns_max=POSITION_AGE_NS_MAX,
                arm_itself=arm_itself,
            ),
            [self.paradex, self.vest],
            self.journal,
            recovered or Recovered(),
            run_id=f"dwtest{self.runs}",
            clock=self.clock,
            log=self.log,
            offload=AtOnce(),
            mark=self.mark,
        )
        return self.bot

    async def crash(self) -> Recovered:
        """Let the bot be gone as after kill -9, and read its journal back."""
        self.bot.recorder.flush()
        self.bot._tick.cancel()  # type: ignore[union-attr]  # a dead process has no timers
        await self.bot.resolver.close()
        self.bot._stop_watching()
        self.bot.recorder._sync_timer.cancel()  # type: ignore[union-attr]
        self.journal.close()
        return read_back(self.records(), self.clock.unix_ns(), self.left)

    @property
    def left(self) -> Left | None:
        """What the mark says, where there is one."""
        return None if self.mark is None else self.mark.left

    async def let_go(self) -> None:
        """Leave no timer or task of a bot behind that was neither stopped nor killed."""
        bot: Bot | None = getattr(self, "bot", None)
        if bot is None:
            return
        for pending in (bot._tick, *bot._watching, bot.recorder._sync_timer, bot.recorder._sync_task):
            if pending is not None:
                pending.cancel()
        bot._stall.cancel()
        await asyncio.sleep(0)  # each ends here, and not in the hands of the collector during a later test
        await bot.resolver.close()

    def records(self) -> list[Record]:
        return [record for _, record in read(self.folder)]

    def of(self, kind: type[R]) -> list[R]:
        return [record for record in self.records() if isinstance(record, kind)]

    def spread(self, bps: float) -> None:
        """Quote both venues with Vest above Paradex by so many bps."""
        up = int(60_000 * bps / 10_000) * E8
        self.vest.quote(60_000 * E8 + up - E8 // 10, 60_000 * E8 + up + E8 // 10)
        self.paradex.quote(60_000 * E8 - E8 // 10, 60_000 * E8 + E8 // 10)

    def enter(self) -> None:
        self.spread(30)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not done():
                self.clock.now_ns += 5 * MS
                await asyncio.sleep(0.001)


def rewrite(folder: Path, records: list[Record]) -> None:
    for path in folder.glob("*.wal"):
        path.unlink()
    with JournalLog(folder) as journal:
        journal.append_all(records)


async def test_one_frame_sends_both_legs_in_one_call(world: World):
    await world.begin()
    world.enter()
    # No await since the quote: both orders are with their venues already.
    assert (world.paradex.last.side, world.vest.last.side) == (Side.BUY, Side.SELL)
    assert world.paradex.last.size_e8 == world.vest.last.size_e8 == SIZE_E8


async def test_one_leg_alone_shows_as_delta_and_its_time(world: World):
    bot = await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.clock.now_ns += 7 * MS
    [pair] = status(bot)["pairs"]
    assert pair["delta"] == pair["trade"]["legs"]["paradex"] == format_e8(SIZE_E8)
    assert float(pair["delta_usd"]) == pytest.approx(SIZE_E8 / E8 * 60_000, rel=0.01)
    assert pair["trade"]["unhedged_ms"] == 7
    world.vest.fill(world.vest.last.client_id)
    [pair] = status(bot)["pairs"]
    assert (pair["delta"], pair["delta_usd"], pair["trade"]["unhedged_ms"]) == ("0", "0", 0)


async def test_status_tells_what_an_entry_must_see_and_how_the_venues_are(world: World):
    bot = await world.begin()
    for up in (True, False, True, True):  # up, lost, up again, told twice
        bot.on_link("vest", "spare", up=up, detail="")
    told = status(bot)
    rules_ = bot.traders[0].rules
    assert told["pairs"][0]["thresholds"]["entry_spread"] == (rules_.entry_edge_e8 + rules_.entry_costs_e8) / 1e4
    assert told["venues"]["vest"]["reconnects"]["spare"] == 1
    assert told["limits"]["orders_per_minute_max"] == LIMITS.orders_per_minute_max
    assert told["pairs"][0]["books"]["vest"]["bids_e8"] == world.vest.book(VEST.symbol).bids[:5]


async def test_a_round_trip_is_entered_held_closed_and_agreed(world: World):
    bot = await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert status(bot)["pairs"][0]["state"] == "holding"
    world.spread(0)
    assert world.paradex.last.purpose is world.vest.last.purpose is Purpose.EXIT
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert status(bot)["round_trips"] == 1
    assert await bot.stop("test")
    [closed], [ended] = world.of(TradeClosed), world.of(RunEnded)
    assert (closed.outcome, closed.dust_a_e8, closed.dust_b_e8) == ("closed", 0, 0)
    assert closed.entry_detected_spread_rate_e8 is not None
    assert closed.entry_detected_spread_rate_e8 > 290_000
    assert (ended.clean, ended.flat, ended.agree) == (True, True, True)
    assert all(row.agree for check in world.of(PositionsChecked) for row in check.rows)
    assert world.paradex.closed
    assert world.vest.closed


async def test_the_journal_keeps_both_books_as_they_were_at_the_decisions(world: World):
    bot = await world.begin()
    world.enter()
    bought_e8, sold_e8 = world.paradex.book(PARADEX.symbol).asks[0][0], world.vest.book(VEST.symbol).bids[0][0]
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.clock.now_ns += 7 * MS
    world.paradex.quote(60_000 * E8 - E8 // 10, 60_000 * E8 + E8 // 10)
    world.clock.now_ns += 5 * MS
    world.vest.quote(60_000 * E8 - E8 // 10, 60_000 * E8 + E8 // 10)  # the spread is back: it closes on this
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await bot.stop("test")
    [opened], [closed] = world.of(TradeOpened), world.of(TradeClosed)
    assert [(q.leg, q.venue, q.best_price_e8, q.price_e8) for q in opened.quotes] == [
        ("a", "paradex", bought_e8, bought_e8),
        ("b", "vest", sold_e8, sold_e8),
    ]
    assert [(q.leg, q.size_e8, q.best_price_e8, q.age_ns) for q in closed.exit_quotes] == [
        ("a", SIZE_E8, 60_000 * E8 - E8 // 10, 5 * MS),
        ("b", SIZE_E8, 60_000 * E8 + E8 // 10, 0),
    ]


async def test_an_intent_is_in_the_journal_before_its_bytes_can_leave(world: World):
    await world.begin()
    seen: list[bool] = []

    def look(prepared):
        intents = [record.client_id for record in world.of(OrderIntended)]
        seen.append(prepared.request.client_id in intents)

    world.paradex.on_submit = world.vest.on_submit = look
    world.enter()
    assert seen == [True, True]


async def test_the_journal_tells_the_story_in_order(world: World):
    await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.reject(world.vest.last.client_id)
    await asyncio.sleep(0)
    assert isinstance(world.records()[0], RunStarted)
    story = [r for r in world.records() if isinstance(r, OrderIntended | OrderObserved)]
    known: set[str] = set()
    for record in story:
        if isinstance(record, OrderIntended):
            known.add(record.client_id)
        else:
            assert record.client_id in known
    kinds = [r.kind if isinstance(r, OrderObserved) else r.purpose for r in story]
    assert kinds.index("repair") > kinds.index("rejected"), "a repair comes after what made it needed"


async def test_a_full_disk_stops_entries_and_never_an_exit(world: World):
    bot = await world.begin()
    world.journal.is_full = True
    world.enter()
    assert not world.paradex.orders
    world.journal.is_full = False
    world.clock.now_ns += 2_000 * MS
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.journal.is_full = True
    world.spread(0)
    assert world.paradex.last.purpose is world.vest.last.purpose is Purpose.EXIT
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    await asyncio.sleep(0)  # the loop tries to write, and cannot
    assert not world.of(TradeClosed)
    world.journal.is_full = False
    assert await bot.stop("test")
    assert len(world.of(TradeClosed)) == 1
    assert len(world.of(OrderIntended)) == 4, "what left unrecorded is recorded once there is room"
    assert check_journal(world.folder) == []


async def test_a_lost_order_is_read_never_sent_again(world: World):
    bot = await world.begin()
    world.enter()
    lost, vest_id = world.paradex.last.client_id, world.vest.last.client_id
    world.paradex.execute(lost)  # executed, and the answer lost
    world.paradex.lose(lost)
    world.vest.fill(vest_id)
    await world.until(lambda: status(bot)["pairs"][0]["state"] == "holding")
    assert list(world.paradex.orders) == [lost]
    assert bot.positions.of("paradex", PARADEX.symbol) == SIZE_E8


async def test_an_order_the_venue_never_saw_is_believed_lost_only_after_its_window(world: World):
    bot = await world.begin()
    world.enter()
    lost = world.paradex.last.client_id
    sent_ns = world.clock.now_ns
    world.paradex.lost.add(lost)
    world.paradex.lose(lost)
    world.vest.fill(world.vest.last.client_id)
    await world.until(lambda: len(world.paradex.orders) == 2)
    assert world.clock.now_ns - sent_ns > 1_000 * MS
    assert world.paradex.last.purpose is Purpose.REPAIR
    world.paradex.fill(world.paradex.last.client_id)
    assert status(bot)["pairs"][0]["state"] == "holding"


async def test_a_pair_with_a_leg_in_doubt_takes_no_new_risk(world: World):
    await world.begin()
    world.enter()
    world.paradex.unreachable = True
    world.paradex.lose(world.paradex.last.client_id)
    world.vest.reject(world.vest.last.client_id)
    for _ in range(20):
        world.enter()
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 1)


async def test_a_dead_bot_is_followed_by_one_that_closes_what_was_open(world: World):
    await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    recovered = await world.crash()
    assert recovered.unclean_before
    bot = await world.begin(recovered)
    assert status(bot)["pairs"][0]["state"] == "holding"
    world.spread(0)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await bot.stop("test")
    assert len(world.of(TradeClosed)) == 1


async def test_a_dead_bots_order_without_an_answer_is_asked_for_at_the_venue(world: World):
    await world.begin()
    world.enter()
    world.paradex.execute(world.paradex.last.client_id)  # told to nobody
    world.vest.fill(world.vest.last.client_id)
    bot = await world.begin(await world.crash())
    await world.until(lambda: status(bot)["pairs"][0]["state"] == "holding")
    assert len(world.paradex.orders) == 1
    assert bot.positions.of("paradex", PARADEX.symbol) == SIZE_E8


async def test_what_a_second_start_learned_survives_a_second_crash(world: World):
    """Found by the crash drill: news read for an order without `sent` was dropped at the next start, and its fill
    counted again."""
    await world.begin()
    world.enter()
    at_paradex = world.paradex.last.client_id
    world.paradex.execute(at_paradex)  # told to nobody
    world.vest.fill(world.vest.last.client_id)
    recovered = await world.crash()
    for remains in recovered.open_trades:
        remains.news.pop(at_paradex, None)  # killed between the intent and the write: not even `sent` is on record
    without_sent = [r for r in world.records() if not (isinstance(r, OrderObserved) and r.client_id == at_paradex)]
    rewrite(world.folder, without_sent)
    bot = await world.begin(recovered)
    await world.until(lambda: status(bot)["pairs"][0]["state"] == "holding")
    doubts = [record.text for record in world.of(OrderObserved) if record.kind == "in_doubt"]
    assert doubts == ["the bot was away"], "in doubt from the start on, not only once its news is overdue"
    bot = await world.begin(await world.crash())
    assert status(bot)["pairs"][0]["state"] == "holding"
    assert bot.resolver.looked_up == 0, "it was settled before the second crash"
    assert bot.positions.of("paradex", PARADEX.symbol) == SIZE_E8
    with JournalReader(world.folder) as journal:
        assert [order.surprises for order in journal.orders()] == [0, 0]


async def test_a_dead_bots_order_unknown_to_its_venue_is_believed_lost_only_after_its_window(world: World):
    await world.begin()
    world.enter()
    world.paradex.lost.add(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    sent_ns = world.clock.now_ns
    starting = asyncio.ensure_future(world.begin(await world.crash()))
    await world.until(starting.done)
    await starting
    await world.until(lambda: len(world.paradex.orders) == 2)
    assert world.clock.now_ns - sent_ns > world.paradex.capabilities.recv_window_ms * MS
    assert world.paradex.last.purpose is Purpose.REPAIR


class StopNow:
    """Tells the bot to stop before it has started."""

    def listen(self) -> None:
        pass

    async def wait(self) -> str:
        return "SIGTERM"


async def test_a_dead_bots_trade_sends_nothing_before_the_venues_have_confirmed_it(world: World):
    """Found with a full disk: the close of the last run was not on record, and closing again opened a position."""
    await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    recovered = await world.crash()
    world.paradex.filled.clear()  # closed since, and the journal does not know
    world.vest.filled.clear()
    starting = asyncio.ensure_future(world.begin(recovered))
    await world.until(lambda: world.runs == 2 and bool(world.bot.traders))
    world.spread(0)  # on the journal's word it would close now
    await world.until(starting.done)
    bot = await starting
    await world.until(lambda: status(bot)["pairs"][0]["state"] == "watching")
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 1)


async def test_told_to_stop_while_it_starts_a_bot_with_an_open_trade_closes_it_first(world: World):
    """Found by the crash drill: it ended with exit code 0 and one leg on."""
    await world.begin()
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.reject(world.vest.last.client_id)
    world.vest.lost.add(world.vest.last.client_id)  # the repair
    recovered = await world.crash()
    at = {"paradex": world.paradex, "vest": world.vest}

    def executes(prepared: PreparedOrder) -> None:
        request = prepared.request
        news = at[request.instrument.venue].execute(request.client_id)
        asyncio.get_running_loop().call_soon(at[request.instrument.venue].tell, request.client_id, *news)

    world.paradex.on_submit = world.vest.on_submit = executes
    ending = asyncio.ensure_future(run_to_end(world.made(recovered), StopNow(), world.log))
    await world.until(ending.done)
    assert await ending == 0
    assert (world.paradex.position_e8, world.vest.position_e8) == (0, 0)
    assert [(ended.clean, ended.flat) for ended in world.of(RunEnded)] == [(True, True)]


async def test_told_to_stop_while_it_starts_a_bot_with_nothing_open_ends_at_once(world: World):
    assert await run_to_end(world.made(Recovered()), StopNow(), world.log) == 0
    assert world.of(RunEnded) == []


def test_an_order_of_an_earlier_run_was_written_before_the_next_run_began():
    """Found by the crash drill: each start began the receive window anew, so a bot dying sooner never settled a doubt.

    Told by the monotonic clock, which no setting of the date moves.
    """
    first, second = intended("c1"), intended("c2")
    runs = [run_started(run_id=f"r{n}", mono_ns=n * 100) for n in (1, 2, 3)]
    remains = read_back([runs[0], first, runs[1], second], 0).trades["t1"]
    assert remains.written_by_mono_ns == {"c1": 200}
    remains = read_back([runs[0], first, runs[1], second, runs[2]], 0).trades["t1"]
    assert remains.written_by_mono_ns == {"c1": 200, "c2": 300}


async def test_a_dead_bots_two_open_trades_are_both_brought_home(world: World):
    """The first was over but for the price of a fill when the second began, and the crash came then."""
    (await world.begin()).gate.limits = replace(LIMITS, open_pairs_max=2)
    world.enter()
    first = world.paradex.last.client_id
    world.vest.reject(world.vest.last.client_id)
    world.paradex.fill(first)

    def at_vest(orders: int) -> bool:
        return len(world.vest.orders) == orders

    for orders in (2, 3):  # the repairs
        await world.until(partial(at_vest, orders))
        world.vest.reject(world.vest.last.client_id)
    await world.until(lambda: world.paradex.last.purpose is Purpose.UNWIND)
    unwind = world.paradex.last.client_id
    world.paradex.execute(unwind)
    world.paradex.tell(unwind, Closed(SIZE_E8, ""))  # the fills themselves are still to come
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    recovered = await world.crash()
    assert len(recovered.open_trades) == 2
    bot = await world.begin(recovered)
    await world.until(lambda: len(world.of(TradeClosed)) == 1)
    assert status(bot)["pairs"][0]["state"] == "holding"
    world.spread(0)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await bot.stop("test")
    assert [closed.outcome for closed in world.of(TradeClosed)] == ["unwound", "closed"]


async def test_the_end_is_confirmed_only_once_the_venues_lists_show_the_last_fill(world: World):
    """Fault seed 4991: a list that lagged agreed with a count that was wrong, and the bot called itself flat."""
    bot = await world.begin()
    world.vest.capabilities = replace(world.vest.capabilities, look_up_lag_ms=2_000)
    for bps in (30, 0):
        world.spread(bps)
        world.paradex.fill(world.paradex.last.client_id)
        world.vest.fill(world.vest.last.client_id)
    waiting = asyncio.ensure_future(bot._let_lists_catch_up())
    world.clock.now_ns += 1_900 * MS
    await asyncio.sleep(0.05)
    assert not waiting.done()
    world.clock.now_ns += 100 * MS
    await asyncio.wait_for(waiting, WAIT_S)


async def test_a_position_nobody_can_account_for_keeps_the_bot_from_trading(world: World):
    bot_journal_says_nothing = Recovered(positions={("paradex", PARADEX.symbol): SIZE_E8})
    starting = asyncio.ensure_future(world.begin(bot_journal_says_nothing))
    await world.until(starting.done)
    with pytest.raises(CannotStart, match=r"paradex BTC-USD-PERP: the venue holds 0, the journal says 0\.01"):
        await starting
    await world.bot.abort()


async def test_pause_stops_entries_and_flatten_closes(world: World):
    bot = await world.begin()
    assert bot.pause()["state"] == "paused"
    world.enter()
    assert not world.paradex.orders
    assert bot.resume()["state"] == "running"
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    flattening = asyncio.ensure_future(bot.flatten("flatten"))
    await asyncio.sleep(0)
    assert world.paradex.last.purpose is Purpose.EXIT
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    assert await flattening
    assert bot.state == "paused"


async def test_stopping_in_the_middle_of_an_entry_leaves_nothing_on(world: World):
    bot = await world.begin()
    world.enter()
    stopping = asyncio.ensure_future(bot.stop("SIGTERM"))
    await asyncio.sleep(0)
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.reject(world.vest.last.client_id)
    await world.until(lambda: len(world.paradex.orders) == 2)
    assert world.paradex.last.purpose is Purpose.UNWIND
    world.paradex.fill(world.paradex.last.client_id)
    await world.until(stopping.done)
    assert await stopping
    assert (world.paradex.position_e8, world.vest.position_e8) == (0, 0)
    assert world.of(TradeClosed)[0].outcome == "unwound"


async def test_a_fill_told_after_the_end_is_closed_and_counted_once(world: World):
    bot = await world.begin()
    world.enter()
    late = world.paradex.last.client_id
    world.paradex.reject(late)
    world.vest.reject(world.vest.last.client_id)
    assert bot.figures.trades == 1
    world.paradex.filled[late] = SIZE_E8
    world.paradex.tell(late, FillSeen("late", 60_000 * E8, SIZE_E8, 1))
    assert (world.paradex.last.purpose, world.paradex.last.side) == (Purpose.EXIT, Side.SELL)
    world.paradex.fill(world.paradex.last.client_id)
    assert bot.positions.of("paradex", PARADEX.symbol) == 0


async def test_impossible_news_halts_entries(world: World):
    bot = await world.begin()
    world.enter()
    client_id = world.paradex.last.client_id
    world.paradex.fill(client_id)
    world.paradex.tell(client_id, FillSeen("again", 60_000 * E8, SIZE_E8, 1))
    assert "overfilled" in bot.gate.halted
    world.vest.fill(world.vest.last.client_id)
    world.spread(0)
    assert world.paradex.last.purpose is Purpose.EXIT, "exits go on"


async def test_confirmation_counts_updates_in_one_direction(world: World):
    await world.begin(confirm_updates=3)
    world.vest.quote(60_180 * E8, 60_181 * E8)
    world.paradex.quote(60_000 * E8, 60_001 * E8)
    world.paradex.quote(60_000 * E8, 60_001 * E8)
    world.spread(0)
    world.vest.quote(60_180 * E8, 60_181 * E8)
    world.vest.quote(60_180 * E8, 60_181 * E8)
    assert not world.paradex.orders
    world.vest.quote(60_180 * E8, 60_181 * E8)
    assert len(world.paradex.orders) == 1


async def test_a_venue_that_is_not_ready_stops_entries(world: World):
    await world.begin()
    world.vest.ready = False
    world.enter()
    assert not world.paradex.orders
    assert "entry.refused" in world.log.names()


async def test_a_venue_that_blocks_entries_gets_none_and_still_gets_exits(world: World):
    await world.begin()
    world.vest.blocked = "release window"
    world.enter()
    assert not world.paradex.orders
    world.vest.blocked = ""
    world.enter()
    world.vest.blocked = "release window"
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.spread(0)
    assert world.paradex.last.purpose is Purpose.EXIT
    assert world.vest.last.purpose is Purpose.EXIT


async def test_a_trade_is_opened_on_record(world: World):
    await world.begin()
    world.enter()
    await asyncio.sleep(0)
    [opened] = world.of(TradeOpened)
    assert (opened.buy_leg, opened.size_e8) == ("a", SIZE_E8)
    assert opened.detected_edge_rate_e8 < opened.detected_spread_rate_e8


async def test_a_pair_held_too_long_is_closed(world: World):
    await world.begin(hold_ns_max=1_000 * MS)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    await world.until(lambda: world.paradex.last.purpose is Purpose.EXIT)


def _fill_both(world: World) -> None:
    world.paradex.fill(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)


async def test_layers_are_entered_at_growing_edges_and_closed_one_by_one(world: World):
    bot = await world.begin(layers_max=2, layer_step_e8=250_000)
    world.enter()
    _fill_both(world)
    world.spread(35)
    assert len(world.paradex.orders) == 1, "the second layer wants 25 bps more"
    world.spread(45)
    assert len(world.paradex.orders) == 2
    world.spread(60)
    assert len(world.paradex.orders) == 2, "nothing is added while a layer is moving"
    _fill_both(world)
    world.spread(90)
    assert len(world.paradex.orders) == 2, "two is the most"
    assert bot.positions.of("paradex", PARADEX.symbol) == 2 * SIZE_E8
    world.spread(0)
    exits = [prepared.request for prepared in world.paradex.orders.values()][2:]
    assert [order.size_e8 for order in exits] == [SIZE_E8, SIZE_E8]
    for venue in (world.paradex, world.vest):
        for client_id in list(venue.orders)[2:]:
            venue.fill(client_id)
    assert await bot.stop("test")
    assert [closed.outcome for closed in world.of(TradeClosed)] == ["closed", "closed"]
    assert [opened.layer for opened in world.of(TradeOpened)] == [0, 1]


async def test_by_policy_the_harder_leg_goes_first_and_the_other_for_what_it_filled(world: World):
    bot = await world.begin(harder_leg_first=True, repairs_max=0)
    world.enter()
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 0), "equal depth: the bought leg"
    world.paradex.fill(world.paradex.last.client_id, SIZE_E8 // 2)
    assert (world.vest.last.side, world.vest.last.size_e8) == (Side.SELL, SIZE_E8 // 2)
    world.vest.fill(world.vest.last.client_id)
    assert status(bot)["pairs"][0]["state"] == "holding"
    [opened] = world.of(TradeOpened)
    assert opened.first_leg == "a"


async def test_a_position_that_shrinks_by_itself_closes_the_pair_not_the_leg(world: World):
    bot = await world.begin()
    world.enter()
    _fill_both(world)
    world.paradex.liquidated_e8 = -SIZE_E8 // 2
    await bot.watcher.round()
    assert not bot.gate.halted, "once is not believed"
    await bot.watcher.round()
    assert "without an order of ours" in bot.gate.halted
    assert (world.vest.last.purpose, world.vest.last.size_e8) == (Purpose.UNWIND, SIZE_E8 // 2)
    world.vest.fill(world.vest.last.client_id)
    assert world.paradex.last.purpose is world.vest.last.purpose is Purpose.EXIT
    assert world.paradex.last.size_e8 == world.vest.last.size_e8 == SIZE_E8 // 2
    _fill_both(world)
    assert await bot.stop("test")
    assert (world.paradex.position_e8, world.vest.position_e8) == (0, 0)
    assert check_journal(world.folder) == []


async def test_a_pair_that_was_never_seen_still_opens_nothing_until_a_look_shows_all_of_it(world: World):
    """A bot that traded without a pause had no look that told anything: what others did to it stayed unseen."""
    [trader] = (await world.begin()).traders
    watcher = world.bot.watcher
    assert await watcher.round()
    world.clock.now_ns += POSITION_AGE_NS_MAX + 1
    world.enter()
    assert await watcher.round()
    assert "entries wait" in trader.suspicion, "orders are out"
    _fill_both(world)
    assert await watcher.round()
    assert "entries wait" in trader.suspicion, "held, but Vest may still show what was before"
    world.clock.now_ns += SHOWN_WITHIN_NS
    assert await watcher.round()
    assert trader.suspicion == ""


async def test_accounts_that_cannot_be_read_for_long_hold_up_entries_until_they_are(world: World):
    """While reads failed, the bot went on trading on positions it had not seen for fifteen seconds (seed 2938)."""
    [trader] = (await world.begin()).traders
    watcher = world.bot.watcher
    assert await watcher.round()
    world.vest.unreadable = True
    assert not await watcher.round()
    assert trader.suspicion == "", "once is no reason"
    world.clock.now_ns += POSITION_AGE_NS_MAX + 1
    assert not await watcher.round()
    assert "not read whole" in trader.suspicion
    world.enter()
    assert world.paradex.orders == {}
    world.vest.unreadable = False
    assert await watcher.round()
    assert trader.suspicion == ""


async def test_a_stop_sees_first_what_a_person_closed_of_a_trade_that_was_stuck(world: World):
    """Told to stop between two looks at the accounts, the bot sent closes for what was gone, and ended unclean."""
    bot = await world.begin()
    world.enter()
    _fill_both(world)
    [trade] = bot.traders[0].dealer.open
    trade.phase = STUCK
    world.paradex.liquidated_e8, world.vest.liquidated_e8 = -SIZE_E8, SIZE_E8
    world.clock.now_ns += SHOWN_WITHIN_NS
    stopping = asyncio.ensure_future(bot.stop("test"))
    await world.until(stopping.done)
    assert await stopping
    assert len(world.paradex.orders) == len(world.vest.orders) == 1, "no close was sent"


async def test_a_position_near_liquidation_closes_the_pair(world: World):
    bot = await world.begin()
    world.enter()
    _fill_both(world)
    world.vest.liquidation_price_e8 = 61_000 * E8
    await bot.watcher.round()
    assert world.paradex.last.purpose is world.vest.last.purpose is Purpose.EXIT
    assert "liquidation" in bot.gate.halted


async def test_too_little_free_margin_stops_entries(world: World):
    bot = await world.begin()
    world.vest.free_e8 = 10**12 // 20
    await bot.watcher.round()
    world.enter()
    assert not world.paradex.orders
    assert status(bot)["pairs"][0]["last_refusal"] == "margin"


async def test_after_an_unclean_end_nothing_is_opened_until_a_person_arms_the_bot(world: World):
    await world.begin()
    world.enter()
    _fill_both(world)
    bot = await world.begin(await world.crash(), arm_itself=False)
    assert bot.state == "disarmed"
    world.spread(0)
    assert world.paradex.last.purpose is Purpose.EXIT, "what is open is managed and closed"
    _fill_both(world)
    sent = len(world.paradex.orders)
    world.enter()
    assert len(world.paradex.orders) == sent
    assert bot.arm()["state"] == "running"
    world.enter()
    assert len(world.paradex.orders) == sent + 1


async def test_a_kill_latches_over_restarts(world: World):
    bot = await world.begin()
    world.enter()
    _fill_both(world)
    assert bot.kill()["halted"]
    assert world.paradex.last.purpose is Purpose.EXIT
    _fill_both(world)
    bot.resume()
    sent = len(world.paradex.orders)
    world.enter()
    assert len(world.paradex.orders) == sent, "resume does not lift a kill"
    await world.until(lambda: bool(world.of(Halted)))
    bot = await world.begin(await world.crash())
    assert bot.state == "disarmed"
    world.enter()
    assert len(world.paradex.orders) == sent
    bot.arm()
    await asyncio.sleep(0)
    bot = await world.begin(await world.crash())
    assert bot.state == "running"


async def test_the_inventory_of_a_venue_is_bounded(world: World):
    await world.begin(layers_max=10, limits=replace(LIMITS, inventory_e8_max=2_000 * E8))
    for _ in range(5):
        world.spread(30)
        for venue in (world.paradex, world.vest):
            for client_id in set(venue.orders) - set(venue.filled):
                venue.fill(client_id)
    assert world.paradex.position_e8 == 3 * SIZE_E8, "three times 600 USD fit into 2 000, four times do not"


async def test_an_edge_too_good_to_be_true_is_left_alone(world: World):
    bot = await world.begin()
    world.spread(1_500)
    assert not world.paradex.orders
    assert status(bot)["pairs"][0]["last_refusal"] == "edge_sanity"


async def test_a_loss_limit_closes_what_is_open(world: World):
    bot = await world.begin()
    world.enter()
    _fill_both(world)
    bot.gate.count_result(-LIMITS.daily_loss_e8_max)
    await bot.watcher.round()
    assert world.paradex.last.purpose is Purpose.EXIT


async def test_an_order_the_venue_cannot_carry_is_held_back_with_its_partner(world: World):
    await world.begin()
    world.vest.unsendable = "size has too many decimals"
    world.enter()
    assert not world.paradex.orders
    assert not world.vest.orders
    assert "order.refused_by_gate" in world.log.names()


async def test_a_bot_that_is_flat_by_its_own_count_only_does_not_say_so(world: World):
    bot = await world.begin()
    world.vest.liquidated_e8 = SIZE_E8  # something is on that the journal knows nothing of
    stopping = asyncio.ensure_future(bot.stop("test"))
    await world.until(stopping.done)
    assert not await stopping
    [ended] = world.of(RunEnded)
    assert (ended.clean, ended.flat, ended.agree) == (False, False, False)


async def test_a_pair_is_not_closed_while_one_venue_is_halted(world: World):
    await world.begin()
    world.enter()
    _fill_both(world)
    world.paradex.halted = True
    world.spread(0)
    assert len(world.vest.orders) == 1, "closing Vest alone would leave a leg"
    world.bot.close_all("flatten")
    assert len(world.vest.orders) == 1, "not even when told to"
    world.paradex.halted = False
    await world.until(lambda: world.paradex.last.purpose is world.vest.last.purpose is Purpose.EXIT)


async def test_no_layer_is_added_while_another_is_moving_or_in_doubt(world: World):
    await world.begin(layers_max=3)
    world.enter()
    world.spread(45)
    assert len(world.paradex.orders) == 1, "the first layer's orders are out"
    world.paradex.unreachable = True
    world.paradex.lose(world.paradex.last.client_id)
    world.vest.fill(world.vest.last.client_id)
    world.spread(60)
    assert (len(world.paradex.orders), len(world.vest.orders)) == (1, 1)
