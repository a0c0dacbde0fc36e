"""Every log event the source can write, read from the source itself, and the table of docs/events.md.

`python -m tests.event_names` brings the table up to date: it keeps what is written about an event, adds new events with
an empty meaning (a test then asks for it), and drops those that are gone.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from deltawire.observe.library import field_names

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/deltawire"
PAGE = ROOT / "docs/events.md"
LEVELS = ("debug", "info", "warning", "error")
MORE = "…"  # fields that only the running program knows
# The one place whose events come from elsewhere: it passes on what libraries say. Its own event is named here.
PASSED_ON = SOURCE / "observe/library.py"
LIBRARY_EVENT = "library.message"
# Levels and fields that are made apart from the call: the latency line's stamps become one field a phase.
WRITTEN_OTHERWISE = {"order.latency": ("client_id", "venue", MORE)}

_ROW = re.compile(r"^\| `([a-z_.]+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")


@dataclass
class Use:
    """How the source writes one event."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)

    @property
    def level_text(self) -> str:
        return ", ".join(level for level in LEVELS if level in self.levels)

    @property
    def field_text(self) -> str:
        return ", ".join(sorted(self.fields - {MORE}) + sorted(self.fields & {MORE}))


@dataclass
class Row:
    """One event as the page tells it."""

    levels: str
    fields: str
    meaning: str


@cache
def in_source() -> tuple[dict[str, Use], list[str]]:
    """Return every event of the source, and the places whose event cannot be known from the text."""
    events: dict[str, Use] = {}
    unknown: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        reader = Reader(ast.parse(path.read_text()))
        for names, levels, fields, line in reader.calls():
            place = f"{path.relative_to(ROOT)}:{line}"
            if not names and path != PASSED_ON:
                unknown.append(place)
            for name in names:
                use = events.setdefault(name, Use())
                use.levels |= levels
                use.fields |= set(WRITTEN_OTHERWISE.get(name, fields))
                use.places.append(place)
    library = events.setdefault(LIBRARY_EVENT, Use())
    library.levels, library.fields = {"warning", "error"}, {"logger", "text", MORE}
    library.places.append(str(PASSED_ON.relative_to(ROOT)))
    return events, unknown


class Reader:
    """Finds the log calls of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._constants = _constants_of(self._tree) | _imported(self._tree)

    def calls(self) -> Iterator[tuple[list[str], set[str], set[str], int]]:
        """Yield names, levels, fields and line of each call; no names where they cannot be known."""
        aliases = self._aliases()
        for node in ast.walk(self._tree):
            match node:
                case ast.Call(
                    func=ast.Name(id="Entry"), args=[_, ast.Attribute(attr=level), event, ast.Dict(keys=keys)]
                ):
                    names = self._names(event)  # none: an entry made anew from another
                    if names:
                        fields = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
                        yield names, {level.lower()}, fields, node.lineno
                case ast.Call(func=ast.Attribute(value=owner, attr=level)) if level in LEVELS and _is_log(owner):
                    yield self._names(node.args[0]), {level}, _fields(node), node.lineno
                case ast.Call(func=ast.Attribute(value=ast.Name(id="_LOG"), attr=level), args=[text, *_]):
                    message = str(text.value) if isinstance(text, ast.Constant) else ""
                    name = message.partition(" ")[0]
                    fields = set(field_names(message)) | ({"exception"} if level == "exception" else set())
                    yield [name] if name else [], {"error" if level == "exception" else level}, fields, node.lineno
                case ast.Call(func=ast.Name(id=name)) if name in aliases:
                    yield self._names(node.args[0]), aliases[name], _fields(node), node.lineno

    def _aliases(self) -> dict[str, set[str]]:
        """Return names given to log methods, as in `tell = log.info if planned else log.warning`."""
        found: dict[str, set[str]] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                sides = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                levels = {
                    side.attr
                    for side in sides
                    if isinstance(side, ast.Attribute) and side.attr in LEVELS and _is_log(side.value)
                }
                if levels:
                    found[node.targets[0].id] = levels
        return found

    def _names(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Constant(value=str(name)):
                return [name]
            case ast.IfExp(body=body, orelse=other):
                return [*self._names(body), *self._names(other)]
            case ast.Name(id=name) if name in self._constants:
                return [self._constants[name]]
        return []


def _constants_of(tree: ast.Module) -> dict[str, str]:
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return names taken from other modules of ours that are constants there."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("deltawire."):
            there = _constants_at(SOURCE.parent / f"{(node.module or '').replace('.', '/')}.py")
            found |= {alias.asname or alias.name: there[alias.name] for alias in node.names if alias.name in there}
    return found


@cache
def _constants_at(path: Path) -> dict[str, str]:
    return _constants_of(ast.parse(path.read_text())) if path.is_file() else {}


def _is_log(owner: ast.expr) -> bool:
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name in {"log", "_log"}


def _fields(call: ast.Call) -> set[str]:
    return {keyword.arg or MORE for keyword in call.keywords}


def on_page(text: str) -> dict[str, Row]:
    """Return the rows of docs/events.md. Raises ValueError for an event told twice."""
    rows: dict[str, Row] = {}
    for line in text.splitlines():
        if found := _ROW.match(line):
            name, levels, fields, meaning = (part.strip() for part in found.groups())
            if name in rows:
                raise ValueError(f"{name} is told twice")
            rows[name] = Row(levels, fields, meaning)
    return rows


def renewed(text: str, events: dict[str, Use]) -> str:
    """Return the page with its tables made anew; what stands before the first of them stays as it is."""
    known = on_page(text)
    head = text.partition("\n## ")[0].rstrip()
    groups: dict[str, list[str]] = {}
    for name in sorted(events):
        groups.setdefault(name.split(".")[0], []).append(name)
    parts = [head]
    for group, names in groups.items():
        parts.append(f"\n## {group}\n\n| event | level | fields | what it means |\n|---|---|---|---|")
        for name in names:
            meaning = known[name].meaning if name in known else ""
            parts.append(f"| `{name}` | {events[name].level_text} | {events[name].field_text} | {meaning} |")
    return "\n".join(parts) + "\n"


def main() -> None:
    events, unknown = in_source()
    for place in unknown:
        sys.stderr.write(f"{place}: the event's name cannot be read from the source\n")
    PAGE.write_text(renewed(PAGE.read_text(), events))


if __name__ == "__main__":
    main()
