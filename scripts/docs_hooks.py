# ruff: noqa: INP001 - loaded by mkdocs, not a package
"""What mkdocs is told besides mkdocs.yml, so that one text serves the site, GitHub and an editor.

The pages in docs/ are written for all three, but three things differ. A link that leaves docs/ has no address on the
site (README and changelog have, the source has not). Python-Markdown wants an empty line before a list. What stands
behind the language of a code block must be its title. Fetches nothing.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ELSEWHERE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}  # outside docs/ -> its page on the site

_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *```)(\S*) ?(.*)$")
_ITEM = re.compile(r"^(?:[-*] |1\. )")
_IN_LIST = re.compile(r"^(?:[-*] |[0-9]+\. | )")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List a folder where the nav names one, and put every page it does not name under More."""
    config.nav = [_with_folders(item) for item in config.nav or []]
    named = set(_pages(config.nav))
    rest = [page for page in _all_pages() if page not in named]
    if rest:
        config.nav.append({"More": rest})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog, which stands at the root of the repository."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make of a page what the site can show."""
    del config, files
    return "\n".join(_lines(markdown, page.file.src_uri))


def _lines(markdown: str, page: str) -> Iterator[str]:
    in_code, before = False, ""
    for line in markdown.splitlines():
        if fence := _FENCE.match(line):
            in_code = not in_code
            ticks, language, about = fence.groups()
            if about:
                title = f"{language} {about}" if about.startswith("-") else about
                line = f'{ticks}{language} title="{title}"'  # noqa: PLW2901 - the line as the site has it
        elif not in_code:
            if _ITEM.match(line) and before and not _IN_LIST.match(before):
                yield ""
            line = _LINK.sub(lambda link: _on_site(link, page), line)  # noqa: PLW2901 - the line as the site has it
        yield line
        before = line


def _on_site(link: re.Match[str], page: str) -> str:
    """Return a link the site can follow, or only its text."""
    text, target = link.groups()
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return link.group()
    # The changelog speaks from the root of the repository, as README does.
    base = "" if page == "changelog.md" else posixpath.join("docs", posixpath.dirname(page))
    there = posixpath.normpath(posixpath.join(base, path))
    if there in ELSEWHERE:
        up = posixpath.relpath(ELSEWHERE[there], posixpath.dirname(page) or ".")
        return f"[{text}]({up}{mark}{anchor})"
    if there.startswith("docs/") and (ROOT / there).is_file():
        return link.group()
    return str(text)


def _with_folders(item: Any) -> Any:
    """Put the pages of a folder where its name stands; the same within sections."""
    if isinstance(item, str):
        return item
    (title, what), *_ = item.items()
    if isinstance(what, list):
        return {title: [_with_folders(one) for one in what]}
    if what.endswith("/"):
        return {title: [page for page in _all_pages() if page.startswith(what)]}
    return item


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for what in nav.values():
            yield from _pages(what)
    else:
        for one in nav:
            yield from _pages(one)


def _all_pages() -> list[str]:
    found = (path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    return sorted(page for page in found if not page.startswith("assets/"))
