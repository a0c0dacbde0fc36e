"""The bot's one clock. Whatever needs time is handed this object; a virtual one takes its place in fault runs."""

import time


class SystemClock:
    """Monotonic time for intervals, UTC for records and venue protocols. Satisfies venues.contract.Clock."""

    __slots__ = ()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def unix_ns(self) -> int:
        return time.time_ns()
