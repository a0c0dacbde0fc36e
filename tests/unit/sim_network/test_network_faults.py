"""Faults of the simulated network: which connections they strike, when, and what is left of the bytes."""

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.sim_network.test_proxy import MS, open_to, ping, until
from tests.unit.sim_network.venue_echo import proxied

from deltawire.sim.faults import Fault, Faults
from deltawire.sim.network import Link, PortLinks
from deltawire.sim.network_faults import strike_network


def arm(faults, kind, **params):
    faults.add(Fault("vest", kind, params=params))


def call_later(delay_s, fn):
    return asyncio.get_running_loop().call_later(delay_s, fn)


async def test_a_cut_on_the_way_up_leaves_the_request_half_read(venue):
    async with proxied(venue, Link()) as proxy:
        faults = Faults()
        strike_network("vest", {"ws": proxy}, faults, call_later)
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        arm(faults, "cut", port="ws", way="up", bytes=3)
        writer.write(b"order")
        assert await asyncio.wait_for(reader.read(), 60) == b""
        await until(lambda: bool(venue.ends), "the venue saw the end")
        assert bytes(venue.read[0]) == b"pingord"
        writer.close()


@pytest.mark.parametrize("passed", [0, 2])
async def test_a_cut_on_the_way_down_comes_after_the_venue_has_read_all(venue, passed):
    async with proxied(venue, Link()) as proxy:
        faults = Faults()
        strike_network("vest", {"ws": proxy}, faults, call_later)
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        arm(faults, "cut", port="ws", way="down", bytes=passed)
        writer.write(b"order")
        assert await asyncio.wait_for(reader.read(), 60) == b"order"[:passed]
        await until(lambda: bytes(venue.read[0]) == b"pingorder", "read whole")
        writer.close()


async def test_a_fault_for_one_connection_spares_the_others_and_waits_for_its_own(venue):
    async with proxied(venue, Link()) as proxy:
        faults = Faults()
        strike_network("vest", {"ws": proxy}, faults, call_later)
        first = await open_to(proxy)
        await ping(*first)
        arm(faults, "cut", port="ws", way="up", bytes=1, connection=2)
        assert len(faults.armed()) == 1
        second = await open_to(proxy)
        second[1].write(b"ab")
        assert await asyncio.wait_for(second[0].read(), 60) == b""
        await ping(*first)
        assert faults.armed() == []
        for _reader, writer in (first, second):
            writer.close()


async def test_a_frozen_line_says_nothing_and_stays_open(venue):
    async with proxied(venue, Link()) as proxy:
        faults = Faults()
        strike_network("vest", {"ws": proxy}, faults, call_later)
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        arm(faults, "freeze", port="ws")
        writer.write(b"anyone there?")
        other = await open_to(proxy)
        await ping(*other)
        assert bytes(venue.read[0]) == b"ping"
        assert not reader.at_eof()
        for w in (writer, other[1]):
            w.close()


async def test_a_slow_network_recovers_after_its_time(venue):
    async with proxied(venue, PortLinks(Link(), {1: Link(down_ns=MS)})) as proxy:
        usual, faults = proxy.links, Faults()
        timers: list[tuple[float, Callable[[], None]]] = []
        strike_network("vest", {"ws": proxy}, faults, _recorder(timers))
        reader, writer = await open_to(proxy)
        await ping(reader, writer)
        arm(faults, "slow_network", up_ms=30, down_ms=20, ms=1500)
        assert await ping(reader, writer) >= 50 * MS
        [(delay_s, recover)] = timers
        assert delay_s == 1.5
        recover()
        assert proxy.links == usual
        writer.close()


def test_without_a_network_its_faults_are_refused_with_what_to_do():
    faults = Faults()
    strike_network("vest", {}, faults, call_later)
    with pytest.raises(ValueError, match="rtt_ms"):
        arm(faults, "slow_network", up_ms=1)
    faults.add(Fault("paradex", "slow_network", params={"up_ms": 1}))


def _recorder(timers):
    def later(delay_s, fn):
        timers.append((delay_s, fn))
        return asyncio.get_running_loop().call_later(0, lambda: None)

    return later
