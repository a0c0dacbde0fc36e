"""How the latency of an order is told: one line for a person, one event for a machine. Measures nothing itself."""

from typing import Any

from deltawire.core.latency import ORDER_PHASES, OTHER_PHASES, VENUE_PHASES, phases_ns, presigned
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import EventLog

EVENT = "order.latency"
# Told by adapters that carry orders over pooled connections: reused, age_ns, requests, and what else they know.
CONNECTION_EVENT = "order.connection"


def log_order_latency(log: EventLog, client_id: ClientOrderId, venue: str, stamps: OrderStamps) -> None:
    """Log an answered order. The stamps are read when the log is written, not here: this costs one append."""
    log.info(EVENT, client_id=client_id, venue=venue, stamps=stamps)


def latency_line(venue: str, stamps: OrderStamps) -> str:
    """Return the line a person reads. A phase that did not happen is a dash."""
    took = phases_ns(stamps)
    # "json" and the transport's name are what users of the earlier bot know these two phases by.
    shown = {
        "signature": took.get("signature"),
        "json": took.get("encode"),
        "http" if stamps.transport == "https" else stamps.transport or "wire": took.get("wire"),
        "parse": took.get("parse"),
        "total": took.get("total"),
    }
    words = " ".join(f"{name}={duration_text(ns)}" for name, ns in shown.items())
    reused = "yes" if stamps.reused else "no"
    return f"order latency: {words} venue={venue} transport={stamps.transport or 'none'} reused={reused}"


def connection_words(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an order's connection as a person reads them: `reused=yes age=8.2s requests=41 …`."""
    first = {
        "reused": "yes" if fields["reused"] else "no",
        "age": duration_text(fields["age_ns"]),
        "requests": fields["requests"],
    }
    return first | {name: value for name, value in fields.items() if name not in {*first, "age_ns"}}


def latency_fields(client_id: str, venue: str, stamps: OrderStamps) -> dict[str, Any]:
    """Return the fields of the JSON event: every phase in nanoseconds, and the facts about the connection."""
    took = phases_ns(stamps)
    return {
        "client_id": client_id,
        "venue": venue,
        **{f"{name}_ns": took[name] for name in (*ORDER_PHASES, *VENUE_PHASES, *OTHER_PHASES) if name in took},
        "presigned": presigned(stamps),
        "transport": stamps.transport,
        "reused": stamps.reused,
        "connection_age_ns": stamps.connection_age_ns,
        "connection_requests": stamps.connection_requests,
        "venue_received_unix_ns": stamps.venue_received_unix_ns,
        "venue_sent_unix_ns": stamps.venue_sent_unix_ns,
        "written_unix_ns": stamps.written_unix_ns,
        "venue_ahead_ns": stamps.venue_ahead_ns,
    }


def duration_text(duration_ns: int | None) -> str:
    """Write a duration in the unit that suits it: 9µs, 84.2ms, 12.3s."""
    if duration_ns is None:
        return "-"
    micros = (duration_ns + 500) // 1_000
    if micros < 1_000:
        return f"{micros}µs"
    unit, tenth_ns = ("ms", 100_000) if duration_ns < 10_000_000_000 else ("s", 100_000_000)
    tenths = (duration_ns + tenth_ns // 2) // tenth_ns
    return f"{tenths // 10}.{tenths % 10}{unit}"
