"""The trading loop's switches."""

import asyncio
import gc
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
    async def cpu_s_while_nothing_happens():
        before = time.thread_time()
        await asyncio.sleep(0.2)  # the sleep is the subject here
        return time.thread_time() - before

    async def main():
        stop = loop.never_sleep(asyncio.get_running_loop())
        spinning_s = await cpu_s_while_nothing_happens()
        stop()
        return spinning_s, await cpu_s_while_nothing_happens()

    spinning_s, sleeping_s = loop.run(main())
    assert spinning_s > 5 * sleeping_s


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
