"""docs/venues/paradex.md says what the code does: its error table is made from it, and what it names exists.

`python -m tests.unit.paradex.test_paradex_docs` writes the table anew.
"""

import re
from pathlib import Path

import orjson

from deltawire.venues.paradex import errors

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/venues/paradex.md"
BEGIN, END = "<!-- errors -->\n", "<!-- /errors -->\n"


def error_table() -> str:
    refused = [(str(code), name, "rejected") for code, name in errors.CODES_REFUSED.items()]
    names = ", ".join(f"`{name}`" for name in sorted(errors.NAMES_REFUSED))
    doubtful = ", ".join(f"`{name}`" for name in sorted(errors.NAMES_DOUBTFUL))
    rows = [
        *refused,
        (str(errors.METHOD_ERROR), "method error", "rejected with a name of the list below, else in doubt"),
        (str(errors.INTERNAL_ERROR), "internal error", "in doubt"),
        ("any other code, no reply, an unreadable one", "", "in doubt"),
        (f"HTTP {errors.HTTP_TOO_MANY}", "rate limit", "rejected"),
        ("HTTP 4xx", "", "rejected with a name of the list below, else in doubt"),
        ("any other HTTP status, no answer", "", "in doubt"),
    ]
    lines = ["| code | meaning | the order is |", "| --- | --- | --- |"]
    lines += [f"| {code} | {meaning} | {verdict} |" for code, meaning, verdict in rows]
    return "\n".join([
        *lines, "",
        f"Names that reject: {names}.", "",
        f"Names that leave an order in doubt whatever code comes with them: {doubtful}.", "",
    ])  # fmt: skip


def with_table(page: str) -> str:
    before, rest = page.split(BEGIN)
    return before + BEGIN + error_table() + END + rest.split(END)[1]


def test_the_error_table_is_the_codes():
    page = PAGE.read_text()
    assert page == with_table(page), "run: python -m tests.unit.paradex.test_paradex_docs"


def test_the_table_says_what_the_code_decides():
    for code in errors.CODES_REFUSED:
        assert type(errors.order_event(code, "", "")).__name__ == "Rejected"
    for code in (errors.METHOD_ERROR, errors.INTERNAL_ERROR, -1):
        assert type(errors.order_event(code, "", "")).__name__ == "InDoubt"
    for name in errors.NAMES_REFUSED:
        assert type(errors.order_event(errors.METHOD_ERROR, name, "")).__name__ == "Rejected"
        assert type(errors.order_event_http(400, name, "")).__name__ == "Rejected"
        assert type(errors.order_event_http(500, name, "")).__name__ == "InDoubt"
    for name in errors.NAMES_DOUBTFUL:
        for code in errors.CODES_REFUSED:
            assert type(errors.order_event(code, name, "")).__name__ == "InDoubt"


def test_files_and_vectors_the_page_names_exist():
    page = PAGE.read_text()
    tests = {path.name for path in (ROOT / "tests").glob("**/*.py")}
    vectors = {path.name for path in (ROOT / "tests/vectors/paradex").iterdir()}
    for name in re.findall(r"`(test_\w+\.py)`", page):
        assert name in tests
    for name in re.findall(r"`(\w+\.json)`", page):
        assert name in vectors


def test_the_page_gives_each_template_its_vectors():
    frames = orjson.loads((ROOT / "tests/vectors/paradex/sbe_frames.json").read_bytes())["frames"]
    spans: dict[int, list[str]] = {}
    for frame in frames:
        spans.setdefault(frame["template_id"], []).append(frame["name"][:3])
    page = PAGE.read_text()
    for template, numbers in spans.items():
        span = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
        (row,) = re.findall(rf"^\| {template}[ ,].*$", page, re.MULTILINE)
        assert span in row


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
