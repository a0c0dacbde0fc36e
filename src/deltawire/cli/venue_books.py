"""Compares the journal with the simulated venues' own books, read over the simulators' control URL.

The bot has no part in this: what it wrote down is held against what the venues did. Amounts in 1e-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltawire.cli.sim_control import Unreadable, control
from deltawire.core.money import format_e8, parse_e8
from deltawire.core.types import Side
from deltawire.journal.read import JournalReader

__all__ = ["Books", "Unreadable", "books_in", "differences", "is_flat", "journal_books", "venue_books"]


@dataclass(slots=True)
class Books:
    """One account at one venue: signed positions, what each order filled (by the id both sides know), fees paid."""

    positions: dict[str, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    fees_e8: int = 0
    open_orders: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "orders_filled": len(self.filled),
            "size": format_e8(sum(self.filled.values())),
            "fees_usd": format_e8(self.fees_e8),
            "positions": {symbol: format_e8(size_e8) for symbol, size_e8 in self.positions.items() if size_e8},
            "open_orders": self.open_orders,
        }


def venue_books(control_url: str, paradex_account: str, vest_address: str) -> dict[str, Books]:
    """Read both venues' books of one account. Raises Unreadable."""
    return books_in(control(control_url, "/state"), paradex_account, vest_address)


def books_in(state: Mapping[str, Any], paradex_account: str, vest_address: str) -> dict[str, Books]:
    """Take both venues' books of one account out of the simulators' state. Raises Unreadable."""
    try:
        return {
            "paradex": _paradex(state["paradex"]["accounts"][paradex_account]),
            "vest": _vest(next(a for a in state["vest"]["accounts"] if a["primary_address"] == vest_address)),
        }
    except (KeyError, TypeError, ValueError, StopIteration) as e:
        raise Unreadable(f"the simulators' state lacks what is compared: {e!r}") from e


def journal_books(directory: Path) -> dict[str, Books]:
    """Add up the journal: every order that filled, by the id its venue knows it by."""
    books: dict[str, Books] = {}
    with JournalReader(directory) as reader:
        for order in reader.orders():
            book = books.setdefault(order.venue, Books())
            if not order.filled_e8:
                continue
            signed_e8 = order.filled_e8 if order.side == Side.BUY else -order.filled_e8
            book.positions[order.symbol] = book.positions.get(order.symbol, 0) + signed_e8
            # Vest knows an order by its nonce alone.
            book.filled[str(order.correlator) if order.venue == "vest" else order.client_id] = order.filled_e8
            book.fees_e8 += order.fee_e8
    return books


def differences(journal: Mapping[str, Books], venues: Mapping[str, Books]) -> list[str]:
    """Name everything on which the two disagree, and everything left open at a venue. Empty is agreement."""
    found: list[str] = []
    for venue, theirs in venues.items():
        ours = journal.get(venue, Books())
        for symbol in sorted(ours.positions.keys() | theirs.positions.keys()):
            found += _differ(
                f"{venue} position {symbol}", ours.positions.get(symbol, 0), theirs.positions.get(symbol, 0)
            )
        for order in sorted(ours.filled.keys() | theirs.filled.keys()):
            found += _differ(f"{venue} order {order} filled", ours.filled.get(order, 0), theirs.filled.get(order, 0))
        found += _differ(f"{venue} fees", ours.fees_e8, theirs.fees_e8)
        if theirs.open_orders:
            found.append(f"{venue} holds {theirs.open_orders} open orders")
    return found


def is_flat(venues: Mapping[str, Books]) -> bool:
    """Whether no venue holds a position or an open order."""
    return all(not any(books.positions.values()) and not books.open_orders for books in venues.values())


def _differ(what: str, ours_e8: int, theirs_e8: int) -> list[str]:
    if ours_e8 == theirs_e8:
        return []
    return [f"{what}: journal {format_e8(ours_e8)}, venue {format_e8(theirs_e8)}"]


def _paradex(account: dict[str, Any]) -> Books:
    return Books(
        positions={symbol: parse_e8(size) for symbol, size in account["positions"].items()},
        filled={o["client_id"]: parse_e8(o["filled"]) for o in account["orders"] if parse_e8(o["filled"])},
        fees_e8=parse_e8(account["fees_paid"]),
        open_orders=account["orders_live"],
    )


def _vest(account: dict[str, Any]) -> Books:
    return Books(
        positions={p["symbol"]: int(p["size_e8"]) for p in account["positions"]},
        filled={str(o["nonce"]): int(o["filled_e8"]) for o in account["orders"] if o["filled_e8"]},
        fees_e8=int(account["fees_paid_e8"]),
        open_orders=account["open_orders"],
    )
