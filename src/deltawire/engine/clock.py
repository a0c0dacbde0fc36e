"""The bot's one clock. Whatever needs time is handed this object; a virtual one takes its place in fault runs."""

import time


class SystemClock:
    """Monotonic time for intervals, UTC for records and venue protocols. Satisfies venues.contract.Clock."""

    __slots__ = ()

    # The functions themselves: time is asked for four times between a frame and its orders.
    mono_ns = staticmethod(time.monotonic_ns)
    unix_ns = staticmethod(time.time_ns)
