"""An alarm clock finer than the loop's: a Linux timerfd watched by the loop.

Both loops round their timers to a millisecond (uvloop to the nearest, asyncio's epoll upwards), which is too coarse for
a simulated network of a few milliseconds. A timerfd wakes the loop as a socket would, some tens of microseconds late.
Linux only. Source: timerfd_create(2).
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

_TFD_TIMER_ABSTIME = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


class Alarm:
    """One alarm at a time on the running loop; on_due() is called once per `set`, at or after its time."""

    def __init__(self, on_due: Callable[[], None]) -> None:
        self._on_due = on_due
        self._fd: int = _LIBC.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._ring)

    def set(self, due_mono_ns: int) -> None:
        """Ring at this time instead of any time set before; a time gone by rings on the loop's next turn."""
        seconds, nanoseconds = divmod(max(due_mono_ns, 1), 1_000_000_000)  # all zero would switch the timer off
        spec = _Itimerspec(_Timespec(0, 0), _Timespec(seconds, nanoseconds))
        if _LIBC.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ring(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew between the wake-up and here
            return
        self._on_due()
