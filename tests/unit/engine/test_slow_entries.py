"""Entries in a venue's slow class, in the whole bot: when they are made, in which order, and what is on record."""

from pathlib import Path

import pytest
from tests.unit.core.builders import PARADEX, SIZE_E8
from tests.unit.engine.fake_venue import FakeVenue
from tests.unit.engine.test_bot import MS, World

from deltawire.core.entry_class import LIVES_MIN, SlowClass
from deltawire.core.types import Purpose, Side
from deltawire.engine.snapshot import status
from deltawire.journal.check import check_journal
from deltawire.journal.read import JournalReader
from deltawire.journal.records import TradeClosed, TradeOpened
from deltawire.journal.report import report_of

LONG_MS, SHORT_MS = 900, 50
WIDE_BPS = 30
ONLY_RETAIL_BPS = (
    13  # a round trip costs 11 bps, an exit 1 and the edge wanted is 2: 14, or 9.5 without Paradex's entry
)


class TwoClasses(FakeVenue):
    """A venue with a slow class that costs nothing."""

    slow_blocked = ""

    def slow_class(self, symbol: str) -> SlowClass | None:
        assert symbol == PARADEX.symbol
        return SlowClass("retail", 300, 0)

    def slow_block(self, symbol: str) -> str:
        assert symbol == PARADEX.symbol
        return self.slow_blocked


def classes(world: World) -> list[str]:
    """Return the classes of the orders Paradex has got."""
    return [order.order_class for order in world.paradex.orders.values()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "journal")
    world.paradex = TwoClasses(PARADEX, world.clock)
    return world


def show_edges(world: World, life_ms: int, bps: float = WIDE_BPS, count: int = LIVES_MIN) -> None:
    """Let edges come and go while nothing may be opened."""
    world.paradex.blocked = "the test looks first"
    for _ in range(count):
        world.spread(bps)
        world.clock.now_ns += life_ms * MS
        world.spread(0)
        world.clock.now_ns += 20 * MS
    world.paradex.blocked = ""
    world.clock.now_ns += 30 * MS  # what was asked ahead is asked anew


async def test_where_edges_last_an_entry_goes_alone_in_the_slow_class_and_the_other_leg_follows_its_fill(world: World):
    bot = await world.begin(repairs_max=0)
    show_edges(world, LONG_MS)
    world.enter()
    assert classes(world) == ["retail"]
    assert world.vest.orders == {}
    world.paradex.fill(world.paradex.last.client_id, SIZE_E8 // 2)
    assert (world.vest.last.side, world.vest.last.size_e8) == (Side.SELL, SIZE_E8 // 2)
    world.vest.fill(world.vest.last.client_id)
    assert status(bot)["pairs"][0]["state"] == "holding"
    [opened] = world.of(TradeOpened)
    assert (opened.first_leg, opened.order_class) == ("a", "retail")
    assert opened.class_reason.startswith("10% of such edges end within 500 ms: ")
    costs_e8 = 2 * (45_000 + 10_000) - 45_000 + 10_000
    assert opened.detected_edge_rate_e8 == opened.detected_spread_rate_e8 - costs_e8


async def test_what_ends_a_slow_trade_never_waits(world: World):
    bot = await world.begin()
    show_edges(world, LONG_MS)
    world.enter()
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    world.spread(0)
    assert world.paradex.last.purpose is Purpose.EXIT
    assert classes(world) == ["retail", ""]
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    assert await bot.stop("test")
    assert check_journal(world.folder) == []
    [told] = [fields for event, fields in world.log.events if event == "trade.closed"]
    assert told["order_class"] == "retail"


async def test_a_slow_leg_that_finds_no_partner_is_given_back_in_the_usual_class(world: World):
    await world.begin()
    show_edges(world, LONG_MS)
    world.enter()
    world.spread(0)  # gone while the order waited
    world.paradex.fill(world.paradex.last.client_id)
    assert world.vest.orders == {}
    assert world.paradex.last.purpose is Purpose.UNWIND
    assert classes(world) == ["retail", ""]


async def test_a_slow_order_that_does_not_fill_leaves_nothing(world: World):
    bot = await world.begin()
    show_edges(world, LONG_MS)
    world.enter()
    world.paradex.fill(world.paradex.last.client_id, 0)
    assert world.vest.orders == {}
    assert bot.traders[0].is_idle


async def test_where_edges_are_short_both_legs_leave_at_once_in_the_usual_class(world: World):
    await world.begin()
    show_edges(world, SHORT_MS)
    world.enter()
    assert classes(world) == [""]
    assert len(world.vest.orders) == 1
    world.bot.recorder.flush()
    [opened] = world.of(TradeOpened)
    assert (opened.first_leg, opened.order_class) == ("both", "")
    assert opened.class_reason.startswith("90% of such edges end within 500 ms: ")


async def test_before_enough_edges_were_seen_the_usual_class_is_used(world: World):
    await world.begin()
    show_edges(world, LONG_MS, count=LIVES_MIN - 1)
    world.enter()
    assert classes(world) == [""]
    world.bot.recorder.flush()
    assert "fewer than" in world.of(TradeOpened)[0].class_reason


async def test_without_room_in_its_budget_the_usual_class_is_used_and_the_reason_recorded(world: World):
    await world.begin()
    show_edges(world, LONG_MS)
    assert isinstance(world.paradex, TwoClasses)
    world.paradex.slow_blocked = "0 of 3 retail orders left in 1 s, 0 kept for exits"
    world.enter()
    assert classes(world) == [""]
    world.bot.recorder.flush()
    assert world.of(TradeOpened)[0].class_reason == world.paradex.slow_blocked


async def test_an_edge_that_only_the_slow_fee_leaves_is_taken_in_that_class_or_not_at_all(world: World):
    await world.begin()
    world.spread(ONLY_RETAIL_BPS)
    assert world.paradex.orders == {}, "nothing is known yet"
    world.spread(0)
    show_edges(world, LONG_MS, ONLY_RETAIL_BPS, count=LIVES_MIN)
    world.spread(ONLY_RETAIL_BPS)
    assert classes(world) == ["retail"]


async def test_frames_of_an_invalid_book_end_no_edge(world: World):
    await world.begin()
    show_edges(world, LONG_MS)
    world.paradex.blocked = "the test looks first"
    for _ in range(2 * LIVES_MIN):
        world.spread(WIDE_BPS)
        world.clock.now_ns += SHORT_MS * MS
        book = world.paradex.book(PARADEX.symbol)
        book.invalidate("a gap")
        world.bot.on_book(book, world.clock.mono_ns())
    world.paradex.blocked = ""
    world.clock.now_ns += 30 * MS
    world.enter()
    assert classes(world) == ["retail"]


async def test_an_order_signed_ahead_takes_the_class_when_it_is_sent(world: World):
    await world.begin()
    show_edges(world, 560)  # no longer: the bot would find that it had stood still
    world.spread(8)
    ladders = world.bot.traders[0].ladders
    await world.until(lambda: ladders.entries[0] is not None)
    world.enter()
    assert world.paradex.orders[world.paradex.last.client_id].stamps.presigned
    assert classes(world) == ["retail"]
    assert {order.order_class for order in world.paradex.presigned} == {"", "retail"}, "the others were not touched"


async def test_the_report_compares_the_classes(world: World):
    bot = await world.begin()
    for life_ms in (SHORT_MS, LONG_MS):
        show_edges(world, life_ms, count=64)
        world.enter()
        for venue in (world.paradex, world.vest):
            venue.fill(venue.last.client_id)
        world.spread(0)
        for venue in (world.paradex, world.vest):
            venue.fill(venue.last.client_id)
    assert await bot.stop("test")
    assert len(world.of(TradeClosed)) == 2
    with JournalReader(world.folder) as journal:
        report = report_of(journal, alive=False)
    assert {name: trades for name, (trades, _, _) in report.order_classes.items()} == {"usual": 1, "retail": 1}
    assert [trade["order_class"] for trade in report.to_json()["trades"]] == ["", "retail"]


async def test_a_venue_with_one_class_leaves_no_trace_of_the_choice(tmp_path: Path):
    world = World(tmp_path / "journal")
    await world.begin()
    show_edges(world, LONG_MS)
    world.enter()
    world.bot.recorder.flush()
    [opened] = world.of(TradeOpened)
    assert (opened.order_class, opened.class_reason) == ("", "")
    assert "trade.order_class" not in world.log.names()
