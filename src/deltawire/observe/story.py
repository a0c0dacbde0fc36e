"""How the end of a trade is told to a person: one line. The event's fields are made by the engine."""

from typing import Any

EVENT = "trade.closed"


def trade_line(fields: dict[str, Any]) -> str:
    """Return the line a person reads. A figure that does not exist is a dash."""
    words = {
        "buy": fields["buy"],
        "sell": fields["sell"],
        "size": fields["size"],
        "detected": _bps(fields["detected_bps"]),
        "executed": _bps(fields["executed_bps"]),
        "exit": _bps(fields["exit_executed_bps"]),
        "pnl": f"{fields['pnl_usd']:+.4f}USD",
        "fees": f"{fields['fees_usd']:.4f}USD",
        "unhedged": f"{fields['unhedged_ms']:.1f}ms",
        "repairs": fields["repairs"],
        "unwinds": fields["unwinds"],
        "held": f"{fields['held_s']:.1f}s",
        "why": fields["why"] or "-",
        **{venue: f"{took_ms:.1f}ms" for venue, took_ms in fields["latency_ms"].items()},
        "trade": fields["trade_id"],
    }
    return f"trade {fields['outcome']}: {fields['pair']} " + " ".join(f"{name}={text}" for name, text in words.items())


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}bps"
