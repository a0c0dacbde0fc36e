"""An event loop whose time jumps to the next timer instead of waiting: minutes of upkeep in milliseconds, no sleeps."""

import asyncio
import functools
import selectors

UNIX_START_NS = 1_770_000_000_000_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._now_s = 1_000.0
        self.failures: list[str] = []
        super().__init__(_Jumping(self))
        self.set_exception_handler(self._on_failure)

    def time(self):
        return self._now_s

    def _on_failure(self, loop, context):
        self.failures.append(f"{context['message']}: {context.get('exception')!r}")


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop):
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("nothing is due any more: the test waits for ever")
        self._loop._now_s += max(timeout, 0)
        return super().select(0)


class VirtualClock:
    """contracts.Clock on the running loop's virtual time."""

    def mono_ns(self):
        return round(asyncio.get_running_loop().time() * 1e9)

    def unix_ns(self):
        return UNIX_START_NS + self.mono_ns()


def virtual(test):
    """Run an async test on virtual time; a callback that raised anywhere fails it."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        loop = VirtualLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test(*args, **kwargs))
        assert loop.failures == []

    return run


async def until(condition, within_s=60.0):
    """Wait until the condition holds; virtual time, so nobody waits."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while not condition():
        assert loop.time() < deadline_s, "did not come true"
        await asyncio.sleep(0.001)
