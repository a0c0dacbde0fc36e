"""Fixtures: the certificate of this run, each world in turn, an adapter started in it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme
from tests.conformance.venues.suite import Ear, MemoryLog, Rig, World
from tests.conformance.venues.worlds import WORLDS

from deltawire.net.tls import client_context, server_context

Make = Callable[..., Rig]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files of a server certificate for loopback and of the CA that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    server, trusted = folder / "server.pem", folder / "ca.pem"
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server))
    ca.cert_pem.write_to_path(str(trusted))
    return str(server), str(trusted)


@pytest.fixture
def server_tls(certificates: tuple[str, str]) -> ssl.SSLContext:
    return server_context(certificates[0])


@pytest.fixture
def client_tls(certificates: tuple[str, str]) -> ssl.SSLContext:
    return client_context(certificates[1])


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, server_tls: ssl.SSLContext) -> AsyncIterator[World]:
    world = WORLDS[request.param]()
    await world.start(server_tls)
    yield world
    await world.stop()


@pytest.fixture
async def make(world: World, client_tls: ssl.SSLContext) -> AsyncIterator[Make]:
    """Make adapters that are closed in the end.

    Whatever happened: no event was illegal for core.order, and every fault the test armed did strike.
    """
    rigs: list[Rig] = []

    def make_rig(**settings: Any) -> Rig:
        log = MemoryLog()
        rigs.append(Rig(world, world.venue(client_tls, log, **settings), log, Ear(), f"conform{len(rigs)}"))
        return rigs[-1]

    yield make_rig
    await asyncio.gather(*(rig.venue.close() for rig in rigs))
    assert [rig.ear.illegal for rig in rigs] == [[] for _ in rigs]
    assert world.faults.armed() == []


@pytest.fixture
async def rig(make: Make) -> Rig:
    rig = make()
    await rig.start()
    return rig


@pytest.fixture
async def hasty(make: Make) -> Rig:
    """An adapter that doubts soon and whose orders die soon, for what has to be waited out."""
    rig = make(reply_timeout_s=0.3, recv_window_ms=300)
    await rig.start()
    return rig
