"""Faults of the network between, and what the adapters make of them. The venues behind it are sound."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.faults.rig import (
    SIZE_E8,
    Certificates,
    ParadexRig,
    VestRig,
    changes_for,
    covers,
    impatient,
    paradex_rig,
    short_lived,
    until,
    vest_rig,
)

from deltawire.core.order import OrderState
from deltawire.sim.network import Link

FILLED, NEVER = OrderState.FILLED, OrderState.NEVER


@pytest.fixture
async def paradex(files: Certificates, request: pytest.FixtureRequest) -> AsyncIterator[ParadexRig]:
    async with paradex_rig(files, network=Link(), **changes_for("paradex", request)) as rig:
        yield rig


@pytest.fixture
async def vest(files: Certificates, request: pytest.FixtureRequest) -> AsyncIterator[VestRig]:
    async with vest_rig(files, network=Link(), **changes_for("vest", request)) as rig:
        yield rig


def number_of(rig: ParadexRig, link: Any) -> int:
    """Return the network's number of a link's connection: which of the two is made first nobody promises."""
    ours = link._socket.connection._transport.underlying_transport.get_extra_info("sockname")
    connections = rig.proxies["ws"].connections
    peers = {one.number: one.client._transport for one in connections}
    [number] = [number for number, end in peers.items() if end and end.get_extra_info("peername") == ours]
    return number


@covers("paradex", "cut")
@short_lived
async def test_a_paradex_order_cut_in_mid_frame_on_its_way_was_never_placed(paradex):
    paradex.arm("cut", port="ws", way="up", bytes=100, connection=number_of(paradex, paradex.venue._desk._link))
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)
    await until(lambda: paradex.is_up("orders"), "the order link is back")


@covers("paradex", "cut")
@pytest.mark.parametrize("passed", [0, 40])
async def test_a_paradex_answer_cut_whole_or_in_mid_frame_is_resolved_by_reading(paradex, passed):
    paradex.arm("cut", port="ws", way="down", bytes=passed, connection=number_of(paradex, paradex.venue._desk._link))
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], FILLED)
    assert paradex.held_at_venue() == SIZE_E8


@covers("paradex", "cut")
async def test_market_data_cut_in_mid_frame_takes_the_book_until_it_is_back(paradex):
    paradex.arm(
        "cut", port="ws", way="down", bytes=30, connection=number_of(paradex, paradex.venue._market._feed._link)
    )
    paradex.quote(60_100, 60_101)
    await until(lambda: ("market data", False) in paradex.sink.links, "told")
    await until(lambda: paradex.book_is_current, "the book is back")


@covers("paradex", "freeze")
@short_lived
@impatient
async def test_a_paradex_line_that_goes_dead_without_a_word_leaves_no_order_unresolved(paradex):
    paradex.arm("freeze", port="ws", connection=number_of(paradex, paradex.venue._desk._link))
    kinds, order = await paradex.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)


@covers("paradex", "slow_network")
async def test_a_slow_network_delays_paradex_and_loses_nothing(paradex):
    paradex.arm("slow_network", up_ms=80, down_ms=80, ms=60_000)
    kinds, order = await paradex.outcome()
    assert order.state is FILLED
    assert "InDoubt" not in kinds
    stamps = paradex.sent[0].stamps
    assert stamps.reply_mono_ns - stamps.written_mono_ns >= 160_000_000


@covers("vest", "cut")
@short_lived
async def test_a_vest_order_cut_on_its_way_was_never_placed(vest):
    vest.arm("cut", port="rest", way="up", bytes=100)
    kinds, order = await vest.outcome()
    assert (kinds[:2], order.state) == (["Sent", "InDoubt"], NEVER)
    assert (await vest.outcome())[1].state is FILLED


@covers("vest", "cut")
@pytest.mark.parametrize("passed", [0, 40])
async def test_a_vest_answer_cut_whole_or_in_mid_frame_is_resolved(vest, passed):
    vest.arm("cut", port="rest", way="down", bytes=passed)
    _, order = await vest.outcome()
    assert order.state is FILLED
    assert vest.held_at_venue() == SIZE_E8


@covers("vest", "freeze")
@short_lived
@impatient
async def test_a_vest_line_that_goes_dead_without_a_word_leaves_no_order_unresolved(vest):
    vest.arm("freeze", port="rest")
    kinds, order = await vest.outcome()
    assert order.state is NEVER
    assert kinds[0] == "Sent"


@covers("vest", "slow_network")
async def test_a_slow_network_delays_vest_and_loses_nothing(vest):
    vest.arm("slow_network", up_ms=60, down_ms=60, ms=60_000)
    _, order = await vest.outcome()
    assert order.state is FILLED
    stamps = vest.sent[0].stamps
    assert stamps.reply_mono_ns - stamps.written_mono_ns >= 120_000_000
