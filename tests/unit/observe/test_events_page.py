"""docs/events.md knows every event of the source, and no other."""

import ast

import pytest
from tests.event_names import PAGE, Reader, Row, Use, in_source, on_page, renewed

EVENTS, UNKNOWN = in_source()
ROWS = on_page(PAGE.read_text())
RENEW = "run: python -m tests.event_names, then write what the new ones mean"


def test_the_name_of_every_event_can_be_read_from_the_source():
    assert UNKNOWN == []


def test_every_event_of_the_source_is_on_the_page():
    missing = {name: use.places for name, use in EVENTS.items() if name not in ROWS}
    assert missing == {}, RENEW


def test_no_event_on_the_page_is_gone_from_the_source():
    assert sorted(ROWS.keys() - EVENTS.keys()) == [], RENEW


def test_levels_and_fields_on_the_page_are_those_of_the_source():
    told = {name: (row.levels, row.fields) for name, row in ROWS.items()}
    assert told == {name: (use.level_text, use.field_text) for name, use in EVENTS.items()}, RENEW


def test_every_event_on_the_page_says_what_it_means():
    assert [name for name, row in ROWS.items() if not row.meaning] == []


def test_renewing_the_page_keeps_meanings_adds_what_is_new_and_drops_what_is_gone():
    page = "head\n\n## a\n\n| `a.kept` | info | x | Kept. |\n| `a.gone` | info | x | Gone. |\n"
    now = {"a.kept": Use({"info", "error"}, {"y", "…"}), "b.new": Use({"warning"}, set())}
    rows = on_page(renewed(page, now))
    assert rows == {"a.kept": Row("info, error", "y, …", "Kept."), "b.new": Row("warning", "", "")}
    assert renewed(page, now).startswith("head\n")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('log.info("a.b", x=1)', [(["a.b"], {"info"}, {"x"})]),
        ('self._desk.log.error("a.b", **more)', [(["a.b"], {"error"}, {"…"})]),
        ('NAME = "a.b"\nlog.warning(NAME)', [(["a.b"], {"warning"}, set())]),
        ('log.info("a.b" if x else "a.c")', [(["a.b", "a.c"], {"info"}, set())]),
        ('tell = log.info if x else log.error\ntell("a.b", y=2)', [(["a.b"], {"info", "error"}, {"y"})]),
        ('_LOG.warning("net.x host=%s n=%d: kept", h, n)', [(["net.x"], {"warning"}, {"host", "n"})]),
        ('_LOG.exception("net.x host=%s", h)', [(["net.x"], {"error"}, {"host", "exception"})]),
        ('Entry(1, Level.ERROR, "log.x", {"n": 1})', [(["log.x"], {"error"}, {"n"})]),
        ("log.info(made_up)", [([], {"info"}, set())]),
        ('console.info("a.b")', []),
    ],
)
def test_the_reader_sees_every_way_an_event_is_written(source: str, found: object):
    assert [call[:3] for call in Reader(ast.parse(source)).calls()] == found


def test_a_page_that_tells_an_event_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        on_page("| `a.b` | info | x | One. |\n| `a.b` | info | x | Two. |\n")
