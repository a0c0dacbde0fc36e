"""A server over TLS with a test CA, and the network that trusts it."""

import asyncio
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator

import pytest
import trustme
import uvloop
from tests.unit.net.peers import HttpServer, Until

from deltawire.net import tls
from deltawire.net.sockets import SocketNetwork
from deltawire.net.ws import WsSettings

# asyncio's TLS transport of 3.11.2 (Debian 12) calls _abort on None when a peer is lost; that of 3.11.7 does not.
ASYNCIO_TLS_IS_SOUND = sys.version_info >= (3, 11, 7)


def pytest_asyncio_loop_factories(config, item):
    """Run these tests on the loop of the product, and on asyncio's, which whoever embeds it may use."""
    if not ASYNCIO_TLS_IS_SOUND:
        return {"uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
def until() -> Until:
    return Until()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(scope="session")
def server_context(ca, tmp_path_factory) -> ssl.SSLContext:
    path = tmp_path_factory.mktemp("server") / "server.pem"
    ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return tls.server_context(str(path))


@pytest.fixture
def client_context(ca_file) -> ssl.SSLContext:
    return tls.client_context(ca_file)


@pytest.fixture
async def server(server_context) -> AsyncIterator[HttpServer]:
    server = HttpServer(server_context)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def network(client_context) -> SocketNetwork:
    return SocketNetwork(
        now_ns=time.monotonic_ns,
        ssl_context=client_context,
        rng=random.Random(7),
        ws_settings=WsSettings(ping_idle_s=None, message_bytes_max=100_000),
    )
