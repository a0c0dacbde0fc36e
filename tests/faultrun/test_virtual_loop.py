"""The loop whose time is a number: it jumps, it never sleeps, and the same program runs in the same order."""

import asyncio
import time
from contextvars import copy_context

import pytest

from deltawire.faultrun.loop import LIFE, START_NS, Deadlock, Life, Livelock, VirtualClock, VirtualLoop

S_NS = 10**9


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_an_hour_passes_at_once(loop):
    began_s = time.monotonic()
    loop.run_until_complete(asyncio.sleep(3600))
    assert loop.now_ns - START_NS == 3600 * S_NS
    assert time.monotonic() - began_s < 600


def test_timers_of_one_moment_fire_in_the_order_they_were_set(loop):
    fired: list[int] = []
    for number in range(50):
        loop.call_at(START_NS / 1e9 + 1, fired.append, number)
    loop.run_until_complete(asyncio.sleep(2))
    assert fired == list(range(50))


def test_waiting_for_nothing_is_an_error_not_a_hang(loop):
    with pytest.raises(Deadlock):
        loop.run_until_complete(loop.create_future())


def test_a_loop_that_feeds_itself_is_an_error_not_a_hang(loop):
    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(Livelock):
        loop.run_until_complete(asyncio.sleep(1))


def test_work_for_a_thread_runs_inside_the_call(loop):
    ran: list[str] = []

    async def main() -> int:
        ran.append("before")
        length = await asyncio.to_thread(work)
        ran.append("after")
        return length

    def work() -> int:
        ran.append("thread")
        return 7

    assert loop.run_until_complete(main()) == 7
    assert ran == ["before", "thread", "after"]


def test_a_stall_moves_time_on_within_a_callback_and_makes_timers_late(loop):
    fired_ns: list[int] = []
    loop.call_later(1.0, loop.stall, 5 * S_NS)
    loop.call_later(2.0, lambda: fired_ns.append(loop.now_ns))
    loop.run_until_complete(asyncio.sleep(3))
    assert fired_ns == [START_NS + 6 * S_NS]


def test_a_dead_process_runs_nothing_more_and_leaves_the_others_alone(loop):
    life, heard = Life(), []
    bot = copy_context()
    bot.run(LIFE.set, life)

    async def beat(name: str) -> None:
        while True:
            heard.append(name)
            await asyncio.sleep(1)

    tasks = [loop.create_task(beat("bot"), context=bot), loop.create_task(beat("venue"))]
    loop.call_later(2.5, loop.end, life)
    loop.run_until_complete(asyncio.sleep(5.5))
    assert heard.count("bot") == 3
    assert heard.count("venue") == 6
    life.alive = True
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def test_a_clock_that_is_set_moves_the_date_and_not_the_intervals(loop):
    clock = VirtualClock(loop, 5 * S_NS)
    mono_ns, unix_ns = clock.mono_ns(), clock.unix_ns()
    clock.step_ns = -2 * S_NS
    loop.run_until_complete(asyncio.sleep(1))
    assert clock.mono_ns() - mono_ns == S_NS
    assert clock.unix_ns() - unix_ns == -S_NS
