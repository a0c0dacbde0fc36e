"""From a YAML file to a BotConfig (or another model of settings), or to a ConfigError naming everything to mend."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from deltawire.config.errors import ConfigError, Problem, closest
from deltawire.config.fields import shown
from deltawire.config.model import BotConfig
from deltawire.config.source import Loc, Source, dotted, read_source

M = TypeVar("M", bound=BaseModel)

_NO_SECTION = ("{} is not a section", "write its keys below it, indented")
_PLAIN = {
    "model_type": _NO_SECTION,
    "model_attributes_type": _NO_SECTION,
    "dict_type": _NO_SECTION,
    "tuple_type": ("{} is not a list", "write one item a line, each starting with `- `"),
    "too_short": ("{} is empty", "add at least one item, starting with `- `"),
    "too_long": ("{} has too many items", "write at most 100"),
}


def load_config(path: Path, *, connects: bool = True) -> BotConfig:
    """Read and check the settings. Relative paths in them start at the file's folder. Raises ConfigError.

    connects: False for who only reads what is on this machine: certificates need not be there then.
    """
    return check_model(read_source(path), BotConfig, "`deltawire init`", connects=connects)


def check_model(source: Source, model: type[M], example: str, *, connects: bool = True) -> M:
    """Make the model from what was read. example: where a person sees the right form. Raises ConfigError."""
    context = {"folder": source.path.absolute().parent, "connects": connects}
    try:
        return model.model_validate(source.values, context=context)
    except ValidationError as e:
        raise ConfigError(_problems(source, e, model, example)) from None  # pydantic's own text repeats the values


def _problems(source: Source, error: ValidationError, model: type[BaseModel], example: str) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # its items were refused, each with its own problem
        # A key in a dict of pydantic's own making ends in this marker; a person never wrote it.
        loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
        yield source.problem(loc, *_say(loc, detail, model, example))


def _say(loc: Loc, detail: ErrorDetails, model: type[BaseModel], example: str) -> tuple[str, str]:
    """Put one of pydantic's findings into words: what is wrong, what would be right."""
    kind, value = detail["type"], detail["input"]
    if kind == "refused":
        return detail["ctx"]["wrong"], detail["ctx"]["right"]
    if kind == "missing":
        return "is missing", f"add it ({example} shows {dotted(loc)} with a comment)"
    if kind == "extra_forbidden":
        known = sorted(_keys_at(model, loc[:-1]))
        guess = closest(str(loc[-1]), known)
        return "is not a known key", f'did you mean "{guess}"?' if guess else "known here: " + ", ".join(known)
    if kind in _PLAIN:
        wrong, right = _PLAIN[kind]
        return wrong.format(shown(value)), right
    return detail["msg"], f"see {example} for the form"


def _keys_at(root: type[BaseModel], loc: Loc) -> set[str]:
    """Return the keys the section at this place may have."""
    model = root
    for part in loc:
        if isinstance(part, int):
            continue  # the items of a list have one model, found with the list
        section = _section_under(model, part)
        if section is None:
            return set()
        model = section
    return {field.alias or name for name, field in model.model_fields.items()}


def _section_under(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if (field.alias or name) == key:
            return section_in(field.annotation)
    return None


def section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model a setting's type holds, itself or as the items of a list; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = section_in(inner)
        if found is not None:
            return found
    return None
