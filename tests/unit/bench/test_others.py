"""A client we did not write is either run, or the reason why it cannot be is said."""

import asyncio
from pathlib import Path

import pytest

from deltawire.bench import others
from deltawire.bench.others import PACKAGES, SCRIPTS, why_missing

KINDS = ("react", "sign", "submit")


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_script_of_each_kind_for_each_package(kind, package):
    assert (SCRIPTS / f"{kind}_{package.replace('-', '_')}.py").is_file()


def test_every_script_imports_nothing_of_ours():
    for script in Path(SCRIPTS).glob("*.py"):
        assert "deltawire" not in [
            line for line in script.read_text().splitlines() if line.startswith(("import", "from"))
        ]


def test_a_package_that_is_not_there_is_told_with_its_remedy():
    reason = why_missing("no-such-package", "react_ccxt.py")
    assert reason.startswith("it is not installed in .venv-oracles: ")
    assert "checkout" in why_missing("ccxt", "no_such_script.py")
    assert asyncio.run(others.said("no-such-package", "react_ccxt.py", {})) == f"no-such-package: {reason}"
