"""Fixtures: the certificate of this run, each world in turn, an adapter started in it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme
import uvloop
from tests.conformance.venues.suite import Make, Rig, World, running, started, started_hasty, workshop
from tests.conformance.venues.worlds import WORLDS

from deltawire.net.tls import client_context, server_context

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Run on the loop of the product."""
    return {"uvloop": uvloop.new_event_loop}


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
    async with running(WORLDS[request.param](), server_tls) as world:
        yield world


@pytest.fixture
async def make(world: World, client_tls: ssl.SSLContext) -> AsyncIterator[Make]:
    async with workshop(world, client_tls) as make:
        yield make


@pytest.fixture
async def rig(make: Make) -> Rig:
    return await started(make)


@pytest.fixture
async def slow(make: Make) -> Rig:
    """Start an adapter whose orders are not executed before the test is over."""
    return await started(make, slow_s=60.0)


@pytest.fixture
async def hasty(make: Make) -> Rig:
    return await started_hasty(make)
