"""Follows a bot's journal from outside while the bot lives and dies: what it is doing, when an order is about to leave.

For the crash drill. It reads only, and shares nothing with the bot but the records.
"""

from dataclasses import dataclass
from pathlib import Path

from deltawire.journal.records import (
    OrderIntended,
    OrderObserved,
    PositionsChecked,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeStateChanged,
)
from deltawire.journal.segments import Tail

# An intent is on record before the change of phase it belongs to.
_PHASES = {"entry": "entering", "repair": "repairing", "unwind": "unwinding", "exit": "exiting"}
_LAST_WORDS = frozenset({"closed", "rejected", "not_sent", "not_found"})


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the bot was at one moment, by its own journal."""

    phase: str  # of the newest open trade; "watching" without one
    orders_out: int  # intended, and the journal has no last word of them
    was_open: bool  # a trade was open


class JournalWatch:
    """The state a journal tells, kept up to its last record."""

    def __init__(self, directory: Path) -> None:
        self._tail = Tail(directory)
        self._phases: dict[str, str] = {}  # open trades
        self._out: dict[str, OrderIntended] = {}
        self._filled_e8: dict[str, int] = {}
        self._running = False
        self.run_id = ""
        self.last_intended: OrderIntended | None = None  # newest intent since `forget_intents`
        self.ended: RunEnded | None = None
        self.round_trips = 0

    def look(self) -> None:
        """Read what is new."""
        while batch := self._tail.poll():
            for _, record in batch:
                self._learn(record)

    def forget_intents(self) -> None:
        self.last_intended = None

    @property
    def is_running(self) -> bool:
        """Whether the newest run has compared its positions with the venues and may trade."""
        return self._running

    @property
    def phases(self) -> set[str]:
        """What the open trades are doing."""
        return set(self._phases.values())

    @property
    def scene(self) -> Scene:
        return Scene(next(reversed(self._phases.values()), "watching"), len(self._out), bool(self._phases))

    def _learn(self, record: Record) -> None:
        match record:
            case RunStarted():
                self._running, self.run_id, self.ended = False, record.run_id, None
            case PositionsChecked():
                self._running = True
            case RunEnded():
                self.ended = record
            case OrderIntended():
                self.last_intended = record
                self._out[record.client_id] = record
                self._phases[record.trade_id] = _PHASES[record.purpose]
            case OrderObserved():
                self._on_observed(record)
            case TradeStateChanged(trade_id=trade_id) if trade_id in self._phases:
                self._phases[trade_id] = record.state
            case TradeClosed():
                self._phases.pop(record.trade_id, None)
                self.round_trips += record.outcome == "closed"
            case _:
                pass

    def _on_observed(self, news: OrderObserved) -> None:
        intent = self._out.get(news.client_id)
        if intent is None:
            return
        size_e8 = news.size_e8 or 0
        so_far_e8 = self._filled_e8.get(news.client_id, 0)
        if news.kind == "fill":
            self._filled_e8[news.client_id] = so_far_e8 + size_e8
        elif news.kind == "filled_total":
            self._filled_e8[news.client_id] = max(so_far_e8, size_e8)
        if news.kind in _LAST_WORDS or self._filled_e8.get(news.client_id, 0) >= intent.size_e8:
            del self._out[news.client_id]
