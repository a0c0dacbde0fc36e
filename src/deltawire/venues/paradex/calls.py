"""Order calls beside create and cancel: batches, modify, cancel-all. Over the socket, or over REST while it is down.

The engine sends single immediate orders and needs none of these to trade; the adapter cancels by batch when it closes
with orders open. Whoever uses them answers for the limits and the journal, as the engine does for its own orders.
Source: Paradex protocol reference, sections 6.2 and 11.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from deltawire.core.events import InDoubt
from deltawire.core.types import Side
from deltawire.venues.contract import Clock, PreparedOrder, Refused
from deltawire.venues.paradex import errors, rest, wire_many
from deltawire.venues.paradex.budget import Budgets
from deltawire.venues.paradex.link import DISTURBED
from deltawire.venues.paradex.orders import OrderDesk
from deltawire.venues.paradex.reads import Reads
from deltawire.venues.paradex.records import Order
from deltawire.venues.paradex.wire_many import CancelOutcome, Item

# Signs a modify: (order id, market, side, size, price) to (signature, its timestamp in ms).
Sign = Callable[[str, str, Side, int, int], tuple[str, int]]


class OrderCalls:
    """Methods raise Refused for a definite no, OSError, TimeoutError or DecodeError when nothing is known."""

    def __init__(self, desk: OrderDesk, reads: Reads, sign: Sign, *, budgets: Budgets, clock: Clock) -> None:
        self._desk, self._reads, self._sign, self._budgets, self._clock = desk, reads, sign, budgets, clock

    async def create_batch(self, orders: Sequence[PreparedOrder]) -> list[Item]:
        """Send up to ten prepared orders as one call, which costs one unit of the rate. Raises ValueError for more.

        Each order's news comes through the sink as after `submit`; the returned items are those of the answer. The
        venue checks all signatures first and refuses all orders for one bad one; after that each stands alone. Over
        the socket only: orders of a batch may rest, and REST has no cancel-on-disconnect. Never raises for the network.
        """
        if not 0 < len(orders) <= wire_many.BATCH_MAX:
            raise ValueError(f"a batch of {len(orders)} orders; 1 to {wire_many.BATCH_MAX} are taken")
        link = self._desk.protected_link()  # before anything is told of the orders
        params = wire_many.create_batch_params([order.payload for order in orders])
        lives = [self._desk.take_on(order) for order in orders]
        self._budgets.order_sent(self._clock.mono_ns())
        items: list[Item]
        try:
            items = wire_many.read_create_batch(await link.call("order.create_batch", params), len(orders))
        except Refused as e:
            items = [errors.order_event(int(e.code), e.text, "") for _ in orders]
        except DISTURBED as e:
            items = [InDoubt(f"batch without an answer: {e}") for _ in orders]
        for life, item in zip(lives, items, strict=True):
            self._desk.hear(life, item)
        return items

    async def modify(self, order_id: str, market: str, side: Side, size_e8: int, price_e8: int) -> Order:
        """Change size and price of an open limit order; side and market must be its own.

        The returned order is provisional, and its id may be a new one.
        """
        signature, signed_ms = self._sign(order_id, market, side, size_e8, price_e8)
        params = wire_many.modify_params(order_id, market, side, size_e8, price_e8, signature, signed_ms)
        if self._desk.is_protected:
            return wire_many.read_modified(await self._call("order.modify", params))
        return rest.read_order(await self._reads.call(partial(wire_many.put_order, params=params)))

    async def cancel_all(self, market: str = "") -> None:
        """Ask to cancel every open order of the account, in one market or in all: also those of hand and other bots."""
        if self._desk.is_protected:
            await self._call("order.cancel_all", wire_many.cancel_all_params(market))
        else:
            await self._reads.call(partial(wire_many.delete_all, market=market))

    async def cancel_batch(self, order_ids: Sequence[str]) -> list[CancelOutcome]:
        """Ask to cancel orders by the venue's ids."""
        if self._desk.is_protected:
            return wire_many.read_cancel_batch(await self._call("order.cancel_batch", {"order_ids": list(order_ids)}))
        return wire_many.read_cancelled(await self._reads.call(partial(wire_many.delete_batch, order_ids=order_ids)))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._budgets.order_sent(self._clock.mono_ns())
        return await self._desk.protected_link().call(method, params)
