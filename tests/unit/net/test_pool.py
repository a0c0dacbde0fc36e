"""The order pool against real TLS peers: facts exact, outcomes honest, connections replaced."""

import asyncio
import contextlib
import dataclasses
import os
import random
import socket
import time

import pytest
import trustme
from tests.unit.net.peers import DeafServer, polite

from deltawire.net import tls
from deltawire.net.api import HttpFailure, HttpResponse, PoolSettings
from deltawire.net.dns import AddressCache
from deltawire.net.pool import SocketHttpPool
from deltawire.net.sockets import SocketNetwork

SETTINGS = PoolSettings(connections=2, keepalive_s=60.0, connect_timeout_s=60.0, request_timeout_s=60.0)


@contextlib.asynccontextmanager
async def warm_pool(network, server, settings=SETTINGS):
    pool = network.http_pool(server.origin, settings, "/time", b"X-Warm: 1\r\n")
    try:
        await pool.warm()
        yield pool
    finally:
        await pool.close()


class Outcome:
    """An on_done that waits for its one call."""

    def __init__(self) -> None:
        self._future = asyncio.get_running_loop().create_future()

    def __call__(self, outcome) -> None:
        self._future.set_result(outcome)  # a second call raises InvalidStateError into the log and the test

    def __await__(self):
        return asyncio.wait_for(self._future, 60).__await__()


async def answer_after_warm_up(peer, script) -> None:
    """Serve the warm-up request politely, then what the script says."""
    await peer.request()
    await peer.answer()
    await script(peer)


async def test_warm_opens_every_connection_and_carries_one_request_on_each(network, server):
    async with warm_pool(network, server) as pool:
        assert (pool.idle, server.connections) == (2, 2)
        assert (pool.counters.opened, pool.counters.requests, pool.counters.reused) == (2, 2, 0)


async def test_post_now_writes_the_bytes_given_on_a_warm_connection_and_tells_its_facts(network, server):
    seen = []

    async def record(peer):
        while True:
            seen.append(await peer.request())
            await peer.answer(b'{"id":1}', headers=b"X-Thing: a\r\nx-thing: b\r\n")

    server.script = record
    async with warm_pool(network, server) as pool:
        outcome = Outcome()
        written = pool.post_now("/orders?x=1", b"Content-Type: application/json\r\n", b'{"n":1}', outcome)
        response = await outcome
    assert written is not None
    assert (written.reused, written.connection_requests) == (True, 1)
    assert seen[-1] == (
        b"POST /orders?x=1 HTTP/1.1\r\nHost: localhost:%d\r\nUser-Agent: deltawire\r\n"
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"n":1}' % server.port
    )
    assert (response.status, response.body, response.headers["x-thing"]) == (200, b'{"id":1}', "a, b")
    assert (response.reused, response.connection_requests) == (True, 1)
    assert response.connection_age_ns == written.connection_age_ns > 0
    assert written.written_mono_ns == response.written_mono_ns < response.received_mono_ns


async def test_the_connection_used_last_is_used_next_and_counts_its_requests(network, server):
    async with warm_pool(network, server) as pool:
        carried = []
        for _ in range(3):
            outcome = Outcome()
            pool.post_now("/o", b"", b"x", outcome)
            carried.append((await outcome).connection_requests)
        assert carried == [1, 2, 3]
        assert server.connections == 2


async def test_on_done_may_send_the_next_request_on_the_same_connection(network, server):
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        second = Outcome()
        pool.post_now("/o", b"", b"1", lambda _first: pool.post_now("/o", b"", b"2", second))
        assert (await second).body == b"2"
        assert server.connections == 1


async def test_post_now_refuses_when_every_connection_is_busy_and_sends_nothing(network, server):
    release = asyncio.Event()
    bodies = []

    async def hold(peer):
        while True:
            bodies.append((await peer.request()).partition(b"\r\n\r\n")[2])
            await release.wait()
            await peer.answer()

    server.script = lambda peer: answer_after_warm_up(peer, hold)
    async with warm_pool(network, server) as pool:
        first, second = Outcome(), Outcome()
        assert pool.post_now("/o", b"", b"1", first)
        assert pool.post_now("/o", b"", b"2", second)
        assert pool.post_now("/o", b"", b"3", Outcome()) is None
        assert pool.idle == 0
        release.set()
        await first
        await second
        assert sorted(bodies) == [b"1", b"2"]
        assert pool.counters.refused == 1


async def test_request_opens_an_extra_connection_when_none_is_idle_and_ends_it(network, server, until):
    hold = asyncio.Event()

    async def slow(peer):
        await peer.request()
        await hold.wait()
        await peer.answer()
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, slow) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        outcome = Outcome()
        pool.post_now("/o", b"", b"1", outcome)
        response = await pool.request("POST", "/look-up", b"", b"2")
        assert (response.body, response.reused, response.connection_requests) == (b"2", False, 0)
        hold.set()
        await outcome
        await until(lambda: pool.idle == 1, "the pool's own connection is idle again, the extra one gone")
        assert server.connections == 2


async def test_a_connection_the_server_closed_while_idle_is_replaced_before_it_is_needed(network, server, until):
    close_first = asyncio.Event()

    async def leave(peer):
        await close_first.wait()

    async def by_number(peer):
        await (answer_after_warm_up(peer, leave) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        close_first.set()
        await until(lambda: pool.counters.replaced == 1 and pool.idle == 1, "replaced")
        outcome = Outcome()
        assert pool.post_now("/o", b"", b"x", outcome)
        response = await outcome
        assert (response.reused, response.connection_requests) == (True, 1)  # the warm-up request came before


async def test_a_goodbye_still_unread_in_the_socket_keeps_the_order_off_that_connection(network, server):
    ends = []

    async def stay(peer):
        ends.append(peer.writer.get_extra_info("socket"))
        await peer.gone()

    server.script = lambda peer: answer_after_warm_up(peer, stay)
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        with socket.socket(fileno=os.dup(ends[0].fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)  # in the kernel at once; our loop gets no turn before the order
        assert pool.idle == 1
        assert pool.post_now("/o", b"", b"x", Outcome()) is None


@pytest.mark.parametrize(
    "partial",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
    ids=["silent", "in the head", "in the body"],
)
async def test_a_connection_lost_before_the_whole_answer_leaves_the_outcome_unknown(network, server, partial):
    async def die(peer):
        await peer.request()
        await peer.write(partial)

    server.script = lambda peer: answer_after_warm_up(peer, die)
    async with warm_pool(network, server) as pool:
        outcome = Outcome()
        pool.post_now("/o", b"", b"x", outcome)
        failure = await outcome
        assert isinstance(failure, HttpFailure)
        assert failure.maybe_sent
        assert pool.counters.failed == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_unreadable_answer_leaves_the_outcome_unknown_and_the_connection_is_dropped(
    network, server, until, garbage
):
    async def babble(peer):
        await peer.request()
        await peer.write(garbage)
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, babble) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        outcome = Outcome()
        pool.post_now("/o", b"", b"x", outcome)
        failure = await outcome
        assert isinstance(failure, HttpFailure)
        assert failure.maybe_sent
        await until(lambda: pool.idle == 1 and server.connections == 2, "replaced")


async def test_a_chunked_answer_is_put_together_and_keeps_its_connection(network, server):
    async def chunked(peer):
        while True:
            await peer.request()
            await peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in (b'3\r\n{"a\r\n', b'5;ext=1\r\n":1} \r\n', b"0\r\nX-Trailer: 1\r\n\r\n"):
                await peer.write(part)

    server.script = chunked
    async with warm_pool(network, server) as pool:
        for _ in range(2):
            assert (await pool.request("POST", "/o", b"", b"x")).body == b'{"a":1} '
        assert server.connections == 2


async def test_an_interim_answer_is_not_the_answer(network, server):
    async def early(peer):
        await peer.request()
        await peer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await peer.answer(b"real")
        await peer.gone()

    server.script = lambda peer: answer_after_warm_up(peer, early)
    async with warm_pool(network, server) as pool:
        response = await pool.request("GET", "/o")
        assert (response.status, response.body, "link" in response.headers) == (200, b"real", False)


async def test_an_answer_without_a_length_ends_with_the_connection(network, server):
    async def old_style(peer):
        await peer.request()
        await peer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")

    server.script = lambda peer: answer_after_warm_up(peer, old_style)
    async with warm_pool(network, server) as pool:
        assert (await pool.request("GET", "/o")).body == b"all of it"


async def test_connection_close_is_respected_and_the_place_filled_again(network, server, until):
    async def last(peer):
        await peer.request()
        await peer.answer(b"bye", headers=b"Connection: close\r\n")
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, last) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        assert (await pool.request("POST", "/o", b"", b"x")).body == b"bye"
        assert pool.idle == 0
        await until(lambda: pool.idle == 1, "replaced")
        assert (await pool.request("POST", "/o", b"", b"y")).body == b"y"


async def test_two_answers_to_one_request_deliver_the_first_and_end_the_connection(network, server, until):
    async def twice(peer):
        await peer.request()
        one = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        await peer.write(one + b"first" + one + b"other")
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, twice) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        assert (await pool.request("POST", "/o", b"", b"x")).body == b"first"
        await until(lambda: pool.idle == 1 and pool.counters.replaced == 1, "replaced")
        assert (await pool.request("POST", "/o", b"", b"y")).body == b"y"


async def test_silence_ends_in_a_failure_with_unknown_outcome_and_a_new_connection(network, server, until):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, silent) if peer.number == 1 else polite(peer))

    server.script = by_number
    settings = PoolSettings(connections=1, keepalive_s=60, request_timeout_s=2.0)
    async with warm_pool(network, server, settings) as pool:
        with pytest.raises(HttpFailure, match=r"no answer within 2 s") as failure:
            await pool.request("POST", "/o", b"", b"x")
        assert failure.value.maybe_sent
        await until(lambda: pool.idle == 1, "replaced")


async def test_an_answer_past_the_bound_is_refused(client_context, server):
    async def flood(peer):
        await peer.request()
        await peer.answer(b"x" * 5000)
        await peer.gone()

    server.script = lambda peer: answer_after_warm_up(peer, flood)
    pool = SocketHttpPool(
        server.origin,
        PoolSettings(connections=1, keepalive_s=60),
        "/",
        b"",
        now_ns=time.monotonic_ns,
        ssl_context=client_context,
        rng=random.Random(1),
        response_bytes_max=4096,
    )
    await pool.warm()
    with pytest.raises(HttpFailure, match="over 4096 bytes") as failure:
        await pool.request("GET", "/o")
    assert failure.value.maybe_sent
    await pool.close()


async def test_an_idle_connection_is_exercised_with_the_warm_up_request(network, server, until):
    targets = []

    async def record(peer):
        while True:
            targets.append((await peer.request()).split(b" ")[1])
            await peer.answer()

    server.script = record
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=0.02)) as pool:
        await until(lambda: len(targets) >= 4, "exercised")
        assert set(targets) == {b"/time"}
        assert server.connections == 1
        assert pool.counters.opened == 1


async def test_warm_raises_when_nothing_listens_and_nothing_was_sent(network, server):
    pool = network.http_pool(server.origin, SETTINGS, "/", b"")
    await server.stop()
    with pytest.raises(HttpFailure) as failure:
        await pool.warm()
    assert not failure.value.maybe_sent
    assert pool.post_now("/o", b"", b"x", Outcome()) is None
    with pytest.raises(HttpFailure) as failure:
        await pool.request("POST", "/o", b"", b"x")
    assert not failure.value.maybe_sent
    await pool.close()
    await server.start()  # for the fixture's stop


async def test_a_server_that_never_shakes_hands_times_out_with_nothing_sent_and_is_left(network):
    async with DeafServer() as deaf:
        settings = PoolSettings(connections=1, connect_timeout_s=0.2)
        pool = network.http_pool(f"https://localhost:{deaf.port}", settings, "/", b"")
        with pytest.raises(HttpFailure, match=r"did not open within 0\.2 s") as failure:
            await pool.request("POST", "/o", b"", b"x")
        assert not failure.value.maybe_sent
        await asyncio.wait_for(deaf.left.wait(), 60)
        await pool.close()


async def test_extra_connections_are_bounded_and_past_them_nothing_is_sent(network, server, until):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    server.script = silent
    pool = network.http_pool(server.origin, SETTINGS, "/", b"")
    tasks = [asyncio.create_task(pool.request("GET", "/o")) for _ in range(8)]
    await until(lambda: server.connections == 8, "all extra connections open")
    with pytest.raises(HttpFailure, match="8 extra connections") as failure:
        await pool.request("GET", "/o")
    assert not failure.value.maybe_sent
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await pool.close()


async def test_warm_raises_when_the_server_closes_after_each_answer(network, server):
    async def once(peer):
        await peer.request()
        await peer.answer(headers=b"Connection: close\r\n")

    server.script = once
    pool = network.http_pool(server.origin, SETTINGS, "/", b"")
    with pytest.raises(HttpFailure, match="closes each connection"):
        await pool.warm()
    await pool.close()


async def test_a_certificate_of_another_ca_is_refused(server, tmp_path):

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    stranger = SocketNetwork(now_ns=time.monotonic_ns, ssl_context=tls.client_context(str(other)), rng=random.Random(1))
    pool = stranger.http_pool(server.origin, SETTINGS, "/", b"")
    with pytest.raises(HttpFailure, match="CERTIFICATE_VERIFY_FAILED") as failure:
        await pool.warm()
    assert not failure.value.maybe_sent
    await pool.close()


async def test_the_pool_comes_back_when_the_server_does(network, server, until):
    async with warm_pool(network, server, PoolSettings(connections=2, keepalive_s=60)) as pool:
        await server.stop()
        await until(lambda: pool.idle == 0, "lost")
        await server.start()
        await until(lambda: pool.idle == 2, "replaced")
        response = await pool.request("POST", "/o", b"", b"x")
        assert isinstance(response, HttpResponse)


async def test_close_fails_what_is_in_flight_with_unknown_outcome(network, server):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    server.script = lambda peer: answer_after_warm_up(peer, silent)
    pool = network.http_pool(server.origin, SETTINGS, "/", b"")
    await pool.warm()
    outcome = Outcome()
    pool.post_now("/o", b"", b"x", outcome)
    await pool.close()
    failure = await outcome
    assert isinstance(failure, HttpFailure)
    assert failure.maybe_sent
    assert pool.post_now("/o", b"", b"x", Outcome()) is None


async def test_a_cancelled_request_leaves_no_answer_behind_for_the_next_one(network, server, until):
    async def late(peer):
        await peer.request()
        await peer.gone()

    async def by_number(peer):
        await (answer_after_warm_up(peer, late) if peer.number == 1 else polite(peer))

    server.script = by_number
    async with warm_pool(network, server, PoolSettings(connections=1, keepalive_s=60)) as pool:
        task = asyncio.create_task(pool.request("POST", "/o", b"", b"old"))
        await until(lambda: pool.idle == 0, "written")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: pool.idle == 1, "replaced")
        assert (await pool.request("POST", "/o", b"", b"new")).body == b"new"


async def test_a_connection_given_up_as_its_handshake_ends_takes_no_later_one_with_it(client_context, server, until):
    """Its socket's number must not be free while its transport still says goodbye: that would end who gets it next."""
    first: list[asyncio.Task[None]] = []

    def now_ns() -> int:  # first asked when the handshake is over
        if first:
            first.pop().cancel()
        return time.monotonic_ns()

    pool = pool_with(AddressCache(time.monotonic_ns, local_address), client_context, server)
    pool._now_ns = now_ns
    opening = asyncio.create_task(pool.warm())
    first.append(opening)
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert first == [], "it was cancelled as the handshake ended"
    await until(lambda: server.open == 0, "what was given up is ended at once, and not when its goodbye times out")
    await pool.warm()
    assert (await pool.request("GET", "/o")).status == 200
    await pool.close()


async def test_the_socket_has_nodelay(network, server):

    async with warm_pool(network, server) as pool:
        sock = pool._idle[0]._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_the_kernel_probes_an_idle_path_after_the_time_set(network, server):
    async with warm_pool(network, server, dataclasses.replace(SETTINGS, tcp_keepalive_s=17.0)) as pool:
        sock = pool._idle[0]._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 17


async def test_every_connection_of_a_pool_is_served_by_one_look_up(client_context, server, until):
    cache = AddressCache(time.monotonic_ns, local_address)
    pool = pool_with(cache, client_context, server)
    await pool.warm()
    pool._idle[0].end("broken by the test")
    await until(lambda: pool.counters.replaced == 1, "replaced")
    assert cache.asked == 1
    await pool.close()


async def test_an_address_where_nobody_listens_is_passed_over_for_the_next(client_context, server):
    async def two(host, port):
        return ["127.99.99.99", "127.0.0.1"]  # the server listens on the second only

    pool = pool_with(AddressCache(time.monotonic_ns, two), client_context, server)
    await pool.warm()
    assert pool.idle == SETTINGS.connections
    await pool.close()


async def local_address(host, port):
    return ["127.0.0.1"]


def pool_with(cache, context, server):
    """Make a pool that resolves by this cache; the certificate is still checked for the host's name."""
    return SocketHttpPool(
        server.origin,
        SETTINGS,
        "/time",
        b"",
        now_ns=time.monotonic_ns,
        ssl_context=context,
        rng=random.Random(1),
        addresses=cache,
    )


@pytest.mark.parametrize("origin", ["http://localhost:1", "https://", "https://h/path", "https://u:p@h"])
def test_only_an_https_origin_makes_a_pool(network, origin):
    with pytest.raises(ValueError, match="need an origin"):
        network.http_pool(origin, SETTINGS, "/", b"")
