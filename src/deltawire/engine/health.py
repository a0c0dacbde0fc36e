"""How well the process itself keeps time: the loop's lag and the collector's pauses, as histograms, recorded.

The lag is how late the bot's tick comes; uvloop's timers count whole milliseconds, so up to one of it is no lag at all.
Journalled every minute and at the end, each record with all of the run: the last one is the run's.
"""

import gc
from typing import Any

from deltawire.core.histogram import Histogram
from deltawire.engine.recorder import Recorder
from deltawire.journal.records import LoopMeasured
from deltawire.venues.contract import Clock

TELL_EVERY_NS = 60_000_000_000


class Health:
    def __init__(self, *, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self.lag, self.pauses = Histogram(), Histogram()  # ns
        self._ticked_mono_ns = 0
        self._told_mono_ns = clock.mono_ns()
        self._collecting_mono_ns = 0

    def watch_collector(self) -> None:
        """Time the collector's pauses until `close`. For a process of its own: collections belong to a process."""
        gc.callbacks.append(self._on_collector)

    def on_tick(self, every_ns: int) -> None:
        """Call at each tick of a timer that was set for every_ns from the tick before."""
        now_ns = self._clock.mono_ns()
        if self._ticked_mono_ns:
            self.lag.record(max(0, now_ns - self._ticked_mono_ns - every_ns))
        self._ticked_mono_ns = now_ns
        if now_ns - self._told_mono_ns > TELL_EVERY_NS:
            self.tell()

    def close(self) -> None:
        """Let the collector go. Calling it twice is harmless."""
        if self._on_collector in gc.callbacks:
            gc.callbacks.remove(self._on_collector)

    def tell(self) -> None:
        """Record all of it so far."""
        self._told_mono_ns = self._clock.mono_ns()
        lag, pauses = self.lag.as_json(), self.pauses.as_json()
        self._recorder.later(LoopMeasured(lag=lag, gc_pauses=pauses, unix_ns=self._clock.unix_ns()))

    def _on_collector(self, phase: str, _info: dict[str, Any]) -> None:
        now_ns = self._clock.mono_ns()
        if phase == "start":
            self._collecting_mono_ns = now_ns
        elif self._collecting_mono_ns:
            self.pauses.record(max(0, now_ns - self._collecting_mono_ns))
            self._collecting_mono_ns = 0
