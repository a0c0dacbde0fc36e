"""docs/safety.md promises nothing that no test stands behind."""

import ast
import re

from tests.unit.docs.pages import DOCS, ROOT

PAGE = (DOCS / "safety.md").read_text()
PROMISES = re.findall(r"^\| (I[0-9]+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def names_there() -> set[str]:
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_invariant_is_promised_and_names_tests_that_are_there():
    assert [number for number, _, _ in PROMISES] == [f"I{n}" for n in range(1, 11)]
    named = {number: re.findall(r"`(test_\w+)`", tests) for number, _, tests in PROMISES}
    assert all(named.values())
    assert {test for tests in named.values() for test in tests} - names_there() == set()
