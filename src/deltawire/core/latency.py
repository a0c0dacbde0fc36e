"""What the stamps of an order say: how long each phase took, and exact percentiles of many. Pure.

A phase counts only what lay between the decision and the answer. An order signed ahead has spent nothing on signing by
then, so its signature and encode are 0; what preparing it had cost is `prepare`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from deltawire.core.stamps import OrderStamps

# The order's own way, in its order; they add up to total.
ORDER_PHASES = ("signature", "encode", "write", "wire", "parse", "total")
# What the wire is made of where the venue tells its own stamps: to the venue, inside it, back; they add up to wire.
VENUE_PHASES = ("out", "venue", "back")
# Around it: frame to book, book to decision, frame to bytes on the socket, decision to last fill, cost of preparing.
OTHER_PHASES = ("decode", "decide", "reaction", "fill", "prepare")


@dataclass(frozen=True, slots=True)
class Spread:
    """Exact percentiles of a set of samples, each a sample that occurred (nearest rank)."""

    n: int
    p50: int
    p90: int
    p99: int
    max: int


def presigned(stamps: OrderStamps) -> bool:
    """Whether the order was ready before it was decided on."""
    return 0 < stamps.encoded_mono_ns <= stamps.decided_mono_ns


def phases_ns(stamps: OrderStamps) -> dict[str, int]:
    """Return the length of every phase both of whose ends happened, in order; absent ones are left out."""
    ready = presigned(stamps)
    decided = stamps.decided_mono_ns or stamps.prepared_mono_ns
    spans = {
        "signature": (0, 0) if ready else (stamps.prepared_mono_ns, stamps.signed_mono_ns),
        "encode": (0, 0) if ready else (stamps.signed_mono_ns, stamps.encoded_mono_ns),
        "write": (decided if ready else stamps.encoded_mono_ns, stamps.written_mono_ns),
        "wire": (stamps.written_mono_ns, stamps.reply_mono_ns),
        "parse": (stamps.reply_mono_ns, stamps.acked_mono_ns),
        "total": (decided, stamps.acked_mono_ns),
        "decode": (stamps.received_mono_ns, stamps.decoded_mono_ns),
        "decide": (stamps.decoded_mono_ns, stamps.decided_mono_ns),
        "reaction": (stamps.received_mono_ns, stamps.written_mono_ns),
        "fill": (decided, stamps.filled_mono_ns),
        "prepare": (stamps.prepared_mono_ns, stamps.encoded_mono_ns),
    }
    happened = {name: end - start for name, (start, end) in spans.items() if start and end and end >= start}
    if ready:
        happened = {"signature": 0, "encode": 0} | happened
    return happened | _venue_phases_ns(stamps)


def _venue_phases_ns(stamps: OrderStamps) -> dict[str, int]:
    """Split the wire by the venue's stamps, its clock brought to ours; nothing where a stamp or the offset is missing.

    An offset is an estimate: where it would make a way shorter than nothing, that way is 0 and the other has it all.
    """
    wire_ns = stamps.reply_mono_ns - stamps.written_mono_ns
    venue_ns = stamps.venue_sent_unix_ns - stamps.venue_received_unix_ns
    known = stamps.reply_mono_ns and stamps.written_mono_ns and stamps.written_unix_ns and stamps.venue_received_unix_ns
    if not known or stamps.venue_ahead_ns is None or not 0 <= venue_ns <= wire_ns:
        return {}
    ways_ns = wire_ns - venue_ns
    out_ns = stamps.venue_received_unix_ns - stamps.venue_ahead_ns - stamps.written_unix_ns
    out_ns = min(max(out_ns, 0), ways_ns)
    return {"out": out_ns, "venue": venue_ns, "back": ways_ns - out_ns}


def spread_of(samples: Iterable[int]) -> Spread | None:
    """Return the exact percentiles, or None of nothing."""
    ordered = sorted(samples)
    n = len(ordered)
    if not n:
        return None
    p50, p90, p99 = (ordered[-(-n * percent // 100) - 1] for percent in (50, 90, 99))
    return Spread(n, p50, p90, p99, ordered[-1])
