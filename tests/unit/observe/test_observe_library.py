import logging
import sys

import pytest

from deltawire.observe import library
from deltawire.observe.library import event_of


class Lines:
    """An event log that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.told.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.told.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.told.append(("error", event, fields))


@pytest.fixture
def lines():
    made = Lines()
    handler = library.connect(made)
    yield made
    library.disconnect(handler)


def test_a_line_of_our_network_layer_becomes_an_event_with_fields(lines: Lines):
    logging.getLogger("deltawire.net.pool").info("net.pool.warmed origin=%s connections=%d of=%d", "https://x", 1, 2)
    assert lines.told == [("info", "net.pool.warmed", {"origin": "https://x", "connections": 1, "of": 2})]


def test_an_exception_is_told_with_its_way(lines: Lines):
    try:
        int("bad frame")
    except ValueError:
        logging.getLogger("deltawire.net.ws").exception("net.ws.handler_failed connection=%s", "orders")
    [(level, event, fields)] = lines.told
    assert (level, event, fields["connection"]) == ("error", "net.ws.handler_failed", "orders")
    assert "bad frame" in str(fields["exception"])
    assert __file__.rpartition("/")[2] in str(fields["exception"])


def test_what_a_library_says_is_one_event_in_its_own_words(lines: Lines):
    logging.getLogger("asyncio").error("Task %r was destroyed", "t")
    logging.getLogger("aiohttp").info("not worth a line")
    assert lines.told == [("error", "library.message", {"logger": "asyncio", "text": "Task 't' was destroyed"})]


def test_a_record_that_cannot_be_formatted_is_told_and_raises_nothing():
    lines = Lines()
    record = logging.LogRecord("asyncio", logging.WARNING, "", 1, "two %s %s", ("only one",), None)
    library.LibraryHandler(lines).emit(record)
    [(_, event, fields)] = lines.told
    assert (event, fields["logger"]) == ("library.message", "asyncio")
    assert str(fields["text"]).startswith("unprintable")


class Counters:
    def __init__(self) -> None:
        self.n = 1

    def __str__(self) -> str:
        return f"n={self.n}"


def test_an_object_is_told_as_it_was_at_the_time():
    counters = Counters()
    record = logging.LogRecord(
        "deltawire.net.pool", logging.INFO, "", 1, "net.pool.closed counters=%s", (counters,), (None, None, None)
    )
    _, fields = event_of(record)
    counters.n = 2
    assert fields == {"counters": "n=1"}


def test_other_words_of_ours_are_not_taken_for_an_event():
    record = logging.LogRecord("deltawire.x", logging.WARNING, "", 1, "Something odd: %s", ("x",), sys.exc_info())
    assert event_of(record) == ("library.message", {"logger": "deltawire.x", "text": "Something odd: x"})
