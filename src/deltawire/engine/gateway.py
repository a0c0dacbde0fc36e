"""The one place that sends an order: limits, signature, journal, wire. One synchronous call for all legs.

Nothing here waits. Orders of a ladder are signed and journalled already: they are approved and written, and everything
else comes after. Others are approved, signed and journalled here before the first is written. Either way the two writes
follow each other with nothing between them: news that arises inside them is held until both are out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deltawire.core.book import Book
from deltawire.core.limits import Approved, Gate, Refusal
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import OrderRequest, Purpose
from deltawire.engine.recorder import Recorder
from deltawire.journal.records import Leg, OrderIntended, intended
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
    presigned: PreparedOrder | None = None  # of a ladder: journalled with it
    order_class: str = ""  # as in PreparedOrder; an order of a ladder has it there


Registered = Callable[[Outgoing, PreparedOrder], None]


class Gateway:
    def __init__(self, *, gate: Gate, recorder: Recorder, clock: Clock, log: EventLog) -> None:
        self._gate, self._recorder, self._clock, self._log = gate, recorder, clock, log
        self.last_refusal = ""  # the rule that last said no
        self.is_writing = False  # news that arises meanwhile is to be held

    def send(self, outgoing: Sequence[Outgoing], on_registered: Registered) -> bool:
        """Send all or none. False when the gate, a signer or the journal said no: then nothing left.

        on_registered is called for each order after its intent is journalled and before its bytes are written.
        """
        if not self._approve(outgoing):
            return False
        prepared = self._sign_and_journal(outgoing)
        if prepared is None:
            return False
        for out, order in zip(outgoing, prepared, strict=True):
            order.order_class = out.order_class
            on_registered(out, order)
        self.is_writing = True
        try:
            for out, order in zip(outgoing, prepared, strict=True):
                out.venue.submit(order)
        finally:
            self.is_writing = False
        return True

    def write(self, outgoing: Sequence[Outgoing], on_registered: Registered) -> bool:
        """Send orders of a ladder, all or none. False when the gate said no: then nothing left.

        on_registered is called for each order after the writes, and no news of it is told before.
        """
        if not self._approve(outgoing):
            return False
        self._write(outgoing, on_registered)
        return True

    def write_cleared_entry(
        self,
        outgoing: Sequence[Outgoing],
        buy_leg: int,
        books: tuple[Book, Book],
        edge_e8: int,
        now_mono_ns: int,
        on_registered: Registered,
    ) -> bool:
        """As `write`, for both orders of an entry, by leg, that the gate has cleared. False: nothing left, ask `write`.

        books: by leg.
        """
        sell_leg = 1 - buy_leg
        admitted = self._gate.admit_entry(
            outgoing[buy_leg].request,
            outgoing[sell_leg].request,
            (books[buy_leg], books[sell_leg]),
            edge_e8,
            (now_mono_ns, self._clock.unix_ns()),
        )
        if admitted:
            self._write(outgoing, on_registered)
        return admitted

    def write_cleared_exit(self, outgoing: Sequence[Outgoing], now_mono_ns: int, on_registered: Registered) -> bool:
        """As `write`, for both orders of a close that the gate has cleared. False: nothing left, ask `write`."""
        if not self._gate.admit_exit(now_mono_ns):
            return False
        self._write(outgoing, on_registered)
        return True

    def _write(self, outgoing: Sequence[Outgoing], on_registered: Registered) -> None:
        self._recorder.leaving(outgoing[0].presigned)  # type: ignore[arg-type]  # as below
        self.is_writing = True
        try:
            for out in outgoing:
                out.venue.submit(out.presigned)  # type: ignore[arg-type]  # orders of a ladder are signed
        finally:
            self.is_writing = False
            # Whatever happened: bytes may have left. The ladder's record names them; from here on they are intended.
            unix_ns = self._clock.unix_ns()
            for out in outgoing:
                assert out.presigned is not None
                self._recorder.later(_intent(out, out.presigned, unix_ns))
                on_registered(out, out.presigned)

    def _sign_and_journal(self, outgoing: Sequence[Outgoing]) -> list[PreparedOrder] | None:
        """Return the orders ready to be written, or None where one cannot be signed or an entry not be journalled."""
        try:
            prepared = [out.venue.prepare(out.request, out.stamps) for out in outgoing]
        except ValueError as e:  # an amount the venue's format cannot carry exactly
            self._refuse(Refusal("unsendable", str(e)))
            return None
        unix_ns = self._clock.unix_ns()
        intents = [_intent(out, order, unix_ns) for out, order in zip(outgoing, prepared, strict=True)]
        if not self._recorder.record_now(intents):
            if any(out.request.purpose is Purpose.ENTRY for out in outgoing):
                self._refuse(Refusal("journal", self._recorder.broken))
                return None
            # An exit leaves without its record (I8). The record follows, before all news of the order.
            for intent in intents:
                self._recorder.later(intent)
        return prepared

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


def _intent(out: Outgoing, order: PreparedOrder, unix_ns: int) -> OrderIntended:
    return intended(
        out.request,
        pair_id=out.pair_id,
        leg=LEG_NAMES[out.leg],
        correlator=order.correlator,
        signed_unix_ms=order.signed_unix_ms,
        unix_ns=unix_ns,
        recv_window_ms=order.window_ms,
    )
