"""What is done when an account is in trouble: stop entries, count what happened, close the pair (never one leg of it).

Found by the watcher, the tick and the start; every one of these halts entries until a person arms the bot.
"""

from collections.abc import Iterator, Sequence

from deltawire.core.limits import Gate
from deltawire.core.trade import HOLDING, Trade, lot_at
from deltawire.core.types import TradeId
from deltawire.engine.gateway import LEG_NAMES
from deltawire.engine.positions import Positions
from deltawire.engine.recorder import Recorder
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import Halted, PositionAdjusted, PositionRow
from deltawire.venues.contract import Clock, EventLog


class Safety:
    def __init__(
        self,
        *,
        gate: Gate,
        positions: Positions,
        recorder: Recorder,
        traders: Sequence[PairTrader],
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._gate, self._positions, self._recorder = gate, positions, recorder
        self._traders, self._clock, self._log = traders, clock, log
        self._halt_told = ""

    def positions_changed(self, trader: PairTrader, changes: dict[int, int]) -> None:
        """Count what somebody else did to the legs (leg: signed change), all of it, and only then close the pair."""
        legs = trader.rules.legs
        told = [f"{legs[leg].venue} {legs[leg].symbol} by {change / 1e8:g}" for leg, change in changes.items()]
        reason = "changed without an order of ours: " + ", ".join(told)
        self._log.error("position.changed", pair=trader.rules.pair_id, reason=reason)
        self._gate.halt(reason)
        self.tell_halt()  # with the change, or a crash in between would let the next run trade
        if trader.trade is None:
            return  # nothing of ours is on: the owner's own business, and entries are off
        for leg, change_e8 in changes.items():
            for trade, part_e8 in _shares(trader.dealer.open, leg, change_e8):
                self._adjust(trade, trader, leg, part_e8, reason)
        trader.want_exit("position_changed")

    def accept_venues(self, rows: Sequence[PositionRow]) -> list[PositionRow]:
        """At start: take the venues' word on legs of trades an earlier run left open; return the rows left over.

        Somebody closed them, or part of them, while the bot was away: a guardian, a liquidation, a person.
        """
        left = {(row.venue, row.symbol): row for row in rows if row.venue_e8 != row.journal_e8}
        for trader in self._traders:
            legs = [(leg.venue, leg.symbol) for leg in trader.rules.legs]
            changes = {at: left[leg].venue_e8 - left[leg].journal_e8 for at, leg in enumerate(legs) if leg in left}
            if changes and trader.trade is not None:
                self.positions_changed(trader, changes)
                for at in changes:
                    del left[legs[at]]
        return list(left.values())

    def net(self, trader: PairTrader) -> None:
        """Set legs of two trades off against each other where they lie in opposite directions at the venue.

        A fill told after its trade's end can leave that: the venue holds the sum, and takes no order that would close
        one side of nothing. Rests too small for their venue are put together: their sum may be large enough, or all
        that is on, which a venue may take at any size.
        """
        trades = [trade for trade in trader.dealer.open if trade.phase is not HOLDING and not trade.unfinished]
        for leg in (0, 1):
            longs = [trade for trade in trades if trade.position_e8(leg) > 0]
            for short in [trade for trade in trades if trade.position_e8(leg) < 0]:
                for long in longs:
                    size_e8 = min(long.position_e8(leg), -short.position_e8(leg))
                    if size_e8 > 0:
                        self._adjust(long, trader, leg, -size_e8, f"set off against {short.trade_id}")
                        self._adjust(short, trader, leg, size_e8, f"set off against {long.trade_id}")

        rests = [trade for trade in trades if trade.is_rest]
        for leg in (0, 1):
            for into in rests[1:]:
                size_e8 = rests[0].position_e8(leg)
                if size_e8 and (into.position_e8(leg) > 0) == (size_e8 > 0) and into.position_e8(leg):
                    self._adjust(rests[0], trader, leg, -size_e8, f"put to {into.trade_id}")
                    self._adjust(into, trader, leg, size_e8, f"taken from {rests[0].trade_id}")
                    into.try_again()
                    break

    def take_over(self, rows: Sequence[PositionRow], trade_id: TradeId) -> None:
        """For a guardian: make what the venues hold of each pair a trade of its own, to be closed."""
        for trader in self._traders:
            held = {(row.venue, row.symbol): row.venue_e8 - row.journal_e8 for row in rows}
            changes = [held.get((leg.venue, leg.symbol), 0) for leg in trader.rules.legs]
            if not any(changes):
                continue
            price_e8 = next((book.mid_e8() for book in trader.books if book.two_sided), 0)
            now_ns = self._clock.mono_ns()
            trade = Trade(
                trade_id=TradeId(f"{trade_id}-{trader.index}"),
                rules=trader.rules,
                lot_e8=lot_at(trader.rules, price_e8) if price_e8 else trader.rules.lot_e8,
                buy_leg=0 if changes[0] > 0 or changes[1] < 0 else 1,
                opened_mono_ns=now_ns,
                opened_unix_ns=self._clock.unix_ns(),
                entry_spread_e8=0,
                entry_edge_e8=0,
                phase=HOLDING,
                held_since_mono_ns=now_ns,
            )
            trader.adopt(trade)
            for leg, change_e8 in enumerate(changes):
                if change_e8:
                    self._adjust(trade, trader, leg, change_e8, "taken over")

    def danger(self, trader: PairTrader, reason: str) -> None:
        """A position came near its liquidation price."""
        self._log.error("margin.danger", pair=trader.rules.pair_id, reason=reason)
        self._gate.halt(reason)
        trader.want_exit("liquidation_distance")

    def loss(self, reason: str) -> None:
        """A loss limit was reached."""
        if not self._gate.halted:
            self._log.error("loss.limit", reason=reason)
        self._gate.halt(reason)
        for trader in self._traders:
            trader.want_exit("loss_limit")

    def tell_halt(self) -> None:
        """Write a new halt to the journal: the next run must know it."""
        if self._gate.halted and self._gate.halted != self._halt_told:
            self._halt_told = self._gate.halted
            self._recorder.later(Halted(reason=self._gate.halted, unix_ns=self._clock.unix_ns()))

    def forget_halt(self) -> None:
        """After a person armed the bot: the same reason would be a new halt."""
        self._halt_told = ""

    def _adjust(self, trade: Trade, trader: PairTrader, leg: int, change_e8: int, reason: str) -> None:
        instrument = trader.rules.legs[leg]
        self._recorder.later(
            PositionAdjusted(
                trade_id=trade.trade_id,
                pair_id=trader.rules.pair_id,
                leg=LEG_NAMES[leg],
                venue=instrument.venue,
                symbol=instrument.symbol,
                size_e8=change_e8,
                reason=reason,
                unix_ns=self._clock.unix_ns(),
            )
        )
        self._positions.adjust(instrument.venue, instrument.symbol, change_e8)
        trade.adjust(leg, change_e8, self._clock.mono_ns())
        trader.ladders.forget(trade.trade_id)  # its orders would close what is no longer there


def _shares(trades: Sequence[Trade], leg: int, change_e8: int) -> Iterator[tuple[Trade, int]]:
    """Divide what somebody else did to a leg over its trades, newest first; none shrinks past nothing.

    What no trade can have lost, or what the leg has grown by, is the newest one's.
    """
    left_e8 = change_e8
    for trade in reversed(trades):
        held_e8 = trade.position_e8(leg)
        if held_e8 and (held_e8 > 0) != (left_e8 > 0):
            part_e8 = max(left_e8, -held_e8) if held_e8 > 0 else min(left_e8, -held_e8)
            left_e8 -= part_e8
            if part_e8:
                yield trade, part_e8
    if left_e8:
        yield trades[-1], left_e8
