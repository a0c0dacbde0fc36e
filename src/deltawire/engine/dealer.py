"""Carries the open trades of one pair to their end: sends what they ask for, tells them the news, settles accounts.

It decides nothing: core.trade does. Nothing here awaits. The trader of the pair opens trades; this brings them home.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from deltawire.core.book import Book
from deltawire.core.cooldown import Cooldown
from deltawire.core.edge import Opportunity, PairRules, funding_hour_e8
from deltawire.core.events import InDoubt, OrderEvent
from deltawire.core.limits import reference_price_e8
from deltawire.core.order import UNKNOWN, IllegalTransition, Order
from deltawire.core.stamps import OrderStamps
from deltawire.core.trade import CLOSED, HOLDING, STUCK, Command, PhaseChanged, Place, Rest, Trade
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, TradeId
from deltawire.engine.desk import Desk
from deltawire.engine.gateway import Outgoing
from deltawire.engine.ladders import Ladders
from deltawire.engine.quotes import quotes_seen
from deltawire.journal.records import Outcome, QuoteSeen, TradeClosed, TradeStateChanged, observed
from deltawire.venues.contract import PreparedOrder, TellsMarket, Venue

# An immediate order that is neither finished nor in doubt after this long has lost its news: it is read instead.
NEWS_OVERDUE_NS = 3_000_000_000
# Fill prices may come after the fills' total; the trade's account waits this long before they are read.
PRICES_OVERDUE_NS = 1_000_000_000
# Finished trades still listened to: a fill told late must find its trade. Far more than can be late at once.
CLOSED_KEPT = 64
READ_FUNDING_NS = 1_000_000_000
_REST_REMEDY = (
    "close it on the venue's page: the bot sees that and trades the pair again; deltawire flatten has it try once more"
)


@dataclass(slots=True)
class _Unpriced:
    """A closed trade whose account waits for the prices of its fills."""

    trade: Trade
    since_mono_ns: int


@dataclass(slots=True)
class _Step:
    """Orders of a ladder that leave together. All that is told of them is told after the writes, by `registered`."""

    dealer: "Dealer"
    received_ns: int
    decoded_ns: int
    decided_ns: int
    owner: Callable[[], Trade]  # makes or moves the trade whose orders they are; called once
    trade: Trade | None = None

    def registered(self, out: Outgoing, prepared: PreparedOrder) -> None:
        stamps = out.stamps
        stamps.received_mono_ns, stamps.decoded_mono_ns = self.received_ns, self.decoded_ns
        # After the trigger, signing and encoding took no time.
        stamps.decided_mono_ns = stamps.prepared_mono_ns = self.decided_ns
        stamps.signed_mono_ns = stamps.encoded_mono_ns = self.decided_ns
        stamps.presigned = True
        if self.trade is None:
            self.trade = self.owner()
            if self.trade not in self.dealer.open:
                self.dealer.open.append(self.trade)
        self.dealer.register(self.trade, out, prepared, self.decoded_ns)


class Dealer:
    """The open and the lately closed trades of one pair."""

    def __init__(
        self, index: int, rules: PairRules, venues: tuple[Venue, Venue], books: tuple[Book, Book], desk: Desk
    ) -> None:
        self.index, self.rules, self.venues, self.books = index, rules, venues, books
        self.open: list[Trade] = []  # oldest first
        self.cooldown = Cooldown(rules.cooldown_ns)
        self._funding_e8: tuple[int, int] | None = None  # rates an hour, by leg
        self._read_funding_at_ns = 0
        self.held = False  # nothing is sent: what is open is the journal's word, and the venues have not confirmed it
        self.ladders = Ladders(rules, venues)
        self._desk = desk
        self._closed: list[Trade] = []
        self._unpriced: list[_Unpriced] = []
        self._exit_quotes: dict[TradeId, list[QuoteSeen]] = {}  # both books when a trade's close was sent
        self._sent_mono_ns: dict[ClientOrderId, int] = {}
        self._is_sending = False
        self.stirred_mono_ns = 0  # when an order last left or was last heard of

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open and every account is settled."""
        return not self.open and not self._unpriced

    def can_trade(self) -> tuple[bool, bool]:
        """Say of each leg whether its venue can be reached, and takes orders in its market."""
        legs = self.rules.legs
        return (
            self.venues[0].ready and self.venues[0].trades(legs[0].symbol),
            self.venues[1].ready and self.venues[1].trades(legs[1].symbol),
        )

    def funding_hour_e8(self, buy_leg: int) -> int | None:
        """Return what holding this way round costs an hour, by the rates last read; None before both were told."""
        return None if self._funding_e8 is None else funding_hour_e8(self._funding_e8, buy_leg)

    def read_funding(self, now_ns: int) -> None:
        """Take over the rates the venues last told, now and then: they change by the minute, and entries are quick."""
        if now_ns < self._read_funding_at_ns:
            return
        self._read_funding_at_ns = now_ns + READ_FUNDING_NS
        told = [
            state.funding_rate_e8
            for venue, leg in zip(self.venues, self.rules.legs, strict=True)
            if isinstance(venue, TellsMarket) and (state := venue.market_state(leg.symbol)) is not None
        ]
        self._funding_e8 = (told[0], told[1]) if len(told) == len(self.venues) else None

    @property
    def is_at_rest(self) -> bool:
        """Whether every open trade is a hedged pair that nothing is being done about."""
        return all(trade.phase is HOLDING and not trade.exit_reason for trade in self.open)

    @property
    def nothing_moves(self) -> bool:
        """Whether every open trade is at rest, or stuck and waits for a person."""
        return all(
            (trade.phase is STUCK and not trade.unfinished) or (trade.phase is HOLDING and not trade.exit_reason)
            for trade in self.open
        )

    def is_still(self, for_ns: int, now_ns: int) -> bool:
        """Whether no order is out, and none has left and no news has come for so long."""
        return now_ns - self.stirred_mono_ns >= for_ns and not any(trade.unfinished for trade in self.open)

    def order_state(self, client_id: ClientOrderId) -> Order | None:
        trade = self._trade_of(client_id)
        return None if trade is None else trade.orders[client_id]

    # ---- doing -------------------------------------------------------------------------------------------------

    def begin(self, trade: Trade, places: Sequence[Place], received_ns: int, decoded_ns: int) -> bool:
        """Send a trade's first orders. False when the gate held them back: then the trade never was."""
        self.open.append(trade)
        if self._send(trade, places, received_ns, decoded_ns):
            return True
        self.open.remove(trade)
        return False

    def begin_presigned(
        self, outgoing: Sequence[Outgoing], received_ns: int, decoded_ns: int, make_trade: Callable[[], Trade]
    ) -> Trade | None:
        """Write the first orders of a trade and only then make it. None when the gate held them back."""
        for out in outgoing:
            out.reference_price_e8 = reference_price_e8(self.books[out.leg], out.request.side)
        step = _Step(self, received_ns, decoded_ns, self._desk.clock.mono_ns(), make_trade)
        self._write(partial(self._desk.gateway.write, outgoing, step.registered))
        return step.trade

    def begin_cleared(
        self,
        outgoing: tuple[Outgoing, Outgoing],
        found: Opportunity,
        received_ns: int,
        decoded_ns: int,
        make_trade: Callable[[], Trade],
    ) -> Trade | None:
        """As begin_presigned, with orders of both legs that were cleared ahead. None: nothing left, ask that one."""
        now_ns = self._desk.clock.mono_ns()
        step = _Step(self, received_ns, decoded_ns, now_ns, make_trade)
        self._is_sending = True
        try:
            gateway = self._desk.gateway
            gateway.write_cleared_entry(outgoing, found.buy_leg, self.books, found.edge_e8, now_ns, step.registered)
            self._desk.on_written()
        finally:
            self._is_sending = False
        return step.trade

    def close_cleared(
        self, trade: Trade, outgoing: tuple[Outgoing, Outgoing], reason: str, received_ns: int, decoded_ns: int
    ) -> bool:
        """Write the calm close of a trade, cleared ahead, and only then ask it to close. False: nothing left.

        What has left is what the trade then asks for: clearing saw to that (Trade.calm_close_e8).
        """
        commands: list[Command] = []

        def ask() -> Trade:
            trade.want_exit(reason, self.books)
            commands.extend(trade.advance(self.books, (True, True), decoded_ns))
            return trade

        now_ns = self._desk.clock.mono_ns()
        step = _Step(self, received_ns, decoded_ns, now_ns, ask)
        self._is_sending = True
        try:
            if not self._desk.gateway.write_cleared_exit(outgoing, now_ns, step.registered):
                return False
            self._desk.on_written()
        finally:
            self._is_sending = False
        self._note_exit_quotes(trade, decoded_ns)
        self._tell_steps(trade, commands)
        asked = {(place.leg, place.side, place.size_e8) for place in commands if isinstance(place, Place)}
        left = {(out.leg, out.request.side, out.request.size_e8) for out in outgoing}
        if asked != left:  # must not be: a person looks before anything else is opened
            self._alarm(trade, f"trade {trade.trade_id} was closed by orders it did not ask for")
        self.advance(trade)
        return True

    def resume_cooldown(self, failed: int, trade_id: str, since_ns: int) -> None:
        """Take over the pause after trades an earlier run had to give back: failed in a row, the last since_ns ago."""
        self._tell_pause(trade_id, self.cooldown.resume(failed, since_ns, self._desk.clock.mono_ns()))

    def knows(self, trade_id: TradeId) -> bool:
        """Whether a trade of this id is open or has lately been."""
        return any(trade.trade_id == trade_id for trade in (*self.open, *reversed(self._closed)))

    def advance(self, trade: Trade, received_ns: int = 0) -> None:
        """Take a trade's next step, if it has one now. received_ns: of the frame that caused it, 0 for none."""
        if self.held or self._desk.is_frozen():
            return
        now_ns = self._desk.clock.mono_ns()
        ready = self.can_trade()
        commands = trade.advance(self.books, ready, now_ns)
        if commands:
            self._carry_out(trade, commands, received_ns, now_ns)
        if trade.phase is CLOSED and not trade.unfinished and trade in self.open:
            self._finish(trade, now_ns)

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        """Apply news of one of this pair's orders and take the next step."""
        trade = self._trade_of(client_id)
        if trade is None:
            self._desk.log.warning("order.unknown", client_id=client_id, news=type(event).__name__)
            return
        now_ns = self._desk.clock.mono_ns()
        self.stirred_mono_ns = now_ns
        before_e8 = trade.orders[client_id].filled_e8
        try:
            trade.on_order(client_id, event, now_ns)
        except IllegalTransition as e:
            self._desk.gate.halt(str(e))
            self._desk.log.error("order.illegal", client_id=client_id, reason=str(e))
            return
        order = trade.orders[client_id]
        if order.filled_e8 != before_e8:
            self._desk.on_filled(order.request, order.filled_e8 - before_e8)
        if order.state is UNKNOWN:
            self._desk.on_doubt(client_id)
        if trade in self._closed and (trade.position_e8(0) or trade.position_e8(1)):
            self._reopen(trade)
        # Not inside the writes of one step: the other leg has not left yet.
        if not self._is_sending:
            self.advance(trade)

    def on_timer(self, now_ns: int) -> None:
        """Look after retries, time limits and missing news."""
        for trade in tuple(self.open):
            self._ask_for_overdue_news(trade, now_ns)
            held_ns = now_ns - trade.held_since_mono_ns
            if trade.phase is HOLDING and not trade.exit_reason and held_ns > self.rules.hold_ns_max:
                trade.want_exit("max_hold", self.books, forced=True)
            elif trade.phase is HOLDING and not trade.exit_reason and all(self.can_trade()):
                cost_e8 = self.funding_hour_e8(trade.buy_leg)
                if cost_e8 is not None and cost_e8 > self.rules.funding_hour_e8_max:
                    trade.want_exit("funding", self.books)
            self.advance(trade)
        if self._unpriced:
            self._settle_prices(now_ns)

    # ---- carrying out ------------------------------------------------------------------------------------------

    def _carry_out(self, trade: Trade, commands: list[Command], received_ns: int, decoded_ns: int) -> None:
        """Send the orders among the commands first, then write down the rest."""
        places = [command for command in commands if isinstance(command, Place)]
        if places:
            calm = places[0].purpose is Purpose.EXIT and not trade.forced and trade.attempts <= 1
            ladder = self.ladders.take_exit(trade, places, decoded_ns) if calm else None
            if ladder is None:
                self._send(trade, places, received_ns, decoded_ns)
            else:
                step = _Step(self, received_ns, decoded_ns, self._desk.clock.mono_ns(), lambda: trade)
                self._write(partial(self._desk.gateway.write, ladder.chosen, step.registered))
            if places[0].purpose is Purpose.EXIT and trade.attempts <= 1:
                self._note_exit_quotes(trade, decoded_ns)
        self._tell_steps(trade, commands)

    def _note_exit_quotes(self, trade: Trade, decoded_ns: int) -> None:
        """Keep the books a close was decided on, for the account of the trade."""
        size_e8 = min(map(abs, trade.exit_from_e8))
        self._exit_quotes[trade.trade_id] = quotes_seen(
            self.books, trade.buy_leg, size_e8, decoded_ns, self._desk.clock.unix_ns(), closing=True
        )

    def _tell_steps(self, trade: Trade, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, PhaseChanged):
                self._tell_phase(trade, command)
            elif isinstance(command, Rest):
                self._desk.log.error("trade.rest", trade_id=trade.trade_id, reason=command.text, remedy=_REST_REMEDY)
            elif not isinstance(command, Place):
                self._alarm(trade, command.text)

    def _alarm(self, trade: Trade, text: str) -> None:
        self._desk.log.error("trade.alarm", trade_id=trade.trade_id, reason=text)
        self._desk.gate.halt(text)

    def _tell_phase(self, trade: Trade, change: PhaseChanged) -> None:
        desk = self._desk
        desk.recorder.later(
            TradeStateChanged(
                trade_id=trade.trade_id,
                state=change.phase.value,
                reason=change.reason if change.phase is STUCK else trade.exit_reason or change.reason,
                unix_ns=desk.clock.unix_ns(),
            )
        )
        desk.log.info(
            "trade.phase",
            trade_id=trade.trade_id,
            phase=change.phase.value,
            found=change.reason,
            why=trade.exit_reason,
        )

    def _write(self, write: Callable[[], bool]) -> None:
        """Send orders of a ladder."""
        self._is_sending = True
        try:
            write()
            self._desk.on_written()
        finally:
            self._is_sending = False

    def _send(self, trade: Trade, places: Sequence[Place], received_ns: int, decoded_ns: int) -> bool:
        """Sign orders and send them."""
        outgoing = [self._outgoing(trade, place, received_ns, decoded_ns) for place in places]
        self._is_sending = True
        try:
            sent = self._desk.gateway.send(outgoing, partial(self.register, trade, decoded_ns=decoded_ns))
            self._desk.on_written()
        finally:
            self._is_sending = False
        if sent and received_ns:
            reason = self.ladders.last_miss
            self._desk.log.info("order.signed_at_once", trade_id=trade.trade_id, reason=reason)
        return sent

    def register(self, trade: Trade, out: Outgoing, prepared: PreparedOrder, decoded_ns: int) -> None:
        """Know an order: before its bytes can leave, or right after the writes where it was on record before."""
        trade.add(out.leg, out.request)
        self._sent_mono_ns[out.request.client_id] = decoded_ns
        self._desk.on_order_made(self.index, out, prepared)

    def _outgoing(self, trade: Trade, place: Place, received_ns: int, decoded_ns: int) -> Outgoing:
        request = OrderRequest(
            client_id=self._desk.ids.order(trade.trade_id, place.leg),
            trade_id=trade.trade_id,
            purpose=place.purpose,
            instrument=self.rules.legs[place.leg],
            side=place.side,
            size_e8=place.size_e8,
            cap_price_e8=place.cap_price_e8,
            reduce_only=place.reduce_only,
        )
        stamps = OrderStamps(
            received_mono_ns=received_ns, decoded_mono_ns=decoded_ns, decided_mono_ns=self._desk.clock.mono_ns()
        )
        is_entry = place.purpose is Purpose.ENTRY
        reference_e8 = reference_price_e8(self.books[place.leg], place.side) if is_entry else 0
        out = Outgoing(self.venues[place.leg], place.leg, self.rules.pair_id, request, reference_e8, stamps)
        if is_entry:  # what ends or mends a trade never waits
            out.order_class = trade.order_class
        return out

    # ---- endings -----------------------------------------------------------------------------------------------

    def _finish(self, trade: Trade, now_ns: int) -> None:
        self.open.remove(trade)
        self.ladders.forget(trade.trade_id)
        for other in self.open:
            if other.is_rest:
                other.try_again()  # perhaps it is the whole position now, which a venue may take at any size
        self._closed.append(trade)
        for old in self._closed[:-CLOSED_KEPT]:
            for client_id in old.orders:
                self._sent_mono_ns.pop(client_id, None)
        del self._closed[:-CLOSED_KEPT]
        self._unpriced.append(_Unpriced(trade, now_ns))
        self._tell_pause(trade.trade_id, self.cooldown.ended(trade.orders.values(), now_ns))
        self._settle_prices(now_ns)

    def _tell_pause(self, trade_id: str, pause_ns: int) -> None:
        if pause_ns:
            self._desk.log.warning(
                "pair.cooldown",
                pair=self.rules.pair_id,
                trade_id=trade_id,
                pause_ms=pause_ns // 10**6,
                failed_in_a_row=self.cooldown.failed,
            )

    def _reopen(self, trade: Trade) -> None:
        """Take a closed trade up again: a fill was told after its end, and something is on."""
        self._closed.remove(trade)
        self._unpriced = [entry for entry in self._unpriced if entry.trade is not trade]
        self._desk.log.warning("trade.late_fill", trade_id=trade.trade_id)
        self.open.append(trade)

    def _settle_prices(self, now_ns: int) -> None:
        for entry in tuple(self._unpriced):
            unpriced = [order for order in entry.trade.orders.values() if not order.is_priced]
            if not unpriced:
                self._unpriced.remove(entry)
                self._record_closed(entry.trade)
            elif now_ns - entry.since_mono_ns > PRICES_OVERDUE_NS:
                entry.since_mono_ns = now_ns  # the next reading is asked for after the same wait
                for order in unpriced:
                    self._desk.on_doubt(order.request.client_id)

    def _record_closed(self, trade: Trade) -> None:
        closed = TradeClosed(
            trade_id=trade.trade_id,
            pair_id=self.rules.pair_id,
            outcome=_outcome(trade),
            entry_detected_spread_rate_e8=trade.entry_spread_e8,
            entry_executed_spread_rate_e8=trade.executed_spread_e8((Purpose.ENTRY, Purpose.REPAIR)),
            exit_detected_spread_rate_e8=None if trade.exit_spread_e8 is None else -trade.exit_spread_e8,
            exit_executed_spread_rate_e8=trade.executed_spread_e8((Purpose.EXIT,)),
            fees_e8=trade.fees_e8,
            pnl_e8=trade.pnl_e8,
            unhedged_ns_max=trade.unhedged_ns_max,
            dust_a_e8=trade.position_e8(0),
            dust_b_e8=trade.position_e8(1),
            opened_unix_ns=trade.opened_unix_ns,
            closed_unix_ns=self._desk.clock.unix_ns(),
            exit_quotes=self._exit_quotes.pop(trade.trade_id, []),
        )
        self._desk.recorder.later(closed)
        self._desk.on_trade_closed(closed, trade)

    def _ask_for_overdue_news(self, trade: Trade, now_ns: int) -> None:
        for order in trade.unfinished:
            client_id = order.request.client_id
            sent_ns = self._sent_mono_ns.get(client_id, 0)
            if order.state is not UNKNOWN and now_ns - sent_ns > NEWS_OVERDUE_NS:
                self._sent_mono_ns[client_id] = now_ns
                doubt = InDoubt("no news in time")
                self._desk.recorder.later(observed(client_id, doubt, self._desk.clock.unix_ns()))
                self.on_order(client_id, doubt)

    def _trade_of(self, client_id: ClientOrderId) -> Trade | None:
        return next((trade for trade in (*self.open, *reversed(self._closed)) if client_id in trade.orders), None)


def _outcome(trade: Trade) -> Outcome:
    filled = {order.request.purpose for order in trade.orders.values() if order.filled_e8}
    if not filled:
        return "nothing_filled"
    return "closed" if Purpose.EXIT in filled else "unwound"
