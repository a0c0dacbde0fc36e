"""The event log: what happened, for people and for machines, without making the hot path wait.

A call stores its fields; text is made later, a few entries at a time on a timer, and written by a thread, so that a
stuck terminal or disk never stops the loop. What does not fit the buffer is counted and told, never silently lost.

Secrets: nobody may pass one. As a last line of defence the text of every secret registered with `hide` is masked in
what is written, and the masking is itself an error event. Knows no event's meaning but the latency line's form.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any, Protocol, Self

from deltawire.core.secret import Secret
from deltawire.observe.latency import CONNECTION_EVENT, connection_words, latency_fields, latency_line
from deltawire.observe.latency import EVENT as ORDER_LATENCY
from deltawire.observe.story import EVENT as TRADE_CLOSED
from deltawire.observe.story import trade_line
from deltawire.venues.contract import Clock

ENTRIES_MAX = 20_000  # some ten seconds of the busiest logging while an output is stuck; about 10 MB
DRAIN_EVERY_S = 0.05
RECENT_CHARS_MAX = 500  # of each: the file has the whole of a long one, such as an exception's way
RECENT_KEPT = 40  # warnings and errors a person looking at the bot is shown
ENTRIES_PER_DRAIN = 100  # formatting this many takes about a millisecond of the loop
SECRET_CHARS_MIN = 8  # shorter texts would mask ordinary words; no key or token is that short


class Level(IntEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Entry:
    unix_ns: int
    level: Level
    event: str
    fields: dict[str, Any]


class Stream(Protocol):
    """Where bytes go: an open binary file, sys.stderr.buffer."""

    def write(self, data: bytes, /) -> Any: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Output:
    """One destination: where, in which form (`json_line` or `human_line`), from which level on."""

    stream: Stream
    form: Callable[[Entry], str]
    level: Level = Level.INFO


class BufferedLog:
    """The EventLog of a bot. Call `start` on the loop, `close` at the end; between them nothing here blocks."""

    def __init__(
        self, clock: Clock, outputs: list[Output], *, entries_max: int = ENTRIES_MAX, strict: bool = False
    ) -> None:
        """With strict, passing a Secret raises TypeError at the call; without, it is written as ***."""
        self.dropped = 0  # entries that found the buffer full
        self.masked = 0  # entries in which a registered secret had to be masked
        self.output_failures = 0  # writes an output refused; their lines are lost
        self._clock = clock
        self._outputs = outputs
        self._level = min((output.level for output in outputs), default=Level.ERROR)
        self._entries: deque[Entry] = deque()
        self._entries_max = entries_max
        self._strict = strict
        self._hidden: list[str] = []
        self._counts: dict[tuple[str, str], int] = {}  # by level and event, written or not
        self._recent: deque[Entry] = deque(maxlen=RECENT_KEPT)
        self._dropped_told = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._writing = False

    def debug(self, event: str, **fields: Any) -> None:
        self._add(Level.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._add(Level.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._add(Level.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._add(Level.ERROR, event, fields)

    def hide(self, secret: Secret) -> None:
        """Mask this text, with and without a leading 0x, in everything written from now on."""
        text = secret.reveal()
        for form in {text, text.removeprefix("0x")}:
            if len(form) >= SECRET_CHARS_MIN and form not in self._hidden:
                self._hidden.append(form)
        self._hidden.sort(key=len, reverse=True)

    def recent(self) -> list[dict[str, Any]]:
        """Return the last warnings and errors, oldest first, with the text a log line would have. Nothing secret."""
        return [
            {
                "unix_ns": entry.unix_ns,
                "level": entry.level.name.lower(),
                "event": entry.event,
                "text": self._told(entry),
            }
            for entry in self._recent
        ]

    def counted(self) -> dict[str, Any]:
        """Return how often each event happened since the start, and what the log itself lost."""
        return {
            "events": [[level, event, count] for (level, event), count in self._counts.items()],
            "dropped": self.dropped,
            "masked": self.masked,
            "output_failures": self.output_failures,
        }

    def _told(self, entry: Entry) -> str:
        try:
            text = human_line(entry).partition(f" {entry.event}")[2].strip()
        except Exception as e:  # noqa: BLE001 - a field that cannot be shown must not cost the whole answer
            return f"unprintable: {type(e).__name__}"
        for hidden in self._hidden:
            text = text.replace(hidden, "***")
        return text if len(text) <= RECENT_CHARS_MAX else f"{text[:RECENT_CHARS_MAX]}…"

    def start(self) -> None:
        """Begin to write on the running loop, off its hot moments."""
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log")
        self._timer = self._loop.call_later(DRAIN_EVERY_S, self._on_timer)

    def close(self) -> None:
        """Write out all that is left, waiting for it. Closing twice is harmless; later events are kept unwritten."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writer is not None:
            self._writer.shutdown(wait=True)
            self._writer = None
        while self._entries or self._dropped_told < self.dropped:
            self._write(self._format_some())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _add(self, level: Level, event: str, fields: dict[str, Any]) -> None:
        if level < self._level:
            return
        self._counts[level.name, event] = self._counts.get((level.name, event), 0) + 1
        if self._strict:
            _refuse_secrets(event, fields)
        if len(self._entries) >= self._entries_max:
            self.dropped += 1
            return
        self._entries.append(Entry(self._clock.unix_ns(), level, event, fields))
        if level >= Level.WARNING:
            self._recent.append(self._entries[-1])

    def _on_timer(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(DRAIN_EVERY_S, self._on_timer)
        if self._writing or self._writer is None or not (self._entries or self._dropped_told < self.dropped):
            return  # while an output is stuck the buffer fills; that is its purpose
        self._writing = True
        self._writer.submit(self._write_in_thread, self._format_some())

    def _write_in_thread(self, batch: list[tuple[Output, bytes]]) -> None:
        try:
            self._write(batch)
        finally:
            self._writing = False

    def _write(self, batch: list[tuple[Output, bytes]]) -> None:
        for output, text in batch:
            try:
                output.stream.write(text)
                output.stream.flush()
            except (OSError, ValueError):  # a closed pipe, a full disk, a closed file: trading goes on without it
                self.output_failures += 1

    def _format_some(self) -> list[tuple[Output, bytes]]:
        entries = [self._entries.popleft() for _ in range(min(ENTRIES_PER_DRAIN, len(self._entries)))]
        if self._dropped_told < self.dropped:
            lost, self._dropped_told = self.dropped - self._dropped_told, self.dropped
            entries.append(Entry(self._clock.unix_ns(), Level.ERROR, "log.dropped", {"entries": lost}))
        batch = []
        for output in self._outputs:
            lines = [line for entry in entries if entry.level >= output.level for line in self._lines(output, entry)]
            if lines:
                batch.append((output, "".join(lines).encode("utf-8", "backslashreplace")))
        return batch

    def _lines(self, output: Output, entry: Entry) -> list[str]:
        try:
            line = output.form(entry)
        except Exception as e:  # noqa: BLE001 - a field that cannot be shown must not cost the other lines
            line = output.form(Entry(entry.unix_ns, entry.level, entry.event, {"unprintable": type(e).__name__}))
        clean = line
        for text in self._hidden:
            clean = clean.replace(text, "***")
        if clean == line:
            return [line + "\n"]
        self.masked += 1
        told = Entry(entry.unix_ns, Level.ERROR, "log.secret_masked", {"in_event": entry.event})
        return [clean + "\n", output.form(told) + "\n"]


def json_line(entry: Entry) -> str:
    """Return the entry as one JSON object: unix_ns, level, event, then its fields."""
    fields = latency_fields(**entry.fields) if entry.event == ORDER_LATENCY else entry.fields
    head = {"unix_ns": entry.unix_ns, "level": entry.level.name.lower(), "event": entry.event}
    body = {f"{name}_" if name in head else name: value for name, value in fields.items()}
    return json.dumps(head | body, default=_plain, ensure_ascii=False)


def human_line(entry: Entry) -> str:
    """Return the entry as a person reads it: UTC time, level when it matters, event, fields."""
    moment = datetime.fromtimestamp(entry.unix_ns // 10**9, UTC)
    when = f"{moment:%H:%M:%S}.{entry.unix_ns // 10**6 % 1000:03d}"
    level = f" {entry.level.name}" if entry.level >= Level.WARNING else ""
    if entry.event == ORDER_LATENCY:
        return f"{when}{level} {latency_line(entry.fields['venue'], entry.fields['stamps'])}"
    if entry.event == TRADE_CLOSED:
        return f"{when}{level} {trade_line(entry.fields)}"
    event, fields = entry.event, entry.fields
    if event == CONNECTION_EVENT:  # in the form users of the earlier bot look for
        event, fields = "connection", connection_words(fields)
    words = "".join(f" {name}={_word(value)}" for name, value in fields.items())
    return f"{when}{level} {event}{words}"


def _word(value: Any) -> str:
    """Return a value on one line: quoted where it holds spaces or anything a terminal would act on."""
    text = str(value)
    if text.isprintable() and text and not any(c in text for c in ' "='):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, Enum) else str(value)


def _refuse_secrets(event: str, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        parts = (
            value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else [value]
        )
        if any(isinstance(part, Secret) for part in parts):
            raise TypeError(f"a secret was given to the log: event {event}, field {name}")
