"""One round trip of a pair: both legs in, hold, both legs out, and every way in which that goes wrong. Pure.

The trade looks at what filled, never at what was asked. While any order is unfinished or in doubt it waits; once all
are final it compares the two legs and decides the one next step from the table below. It places nothing itself:
`advance` returns commands, and the engine registers each order with `add` before its bytes can leave.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from deltawire.core.book import Book
from deltawire.core.edge import Opportunity, PairRules, closing_spread_e8, slipped, spread_rate_e8
from deltawire.core.events import OrderEvent
from deltawire.core.money import E8, ceil_to, floor_to, format_e8, notional_e8
from deltawire.core.order import Order, OrderState, apply
from deltawire.core.types import ClientOrderId, OrderRequest, Purpose, Side, TradeId

# A step that did not go through is tried again after this long, doubled each time up to the maximum: long enough for a
# venue's refusal (rate limit, stale index) to pass, short enough against max_unhedged_ms.
RETRY_NS_MIN = 50_000_000
RETRY_NS_MAX = 2_000_000_000
# A close that missed its price is not tried again before this: flickering books must not eat the order budget.
EXIT_AGAIN_NS = 250_000_000
# Unwinds and closes are bounded in count too; past it the trade is STUCK and a person is called.
ATTEMPTS_MAX = 20
# What is left may be worth less than the smallest order its venue takes. It is tried, because a venue may take any
# order that ends a position; refused so often within a second, it will be refused again.
REST_TRIES_MAX = 5


class Phase(Enum):
    ENTERING = "entering"
    REPAIRING = "repairing"  # asking again for what the lagging leg misses
    UNWINDING = "unwinding"  # giving back what the leading leg has too much
    HOLDING = "holding"
    EXITING = "exiting"
    STUCK = "stuck"  # bounds used up with something still on: alarmed, waits for a person
    CLOSED = "closed"


class Finding(Enum):
    """What the settled legs show."""

    EMPTY = "empty"  # nothing on, on either leg
    HEDGED = "hedged"  # both legs on, net delta under one lot
    MISSING = "missing"  # one leg behind, and asking again is allowed
    EXCESS = "excess"  # one leg behind, and asking again is not
    REMAINS = "remains"  # closing, and something is still on
    EXHAUSTED = "exhausted"  # attempts used up
    EXIT = "exit"  # told to close


ENTERING, REPAIRING, UNWINDING, HOLDING, EXITING, STUCK, CLOSED = Phase

NEXT: dict[Phase, dict[Finding, Phase]] = {
    ENTERING: {
        Finding.EMPTY: CLOSED,  # neither leg filled
        Finding.HEDGED: HOLDING,  # what filled matches, be it less than was asked
        Finding.MISSING: REPAIRING,  # one leg is behind, and at the price it can get the round trip still pays
        Finding.EXCESS: UNWINDING,  # one leg is behind, and asking again would lose money or time
    },
    REPAIRING: {
        Finding.EMPTY: CLOSED,  # somebody else closed what had filled
        Finding.HEDGED: HOLDING,
        Finding.MISSING: REPAIRING,  # still behind: once more, max_repairs times in all
        Finding.EXCESS: UNWINDING,  # repairs used up, the price gone, or its venue away for half the time bound
    },
    UNWINDING: {
        Finding.EMPTY: CLOSED,  # all given back
        Finding.HEDGED: HOLDING,  # the smaller leg is matched: it is a smaller trade now
        Finding.EXCESS: UNWINDING,  # again, at a wide but finite cap, more slowly each time
        Finding.EXHAUSTED: STUCK,  # a person is called; soon, where what is left is too small for its venue
    },
    HOLDING: {
        Finding.HEDGED: HOLDING,
        Finding.EXCESS: UNWINDING,  # a fill told late
        Finding.EMPTY: CLOSED,  # both legs were closed by somebody else
        Finding.EXIT: EXITING,  # spread back, time limit, funding, danger, a person, or the end of the run
    },
    EXITING: {
        Finding.EMPTY: CLOSED,
        Finding.HEDGED: HOLDING,  # the price was gone before either leg filled: nothing is lost by waiting
        Finding.REMAINS: EXITING,  # once a part has closed the rest follows at the wide cap
        Finding.EXHAUSTED: STUCK,  # a person is called
    },
    STUCK: {
        Finding.EMPTY: CLOSED,  # a person closed it at the venues
        Finding.EXIT: EXITING,  # a person said flatten: the count begins anew
    },
    CLOSED: {
        Finding.EMPTY: CLOSED,
        Finding.REMAINS: EXITING,  # a fill told after the end
    },
}


@dataclass(frozen=True, slots=True)
class Place:
    """Send this order. The engine gives it a client id and hands the result to Trade.add."""

    leg: int
    side: Side
    size_e8: int
    cap_price_e8: int
    purpose: Purpose
    reduce_only: bool
    price_e8: int = 0  # the worst price seen for the size, which the cap was made from; 0 where it was not


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    phase: Phase
    reason: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A person should look: exposure past its time bound, or attempts used up."""

    text: str


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left cannot be sold: its venue takes no order so small. A person closes it there; the pair waits."""

    text: str


Command = Place | PhaseChanged | Alarm | Rest


@dataclass(slots=True, eq=False)
class Trade:
    """State of one round trip. One owner (the engine's trader of the pair) mutates it through its methods."""

    trade_id: TradeId
    rules: PairRules
    lot_e8: int  # net delta under it is dust; see lot_at
    buy_leg: int
    opened_mono_ns: int
    opened_unix_ns: int
    entry_spread_e8: int  # detected when the entry was decided
    entry_edge_e8: int
    phase: Phase = ENTERING
    orders: dict[ClientOrderId, Order] = field(default_factory=dict)
    legs: dict[ClientOrderId, int] = field(default_factory=dict)
    exit_spread_e8: int | None = None  # detected when the exit was decided
    exit_reason: str = ""
    first_leg: int | None = None  # the leg sent alone at first, by policy; None: both at once
    order_class: str = ""  # of its entry order, which is then alone; "" is the venue's usual one
    external_e8: list[int] = field(default_factory=lambda: [0, 0])  # changes of position nobody ordered, by leg
    held_since_mono_ns: int = 0
    exit_from_e8: tuple[int, int] = (0, 0)  # positions when the close began
    unhedged_since_mono_ns: int = 0  # 0 while hedged
    unhedged_ns_max: int = 0
    repairs: int = 0
    attempts: int = 0
    not_before_mono_ns: int = 0
    waiting_since_mono_ns: int = 0  # since when a venue we need was not ready
    alarmed: bool = False
    released: bool = False  # a person let a stuck trade try again
    forced: bool = False  # closing by order of a person, a limit or a shutdown: caps are the wide ones
    rest_tries: int = 0  # orders in a row for less than their venue's smallest, of which nothing filled
    rest_of_e8: tuple[int, int] = (0, 0)  # the positions they were for
    _held_e8: list[int] = field(default_factory=lambda: [0, 0])  # positions by leg; see recount

    # ---- what is told to the trade -----------------------------------------------------------------------------

    def add(self, leg: int, request: OrderRequest) -> None:
        """Register an order before its bytes can leave."""
        if request.client_id in self.orders:
            raise ValueError(f"client id used twice: {request.client_id}")
        self.orders[request.client_id] = Order(request)
        self.legs[request.client_id] = leg

    def on_order(self, client_id: ClientOrderId, event: OrderEvent, now_mono_ns: int) -> None:
        """Account for news of an order. Raises IllegalTransition, with the trade unchanged."""
        self.orders[client_id] = apply(self.orders[client_id], event)
        self.recount()
        self._watch_delta(now_mono_ns)

    def adjust(self, leg: int, size_e8: int, now_mono_ns: int) -> None:
        """Count a change of a leg's position that no order of ours made: a liquidation, a bust, a hand on the venue."""
        self.external_e8[leg] += size_e8
        self.recount()
        self._watch_delta(now_mono_ns)

    def want_exit(self, reason: str, books: tuple[Book, Book], *, forced: bool = False) -> None:
        """Ask for a close. From HOLDING (or STUCK) the next `advance` sends it; before that it waits for the entry."""
        if not self.exit_reason or forced:
            self.exit_reason = reason
        if self.exit_spread_e8 is None:
            self.exit_spread_e8 = closing_spread_e8(books, self.buy_leg, self.matched_e8)
        self.forced = self.forced or forced
        self.try_again()

    def try_again(self) -> None:
        """Let a stuck trade try once more."""
        if self.phase is STUCK:
            self.released, self.alarmed = True, False

    def calm_close_e8(self, now_mono_ns: int) -> int:
        """Return the size a calm close asked for now would take off each leg, at once; 0 where it would not."""
        positions = (self.position_e8(0), self.position_e8(1))
        if self.phase is not HOLDING or self.exit_reason or self.forced or self.unfinished or sum(positions):
            return 0
        size_e8 = abs(positions[0])
        whole = all(size_e8 % leg.size_step_e8 == 0 for leg in self.rules.legs)
        return size_e8 if whole and now_mono_ns >= self.not_before_mono_ns else 0

    # ---- what it shows -----------------------------------------------------------------------------------------

    def position_e8(self, leg: int) -> int:
        """Return the signed position of a leg: what filled, and what others did to it."""
        return self._held_e8[leg]

    def recount(self) -> None:
        """Add up the positions: after each piece of news, because frames ask for them far more often."""
        held_e8 = list(self.external_e8)
        for client_id, order in self.orders.items():
            held_e8[self.legs[client_id]] += order.request.side.sign * order.filled_e8
        self._held_e8 = held_e8

    @property
    def delta_e8(self) -> int:
        return self.position_e8(0) + self.position_e8(1)

    @property
    def matched_e8(self) -> int:
        """Return the size that is on both legs."""
        return min(abs(self.position_e8(0)), abs(self.position_e8(1)))

    @property
    def is_rest(self) -> bool:
        """Whether what is left is under the smallest order of its venue, and was refused for it."""
        return self.rest_tries >= REST_TRIES_MAX and self.rest_of_e8 == (self.position_e8(0), self.position_e8(1))

    @property
    def unfinished(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.is_final]

    @property
    def in_doubt(self) -> list[Order]:
        return [order for order in self.orders.values() if order.state is OrderState.UNKNOWN]

    @property
    def fees_e8(self) -> int:
        return sum(order.fee_e8 for order in self.orders.values())

    @property
    def pnl_e8(self) -> int:
        """Return money made after fees, by fills alone; it means profit only once both legs are closed."""
        return sum(-o.request.side.sign * o.notional_e8 for o in self.orders.values()) - self.fees_e8

    def executed_spread_e8(self, purposes: Iterable[Purpose]) -> int | None:
        """Return the executed (sell - buy) / mid rate over these purposes; None unless both sides filled and priced."""
        wanted = frozenset(purposes)
        sizes, notionals = [0, 0], [0, 0]
        for order in self.orders.values():
            if order.request.purpose in wanted and order.filled_e8:
                if not order.is_priced:
                    return None
                at = 0 if order.request.side is Side.BUY else 1
                sizes[at] += order.filled_e8
                notionals[at] += order.notional_e8
        if 0 in sizes:
            return None
        # Compared per unit of size: after partial fills the two sides differ by dust.
        buy_e8, sell_e8 = (notional * E8 // size for notional, size in zip(notionals, sizes, strict=True))
        return spread_rate_e8(buy_e8, sell_e8)

    # ---- deciding ----------------------------------------------------------------------------------------------

    def advance(self, books: tuple[Book, Book], ready: tuple[bool, bool], now_mono_ns: int) -> list[Command]:
        """Return what to do next; nothing while an order is unfinished, a retry is paced, or all is well.

        Call after every order event and on a timer. books may be stale or invalid: closing then uses the last
        prices known with the wide cap (I8). ready says which venue can take an order now.
        """
        commands = self._overdue(now_mono_ns)
        # A step may settle into a state that has a next step at once (hedged, and an exit is already wanted).
        while not self.unfinished and now_mono_ns >= self.not_before_mono_ns:
            finding = self._finding(books, ready, now_mono_ns)
            after = NEXT[self.phase].get(finding) if finding is not None else None
            if finding is None or after is None:
                break
            changed = after is not self.phase
            if changed:
                commands.extend(self._enter(after, finding, now_mono_ns))
            places = self._act(after, books, ready, now_mono_ns)
            commands.extend(places)
            if places or not changed:
                break
        return commands

    def _enter(self, phase: Phase, finding: Finding, now_mono_ns: int) -> list[Command]:
        self.phase = phase
        self.attempts, self.waiting_since_mono_ns, self.not_before_mono_ns = 0, 0, 0
        self.released = False
        if phase is HOLDING:
            self.held_since_mono_ns = self.held_since_mono_ns or now_mono_ns
            if finding is Finding.HEDGED and self.exit_from_e8 != (0, 0):
                self.exit_reason, self.exit_spread_e8, self.exit_from_e8 = "", None, (0, 0)
                self.not_before_mono_ns = now_mono_ns + EXIT_AGAIN_NS
        elif phase is EXITING:
            self.exit_from_e8 = (self.position_e8(0), self.position_e8(1))
        if phase is STUCK and self.is_rest:
            return [PhaseChanged(phase, "rest"), Rest(self._rest_text())]
        self.rest_tries = 0
        changed: list[Command] = [PhaseChanged(phase, finding.value)]
        if phase is STUCK:
            legs = f"{format_e8(self.position_e8(0))} and {format_e8(self.position_e8(1))}"
            changed.append(Alarm(f"trade {self.trade_id} stuck with legs {legs}"))
        return changed

    def _finding(self, books: tuple[Book, Book], ready: tuple[bool, bool], now_mono_ns: int) -> Finding | None:
        positions = (self.position_e8(0), self.position_e8(1))
        if positions == (0, 0):
            return Finding.EMPTY
        if self.phase is STUCK:
            return Finding.EXIT if self.released else None
        if self.phase in (EXITING, CLOSED):
            return self._closing_finding(positions)
        if self._hedged(positions):
            return Finding.EXIT if self.exit_reason and self.phase is HOLDING else Finding.HEDGED
        return self._uneven(books, ready, now_mono_ns)

    def _closing_finding(self, positions: tuple[int, int]) -> Finding:
        if self.phase is EXITING and self._exhausted:
            return Finding.EXHAUSTED
        missed = self.phase is EXITING and self.attempts > 0 and positions == self.exit_from_e8
        return Finding.HEDGED if missed and not self.forced and self._hedged(positions) else Finding.REMAINS

    def _hedged(self, positions: tuple[int, int]) -> bool:
        return 0 not in positions and abs(sum(positions)) < self.lot_e8

    def _uneven(self, books: tuple[Book, Book], ready: tuple[bool, bool], now_mono_ns: int) -> Finding | None:
        if self.phase is UNWINDING and self._exhausted:
            return Finding.EXHAUSTED
        if self.phase in (ENTERING, REPAIRING):
            return self._missing_or_excess(books, ready, now_mono_ns)
        return Finding.EXCESS

    @property
    def _exhausted(self) -> bool:
        return self.attempts >= ATTEMPTS_MAX or self.is_rest

    def _rest_text(self) -> str:
        on = [
            f"{format_e8(self.position_e8(leg))} on {instrument.venue} {instrument.symbol}"
            for leg, instrument in enumerate(self.rules.legs)
            if self.position_e8(leg)
        ]
        return f"{' and '.join(on)} left of trade {self.trade_id}: less than the venue's smallest order"

    def _missing_or_excess(
        self, books: tuple[Book, Book], ready: tuple[bool, bool], now_mono_ns: int
    ) -> Finding | None:
        """Decide between asking the lagging leg again and giving back the leading one."""
        lag = self._lagging
        allowed = self.rules.repairs_max + (self.first_leg is not None)
        if self.exit_reason or self.repairs >= allowed:
            return Finding.EXCESS
        if not ready[lag]:
            # Its venue may be back in a moment; half the time bound is left for the unwind.
            self.waiting_since_mono_ns = self.waiting_since_mono_ns or now_mono_ns
            waited_ns = now_mono_ns - self.waiting_since_mono_ns
            return None if waited_ns < self.rules.unhedged_ns_max // 2 else Finding.EXCESS
        return Finding.MISSING if self._repair(books) is not None else Finding.EXCESS

    @property
    def _lagging(self) -> int:
        return 0 if abs(self.position_e8(0)) < abs(self.position_e8(1)) else 1

    def _act(self, phase: Phase, books: tuple[Book, Book], ready: tuple[bool, bool], now_mono_ns: int) -> list[Command]:
        places: list[Command] = []
        if phase is REPAIRING:
            repair = self._repair(books)
            if repair is not None:
                self.repairs += 1
                places.append(repair)
        elif phase is UNWINDING:
            places.extend(self._reduce(1 - self._lagging, abs(self.delta_e8), Purpose.UNWIND, books, ready))
        elif phase is EXITING:
            places.extend(self._close_both(books, ready))
        if places:
            self.attempts += 1
            self._count_rest(places)
            self._pace(now_mono_ns)
        return places

    def _count_rest(self, places: list[Command]) -> None:
        held_e8 = (self.position_e8(0), self.position_e8(1))
        if not all(isinstance(place, Place) and _is_too_small(self.rules, place) for place in places):
            self.rest_tries = 0
        else:
            self.rest_tries = self.rest_tries + 1 if held_e8 == self.rest_of_e8 else 1
        self.rest_of_e8 = held_e8

    def _close_both(self, books: tuple[Book, Book], ready: tuple[bool, bool]) -> list[Place]:
        """Return the closing orders; none yet while a leg that is on has a venue that takes none.

        With both legs on it is the pair that closes, never one leg alone.
        """
        on = [leg for leg in (0, 1) if self.position_e8(leg)]
        if not all(ready[leg] for leg in on):
            return []
        places = []
        for leg in on:
            places.extend(self._reduce(leg, abs(self.position_e8(leg)), Purpose.EXIT, books, ready))
        return places

    def _pace(self, now_mono_ns: int) -> None:
        """Set when the next step may follow this one; the first follows at once."""
        delay_ns = 0 if self.attempts <= 1 else min(RETRY_NS_MIN << min(self.attempts - 2, 10), RETRY_NS_MAX)
        self.not_before_mono_ns = now_mono_ns + delay_ns

    def _repair(self, books: tuple[Book, Book]) -> Place | None:
        """Return the order for what the lagging leg misses, or None where it cannot pay or cannot be sent."""
        lag = self._lagging
        lead_filled_e8, lead_notional_e8 = self._entered(1 - lag)
        if lead_filled_e8 == 0 or abs(self.position_e8(1 - lag)) > self._target_e8:
            return None  # a leg that has grown past the target is given back, never matched
        instrument = self.rules.legs[lag]
        side = Side.BUY if lag == self.buy_leg else Side.SELL
        size_e8 = floor_to(abs(self.delta_e8), instrument.size_step_e8)
        # The edge left after the first fill: at this price the round trip still pays its fees and its exit.
        costs_e8 = self.rules.fees_round_trip_e8 + self.rules.exit_spread_e8
        lead_price_e8 = lead_notional_e8 * E8 // lead_filled_e8
        cap_e8 = instrument.cap(side, lead_price_e8 - side.sign * (lead_price_e8 * costs_e8 // E8))
        reachable = books[lag].walk(side, size_e8)
        beyond = reachable.worst_price_e8 * side.sign > cap_e8 * side.sign
        if reachable.size_e8 < size_e8 or beyond or not _sendable(self.rules, lag, size_e8, cap_e8):
            return None
        return Place(lag, side, size_e8, cap_e8, Purpose.REPAIR, reduce_only=False)

    @property
    def _target_e8(self) -> int:
        """Return the size each leg was to have."""
        entries = (order for order in self.orders.values() if order.request.purpose is Purpose.ENTRY)
        return max((order.request.size_e8 for order in entries), default=0)

    def _entered(self, leg: int) -> tuple[int, int]:
        """Return (size, notional) of what entry and repair orders of a leg filled, for its average price."""
        orders = [
            order
            for client_id, order in self.orders.items()
            if self.legs[client_id] == leg and order.request.purpose in (Purpose.ENTRY, Purpose.REPAIR)
        ]
        if not all(order.is_priced for order in orders):
            return 0, 0
        return sum(o.filled_e8 for o in orders), sum(o.notional_e8 for o in orders)

    def _reduce(
        self, leg: int, size_e8: int, purpose: Purpose, books: tuple[Book, Book], ready: tuple[bool, bool]
    ) -> list[Place]:
        """Return the order that takes size_e8 off a leg's position, if its venue can take one now."""
        position_e8 = self.position_e8(leg)
        size_e8 = floor_to(min(size_e8, abs(position_e8)), self.rules.legs[leg].size_step_e8)
        if size_e8 == 0 or not ready[leg]:
            return []
        side = Side.SELL if position_e8 > 0 else Side.BUY
        reachable = books[leg].walk(side, size_e8)
        price_e8 = reachable.worst_price_e8 if reachable.size_e8 == size_e8 else self._last_price_e8(leg, books)
        calm = purpose is Purpose.EXIT and not self.forced and self.attempts == 0 and reachable.size_e8 == size_e8
        slip_e8 = self.rules.slippage_e8 if calm else self.rules.emergency_e8
        return [_place(self.rules, leg, side, size_e8, price_e8, slip_e8, purpose)]

    def _last_price_e8(self, leg: int, books: tuple[Book, Book]) -> int:
        """Return the best price to reason from without a usable book: other venue's mid, else our own fills."""
        for at in (leg, 1 - leg):
            if books[at].two_sided:
                return books[at].mid_e8()
        filled = [o for o in self.orders.values() if o.filled_e8 and o.is_priced]
        if filled:
            return filled[-1].notional_e8 * E8 // filled[-1].filled_e8
        return max(order.request.cap_price_e8 for order in self.orders.values())

    # ---- watching the clock ------------------------------------------------------------------------------------

    def _watch_delta(self, now_mono_ns: int) -> None:
        """Keep the longest stretch with a net delta of a lot or more (I2)."""
        unhedged = abs(self.delta_e8) >= self.lot_e8
        if self.unhedged_since_mono_ns:
            self.unhedged_ns_max = max(self.unhedged_ns_max, now_mono_ns - self.unhedged_since_mono_ns)
        if unhedged and not self.unhedged_since_mono_ns:
            self.unhedged_since_mono_ns = now_mono_ns
        elif not unhedged:
            self.unhedged_since_mono_ns = 0
            self.alarmed = False

    def _overdue(self, now_mono_ns: int) -> list[Command]:
        self._watch_delta(now_mono_ns)
        since_ns = self.unhedged_since_mono_ns
        if not since_ns or self.alarmed or now_mono_ns - since_ns <= self.rules.unhedged_ns_max:
            return []
        self.alarmed = True
        unhedged_ms = (now_mono_ns - since_ns) // 1_000_000
        return [Alarm(f"trade {self.trade_id} unhedged for {unhedged_ms} ms: {format_e8(self.delta_e8)}")]


def _sendable(rules: PairRules, leg: int, size_e8: int, price_e8: int) -> bool:
    instrument = rules.legs[leg]
    return size_e8 >= instrument.size_min_e8 > 0 and notional_e8(price_e8, size_e8) >= instrument.notional_min_e8


def _is_too_small(rules: PairRules, place: Place) -> bool:
    """Whether the venue may refuse it for its size or its value; a tenth of the value is left for the price."""
    instrument, value_e8 = rules.legs[place.leg], notional_e8(place.cap_price_e8, place.size_e8)
    return place.size_e8 < instrument.size_min_e8 or 10 * value_e8 < 11 * instrument.notional_min_e8


def lot_at(rules: PairRules, price_e8: int) -> int:
    """Return the smallest net delta worth a hedge: one step of both venues, and enough for both minimum notionals.

    A tenth is added to the minimum notional's size, because the price moves while the trade is open.
    """
    smallest_e8 = max(leg.notional_min_e8 for leg in rules.legs) * E8 * 11 // (10 * price_e8)
    return max(rules.lot_e8, ceil_to(smallest_e8, rules.lot_e8))


def entry_places(rules: PairRules, found: Opportunity, first_leg: int | None) -> list[Place]:
    """Return the entry orders: both, or by policy the harder leg's alone.

    After a first leg alone, the second is what the lagging leg misses: its size is what filled, its cap the edge
    that is left.
    """
    buy_leg, slip_e8, size_e8 = found.buy_leg, rules.slippage_e8, found.size_e8
    places = []
    if first_leg is None or first_leg == buy_leg:
        places.append(_place(rules, buy_leg, Side.BUY, size_e8, found.buy_worst_e8, slip_e8, Purpose.ENTRY))
    if first_leg is None or first_leg != buy_leg:
        places.append(_place(rules, 1 - buy_leg, Side.SELL, size_e8, found.sell_worst_e8, slip_e8, Purpose.ENTRY))
    return places


def _place(
    rules: PairRules, leg: int, side: Side, size_e8: int, price_e8: int, slip_e8: int, purpose: Purpose
) -> Place:
    cap_e8 = slipped(rules.legs[leg], side, price_e8, slip_e8)
    reduce_only = purpose in (Purpose.EXIT, Purpose.UNWIND)
    return Place(leg, side, size_e8, cap_e8, purpose, reduce_only, price_e8)
