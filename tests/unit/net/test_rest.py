"""Calls that are not orders: facts, bounds, and what a failure says about sending."""

import asyncio
import contextlib
import time

import pytest

from deltawire.net.api import HttpFailure
from deltawire.net.rest import RestClient


@contextlib.asynccontextmanager
async def client_of(network, server):
    client = network.rest(server.origin)
    try:
        yield client
    finally:
        await client.close()


async def test_an_answer_comes_with_its_facts_and_the_second_call_reuses_the_connection(network, server):
    seen = []

    async def record(peer):
        while True:
            seen.append(await peer.request())
            await peer.answer(b'{"ok":true}', status=b"418 Teapot", headers=b"X-Thing: 1\r\n")

    server.script = record
    async with client_of(network, server) as client:
        first = await client.request("GET", "/v1/markets?market=A%2FB&sig=a+b", {"Authorization": "x"})
        second = await client.request("POST", "/v1/auth", None, b"{}")
    assert (first.status, first.body, first.headers["x-thing"], first.reused) == (418, b'{"ok":true}', "1", False)
    assert (second.reused, second.connection_requests, server.connections) == (True, 1, 1)
    assert 0 < first.written_mono_ns < first.received_mono_ns < time.monotonic_ns()
    assert seen[0].startswith(b"GET /v1/markets?market=A%2FB&sig=a+b HTTP/1.1\r\n")
    assert b"Authorization: x\r\n" in seen[0]
    assert seen[1].endswith(b"\r\n\r\n{}")


async def test_a_redirect_is_not_followed(network, server):
    async def redirect(peer):
        await peer.request()
        await peer.answer(status=b"302 Found", headers=b"Location: https://elsewhere.invalid/\r\n")
        await peer.gone()

    server.script = redirect
    async with client_of(network, server) as client:
        assert (await client.request("GET", "/")).status == 302


async def test_silence_leaves_the_outcome_unknown(network, server):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    server.script = silent
    async with client_of(network, server) as client:
        with pytest.raises(HttpFailure) as failure:
            await client.request("POST", "/orders?key=secret", None, b"x", timeout_s=0.3)
    assert failure.value.maybe_sent
    assert f"POST {server.origin}/orders" in failure.value.reason
    assert "secret" not in failure.value.reason


async def test_a_connection_lost_in_the_body_leaves_the_outcome_unknown(network, server):
    async def die(peer):
        await peer.request()
        await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    server.script = die
    async with client_of(network, server) as client:
        with pytest.raises(HttpFailure) as failure:
            await client.request("POST", "/", None, b"x")
    assert failure.value.maybe_sent


async def test_garbage_leaves_the_outcome_unknown(network, server):
    async def babble(peer):
        await peer.request()
        await peer.write(b"SSH-2.0-OpenSSH\r\n")
        await peer.gone()

    server.script = babble
    async with client_of(network, server) as client:
        with pytest.raises(HttpFailure) as failure:
            await client.request("POST", "/", None, b"x")
    assert failure.value.maybe_sent


async def test_an_answer_past_the_bound_is_refused(client_context, server):
    async def flood(peer):
        await peer.request()
        await peer.answer(b"x" * 5000)
        await peer.gone()

    server.script = flood
    client = RestClient(server.origin, ssl_context=client_context, now_ns=time.monotonic_ns, response_bytes_max=4096)
    with pytest.raises(HttpFailure, match="over 4096 bytes"):
        await client.request("GET", "/")
    await client.close()


async def test_nothing_was_sent_when_nobody_listens(network, server):
    async with client_of(network, server) as client:
        await server.stop()
        with pytest.raises(HttpFailure) as failure:
            await client.request("POST", "/", None, b"x")
        assert not failure.value.maybe_sent
        await server.start()  # for the fixture's stop


async def test_calls_run_side_by_side(network, server):
    async def echo(peer):
        while True:
            await peer.answer((await peer.request()).partition(b"\r\n\r\n")[2])

    server.script = echo
    async with client_of(network, server) as client:
        answers = await asyncio.gather(*(client.request("POST", "/", None, b"%d" % i) for i in range(20)))
    assert [answer.body for answer in answers] == [b"%d" % i for i in range(20)]


async def test_a_closed_client_fails_as_any_failure_does_and_sends_nothing(network, server):
    client = network.rest(server.origin)
    await client.close()
    await client.close()
    with pytest.raises(HttpFailure, match="closed") as failure:
        await client.request("GET", "/v1/markets?key=hidden")
    assert not failure.value.maybe_sent
    assert "hidden" not in str(failure.value)
    assert server.connections == 0
