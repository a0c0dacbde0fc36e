"""Looks at both accounts again and again: margin, liquidation, positions nobody ordered, losses. Decides nothing.

A position that changed without an order of ours (liquidation, bust, a hand on the venue) must be seen twice before it
is believed, with nothing of its pair moving in between or so long after its last order that the venue shows all: venues
show fills late. Between two tries of a close or an unwind is time enough, so a trade whose legs somebody else closed
ends.

A bot that trades without a pause would never be seen still. So a look that found a pair moving is made up for as soon
as the pair is still, and past position_age_ms_max its entries wait for that look. A change is thus suspected within
that time and one interval, what an open trade takes to come to rest, and SHOWN_WITHIN_NS; and believed AGAIN_S later.
The same goes for accounts that cannot be read: they are asked for again soon, and after that time nothing is opened.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deltawire.core.limits import Account, Gate, is_near_liquidation
from deltawire.core.money import E8
from deltawire.engine.positions import Positions
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import PositionRow, When
from deltawire.venues.contract import Clock, EventLog, PositionReport, Refused, Venue

# A reading begun so long after the last order and its news shows all of it: Vest shows a fill within half a second.
SHOWN_WITHIN_NS = 1_000_000_000
AGAIN_S = 1.0  # after a difference: soon, but not so soon that the same late picture is seen again
QUIET_POLL_S = 0.1  # how often it is asked whether a pair that was moving is still: its pauses may be short
# What a venue may answer a read with when it cannot answer now: the next round asks again.
UNREADABLE = (OSError, TimeoutError, ValueError, Refused)


@dataclass(slots=True)
class _Pair:
    """What the readings so far say of one pair."""

    trader: PairTrader
    shown_mono_ns: int  # when the last reading began that showed all of it
    suspected: set[tuple[str, str, int]] = field(default_factory=set)  # differences seen in the reading before
    suspected_at: tuple[int, int] = (0, 0)  # the activity then: after any other order a difference is a new one

    def activity(self) -> tuple[int, int]:
        """Return what stays equal only while no trade begins or ends, no order leaves and no news comes."""
        return len(self.trader.dealer.open), self.trader.dealer.stirred_mono_ns

    def is_still(self, now_ns: int) -> bool:
        return self.trader.dealer.is_still(SHOWN_WITHIN_NS, now_ns)


class Watcher:
    def __init__(
        self,
        *,
        gate: Gate,
        positions: Positions,
        traders: Sequence[PairTrader],
        venues: Sequence[Venue],
        every_s: float,
        age_ns_max: int,
        clock: Clock,
        log: EventLog,
        on_checked: Callable[[When, list[PositionRow]], None],
        on_changed: Callable[[PairTrader, dict[int, int]], None],
        on_danger: Callable[[PairTrader, str], None],
        on_loss: Callable[[str], None],
    ) -> None:
        """every_s: between two rounds. age_ns_max: without a look that shows all, after which a pair's entries wait.

        on_changed: a pair's positions that changed by themselves, as leg: signed change; all of them at once.
        """
        self._gate, self._positions, self._traders, self._venues = gate, positions, traders, venues
        self._every_s, self._age_ns_max, self._clock, self._log = every_s, age_ns_max, clock, log
        self._on_checked, self._on_changed, self._on_danger, self._on_loss = on_checked, on_changed, on_danger, on_loss
        self._by_trader: dict[PairTrader, _Pair] = {}
        self._missed: list[_Pair] = []  # pairs that the last reading did not show whole
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            if any(pair.suspected for pair in self._pairs()):
                await asyncio.sleep(min(self._every_s, AGAIN_S))
            elif self._missed:
                await self._until_still()
            else:
                await self._woken(self._every_s)
            when: When = "reconnect" if self._wake.is_set() else "timer"
            self._wake.clear()
            await self.round(when)

    def look_now(self) -> None:
        """Have the accounts read at once: a connection was away. Never two readings side by side."""
        self._wake.set()

    async def _woken(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._wake.wait()

    async def _until_still(self) -> None:
        """Wait until a pair that is to be looked at again is still, or it is time for a round anyway."""
        until_ns = self._clock.mono_ns() + int(self._every_s * 1e9)
        wait_s = min(self._every_s, AGAIN_S)
        while True:
            await asyncio.sleep(wait_s)
            now_ns = self._clock.mono_ns()
            if now_ns >= until_ns or self._wake.is_set() or any(pair.is_still(now_ns) for pair in self._missed):
                return
            wait_s = QUIET_POLL_S

    async def settle(self) -> bool:
        """Read both accounts twice, to know at once what changed by itself. False when they could not be read."""
        return await self.round() and await self.round()

    async def round(self, when: When = "timer") -> bool:
        """Read both accounts once and tell what is wrong. False when they could not be read."""
        loss = self._gate.loss_refusal()
        if loss is not None:
            self._on_loss(loss.text)
        began_ns = self._clock.mono_ns()
        pairs = self._pairs()
        before = [pair.activity() for pair in pairs]
        self._missed = []
        try:
            reports = await asyncio.gather(*(self._read(venue) for venue in self._venues))
        except UNREADABLE as e:
            self._log.warning("account.unreadable", reason=str(e))
            self._missed = pairs
            for pair in pairs:
                self._hold_if_unseen(pair, "not read whole")
            return False
        by_venue = {venue.name: report for venue, report in zip(self._venues, reports, strict=True)}
        self._look_at_liquidation(by_venue)
        rows: list[PositionRow] = []
        for pair, activity in zip(pairs, before, strict=True):
            rows += self._look_at(pair, activity, began_ns, by_venue)
        if rows:
            self._on_checked(when, rows)
        return True

    def _pairs(self) -> list[_Pair]:
        now_ns = self._clock.mono_ns()
        return [self._by_trader.setdefault(trader, _Pair(trader, now_ns)) for trader in self._traders]

    async def _read(self, venue: Venue) -> dict[str, PositionReport]:
        balance = await venue.balance()
        self._gate.accounts[venue.name] = Account(balance.equity_e8, balance.free_e8)
        return {report.symbol: report for report in await venue.positions()}

    def _look_at(
        self, pair: _Pair, before: tuple[int, int], began_ns: int, by_venue: dict[str, dict[str, PositionReport]]
    ) -> list[PositionRow]:
        """Compare one pair, unless it moved. before: its activity when the reading began."""
        rows: list[PositionRow] = []
        stood = pair.activity() == before
        shows_all = stood and pair.is_still(began_ns)
        if shows_all or (stood and pair.trader.dealer.is_at_rest):
            if pair.suspected_at != before and not shows_all:
                pair.suspected.clear()
            pair.suspected_at = before
            rows = self._compare(pair, by_venue)
        if shows_all:
            pair.shown_mono_ns = began_ns
            return rows
        self._missed.append(pair)
        self._hold_if_unseen(pair, "moving at every look")
        return rows

    def _hold_if_unseen(self, pair: _Pair, why: str) -> None:
        """Have the entries of a pair wait whose positions no look has shown whole for too long."""
        age_ns = self._clock.mono_ns() - pair.shown_mono_ns
        if age_ns > self._age_ns_max and not pair.trader.suspicion:
            pair.trader.suspicion = f"{why} for {age_ns / 1e9:.0f} s: entries wait for a full one"

    def _look_at_liquidation(self, by_venue: dict[str, dict[str, PositionReport]]) -> None:
        for trader in self._traders:
            for book in trader.books:
                report = by_venue[book.venue].get(book.symbol)
                near = report is not None and is_near_liquidation(
                    self._gate.limits, book.mid_e8(), report.liquidation_price_e8
                )
                if near and trader.dealer.open:
                    self._on_danger(trader, f"{book.venue} {book.symbol} is near its liquidation price")

    def _compare(self, pair: _Pair, by_venue: dict[str, dict[str, PositionReport]]) -> list[PositionRow]:
        rows: list[PositionRow] = []
        differing: set[tuple[str, str, int]] = set()
        believed: dict[int, int] = {}
        trader = pair.trader
        trader.suspicion = ""
        for leg, instrument in enumerate(trader.rules.legs):
            row = self._row(instrument.venue, instrument.symbol, by_venue)
            rows.append(row)
            change_e8 = row.venue_e8 - row.journal_e8
            seen = (row.venue, row.symbol, change_e8)
            if change_e8 and seen in pair.suspected:
                believed[leg] = change_e8
            elif change_e8:
                differing.add(seen)
                trader.suspicion = f"{row.venue} {row.symbol} differs by {change_e8 / E8:g}: read again first"
        if believed:
            self._on_changed(trader, believed)
        pair.suspected = differing
        return rows

    def _row(self, venue: str, symbol: str, by_venue: dict[str, dict[str, PositionReport]]) -> PositionRow:
        report = by_venue[venue].get(symbol)
        venue_e8, journal_e8 = report.size_e8 if report else 0, self._positions.of(venue, symbol)
        return PositionRow(
            venue=venue, symbol=symbol, journal_e8=journal_e8, venue_e8=venue_e8, agree=venue_e8 == journal_e8
        )
