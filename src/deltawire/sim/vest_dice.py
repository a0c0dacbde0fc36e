"""What chance and armed faults decide at the simulated Vest: delays, the beat of pictures, an order's misfortunes."""

from random import Random
from typing import Any

from deltawire.core.money import E8
from deltawire.sim import vest_refusal as no
from deltawire.sim.faults import Faults
from deltawire.sim.vest_orders import Misfortune
from deltawire.sim.vest_refusal import Refusal
from deltawire.sim.vest_settings import RangeMs, VestSimSettings

VENUE = "vest"
_NORMAL_P90 = 1.2816  # of the standard normal distribution


class Dice:
    def __init__(self, settings: VestSimSettings, rng: Random, faults: Faults) -> None:
        self._settings, self._rng, self._faults = settings, rng, faults

    def order_id(self) -> str:
        return f"0x{self._rng.getrandbits(256):064x}"

    def share(self) -> float:
        """Draw evenly from 0 to 1."""
        return self._rng.random()

    def beat_s(self) -> float:
        """Draw the time to the next picture: log-normal through the median and the p90 of the settings."""
        median_s = self._settings.depth_median_ms / 1000
        ratio = self._settings.depth_p90_ms / self._settings.depth_median_ms
        if ratio <= 1:
            return median_s
        normal = self._rng.gauss(0.0, 1.0) / _NORMAL_P90
        return float(median_s * ratio ** max(-2.0, min(2.0, normal)))

    def delay_s(self, range_ms: RangeMs) -> float:
        return self._rng.uniform(*range_ms) / 1000

    def misfortune(self) -> Misfortune:
        """Give the order the faults armed for it. Raises Refusal when it is to be refused in the answer."""
        reject = self._faults.take(VENUE, "reject_order")
        code = 0 if reject is None else _code_of(reject.params)
        if reject is not None and reject.params.get("where", "event" if code >= 3000 else "answer") == "answer":
            raise Refusal(code, str(reject.params.get("text", "")))
        partial = self._faults.take(VENUE, "partial_fill")
        late = self._faults.take(VENUE, "late_fill")
        twice = self._faults.take(VENUE, "duplicate_events")
        hidden = self._faults.take(VENUE, "hide_order")
        times = 1 if twice is None else 2
        return Misfortune(
            reject_code=code,
            fraction_e8=E8 if partial is None else partial.params.get("fraction_e8", E8 // 2),
            events_late_ms=0 if late is None else late.params.get("ms", 500),
            events_times=0 if self._faults.take(VENUE, "lose_events") is not None else times,
            events_again_ms=0 if twice is None else twice.params.get("ms", 0),
            hidden_ms=0 if hidden is None else hidden.params.get("ms", 5_000),
            reverses_events=self._faults.take(VENUE, "reorder_events") is not None,
        )


def _code_of(params: dict[str, Any]) -> int:
    code = str(params.get("code", ""))
    return int(code) if code.isdecimal() else no.PRICE_CHECK_FAILED
