"""The pages as the tests of the docs read them: their texts and the blocks of code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in DOCS.rglob("*.md") if "assets" not in path.relative_to(DOCS).parts),
]

_FENCE = re.compile(r"^( *)```(\S*)[ ]?(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    about: str  # what stands behind the language: the file a piece of code is from
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        indent, language, about, code = found.groups()
        line = text.count("\n", 0, found.start()) + 2
        yield Block(name_of(page), line, language, about, re.sub(f"^{indent}", "", code, flags=re.MULTILINE))


def of_language(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language in languages]
