"""Looks at both accounts again and again: margin, liquidation, positions nobody ordered, losses. Decides nothing.

A position that changed without an order of ours (liquidation, bust, a hand on the venue) must be seen twice before it
is believed, with nothing moving in between or so long after the last order that the venue shows all: venues show fills
late. Between two tries of a close or an unwind is time enough, so a trade whose legs somebody else closed ends.
"""

import asyncio
from collections.abc import Callable, Sequence

from deltawire.core.limits import Account, Gate, is_near_liquidation
from deltawire.core.money import E8
from deltawire.engine.positions import Positions
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import PositionRow, When
from deltawire.venues.contract import Clock, EventLog, PositionReport, Refused, Venue

# A reading begun so long after the last order and its news shows all of it: Vest shows a fill within half a second.
SHOWN_WITHIN_NS = 1_000_000_000
AGAIN_S = 1.0  # after a difference: soon, but not so soon that the same late picture is seen again
# What a venue may answer a read with when it cannot answer now: the next round asks again.
UNREADABLE = (OSError, TimeoutError, ValueError, Refused)


class Watcher:
    def __init__(
        self,
        *,
        gate: Gate,
        positions: Positions,
        traders: Sequence[PairTrader],
        venues: Sequence[Venue],
        every_s: float,
        clock: Clock,
        log: EventLog,
        on_checked: Callable[[When, list[PositionRow]], None],
        on_changed: Callable[[PairTrader, dict[int, int]], None],
        on_danger: Callable[[PairTrader, str], None],
        on_loss: Callable[[str], None],
    ) -> None:
        """on_changed: a pair's positions that changed by themselves, as leg: signed change; all of them at once."""
        self._gate, self._positions, self._traders, self._venues = gate, positions, traders, venues
        self._every_s, self._clock, self._log = every_s, clock, log
        self._on_checked, self._on_changed, self._on_danger, self._on_loss = on_checked, on_changed, on_danger, on_loss
        self._suspected: set[tuple[str, str, int]] = set()  # differences seen in the round before
        self._wake = asyncio.Event()
        self._suspected_at = (0, 0)  # the activity then: after any other order a difference is a new one

    async def run(self) -> None:
        """Go round until cancelled."""
        when: When = "timer"
        while True:
            if self._suspected:
                await asyncio.sleep(min(self._every_s, AGAIN_S))
            elif await self._is_woken(self._every_s):
                when = "reconnect"
            await self.round(when)
            when = "timer"

    def look_now(self) -> None:
        """Have the accounts read at once: a connection was away. Never two readings side by side."""
        self._wake.set()

    async def _is_woken(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def settle(self) -> bool:
        """Read both accounts twice, to know at once what changed by itself. False when they could not be read."""
        return await self.round() and await self.round()

    async def round(self, when: When = "timer") -> bool:
        """Read both accounts once and tell what is wrong. False when they could not be read."""
        loss = self._gate.loss_refusal()
        if loss is not None:
            self._on_loss(loss.text)
        before, began_ns = self._activity(), self._clock.mono_ns()
        try:
            reports = await asyncio.gather(*(self._read(venue) for venue in self._venues))
        except UNREADABLE as e:
            self._log.warning("account.unreadable", reason=str(e))
            return False
        by_venue = {venue.name: report for venue, report in zip(self._venues, reports, strict=True)}
        self._look_at_liquidation(by_venue)
        shows_all = all(trader.dealer.is_still(SHOWN_WITHIN_NS, began_ns) for trader in self._traders)
        is_at_rest = all(trader.dealer.is_at_rest for trader in self._traders)
        if self._activity() == before and (is_at_rest or shows_all):
            if self._suspected_at != before and not shows_all:
                self._suspected.clear()
            self._suspected_at = before
            self._compare(when, by_venue)
        return True

    async def _read(self, venue: Venue) -> dict[str, PositionReport]:
        balance = await venue.balance()
        self._gate.accounts[venue.name] = Account(balance.equity_e8, balance.free_e8)
        return {report.symbol: report for report in await venue.positions()}

    def _activity(self) -> tuple[int, int]:
        """Return what stays equal only while no trade begins or ends and no order leaves."""
        sent_ns = self._gate.sent_mono_ns
        return sum(len(trader.dealer.open) for trader in self._traders), sent_ns[-1] if sent_ns else 0

    def _look_at_liquidation(self, by_venue: dict[str, dict[str, PositionReport]]) -> None:
        for trader in self._traders:
            for book in trader.books:
                report = by_venue[book.venue].get(book.symbol)
                near = report is not None and is_near_liquidation(
                    self._gate.limits, book.mid_e8(), report.liquidation_price_e8
                )
                if near and trader.dealer.open:
                    self._on_danger(trader, f"{book.venue} {book.symbol} is near its liquidation price")

    def _compare(self, when: When, by_venue: dict[str, dict[str, PositionReport]]) -> None:
        rows: list[PositionRow] = []
        differing: set[tuple[str, str, int]] = set()
        for trader in self._traders:
            believed: dict[int, int] = {}
            trader.suspicion = ""
            for leg, instrument in enumerate(trader.rules.legs):
                row = self._row(instrument.venue, instrument.symbol, by_venue)
                rows.append(row)
                change_e8 = row.venue_e8 - row.journal_e8
                seen = (row.venue, row.symbol, change_e8)
                if change_e8 and seen in self._suspected:
                    believed[leg] = change_e8
                elif change_e8:
                    differing.add(seen)
                    trader.suspicion = f"{row.venue} {row.symbol} differs by {change_e8 / E8:g}: read again first"
            if believed:
                self._on_changed(trader, believed)
        self._suspected = differing
        self._on_checked(when, rows)

    def _row(self, venue: str, symbol: str, by_venue: dict[str, dict[str, PositionReport]]) -> PositionRow:
        report = by_venue[venue].get(symbol)
        venue_e8, journal_e8 = report.size_e8 if report else 0, self._positions.of(venue, symbol)
        return PositionRow(
            venue=venue, symbol=symbol, journal_e8=journal_e8, venue_e8=venue_e8, agree=venue_e8 == journal_e8
        )
