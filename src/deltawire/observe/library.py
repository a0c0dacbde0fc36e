"""What speaks through the standard library's logging becomes events: our `net` layer, and the libraries below it.

`net` knows no event log, so it writes `name key=%s …`; that is taken apart into an event of that name with those
fields. Anything else (asyncio, aiohttp) is one event, `library.message`. Decides nothing about levels below WARNING.
"""

import logging
import re
import traceback
from typing import Any

from deltawire.venues.contract import EventLog

OURS = "deltawire"
LIBRARY_EVENT = "library.message"
_EVENT = re.compile(r"([a-z_]+(?:\.[a-z_]+)+)(?: |$)")
_FIELD = re.compile(r"(\w+)=%[.\d]*[sdrf]")


class LibraryHandler(logging.Handler):
    """Hands log records to the event log. May be called from any thread."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event, fields = event_of(record)
        except Exception as e:  # noqa: BLE001 - a record that cannot be formatted must not raise in who wrote it
            event, fields = LIBRARY_EVENT, {"logger": record.name, "text": f"unprintable: {type(e).__name__}"}
        if record.levelno >= logging.ERROR:
            self._log.error(event, **fields)
        elif record.levelno >= logging.WARNING:
            self._log.warning(event, **fields)
        else:
            self._log.info(event, **fields)


def connect(log: EventLog) -> logging.Handler:
    """Take over all logging of this process: libraries from WARNING on, our own from INFO on. Undo with disconnect."""
    handler = LibraryHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger(OURS).setLevel(logging.INFO)
    return handler


def disconnect(handler: logging.Handler) -> None:
    logging.getLogger().removeHandler(handler)


def event_of(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the event a record is, and its fields as plain values: an object may have changed when they are shown."""
    found = _EVENT.match(record.msg) if record.name.startswith(f"{OURS}.") and isinstance(record.msg, str) else None
    names = field_names(record.msg) if found else []
    event, fields = LIBRARY_EVENT, {"logger": record.name}
    if found and isinstance(record.args, tuple) and len(names) == len(record.args):
        event, fields = found[1], {name: _plain(value) for name, value in zip(names, record.args, strict=True)}
    else:
        fields["text"] = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
    return event, fields


def field_names(message: str) -> list[str]:
    """Return the keys of `name key=%s key=%d`."""
    return _FIELD.findall(message)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) else str(value)
