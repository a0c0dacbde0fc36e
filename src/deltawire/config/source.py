"""Reads a YAML file into plain dicts, lists and texts, and remembers the line of every key.

Numbers stay the text that was written: a price that went through binary float would not be the one in the file.
Of YAML 1.1 only the plain part is read: no tags, no anchors, no `yes`/`on` as booleans; duplicate keys are refused.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deltawire.config.errors import ConfigError, Problem

Loc = tuple[str | int, ...]

_SECRET_KEY = re.compile(r"private|secret|passw|token|api_?key|mnemonic|seed|signature", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"(0x)?[0-9a-fA-F]{56,}"
)  # as long as a key; an address of Paradex is too, and belongs there
_TEXT_TAGS = (
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:timestamp",
)


@dataclass(slots=True)
class Source:
    """A file as read: its values, and the 1-based line of each place in them."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Loc, int] = field(default_factory=dict)

    def problem(self, loc: Loc, wrong: str, right: str) -> Problem:
        """Place a problem: at its own line, or where the nearest thing around it stands."""
        at = loc
        while at and at not in self.lines:
            at = at[:-1]
        return Problem(self.path, self.lines.get(at), dotted(loc), wrong, right)


def dotted(loc: Loc) -> str:
    """Write a place as a person would: pairs[0].legs.vest."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def read_source(
    path: Path, harmless: frozenset[str] = frozenset(), maker: str = "make one with `deltawire init`"
) -> Source:
    """Read the file, or raise ConfigError naming every duplicate, tag, anchor and secret in it.

    maker: how a person gets a file of this kind.
    harmless: keys whose name looks like a secret's and which are none, such as the `seed` of a simulation.
    """
    source = Source(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            [source.problem((), "there is no such file", f"{maker}, or name yours with --config")]
        ) from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError([source.problem((), f"cannot be read ({e})", "give a readable UTF-8 text file")]) from e
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as e:
        raise ConfigError([_syntax(path, e)]) from e
    problems: list[Problem] = []
    if isinstance(root, yaml.MappingNode):
        source.values = _Reader(source, problems, harmless).mapping(root, ())
    else:
        problems.append(source.problem((), "is not a list of `key: value` lines", maker))
    if problems:
        raise ConfigError(problems)
    return source


def _syntax(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "unreadable"
    line = mark.line + 1 if mark is not None else None
    return Problem(path, line, "", f"is not YAML here ({what})", "indent with spaces and write `key: value`")


class _Reader:
    def __init__(self, source: Source, problems: list[Problem], harmless: frozenset[str]) -> None:
        self._source = source
        self._problems = problems
        self._harmless = harmless
        self._seen: set[int] = set()

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(loc, "a key is not a plain word", "write `key: value`")
                continue
            key = str(key_node.value)
            at = (*loc, key)
            line = key_node.start_mark.line + 1
            if key in found:
                self._refuse(at, f"is there twice (again in line {line})", "keep one of the two")
                continue
            self._source.lines[at] = line
            if _SECRET_KEY.search(key) and key not in self._harmless:
                self._refuse_secret(at)
                found[key] = None
                continue
            found[key] = self._value(value_node, at)
        return found

    def _value(self, node: yaml.Node, loc: Loc) -> Any:
        self._source.lines.setdefault(loc, node.start_mark.line + 1)
        if id(node) in self._seen:
            self._refuse(loc, "is an alias (`*name`)", "write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*loc, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _scalar(self, node: yaml.Node, loc: Loc) -> str | bool | None:
        text = str(node.value)
        if _SECRET_VALUE.fullmatch(text):
            self._refuse_secret(loc)
            return None
        if node.tag in _TEXT_TAGS:
            return text
        if node.tag == "tag:yaml.org,2002:null":
            return None
        if node.tag == "tag:yaml.org,2002:bool":
            return {"true": True, "false": False}.get(text, text)
        self._refuse(loc, f"has a tag ({node.tag})", "write the plain value")
        return None

    def _refuse(self, loc: Loc, wrong: str, right: str) -> None:
        self._problems.append(self._source.problem(loc, wrong, right))

    def _refuse_secret(self, loc: Loc) -> None:
        self._refuse(
            loc,
            "looks like a secret, and this file holds none",
            "delete it here, put it into .env as DELTAWIRE_… (see `deltawire init`), and change it if it was seen",
        )
