"""pytest fixtures with the simulated venues: `pytest_plugins = ["deltawire.testing.plugin"]` in a conftest or a test.

Not registered by itself: a suite that does not ask for it pays nothing. pytest is not among what deltawire installs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltawire.testing.venues import SimulatedVenues, running_venues


@pytest.fixture
def simulated_venues_settings() -> str:
    """YAML for `deltawire sim` (docs/venues/sim.md); override it to have another market."""
    return ""


@pytest.fixture
def simulated_venues(tmp_path: Path, simulated_venues_settings: str) -> Iterator[SimulatedVenues]:
    """Both venues, fresh for this test, taken down after it."""
    with running_venues(tmp_path / "simulated-venues", simulated_venues_settings) as venues:
        yield venues
