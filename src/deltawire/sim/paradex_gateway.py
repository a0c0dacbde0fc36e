"""The order API of the simulated Paradex, the same for REST and WebSocket: limits, checks, speed bump, faults.

Takes the codec's parsed parameters, answers through a handed-in Answer; matching is the exchange's. Order faults (the
list in `faults`) strike here and nowhere else. Sans-I/O: what waits, waits on the scheduler handed in.
"""

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from deltawire.core.money import E8, floor_to
from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.paradex_accounts import CLOSED, SimOrder
from deltawire.sim.paradex_book import Rank
from deltawire.sim.paradex_checks import check_available
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_limits import Limit, Limits, TooMany
from deltawire.sim.paradex_requests import check_window, new_order, verify_create, verify_modify
from deltawire.sim.paradex_rules import ApiRefusal, ParadexSimSettings
from deltawire.sim.paradex_settlement import OnPrivate, PrivateEvent
from deltawire.sim.paradex_tokens import Caller
from deltawire.venues.contract import Clock
from deltawire.venues.paradex.rpc import CreateParams

VENUE = "paradex"
ORDER_STAMPS_MAX = 10_000  # remembered for the reaction figures


class Answer(Protocol):
    """Where the outcome of one call goes. Calls after the connection is gone are harmless."""

    def order(self, order: SimOrder) -> None:
        """Answer with the order as it is: accepted, NEW."""

    def fail_without_id(self) -> None:
        """Answer with an error of the server that does not say which call it is about."""

    def drop(self) -> None:
        """Close the connection the call came by, at once; nothing more is sent on it."""


@dataclass(frozen=True, slots=True)
class OrderStamps:
    """Wire to wire, as only the venue can see it. market_written: when its market's last frame was sent, 0: never."""

    order_id: str
    client_id: str
    symbol: str
    read_mono_ns: int
    market_written_mono_ns: int


@dataclass(frozen=True, slots=True)
class Received:
    """When a call was read, and where it came from (a connection's number, 0 for REST)."""

    mono_ns: int
    unix_ns: int
    origin: int = 0
    market_written_mono_ns: Callable[[str], int] = lambda _symbol: 0


class Gateway:
    def __init__(
        self,
        *,
        clock: Clock,
        call_later: CallLater,
        exchange: ParadexExchange,
        faults: Faults,
        settings: ParadexSimSettings,
        publish_private: OnPrivate,
    ) -> None:
        self._clock = clock
        self._call_later = call_later
        self._exchange = exchange
        self._faults = faults
        self._settings = settings
        self._publish_private = publish_private
        self._pro_limits = Limits(settings.orders_pro)
        self._retail_limits = Limits(settings.orders_retail)
        self.stamps: deque[OrderStamps] = deque(maxlen=ORDER_STAMPS_MAX)
        # When each call about an order was read, whatever became of it: what a client's reaction is measured by.
        self.orders_read_mono_ns: deque[int] = deque(maxlen=ORDER_STAMPS_MAX)

    # Create

    def create(self, caller: Caller, params: CreateParams, received: Received, answer: Answer) -> None:
        """Take one order.create or POST /orders. Raises ApiRefusal or BadRequest when it is not placed."""
        self._faults.saw(VENUE, "order")
        if self._take("drop_before"):
            answer.drop()
            return
        if self._faults.take(VENUE, "idless_error", _before) is not None:
            answer.fail_without_id()
            return
        caller = self._count(caller)
        self._refuse_by_fault()
        self._verify(caller, [params])
        order = self.accept(caller, params, received)
        if hidden := self._take("hide_order"):
            order.hidden_until_mono_ns = received.mono_ns + hidden.params.get("ms", 5_000) * 1_000_000
            order.misled = True
        self._carry_out(order, answer)

    def create_batch(
        self, caller: Caller, batch: Sequence[CreateParams], received: Received
    ) -> list[SimOrder | ApiRefusal]:
        """Take a batch: one bad signature refuses it whole, after that each order stands alone. Faults spare it."""
        if not 1 <= len(batch) <= self._settings.batch_max:
            raise ApiRefusal("BATCH_SIZE_OUT_OF_RANGE", f"1 to {self._settings.batch_max} orders")
        caller = self._count(caller)
        self._verify(caller, batch)
        outcomes: list[SimOrder | ApiRefusal] = []
        for params in batch:
            try:
                order = self.accept(caller, params, received)
            except ApiRefusal as refusal:
                outcomes.append(refusal)
                continue
            outcomes.append(copy(order))
            self._proceed(order, partial(self._exchange.execute, order))
        return outcomes

    def accept(self, caller: Caller, params: CreateParams, received: Received) -> SimOrder:
        request = new_order(caller, params, received.unix_ns, received.origin)
        check_window(params, self._clock.unix_ns(), self._settings)
        order = self._exchange.accept(request)
        market_written_mono_ns = received.market_written_mono_ns(order.symbol)
        stamps = OrderStamps(order.id, order.client_id, order.symbol, received.mono_ns, market_written_mono_ns)
        self.stamps.append(stamps)
        return order

    def _refuse_by_fault(self) -> None:
        """Raise the ApiRefusal an armed fault wants."""
        wanted = self._take("reject_order")
        if wanted is not None:
            code, text = wanted.params.get("code", "VALIDATION_ERROR"), wanted.params.get("text", "refused by a fault")
            refusal = ApiRefusal(code, text)
        elif self._take("wrong_signature"):
            refusal = ApiRefusal("INVALID_ORDER_SIGNATURE", "signature does not fit the order")
        elif self._take("rate_limit"):
            refusal = TooMany()
        else:
            return
        self._exchange.counters["orders_received"] += 1
        self._exchange.counters["orders_refused"] += 1
        raise refusal

    def _carry_out(self, order: SimOrder, answer: Answer) -> None:
        """Answer and execute, in the order and at the times the venue has them, or as armed faults want it."""
        provisional = copy(order)
        on_private = self._delivery()
        partial = self._take("partial_fill")
        fill_max_e8 = self._part_of(order, partial) if partial else None

        def execute() -> None:
            self._exchange.execute(order, fill_max_e8=fill_max_e8, on_private=on_private)

        delayed = self._take("delay_reply")
        if false := self._take("false_reject"):
            order.misled = True
            self._proceed(order, execute)
            raise ApiRefusal(false.params.get("code", "VALIDATION_ERROR"), "a fault says so, and it is not true")
        if self._take("lose_reply"):
            self._proceed(order, execute)
        elif self._take("drop_after"):
            answer.drop()  # first, so that not even the events get out by that connection
            self._proceed(order, execute)
        elif self._take("idless_error"):
            answer.fail_without_id()
            self._proceed(order, execute)
        elif delayed:
            self._proceed(order, execute)
            self._call_later(delayed.params.get("ms", 1_000) / 1_000, lambda: answer.order(provisional))
        elif self._take("fill_before_ack"):
            self._tell_new(order)
            execute()
            answer.order(provisional)
        else:
            answer.order(provisional)
            self._proceed(order, execute)

    def _proceed(self, order: SimOrder, execute: Callable[[], None]) -> None:
        """Tell of an accepted order, then execute it once its class is let through."""
        self._tell_new(order)
        self._after_bump(order.rank, execute)

    def _tell_new(self, order: SimOrder) -> None:
        if self._settings.tells_new:
            self._publish_private([copy(order)])

    def _delivery(self) -> OnPrivate | None:
        """Return how faults want the order's own events sent; None: as usual."""
        late, twice, reverse = (self._take(kind) for kind in ("late_fill", "duplicate_events", "reorder_events"))
        if self._take("lose_events"):
            return lambda _events: None
        if not late and not twice and not reverse:
            return None

        def deliver(events: Sequence[PrivateEvent]) -> None:
            told = events[::-1] if reverse else events
            self._publish_private(told)
            if twice and twice.params.get("ms", 0):
                self._call_later(twice.params["ms"] / 1_000, lambda: self._publish_private(told))
            elif twice:
                self._publish_private(told)

        if not late:
            return deliver
        delay_s = late.params.get("ms", 1_000) / 1_000

        def deliver_late(events: Sequence[PrivateEvent]) -> None:
            self._call_later(delay_s, lambda: deliver(events))

        return deliver_late

    def _part_of(self, order: SimOrder, fault: Fault) -> int:
        part_e8 = order.size_e8 * int(fault.params.get("fraction_e8", E8 // 2)) // E8
        return floor_to(part_e8, self._exchange.markets[order.symbol].rules.size_step_e8)

    # Modify and cancel

    def modify(self, caller: Caller, order_id: str, params: CreateParams) -> SimOrder:
        """Change an open order; market, side and type must be its own.

        Returns the modified order as it is before the book has seen it: what comes of it there is news.
        """
        caller = self._count(caller)
        order = caller.account.orders.get(order_id)
        if order is None:
            raise ApiRefusal("ORDER_ID_NOT_FOUND", "no such order")
        if (params.market, params.order_side, params.type) != (order.symbol, order.side, order.kind):
            raise ApiRefusal("VALIDATION_ERROR", "market, side and type cannot be modified")
        if self._settings.verify_orders:
            verify_modify(caller.account, params, order_id)
        check_window(params, self._clock.unix_ns(), self._settings)
        provisional = copy(order)
        self._exchange.modify(order, params.size_e8, params.price_e8, params.trigger_price_e8)
        provisional.leaves_e8 += params.size_e8 - provisional.size_e8
        provisional.size_e8, provisional.price_e8 = params.size_e8, params.price_e8
        provisional.trigger_price_e8 = params.trigger_price_e8 or provisional.trigger_price_e8
        return provisional

    def find(self, caller: Caller, order_id: str = "", client_id: str = "", market: str = "") -> SimOrder:
        """Return one of the caller's orders. Raises ApiRefusal when there is none."""
        if order_id:
            order = caller.account.orders.get(order_id)
            if order is None or self.is_hidden(order):
                raise ApiRefusal("ORDER_ID_NOT_FOUND", "no such order")
            return order
        order = caller.account.by_client_id.get(client_id)
        if order is None or market not in {"", order.symbol} or self.is_hidden(order):
            raise ApiRefusal("CLIENT_ORDER_ID_NOT_FOUND", "no such order")
        return order

    def is_hidden(self, order: SimOrder) -> bool:
        """Say whether reads shall miss the order for now, by a fault."""
        return self._clock.mono_ns() < order.hidden_until_mono_ns

    def cancel(self, caller: Caller, order: SimOrder, queued: Callable[[], None] = lambda: None) -> None:
        """Queue a cancel: `queued` answers, then the order goes. Raises ApiRefusal when it is closed already."""
        self._faults.saw(VENUE, "cancel")
        caller = self._count_cancel(caller)
        if order.status == CLOSED:
            raise ApiRefusal("ORDER_IS_CLOSED", f"order {order.id} is closed")
        queued()
        self._after_queue(caller.rank, partial(self._exchange.cancel, order))

    def cancel_batch(self, caller: Caller, orders: Sequence[SimOrder | None]) -> list[str]:
        """Queue several cancels and return each one's status."""
        caller = self._count_cancel(caller)
        statuses = [
            "NOT_FOUND" if order is None else "ALREADY_CLOSED" if order.status == CLOSED else "QUEUED_FOR_CANCELLATION"
            for order in orders
        ]
        for order in orders:
            if order is not None:
                self._after_queue(caller.rank, partial(self._exchange.cancel, order))
        return statuses

    def cancel_all(self, caller: Caller, market: str = "") -> None:
        caller = self._count_cancel(caller)
        self._after_queue(caller.rank, partial(self._exchange.cancel_all, caller.account, symbol=market))

    def _verify(self, caller: Caller, batch: Sequence[CreateParams]) -> None:
        for params in batch if self._settings.verify_orders else ():
            verify_create(caller.account, params)

    # Limits, waits, faults

    def _count(self, caller: Caller) -> Caller:
        """Count one order call and return the caller as it is treated: Retail over its limits is treated as Pro.

        Raises ApiRefusal (429) for Pro over its limits.
        """
        account, now_mono_ns = caller.account.address, self._clock.mono_ns()
        if caller.rank is Rank.RETAIL:
            try:
                self._retail_limits.take(account, now_mono_ns)
            except TooMany:
                caller = replace(caller, rank=Rank.PRO)
            else:
                return caller
        self._pro_limits.take(account, now_mono_ns)
        return caller

    def _count_cancel(self, caller: Caller) -> Caller:
        caller = self._count(caller)
        check_available(self._exchange.status)
        return caller

    def limit_of(self, caller: Caller) -> Limit:
        """Return the limit an order call of the caller is counted against first."""
        limits = self._retail_limits if caller.rank is Rank.RETAIL else self._pro_limits
        return limits.of(caller.account.address)

    def _after_bump(self, rank: Rank, then: Callable[[], Any]) -> None:
        if rank is Rank.RETAIL and self._settings.retail_delay_s > 0:
            self._call_later(self._settings.retail_delay_s, then)
        else:
            then()

    def _after_queue(self, rank: Rank, then: Callable[[], Any]) -> None:
        """Handle a cancel when its turn has come; until then the order may still fill."""
        if rank is not Rank.RETAIL and self._settings.cancel_queue_s > 0:
            self._call_later(self._settings.cancel_queue_s, then)
        else:
            self._after_bump(rank, then)

    def _take(self, kind: str) -> Fault | None:
        return self._faults.take(VENUE, kind)


def _before(fault: Fault) -> bool:
    return bool(fault.params.get("where", "before") == "before")
