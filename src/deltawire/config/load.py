"""From a YAML file to a BotConfig, or to a ConfigError that names everything to mend."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from deltawire.config.errors import ConfigError, Problem, closest
from deltawire.config.fields import shown
from deltawire.config.model import BotConfig
from deltawire.config.source import Loc, Source, dotted, read_source

_NO_SECTION = ("{} is not a section", "write its keys below it, indented")
_PLAIN = {
    "model_type": _NO_SECTION,
    "model_attributes_type": _NO_SECTION,
    "dict_type": _NO_SECTION,
    "tuple_type": ("{} is not a list", "write one item a line, each starting with `- `"),
    "too_short": ("{} is empty", "add at least one item, starting with `- `"),
    "too_long": ("{} has too many items", "write at most 100"),
}


def load_config(path: Path) -> BotConfig:
    """Read and check the settings. Relative paths in them start at the file's folder. Raises ConfigError."""
    source = read_source(path)
    try:
        return BotConfig.model_validate(source.values, context={"folder": path.absolute().parent})
    except ValidationError as e:
        raise ConfigError(_problems(source, e)) from None  # pydantic's own text repeats the values


def _problems(source: Source, error: ValidationError) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # its items were refused, each with its own problem
        # A key in a dict of pydantic's own making ends in this marker; a person never wrote it.
        loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
        yield source.problem(loc, *_say(loc, detail))


def _say(loc: Loc, detail: ErrorDetails) -> tuple[str, str]:
    """Put one of pydantic's findings into words: what is wrong, what would be right."""
    kind, value = detail["type"], detail["input"]
    if kind == "refused":
        return detail["ctx"]["wrong"], detail["ctx"]["right"]
    if kind == "missing":
        return "is missing", f"add it (`deltawire init` shows {dotted(loc)} with a comment)"
    if kind == "extra_forbidden":
        known = sorted(_keys_at(loc[:-1]))
        guess = closest(str(loc[-1]), known)
        return "is not a known key", f'did you mean "{guess}"?' if guess else "known here: " + ", ".join(known)
    if kind in _PLAIN:
        wrong, right = _PLAIN[kind]
        return wrong.format(shown(value)), right
    return detail["msg"], "see `deltawire init` for the form"


def _keys_at(loc: Loc) -> set[str]:
    """Return the keys the section at this place may have."""
    model: Any = BotConfig
    for part in loc:
        if isinstance(part, int):
            continue  # the items of a list have one model, found with the list
        model = _section_under(model, part)
        if model is None:
            return set()
    return {field.alias or name for name, field in model.model_fields.items()}


def _section_under(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if (field.alias or name) == key:
            return _model_in(field.annotation)
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
