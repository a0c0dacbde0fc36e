import asyncio
from itertools import count

import aiohttp
import pytest
from tests.unit.sim_market.timers import HandClock

from deltawire.core.money import BPS_E8, E8
from deltawire.sim.basis import BasisSettings, shifted
from deltawire.sim.clock import RealClock
from deltawire.sim.control import ControlServer
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.player import Player
from deltawire.sim.recording import Tick
from deltawire.sim.trigger import Trigger

QUOTE = Quote(60_000 * E8, E8, 60_001 * E8, E8 // 2)


class OneVenue:
    def state(self):
        return {"accounts": {}, "counters": {"orders": 3}}

    def reaction(self, since_mono_ns):
        return {"orders_read_mono_ns": [since_mono_ns + 9]}


class Served:
    """A control server over a market the test moves by hand."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.market = Market(("BTC",))
        self.faults = Faults()
        self.wall = RealClock()
        self.player = Player(
            self.market,
            (Tick(n * 10**6, ("paradex", "vest")[n % 2], "BTC", QUOTE) for n in count()),
            clock=self.clock,
            call_later=self.clock.call_later,
            basis=BasisSettings(height_min_e8=0, height_max_e8=0),
            seed=1,
        )
        self.player.play()
        self.trigger = Trigger(
            self.player, clock=self.clock, call_later=self.clock.call_later, last_written_mono_ns=lambda _base: 0
        )
        self.control = ControlServer(
            market=self.market,
            player=self.player,
            faults=self.faults,
            venues={"vest": OneVenue()},
            trigger=self.trigger,
            clocks={"vest": self.wall},
        )


@pytest.fixture
async def served():
    served = Served()
    yield served
    await served.control.stop()


@pytest.fixture
async def call(served):
    port = await served.control.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def call(method: str, path: str, body=None, data=None):
            async with session.request(method, path, json=body, data=data) as answer:
                return answer.status, await answer.json()

        yield call


async def test_the_state_has_market_faults_and_venues(served, call):
    served.clock.advance(3 * 10**6)
    status, state = await call("GET", "/state")
    assert status == 200
    assert state["market"]["playing"] is True
    assert state["market"]["market_ms"] == 3
    assert state["market"]["published"] == 4
    assert state["faults"] == {"armed": [], "planned": [], "taken": {"paradex": {}, "vest": {}}}
    assert state["vest"] == {"accounts": {}, "counters": {"orders": 3}}


async def test_a_step_is_fired_when_it_is_due_and_told_once_with_what_the_venues_saw(served, call):
    served.clock.advance(3 * 10**6)
    armed_ns = served.clock.now_ns
    body = {"base": "BTC", "bps": "12.5", "after_ms": 5}
    assert await call("POST", "/trigger", body) == (200, {"armed": True})
    status, refused = await call("POST", "/trigger", body)
    assert (status, refused["error"]) == (400, "a step is pending: one at a time")
    assert await call("GET", "/reaction") == (200, {"pending": True})
    served.clock.advance(6 * 10**6)
    moved = shifted(QUOTE, 12 * BPS_E8 + BPS_E8 // 2)
    assert served.market.last("paradex", "BTC") == moved
    _, told = await call("GET", "/reaction")
    assert told == {
        "pending": False,
        "triggers": [{"base": "BTC", "mono_ns": armed_ns + 5 * 10**6}],
        "vest": {"orders_read_mono_ns": [armed_ns + 9]},
    }
    _, told = await call("GET", "/reaction")
    assert told["triggers"] == []


async def test_the_date_of_a_venue_is_set_ahead_and_right_again(served, call):
    assert await call("POST", "/clock", {"venue": "vest", "ahead_ms": -1500}) == (200, {"vest": {"ahead_ms": -1500}})
    assert served.wall.unix_skew_ns == -1500 * 10**6
    assert (await call("POST", "/clock", {"venue": "mars", "ahead_ms": 1})) == (
        400,
        {"error": "'venue' must be one of vest"},
    )
    assert (await call("POST", "/clock", {"venue": "vest", "ahead_ms": "1"}))[0] == 400
    assert served.wall.unix_skew_ns == -1500 * 10**6
    await call("POST", "/clock", {"venue": "vest", "ahead_ms": 0})
    assert served.wall.unix_skew_ns == 0


async def test_the_market_shows_the_quotes_in_force(served, call):
    served.clock.advance(0)
    _, market = await call("GET", "/market")
    assert market["quotes"] == {
        "paradex": {"BTC": {"bid_price": "60000", "bid_size": "1", "ask_price": "60001", "ask_size": "0.5"}},
        "vest": {"BTC": None},
    }


async def test_a_fault_is_armed_and_counted_when_it_strikes(served, call):
    body = {"venue": "paradex", "kind": "delay_reply", "count": 2, "params": {"ms": 250}}
    taken: dict[str, dict[str, int]] = {"paradex": {}, "vest": {}}
    assert await call("POST", "/faults", body) == (200, {"armed": [body], "planned": [], "taken": taken})
    assert served.faults.take("paradex", "delay_reply") is not None
    _, state = await call("GET", "/state")
    assert state["faults"]["armed"] == [body | {"count": 1}]
    assert state["faults"]["taken"] == {"paradex": {"delay_reply": 1}, "vest": {}}
    assert await call("DELETE", "/faults") == (200, {"cleared": 1})
    assert served.faults.armed() == []


@pytest.mark.parametrize(("when", "at"), [({"at_order": 2}, {"order": 2}), ({"on_first": "fill"}, {"fill": 1})])
async def test_a_fault_can_wait_for_a_moment(served, call, when, at):
    body = {"venue": "vest", "kind": "drop_after"}
    _, state = await call("POST", "/faults", body | when)
    assert (state["armed"], [planned["at"] for planned in state["planned"]]) == ([], [at])
    [moment], [number] = at.keys(), at.values()
    for _ in range(number):
        served.faults.saw("vest", moment)
    assert served.faults.take("vest", "drop_after") is not None


async def test_a_fault_can_wait_for_a_time(served, call):
    armed = asyncio.Event()
    served.faults.listen("vest", lambda fault: armed.set())
    _, state = await call("POST", "/faults", {"venue": "vest", "kind": "drop_after", "at_ms": 1})
    assert state["armed"] == []
    await asyncio.wait_for(armed.wait(), 60)
    assert [fault["kind"] for fault in served.faults.armed()] == ["drop_after"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"at_order": 1, "at_ms": 5}, "exclude"),
        ({"on_first": "dawn"}, "dawn"),
        ({"at_ms": -1}, "below zero"),
        ({"at_order": 0}, "order 0"),
        ({"kind": "explode", "at_ms": 5}, "explode"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_and_changes_nothing(served, call, body, named):
    status, answer = await call("POST", "/faults", {"venue": "vest", "kind": "drop_after"} | body)
    assert status == 400
    assert named in answer["error"]
    assert (served.faults.armed(), served.faults.planned()) == ([], [])


async def test_disconnect_is_heard_by_the_venue_at_once(served, call):
    heard: list[Fault] = []
    served.faults.listen("vest", heard.append)
    status, _ = await call("POST", "/disconnect", {"venue": "vest", "link": "private"})
    assert status == 200
    assert [(fault.kind, fault.params) for fault in heard] == [("drop_stream", {"link": "private"})]


async def test_the_basis_is_pinned_exactly_and_released(served, call):
    served.clock.advance(10**6)
    status, state = await call("POST", "/market", data=b'{"basis_bps": 12.5001}')
    assert (status, state["pinned"], state["basis_bps"]) == (200, True, {"BTC": "12.5001"})
    assert served.market.last("vest", "BTC") == shifted(QUOTE, 125_001)
    assert served.market.last("paradex", "BTC") == QUOTE
    _, state = await call("POST", "/market", {"basis_bps": -30})
    assert served.market.last("vest", "BTC") == shifted(QUOTE, -30 * BPS_E8)
    _, state = await call("POST", "/market", {"basis_bps": None})
    assert (state["pinned"], state["basis_bps"]) == (False, {"BTC": "0"})
    assert served.market.last("vest", "BTC") == QUOTE


async def test_the_market_is_paused_and_played(served, call):
    _, state = await call("POST", "/market", {"paused": True})
    assert state["playing"] is False
    served.clock.advance(10**9)
    assert served.market.published == 0
    _, state = await call("POST", "/market", {"paused": False})
    assert state["playing"] is True
    served.clock.advance(10**9)
    assert served.market.published == 1001


@pytest.mark.parametrize(
    ("path", "data", "named"),
    [
        ("/faults", b"{", "not JSON"),
        ("/faults", b"[]", "not a JSON object"),
        ("/faults", b'{"kind": "gap"}', "'venue' is missing"),
        ("/faults", b'{"venue": "vest", "kind": "lose_reply", "times": 2}', "unknown key 'times'"),
        ("/faults", b'{"venue": "vest", "kind": "boom"}', "boom"),
        ("/faults", b'{"venue": "vest", "kind": "lose_reply", "count": "2"}', "'count' must be of type int"),
        ("/faults", b'{"venue": "vest", "kind": "lose_reply", "count": true}', "'count' must be of type int"),
        ("/faults", b'{"venue": "vest", "kind": "delay_reply", "params": {"ms": 1.5}}', "'ms'"),
        ("/faults", b'{"venue": "vest", "kind": "lose_reply", "params": []}', "'params' must be of type dict"),
        ("/market", b'{"basis": 3}', "unknown key 'basis'"),
        ("/market", b'{"basis_bps": true}', "'basis_bps' must be a number or null"),
        ("/market", b'{"basis_bps": NaN}', "'basis_bps' must be a number or null"),
        ("/market", b'{"basis_bps": "much"}', "much"),
        ("/market", b'{"basis_bps": 1.00001}', "more than 4 decimal places"),
        ("/market", b'{"basis_bps": 1001}', "1000 bps"),
        ("/market", b'{"basis_bps": 5, "paused": "yes"}', "'paused' must be of type bool"),
        ("/trigger", b'{"base": "BTC"}', "key 'bps' is missing"),
        ("/trigger", b'{"base": "DOGE", "bps": 5}', "'base' must be one of BTC"),
        ("/trigger", b'{"base": "BTC", "bps": null}', "'bps' a number"),
        ("/trigger", b'{"base": "BTC", "bps": 1001}', "1000 bps"),
        ("/trigger", b'{"base": "BTC", "bps": 5, "after_ms": -1}', "need 0 to"),
        ("/trigger", b'{"base": "BTC", "bps": 5, "burst": 1.5}', "'burst' must be of type int"),
        ("/disconnect", b'{"venue": "vest"}', "'link' is missing"),
        ("/disconnect", b'{"venue": "nasdaq", "link": "orders"}', "nasdaq"),
        ("/disconnect", b"\xff\xfe", ""),
    ],
)
async def test_a_body_that_cannot_be_used_is_named_and_changes_nothing(served, call, path, data, named):
    before = served.player.state()
    status, answer = await call("POST", path, data=data)
    assert status == 400
    assert named in answer["error"]
    assert served.faults.armed() == []
    assert served.player.state() == before
