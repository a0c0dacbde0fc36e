"""Records the journal tests write: one plain value of everything, each changeable by name."""

from typing import Any

from deltawire.core.stamps import OrderStamps
from deltawire.journal.records import (
    InstrumentLoaded,
    OrderIntended,
    OrderObserved,
    OrderTimed,
    PairConfigured,
    PositionRow,
    PositionsChecked,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
    TradeStateChanged,
)

E8 = 10**8
T0 = 1_700_000_000_000_000_000
PAIR = PairConfigured(
    pair_id="btc", venue_a="paradex", symbol_a="BTC-USD-PERP", venue_b="vest", symbol_b="BTC-PERP", size_e8=2 * E8
)


def run_started(**changes: Any) -> RunStarted:
    known: dict[str, Any] = {
        "run_id": "r1",
        "unix_ns": T0,
        "mono_ns": 5,
        "version": "0.1.0",
        "mode": "live",
        "simulated": True,
        "pairs": [PAIR],
    }
    return RunStarted(**known | changes)


def run_ended(**changes: Any) -> RunEnded:
    known: dict[str, Any] = {
        "run_id": "r1",
        "clean": True,
        "flat": True,
        "agree": True,
        "reason": "asked to stop",
        "unix_ns": T0 + 60 * 10**9,
    }
    return RunEnded(**known | changes)


def instrument(**changes: Any) -> InstrumentLoaded:
    known: dict[str, Any] = {
        "venue": "paradex",
        "symbol": "BTC-USD-PERP",
        "price_tick_e8": E8 // 10,
        "size_step_e8": E8 // 1000,
        "size_min_e8": E8 // 1000,
        "notional_min_e8": 10 * E8,
        "fee_rate_taker_e8": 20_000,
        "unix_ns": T0,
    }
    return InstrumentLoaded(**known | changes)


def intended(client_id: str, leg: str = "a", side: int = 1, size_e8: int = 2 * E8, **changes: Any) -> OrderIntended:
    known: dict[str, Any] = {
        "client_id": client_id,
        "trade_id": "t1",
        "pair_id": "btc",
        "leg": leg,
        "venue": "paradex" if leg == "a" else "vest",
        "symbol": "BTC-USD-PERP" if leg == "a" else "BTC-PERP",
        "side": side,
        "size_e8": size_e8,
        "cap_price_e8": 101 * E8,
        "purpose": "entry",
        "reduce_only": False,
        "correlator": 7,
        "signed_unix_ms": T0 // 10**6,
        "unix_ns": T0 + 1,
    }
    return OrderIntended(**known | changes)


def seen(client_id: str, kind: Any, **changes: Any) -> OrderObserved:
    known: dict[str, Any] = {"client_id": client_id, "kind": kind, "unix_ns": T0 + 2}
    return OrderObserved(**known | changes)


def fill(client_id: str, fill_id: str, price: int, size_e8: int, fee_e8: int = 0) -> OrderObserved:
    return seen(client_id, "fill", fill_id=fill_id, price_e8=price * E8, size_e8=size_e8, fee_e8=fee_e8)


def timed(client_id: str, venue: str = "paradex", **stamps: Any) -> OrderTimed:
    known: dict[str, Any] = {
        "received_mono_ns": 1_000,
        "decoded_mono_ns": 2_000,
        "decided_mono_ns": 4_000,
        "prepared_mono_ns": 500,
        "signed_mono_ns": 600,
        "encoded_mono_ns": 800,
        "written_mono_ns": 9_000,
        "reply_mono_ns": 84_209_000,
        "acked_mono_ns": 84_218_000,
        "transport": "ws",
        "reused": True,
    }
    return OrderTimed(client_id=client_id, venue=venue, stamps=OrderStamps(**known | stamps))


def trade_opened(**changes: Any) -> TradeOpened:
    known: dict[str, Any] = {
        "trade_id": "t1",
        "pair_id": "btc",
        "buy_leg": "a",
        "size_e8": 2 * E8,
        "detected_spread_rate_e8": 300_000,
        "detected_edge_rate_e8": 100_000,
        "unix_ns": T0 + 1,
    }
    return TradeOpened(**known | changes)


def trade_closed(**changes: Any) -> TradeClosed:
    known: dict[str, Any] = {
        "trade_id": "t1",
        "pair_id": "btc",
        "outcome": "closed",
        "entry_detected_spread_rate_e8": 300_000,
        "entry_executed_spread_rate_e8": 200_000,
        "exit_detected_spread_rate_e8": -10_000,
        "exit_executed_spread_rate_e8": -20_000,
        "fees_e8": 0,
        "pnl_e8": 0,
        "unhedged_ns_max": 12_500_000,
        "dust_a_e8": 0,
        "dust_b_e8": 0,
        "opened_unix_ns": T0 + 1,
        "closed_unix_ns": T0 + 30 * 10**9,
    }
    return TradeClosed(**known | changes)


def positions_checked(**changes: Any) -> PositionsChecked:
    rows = [
        PositionRow(venue=v, symbol=s, journal_e8=0, venue_e8=0, agree=True)
        for v, s in (("paradex", "BTC-USD-PERP"), ("vest", "BTC-PERP"))
    ]
    known: dict[str, Any] = {"when": "shutdown", "rows": rows, "unix_ns": T0 + 59 * 10**9}
    return PositionsChecked(**known | changes)


def state_changed(state: str, **changes: Any) -> TradeStateChanged:
    known: dict[str, Any] = {"trade_id": "t1", "state": state, "reason": "hedged", "unix_ns": T0 + 3}
    return TradeStateChanged(**known | changes)


def round_trip(
    trade: str = "t1", *, entry: tuple[int, int] = (100, 101), out: tuple[int, int] = (100, 100)
) -> list[Record]:
    """Return a whole trade: buy leg a and sell leg b, then back; 2 units, fee 0.01 a fill."""
    size_e8, fee_e8 = 2 * E8, E8 // 100
    records: list[Record] = [trade_opened(trade_id=trade)]
    steps = [("ea", "a", 1, entry[0], "entry"), ("eb", "b", 2, entry[1], "entry")]
    steps += [("xa", "a", 2, out[0], "exit"), ("xb", "b", 1, out[1], "exit")]
    for name, leg, side, price, purpose in steps:
        cid = f"{trade}-{name}"
        records += [
            intended(cid, leg, side, trade_id=trade, purpose=purpose, reduce_only=purpose == "exit"),
            seen(cid, "sent"),
            seen(cid, "acked", venue_order_id=f"v-{cid}"),
            fill(cid, f"f-{cid}", price, size_e8, fee_e8),
            seen(cid, "closed", size_e8=size_e8),
            timed(cid, "paradex" if leg == "a" else "vest", transport="ws" if leg == "a" else "https"),
        ]
    pnl_e8 = 2 * E8 * (entry[1] - entry[0] + out[0] - out[1]) - 4 * fee_e8
    records.append(trade_closed(trade_id=trade, fees_e8=4 * fee_e8, pnl_e8=pnl_e8))
    return records
