"""An asyncio event loop whose time is a number: it jumps to the next timer instead of sleeping. One seed, one schedule.

What runs is asyncio itself; only the selector, the clock and the executor are ours. Timers of one moment fire in the
order they were set. Work for threads runs at once, inside the call. No sockets, no signals, no subprocesses.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, TypeVar

START_NS = 1_000 * 10**9  # monotonic time at the start: not zero, which stamps use for "never"
# So many turns without time moving on are a loop that feeds itself: a real one would burn a core for ever.
TURNS_AT_ONCE_MAX = 20_000


class Deadlock(Exception):
    """Nothing is left that could ever run, and somebody still waits."""


class Livelock(Exception):
    """Callbacks schedule each other for ever, and time stands still."""


class Life:
    """One run of the bot's process. What was scheduled in its context dies with it."""

    def __init__(self) -> None:
        self.alive = True


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)


class VirtualLoop(asyncio.BaseEventLoop):
    """`now_ns` is its time. Timers and tasks made in the context of a Life are dropped when that ends."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = START_NS
        self._clock_resolution = 1e-9
        self._selector = _Selector(self)
        self._timers_set = 0

    def time(self) -> float:
        return self.now_ns / 1e9

    def stall(self, for_ns: int) -> None:
        """Let time pass while the caller blocks the loop: a slow disk, a busy machine."""
        self.now_ns += for_ns

    def end(self, life: Life) -> None:
        """Kill a process: of all it had scheduled, nothing runs any more. Its tasks stay where they were."""
        life.alive = False
        for handle in (*self._ready, *self._scheduled):  # type: ignore[attr-defined]  # BaseEventLoop's own
            if handle._context.get(LIFE) is life:
                handle.cancel()

    # What asyncio calls.

    def call_soon(  # type: ignore[override]  # typeshed names the arguments' types one by one
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        return _unless_dead(handle)

    def call_at(  # type: ignore[override]  # the same
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._timers_set += 1
        timer = _Timer(when, callback, args, self, context)
        timer.number = self._timers_set
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # BaseEventLoop's own
        timer._scheduled = True  # type: ignore[attr-defined]
        _unless_dead(timer)
        return timer

    def run_in_executor(self, _executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run it now: a thread's timing is nobody's seed."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as e:  # noqa: BLE001  as an executor does: the caller who awaits gets it
            done.set_exception(e)
        return done

    def _process_events(self, event_list: list[Any]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """There is no other thread to wake this one."""


class _Timer(asyncio.TimerHandle):
    """Fires in the order of being set where times are equal; a heap alone keeps no such order."""

    __slots__ = ("number",)
    number: int

    def __lt__(self, other: "_Timer") -> bool:  # type: ignore[override]
        if self._when != other._when:  # type: ignore[attr-defined]
            return self._when < other._when  # type: ignore[attr-defined,no-any-return]
        return self.number < other.number


class _Selector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        """Move time on to the next timer, when nothing is ready before it."""
        loop = self._loop
        if timeout is None:
            raise Deadlock("nothing is scheduled and the run has not ended")
        if timeout <= 0:
            self._turns += 1
            if self._turns > TURNS_AT_ONCE_MAX:
                raise Livelock(f"{self._turns} turns of the loop at one moment")
            return []
        self._turns = 0
        due_ns = round(loop._scheduled[0]._when * 1e9)  # type: ignore[attr-defined]
        loop.now_ns = max(loop.now_ns + 1, due_ns)
        return []

    def close(self) -> None:
        """Nothing is held."""


H = TypeVar("H", bound=asyncio.Handle)


def _unless_dead(handle: H) -> H:
    life = handle._context.get(LIFE)  # type: ignore[attr-defined]
    if life is not None and not life.alive:
        handle.cancel()
    return handle


class VirtualClock:
    """Implements venues.contract.Clock. step_ns moves the date only, as a clock that is set does."""

    def __init__(self, loop: VirtualLoop, unix_start_ns: int) -> None:
        self._loop = loop
        self._unix_offset_ns = unix_start_ns - loop.now_ns
        self.step_ns = 0

    def mono_ns(self) -> int:
        return self._loop.now_ns

    def unix_ns(self) -> int:
        return self._loop.now_ns + self._unix_offset_ns + self.step_ns
