"""Trades one pair: books in, orders out. The hot path is `on_book`: one synchronous call from frame to both writes.

What is worth doing is decided by core (edge, gate, trade machine); the dealer carries it out. Nothing here awaits.
"""

from functools import partial

from deltawire.core.book import Book
from deltawire.core.edge import (
    Opportunity,
    PairRules,
    best_opening,
    closing_spread_e8,
    harder_leg,
    may_close,
    opening,
    touched,
)
from deltawire.core.entry_class import Choice
from deltawire.core.events import OrderEvent
from deltawire.core.limits import Refusal
from deltawire.core.money import BPS_E8, notional_e8
from deltawire.core.order import Order
from deltawire.core.trade import HOLDING, Trade, entry_places, lot_at
from deltawire.core.types import ClientOrderId, TradeId
from deltawire.engine.dealer import Dealer
from deltawire.engine.desk import Desk
from deltawire.engine.gateway import LEG_NAMES
from deltawire.engine.ladders import Ladder, Ladders
from deltawire.engine.quotes import quotes_seen
from deltawire.engine.slow_entries import slow_entries
from deltawire.journal.records import TradeOpened
from deltawire.venues.contract import TellsTime, Venue

# After the gate held an entry back: the reason will not have gone by the next frame.
REFUSED_QUIET_NS = 1_000_000_000
# How long what was asked ahead of a trigger holds: two ticks of the bot.
CLEARED_NS = 20_000_000
SPREAD_BACK = "spread_back"  # why a trade is closed: what it was opened for has come


class PairTrader:
    """One pair. Up to `rules.layers_max` trades may be open, each entered at a larger edge than the one before."""

    def __init__(self, index: int, rules: PairRules, venues: tuple[Venue, Venue], desk: Desk) -> None:
        self.index, self.rules, self.venues, self._desk = index, rules, venues, desk
        self.books: tuple[Book, Book] = (
            venues[0].book(rules.legs[0].symbol),
            venues[1].book(rules.legs[1].symbol),
        )
        self.dealer = Dealer(index, rules, venues, self.books, desk)
        self._times = [(venue.name, venue.time) for venue in venues if isinstance(venue, TellsTime)]
        self._slow = slow_entries(rules, venues)  # None: no venue offers a slow class, and nothing here asks for it
        self.entries_on = False
        self.last_refusal = ""
        self.suspicion = ""  # how a venue's position differs from our count: nothing is opened until it is read again
        self._quiet_until_ns = 0
        self._cleared_until_ns, self._cleared_at, self._cleared_legs = 0, 0, [False, False]
        self._confirming = -1  # buy leg of the direction being confirmed
        self._confirmed = 0
        self._confirming_since_ns = 0

    @property
    def trade(self) -> Trade | None:
        """The newest open trade, for those who show one."""
        return self.dealer.open[-1] if self.dealer.open else None

    @property
    def ladders(self) -> Ladders:
        return self.dealer.ladders

    @property
    def is_idle(self) -> bool:
        return self.dealer.is_idle

    @property
    def is_holding(self) -> bool:
        """Whether something is on, and all of it is hedged and at rest."""
        return bool(self.dealer.open) and self.dealer.is_at_rest

    # ---- market data -------------------------------------------------------------------------------------------

    def on_book(self, received_mono_ns: int) -> None:
        """React to a change of either book. received_mono_ns: when its frame was handed to us."""
        if self._slow is not None:
            self._slow.watch(self.books, received_mono_ns)
        if self.dealer.open:
            self._consider_exits(received_mono_ns)
            if not self._may_add():
                return
        decoded_ns = self._desk.clock.mono_ns()
        found = best_opening(self.rules, self.books, self.rules.size_e8)
        if self._slow is not None and (found is None or not self._is_wanted(found)):
            found = self._slow.found
        if found is None or not self._is_wanted(found):
            self._confirming, self._confirmed = -1, 0
            return
        self._consider_entry(found, received_mono_ns, decoded_ns)

    def _may_add(self) -> bool:
        """Say whether a further trade may begin: nothing is added while anything is moving or in doubt."""
        trades = self.dealer.open
        return 0 < len(trades) < self.rules.layers_max and self.dealer.is_at_rest

    def _consider_exits(self, received_mono_ns: int) -> None:
        for trade in tuple(self.dealer.open):
            if trade.phase is not HOLDING or trade.exit_reason:
                continue
            if not may_close(self.books, trade.buy_leg, self.rules.exit_spread_e8):
                continue
            ladder = self.ladders.exits.get(trade.trade_id)
            if ladder is not None and self._close_cleared(trade, ladder, received_mono_ns):
                continue
            closing_e8 = closing_spread_e8(self.books, trade.buy_leg, trade.matched_e8)
            wanted = closing_e8 is not None and closing_e8 <= self.rules.exit_spread_e8
            # A close that is not urgent waits while a venue is away or halted: half of it would leave a leg alone.
            if wanted and all(self.dealer.can_trade()):
                trade.want_exit(SPREAD_BACK, self.books)
                self.dealer.advance(trade, received_mono_ns)

    def _close_cleared(self, trade: Trade, ladder: Ladder, received_mono_ns: int) -> bool:
        """Close with orders cleared ahead, if that is wanted and they reach. False: the longer way decides."""
        desk, aim = self._desk, ladder.aim
        now_ns = desk.clock.mono_ns()
        if now_ns >= ladder.cleared_until_mono_ns or ladder.cleared_at_news != desk.news.count:
            return False
        prices = touched(self.books, aim.buy_leg, aim.sizes_e8[0])
        if prices is None or prices.spread_e8 < aim.needed_e8:
            return False
        if not (self.venues[0].ready and self.venues[1].ready):
            return False
        chosen = self.ladders.choose_cleared(ladder, prices.buy_worst_e8, prices.sell_worst_e8)
        if chosen is None or not self.dealer.close_cleared(trade, chosen, SPREAD_BACK, received_mono_ns, now_ns):
            return False
        self.ladders.was_taken(ladder)
        return True

    def _consider_entry(self, found: Opportunity, received_mono_ns: int, decoded_ns: int) -> None:
        if found.buy_leg != self._confirming:
            self._confirming, self._confirmed, self._confirming_since_ns = found.buy_leg, 0, received_mono_ns
        self._confirmed += 1
        lasted_ns = received_mono_ns - self._confirming_since_ns
        if self._confirmed < self.rules.confirm_updates or lasted_ns < self.rules.confirm_ns:
            return
        if not self.entries_on or decoded_ns < self._quiet_until_ns:
            return
        ladder = self.ladders.entries[found.buy_leg]
        if ladder is not None and self._enter_cleared(found, ladder, received_mono_ns, decoded_ns):
            return
        choice: Choice | None = None
        if self._slow is not None:
            choice = self._slow.choose(found, self.books, decoded_ns)
            if choice.is_slow:
                found = self._slow.priced(found)
            elif found is self._slow.found:
                return  # the usual fee leaves too little
        if self._entry_allowed(found, decoded_ns):
            self._enter(found, choice, received_mono_ns, decoded_ns)

    def _is_wanted(self, found: Opportunity) -> bool:
        layers = self.dealer.open
        if not layers:
            return found.edge_e8 >= self.rules.entry_edge_e8
        if found.edge_e8 < self.rules.entry_edge_e8 + len(layers) * self.rules.layer_step_e8:
            return False
        return all(trade.buy_leg == found.buy_leg for trade in layers)

    def clear(self) -> None:
        """Ask ahead what would be asked at a trigger and does not change from frame to frame. Called every tick.

        What it finds holds until the next tick, or until any news: of an order, a link, a position, a person.
        """
        now_ns = self._desk.clock.mono_ns()
        for trade in self.dealer.open:
            ladder = self.ladders.exits.get(trade.trade_id)
            if ladder is not None and self._may_close_calmly(trade, ladder, now_ns):
                self._clear(ladder, now_ns)
        if not self.entries_on or (self.ladders.entries[0] is None and self.ladders.entries[1] is None):
            return
        if self._standing_refusal(now_ns) is None:
            self._cleared_until_ns, self._cleared_at = now_ns + CLEARED_NS, self._desk.news.count
            self._cleared_legs = [self._pair_refusal(buy_leg, now_ns) is None for buy_leg in (0, 1)]
            for ladder, is_clear in zip(self.ladders.entries, self._cleared_legs, strict=True):
                if ladder is not None and is_clear and self._is_usual:
                    self._clear(ladder, now_ns)
                    if ladder.cleared_until_mono_ns:
                        self._rehearse(ladder)

    def _clear(self, ladder: Ladder, now_ns: int) -> None:
        ladder.cleared_until_mono_ns = 0
        if all(self._desk.gate.clear(out.request) for orders in ladder.orders for out in orders):
            self.ladders.clear(ladder, now_ns + CLEARED_NS, self._desk.news.count)

    def _may_close_calmly(self, trade: Trade, ladder: Ladder, now_ns: int) -> bool:
        size_e8 = trade.calm_close_e8(now_ns)
        both = size_e8 > 0 and ladder.aim.sizes_e8 == (size_e8, size_e8)
        return both and not self.dealer.held and all(self.dealer.can_trade())

    @property
    def _is_usual(self) -> bool:
        """Whether an entry sends both legs at once and in the venues' usual class: what is cleared ahead is that."""
        return self._slow is None and not self.rules.harder_leg_first

    def _rehearse(self, ladder: Ladder) -> None:
        """Walk the way of an entry up to its writes, for nothing: code that ran just now runs faster."""
        found = opening(self.rules, self.books, ladder.aim.buy_leg, self.rules.sizes_e8[0])
        if found is not None:
            self.ladders.choose_cleared(ladder, found.buy_worst_e8, found.sell_worst_e8)

    def _entry_allowed(self, found: Opportunity, now_ns: int) -> bool:
        desk = self._desk
        cleared = (
            now_ns < self._cleared_until_ns
            and self._cleared_legs[found.buy_leg]
            and self._cleared_at == desk.news.count
            and not desk.gate.halted
            and not self.suspicion
            and self.venues[0].ready
            and self.venues[1].ready
        )
        refusal = (
            (None if cleared else self._pair_refusal(found.buy_leg, now_ns) or self._standing_refusal(now_ns))
            or desk.gate.books_refusal(self.books, now_ns, desk.clock.unix_ns())
            or desk.gate.edge_refusal(found.edge_e8)
        )
        if refusal is None:
            self.last_refusal = ""
            return True
        # Told once per reason, not once per frame: books change a hundred times a second.
        if self.last_refusal != refusal.rule:
            self.last_refusal = refusal.rule
            self._desk.log.warning("entry.refused", pair=self.rules.pair_id, rule=refusal.rule, reason=refusal.text)
        return False

    def _pair_refusal(self, buy_leg: int, now_ns: int) -> Refusal | None:
        """Say what our own record of the pair speaks against."""
        if self.suspicion:
            return Refusal("positions", self.suspicion)
        if pause := self.dealer.cooldown.block(now_ns):
            return Refusal("cooldown", pause)
        funding_e8 = self.dealer.funding_hour_e8(buy_leg)
        if funding_e8 is not None and funding_e8 > self.rules.funding_hour_e8_max:
            return Refusal("funding", f"holding costs {funding_e8 / BPS_E8:g} bps of funding an hour")
        return None

    def _venue_refusal(self, now_ns: int) -> Refusal | None:
        for venue, leg in zip(self.venues, self.rules.legs, strict=True):
            if not venue.ready:
                return Refusal("venue", f"{venue.name} is not ready")
            if block := venue.entry_block(leg.symbol):
                return Refusal(f"{venue.name} blocks entries", block)
        for name, time in self._times:
            if off := time.block(now_ns, self._desk.clock.unix_ns()):
                return Refusal("clock", f"{name}: {off}")
        return None

    def _standing_refusal(self, now_ns: int) -> Refusal | None:
        gate, desk = self._desk.gate, self._desk
        others = desk.open_pairs() - bool(self.dealer.open)  # a further layer is no further pair
        refusal = self._venue_refusal(now_ns) or gate.standing_refusal(others)
        if refusal is not None:
            return refusal
        for venue, book in zip(self.venues, self.books, strict=True):
            # At most the whole size, at the dearer side of the book as it is now.
            price_e8 = book.asks[0][0] if book.asks else 0
            added_e8 = notional_e8(price_e8, self.rules.size_e8)
            refusal = gate.inventory_refusal(venue.name, desk.inventory_e8(venue.name), added_e8)
            if refusal is not None:
                return refusal
        return None

    def _enter_cleared(self, found: Opportunity, ladder: Ladder, received_ns: int, decoded_ns: int) -> bool:
        """Enter with orders cleared ahead, if they reach. False: the longer way decides, and says why not."""
        desk = self._desk
        if (
            decoded_ns >= ladder.cleared_until_mono_ns
            or ladder.cleared_at_news != desk.news.count
            or found.size_e8 != ladder.aim.sizes_e8[0]
            or self.suspicion
            or desk.recorder.broken
            or not (self.venues[0].ready and self.venues[1].ready)
        ):
            return False
        chosen = self.ladders.choose_cleared(ladder, found.buy_worst_e8, found.sell_worst_e8)
        if chosen is None:
            return False
        make = partial(self._make_trade, ladder.trade_id, found, None, decoded_ns, is_slow=False)
        trade = self.dealer.begin_cleared(chosen, found, received_ns, decoded_ns, make)
        if trade is None:
            return False
        self._confirming, self._confirmed, self.last_refusal = -1, 0, ""
        self.ladders.was_taken(ladder)
        self._opened(trade, found, None)
        return True

    def _enter(self, found: Opportunity, choice: Choice | None, received_ns: int, decoded_ns: int) -> None:
        desk, is_slow = self._desk, choice is not None and choice.is_slow
        first_leg = self._first_leg(found, is_slow=is_slow)
        self._confirming, self._confirmed = -1, 0
        trade: Trade | None
        # With a journal that could not be written, the intents themselves must show that it can be again.
        ladder = None if desk.recorder.broken else self.ladders.take_entry(found, first_leg, decoded_ns)
        if ladder is not None:
            if is_slow:
                ladder.chosen[0].presigned.order_class = self._slow.name  # type: ignore[union-attr]  # of a ladder
            make = partial(self._make_trade, ladder.trade_id, found, first_leg, decoded_ns, is_slow=is_slow)
            trade = self.dealer.begin_presigned(ladder.chosen, received_ns, decoded_ns, make)
        else:
            trade = self._make_trade(desk.ids.trade(self.index), found, first_leg, decoded_ns, is_slow=is_slow)
            if not self.dealer.begin(trade, entry_places(self.rules, found, first_leg), received_ns, decoded_ns):
                trade = None
        if trade is None:
            self._quiet_until_ns = decoded_ns + REFUSED_QUIET_NS
            self.last_refusal = desk.gateway.last_refusal
            return
        self._opened(trade, found, choice)

    def _opened(self, trade: Trade, found: Opportunity, choice: Choice | None) -> None:
        """After the writes: the trade is known to the journal by its orders' intents already."""
        desk, first_leg = self._desk, trade.first_leg
        desk.recorder.later(
            TradeOpened(
                trade_id=trade.trade_id,
                pair_id=self.rules.pair_id,
                buy_leg=LEG_NAMES[found.buy_leg],
                size_e8=found.size_e8,
                detected_spread_rate_e8=found.spread_e8,
                detected_edge_rate_e8=found.edge_e8,
                unix_ns=trade.opened_unix_ns,
                first_leg="both" if first_leg is None else LEG_NAMES[first_leg],
                layer=len(self.dealer.open) - 1,
                order_class=trade.order_class,
                class_reason="" if choice is None else choice.why,
                quotes=quotes_seen(
                    self.books, found.buy_leg, found.size_e8, trade.opened_mono_ns, trade.opened_unix_ns
                ),
            )
        )
        if choice is not None:
            desk.log.info(
                "trade.order_class", trade_id=trade.trade_id, order_class=trade.order_class or "usual", why=choice.why
            )
        # Orders may have ended inside the writes (no connection): then there is a next step already.
        self.dealer.advance(trade)

    def _first_leg(self, found: Opportunity, *, is_slow: bool) -> int | None:
        if is_slow:
            assert self._slow is not None
            return self._slow.leg  # the other one would stand alone while this one waits
        return harder_leg(self.books, found.buy_leg) if self.rules.harder_leg_first else None

    def _make_trade(
        self, trade_id: TradeId, found: Opportunity, first_leg: int | None, decoded_ns: int, *, is_slow: bool
    ) -> Trade:
        slow = self._slow if is_slow else None
        return Trade(
            trade_id=trade_id,
            rules=self.rules if slow is None else slow.rules,
            order_class="" if slow is None else slow.name,
            lot_e8=lot_at(self.rules, found.buy_worst_e8),
            buy_leg=found.buy_leg,
            opened_mono_ns=decoded_ns,
            opened_unix_ns=self._desk.clock.unix_ns(),
            entry_spread_e8=found.spread_e8,
            entry_edge_e8=found.edge_e8,
            first_leg=first_leg,
        )

    # ---- the rest is the dealer's ------------------------------------------------------------------------------

    def on_order(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        self.dealer.on_order(client_id, event)

    def on_timer(self) -> None:
        """Look after retries, time limits and missing news. Called every few milliseconds."""
        now_ns = self._desk.clock.mono_ns()
        self.dealer.read_funding(now_ns)
        if not self.dealer.is_idle:
            self.dealer.on_timer(now_ns)

    def want_exit(self, reason: str) -> None:
        """Close what is open, whatever it costs within the emergency cap."""
        for trade in tuple(self.dealer.open):
            trade.want_exit(reason, self.books, forced=True)
            self.dealer.advance(trade)

    def order_state(self, client_id: ClientOrderId) -> Order | None:
        return self.dealer.order_state(client_id)

    def adopt(self, trade: Trade) -> None:
        """Take over a trade that an earlier run left open.

        It waits until the venues have confirmed what it holds: the close of a position that is no longer there would
        open one. See `release`.
        There can be more than layers: a trade that was over but for the prices of its fills, and the one after it, or
        a setting made smaller. The oldest of them are ended.
        """
        self.dealer.held = True
        self.dealer.open.append(trade)
        for old in self.dealer.open[: -self.rules.layers_max]:
            old.want_exit("recovered", self.books, forced=True)

    def release(self) -> None:
        """Let the trades that were taken over act."""
        self.dealer.held = False
        for trade in tuple(self.dealer.open):
            self.dealer.advance(trade)
