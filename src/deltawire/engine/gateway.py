"""The one place that sends an order: limits, signature, journal, wire. One synchronous call for all legs.

Nothing here waits. Both orders of an entry are approved and signed and journalled before the first is written, so the
two writes follow each other with nothing between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deltawire.core.limits import Approved, Gate, Refusal
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import OrderRequest, Purpose
from deltawire.engine.recorder import Recorder
from deltawire.journal.records import Leg, intended
from deltawire.venues.contract import Clock, EventLog, PreparedOrder, Venue

LEG_NAMES: tuple[Leg, Leg] = ("a", "b")


@dataclass(slots=True)
class Outgoing:
    """One order on its way out, with what the gate and the journal want to know of it."""

    venue: Venue
    leg: int
    pair_id: str
    request: OrderRequest
    reference_price_e8: int
    stamps: OrderStamps


Registered = Callable[[Outgoing, PreparedOrder], None]


class Gateway:
    def __init__(self, *, gate: Gate, recorder: Recorder, clock: Clock, log: EventLog) -> None:
        self._gate, self._recorder, self._clock, self._log = gate, recorder, clock, log
        self.last_refusal = ""  # the rule that last said no

    def send(self, outgoing: Sequence[Outgoing], on_registered: Registered) -> bool:
        """Send all or none. False when the gate, a signer or the journal said no: then nothing left.

        on_registered is called for each order after its intent is journalled and before its bytes are written.
        """
        if not self._approve(outgoing):
            return False
        try:
            prepared = [out.venue.prepare(out.request, out.stamps) for out in outgoing]
        except ValueError as e:  # an amount the venue's format cannot carry exactly
            self._refuse(Refusal("unsendable", str(e)))
            return False
        unix_ns = self._clock.unix_ns()
        intents = [
            intended(
                out.request,
                pair_id=out.pair_id,
                leg=LEG_NAMES[out.leg],
                correlator=order.correlator,
                signed_unix_ms=order.signed_unix_ms,
                unix_ns=unix_ns,
            )
            for out, order in zip(outgoing, prepared, strict=True)
        ]
        if not self._recorder.intend(intents):
            if any(out.request.purpose is Purpose.ENTRY for out in outgoing):
                self._refuse(Refusal("journal", self._recorder.broken))
                return False
            # An exit leaves without its record (I8). The record follows, before all news of the order.
            for intent in intents:
                self._recorder.later(intent)
        for out, order in zip(outgoing, prepared, strict=True):
            on_registered(out, order)
        for out, order in zip(outgoing, prepared, strict=True):
            out.venue.submit(order)
        return True

    def _approve(self, outgoing: Sequence[Outgoing]) -> bool:
        now_ns = self._clock.mono_ns()
        for out in outgoing:
            answer = self._gate.approve(out.request, out.reference_price_e8, now_ns)
            if not isinstance(answer, Approved):
                self._refuse(answer)
                return False
        return True

    def _refuse(self, refusal: Refusal) -> None:
        self.last_refusal = refusal.rule
        self._log.warning("order.refused_by_gate", rule=refusal.rule, reason=refusal.text)
