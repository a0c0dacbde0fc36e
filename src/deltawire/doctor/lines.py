"""What a check says: one line each, ok, warn, fail or skip, and the remedy of what is not ok."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

# Every line's name: a contract with scripts. name -> where it stands, and what is looked at.
NAMES: dict[str, tuple[str, str]] = {
    "config": ("settings", "the file can be read, and every key in it is known and in range"),
    "keys": ("settings", "accounts and keys: there, in the right form, of one wallet, not open to others"),
    "live": ("settings", "mode live on real venues: whether `run --live` was said for these accounts"),
    "alerts": ("settings", "whether this place knows where alerts go"),
    "ca_file": ("settings", "certificate authorities named: readable, not about to end"),
    "entry_edge": ("settings", "the edge of an entry against what an order may slip by"),
    "disk": ("machine", "room for the journal: warns under 2 GiB, fails under 200 MiB"),
    "journal": ("machine", "the journal's folder can be written, and its size: warns over 1 GiB"),
    "open_files": ("machine", "how many files the process may open; shown only when they are few"),
    "running": ("machine", "a bot that runs on this journal; shown only when there is one"),
    "last_run": ("machine", "what an earlier run left: an unclean end, a halt, open trades"),
    "dns": ("venue", "the names of both hosts"),
    "tls": ("venue", "connection, certificate, protocol"),
    "round_trip": ("venue", "small public calls on a kept-alive connection: warns over 250 ms, or when some stall"),
    "clock": ("venue", "our clock against the venue's: warns over 250 ms, fails over the receive window"),
    "market_data": ("venue", "the public side as a whole; shown only when it cannot be used"),
    "rules": ("venue, pair", "tick, size step, least notional and fee; on a pair, that both venues' go together"),
    "market_state": ("venue", "whether the market takes entries now"),
    "book": ("venue", "that a book comes within 10 s, with both sides"),
    "threshold": ("pair", "the spread a trade needs, against the fees it pays"),
    "notional": ("pair", "the size in USD against our limits and the venues' least"),
    "spread": ("pair", "the spread now"),
    "account": ("venue", "why the account was not looked at, or could not be"),
    "sign_in": ("venue", "the key is accepted"),
    "key": ("venue", "what kind of key it is: warns of one that can withdraw"),
    "leverage": ("venue", "the leverage set for the markets traded"),
    "fees": ("venue", "the account's own taker fee"),
    "balance": ("venue", "equity and free collateral against what a trade binds; in mode paper, of the paper account"),
    "positions": ("venue", "positions that are on"),
    "open_orders": ("venue", "orders that rest"),
}


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # the bot runs, and its owner should know
    FAIL = "fail"  # the bot cannot run, or would not trade
    SKIP = "skip"  # not looked at; the line says why


@dataclass(frozen=True, slots=True)
class Line:
    section: str  # settings, machine, a venue, or a pair
    name: str  # stable, for scripts
    level: Level
    found: str
    remedy: str = ""  # empty for ok and skip, never for the others


@dataclass(slots=True)
class Sheet:
    """Collects the lines, and tells each as it comes."""

    on_line: Callable[[Line], None] = lambda _: None
    on_wait: Callable[[str], None] = lambda _: None  # what is being waited for, "" for nothing
    lines: list[Line] = field(default_factory=list)

    def ok(self, section: str, name: str, found: str) -> None:
        self._add(Line(section, name, Level.OK, found))

    def warn(self, section: str, name: str, found: str, remedy: str) -> None:
        self._add(Line(section, name, Level.WARN, found, remedy))

    def fail(self, section: str, name: str, found: str, remedy: str) -> None:
        self._add(Line(section, name, Level.FAIL, found, remedy))

    def skip(self, section: str, name: str, why: str) -> None:
        self._add(Line(section, name, Level.SKIP, why))

    def wait(self, what: str) -> None:
        self.on_wait(what)

    def count(self, level: Level) -> int:
        return sum(line.level is level for line in self.lines)

    @property
    def passed(self) -> bool:
        return not self.count(Level.FAIL)

    def _add(self, line: Line) -> None:
        if line.name not in NAMES:
            raise KeyError(f"{line.name} is not in NAMES")
        self.lines.append(line)
        self.on_line(line)
