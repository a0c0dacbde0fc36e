"""Every kind of fault has, at every venue that can have it, a test that shows the adapter's answer."""

import importlib

import pytest
from tests.faults.rig import COVERED

from deltawire.sim.faults import KINDS, ONLY_AT, VENUES

WANTED = [(venue, kind) for kind in KINDS for venue in VENUES if ONLY_AT.get(kind, venue) == venue]


@pytest.fixture(scope="module", autouse=True)
def _all_tests_are_entered() -> None:
    for name in ("paradex", "vest", "network"):
        importlib.import_module(f"tests.faults.test_{name}_faults")


@pytest.mark.parametrize(("venue", "kind"), WANTED)
def test_a_kind_has_its_test(venue, kind):
    assert COVERED.get((venue, kind)), f"no test in tests/faults covers {kind} at {venue}"


def test_no_test_covers_what_is_no_kind():
    assert set(COVERED) <= set(WANTED)
