"""docs/machines.md is drawn from the transition tables; here, that it is whole and up to date."""

import runpy
from pathlib import Path

from deltawire.core import order, trade

ROOT = Path(__file__).resolve().parents[2]
DRAW = runpy.run_path(str(ROOT / "scripts" / "draw_machines.py"))


def test_the_page_says_what_the_tables_say():
    page = (ROOT / "docs" / "machines.md").read_text()
    assert page == DRAW["drawn"](page), "renew it: python scripts/draw_machines.py"


def test_a_page_that_says_something_else_is_noticed():
    page = (ROOT / "docs" / "machines.md").read_text()
    changed = page.replace("unwinding --> stuck: exhausted", "unwinding --> closed: exhausted")
    assert changed != page
    assert DRAW["drawn"](changed) == page


def test_every_row_of_both_tables_is_on_the_page():
    page = (ROOT / "docs" / "machines.md").read_text()
    for state, row in order.NEXT.items():
        for event, after in row.items():
            then = "stays" if after is state else after.value
            assert f"| {state.value} | {event.__name__} | {then} |" in page
    for phase, findings in trade.NEXT.items():
        for finding, then_phase in findings.items():
            then = "stays" if then_phase is phase else then_phase.value
            assert f"| {phase.value} | {finding.value} | {then} |" in page


def test_the_reason_beside_a_row_is_drawn_with_it():
    rows = {(row.before, row.what): row.why for row in DRAW["order_machine"]().rows}
    assert rows["sent", "FillSeen"] == "a fill can overtake the acknowledgement"
    assert rows["intended", "Sent"] == ""
