"""Holds the journal against both venues: orders, fills, prices, fees, funding, balance. Positions are the watcher's.

At the start, every so often, after each reconnect of an account's connection (several at once count as one), and at the
end. A reading counts only while nothing moves, and a difference is believed when two readings in a row show it with the
same values: venues show fills late. Told once, and again only when it changes.

What is done: an order of ours that rests is cancelled; a fill we never heard of is booked from the venue's reading, but
only where the position differs by that very size (else it is counted already, as a change nobody ordered); all else is
told and left to a person. Money is never corrected by guess.
"""

import asyncio
from collections.abc import Callable, Sequence

from deltawire.core.events import FilledTotal
from deltawire.core.types import ClientOrderId
from deltawire.engine.account_side import OVERLAP_NS, AccountSide, Item
from deltawire.engine.positions import Positions
from deltawire.engine.recorder import Recorder
from deltawire.engine.recovery import Recovered
from deltawire.engine.tally import Tally
from deltawire.engine.watch import UNREADABLE
from deltawire.journal.records import (
    AccountsReconciled,
    Answer,
    FundingPaid,
    ItemKind,
    ItemRow,
    MoneyRow,
    When,
)
from deltawire.venues.contract import Clock, EventLog, KeepsBooks, Money, OpenOrder, Payment, Venue

RECHECK_S = 3.0  # after a difference not yet believed, or while something moves
AFTER_RECONNECT_S = 1.0  # connections come back together, and what was missed is read by the adapters first
RECONNECTS_APART_S = 10.0  # a connection that flaps does not make a storm of readings
SETTLE_NS = 3 * 10**9  # a balance read sooner after a fill may be without it: it does not open the account
AGREE_WITHIN_S = 5.0  # at the end
AGREE_POLL_S = 0.5
ITEMS_MAX = 100  # that are kept and written down at once; beyond, the count says more than the list
BACK_NS_MAX = 7 * 86_400 * 10**9  # how far back the first reading goes at most

_WORDS: dict[ItemKind, str] = {
    "order": "an order is at the venue that should not be",
    "fill": "filled differently",
    "price": "filled at another price",
    "fee": "another fee was taken",
    "funding": "another funding was paid",
    "balance": "the balance does not add up",
}


class Reconciler:
    def __init__(
        self,
        venues: Sequence[Venue],
        tally: Tally,
        recovered: Recovered,
        *,
        legs: Sequence[tuple[str, str]],
        activity: Callable[[], tuple[int, ...] | None],
        positions: Positions,
        book: Callable[[ClientOrderId, FilledTotal], bool],
        look_at_positions: Callable[[], None],
        recorder: Recorder,
        every_s: float,
        clock: Clock,
        log: EventLog,
    ) -> None:
        """activity: what stays equal only while no order leaves and nothing fills; None while something is on its way.

        legs: the (venue, symbol) that are traded.
        """
        self._venues, self._tally, self._recovered, self._legs = venues, tally, recovered, legs
        self._activity, self._positions, self._book = activity, positions, book
        self._apart: dict[tuple[str, str], int] = {}  # by how much each position differed in the last reading
        self._look_at_positions = look_at_positions
        self._recorder, self._every_s, self._clock, self._log = recorder, every_s, clock, log
        self._sides: dict[str, AccountSide] = {}
        self._suspected: set[Item] = set()
        self._told: dict[Item, Answer] = {}
        self._reconnected = asyncio.Event()
        self._reconnected_mono_ns = 0
        self.rows: list[MoneyRow] = []  # of the last reading
        now_ns = clock.unix_ns()
        self._since_unix_ns = max(min(recovered.compared_unix_ns or now_ns, now_ns) - OVERLAP_NS, now_ns - BACK_NS_MAX)
        tally.inherit(recovered.trades.values(), self._since_unix_ns - OVERLAP_NS)

    @property
    def differences(self) -> list[ItemRow]:
        """What is believed to differ now."""
        return [_row(item, answer) for item, answer in self._told.items()]

    async def open(self) -> None:
        """Make the first comparison, before anything trades. One that cannot be made now is left to `run`."""
        for venue in self._venues:
            symbols = [symbol for name, symbol in self._legs if name == venue.name]
            self._sides[venue.name] = AccountSide(
                venue=venue.name,
                tally=self._tally,
                instruments={symbol: venue.instrument(symbol) for symbol in symbols},
                known_payments=self._recovered.payments.setdefault(venue.name, {}),
                on_payment=self._on_payment,
                since_unix_ns=self._since_unix_ns,
            )
            if not isinstance(venue, KeepsBooks):
                self._log.info("account.no_books", venue=venue.name, reason="its money cannot be compared")
        await self.check("start")

    def reconnected(self) -> None:
        """Have everything compared soon: an account's connection is back."""
        self._reconnected.set()

    async def run(self) -> None:
        """Compare again and again until cancelled."""
        wait_s = self._next_s(done=bool(self.rows))
        while True:
            when: When = "timer"
            try:
                async with asyncio.timeout(wait_s):
                    await self._reconnected.wait()
                when = "reconnect"
                await self._pace()
                self._look_at_positions()
            except TimeoutError:
                pass  # it is time
            wait_s = self._next_s(done=await self.check(when))

    async def check(self, when: When) -> bool:
        """Compare once. False when something moved or a venue could not be read: then nothing was learned."""
        found = await self._compare()
        if found is None:
            return False
        believed = [item for item in found if item in self._suspected or item in self._told]
        self._suspected = set(found)
        self._settle(when, believed)
        subjects = {item.subject for item in found[:ITEMS_MAX]}
        for side in self._sides.values():
            side.compared(subjects)
        return True

    async def finish(self) -> bool:
        """Compare a last time. False when an order or a fill remains on which journal and venues differ."""
        if not self._sides:
            return True  # never opened: a guardian, who has no record to compare with
        found = await self._compare()
        for _ in range(int(AGREE_WITHIN_S / AGREE_POLL_S)):
            if found == []:
                break
            await asyncio.sleep(AGREE_POLL_S)
            found = await self._compare()
        if found is None:
            self._log.warning("account.not_compared", reason="the last comparison of orders and money was not possible")
            return True  # positions were: whether they agree is told apart
        self._settle("shutdown", found)
        return not any(item.remains for item in found)

    # ---- reading -----------------------------------------------------------------------------------------------

    async def _compare(self) -> list[Item] | None:
        before = self._activity()
        if before is None or not self._sides:
            return None
        opening = any(isinstance(venue, KeepsBooks) and not self._sides[venue.name].is_open for venue in self._venues)
        since_fill_ns = self._clock.unix_ns() - self._tally.filled_unix_ns
        if opening and 0 <= since_fill_ns < SETTLE_NS:  # below zero the clock was set, and says nothing
            return None
        try:
            read = await asyncio.gather(*(self._read(venue) for venue in self._venues))
        except UNREADABLE as e:
            self._log.warning("account.unreadable", reason=str(e))
            return None
        if self._activity() != before:
            return None
        found: list[Item] = []
        self.rows = []
        for venue, (orders, money, held) in zip(self._venues, read, strict=True):
            side = self._sides[venue.name]
            for symbol in side.instruments:
                at = (venue.name, symbol)
                self._apart[at] = held.get(symbol, 0) - self._positions.of(*at)
            found += side.resting(orders)
            if money is not None:
                row, items = side.take(money, self._clock.unix_ns())
                self.rows.append(row)
                found += items
        return found

    async def _read(self, venue: Venue) -> tuple[list[OpenOrder], Money | None, dict[str, int]]:
        orders = await venue.open_orders()
        money = None
        if isinstance(venue, KeepsBooks):
            money = await venue.money(self._sides[venue.name].since_unix_ns)
        return orders, money, {report.symbol: report.size_e8 for report in await venue.positions()}

    async def _pace(self) -> None:
        apart_s = RECONNECTS_APART_S - (self._clock.mono_ns() - self._reconnected_mono_ns) / 1e9
        await asyncio.sleep(max(AFTER_RECONNECT_S, apart_s if self._reconnected_mono_ns else 0))
        self._reconnected.clear()
        self._reconnected_mono_ns = self._clock.mono_ns()

    def _next_s(self, *, done: bool) -> float:
        waits = not done or bool(self._suspected - self._told.keys())
        return min(RECHECK_S, self._every_s) if waits else self._every_s

    # ---- what follows ------------------------------------------------------------------------------------------

    def _settle(self, when: When, believed: list[Item]) -> None:
        for item in [item for item in self._told if item not in believed]:
            del self._told[item]
            self._log.info("account.agrees", venue=item.venue, item=item.item)
        new = [item for item in believed if item not in self._told]
        bookable = [] if when == "shutdown" else self._bookable(new)
        for item in new:
            self._told[item] = self._answer(item, book=item in bookable)
        self._recorder.later(
            AccountsReconciled(
                when=when,
                rows=self.rows,
                differences=[_row(item, self._told[item]) for item in believed[:ITEMS_MAX]],
                unix_ns=self._clock.unix_ns(),
            )
        )

    def _bookable(self, items: list[Item]) -> list[Item]:
        """Return the fills nobody told us of, of each market where they are just what our position lacks."""
        by_market: dict[tuple[str, str], list[Item]] = {}
        lacks: dict[tuple[str, str], int] = {}
        for item in items:
            order = self._tally.orders.get(item.subject)
            if item.missing is not None and order is not None:
                at = (order.venue, order.symbol)
                by_market.setdefault(at, []).append(item)
                lacks[at] = lacks.get(at, 0) + order.sign * (item.missing.size_e8 - order.filled_e8)
        return [item for at, found in by_market.items() if lacks[at] == self._apart.get(at) for item in found]

    def _answer(self, item: Item, *, book: bool) -> Answer:
        """Do what the rules say about a difference that is new, and tell it."""
        answer: Answer = "alarmed"
        client_id = ClientOrderId(item.subject)
        if item.kind == "order" and item.remains:
            answer = "cancelled"
            next(venue for venue in self._venues if venue.name == item.venue).cancel(client_id)
        elif book and item.missing is not None and self._book(client_id, item.missing):
            answer = "booked"
        self._log.error(
            "account.differs",
            kind=item.kind,
            venue=item.venue,
            item=item.item,
            journal=item.journal,
            told=item.told,
            answer=answer,
            reason=_WORDS[item.kind],
        )
        return answer

    def _on_payment(self, venue: str, payment: Payment, client_id: str) -> None:
        paid = FundingPaid(
            venue=venue,
            symbol=payment.symbol,
            payment_id=payment.payment_id,
            payment_e8=payment.payment_e8,
            client_id=client_id,
            paid_unix_ns=payment.unix_ns,
            unix_ns=self._clock.unix_ns(),
        )
        self._recorder.later(paid)


def _row(item: Item, answer: Answer) -> ItemRow:
    return ItemRow(
        kind=item.kind, venue=item.venue, item=item.item, journal=item.journal, told=item.told, answer=answer
    )
