"""The simulated distance: what it delays, at least by how much, and how it ends connections.

Only lower bounds of time are asserted: a loaded machine is always slower, never faster.
"""

import asyncio
import hashlib
import random
import socket
import time

import pytest
from tests.unit.sim_network.venue_echo import Venue, proxied

from deltawire.sim.network import DelayProxy, Link, PortLinks

MS = 1_000_000


async def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        await asyncio.sleep(0.002)


async def ping(reader, writer, payload=b"ping") -> int:
    """Send and wait for the echo; return the ns it took."""
    started = time.monotonic_ns()
    writer.write(payload)
    assert await asyncio.wait_for(reader.readexactly(len(payload)), 60) == payload
    return time.monotonic_ns() - started


async def open_to(proxy):
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_the_first_bytes_pay_the_handshake_and_later_ones_only_their_round_trip(venue):
    async with proxied(venue, Link.of_rtt(40)) as proxy:
        opened = time.monotonic_ns()
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        assert time.monotonic_ns() - opened >= 80 * MS
        # Had the handshake been charged again, none would ever be quicker than it.
        assert await quickest_under(80 * MS, lambda: ping(reader, writer)) >= 40 * MS
        writer.close()


async def test_each_direction_has_its_own_delay(venue):
    async with proxied(venue, Link(up_ns=30 * MS, down_ns=0)) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)

        async def news() -> int:
            started = time.monotonic_ns()
            venue.writers[0].write(b"news")
            assert await reader.readexactly(4) == b"news"
            return time.monotonic_ns() - started

        await quickest_under(30 * MS, news)
        assert await ping(reader, writer) >= 30 * MS
        writer.close()


async def test_a_client_that_waits_before_it_speaks_has_paid_the_handshake_by_then(venue):
    async with proxied(venue, Link.of_rtt(30)) as proxy:

        async def first_words() -> int:
            reader, writer = await open_to(proxy)
            await until(lambda: len(proxy.connections) == 1, "accepted")
            paid_ns = proxy.connections[0].up._line_free_ns
            await until(lambda: time.monotonic_ns() >= paid_ns, "the handshake's time has passed")
            took_ns = await ping(reader, writer)
            proxy.drop()
            writer.close()
            return took_ns

        assert await quickest_under(60 * MS, first_words) >= 30 * MS


async def quickest_under(limit_ns, measure):
    """Measure until one result is under limit_ns, and return it: load makes some slow, only a fault makes all slow."""
    deadline = time.monotonic() + 60
    while (took_ns := await measure()) >= limit_ns:
        assert time.monotonic() < deadline, f"never under {limit_ns} ns, last {took_ns}"
    return took_ns


async def test_the_order_and_content_of_bytes_survive_jitter(venue):
    rng = random.Random(4)
    sent = [rng.randbytes(rng.randrange(1, 3000)) for _ in range(300)]
    async with proxied(venue, Link(up_ns=MS, down_ns=MS, jitter_up_ns=3 * MS, jitter_down_ns=3 * MS)) as proxy:
        reader, writer = await open_to(proxy)
        for chunk in sent:
            writer.write(chunk)
            await asyncio.sleep(0)
        back = await asyncio.wait_for(reader.readexactly(sum(map(len, sent))), 60)
        writer.close()
    assert hashlib.sha256(back).digest() == hashlib.sha256(b"".join(sent)).digest()


async def test_jitter_only_adds(venue):
    async with proxied(
        venue, Link(up_ns=5 * MS, down_ns=5 * MS, jitter_up_ns=20 * MS, jitter_down_ns=20 * MS)
    ) as proxy:
        reader, writer = await open_to(proxy)
        took = [await ping(reader, writer) for _ in range(12)]
        writer.close()
    assert min(took) >= 10 * MS
    assert max(took[1:]) - min(took[1:]) > 2 * MS


async def test_bandwidth_spreads_a_large_message(venue):
    async with proxied(venue, Link(bytes_per_s=1_000_000)) as proxy:
        reader, writer = await open_to(proxy)
        assert await ping(reader, writer, b"x" * 60_000) >= 60 * MS
        writer.close()


async def test_a_new_link_counts_from_the_next_bytes(venue):
    async with proxied(venue, Link()) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        proxy.links = PortLinks(Link.of_rtt(50))
        assert await ping(reader, writer) >= 50 * MS
        writer.close()


async def test_a_half_close_reaches_the_venue_after_the_bytes_and_its_answer_comes_back(venue):
    async with proxied(venue, Link.of_rtt(10)) as proxy:
        reader, writer = await open_to(proxy)
        writer.write(b"last words")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 60) == b"last words"
        writer.close()
        await until(lambda: not proxy.connections, "over")
    assert venue.ends == ["clean"]


async def test_a_client_that_vanishes_ends_the_venues_side_too(venue):
    async with proxied(venue, Link.of_rtt(10)) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        writer.transport.abort()
        await until(lambda: bool(venue.ends) and not proxy.connections, "both ended")


async def test_drop_cuts_every_connection_and_later_ones_work(venue):
    async with proxied(venue, Link()) as proxy:
        pairs = [await open_to(proxy) for _ in range(3)]
        for reader, writer in pairs:
            await ping(reader, writer)
        assert proxy.drop() == 3
        for reader, writer in pairs:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()
        assert proxy.connections == []
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        writer.close()


async def test_cut_after_up_lets_the_venue_read_all_and_the_client_no_answer(venue):
    async with proxied(venue, Link.of_rtt(4)) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        proxy.connections[0].cut_after_up(6)
        writer.write(b"order!never")
        assert await asyncio.wait_for(reader.read(), 60) == b""
        await until(lambda: bool(venue.ends), "the venue saw the end")
        assert bytes(venue.read[0]) == b"pingorder!"
        writer.close()


async def test_cut_after_down_lets_part_of_an_answer_through(venue):
    async with proxied(venue, Link.of_rtt(4)) as proxy:
        reader, writer = await open_to(proxy)
        proxy.on_connection = None
        await ping(reader, writer)
        proxy.connections[0].cut_after_down(3)
        writer.write(b"question")
        assert await asyncio.wait_for(reader.read(), 60) == b"que"
        writer.close()


async def test_a_connection_can_be_chosen_as_it_opens(venue):
    async with proxied(venue, Link()) as proxy:
        proxy.on_connection = lambda connection: connection.cut_after_up(2) if connection.number == 2 else None
        first, second = await open_to(proxy), None
        await ping(*first)
        second = await open_to(proxy)
        second[1].write(b"abcd")
        assert await asyncio.wait_for(second[0].read(), 60) == b""
        await ping(*first)
        for _reader, writer in (first, second):
            writer.close()


async def test_a_frozen_connection_swallows_bytes_and_stays_open(venue):
    async with proxied(venue, Link()) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        proxy.connections[0].freeze()
        writer.write(b"into the void")
        await until(lambda: proxy.connections[0].up._queued_bytes == 0, "taken")
        other_reader, other_writer = await open_to(proxy)
        await ping(other_reader, other_writer)  # the proxy works; only the frozen one is silent
        assert bytes(venue.read[0]) == b"ping"
        assert not reader.at_eof()
        for w in (writer, other_writer):
            w.close()


async def test_a_client_that_does_not_read_is_felt_by_the_venue(venue):
    venue.echoes = False
    async with proxied(venue, Link()) as proxy:
        _reader, writer = await open_to(proxy)
        writer.write(b"hello")
        await until(lambda: bool(venue.read) and venue.read[0] == b"hello", "arrived")
        writer.transport.pause_reading()
        venue_writer = venue.writers[0]
        full = asyncio.create_task(_flood(venue_writer))
        await until(lambda: venue_writer.transport.get_write_buffer_size() > 1_000_000, "the venue's own buffer fills")
        full.cancel()
        writer.transport.abort()


async def _flood(writer):
    while True:
        writer.write(b"x" * 65536)
        await asyncio.sleep(0)


async def test_an_unreachable_venue_ends_the_client():
    nobody = Venue()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # held while nobody listens there, so that nobody else can
        nobody.port = sock.getsockname()[1]
        async with proxied(nobody, Link()) as proxy:
            reader, writer = await open_to(proxy)
            with_end = await asyncio.wait_for(asyncio.gather(reader.read(), return_exceptions=True), 60)
            assert with_end[0] == b"" or isinstance(with_end[0], ConnectionError)
            await until(lambda: proxy.connections == [], "its own end is over too")
            writer.close()


async def test_stop_ends_connections_and_frees_the_port(venue):
    async with proxied(venue, Link()) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        port = proxy.port
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_same_seed_draws_the_same_jitter(venue):
    async with proxied(venue, Link(), seed=3) as one, proxied(venue, Link(), seed=3) as two:
        assert isinstance(one, DelayProxy)
        assert [one.drawn_ns(MS) for _ in range(5)] == [two.drawn_ns(MS) for _ in range(5)]


async def test_one_connection_may_have_a_link_of_its_own(venue):
    async with proxied(venue, PortLinks(Link(), {2: Link.of_rtt(60)})) as proxy:
        first, second = await open_to(proxy), await open_to(proxy)
        await until(lambda: len(proxy.connections) == 2, "both joined")
        await ping(*second)
        assert await ping(*second) >= 60 * MS
        await quickest_under(60 * MS, lambda: ping(*first))
        for _reader, writer in (first, second):
            writer.close()


async def test_jitter_is_drawn_for_each_direction_by_its_own_measure(venue):
    async with proxied(venue, Link(jitter_up_ns=40 * MS)) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        connection = proxy.connections[0]
        assert {connection.down._delay_ns() for _ in range(20)} == {0}
        assert max(connection.up._delay_ns() for _ in range(50)) > 5 * MS
        writer.close()


async def test_bytes_for_a_client_that_was_killed_do_not_stop_the_clock_for_the_others(venue):
    async with proxied(venue, Link(down_ns=200 * MS)) as proxy:
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        await until(lambda: len(proxy.connections) == 1, "accepted")
        dead = proxy.connections[0]
        venue.writers[0].write(b"news")
        await until(lambda: dead.down._queue, "news is on its way")
        assert dead.client._transport is not None
        dead.client._transport.abort()  # as after the reset of a killed process: closed, and not yet told
        writer.close()
        for _ in range(2):
            await ping(*(other := await open_to(proxy)))
            other[1].close()
