"""Trades one pair: books in, orders out. The hot path is `on_book`: one synchronous call from frame to both writes.

Everything that decides is in core (edge, gate, trade machine); here it is fed with books, time and news, and its
commands are carried out. Nothing here awaits.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.book import Book
from deltawire.core.edge import Opportunity, PairRules, best_opening, closing_spread_e8
from deltawire.core.events import InDoubt, OrderEvent
from deltawire.core.limits import Gate, reference_price_e8
from deltawire.core.order import UNKNOWN, IllegalTransition, Order
from deltawire.core.stamps import OrderStamps
from deltawire.core.trade import CLOSED, HOLDING, Command, PhaseChanged, Place, Trade, lot_at
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose
from deltawire.engine.gateway import LEG_NAMES, Gateway, Outgoing
from deltawire.engine.ids import IdMaker
from deltawire.engine.recorder import Recorder
from deltawire.journal.records import Outcome, TradeClosed, TradeOpened, TradeStateChanged
from deltawire.venues.contract import Clock, EventLog, PreparedOrder, Venue

# An immediate order that is neither finished nor in doubt after this long has lost its news: it is read instead.
NEWS_OVERDUE_NS = 3_000_000_000
# Fill prices may come after the fills' total; the trade's account waits this long before they are read.
PRICES_OVERDUE_NS = 1_000_000_000
# After the gate held an entry back: the reason will not have gone by the next frame.
REFUSED_QUIET_NS = 1_000_000_000
# Finished trades still listened to: a fill told late must find its trade. Far more than can be late at once.
CLOSED_KEPT = 64


@dataclass(slots=True)
class Desk:
    """What all traders of a bot share."""

    gate: Gate
    gateway: Gateway
    recorder: Recorder
    ids: IdMaker
    clock: Clock
    log: EventLog
    # Told of each order before it leaves, so that news of it finds its way back to its trader.
    on_order_made: Callable[["PairTrader", Outgoing, PreparedOrder], None]
    on_doubt: Callable[["PairTrader", ClientOrderId], None]  # asks for the order to be read
    on_filled: Callable[[OrderRequest, int], None]  # size newly filled, counted once
    on_trade_closed: Callable[[TradeClosed], None]
    open_pairs: Callable[[], int]


class PairTrader:
    """One pair. At most one trade is open; closed ones are kept a while for late news."""

    def __init__(self, index: int, rules: PairRules, venues: tuple[Venue, Venue], desk: Desk) -> None:
        self.index, self.rules, self.venues, self._desk = index, rules, venues, desk
        self.books: tuple[Book, Book] = (
            venues[0].book(rules.legs[0].symbol),
            venues[1].book(rules.legs[1].symbol),
        )
        self.entries_on = False
        self.trade: Trade | None = None
        self.opportunity: Opportunity | None = None
        self.last_refusal = ""
        self._opened_unix_ns = 0
        self._closed: list[Trade] = []
        self._unpriced: list[tuple[Trade, int, int]] = []  # closed, waiting for prices: (trade, since, opened)
        self._sent_mono_ns: dict[ClientOrderId, int] = {}
        self._revived: list[Trade] = []  # closed, then filled late while the next trade was open: closing again
        self._quiet_until_ns = 0
        self._confirming = -1  # buy leg of the direction being confirmed
        self._confirmed = 0
        self._confirming_since_ns = 0

    # ---- market data -------------------------------------------------------------------------------------------

    def on_book(self, received_mono_ns: int) -> None:
        """React to a change of either book. received_mono_ns: when its frame was handed to us."""
        trade = self.trade
        if trade is None:
            self._consider_entry(received_mono_ns)
        elif trade.phase is HOLDING and not trade.exit_reason:
            closing_e8 = closing_spread_e8(self.books, trade.buy_leg, trade.matched_e8)
            if closing_e8 is not None and closing_e8 <= self.rules.exit_spread_e8:
                trade.want_exit("spread_back", self.books)
                self._advance(trade, received_mono_ns)

    def _consider_entry(self, received_mono_ns: int) -> None:
        decoded_ns = self._desk.clock.mono_ns()
        found = best_opening(self.rules, self.books, self.rules.size_e8)
        self.opportunity = found
        if found is None or found.edge_e8 < self.rules.entry_edge_e8:
            self._confirming, self._confirmed = -1, 0
            return
        if found.buy_leg != self._confirming:
            self._confirming, self._confirmed, self._confirming_since_ns = found.buy_leg, 0, received_mono_ns
        self._confirmed += 1
        lasted_ns = received_mono_ns - self._confirming_since_ns
        if self._confirmed < self.rules.confirm_updates or lasted_ns < self.rules.confirm_ns:
            return
        if self.entries_on and decoded_ns >= self._quiet_until_ns and self._entry_allowed(decoded_ns):
            self._enter(found, received_mono_ns, decoded_ns)

    def _entry_allowed(self, now_ns: int) -> bool:
        if not (self.venues[0].ready and self.venues[1].ready):
            self._refuse("venue", "a venue is not ready")
            return False
        for venue, leg in zip(self.venues, self.rules.legs, strict=True):
            if block := venue.entry_block(leg.symbol):
                self._refuse(f"{venue.name} blocks entries", block)
                return False
        desk = self._desk
        refusal = desk.gate.entry_refusal(self.books, desk.open_pairs(), now_ns, desk.clock.unix_ns())
        if refusal is not None:
            self._refuse(refusal.rule, refusal.text)
            return False
        self.last_refusal = ""
        return True

    def _refuse(self, rule: str, text: str) -> None:
        # Once per reason, not once per frame: books change a hundred times a second.
        if self.last_refusal != rule:
            self.last_refusal = rule
            self._desk.log.warning("entry.refused", pair=self.rules.pair_id, rule=rule, reason=text)

    def _enter(self, found: Opportunity, received_ns: int, decoded_ns: int) -> None:
        desk = self._desk
        trade = Trade(
            trade_id=desk.ids.trade(self.index),
            rules=self.rules,
            lot_e8=lot_at(self.rules, found.buy_worst_e8),
            buy_leg=found.buy_leg,
            opened_mono_ns=decoded_ns,
            entry_spread_e8=found.spread_e8,
            entry_edge_e8=found.edge_e8,
        )
        self.trade = trade
        self._opened_unix_ns = desk.clock.unix_ns()
        self._confirming, self._confirmed = -1, 0
        sent = self._carry_out(trade, trade.open(found), received_ns, decoded_ns)
        if not sent:
            self.trade = None
            self._quiet_until_ns = decoded_ns + REFUSED_QUIET_NS
            return
        # After the writes: the trade is known to the journal by its orders' intents already.
        desk.recorder.later(
            TradeOpened(
                trade_id=trade.trade_id,
                pair_id=self.rules.pair_id,
                buy_leg=LEG_NAMES[found.buy_leg],
                size_e8=found.size_e8,
                detected_spread_rate_e8=found.spread_e8,
                detected_edge_rate_e8=found.edge_e8,
                unix_ns=self._opened_unix_ns,
            )
        )
        # Orders may have ended inside the writes (no connection): then there is a next step already.
        self._advance(trade, 0)

    # ---- news of orders ----------------------------------------------------------------------------------------

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        """Apply news of one of this pair's orders and take the next step."""
        trade = self._trade_of(client_id)
        if trade is None:
            self._desk.log.warning("order.unknown", client_id=client_id, news=type(event).__name__)
            return
        now_ns = self._desk.clock.mono_ns()
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
            self._desk.on_doubt(self, client_id)
        if trade.phase is CLOSED and trade in self._closed and (trade.delta_e8 or trade.matched_e8):
            self._reopen(trade)
        # Not inside the entry's own writes: the second leg has not left yet.
        if not self._is_sending:
            self._advance(trade, 0)

    def on_timer(self) -> None:
        """Look after retries, time limits and missing news. Called every few milliseconds."""
        trade = self.trade
        now_ns = self._desk.clock.mono_ns()
        if trade is not None:
            self._ask_for_overdue_news(trade, now_ns)
            held_ns = now_ns - trade.held_since_mono_ns
            if trade.phase is HOLDING and not trade.exit_reason and held_ns > self.rules.hold_ns_max:
                trade.want_exit("max_hold", self.books, forced=True)
            self._advance(trade, 0)
        for late in tuple(self._revived):
            self._ask_for_overdue_news(late, now_ns)
            self._advance(late, 0)
        self._settle_prices(now_ns)

    def want_exit(self, reason: str) -> None:
        """Close what is open, whatever it costs within the emergency cap."""
        if self.trade is not None:
            self.trade.want_exit(reason, self.books, forced=True)
            self._advance(self.trade, 0)

    @property
    def is_idle(self) -> bool:
        return self.trade is None and not self._revived and not self._unpriced

    @property
    def is_holding(self) -> bool:
        """Whether the only thing on is a hedged pair at rest."""
        return self.trade is not None and self.trade.phase is HOLDING and not self.trade.exit_reason

    def order_state(self, client_id: ClientOrderId) -> Order | None:
        trade = self._trade_of(client_id)
        return None if trade is None else trade.orders[client_id]

    def adopt(self, trade: Trade, opened_unix_ns: int) -> None:
        """Take over a trade that an earlier run left open."""
        self.trade, self._opened_unix_ns = trade, opened_unix_ns

    # ---- carrying out ------------------------------------------------------------------------------------------

    _is_sending = False

    def _advance(self, trade: Trade, received_ns: int) -> None:
        now_ns = self._desk.clock.mono_ns()
        ready = (self.venues[0].ready, self.venues[1].ready)
        commands = trade.advance(self.books, ready, now_ns)
        if commands:
            self._carry_out(trade, commands, received_ns, now_ns)
        if trade.phase is CLOSED and not trade.unfinished and (trade is self.trade or trade in self._revived):
            self._finish(trade, now_ns)

    def _carry_out(self, trade: Trade, commands: list[Command], received_ns: int, decoded_ns: int) -> bool:
        """Send the orders among the commands first, then write down the rest. False when an order was held back."""
        desk = self._desk
        places = [command for command in commands if isinstance(command, Place)]
        sent = not places or self._send(trade, places, received_ns, decoded_ns)
        for command in commands:
            if isinstance(command, PhaseChanged):
                desk.recorder.later(
                    TradeStateChanged(
                        trade_id=trade.trade_id,
                        state=command.phase.value,
                        reason=trade.exit_reason or command.reason,
                        unix_ns=desk.clock.unix_ns(),
                    )
                )
                desk.log.info(
                    "trade.phase",
                    trade_id=trade.trade_id,
                    phase=command.phase.value,
                    found=command.reason,
                    why=trade.exit_reason,
                )
            elif not isinstance(command, Place):
                desk.log.error("trade.alarm", trade_id=trade.trade_id, reason=command.text)
                desk.gate.halt(command.text)
        return sent

    def _send(self, trade: Trade, places: list[Place], received_ns: int, decoded_ns: int) -> bool:
        outgoing = [self._outgoing(trade, place, received_ns, decoded_ns) for place in places]

        def registered(out: Outgoing, prepared: PreparedOrder) -> None:
            trade.add(out.leg, out.request)
            self._sent_mono_ns[out.request.client_id] = decoded_ns
            self._desk.on_order_made(self, out, prepared)

        self._is_sending = True
        try:
            return self._desk.gateway.send(outgoing, registered)
        finally:
            self._is_sending = False

    def _outgoing(self, trade: Trade, place: Place, received_ns: int, decoded_ns: int) -> Outgoing:
        instrument = self.rules.legs[place.leg]
        request = OrderRequest(
            client_id=self._desk.ids.order(trade.trade_id, place.leg),
            trade_id=trade.trade_id,
            purpose=place.purpose,
            instrument=instrument,
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
        return Outgoing(self.venues[place.leg], place.leg, self.rules.pair_id, request, reference_e8, stamps)

    # ---- endings -----------------------------------------------------------------------------------------------

    def _finish(self, trade: Trade, now_ns: int) -> None:
        if trade is self.trade:
            self.trade = None
        else:
            self._revived.remove(trade)
        self._closed.append(trade)
        for old in self._closed[:-CLOSED_KEPT]:
            for client_id in old.orders:
                self._sent_mono_ns.pop(client_id, None)
        del self._closed[:-CLOSED_KEPT]
        self._unpriced.append((trade, now_ns, self._opened_unix_ns))
        self._settle_prices(now_ns)

    def _reopen(self, trade: Trade) -> None:
        """Take a closed trade up again: a fill was told after its end, and something is on."""
        self._closed.remove(trade)
        self._unpriced = [entry for entry in self._unpriced if entry[0] is not trade]
        self._desk.log.warning("trade.late_fill", trade_id=trade.trade_id)
        if self.trade is None:
            self.trade = trade
        else:
            self._revived.append(trade)

    def _settle_prices(self, now_ns: int) -> None:
        waiting = []
        for trade, since_ns, opened_unix_ns in self._unpriced:
            unpriced = [order for order in trade.orders.values() if not order.is_priced]
            if not unpriced:
                self._record_closed(trade, opened_unix_ns)
                continue
            if now_ns - since_ns > PRICES_OVERDUE_NS:
                for order in unpriced:
                    self._desk.on_doubt(self, order.request.client_id)
                since_ns = now_ns  # noqa: PLW2901 - the next reading is asked for after the same wait
            waiting.append((trade, since_ns, opened_unix_ns))
        self._unpriced = waiting

    def _record_closed(self, trade: Trade, opened_unix_ns: int) -> None:
        exit_executed_e8 = trade.executed_spread_e8((Purpose.EXIT,))
        closed = TradeClosed(
            trade_id=trade.trade_id,
            pair_id=self.rules.pair_id,
            outcome=_outcome(trade),
            entry_detected_spread_rate_e8=trade.entry_spread_e8,
            entry_executed_spread_rate_e8=trade.executed_spread_e8((Purpose.ENTRY, Purpose.REPAIR)),
            exit_detected_spread_rate_e8=None if trade.exit_spread_e8 is None else -trade.exit_spread_e8,
            exit_executed_spread_rate_e8=exit_executed_e8,
            fees_e8=trade.fees_e8,
            pnl_e8=trade.pnl_e8,
            unhedged_ns_max=trade.unhedged_ns_max,
            dust_a_e8=trade.position_e8(0),
            dust_b_e8=trade.position_e8(1),
            opened_unix_ns=opened_unix_ns,
            closed_unix_ns=self._desk.clock.unix_ns(),
        )
        self._desk.recorder.later(closed)
        self._desk.on_trade_closed(closed)

    def _ask_for_overdue_news(self, trade: Trade, now_ns: int) -> None:
        for order in trade.unfinished:
            client_id = order.request.client_id
            sent_ns = self._sent_mono_ns.get(client_id, 0)
            if order not in trade.in_doubt and now_ns - sent_ns > NEWS_OVERDUE_NS:
                self._sent_mono_ns[client_id] = now_ns
                self.on_order(client_id, InDoubt("no news in time"))

    def _trade_of(self, client_id: ClientOrderId) -> Trade | None:
        if self.trade is not None and client_id in self.trade.orders:
            return self.trade
        return next((trade for trade in (*self._revived, *reversed(self._closed)) if client_id in trade.orders), None)


def _outcome(trade: Trade) -> Outcome:
    filled = {order.request.purpose for order in trade.orders.values() if order.filled_e8}
    if not filled:
        return "nothing_filled"
    return "closed" if Purpose.EXIT in filled else "unwound"
