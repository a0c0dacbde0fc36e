"""Says what a run broke: the journal's own rules, the venues' books against the bot's, exposure, and a good end.

Looks at what both venues really hold, which the bot cannot see, while it runs and when it is over. Shares no state
machine with the bot; of the bot it reads only whether it is up and what it says it does not know.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from deltawire.core import order as order_table
from deltawire.core import trade as trade_table
from deltawire.core.order import IllegalTransition, Order, apply
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId
from deltawire.engine.recovery import filled_by_records, read_back
from deltawire.faultrun.kinds import S_NS, VENUES
from deltawire.faultrun.loop import START_NS, VirtualLoop
from deltawire.faultrun.plan import Plan
from deltawire.faultrun.process import PARADEX_SYMBOL, UNHEDGED_NS_MAX, VEST_SYMBOL, Process
from deltawire.journal.check import check_records
from deltawire.journal.records import (
    LadderSigned,
    OrderIntended,
    OrderObserved,
    Record,
    TradeClosed,
    TradeStateChanged,
    event_of,
)
from deltawire.journal.segments import read
from deltawire.sim.paradex_accounts import Account as ParadexAccount
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.sim.vest_accounts import Account as VestAccount
from deltawire.sim.vest_exchange import VestExchange

LOT_E8 = 30_000  # 0.0003 BTC: the smallest hedge both venues take, at the lowest price a seed draws
# The bot hears of a fill late: an answer's time-out, a look-up's, and the reads in between. Past this and its own bound
# it must have given alarm, or be asking for an order it does not know the end of.
NEWS_NS_MAX = 8 * S_NS
# Two looks of the bot at both accounts, each of which must find nothing moving.
LOOKS_NS_MAX = 20 * S_NS
LOOK_NS_MAX = S_NS // 10  # between two looks; more has passed only when the process stood still
# What the journal shows of rows that lead from a phase to itself: the orders they send, and a state that is looked at.
_PHASE_OF = {"repair": "repairing", "unwind": "unwinding", "exit": "exiting"}
_SAME_AGAIN = {"repairing": "missing", "unwinding": "excess", "exiting": "remains"}
_AT_REST = {"holding": "hedged", "closed": "empty"}
_NEEDS_RECORD = frozenset({"I5", "I6"})


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken rule: which, when, and how."""

    rule: str
    text: str
    at_ns: int

    def __str__(self) -> str:
        return f"{self.at_ns / S_NS:10.6f} ! {self.rule}: {self.text}"


class Told(Protocol):
    def world(self, event: str, **fields: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class VenueBooks:
    """The truth."""

    paradex: ParadexAccount
    vest: VestAccount
    paradex_venue: SimulatedParadex
    vest_exchange: VestExchange

    def positions(self) -> tuple[int, int]:
        return self.paradex.size_e8(PARADEX_SYMBOL), self.vest.ledger.position(VEST_SYMBOL).size_e8

    def filled(self) -> dict[tuple[str, str], int]:
        """Return what each order filled, by venue and the id it is known by there."""
        found: dict[tuple[str, str], int] = {}
        for order in self._orders():
            found[order.key] = found.get(order.key, 0) + order.filled_e8
        return found

    def ids(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each order that was taken, as often as it was."""
        return (order.key for order in self._orders())

    def moved_by_others_e8(self, venue: str) -> int:
        """Return how much was closed by others' orders, and taken back, since the start."""
        if venue == "vest":
            return sum(order.filled_e8 for order in self.vest_exchange.orders.values() if order.nonce is None)
        busted = {bust.fill_id for bust in self.paradex_venue.exchange.busts}
        closed_e8 = sum(order.filled_e8 for order in self.paradex.orders.values() if not order.client_id)
        return closed_e8 + sum(fill.size_e8 for fill in self.paradex.fills if fill.id in busted)

    def misled(self) -> dict[tuple[str, str], int]:
        """Return the sizes of the orders that a venue had and denied, by venue and id."""
        return {order.key: order.size_e8 for order in self._orders() if order.misled}

    def _orders(self) -> Iterator["Taken"]:
        """Yield all orders that the bot sent; those by which somebody else closed a position are nobody's."""
        for order in self.paradex.orders.values():
            if order.client_id:
                yield Taken(("paradex", order.client_id), order.size_e8, order.filled_e8, order.misled)
        for vest in self.vest_exchange.orders.values():
            if vest.nonce is not None:
                yield Taken(("vest", str(vest.nonce)), vest.size_e8, vest.filled_e8, vest.misled)


class Taken(NamedTuple):
    """One order of the bot's at its venue."""

    key: tuple[str, str]  # venue, and the id it is known by there
    size_e8: int
    filled_e8: int
    misled: bool


class Judge:
    def __init__(self, plan: Plan, books: VenueBooks, loop: VirtualLoop, log: Told, folder: Path) -> None:
        self._plan, self.books, self._loop, self._log, self._folder = plan, books, loop, log, folder
        self.broken: list[Broken] = []
        self.coverage: Counter[str] = Counter()
        self.process: Process | None = None
        self.calm = False
        # Exits that left while the disk was full and whose record died with the process: the one thing no journal can
        # know. The bot must still find out what the venues hold and end flat; its journal is not held to the rest.
        self.unrecorded = 0
        self._size_e8_max = plan.size_e8 * plan.layers_max
        self._exposed_ns = 0  # how long the present exposure has lasted while the bot could act
        self._looked_ns = loop.now_ns
        self._shown = (0, 0)
        self._alarms = 0
        self.called = 0  # how often a person was called for a position the bot cannot explain, since it was flat
        self._phases: dict[str, str] = {}

    def broke(self, rule: str, text: str) -> None:
        if self.unrecorded and rule in _NEEDS_RECORD:
            return
        if not any(known.rule == rule and known.text == text for known in self.broken):
            self.broken.append(Broken(rule, text, self._loop.now_ns - START_NS))

    def lost(self, intents: Iterable[OrderIntended]) -> None:
        """Excuse orders whose record died, but for those of ladders on record: the next run must find them."""
        if intents := list(intents):
            ladders = (record for _, record in read(self._folder) if isinstance(record, LadderSigned))
            named = {order.client_id for ladder in ladders for order in ladder.orders}
            self.unrecorded += sum(intent.client_id not in named for intent in intents)

    # ---- while it runs -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Compare what the venues hold now with what they may."""
        elapsed_ns, self._looked_ns = self._loop.now_ns - self._looked_ns, self._loop.now_ns
        held = self.books.positions()
        if held != self._shown:
            self._shown = held
            self._log.world("positions", paradex=held[0], vest=held[1])
        for venue, size_e8 in zip(("paradex", "vest"), held, strict=True):
            if abs(size_e8) > self._size_e8_max and abs(size_e8) > self._size_e8_max + self._not_the_bots_e8(venue):
                self.broke("I1", f"{venue} holds {size_e8}e-8, the pair may hold {self._size_e8_max}e-8")
        if not any(held):
            self.called = 0
        if abs(sum(held)) < LOT_E8:
            self._exposed_ns = self._alarms = 0
        elif self.process is not None and self.process.running:
            self._exposed_ns += min(elapsed_ns, LOOK_NS_MAX)  # a process that stands still can do nothing
            if self._exposed_ns > self._bound_ns() and not self._alarms and not self._asks():
                self.broke("I2", f"unhedged by {sum(held)}e-8 for long, without an alarm or an order in doubt")

    def _bound_ns(self) -> int:
        """Return how long a leg may be alone without an alarm: longer where only a look at the accounts can tell."""
        bound_ns = UNHEDGED_NS_MAX + NEWS_NS_MAX
        if self._exposed_ns <= bound_ns:
            return bound_ns
        told_wrong = self.books.misled() or any(map(self.books.moved_by_others_e8, VENUES))
        return bound_ns + LOOKS_NS_MAX if told_wrong else bound_ns

    def _asks(self) -> bool:
        """Whether the bot says that it does not know, and is asking."""
        bot = self.process.bot if self.process is not None else None
        return bot is not None and bot.resolver.busy

    def held(self) -> tuple[int, int]:
        """Return what the venues hold, signed."""
        return self.books.positions()

    def _not_the_bots_e8(self, venue: str) -> int:
        """Return by how much a leg may be too large without a fault of the bot.

        Its venue denied orders that it had; or others closed or took back what the bot's own orders close as well.
        """
        denied_e8 = sum(size_e8 for (at, _), size_e8 in self.books.misled().items() if at == venue)
        return denied_e8 + self.books.moved_by_others_e8(venue)

    def on_log(self, event: str, fields: dict[str, Any]) -> None:
        if event == "trade.alarm":
            self._alarms += 1
        elif event == "position.changed":
            self._alarms += 1
            self.called += 1
        elif event == "trade.phase":
            self._on_phase(str(fields["trade_id"]), str(fields["phase"]), str(fields["found"]))
        elif event == "trade.recovered":
            self._phases[str(fields["trade_id"])] = str(fields["phase"])
        elif event in {"bot.crashed", "order.illegal", "paradex.ws.handshake_bug", "vest.task_failed"}:
            self.broke("loop", f"{event}: {fields.get('reason')}")

    def _on_phase(self, trade_id: str, phase: str, found: str) -> None:
        before = self._phases.get(trade_id, "entering")
        self._phases[trade_id] = phase
        self.coverage[f"trade {before} {found}"] += 1

    # ---- when it is over ---------------------------------------------------------------------------------------

    def ended(self, *, clean: bool | None, failure: str) -> None:
        """Take the bot's own word of its end; the world was good by then."""
        if not clean:
            self.broke("live", f"the bot did not end clean: {failure or clean}")

    def finish(self) -> None:
        books, records = self.books, list(read(self._folder))
        misled = self._misled_trades([record for _, record in records])
        for violation in check_records(records):
            # A venue that denies an order it has makes the bot ask again, whatever the bot does.
            if violation.rule != "I1" or not any(trade_id in violation.text for trade_id in misled):
                self.broke(violation.rule, f"record {violation.seq}: {violation.text}")
        held = books.positions()
        if held != (0, 0):
            self.broke("end", f"the venues hold {held[0]}e-8 and {held[1]}e-8 at the end")
        for (venue, order_id), times in Counter(books.ids()).items():
            if times > 1:
                self.broke("I3", f"{venue} took order {order_id} {times} times")
        for venue, counters in (
            ("paradex", books.paradex_venue.exchange.counters),
            ("vest", books.vest_exchange.counters),
        ):
            if counters["duplicates"]:
                self.broke("I3", f"{venue} was sent {counters['duplicates']} orders again")
        self._compare_fills([record for _, record in records])
        self._count_rows([record for _, record in records])

    def _misled_trades(self, records: list[Record]) -> set[str]:
        misled = self.books.misled()
        return {
            record.trade_id for record in records if isinstance(record, OrderIntended) and _key_of(record) in misled
        }

    def _compare_fills(self, records: list[Record]) -> None:
        recovered, misled = read_back(records, 0), self.books.misled()
        told: dict[tuple[str, str], int] = {}
        for trade in recovered.trades.values():
            if trade.intents and trade.closed is None:
                self.broke("I5", f"trade {trade.trade_id} has no end in the journal")
            for intent in trade.intents:
                told[_key_of(intent)] = filled_by_records(intent, trade.news.get(intent.client_id, []))
        for (venue, order_id), filled_e8 in self.books.filled().items():
            if (venue, order_id) not in told:
                self.broke("I6", f"{venue} took order {order_id}, which no journal names")
            elif told[venue, order_id] != filled_e8 and (venue, order_id) not in misled:
                self.broke(
                    "I5", f"{venue} filled {filled_e8}e-8 of {order_id}, the journal says {told[venue, order_id]}e-8"
                )

    def _count_rows(self, records: list[Record]) -> None:
        """Count the rows of the order table that the journal's news went through, and the trade table's silent ones."""
        orders: dict[str, Order] = {}
        steps: dict[str, tuple[str, int]] = {}  # trade -> purpose and time of its last orders, not yet counted
        for record in records:
            match record:
                case OrderIntended():
                    if steps.get(record.trade_id, ("", 0)) != (record.purpose, record.unix_ns):
                        self._count_again(steps.pop(record.trade_id, None))
                        steps[record.trade_id] = (record.purpose, record.unix_ns)
                    orders[record.client_id] = Order(_request(record))
                case OrderObserved() if record.client_id in orders:
                    orders[record.client_id] = self._step(orders[record.client_id], event_of(record))
                case TradeStateChanged():
                    if _PHASE_OF.get(steps.get(record.trade_id, ("", 0))[0]) == record.state:
                        del steps[record.trade_id]  # these orders came with the change, which the log has told
                    if record.state in _AT_REST:
                        self.coverage[f"trade {record.state} {_AT_REST[record.state]}"] += 1
                case TradeClosed():
                    self._count_again(steps.pop(record.trade_id, None))
                case _:
                    pass

    def _count_again(self, step: tuple[str, int] | None) -> None:
        """Count orders that were sent without a change of phase: the same step once more."""
        if step is not None and step[0] in _PHASE_OF:
            phase = _PHASE_OF[step[0]]
            self.coverage[f"trade {phase} {_SAME_AGAIN[phase]}"] += 1

    def _step(self, order: Order, event: Any) -> Order:
        late = order.is_final and isinstance(event, order_table.AFTERTHOUGHTS)
        self.coverage[f"order {'over' if late else order.state.value} {type(event).__name__}"] += 1
        try:
            return apply(order, event)
        except IllegalTransition:
            return order


def _key_of(intent: OrderIntended) -> tuple[str, str]:
    return intent.venue, intent.client_id if intent.venue == "paradex" else str(intent.correlator)


def _request(intent: OrderIntended) -> OrderRequest:
    return OrderRequest(
        client_id=ClientOrderId(intent.client_id),
        trade_id=TradeId(intent.trade_id),
        purpose=Purpose(intent.purpose),
        instrument=Instrument(intent.venue, intent.symbol, 1, 1, 1, 0, 0, 0),
        side=Side(intent.side),
        size_e8=intent.size_e8,
        cap_price_e8=intent.cap_price_e8,
        reduce_only=intent.reduce_only,
    )


def rows() -> list[str]:
    """Return the name of every row of both tables, as coverage counts them."""
    orders = [f"order {state.value} {event.__name__}" for state, nexts in order_table.NEXT.items() for event in nexts]
    orders += [f"order over {event.__name__}" for event in order_table.AFTERTHOUGHTS]
    trades = [f"trade {phase.value} {found.value}" for phase, nexts in trade_table.NEXT.items() for found in nexts]
    return orders + trades
