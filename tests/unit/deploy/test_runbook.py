"""docs/runbook.md: every alarm leads into it, and every night of it was rehearsed."""

import ast
import re
from pathlib import Path

from deltawire.observe import alarms

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/runbook.md").read_text()
NIGHTS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return heading.lower().replace(" ", "-")


def test_there_are_ten_nights_and_the_table_names_each():
    assert len(NIGHTS) == 10
    assert re.findall(r"^\| \[(.+?)\]\(#", PAGE, re.MULTILINE) == NIGHTS


def test_every_link_inside_the_page_leads_somewhere():
    assert set(re.findall(r"\]\(#([a-z-]+)\)", PAGE)) <= {anchor(night) for night in NIGHTS}


def test_every_alarm_leads_to_a_night_that_is_there():
    source = Path(alarms.__file__).read_text()
    named = {place for _, _, place in alarms.EVENTS.values()} | set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"\)', source))
    assert named - {""} <= {anchor(night) for night in NIGHTS}
    rules = (ROOT / "deploy/prometheus/deltawire.rules.yml").read_text()
    assert set(re.findall(r"runbook\.md#([a-z-]+)", rules)) <= {anchor(night) for night in NIGHTS}


def test_every_night_was_rehearsed_by_a_test_that_exists():
    parts = dict(zip(NIGHTS, re.split(r"^## .+$", PAGE, flags=re.MULTILINE)[1:], strict=True))
    for night, text in parts.items():
        rehearsals = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
        assert rehearsals, night
        for path, name in rehearsals:
            tree = ast.parse((ROOT / path).read_text())
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in functions, f"{night}: {path}::{name}"
