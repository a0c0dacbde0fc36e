"""deltawire as a library: the names below, and no others, are what other programs may build on. See docs/library.md.

Nothing is imported before it is used (PEP 562), so `import deltawire` costs next to nothing. Types: __init__.pyi.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# name -> the module it is from; __init__.pyi says the same to type checkers, and a test compares the two
_FROM = {
    "Account": "deltawire.library.venue",
    "Book": "deltawire.core.book",
    "BotConfig": "deltawire.config",
    "BotRun": "deltawire.library.bot",
    "BotSecrets": "deltawire.config",
    "ConfigError": "deltawire.config",
    "Instrument": "deltawire.core.types",
    "LiveNotConfirmed": "deltawire.library.bot",
    "Market": "deltawire.library.venue",
    "NotNow": "deltawire.library.venue",
    "NotRunning": "deltawire.library.bot",
    "Order": "deltawire.core.order",
    "OrderState": "deltawire.core.order",
    "ParadexSettings": "deltawire.venues.paradex.settings",
    "Refused": "deltawire.venues.contract",
    "Secret": "deltawire.core.secret",
    "Side": "deltawire.core.types",
    "VestSettings": "deltawire.venues.vest.settings",
    "connect": "deltawire.library.venue",
    "format_e8": "deltawire.core.money",
    "load_config": "deltawire.config",
    "load_secrets": "deltawire.config",
    "parse_e8": "deltawire.core.money",
    "run_bot": "deltawire.library.bot",
    "watch": "deltawire.library.venue",
}

__all__ = ["__version__", *_FROM]  # noqa: PLE0604 - all of them are texts


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'deltawire' has no attribute {name!r}")
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
