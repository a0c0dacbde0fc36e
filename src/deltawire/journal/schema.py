"""The tables of the projection: the journal as rows, for questions. Derived wholly from the log, so never migrated.

Plain SQL that SQLite and PostgreSQL both take. Money in 1e-8, truth values as 0 and 1. `seq` is the record a row came
from. Of an order, three accounts of what filled are kept apart (single fills, running total, final word of the venue);
filled_e8 is the largest of them, never a sum of two.
"""

SCHEMA = "6"  # any change of the tables or of what is put in them: a projection of another number is built anew

TABLES = {
    "runs": """
        run_id TEXT PRIMARY KEY, seq BIGINT NOT NULL, unix_ns BIGINT NOT NULL, version TEXT NOT NULL,
        mode TEXT NOT NULL, simulated INTEGER NOT NULL, config_digest TEXT NOT NULL, unclean_before INTEGER NOT NULL,
        format INTEGER NOT NULL,
        end_seq BIGINT, end_unix_ns BIGINT, clean INTEGER, flat INTEGER, agree INTEGER, reason TEXT""",
    "pairs": """
        run_id TEXT NOT NULL, pair_id TEXT NOT NULL, venue_a TEXT NOT NULL, symbol_a TEXT NOT NULL,
        venue_b TEXT NOT NULL, symbol_b TEXT NOT NULL, size_e8 BIGINT NOT NULL, PRIMARY KEY (run_id, pair_id)""",
    "instruments": """
        seq BIGINT PRIMARY KEY, venue TEXT NOT NULL, symbol TEXT NOT NULL, price_tick_e8 BIGINT NOT NULL,
        size_step_e8 BIGINT NOT NULL, size_min_e8 BIGINT NOT NULL, notional_min_e8 BIGINT NOT NULL,
        fee_rate_taker_e8 BIGINT NOT NULL, unix_ns BIGINT NOT NULL""",
    "orders": """
        client_id TEXT PRIMARY KEY, seq BIGINT NOT NULL, run_id TEXT NOT NULL, trade_id TEXT NOT NULL,
        pair_id TEXT NOT NULL, leg TEXT NOT NULL, venue TEXT NOT NULL, symbol TEXT NOT NULL, side INTEGER NOT NULL,
        size_e8 BIGINT NOT NULL, cap_price_e8 BIGINT NOT NULL, purpose TEXT NOT NULL, reduce_only INTEGER NOT NULL,
        correlator BIGINT NOT NULL, signed_unix_ms BIGINT NOT NULL, unix_ns BIGINT NOT NULL,
        recv_window_ms INTEGER NOT NULL,
        state TEXT NOT NULL, venue_order_id TEXT NOT NULL, why TEXT NOT NULL,
        was_sent INTEGER NOT NULL, was_in_doubt INTEGER NOT NULL, surprises INTEGER NOT NULL,
        seen_e8 BIGINT NOT NULL, seen_notional_e8 BIGINT NOT NULL, seen_fee_e8 BIGINT NOT NULL,
        total_e8 BIGINT NOT NULL, total_notional_e8 BIGINT NOT NULL, total_fee_e8 BIGINT NOT NULL,
        final_e8 BIGINT NOT NULL, filled_e8 BIGINT NOT NULL, notional_e8 BIGINT NOT NULL, fee_e8 BIGINT NOT NULL""",
    "fills": """
        client_id TEXT NOT NULL, fill_id TEXT NOT NULL, seq BIGINT NOT NULL, price_e8 BIGINT NOT NULL,
        size_e8 BIGINT NOT NULL, notional_e8 BIGINT NOT NULL, fee_e8 BIGINT NOT NULL, unix_ns BIGINT NOT NULL,
        PRIMARY KEY (client_id, fill_id)""",
    "order_events": """
        seq BIGINT PRIMARY KEY, client_id TEXT NOT NULL, kind TEXT NOT NULL, unix_ns BIGINT NOT NULL,
        venue_order_id TEXT NOT NULL, fill_id TEXT NOT NULL, price_e8 BIGINT NOT NULL, size_e8 BIGINT,
        notional_e8 BIGINT NOT NULL, fee_e8 BIGINT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL""",
    "trades": """
        trade_id TEXT PRIMARY KEY, seq BIGINT NOT NULL, run_id TEXT NOT NULL, pair_id TEXT NOT NULL,
        buy_leg TEXT NOT NULL, size_e8 BIGINT NOT NULL, detected_spread_rate_e8 BIGINT NOT NULL,
        detected_edge_rate_e8 BIGINT NOT NULL, unix_ns BIGINT NOT NULL, state TEXT NOT NULL, state_reason TEXT NOT NULL,
        closed_seq BIGINT, closed_run_id TEXT, outcome TEXT,
        entry_detected_spread_rate_e8 BIGINT, entry_executed_spread_rate_e8 BIGINT,
        exit_detected_spread_rate_e8 BIGINT, exit_executed_spread_rate_e8 BIGINT,
        fees_e8 BIGINT, pnl_e8 BIGINT, unhedged_ns_max BIGINT, dust_a_e8 BIGINT, dust_b_e8 BIGINT,
        closed_unix_ns BIGINT, first_leg TEXT NOT NULL, layer INTEGER NOT NULL, order_class TEXT NOT NULL,
        class_reason TEXT NOT NULL""",
    "quotes": """
        trade_id TEXT NOT NULL, purpose TEXT NOT NULL, leg TEXT NOT NULL, venue TEXT NOT NULL, seq BIGINT NOT NULL,
        size_e8 BIGINT NOT NULL, best_price_e8 BIGINT NOT NULL, price_e8 BIGINT NOT NULL,
        age_ns BIGINT NOT NULL, venue_age_ns BIGINT, PRIMARY KEY (trade_id, purpose, leg)""",
    "latency": """
        seq BIGINT PRIMARY KEY, run_id TEXT NOT NULL, client_id TEXT NOT NULL, venue TEXT NOT NULL,
        stamps TEXT NOT NULL""",
    "loop_times": """
        seq BIGINT PRIMARY KEY, run_id TEXT NOT NULL, lag TEXT NOT NULL, gc_pauses TEXT NOT NULL,
        unix_ns BIGINT NOT NULL""",
    "adjustments": """
        seq BIGINT PRIMARY KEY, run_id TEXT NOT NULL, trade_id TEXT NOT NULL, pair_id TEXT NOT NULL, leg TEXT NOT NULL,
        venue TEXT NOT NULL, symbol TEXT NOT NULL, size_e8 BIGINT NOT NULL, reason TEXT NOT NULL,
        unix_ns BIGINT NOT NULL""",
    "halts": """
        seq BIGINT PRIMARY KEY, run_id TEXT NOT NULL, reason TEXT NOT NULL, unix_ns BIGINT NOT NULL""",
    "checks": """
        seq BIGINT NOT NULL, run_id TEXT NOT NULL, reason TEXT NOT NULL, unix_ns BIGINT NOT NULL, venue TEXT NOT NULL,
        symbol TEXT NOT NULL, journal_e8 BIGINT NOT NULL, venue_e8 BIGINT NOT NULL, agree INTEGER NOT NULL,
        PRIMARY KEY (seq, venue, symbol)""",
    "funding": """
        venue TEXT NOT NULL, payment_id TEXT NOT NULL, seq BIGINT NOT NULL, run_id TEXT NOT NULL, symbol TEXT NOT NULL,
        payment_e8 BIGINT NOT NULL, client_id TEXT NOT NULL, paid_unix_ns BIGINT NOT NULL, unix_ns BIGINT NOT NULL,
        PRIMARY KEY (venue, payment_id)""",
    "reconciliations": """
        seq BIGINT PRIMARY KEY, run_id TEXT NOT NULL, reason TEXT NOT NULL, unix_ns BIGINT NOT NULL,
        differences INTEGER NOT NULL""",
    "money": """
        seq BIGINT NOT NULL, run_id TEXT NOT NULL, unix_ns BIGINT NOT NULL, venue TEXT NOT NULL,
        opening_unix_ns BIGINT NOT NULL, opening_e8 BIGINT NOT NULL, pnl_e8 BIGINT NOT NULL, fees_e8 BIGINT NOT NULL,
        funding_e8 BIGINT NOT NULL, others_e8 BIGINT NOT NULL, moved_e8 BIGINT NOT NULL,
        unexplained_e8 BIGINT NOT NULL, cash_e8 BIGINT NOT NULL, tolerance_e8 BIGINT NOT NULL, fills INTEGER NOT NULL,
        PRIMARY KEY (seq, venue)""",
    "differences": """
        seq BIGINT NOT NULL, run_id TEXT NOT NULL, unix_ns BIGINT NOT NULL, kind TEXT NOT NULL, venue TEXT NOT NULL,
        item TEXT NOT NULL, journal TEXT NOT NULL, told TEXT NOT NULL, answer TEXT NOT NULL,
        PRIMARY KEY (seq, kind, venue, item)""",
}
INDEXES = (
    "CREATE INDEX orders_by_trade ON orders (trade_id)",
    "CREATE INDEX orders_by_run ON orders (run_id, state)",
    "CREATE INDEX order_events_by_order ON order_events (client_id)",
)
