"""venues/kit.py where the suite does not look: frames that cannot be read, sign-ins that fail, questions, bounds."""

import asyncio
import ssl
from dataclasses import replace

import pytest
from examples.toy_venue.adapter import ToySettings, ToyVenue
from tests.conformance.venues.suite import Make, MemoryLog, Rig, running, started, started_hasty, until, workshop
from tests.conformance.venues.worlds import ToyWorld

from deltawire.core.events import NotSent
from deltawire.core.secret import Secret
from deltawire.venues.contract import Refused
from deltawire.venues.kit import ORDERS_KEPT, Questions

of_the_toy = pytest.mark.parametrize("world", ["toy"], indirect=True)
UNREADABLE = [b"[", b"\xff", b"{}", b"[1]", b'["delta","BTC-TOY","x"]', b'["book","NO",1,1,[],[]]']


@of_the_toy
@pytest.mark.parametrize("frame", UNREADABLE)
async def test_a_frame_that_cannot_be_read_costs_the_connection(world: ToyWorld, rig: Rig, frame):
    seen = len(rig.ear.book_calls)
    [session] = world.sim.server.sessions
    session.send(frame)
    await until(lambda: any(not valid for _, valid, _ in rig.ear.book_calls[seen:]), "the book is in question")
    assert "socket.unreadable_frame" in rig.log.names()
    await rig.fit_again()
    assert session not in world.sim.server.sessions


@of_the_toy
async def test_a_frame_that_cannot_be_read_puts_orders_in_flight_in_doubt(world: ToyWorld, hasty: Rig):
    for fault in world.lose_all_news():
        world.faults.add(fault)
    prepared = hasty.submit()
    await until(lambda: world.sim.orders, "the order is there")
    [session] = world.sim.server.sessions
    session.send(b"[")
    await hasty.doubted(prepared)
    assert "closed" in hasty.order(prepared).why
    await hasty.resolve(prepared)
    hasty.assert_true(prepared)


class WithAnotherSecret(ToyWorld):
    def make_venue(self, settings: ToySettings, tls: ssl.SSLContext, log: MemoryLog) -> ToyVenue:
        return super().make_venue(replace(settings, secret=Secret("not the secret")), tls, log)


async def test_a_refused_sign_in_fails_the_start_and_leaves_nothing(server_tls, client_tls):
    async with running(WithAnotherSecret(), server_tls) as world, workshop(world, client_tls) as make:
        before = asyncio.all_tasks()
        rig = make()
        with pytest.raises(Refused, match="no welcome"):
            await rig.venue.start(rig.ear)
        assert not rig.venue.ready
        assert rig.ear.links == []
        await until(lambda: asyncio.all_tasks() <= before, "nothing is left behind")


class Stumbles(ToyVenue):
    """Its sign-in has a bug that shows at the first reconnect only."""

    sign_ins = 0

    async def sign_in(self) -> None:
        self.sign_ins += 1
        if self.sign_ins == 2:
            raise RuntimeError("a bug")
        await super().sign_in()


class StumblingWorld(ToyWorld):
    venue_class = Stumbles


async def test_a_bug_in_a_sign_in_is_told_and_the_socket_goes_on_trying(server_tls, client_tls):
    async with running(StumblingWorld(), server_tls) as world, workshop(world, client_tls) as make:
        rig = await started(make)
        rig.fault("drop_stream")
        await until(lambda: "socket.sign_in_bug" in rig.log.names(), "the bug is told")
        await rig.fit_again()


async def test_a_question_without_an_answer_times_out_and_a_late_answer_is_nobodys():
    questions = Questions(0.01)
    asked: list[int] = []
    with pytest.raises(TimeoutError):
        await questions.ask(asked.append)
    questions.answer(asked[0], "late")
    questions.fail_all("gone")


async def test_answers_find_their_questions_in_any_order():
    questions = Questions(5.0)
    asked: list[int] = []
    first, second = (asyncio.ensure_future(questions.ask(asked.append)) for _ in range(2))
    await until(lambda: len(asked) == 2, "both are asked")
    for number in reversed(asked):
        questions.answer(number, f"answer {number}")
        questions.answer(number, "once more")
    assert await first == f"answer {asked[0]}"
    assert await second == f"answer {asked[1]}"


async def test_a_question_that_cannot_be_sent_raises_at_once():
    def send(number):
        raise ConnectionError(f"no road for {number}")

    with pytest.raises(ConnectionError, match="no road for 1"):
        await Questions(5.0).ask(send)


@of_the_toy
async def test_orders_are_remembered_up_to_the_bound_and_none_is_written_twice_even_then(world: ToyWorld, make: Make):
    rig = await started_hasty(make)
    first = rig.submit()
    await rig.ended(first)
    assert isinstance(rig.venue, ToyVenue)
    flight = rig.venue._flight
    await world.stop()
    await until(lambda: not rig.venue.ready, "the venue is gone")
    for _ in range(ORDERS_KEPT):
        assert rig.count(rig.submit(), NotSent) == 1
    assert first.request.client_id not in flight._orders
    assert len(flight._orders) == ORDERS_KEPT
    with pytest.raises(ValueError, match="before"):
        rig.venue.submit(first)
