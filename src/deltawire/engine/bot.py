"""The running bot: venues in, traders, journal, reconciliation, clean end. Knows no venue by name and no config file.

Start and recovery are one path: read the journal, connect, compare with the venues, adopt what was left open, trade.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from deltawire import __version__
from deltawire.core.book import Book
from deltawire.core.events import OrderEvent
from deltawire.core.limits import Gate
from deltawire.core.money import notional_e8
from deltawire.core.trade import STUCK, Trade
from deltawire.core.types import ClientOrderId
from deltawire.engine.agreement import AGREE_WITHIN_S, Agreement, difference, until
from deltawire.engine.desk import Desk, News
from deltawire.engine.figures import Figures
from deltawire.engine.gateway import Gateway, Outgoing
from deltawire.engine.health import Health
from deltawire.engine.ids import IdMaker
from deltawire.engine.offsets import Offsets
from deltawire.engine.orders import Orders
from deltawire.engine.plan import BotSettings, CannotStart, run_started
from deltawire.engine.positions import Positions
from deltawire.engine.presigner import Offload, Presigner, SigningThread
from deltawire.engine.reconcile import Reconciler
from deltawire.engine.recorder import Recorder
from deltawire.engine.recovery import Recovered, add_sent, rebuild
from deltawire.engine.safety import Safety
from deltawire.engine.stall import Stall
from deltawire.engine.story import tell_story
from deltawire.engine.timing import Timing
from deltawire.engine.trader import PairTrader
from deltawire.engine.unsent import find_sent
from deltawire.engine.watch import Watcher
from deltawire.journal.leaving import LeavingMark
from deltawire.journal.log import JournalLog, JournalUnwritable
from deltawire.journal.records import Armed, RunEnded, TradeClosed, instrument_loaded
from deltawire.venues.contract import MARKET_DATA, Clock, EventLog, PreparedOrder, Venue

_TICK_NS = 10_000_000
TICK_S = (
    _TICK_NS / 1e9
)  # retries, time limits and missing news are looked after this often; the hot path does not wait for it
# Pairs whose entries are asked about ahead in one tick, by turns: with many pairs the tick must not hold the loop.
CLEARED_AT_ONCE = 8
FLATTEN_WITHIN_S = 30.0
# Vest's lists are believed seven seconds after an exit was signed; the rest is for reads that fail meanwhile.
SETTLED_WITHIN_S = 30.0


class Bot:
    """One bot on one account a venue. Satisfies venues.contract.VenueSink."""

    def __init__(
        self,
        settings: BotSettings,
        venues: Sequence[Venue],
        journal: JournalLog,
        recovered: Recovered,
        *,
        run_id: str,
        clock: Clock,
        log: EventLog,
        offload: Offload | None = None,
        mark: LeavingMark | None = None,
    ) -> None:
        """offload: where orders are signed ahead; a thread of its own when None. mark: None where there is none."""
        self.settings, self.clock, self._log = settings, clock, log
        self.venues = {venue.name: venue for venue in venues}
        self.run_id = run_id
        self.traders: list[PairTrader] = []
        self.positions = Positions(recovered.positions)
        self.gate = Gate(
            settings.limits,
            lost_today_e8=recovered.lost_today_e8,
            result_e8=recovered.result_e8,
            result_peak_e8=recovered.result_peak_e8,
        )
        self.recorder = Recorder(journal, log, mark)
        self._mark = mark
        self.links: dict[str, dict[str, bool]] = {venue.name: {} for venue in venues}
        self.link_ups: Counter[tuple[str, str]] = Counter()  # times a connection came up; one is the start
        self.figures = Figures()
        self.state = "starting"
        self.guarded_mono_ns = 0  # when a guardian last asked
        self.started_mono_ns = clock.mono_ns()
        self._recovered = recovered
        self._ids = IdMaker(run_id)
        self._gateway = Gateway(gate=self.gate, recorder=self.recorder, clock=clock, log=log)
        self.timing = Timing(recorder=self.recorder, clock=clock, log=log, figures=self.figures)
        self.health = Health(recorder=self.recorder, clock=clock)
        self._orders = Orders(recorder=self.recorder, timing=self.timing, clock=clock, log=log)
        self.registry, self.resolver = self._orders.registry, self._orders.resolver
        self._offsets = Offsets(venues, clock=clock, log=log)
        self.agreement = Agreement(
            self.positions,
            venues,
            [leg for plan in settings.pairs for leg in plan.legs],
            recorder=self.recorder,
            clock=clock,
            log=log,
        )
        self._by_book: dict[tuple[str, str], PairTrader] = {}
        self._tick: asyncio.TimerHandle | None = None
        self._watching: list[asyncio.Task[None]] = []
        self.safety = Safety(
            gate=self.gate,
            positions=self.positions,
            recorder=self.recorder,
            traders=self.traders,
            clock=clock,
            log=log,
        )
        self.presigner = Presigner(
            self.traders,
            within_e8=settings.presign_within_e8,
            offload=offload or SigningThread(),
            gate=self.gate,
            recorder=self.recorder,
            ids=self._ids,
            clock=clock,
            log=log,
        )
        self._next_cleared = 0
        self.news = News()
        self._held_news: list[tuple[ClientOrderId, OrderEvent]] = []
        self.watcher = self._make_watcher()
        self.reconciler = Reconciler(
            venues,
            self._orders.tally,
            recovered,
            legs=self.agreement.watched,
            activity=self._activity,
            positions=self.positions,
            book=self._orders.book,
            look_at_positions=self.watcher.look_now,
            recorder=self.recorder,
            every_s=settings.reconcile_every_s,
            clock=clock,
            log=log,
        )
        self._stall = Stall(gate=self.gate, settle=self.watcher.settle, clock=clock, log=log)

    # ---- life --------------------------------------------------------------------------------------------------

    async def start(self, *, take_over: bool = False) -> None:
        """Connect, compare with the journal, adopt what was left open, then trade. Raises CannotStart.

        take_over: for a guardian, who trusts no journal: what the venues hold of the pairs becomes ours to close, and
        nothing is ever opened.
        """
        self._record_start()
        self.recorder.start()
        await asyncio.gather(*(venue.start(self) for venue in self.venues.values()))
        await self._find_sent()
        self.recorder.begin_mark(self.run_id)
        self._make_traders()
        for trader in self.traders:
            for instrument in trader.rules.legs:
                self.recorder.later(instrument_loaded(instrument, self.clock.unix_ns()))
        self._adopt()
        self._on_tick()
        await self._settle_doubts()
        rows = await self.agreement.compare("start", AGREE_WITHIN_S if not take_over else 0)
        await self.agreement.cancel_strays()
        if take_over:
            self.safety.take_over(rows, self._ids.trade(0))
        elif left := self.safety.accept_venues(rows):
            raise CannotStart("; ".join(difference(row) for row in left) + _REMEDY)
        for trader in self.traders:
            trader.release()
        loop = asyncio.get_running_loop()
        self._watching.append(loop.create_task(self.watcher.run()))
        if not take_over:
            await self.reconciler.open()
            self._watching.append(loop.create_task(self.reconciler.run()))
        disarmed = self.gate.halted or self._recovered.halted or self._unclean_reason()
        if take_over:
            self.state = "guarding"
        elif disarmed:
            self.gate.halt(disarmed)
            self.state = "disarmed"
            self._log.warning("bot.disarmed", reason=disarmed, remedy="look, then: deltawire arm")
        else:
            await self.presigner.warm_up()
            self.state = "running"
        self._set_entries(on=self.state == "running")
        self._log.info("bot.trading", run_id=self.run_id, pairs=len(self.traders), state=self.state)

    async def _find_sent(self) -> None:
        """Ask for the orders signed ahead that the run before may have sent in its last moment. Raises CannotStart."""
        intents, pairs = self._recovered.presigned, {plan.pair_id for plan in self.settings.pairs}
        for intent in intents:
            if intent.pair_id not in pairs:
                raise CannotStart(
                    f"the run before was killed with orders of pair {intent.pair_id} signed, and perhaps sent, which "
                    "this configuration cannot ask for; configure that pair again and start once"
                )
        if not intents:
            return
        self._log.info("presigned.asking", orders=len(intents))
        asking = find_sent(intents, self.venues, dead_since_ns=self.started_mono_ns, clock=self.clock, log=self._log)
        try:
            async with asyncio.timeout(SETTLED_WITHIN_S):
                sent = await asking
        except TimeoutError as e:
            raise CannotStart(f"orders signed ahead are still in doubt after {SETTLED_WITHIN_S:g} s of asking") from e
        self.recorder.record_now(sent)
        add_sent(self._recovered, sent)

    async def _settle_doubts(self) -> None:
        """Wait until the venues have told how the orders of an earlier run ended. Raises CannotStart.

        Before that the positions differ for a known reason, and to take the venue's word would count a fill twice.
        """
        if not await self._until(lambda: not self.resolver.busy, SETTLED_WITHIN_S):
            raise CannotStart(f"orders of an earlier run are still in doubt after {SETTLED_WITHIN_S:g} s of asking")

    async def probe(self) -> None:
        """Connect to both venues and let go again: for those who want to know that they could. Raises as start does."""
        try:
            await asyncio.gather(*(venue.start(self) for venue in self.venues.values()))
        finally:
            await self.abort()

    def _unclean_reason(self) -> str:
        unclean = self._recovered.unclean_before and not self.settings.arm_itself
        return "the run before this one did not end clean" if unclean else ""

    async def stop(self, reason: str) -> bool:
        """Stop entries, close everything, compare with the venues, write the end. True when flat and agreed."""
        self.state = "stopping"
        self._set_entries(on=False)
        self._log.info("bot.stopping", reason=reason)
        self._stop_watching()
        self._stall.cancel()
        if any(trade.phase is STUCK for trader in self.traders for trade in trader.dealer.open):
            await self.watcher.settle()  # a person may just have closed by hand what the bot could not
        await self.flatten(reason)
        await self._let_lists_catch_up()
        flat, agree = await self.agreement.confirm_end(idle=all(trader.is_idle for trader in self.traders))
        agree = await self.reconciler.finish() and agree
        if self._tick is not None:
            self._tick.cancel()
        self.timing.tell_all()
        self.health.tell()
        self.health.close()
        await self.resolver.close()
        self.recorder.later(
            RunEnded(
                run_id=self.run_id,
                clean=flat and agree,
                flat=flat,
                agree=agree,
                reason=reason,
                unix_ns=self.clock.unix_ns(),
            )
        )
        await asyncio.gather(*(venue.close() for venue in self.venues.values()))
        self.presigner.close()
        kept = await self._close_journal()
        if kept and self._mark is not None:
            self._mark.remove()
        self._log.info("bot.stopped", flat=flat, agree=agree)
        if not (flat and agree and kept):
            self._log.error("bot.unclean_end", flat=flat, agree=agree, journal_kept=kept, remedy=_UNCLEAN_REMEDY)
        self.state = "stopped"
        return flat and agree and kept

    async def _let_lists_catch_up(self) -> None:
        """Wait until the venues' lists show the last fill: before that they could agree on a picture that is gone."""
        lag_ms = max((venue.capabilities.look_up_lag_ms for venue in self.venues.values()), default=0)
        shown_ns = self._orders.filled_mono_ns + lag_ms * 1_000_000
        if self._orders.filled_mono_ns:
            await self._until(lambda: self.clock.mono_ns() >= shown_ns, lag_ms / 1e3)

    @property
    def has_inherited(self) -> bool:
        """Whether an earlier run left a trade open."""
        return bool(self._recovered.open_trades)

    async def abort(self) -> None:
        """End after a start that failed: nothing was opened, so nothing is closed."""
        self.state = "stopping"
        self._stop_watching()
        if self._tick is not None:
            self._tick.cancel()
        self.health.close()
        await self.resolver.close()
        await asyncio.gather(*(venue.close() for venue in self.venues.values()))
        self.presigner.close()
        await self._close_journal()
        if self._mark is not None and self._mark.left is None:
            self._mark.remove()  # made for a run that never began

    async def _close_journal(self) -> bool:
        """Write what is left and let go of the journal. False when it could not be written: what is lost is told."""
        try:
            await self.recorder.close()
        except JournalUnwritable as e:
            self._log.error(
                "journal.not_kept",
                reason=str(e),
                orders_unrecorded=len(self.recorder.unrecorded),
                remedy=_JOURNAL_REMEDY,
            )
            return False
        return True

    def guarded(self) -> dict[str, Any]:
        """Give a guardian the sign of life it asks for."""
        self.guarded_mono_ns = self.clock.mono_ns()
        return {"state": self.state}

    def arm(self) -> dict[str, Any]:
        """Lift a halt: a person looked. Pauses stay."""
        self.gate.release()
        self.safety.forget_halt()
        self.recorder.later(Armed(unix_ns=self.clock.unix_ns()))
        self._log.warning("bot.armed")
        if self.state == "disarmed":
            self.state = "running"
        self._set_entries(on=self.state == "running")
        return {"state": self.state}

    def kill(self) -> dict[str, Any]:
        """Close everything and allow nothing more, in this run and the next, until a person arms the bot."""
        self.gate.halt("killed by a person")
        return self.close_all("kill") | {"halted": self.gate.halted}

    def pause(self) -> dict[str, Any]:
        self._set_entries(on=False)
        if self.state == "running":
            self.state = "paused"
        return {"state": self.state}

    def resume(self) -> dict[str, Any]:
        if self.state == "paused":
            self.state = "running"
        self._set_entries(on=self.state == "running")
        return {"state": self.state, "halted": self.gate.halted}

    def close_all(self, reason: str) -> dict[str, Any]:
        """Begin to close every pair; entries stay off until `resume`."""
        self._set_entries(on=False)
        if self.state == "running":
            self.state = "paused"
        for trader in self.traders:
            trader.want_exit(reason)
        return {"state": self.state}

    async def flatten(self, reason: str) -> bool:
        """Close every pair, and wait for it. True when all are flat in time."""
        self.close_all(reason)
        return await self._until(lambda: all(trader.is_idle for trader in self.traders), FLATTEN_WITHIN_S)

    # ---- VenueSink ---------------------------------------------------------------------------------------------

    def on_book(self, book: Book, received_mono_ns: int) -> None:
        trader = self._by_book.get((book.venue, book.symbol))
        if trader is not None and not self._stall.is_frozen:
            trader.on_book(received_mono_ns)

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.news.count += 1
        if self._gateway.is_writing:
            self._held_news.append((client_id, event))  # the other leg has not left yet
        else:
            self._orders.on_news(client_id, event)

    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None:
        self.link_ups[venue, link] += up and not self.links[venue].get(link)
        self.news.count += 1
        self.links[venue][link] = up
        planned = up or self.state == "stopping"
        tell = self._log.info if planned else self._log.warning
        tell("link.up" if up else "link.down", venue=venue, link=link, detail=detail)
        if up and link != MARKET_DATA:
            self.reconciler.reconnected()

    # ---- what the traders ask for ------------------------------------------------------------------------------

    def _on_order_made(self, pair_index: int, out: Outgoing, prepared: PreparedOrder) -> None:
        self.news.count += 1
        self._orders.made(self.traders[pair_index], out, prepared)

    def _tell_held(self) -> None:
        held, self._held_news = self._held_news, []
        for client_id, event in held:
            self._orders.on_news(client_id, event)

    def _on_trade_closed(self, closed: TradeClosed, trade: Trade) -> None:
        self.figures.trade_closed(closed, trade.orders.values())
        self.gate.count_result(closed.pnl_e8)
        tell_story(self._log, closed, trade, self._orders.stamps_of)

    # ---- start -------------------------------------------------------------------------------------------------

    def _record_start(self) -> None:
        started = run_started(
            self.settings,
            run_id=self.run_id,
            version=__version__,
            unclean_before=self._recovered.unclean_before,
            unix_ns=self.clock.unix_ns(),
            mono_ns=self.clock.mono_ns(),
        )
        self.recorder.later(started)

    def _make_traders(self) -> None:
        desk = Desk(
            gate=self.gate,
            gateway=self._gateway,
            recorder=self.recorder,
            ids=self._ids,
            clock=self.clock,
            log=self._log,
            on_order_made=self._on_order_made,
            on_written=self._tell_held,
            on_doubt=self._orders.doubt,
            on_filled=self.positions.on_filled,
            on_trade_closed=self._on_trade_closed,
            open_pairs=lambda: sum(not trader.is_idle for trader in self.traders),
            inventory_e8=self._inventory_e8,
            is_frozen=lambda: self._stall.is_frozen,
            news=self.news,
        )
        for index, plan in enumerate(self.settings.pairs):
            venues = (self.venues[plan.legs[0][0]], self.venues[plan.legs[1][0]])
            legs = (venues[0].instrument(plan.legs[0][1]), venues[1].instrument(plan.legs[1][1]))
            trader = PairTrader(index, plan.rules(legs), venues, desk)
            self.traders.append(trader)
            if (given := self._recovered.given_back.get(plan.pair_id)) is not None:
                ago_ns = self.clock.unix_ns() - given.closed_unix_ns
                trader.dealer.resume_cooldown(given.failed, given.trade_id, ago_ns)
            for leg in plan.legs:
                self._by_book[leg] = trader

    def _adopt(self) -> None:
        """Give each trade that was left open to its trader; its doubtful orders are read from the venues."""
        by_pair = {trader.rules.pair_id: trader for trader in self.traders}
        for remains in self._recovered.open_trades:
            trader = by_pair.get(remains.pair_id)
            if trader is None:
                raise CannotStart(
                    f"the journal holds open trade {remains.trade_id} of pair {remains.pair_id}, which this "
                    "configuration cannot take over; configure that pair again and start, and it will be closed or kept"
                )
            trade = rebuild(remains, trader.rules, self.clock.mono_ns())
            self._ids.resume(remains.trade_id, len(remains.intents))
            trader.adopt(trade)
            self._log.warning(
                "trade.recovered",
                trade_id=remains.trade_id,
                phase=trade.phase.value,
                doubtful=len(trade.in_doubt),
            )
            self._orders.inherit(trader, trade, remains, self.venues)

    def _set_entries(self, *, on: bool) -> None:
        for trader in self.traders:
            trader.entries_on = on

    # ---- while running -----------------------------------------------------------------------------------------

    def _on_tick(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(TICK_S, self._on_tick)
        self.health.on_tick(_TICK_NS)
        self._stall.on_tick()
        if self._stall.is_frozen:
            return
        for trader in self.traders:
            trader.on_timer()
            if len(trader.dealer.open) > 1:
                self.safety.net(trader)
        for _ in range(min(CLEARED_AT_ONCE, len(self.traders))):
            self._next_cleared = (self._next_cleared + 1) % len(self.traders)
            self.traders[self._next_cleared].clear()
        self.presigner.on_tick()
        if self.gate.halted:
            self.safety.tell_halt()
        self.timing.overdue(self.clock.mono_ns())
        self._offsets.look()

    def _make_watcher(self) -> Watcher:
        return Watcher(
            gate=self.gate,
            positions=self.positions,
            traders=self.traders,
            venues=list(self.venues.values()),
            every_s=self.settings.watch_every_s,
            age_ns_max=self.settings.position_age_ns_max,
            clock=self.clock,
            log=self._log,
            on_checked=self.agreement.record,
            on_changed=self.safety.positions_changed,
            on_danger=self.safety.danger,
            on_loss=self.safety.loss,
        )

    def _stop_watching(self) -> None:
        for task in self._watching:
            task.cancel()

    def _activity(self) -> tuple[int, ...] | None:
        """Return what stays equal only while no order leaves and nothing fills; None while something is on its way."""
        if self.resolver.busy or not all(trader.dealer.nothing_moves for trader in self.traders):
            return None
        return self.registry.made, self._orders.tally.changes

    def _inventory_e8(self, venue: str) -> int:
        """Return the unsigned notional held on a venue, at the middle of each book."""
        held = self.positions.held(venue)
        return sum(
            notional_e8(book.mid_e8(), abs(held[book.symbol]))
            for trader in self.traders
            for book in trader.books
            if book.venue == venue and book.symbol in held
        )

    async def _until(self, done: Callable[[], bool], within_s: float) -> bool:
        return await until(done, within_s, clock=self.clock, poll_s=TICK_S)


_REMEDY = (
    ". Close the difference at the venue, or start with the journal that opened it; the bot does not trade on a "
    "position it cannot account for"
)
_UNCLEAN_REMEDY = (
    "deltawire verify --live names what differs or is left; close that at the venue, then start the bot: it compares "
    "before it trades"
)
_JOURNAL_REMEDY = (
    "make room on the disk or make it writable, keep the journal as it is, and start the bot: it reads from the venues "
    "what the journal lacks"
)
