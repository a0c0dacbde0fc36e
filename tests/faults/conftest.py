"""One certificate authority for all fault tests, and a rig of each venue."""

from collections.abc import AsyncIterator

import pytest
from tests.faults.rig import Certificates, ParadexRig, VestRig, certificates, changes_for, paradex_rig, vest_rig


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def orders_are_short_lived() -> None:
    """See rig.SHORT_LIVED."""


@pytest.fixture
def silence_is_noticed_soon() -> None:
    """See rig.IMPATIENT."""


@pytest.fixture
async def paradex(files: Certificates, request: pytest.FixtureRequest) -> AsyncIterator[ParadexRig]:
    async with paradex_rig(files, **changes_for("paradex", request)) as rig:
        yield rig


@pytest.fixture
async def vest(files: Certificates, request: pytest.FixtureRequest) -> AsyncIterator[VestRig]:
    async with vest_rig(files, **changes_for("vest", request)) as rig:
        yield rig
