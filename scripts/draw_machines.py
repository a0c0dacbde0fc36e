# ruff: noqa: INP001 - a script, not a package
"""Draws the state machines from their transition tables into docs/machines.md: draw_machines.py [--check].

What is drawn is NEXT of core/order.py and of core/trade.py with the comments beside its rows, so that the
page and the code show one table. --check writes nothing and fails when the page is not what would be written.
"""

import argparse
import ast
import io
import sys
import tokenize
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from deltawire.core import order, trade
from deltawire.core.events import Closed, FillSeen, OrderEvent
from deltawire.core.money import E8
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "machines.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. why: the comment beside it or over it, empty where the code has none."""

    before: str
    what: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    start: str
    finals: tuple[str, ...]
    head: str  # the comment over the table: what holds for all rows
    notes: dict[str, str]  # state -> the comment over its rows
    meanings: dict[str, str]  # word of an enum -> the comment beside it
    rows: list[Row]
    beyond: tuple[tuple[str, str, str], ...] = ()  # arrows the table leaves to the code: (before, what, after)


def order_machine() -> Machine:
    finals = tuple(state.value for state in order.OrderState if state in order.FINAL)
    table = {state.name: {event.__name__: after.value for event, after in row.items()} for state, row in _orders()}
    names = {state.name: state.value for state in order.OrderState}
    machine = _machine("order", Path(order.__file__), order.INTENDED.value, finals, table, names)
    return replace(machine, beyond=_beyond())


def trade_machine() -> Machine:
    table = {
        phase.name: {finding.name: after.value for finding, after in row.items()} for phase, row in trade.NEXT.items()
    }
    names = {phase.name: phase.value for phase in trade.Phase}
    return _machine("trade", Path(trade.__file__), trade.ENTERING.value, (trade.CLOSED.value,), table, names)


def _beyond() -> tuple[tuple[str, str, str], ...]:
    """Return what apply() makes of events whose end the table leaves to it, found by applying them."""
    leg = Instrument("venue", "BTC", 1, 1, 1, 0, 0, 0)
    request = OrderRequest(ClientOrderId("c"), TradeId("t"), Purpose.ENTRY, leg, Side.BUY, E8, E8)
    ends: dict[str, OrderEvent] = {
        "FillSeen of all": FillSeen("f", E8, E8, 0),
        "Closed without its total": Closed(None, ""),
    }
    arrows = []
    for state, row in order.NEXT.items():
        for what, event in ends.items():
            if type(event) in row:
                after = order.apply(order.Order(request, state), event).state
                if after is not row[type(event)] and after is not state:
                    arrows.append((state.value, what, after.value))
    return tuple(arrows)


def _orders() -> list[tuple[order.OrderState, dict[type, order.OrderState]]]:
    return [(state, dict(row)) for state, row in order.NEXT.items()]


def _machine(
    name: str, path: Path, start: str, finals: tuple[str, ...], table: dict[str, dict[str, str]], names: dict[str, str]
) -> Machine:
    source = path.read_text()
    beside, over = _comments(source)
    node = _table_node(source)
    notes: dict[str, str] = {}
    rows: list[Row] = []
    for state, outcomes in zip(node.keys, node.values, strict=True):
        if not isinstance(state, ast.Name) or not isinstance(outcomes, ast.Dict):
            raise TypeError(f"{path.name}: line {node.lineno}: not a table of NAME: {{...}}")
        notes[names[state.id]] = over.get(state.lineno, "")
        for key in outcomes.keys:
            word = key.attr if isinstance(key, ast.Attribute) else getattr(key, "id", "?")
            line = key.lineno if key is not None else 0
            # A comment over a row's first line that is also its state's line belongs to the state.
            why = beside.get(line) or ("" if line == state.lineno else over.get(line, ""))
            shown = word.lower() if name == "trade" else word
            rows.append(Row(names[state.id], shown, table[state.id][word], why))
    expected = sum(len(row) for row in table.values())
    if len(rows) != expected:
        raise ValueError(f"{path.name}: read {len(rows)} rows of {expected}")
    return Machine(name, start, finals, over.get(node.lineno, ""), notes, _meanings(source, beside), rows)


def _table_node(source: str) -> ast.Dict:
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "NEXT":
            if not isinstance(node.value, ast.Dict):
                break
            return node.value
    raise ValueError("no table called NEXT")


def _comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """Return comments by line: those beside code, and those on lines of their own by the line of code they precede."""
    beside: dict[int, str] = {}
    over: dict[int, str] = {}
    waiting: list[str] = []
    code_on = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string.lstrip("# ")
        if token.type == tokenize.COMMENT and token.start[0] == code_on:
            beside[token.start[0]] = text
        elif token.type == tokenize.COMMENT:
            waiting.append(text)
        elif token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            if waiting:
                over[token.start[0]] = " ".join(waiting)
                waiting = []
            code_on = token.end[0]
    return beside, over


def _meanings(source: str, beside: dict[int, str]) -> dict[str, str]:
    """Return what the comments beside the members of the file's enums say."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") == Enum.__name__ for base in node.bases):
            for member in node.body:
                if isinstance(member, ast.Assign) and isinstance(member.value, ast.Constant):
                    found[str(member.value.value)] = beside.get(member.lineno, "")
    return found


def diagram(machine: Machine) -> str:
    """Return the machine as mermaid. Rows that change no state are left to the table; parallel arrows become one."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in machine.rows:
        if row.before != row.after:
            arrows.setdefault((row.before, row.after), []).append(row.what)
    for before, what, after in machine.beyond:
        arrows.setdefault((before, after), []).append(what)
    lines = ["```mermaid", "stateDiagram-v2", f"  [*] --> {machine.start}"]
    lines += [f"  {before} --> {after}: {', '.join(what)}" for (before, after), what in arrows.items()]
    return "\n".join([*lines, *(f"  {final} --> [*]" for final in machine.finals), "```"])


def tables(machine: Machine) -> str:
    """Return every row of the machine as Markdown, with its reason; states and findings explained first."""
    lines = [f"- `{word}`: {meaning}" for word, meaning in machine.meanings.items() if meaning]
    lines += ["", "| in | on | then | why |", "|---|---|---|---|"]
    seen = ""
    for row in machine.rows:
        why = row.why
        if row.before != seen and machine.notes[row.before]:
            why = " ".join(part for part in (machine.notes[row.before], why) if part)
        seen = row.before
        then = "stays" if row.after == row.before else row.after
        lines.append(f"| {row.before} | {row.what} | {then} | {why} |")
    return "\n".join(lines)


def section(machine: Machine) -> str:
    head = [machine.head, ""] if machine.head else []
    return "\n".join([*head, diagram(machine), "", tables(machine)])


def drawn(page: str) -> str:
    """Return the page with each marked section replaced by what the tables say."""
    for machine in (order_machine(), trade_machine()):
        first, last = f"<!-- drawn: {machine.name} -->", "<!-- end -->"
        before, found, rest = page.partition(first)
        _, closed, after = rest.partition(last)
        if not found or not closed:
            raise ValueError(f"{PAGE.name}: no section {first} ... {last}")
        page = f"{before}{first}\n\n{section(machine)}\n\n{last}{after}"
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is out of date")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    wanted = drawn(page)
    if arguments.check:
        if page != wanted:
            sys.stderr.write("docs/machines.md is not what the tables say; renew it: python scripts/draw_machines.py\n")
        return int(page != wanted)
    PAGE.write_text(wanted)
    sys.stderr.write(f"{PAGE.relative_to(ROOT)}: {'renewed' if page != wanted else 'was up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
