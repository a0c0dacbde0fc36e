"""What one account at a venue owns: collateral and one net position per symbol. Pure, in 1e-8 USDC.

Kept by the simulated Vest (whose house is such a ledger too, the other side of every trade) and by paper trading. A
position keeps its cost, not an average price, so nothing is lost to rounding: the equities of all ledgers together
never change. Amounts move in whole millionths of a USDC, rounded against the trader. Knows no orders, no margin rules.
"""

from dataclasses import dataclass, field, replace

from deltawire.core.money import E8, floor_to, notional_e8

MICRO_E8 = 100  # the smallest amount of USDC: six decimals


@dataclass(frozen=True, slots=True)
class Position:
    """Signed size (positive is long), signed cost of it, and the funding index up to which it is settled."""

    size_e8: int = 0
    cost_e8: int = 0  # what the size was bought for; negative for a short
    entry_funding_e8: int = 0  # cumFunding, USDC a coin, at the last change
    settled_funding_e8: int = 0  # positive: received, since the position was opened

    def unrealized_e8(self, price_e8: int) -> int:
        """Return the gain at this price, funding left out."""
        return notional_e8(price_e8, self.size_e8) - self.cost_e8

    def funding_due_e8(self, cum_funding_e8: int) -> int:
        """Return the funding not settled yet; positive is received. Longs pay while cumFunding rises."""
        return floor_to(-notional_e8(cum_funding_e8 - self.entry_funding_e8, self.size_e8), MICRO_E8)

    @property
    def entry_price_e8(self) -> int:
        return self.cost_e8 * E8 // self.size_e8 if self.size_e8 else 0


FLAT = Position()


@dataclass(frozen=True, slots=True)
class Settled:
    """What one fill did to the account: gain on what it closed, and funding paid out with it."""

    realized_e8: int
    funding_e8: int


@dataclass(slots=True)
class Ledger:
    collateral_e8: int
    positions: dict[str, Position] = field(default_factory=dict)  # never of size zero
    fees_paid_e8: int = 0

    def position(self, symbol: str) -> Position:
        return self.positions.get(symbol, FLAT)

    def apply_fill(self, symbol: str, size_e8: int, price_e8: int, fee_e8: int, cum_funding_e8: int) -> Settled:
        """Net a fill (size signed: a buy is positive) into the position; gain, funding and fee go to the collateral."""
        before = self.position(symbol)
        funding_e8 = before.funding_due_e8(cum_funding_e8)
        closes_e8 = 0  # the part of the fill that closes, signed as the fill
        if before.size_e8 * size_e8 < 0:
            closes_e8 = size_e8 if abs(size_e8) <= abs(before.size_e8) else -before.size_e8
        released_e8 = _share(before.cost_e8, -closes_e8, before.size_e8) if closes_e8 else 0
        closed_e8 = notional_e8(price_e8, closes_e8)
        realized_e8 = -closed_e8 - released_e8
        opened_e8 = notional_e8(price_e8, size_e8) - closed_e8
        after = Position(
            size_e8=before.size_e8 + size_e8,
            cost_e8=before.cost_e8 - released_e8 + opened_e8,
            entry_funding_e8=cum_funding_e8,
            settled_funding_e8=before.settled_funding_e8 + funding_e8,
        )
        flipped = before.size_e8 * after.size_e8 < 0
        if after.size_e8 == 0:
            self.positions.pop(symbol, None)
        else:
            self.positions[symbol] = replace(after, settled_funding_e8=0) if flipped else after
        self.collateral_e8 += realized_e8 + funding_e8 - fee_e8
        self.fees_paid_e8 += fee_e8
        return Settled(realized_e8, funding_e8)

    def copy(self) -> "Ledger":
        return Ledger(self.collateral_e8, dict(self.positions), self.fees_paid_e8)


def _share(cost_e8: int, part_e8: int, whole_e8: int) -> int:
    """Return the cost of a part of the position; all of it for the whole, so closing leaves nothing behind."""
    return cost_e8 if part_e8 == whole_e8 else floor_to(cost_e8 * part_e8 // whole_e8, MICRO_E8)
