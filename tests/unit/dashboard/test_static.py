"""The page's files: nothing from outside, nothing inline, the chart library as it was published."""

import hashlib
import re
from pathlib import Path

import pytest

from deltawire.dashboard.app import STATIC

OURS = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"} and path.parent == STATIC)
PAGES = [path for path in OURS if path.suffix == ".html"]
OUTSIDE = re.compile(r"(?:https?:)?//[\w.-]+\.\w+|url\(|@import|\bWebSocket\b|sendBeacon", re.IGNORECASE)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_file_of_ours_asks_anybody_else(path: Path):
    assert [line for line in path.read_text().splitlines() if OUTSIDE.search(line)] == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_text_never_becomes_markup(path: Path):
    assert MARKUP.findall(path.read_text()) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_hold_no_script_no_style_and_no_handler_of_their_own(path: Path):
    text = path.read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", text) == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_what_a_file_names_is_there(path: Path):
    text = path.read_text()
    named = re.findall(r'(?:src|href)="/([\w./-]+)"', text) + re.findall(r'from "\./([\w./-]+)"', text)
    assert [name for name in named if not (STATIC / name).is_file()] == []


def test_the_vendored_files_are_what_their_page_says():
    said = dict(re.findall(r"\| `([\w.]+)` \|[^|]*\| `([0-9a-f]{64})` \|", (STATIC / "vendor/README.md").read_text()))
    assert set(said) == {"uPlot.esm.js", "uPlot.min.css"}
    assert {name: hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() for name in said} == said
    assert "MIT License" in (STATIC / "vendor/uPlot.LICENSE").read_text()


def test_every_control_has_a_name_and_every_section_a_heading():
    text = (STATIC / "index.html").read_text()
    for found in re.findall(r'aria-labelledby="([\w-]+)"', text) + re.findall(r'aria-describedby="([\w-]+)"', text):
        assert f'id="{found}"' in text, found
    assert text.count("<h1") == 1
    assert "<main" in text
    assert 'role="status"' in text
    assert 'role="alert"' in text
    assert 'lang="en"' in text
