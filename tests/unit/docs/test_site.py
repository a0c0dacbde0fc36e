"""The docs site: it builds strictly, asks nobody else for anything, and its pages lead only to what is there."""

import hashlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.docs.pages import DOCS, PAGES, ROOT, name_of

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
# What a browser would fetch by itself; a link that a person may follow is none of it.
FETCHED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*href=["']?https?:""")
HOOKS = runpy.run_path(str(ROOT / "scripts" / "docs_hooks.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(build, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert built.returncode == 0, f"make docs says:\n{built.stdout}{built.stderr}"
    return folder


def test_the_site_builds_strictly_and_has_every_page(site: Path):
    for page in PAGES[1:]:
        assert (site / page.relative_to(DOCS).with_suffix(".html")).is_file()
    assert (site / "changelog.html").is_file()


def test_the_site_fetches_nothing_from_elsewhere(site: Path):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    assert [str(page) for page in pages if FETCHED.search(page.read_text())] == []


def test_every_diagram_has_the_script_that_draws_it(site: Path):
    concepts = (site / "concepts.html").read_text()
    assert '<pre class="mermaid">' in concepts
    assert "assets/vendor/mermaid.tiny.js" in concepts


def test_lists_are_lists_and_code_is_code(site: Path):
    """Python-Markdown differs from GitHub in both; the hooks or the page must see to it."""
    for page in site.rglob("*.html"):
        text = re.sub(r"<(pre|code)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL)
        assert re.findall(r"<p>[^<]*\n- .*", text) == [], page.name
        assert re.findall(r"```.*", text) == [], page.name


def test_the_script_that_draws_is_the_one_that_was_published():
    told = (DOCS / "assets/vendor/README.md").read_text()
    digest = hashlib.sha256((DOCS / "assets/vendor/mermaid.tiny.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in told


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_files_lead_somewhere(page: Path):
    missing = []
    for target in LINK.findall(re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)):
        path = target.partition("#")[0]
        if path and not (page.parent / path).exists() and path != "changelog.md":
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize(
    ("page", "link", "on_site"),
    [
        ("first-hour.md", "[README](../README.md)", "[README](index.md)"),
        ("venues/sim.md", "[README](../../README.md)", "[README](../index.md)"),
        ("upgrading.md", "[it](../CHANGELOG.md#x)", "[it](changelog.md#x)"),
        ("first-hour.md", "[tests/x.py](../tests/x.py)", "tests/x.py"),
        ("first-hour.md", "[secrets](secrets.md)", "[secrets](secrets.md)"),
        ("first-hour.md", "[a](https://deltawire.example/x)", "[a](https://deltawire.example/x)"),
    ],
)
def test_a_link_out_of_the_docs_leads_to_its_page_or_is_text(page: str, link: str, on_site: str):
    assert list(HOOKS["_lines"](link, page)) == [on_site]


def test_what_stands_behind_a_language_is_the_title_of_the_code():
    assert list(HOOKS["_lines"]("```python examples/x.py\n```", "p.md")) == ['```python title="examples/x.py"', "```"]


def test_a_list_gets_the_empty_line_it_needs_and_code_is_left_alone():
    text = "so:\n- one\n- two\n```\nx:\n- y\n```"
    assert "\n".join(HOOKS["_lines"](text, "p.md")) == "so:\n\n- one\n- two\n```\nx:\n- y\n```"
