"""An account of the simulated Paradex as JSON for the control URL: amounts as decimal text, no secret. Pure."""

from typing import Any

from deltawire.core.money import format_e8
from deltawire.sim.paradex_accounts import Account, AccountView


def account_state(account: Account, view: AccountView) -> dict[str, Any]:
    return {
        "collateral": format_e8(account.collateral_e8),
        "account_value": format_e8(view.value_e8),
        "positions": {p.symbol: format_e8(p.size_e8) for p in account.positions.values()},
        "orders_live": len(account.live),
        "orders": [
            {
                "id": order.id,
                "client_id": order.client_id,
                "market": order.symbol,
                "side": order.side.name,
                "status": order.status,
                "size": format_e8(order.size_e8),
                "filled": format_e8(order.filled_e8),
                "average_price": format_e8(order.average_price_e8),
                "cancel_reason": order.cancel_reason,
                "updated_unix_ns": order.updated_unix_ns,
            }
            for order in account.orders.values()
        ],
        "fills": len(account.fills),
        "fees_paid": format_e8(account.fees_paid_e8),
        "realized_pnl": format_e8(account.realized_pnl_e8),
        "funding": format_e8(account.funding_e8),
    }
