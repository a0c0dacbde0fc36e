"""The bot compares orders, fills, fees, funding and balance with venues whose books can be read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.core.builders import PARADEX, SIZE_E8, VEST
from tests.unit.engine.fake_venue import FakeVenue
from tests.unit.engine.test_bot import World

from deltawire.core.events import Closed, Rejected
from deltawire.core.money import E8, notional_e8
from deltawire.core.types import Side, VenueOrderId
from deltawire.engine.assembly import run_to_end
from deltawire.engine.bot import Bot
from deltawire.engine.reconcile import RECONNECTS_APART_S
from deltawire.engine.recovery import read_back
from deltawire.engine.snapshot import status
from deltawire.journal.records import (
    AccountsReconciled,
    FundingPaid,
    OrderObserved,
    PositionsChecked,
    RunEnded,
    TradeClosed,
)
from deltawire.venues.contract import Booking, Money, OpenOrder, Payment


class BookedVenue(FakeVenue):
    """A venue that tells its books: each fill at its cap, a fee of 1e-8 an order, the gain at the close."""

    tampered_e8 = 0
    funding_e8 = 0
    resting: OpenOrder | None = None
    readings = 0
    hidden = False

    async def money(self, since_unix_ns: int) -> Money:
        self.readings += 1
        bookings: list[Booking] = []
        payments: list[Payment] = []
        held_e8 = paid_e8 = 0
        for number, (client_id, size_e8) in enumerate(self.filled.items()):
            prepared = self.orders[client_id]
            sign, cap_e8 = prepared.request.side.sign, prepared.request.cap_price_e8
            paid_e8 -= sign * notional_e8(cap_e8, size_e8)
            held_e8 += sign * size_e8
            gain_e8, paid_e8 = (paid_e8, 0) if held_e8 == 0 else (0, paid_e8)
            funding_e8 = self.funding_e8 if held_e8 == 0 else 0
            bookings.append(
                Booking(
                    f"f{number}", client_id, 0, prepared.request.instrument.symbol, size_e8,
                    notional_e8(cap_e8, size_e8), 1, gain_e8, funding_e8, self._clock.unix_ns(),
                )
            )  # fmt: skip
            if funding_e8:
                symbol = prepared.request.instrument.symbol
                payments.append(Payment(f"p{number}", f"f{number}", symbol, funding_e8, self._clock.unix_ns()))
        moved_e8 = sum(b.pnl_e8 - b.fee_e8 + b.funding_e8 for b in bookings)
        return Money(10**12 + moved_e8 + self.tampered_e8, tuple(bookings), tuple(payments), {}, 1)

    async def open_orders(self) -> list[OpenOrder]:
        return [] if self.resting is None else [self.resting]


class BookedWorld(World):
    paradex: BookedVenue
    vest: BookedVenue

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.paradex, self.vest = BookedVenue(PARADEX, self.clock), BookedVenue(VEST, self.clock)

    def round_trip(self) -> None:
        self.enter()
        self.fill()
        self.spread(0)
        self.fill()

    def fill(self) -> None:
        self.paradex.fill(self.paradex.last.client_id)
        self.vest.fill(self.vest.last.client_id)

    @property
    def last(self) -> AccountsReconciled:
        self.bot.recorder.flush()
        return self.of(AccountsReconciled)[-1]

    def told(self) -> list[tuple[object, object, object]]:
        return [(f["kind"], f["item"], f["answer"]) for event, f in self.log.events if event == "account.differs"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BookedWorld]:
    made = BookedWorld(tmp_path / "journal")
    yield made
    await made.let_go()


async def test_both_accounts_are_compared_at_the_start_and_at_the_end_and_the_balance_adds_up(world: BookedWorld):
    bot = await world.begin()
    assert (world.last.when, world.last.differences) == ("start", [])
    world.vest.funding_e8 = -7
    world.round_trip()
    assert await bot.stop("test")
    last = world.last
    assert (last.when, last.differences) == ("shutdown", [])
    rows = {row.venue: row for row in last.rows}
    assert {venue: (row.fees_e8, row.funding_e8, row.unexplained_e8) for venue, row in rows.items()} == {
        "paradex": (2, 0, 0),
        "vest": (2, -7, 0),
    }
    [closed], [paid] = world.of(TradeClosed), world.of(FundingPaid)
    assert sum(row.pnl_e8 - row.fees_e8 for row in last.rows) == closed.pnl_e8
    assert (paid.venue, paid.payment_e8, paid.client_id) == ("vest", -7, world.vest.last.client_id)


async def test_a_balance_that_does_not_add_up_is_told_once_until_it_changes_and_stops_nothing(world: BookedWorld):
    bot = await world.begin()
    world.vest.tampered_e8 = -E8
    for _ in range(4):
        assert await bot.reconciler.check("timer")
    assert world.told() == [("balance", "cash", "alarmed")]
    [shown] = status(bot)["differences"]
    assert (shown["kind"], shown["venue"], shown["item"], shown["answer"]) == ("balance", "vest", "cash", "alarmed")
    assert [len(check.differences) for check in world.of(AccountsReconciled)][-1] == 1
    world.vest.tampered_e8 = -2 * E8
    for _ in range(3):
        assert await bot.reconciler.check("timer")
    assert len(world.told()) == 2
    world.vest.tampered_e8 = 0
    assert await bot.reconciler.check("timer")
    assert world.log.names().count("account.agrees") == 2
    assert (status(bot)["differences"], status(bot)["differences_n"]) == ([], 0)
    assert (bot.gate.halted, await bot.stop("test")) == ("", True)


async def test_a_difference_seen_once_is_not_believed(world: BookedWorld):
    bot = await world.begin()
    world.paradex.tampered_e8 = 5 * E8
    await bot.reconciler.check("timer")
    world.paradex.tampered_e8 = 0
    await bot.reconciler.check("timer")
    assert world.told() == []
    await bot.stop("test")


async def test_a_fill_of_a_refused_order_is_booked_from_the_venues_reading_and_given_back(world: BookedWorld):
    bot = await world.begin()
    world.enter()
    lied_about = world.vest.last.client_id
    world.vest.execute(lied_about)
    world.vest.tell(lied_about, Rejected("3001", "a venue that does not tell the truth"))
    world.paradex.tell(world.paradex.last.client_id, Closed(0, "IOC"))
    assert bot.positions.of("vest", VEST.symbol) == 0
    for _ in range(2):
        assert await bot.reconciler.check("timer")
    assert world.told() == [("fill", f"order {lied_about} size", "booked")]
    await world.until(lambda: world.vest.last.client_id != lied_about)
    assert (world.vest.last.side, world.vest.last.size_e8) == (Side.BUY, SIZE_E8)
    world.vest.fill(world.vest.last.client_id)
    await world.until(lambda: bot.traders[0].is_idle)
    assert await bot.stop("test")
    assert any(news.client_id == lied_about and news.kind == "filled_total" for news in world.of(OrderObserved))


async def test_a_fill_that_is_counted_already_as_a_change_of_position_is_not_booked_again(world: BookedWorld):
    bot = await world.begin()
    world.enter()
    lied_about = world.vest.last.client_id
    world.vest.execute(lied_about)
    world.vest.tell(lied_about, Rejected("3001", "a venue that does not tell the truth"))
    world.paradex.tell(world.paradex.last.client_id, Closed(0, "IOC"))
    bot.positions.adjust("vest", VEST.symbol, -SIZE_E8)
    for _ in range(2):
        assert await bot.reconciler.check("timer")
    assert ("fill", f"order {lied_about} size", "alarmed") in world.told()
    assert bot.positions.of("vest", VEST.symbol) == -SIZE_E8
    await world.crash()


async def test_an_order_of_ours_that_rests_is_cancelled_once(world: BookedWorld):
    bot = await world.begin()
    world.round_trip()
    client_id = world.paradex.last.client_id
    world.paradex.resting = OpenOrder(PARADEX.symbol, VenueOrderId("v"), client_id, 0, Side.BUY, E8)
    for _ in range(3):
        assert await bot.reconciler.check("timer")
    assert world.told() == [("order", f"order {client_id}", "cancelled")]
    assert await bot.stop("test") is False, "it still rests: not a clean end"
    assert "bot.unclean_end" in world.log.names()


async def test_nothing_is_compared_while_an_order_is_on_its_way(world: BookedWorld):
    bot = await world.begin()
    world.enter()
    readings = world.vest.readings
    assert not await bot.reconciler.check("timer")
    assert world.vest.readings == readings
    world.fill()
    assert await bot.reconciler.check("timer")
    await world.crash()


async def test_after_a_reconnect_all_is_compared_and_a_flapping_connection_makes_no_storm(world: BookedWorld):
    bot = await world.begin()

    def compared(kind: type[AccountsReconciled] | type[PositionsChecked]) -> int:
        bot.recorder.flush()
        return sum(record.when == "reconnect" for record in world.of(kind))

    for _ in range(20):
        bot.on_link("vest", "private", up=True, detail="")
    await world.until(lambda: compared(AccountsReconciled) == 1 and compared(PositionsChecked) == 1)
    readings = world.vest.readings
    for _ in range(20):
        bot.on_link("vest", "private", up=True, detail="")
        bot.on_link("vest", "market data", up=True, detail="")
        await asyncio.sleep(0)
    assert world.vest.readings == readings
    assert RECONNECTS_APART_S > 5
    assert await bot.stop("test")


async def test_a_bot_started_again_compares_what_the_last_one_left_and_records_no_payment_twice(world: BookedWorld):
    bot = await world.begin()
    world.vest.funding_e8 = 9
    world.round_trip()
    assert await bot.stop("test")
    world.clock.now_ns += 10 * 10**9  # its last fills are no longer news
    recovered = read_back(world.records(), world.clock.unix_ns())
    again = await world.begin(recovered)
    assert world.last.when == "start"
    assert again.reconciler.differences == []
    assert await again.stop("test")
    assert len(world.of(FundingPaid)) == 1


class AtOnce:
    def listen(self) -> None:
        pass

    async def wait(self) -> str:
        return "test"


async def test_an_end_whose_journal_cannot_be_written_is_not_clean_and_says_what_to_do(world: BookedWorld):
    bot: Bot = world.made()
    await bot.start()
    assert status(bot)["journal"] == "ok"
    world.journal.is_full = True
    assert await bot.stop("test") is False
    told = dict(world.log.events)
    assert "no space left" in str(told["journal.not_kept"]["reason"])
    assert "make room" in str(told["journal.not_kept"]["remedy"])
    assert world.of(RunEnded) == []
    world.journal.is_full = False
    world.journal = type(world.journal)(world.folder)  # its lock is free
    world.journal.close()


async def test_a_bot_that_ends_with_an_unwritable_journal_exits_with_1(world: BookedWorld):
    bot = world.made()
    world.paradex.on_submit = world.vest.on_submit = lambda _prepared: None

    class FillsTheDisk(AtOnce):
        async def wait(self) -> str:
            await world.until(lambda: bot.state == "running")
            world.journal.is_full = True
            return "test"

    assert await run_to_end(bot, FillsTheDisk(), world.log) == 1
