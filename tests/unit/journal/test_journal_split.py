import io
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console
from tests.unit.journal import facts
from tests.unit.journal.facts import E8, fill, intended, seen

from deltawire.journal.log import JournalLog
from deltawire.journal.records import QuoteSeen, Record
from deltawire.journal.report import Report, build_report
from deltawire.journal.report_view import render

ENTRY, EXIT = 2 * E8, 2 * E8


def quote(leg: Literal["a", "b"], best: int, price: int, **changes: Any) -> QuoteSeen:
    known: dict[str, Any] = {
        "leg": leg,
        "venue": "paradex" if leg == "a" else "vest",
        "size_e8": ENTRY,
        "best_price_e8": best * E8,
        "price_e8": price * E8,
        "age_ns": 3_000_000,
        "venue_age_ns": None,
    }
    return QuoteSeen(**known | changes)


def order(cid: str, leg: str, side: int, price: int, size_e8: int, purpose: str = "entry") -> list[Record]:
    made: list[Record] = [intended(cid, leg, side, purpose=purpose, reduce_only=purpose == "exit"), seen(cid, "sent")]
    if size_e8:
        made.append(fill(cid, f"f-{cid}", price, size_e8))
    return [*made, seen(cid, "closed", size_e8=size_e8)]


def rate(buy: float, sell: float) -> float:
    return (sell - buy) * 2 / (sell + buy) * 1e4


def report_of(directory: Path, *records: Record) -> Report:
    with JournalLog(directory) as log:
        log.append_all([facts.run_started(), facts.instrument(), *records])
    return build_report(directory)


def trade(*entry: list[Record], opened: dict[str, Any], closed: dict[str, Any] | None = None) -> list[Record]:
    """Return a trade with the given entry orders, closed at 1000 and 1000 as it was seen."""
    orders = [record for made in entry for record in made]
    out = [*order("xa", "a", 2, 1000, EXIT, "exit"), *order("xb", "b", 1, 1000, EXIT, "exit")]
    told = {"exit_detected_spread_rate_e8": 0, "exit_quotes": [quote("a", 1000, 1000), quote("b", 1000, 1000)]}
    return [facts.trade_opened(**opened), *orders, *out, facts.trade_closed(**told | (closed or {}))]


def found(report: Report) -> dict[str, float]:
    return {f"{cause.name} {cause.venue}".rstrip(): cause.bps for cause in report.causes}


def test_depth_staleness_and_leg_delay_are_told_apart_by_leg_and_add_up(tmp_path: Path):
    # Buy at a: best 1000, 1001 for the size; the first order got half of it at 1002, the repair the rest at 1006.
    # Sell at b: best 1010, 1008 for the size, and that is what it got.
    entry = (
        order("ea", "a", 1, 1002, ENTRY // 2),
        order("eb", "b", 2, 1008, ENTRY),
        order("ra", "a", 1, 1006, ENTRY // 2, "repair"),
    )
    detected = int(rate(1001, 1008) * 1e4)
    opened = {
        "detected_spread_rate_e8": detected,
        "quotes": [quote("a", 1000, 1001), quote("b", 1010, 1008, venue_age_ns=9_000_000)],
    }
    causes = found(report := report_of(tmp_path, *trade(*entry, opened=opened)))
    assert causes["entry best"] == pytest.approx(rate(1000, 1010), abs=1e-3)
    assert causes["entry depth paradex"] == pytest.approx(rate(1001, 1010) - rate(1000, 1010), abs=1e-3)
    assert causes["entry depth vest"] == pytest.approx(rate(1001, 1008) - rate(1001, 1010), abs=1e-3)
    assert causes["entry staleness paradex"] == pytest.approx(rate(1002, 1008) - rate(1001, 1008), abs=1e-3)
    assert causes["entry staleness vest"] == 0
    assert causes["entry leg delay paradex"] == pytest.approx(rate(1004, 1008) - rate(1002, 1008), abs=1e-3)
    assert causes["entry leg delay vest"] == 0
    assert causes["exit best"] == causes["exit staleness vest"] == 0
    kept = causes.pop("kept")
    assert sum(causes.values()) == pytest.approx(kept)
    told = report.to_json()
    assert told["quote_age"]["entry"]["paradex"]["p50"] == 3000
    assert told["trades"][0]["quotes"][1]["venue_age_ms"] == 9
    assert {"cause": "entry staleness", "venue": "paradex", "bps": round(causes["entry staleness paradex"], 4)} in told[
        "causes"
    ]


def test_a_leg_that_was_sent_second_by_policy_has_delay_and_no_staleness(tmp_path: Path):
    entry = (order("ea", "a", 1, 1002, ENTRY), order("eb", "b", 2, 1007, ENTRY))
    opened = {"first_leg": "a", "quotes": [quote("a", 1001, 1001), quote("b", 1008, 1008)]}
    causes = found(report_of(tmp_path, *trade(*entry, opened=opened)))
    assert causes["entry staleness paradex"] < 0
    assert causes["entry staleness vest"] == 0
    assert causes["entry leg delay paradex"] == 0
    assert causes["entry leg delay vest"] == pytest.approx(rate(1002, 1007) - rate(1002, 1008), abs=1e-3)


def test_a_first_order_that_got_nothing_is_delay_too(tmp_path: Path):
    entry = (
        order("ea", "a", 1, 0, 0),
        order("eb", "b", 2, 1008, ENTRY),
        order("ra", "a", 1, 1003, ENTRY, "repair"),
    )
    opened = {"quotes": [quote("a", 1001, 1001), quote("b", 1008, 1008)]}
    causes = found(report_of(tmp_path, *trade(*entry, opened=opened)))
    assert causes["entry staleness paradex"] == 0
    assert causes["entry leg delay paradex"] == pytest.approx(rate(1003, 1008) - rate(1001, 1008), abs=1e-3)


def test_a_close_that_had_to_wait_says_what_waiting_cost(tmp_path: Path):
    entry = (order("ea", "a", 1, 1001, ENTRY), order("eb", "b", 2, 1008, ENTRY))
    opened = {"quotes": [quote("a", 1001, 1001), quote("b", 1008, 1008)]}
    causes = found(report_of(tmp_path, *trade(*entry, opened=opened, closed={"exit_detected_spread_rate_e8": 20_000})))
    assert causes["exit wait"] == pytest.approx(-2, abs=1e-3)
    assert causes["exit best"] == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("quotes", [[], [quote("a", 1001, 0), quote("b", 1008, 1008)]])
def test_without_a_quote_for_the_size_nothing_is_told_apart(tmp_path: Path, quotes: list[QuoteSeen]):
    entry = (order("ea", "a", 1, 1002, ENTRY), order("eb", "b", 2, 1008, ENTRY))
    causes = found(report_of(tmp_path, *trade(*entry, opened={"quotes": quotes})))
    assert causes["entry seen"] == 30
    assert causes["entry slipped"] == pytest.approx(rate(1002, 1008) - 30, abs=1e-3)
    assert not any(name.startswith("entry staleness") for name in causes)


def test_the_table_fits_a_terminal_of_eighty_columns_and_names_every_cause(tmp_path: Path):
    entry = (order("ea", "a", 1, 1002, ENTRY), order("eb", "b", 2, 1008, ENTRY))
    opened = {"quotes": [quote("a", 1000, 1001), quote("b", 1010, 1008)]}
    console = Console(file=io.StringIO(), width=80)
    console.print(render(report_of(tmp_path, *trade(*entry, opened=opened))))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for words in ("entry, at the best prices", "(depth)", "(staleness)", "(leg delay)", "exit, at the best", "kept"):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "-0.00" not in shown
