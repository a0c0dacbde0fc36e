"""Private REST answers of the simulated Paradex that no channel shares, as JSON objects. Pure: reads one account.

Margin is the market's own, CROSS, for everyone: it can be read and not set. Source: Paradex reference, sections 11 and
17, and REST spec 1.132.1.
"""

from collections.abc import Iterable
from typing import Any

from deltawire.core.money import E8
from deltawire.sim.paradex_accounts import Account
from deltawire.sim.paradex_rules import MarketRules
from deltawire.sim.paradex_tokens import ReadToken
from deltawire.sim.paradex_views import address_text


def margin(account: Account, markets: Iterable[MarketRules]) -> dict[str, Any]:
    return {
        "account": address_text(account.address),
        "margin_methodology": "cross_margin",
        "configs": [
            {"market": rules.symbol, "leverage": E8 // rules.margin_initial_e8, "margin_type": "CROSS"}
            for rules in markets
        ],
    }


def cancel_result(account: Account, order_id: str, client_id: str, market: str, status: str) -> dict[str, Any]:
    """Return one outcome of a batch of cancels; what is not known of an order that is not there is left out."""
    known = {"account": address_text(account.address), "market": market} if market else {}
    names = {name: value for name, value in (("id", order_id), ("client_id", client_id)) if value}
    return {**names, **known, "status": status}


def read_token(token: ReadToken) -> dict[str, Any]:
    return {
        "token_id": token.lookup_id,
        "lookup_id": token.lookup_id,
        "name": token.name,
        "kind": "jwt",
        "allowed_cidrs": [],
        "created_at": token.created_unix_ns,
        "last_updated_at": token.revoked_unix_ns or token.created_unix_ns,
        "expiry_at": token.expiry_unix_ns,
        "revoked_at": token.revoked_unix_ns,
    }
