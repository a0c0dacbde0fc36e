"""The trading loop's switches."""

import asyncio
import gc
import os
import time

import pytest
import uvloop

from deltawire.net import loop


def test_run_gives_the_result_of_main_on_uvloop():
    async def main():
        return isinstance(asyncio.get_running_loop(), uvloop.Loop)

    assert loop.run(main())


def test_run_raises_what_main_raises():
    async def main():
        raise LookupError("no")

    with pytest.raises(LookupError):
        loop.run(main())


def test_a_never_sleeping_loop_burns_its_core_until_it_is_stopped():
    async def used_cpu() -> bool:
        before = time.thread_time()
        await asyncio.sleep(0.2)  # the sleep is the subject here
        return time.thread_time() - before > 0.03

    async def until_it(uses_cpu: bool) -> None:  # noqa: FBT001  the subject
        """Look again and again: who else is at work may keep the core from us once, and the collector may wake."""
        deadline = time.monotonic() + 60
        while await used_cpu() != uses_cpu:
            assert time.monotonic() < deadline

    async def main() -> None:
        stop = loop.never_sleep(asyncio.get_running_loop())
        await until_it(uses_cpu=True)
        stop()
        await until_it(uses_cpu=False)

    loop.run(main())


def test_quiet_gc_freezes_and_disables():
    was_enabled = gc.isenabled()
    try:
        loop.quiet_gc()
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def test_a_tuned_loop_has_its_cpu_until_the_end_and_leaves_the_others_to_its_threads():
    home = os.sched_getaffinity(0)
    cpu = min(home)

    async def main():
        running = asyncio.get_running_loop()
        with loop.tuned(running, spin=True, cpu=cpu):
            own = os.sched_getaffinity(0)
            of_thread = await asyncio.to_thread(os.sched_getaffinity, 0)
        return own, of_thread, os.sched_getaffinity(0)

    own, of_thread, after = loop.run(main())
    assert own == {cpu}
    assert of_thread == (home - {cpu} or home)
    assert after == home


def test_a_cpu_that_is_not_ours_is_refused_with_those_that_are():
    async def main():
        with loop.tuned(asyncio.get_running_loop(), spin=False, cpu=9_999):
            raise AssertionError("it cannot have been pinned")

    with pytest.raises(loop.CannotPin, match=r"latency\.cpu: .* CPU 9999; it has \["):
        loop.run(main())
