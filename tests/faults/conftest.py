"""One certificate authority for all fault tests, and a rig of each venue."""

from collections.abc import AsyncIterator

import pytest
from tests.faults.rig import Certificates, ParadexRig, VestRig, certificates, paradex_rig, vest_rig


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def paradex(files: Certificates) -> AsyncIterator[ParadexRig]:
    async with paradex_rig(files) as rig:
        yield rig


@pytest.fixture
async def vest(files: Certificates) -> AsyncIterator[VestRig]:
    async with vest_rig(files) as rig:
        yield rig
