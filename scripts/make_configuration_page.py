# ruff: noqa: INP001 - a script, not a package
"""Writes docs/configuration.md from the types of the settings: make_configuration_page.py [--check].

Keys, defaults and order are the model's. What a key takes is asked of the program: each setting is given nonsense, and
the remedy it answers with is what the page says. The meaning is the comment of `deltawire init`'s template, else the
one beside the field, else NOTES here. --check writes nothing and fails when the page is not what would be written.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deltawire.cli.template import PAPER, config_text
from deltawire.config.load import section_in
from deltawire.config.model import BotConfig, Section
from deltawire.core.money import format_e8

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """\
# Configuration

<!-- Written by scripts/make_configuration_page.py from the types of the settings; edit the texts there. -->

One YAML file, mostly `config.yaml`. `deltawire init` writes one with a comment for each choice; `deltawire check` reads
it and says what would go wrong. Keys and accounts are never in it: see [secrets](secrets.md).

- Numbers are plain decimals, read exactly: `0.01`, not `1e-2`. One basis point (bps) is 0.01 %.
- A unit is the last part of a key: `_ms`, `_s`, `_bps`, `_usd`. Sizes are in base units (BTC for a BTC market).
- Relative paths start at the file's folder.
- An unknown key, a missing one, one that is there twice and a value out of range are errors that name file, line, key
  and remedy:

```text
config.yaml:46: pairs[0].entry_edge: is not a known key; did you mean "entry_edge_bps"?
```

- "required" in the tables: there is no default, the file must say it.
- A change is read at the next start. `deltawire stop`, then `deltawire run`; a pair that is open is closed by the stop.
"""

# What neither the template nor the field itself says.
NOTES = {
    "arm_after_unclean": "Whether a bot that comes back from an unclean end may open anything before `deltawire arm`.",
    "venues": "One section a venue; both must be there.",
    "venues.paradex": "Where Paradex is, and how orders go there: [Paradex](venues/paradex.md).",
    "venues.vest": "Where Vest is, and how orders go there: [Vest](venues/vest.md).",
    "venues.paradex.rest_url": "Where its REST API is, with the version path.",
    "venues.paradex.ws_url": "Where its WebSocket is.",
    "venues.vest.rest_url": "Where its REST API is, with the version path.",
    "venues.vest.ws_url": "Where its WebSocket is.",
    "pairs": "A list, at most 100. Each item is one perpetual on two venues.",
    "pairs[].legs": "The market's name on each venue. No two pairs may name the same market of a venue.",
    "limits": "The one gate every order passes, and the bounds of a repair.",
    "limits.order_notional_max_usd": "No entry order is larger than this: its size times its capped price.",
    "limits.daily_loss_max_usd": "At this loss in a UTC day entries stop and what is open is closed.",
    "limits.drawdown_max_usd": "Loss from the highest result of this journal, at which the same happens.",
    "limits.inventory_max_usd": "Notional on one venue, all pairs together.",
    "limits.edge_bps_max": "An edge beyond this is a wrong book, not a gift: no entry.",
    "limits.open_pairs_max": "Pairs that may be open at the same time; each further layer counts.",
    "limits.orders_per_minute_max": "Orders of all pairs together; exits have room in it that entries cannot use.",
    "journal": "The durable record.",
    "control": "How `deltawire status`, `pause`, `stop` and their like reach the running bot.",
    "log": "One JSON object a line in a file, and lines on the screen: [logs](logs.md).",
    "log.level": "What is less important is not written: debug, info or warning.",
    "latency": "What is done ahead so that a trigger finds it ready.",
    "paper": "The accounts of mode paper, as they are when their journal is begun.",
    "paper.leverage": "Of each market; it decides how much margin an open position takes.",
    "metrics": "Where `deltawire metrics` answers Prometheus: [metrics](metrics.md).",
    "alerts": "What `deltawire alert run` finds worth a message: [alerts](alerts.md).",
    "guardian": "`deltawire guardian`, the second process that closes both legs when the bot is silent.",
    "venues.vest.fill_poll": "When an order's end is read over REST because the private stream has not told it.",
    "venues.vest.pool": "The warm HTTPS connections that carry orders.",
    "venues.vest.fill_poll.interval_ms": "Pause between two such reads.",
    "venues.vest.pool.connect_timeout_s": "How long a connection may take to open.",
    "venues.vest.pool.request_timeout_s": "How long an answer may take; the order is then in doubt and is looked up.",
}

# A remedy says all of it; in a table with a head, less will do.
SHORTER = {
    "write ": "",
    "it like ": "",
    " as a plain decimal from": ",",
    "a whole number from": "whole,",
    "basis points (1 = 0.01 %)": "bps",
    "an absolute path, or one from this file's folder (no ~)": "a path",
    "a size in base units": "base units",
}

_KEY = re.compile(r"^(?P<indent> *)(?P<off># )?(?P<dash>- )?(?P<key>[a-z][a-z0-9_]*):(?P<rest>.*)$")
_FIELD = re.compile(r"^    (?P<name>[a-z][a-z0-9_]*): .*?(?:  # (?P<said>.*))?$")


def page() -> str:
    """Return the whole page. Raises ValueError for a key nobody has said anything of, and for a note without a key."""
    told = _Told()
    text = HEAD + "".join(_section(BotConfig, "", told))
    if unused := NOTES.keys() - told.asked:
        raise ValueError(f"NOTES of {__file__} speaks of keys that are not there: {sorted(unused)}")
    return text


class _Told:
    """What is known of each key's meaning."""

    def __init__(self) -> None:
        self._template = dict(_template_comments())
        self.asked: set[str] = set()

    def meaning(self, path: str, model: type[Section], name: str) -> str:
        self.asked.add(path)
        said = NOTES.get(path) or self._template.get(path) or _field_comment(model, name)
        if not said:
            raise ValueError(f"{path}: say what it means, beside the field, in the template, or in NOTES of {__file__}")
        is_list_of_words = said.split(maxsplit=1)[0].endswith((":", ","))  # the words are those of the file
        return _sentence(said if is_list_of_words else said[0].upper() + said[1:])


def _section(model: type[Section], at: str, told: _Told) -> Iterator[str]:
    rows, below = [], []
    for name, field in model.model_fields.items():
        key = field.alias or name
        path = f"{at}.{key}".removeprefix(".")
        inner = section_in(field.annotation)
        meaning = told.meaning(path, model, name)
        if inner is None:
            rows.append(f"| `{key}` | {_takes(field)} | {_default(field, key)} | {_cell(meaning)} |\n")
        else:
            assert issubclass(inner, Section)
            is_list = "tuple" in str(field.annotation)
            below += [f"\n## `{path}{'[]' if is_list else ''}`\n\n{meaning}\n"]
            below += _section(inner, path + "[]" * is_list, told)
    if rows:
        yield "\n| key | takes | default | meaning |\n|---|---|---|---|\n" + "".join(rows)
    yield from below


def _takes(field: FieldInfo) -> str:
    """Ask the setting itself what would be right."""
    of: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    kind: TypeAdapter[Any] = TypeAdapter(of)
    try:
        kind.validate_python("\0", context={"folder": Path()})
    except ValidationError as e:
        for detail in e.errors(include_url=False):
            if detail["type"] == "refused":
                return _short(str(detail["ctx"]["right"]))
    raise ValueError(f"{field.alias}: it takes nonsense, or does not say what would be right")


def _short(right: str) -> str:
    for long, short in SHORTER.items():
        right = right.replace(long, short)
    return _cell(right)


def _default(field: FieldInfo, key: str) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined or default in (None, "", {}):
        return ""
    if isinstance(default, dict):
        return ", ".join(f"`{name}: {_number(value, key)}`" for name, value in default.items())
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{_number(default, key) if isinstance(default, int) else default}`"


def _number(value: int, key: str) -> str:
    """Write an int of the program as the file has it: the key's own unit says the scale."""
    words = set(key.split("_"))
    if "bps" in words:
        return format_e8(value * 10**4)
    if words & {"usd", "size"}:
        return format_e8(value)
    if "ms" in words:
        return format_e8(value * 100)
    return format_e8(value // 10) if key.endswith("_s") else str(value)


def _template_comments() -> Iterator[tuple[str, str]]:
    """Give each key of the template with the comment beside it, behind that above it."""
    stack: list[tuple[int, str]] = []
    above: list[str] = []
    for line in config_text(PAPER).splitlines():
        found = _KEY.match(line)
        # A commented-out key has nothing but a value and its comment behind it; all else in a comment is prose.
        if found is None or (found["off"] and not re.fullmatch(r"( +\S+)?( +#.*)?", found["rest"])):
            text = line.strip()
            above = [*above, text.removeprefix("#").strip()] if text.startswith("#") else []
            continue
        indent = len(found["indent"]) + 2 * bool(found["dash"])
        while stack and stack[-1][0] >= indent:
            stack.pop()
        in_list = bool(found["dash"])
        parent = f"{stack[-1][1]}{'[]' * in_list}." if stack else ""
        if in_list:
            stack[-1] = (stack[-1][0], stack[-1][1] + "[]")
        path = parent + found["key"]
        beside = found["rest"].partition("#")[2].strip()
        said = " ".join([_sentence(" ".join(above)), beside] if above and beside else [*above, beside]).strip()
        stack.append((indent, path))
        above = []
        if said:
            yield path, said


def _field_comment(model: type[Section], name: str) -> str:
    above: list[str] = []
    for line in inspect.getsource(model).splitlines():
        text = line.strip()
        if text.startswith("#"):
            above.append(text.removeprefix("#").strip())
            continue
        found = _FIELD.match(line)
        if found and found["name"] == name:
            return " ".join([*above, found["said"] or ""]).strip()
        above = []
    return ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", ":", "?")) else f"{text}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is not up to date")
    text = page()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE} is not up to date: run scripts/make_configuration_page.py\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
