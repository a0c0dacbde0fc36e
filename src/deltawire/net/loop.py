"""The event loop of the trading process: uvloop, optionally never sleeping and on a CPU of its own; a quiet collector.

Figures (2 vCPU VM, 22 Nov 2026): waking from epoll costs about 45 us per event; the default collector paused 150 ms
once a history had grown, freeze and disable 0.4 ms.
"""

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import uvloop

T = TypeVar("T")


def run(main: Coroutine[object, object, T], *, debug: bool = False) -> T:
    """Run main on a fresh uvloop to its end, then close the loop. Raises what main raises."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=debug) as runner:
        return runner.run(main)


def never_sleep(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Keep the loop from sleeping in epoll: saves about 45 us per event, costs one core at 100 %.

    Only for a machine with a core to spare. Returns the function that ends it.
    """
    spinning = True

    def spin() -> None:
        if spinning:
            loop.call_soon(spin)

    def stop() -> None:
        nonlocal spinning
        spinning = False

    loop.call_soon(spin)
    return stop


class CannotPin(ValueError):
    """The loop's thread cannot have the CPU asked for. Says why."""


@contextlib.contextmanager
def tuned(loop: asyncio.AbstractEventLoop, *, spin: bool, cpu: int | None) -> Iterator[None]:
    """Run the loop never sleeping, on one CPU, or both, until the end of the block. For the loop's own thread.

    With a CPU named, threads of the loop's default executor keep off it where there is another; threads that were there
    before are left where they are. Raises CannotPin.
    """
    home = os.sched_getaffinity(0)
    stop: Callable[[], None] = lambda: None  # noqa: E731  nothing to stop when the loop sleeps
    if cpu is not None:
        if cpu not in home:
            raise CannotPin(f"latency.cpu: this process may not run on CPU {cpu}; it has {sorted(home)}")
        os.sched_setaffinity(0, {cpu})  # Linux: of this thread alone, and of those it makes from now on
        others = home - {cpu} or home
        loop.set_default_executor(
            ThreadPoolExecutor(thread_name_prefix="worker", initializer=os.sched_setaffinity, initargs=(0, others))
        )
    if spin:
        stop = never_sleep(loop)
    try:
        yield
    finally:
        stop()
        os.sched_setaffinity(0, home)


def quiet_gc() -> None:
    """Collect once, move what lives out of the collector's sight, and switch automatic collection off.

    Call when set up and before trading. Reference cycles made afterwards stay until `gc.collect()` is called by hand at
    a quiet moment, so every container on the hot path must be bounded.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
