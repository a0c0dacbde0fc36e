"""One order at the simulated Vest and what the venue shows of it: rows of GET /orders and events of account_private.

Decides nothing: vest_exchange moves the states. Source: Vest API v2 notes, sections 7, 8 and 9.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from deltawire.core.ledger import MICRO_E8
from deltawire.core.money import E8, floor_to, format_e8
from deltawire.sim.vest_settings import VestMarketRules
from deltawire.venues.vest import signing, wire

USDC_DECIMALS = 6
FUNDING_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Misfortune:
    """The faults one order was given on arrival. Its reply's faults are not here: they belong to the request."""

    reject_code: int = 0  # 0: none
    fraction_e8: int = E8  # of the size that is executed at most
    events_late_ms: int = 0
    events_times: int = 1
    events_again_ms: int = 0  # the second time comes so much after the first
    hidden_ms: int = 0  # look-ups do not find it for so long
    reverses_events: bool = False  # nothing is told until the order is over, and then the last word first


NO_MISFORTUNE = Misfortune()


@dataclass(slots=True, eq=False)
class Order:
    """What the venue knows of one order. Amounts in 1e-8; times in ms since 1970 UTC."""

    id: str
    address: str
    fields: wire.OrderFields  # as signed
    rules: VestMarketRules
    size_e8: int
    limit_price_e8: int
    init_margin_ratio_e8: int
    post_time_ms: int
    received_mono_ns: int
    misfortune: Misfortune
    status: str = wire.NEW
    code: int | None = None
    resting: bool = False  # a GTC trigger that waits for the index
    mark_price_e8: int = 0
    filled_e8: int = 0
    price_e8: int = 0  # of the one fill an order has
    filled_time_ms: int = 0
    fees_e8: int = 0  # taker fee and premium
    realized_e8: int = 0  # gain with funding and fees
    funding_e8: int = 0  # settled by the fill; positive: received
    cum_funding_e8: int = 0
    children: list[wire.OrderFields] = field(default_factory=list)  # checked; orders of their own once this has filled
    after_execution: list[Callable[[], None]] = field(default_factory=list)
    misled: bool = False  # the venue denied an order that it had
    withheld: list[wire.OrderEvent] = field(default_factory=list)

    @property
    def signed_size_e8(self) -> int:
        return self.size_e8 if self.fields.is_buy else -self.size_e8

    @property
    def nonce(self) -> int | None:
        """Return what the venue shows as the nonce: none for a liquidation, which nobody signed."""
        return None if self.fields.order_type == wire.LIQUIDATION else self.fields.nonce

    @property
    def can_rest(self) -> bool:
        """Say whether this waits for the index: children, and LIMIT orders that need not act at once."""
        kind, in_force = self.fields.order_type, self.fields.time_in_force
        return kind in {wire.TAKE_PROFIT, wire.STOP_LOSS} or (kind == signing.LIMIT and in_force not in {"FOK", "IOC"})

    @property
    def is_final(self) -> bool:
        return self.status in wire.FINAL

    def row(self) -> wire.OrderRow:
        """Return the order as GET /orders shows it now."""
        filled = self.filled_e8 > 0
        return wire.OrderRow(
            id=self.id,
            symbol=self.fields.symbol,
            is_buy=self.fields.is_buy,
            size=self.fields.size,
            status=self.status,
            nonce=self.nonce,
            order_type=self.fields.order_type,
            limit_price=self.fields.limit_price,
            mark_price=self._price(self.mark_price_e8),
            reduce_only=self.fields.reduce_only,
            init_margin_ratio=ratio(self.init_margin_ratio_e8),
            code=self.code,
            last_filled_size=self._size(self.filled_e8) if filled else None,
            last_filled_price=self._price(self.price_e8) if filled else None,
            last_filled_time=self.filled_time_ms if filled else None,
            avg_filled_price=self._price(self.price_e8) if filled else None,
            settled_funding=usdc(self.funding_e8) if filled else None,
            fees=usdc(self.fees_e8),
            realized_pnl=usdc(self.realized_e8) if filled else None,
            post_time=self.post_time_ms,
            tp_price=self.fields.tp_price or None,
            sl_price=self.fields.sl_price or None,
        )

    def event(self) -> wire.OrderEvent:
        """Return the event of the state just reached, in the shape the venue gives each state."""
        event = wire.OrderEvent(
            id=self.id, status=self.status, nonce=self.nonce, code=self.code, post_time=self.post_time_ms
        )
        if self.status in {wire.CANCELLED, wire.REJECTED}:
            return event
        event.symbol = self.fields.symbol
        event.is_buy = self.fields.is_buy
        event.order_type = self.fields.order_type
        event.limit_price = self.fields.limit_price
        event.size = self.fields.size
        event.reduce_only = self.fields.reduce_only
        event.init_margin_ratio = ratio(self.init_margin_ratio_e8)
        if self.status != wire.NEW:
            event.last_filled_size = self._size(self.filled_e8)
            event.last_filled_price = event.avg_filled_price = self._price(self.price_e8)
            event.last_filled_time = self.filled_time_ms
            event.cum_funding = format_e8(self.cum_funding_e8, FUNDING_DECIMALS)
            event.fees = usdc(self.fees_e8)
        return event

    def state(self) -> dict[str, object]:
        """Return the order for the control URL, in scaled integers."""
        return {
            "id": self.id,
            "nonce": self.fields.nonce,
            "symbol": self.fields.symbol,
            "side": "buy" if self.fields.is_buy else "sell",
            "type": self.fields.order_type,
            "reduce_only": self.fields.reduce_only,
            "size_e8": self.size_e8,
            "limit_price_e8": self.limit_price_e8,
            "status": self.status,
            "code": self.code,
            "filled_e8": self.filled_e8,
            "price_e8": self.price_e8,
            "fees_e8": self.fees_e8,
            "realized_e8": self.realized_e8,
            "post_time_ms": self.post_time_ms,
            "filled_time_ms": self.filled_time_ms,
            "received_mono_ns": self.received_mono_ns,
        }

    def _price(self, price_e8: int) -> str:
        return format_e8(price_e8, self.rules.price_decimals)

    def _size(self, size_e8: int) -> str:
        return format_e8(size_e8, self.rules.size_decimals)


def usdc(amount_e8: int) -> str:
    """Write an amount of USDC; what is below its six decimals (only ever unsettled gains) is rounded down."""
    return format_e8(floor_to(amount_e8, MICRO_E8), USDC_DECIMALS)


def ratio(ratio_e8: int) -> str:
    return format_e8(floor_to(ratio_e8, 10**4), 4)
