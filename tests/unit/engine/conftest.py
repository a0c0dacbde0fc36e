"""The bot's world as a fixture: what was neither stopped nor killed in it is let go afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.engine.test_bot import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "journal")
    yield made
    await made.let_go()
