"""What a fill of the simulated Paradex does to balance, funding and chain, as JSON channels and lists tell it. Pure.

Channels without an SBE form: balance_events, funding_payments, transaction, tradebusts. No chain stands behind the
simulator: a transaction is accepted with the fill, under a hash made of its id. Source: Paradex reference, section 7.5.
"""

import hashlib
from typing import Any

from deltawire.core.money import format_e8
from deltawire.sim.paradex_accounts import Bust, SimFill
from deltawire.sim.paradex_views import address_text

NS_PER_MS = 1_000_000
ASSET = "USDC"
NO_ADDRESS = "0x0"


def events_of(fill: SimFill) -> list[tuple[str, dict[str, Any]]]:
    """Return what each JSON channel tells of a fill, as (channel kind, data)."""
    told = [("balance_events", balance_event(fill)), ("transaction", transaction(fill, busted=False))]
    if fill.realized_funding_e8:
        told.append(("funding_payments", funding_payment(fill)))
    return told


def balance_event(fill: SimFill) -> dict[str, Any]:
    change_e8 = fill.realized_pnl_e8 + fill.realized_funding_e8 - fill.fee_e8
    return {
        "type": _transaction_type(fill),
        "fill_id": fill.id,
        "market": fill.symbol,
        "status": "ON_BLOCKCHAIN",
        "settlement_asset_name": ASSET,
        "settlement_asset_address": NO_ADDRESS,
        "settlement_asset_balance_before": format_e8(fill.collateral_e8 - change_e8),
        "settlement_asset_balance_after": format_e8(fill.collateral_e8),
        "settlement_asset_price": "1",
        "funding_index": format_e8(fill.funding_index_e8),
        "realized_pnl": format_e8(fill.realized_pnl_e8),
        "realized_funding": format_e8(fill.realized_funding_e8),
        "fees": format_e8(fill.fee_e8),
        "created_at": fill.created_unix_ns // NS_PER_MS,
    }


def funding_payment(fill: SimFill) -> dict[str, Any]:
    """Return the payment a fill realised: funding is settled when a position changes, and then only."""
    return {
        "id": f"{fill.id}-funding",
        "account": address_text(fill.account),
        "market": fill.symbol,
        "payment": format_e8(fill.realized_funding_e8),
        "index": format_e8(fill.funding_index_e8),
        "fill_id": fill.id,
        "created_at": fill.created_unix_ns // NS_PER_MS,
    }


def transaction(fill: SimFill, *, busted: bool) -> dict[str, Any]:
    at_ms = fill.created_unix_ns // NS_PER_MS
    return {
        "id": fill.id,
        "type": _transaction_type(fill),
        "hash": f"0x{int.from_bytes(hashlib.sha256(fill.id.encode()).digest()) >> 6:x}",  # fits a field element
        "state": "REVERTED" if busted else "ACCEPTED_ON_L2",
        "created_at": at_ms,
        "completed_at": at_ms,
    }


def bust_json(bust: Bust) -> dict[str, Any]:
    created_ms = bust.created_unix_ns // NS_PER_MS
    return {"account": address_text(bust.account), "busted_fill_id": bust.fill_id, "created_at": created_ms}


def _transaction_type(fill: SimFill) -> str:
    return "TRANSACTION_LIQUIDATE" if fill.fill_type == "LIQUIDATION" else "TRANSACTION_FILL"
