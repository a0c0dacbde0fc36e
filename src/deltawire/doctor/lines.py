"""What a check says: one line each, ok, warn, fail or skip, and the remedy of what is not ok."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


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
        self.lines.append(line)
        self.on_line(line)
