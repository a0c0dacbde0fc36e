"""What becomes of a connection by itself: heartbeats, the end of one that subscribes to nothing, JSON for SBE."""

from dataclasses import replace

import orjson
import pytest
from tests.unit.sim_paradex.memory import World
from tests.unit.sim_paradex.venue import BTC, DEADLINE_S, ETH, ONE_LEVEL, START_UNIX_NS, running

from deltawire.core.types import Side
from deltawire.sim.paradex_book import Rank
from deltawire.venues.paradex import records, rpc, sbe

QUIET = f"bbo.{BTC}"  # says nothing while the market stands still


def test_an_idle_connection_gets_a_heartbeat_every_20_s():
    world = World()
    wire = world.connect(QUIET)
    world.clock.advance(19)
    assert wire.frames == []
    world.clock.advance(1)
    assert wire.records() == [records.Heartbeat(START_UNIX_NS + 20 * 10**9, 1)]
    assert sbe.template_of(wire.frames[0]) == 40
    world.clock.advance(40)
    assert [record.seq for record in wire.records()] == [1, 2, 3]


def test_a_connection_that_is_told_something_gets_no_heartbeat():
    world = World()
    wire = world.connect(QUIET)
    for n in range(6):
        world.clock.advance(10)
        world.tick(f"{99_000 + n}", "100010")
    assert [type(record) for record in wire.records()] == [records.Bbo] * 6


def test_a_heartbeat_has_the_negotiated_version_and_may_be_switched_off():
    world = World()
    wire = world.connect(QUIET, version=1)
    world.clock.advance(20)
    assert wire.frames[0][6:8] == b"\x01\x00"
    silent = World(replace(ONE_LEVEL, heartbeat_idle_s=0))
    wire = silent.connect(QUIET)
    silent.clock.advance(100)
    assert wire.frames == []


def test_a_connection_that_subscribes_to_nothing_is_closed_with_4031():
    world = World()
    idle, used = world.connect(rank=Rank.PRO), world.connect(QUIET)
    world.clock.advance(59)
    assert idle.closed_with == 0
    world.clock.advance(1)
    assert (idle.closed_with, used.closed_with) == (4031, 0)
    idle.session.on_text(b'{"jsonrpc":"2.0","id":9,"method":"order.cancel_all","params":{}}', 0)
    assert all(text["id"] != 9 for text in idle.texts)


def test_the_time_without_subscription_counts_from_the_last_unsubscribe():
    world = World()
    wire = world.connect(QUIET)
    world.clock.advance(100)
    wire.call("unsubscribe", channel=QUIET)
    world.clock.advance(59)
    assert wire.closed_with == 0
    world.clock.advance(1)
    assert wire.closed_with == 4031
    assert world.venue.state()["connections"]["closed_without_subscription"] == 1


def test_a_reader_is_cut_at_2000_messages_it_has_not_taken():
    world = World()
    slow, other = world.connect(QUIET), world.connect(QUIET)
    slow.unsent = 2_000
    world.tick("99000", "100010")
    assert (len(slow.frames), slow.aborted) == (1, False)
    slow.unsent = 2_001
    world.tick("99001", "100010")
    assert (len(slow.frames), slow.aborted, len(other.frames)) == (1, True, 2)
    assert world.venue.state()["connections"]["slow_readers_cut"] == 1


async def test_the_peer_reads_the_code_4031():
    async with running(replace(ONE_LEVEL, unsubscribed_max_s=0.1)) as venue, venue.socket() as socket:
        venue.clock.advance(1)
        message = await socket.ws.receive(DEADLINE_S)
        while message.type.name != "CLOSE":
            message = await socket.ws.receive(DEADLINE_S)
        assert message.data == 4031


@pytest.mark.parametrize("channel", ["orders.ALL", "fills.ALL", "positions", "account"])
def test_private_channels_come_as_json_where_that_is_set(channel):
    worlds = [World(replace(ONE_LEVEL, private_as_json=as_json)) for as_json in (True, False)]
    told = []
    for world in worlds:
        wire = world.connect(channel, rank=Rank.PRO)
        wire.call("order.create", **world.order(Side.BUY, "0.1", "100010", client_id="a"))
        told.append(wire)
    in_json, in_sbe = told
    assert in_json.frames == []
    read = rpc.decode_channel(channel, orjson.dumps(in_json.data(channel)[-1]))
    same = in_sbe.records()[-1]
    assert type(read) is type(same)
    fields = ("size_e8", "price_e8", "fee_e8", "remaining_e8", "status", "total_collateral_e8", "cost_e8", "client_id")
    for name in fields:
        if isinstance(same, records.Fill) and name == "remaining_e8":
            continue  # SBE has no field for it
        assert getattr(read, name, None) == getattr(same, name, None), name


def test_a_scoped_summary_tells_of_its_markets_and_changes_without_a_break():
    world = World()
    wire = world.connect(f"markets_summary.{ETH}")
    scoped = world.connect()
    assert scoped.call("subscribe", channel="markets_summary", markets=[BTC])["result"] == {
        "channel": "markets_summary"
    }
    world.clock.advance(1)
    changed = scoped.call("modify_subscription", channel="markets_summary", add=[ETH], remove=[BTC])
    assert changed["result"] == {"channel": "markets_summary", "add": [ETH], "remove": [BTC]}
    world.clock.advance(1)
    assert [record.market for record in scoped.records(records.MarketSummary)] == [BTC, ETH]
    assert [record.market for record in wire.records(records.MarketSummary)] == [ETH, ETH]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscribe", {"channel": QUIET, "markets": [BTC]}, -32600),
        ("subscribe", {"channel": "markets_summary", "markets": ["DOGE-USD-PERP"]}, -32602),
        ("modify_subscription", {"channel": "markets_summary", "add": [BTC]}, -32600),
        ("modify_subscription", {"channel": "funding_data", "add": [BTC]}, -32600),
    ],
)
def test_only_a_scoped_subscription_is_modified(method, params, code):
    world = World()
    wire = world.connect("markets_summary", "funding_data")
    if method == "subscribe":
        wire.call("unsubscribe", channel="markets_summary")
    assert wire.call(method, **params)["error"]["code"] == code
