"""The simulated Vest without sockets: orders against the house pool, accounts, and the events they cause.

Typed requests in, wire structs out to a sink; clock, scheduler, random numbers and faults are handed in, so the same
logic runs on a virtual clock. Not built: LP shares, transfers, take-profit and stop-loss (refused), liquidation.
Source: Vest API v2 notes, sections 5, 7, 9 and 13.
"""

from collections import Counter, deque
from collections.abc import Iterable
from random import Random
from typing import Any, Protocol

from deltawire.core.money import E8, floor_to, notional_e8
from deltawire.sim import vest_checks as checks
from deltawire.sim import vest_execution as execution
from deltawire.sim import vest_refusal as no
from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Faults
from deltawire.sim.market import Quote
from deltawire.sim.vest_accounts import Account, Accounts, Session
from deltawire.sim.vest_ledger import Ledger
from deltawire.sim.vest_orders import Misfortune, Order, usdc
from deltawire.sim.vest_pool import NO_PICTURE, HousePool
from deltawire.sim.vest_refusal import Refusal
from deltawire.sim.vest_settings import RangeMs, VestSimSettings
from deltawire.venues.contract import Clock
from deltawire.venues.vest import rest, signing, wire

VENUE = "vest"
_MS_NS = 10**6
_NORMAL_P90 = 1.2816  # of the standard normal distribution


class ExchangeSink(Protocol):
    """Who tells the world. Calls are synchronous."""

    def on_order_event(self, account: Account, event: wire.OrderEvent) -> None: ...
    def on_trade(self, symbol: str, trade: wire.Trade) -> None: ...
    def on_picture(self, pool: HousePool) -> None: ...


class VestExchange:
    """One venue. `start` begins the pictures; every order is one of `orders` until forgotten as the oldest."""

    def __init__(
        self,
        *,
        clock: Clock,
        call_later: CallLater,
        rng: Random,
        faults: Faults,
        settings: VestSimSettings,
        bases: Iterable[str],
    ) -> None:
        self.settings = settings
        self.pools = {
            rules.symbol: HousePool(rules, settings)
            for base in bases
            for rules in settings.markets
            if rules.base == base
        }
        self.accounts = Accounts(settings, rng, self.now_ms)
        self.house = Ledger(settings.house_collateral_e8)
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, deque[wire.Trade]] = {
            symbol: deque(maxlen=settings.trades_kept) for symbol in self.pools
        }  # oldest first
        self.counters: Counter[str] = Counter()
        self.sink: ExchangeSink | None = None
        self._clock, self._call_later, self._rng, self._faults = clock, call_later, rng, faults
        self._resting: dict[str, dict[str, Order]] = {symbol: {} for symbol in self.pools}
        self._running = False
        self.started_ms = self.now_ms()

    def now_ms(self) -> int:
        return self._clock.unix_ns() // _MS_NS

    def start(self) -> None:
        """Begin to re-make the pictures, each market on its own beat."""
        self._running = True
        for pool in self.pools.values():
            self._remake(pool)

    def stop(self) -> None:
        """End the beat; orders in flight still execute."""
        self._running = False

    def on_quote(self, base: str, quote: Quote) -> None:
        """Take a tick of the recorded market: the index moves, and triggers it touches execute."""
        pool = self.pools.get(f"{base}-PERP")
        if pool is None:
            return
        pool.on_quote(quote, self._clock.mono_ns())
        if pool.picture is NO_PICTURE:
            pool.remake()
        for order in list(self._resting[pool.rules.symbol].values()):
            if execution.is_touched(order.fields, order.limit_price_e8, pool.index_e8):
                self._execute(order)

    def pool(self, symbol: str) -> HousePool:
        """Return the market, or refuse with 1121."""
        pool = self.pools.get(symbol)
        if pool is None:
            raise Refusal(no.BAD_SYMBOL)
        return pool

    def accrue(self, pool: HousePool) -> None:
        """Bring the market's funding index up to now."""
        pool.accrue(self._clock.mono_ns())

    # --- requests ---

    def place(self, session: Session, submit: wire.OrderSubmit) -> Order:
        """Take in an order: every check the venue makes at once, then its execution is due after the delay drawn.

        Raises Refusal, with nothing kept, when a check fails.
        """
        received_mono_ns = self._clock.mono_ns()
        self.counters["orders_received"] += 1
        try:
            order = self._admit(session.account, submit, received_mono_ns)
        except Refusal as refusal:
            self.counters["orders_refused"] += 1
            if refusal.code == no.DUPLICATE:
                self.counters["duplicates"] += 1
            raise
        self.orders[order.id] = order
        self._forget_oldest()
        delay_s = self._draw_s(self.settings.execution_delay_ms)
        new = order.event()  # as it is now: a cancel may overtake it
        self._call_later(delay_s * self._rng.random() / 2, lambda: self._emit(order, new))
        self._call_later(delay_s, lambda: self._execute_first(order))
        return order

    def cancel(self, session: Session, submit: wire.CancelSubmit) -> str:
        """Cancel a trigger that has not executed. Raises Refusal 3017 for everything else: done, unknown or MARKET."""
        self._faults.saw(VENUE, "cancel")
        account, fields = session.account, submit.order
        checks.check_window(fields.time, submit.recv_window, self.now_ms(), self.settings.recv_window_max_ms)
        checks.check_nonce(fields.nonce)
        self._check_signature(account, rest.signed_cancel_bytes(fields), submit.signature)
        account.last_nonce = max(account.last_nonce, fields.nonce)
        order = self.orders.get(fields.id)
        if order is None or order.address != account.address or order.is_final or not _can_rest(order):
            raise Refusal(no.ORDER_NOT_FOUND)
        self._finish(order, wire.CANCELLED)
        return order.id

    def orders_of(self, account: Account) -> list[Order]:
        """Return the account's orders, newest first."""
        return [order for order in reversed(self.orders.values()) if order.address == account.address]

    # --- the checks of a request ---

    def _admit(self, account: Account, submit: wire.OrderSubmit, received_mono_ns: int) -> Order:
        fields = submit.order
        checks.check_window(fields.time, submit.recv_window, self.now_ms(), self.settings.recv_window_max_ms)
        checks.check_nonce(fields.nonce)
        encoded = rest.signed_order_bytes(fields)
        self._check_signature(account, encoded, submit.signature)
        pool = self.pool(fields.symbol)
        checks.check_kind(fields, accepts_ioc=self.settings.accepts_ioc)
        size_e8 = checks.exact_e8(fields.size, pool.rules.size_decimals)
        limit_price_e8 = checks.exact_e8(fields.limit_price, pool.rules.price_decimals)
        if size_e8 == 0:
            raise Refusal(no.INVALID_PARAMETER, "size is zero")
        if pool.halted:
            raise Refusal(no.MARKET_CLOSED_REQUEST)
        digest = signing.keccak(encoded)
        if digest in account.seen:
            raise Refusal(no.DUPLICATE)
        misfortune = self._draw_misfortune()
        account.seen[digest] = None
        if len(account.seen) > self.settings.orders_kept:
            del account.seen[next(iter(account.seen))]  # long past its recvWindow, which refuses it anyway
        account.last_nonce = max(account.last_nonce, fields.nonce)
        return Order(
            id=f"0x{self._rng.getrandbits(256):064x}",
            address=account.address,
            fields=fields,
            rules=pool.rules,
            size_e8=size_e8,
            limit_price_e8=limit_price_e8,
            init_margin_ratio_e8=account.init_margin_ratio_e8(pool),
            post_time_ms=self.now_ms(),
            received_mono_ns=received_mono_ns,
            misfortune=misfortune,
            mark_price_e8=pool.mark_e8,
        )

    def _check_signature(self, account: Account, encoded: bytes, signature: str) -> None:
        signer = signing.recover(signing.personal_digest(encoded), signature)
        if signer is None or not account.may_sign(signer.lower(), self.now_ms()):
            raise Refusal(no.INVALID_SIGNATURE)

    # --- execution ---

    def _execute_first(self, order: Order) -> None:
        """Execute on the delay drawn at arrival, then release whoever waits for it."""
        self._execute(order)
        callbacks, order.after_execution = order.after_execution, []
        for callback in callbacks:
            callback()

    def _execute(self, order: Order) -> None:
        if order.is_final:  # cancelled meanwhile
            return
        account, pool = self.accounts.by_address[order.address], self.pools[order.fields.symbol]
        self.accrue(pool)
        order.mark_price_e8 = pool.mark_e8
        size_e8 = self._executed_size_e8(order)
        if size_e8 == 0 and not order.misfortune.reject_code:
            self._finish(order, wire.CANCELLED)
            return
        price_e8 = pool.average_price_e8(is_buy=order.fields.is_buy, size_e8=size_e8)
        code = order.misfortune.reject_code or self._refusal(order, account, pool, price_e8, size_e8)
        waits = code == self.settings.price_check_code and not order.misfortune.reject_code
        if waits and _can_rest(order) and order.limit_price_e8:
            order.resting = True
            self._resting[order.fields.symbol][order.id] = order
        elif code or price_e8 is None:
            order.code = code
            self._finish(order, wire.REJECTED)
        else:
            self._fill(order, account, pool, price_e8, size_e8)

    def _executed_size_e8(self, order: Order) -> int:
        return floor_to(order.size_e8 * order.misfortune.fraction_e8 // E8, order.rules.size_step_e8)

    def _refusal(self, order: Order, account: Account, pool: HousePool, price_e8: int | None, size_e8: int) -> int:
        """Return the code with which the pool refuses the order now, 0 when it takes it."""
        fields = order.fields
        return (
            execution.market_refusal(pool, self._clock.mono_ns(), self.settings.index_stale_ms)
            or execution.reduce_only_refusal(fields, account.ledger.position(fields.symbol).size_e8, size_e8)
            or execution.price_refusal(
                fields, order.limit_price_e8, pool.index_e8, price_e8, self.settings.price_check_code
            )
            or execution.margin_refusal(account, self.pools, fields, size_e8, price_e8 or 0)
        )

    def _fill(self, order: Order, account: Account, pool: HousePool, price_e8: int, size_e8: int) -> None:
        """Move money and coins between the account and the house, then tell."""
        self._faults.saw(VENUE, "fill")
        symbol = order.fields.symbol
        signed_e8 = size_e8 if order.fields.is_buy else -size_e8
        fee_e8 = execution.fee_e8(pool, signed_e8, price_e8)
        settled = account.ledger.apply_fill(symbol, signed_e8, price_e8, fee_e8, pool.cum_funding_e8)
        # The house's funding is the sum of what the accounts settle, so it is booked from theirs, not computed again.
        self.house.apply_fill(symbol, -signed_e8, price_e8, -fee_e8, 0)
        self.house.collateral_e8 -= settled.funding_e8
        pool.net_e8 += signed_e8
        order.filled_e8, order.price_e8, order.filled_time_ms = size_e8, price_e8, self.now_ms()
        order.fees_e8, order.funding_e8, order.cum_funding_e8 = fee_e8, settled.funding_e8, pool.cum_funding_e8
        order.realized_e8 = settled.realized_e8 + settled.funding_e8 - fee_e8
        self._show_later(account)
        self.counters["fills"] += 1
        trade = self._trade(order)
        self.trades[symbol].append(trade)
        if self.sink is not None:
            self.sink.on_trade(symbol, trade)
        if size_e8 < order.size_e8:
            order.status = wire.PARTIALLY_FILLED
            self._emit(order, order.event(), late=True)
            self._finish(order, wire.CANCELLED)
        else:
            self._finish(order, wire.FILLED)

    def _finish(self, order: Order, status: str) -> None:
        order.status = status
        order.resting = False
        self._resting[order.fields.symbol].pop(order.id, None)
        self.counters[f"orders_{status.lower()}"] += 1
        self._emit(order, order.event(), late=True)

    def _emit(self, order: Order, event: wire.OrderEvent, *, late: bool = False) -> None:
        """Hand an event to the account's stream, as often and as late as the order's misfortune says."""
        account, misfortune = self.accounts.by_address[order.address], order.misfortune
        events = [event]
        if misfortune.reverses_events:
            order.withheld.insert(0, event)
            events = order.withheld if event.status in wire.FINAL else []

        def deliver() -> None:
            for told in events:
                for _ in range(misfortune.events_times):
                    if self.sink is not None:
                        self.sink.on_order_event(account, told)

        if late and misfortune.events_late_ms:
            self._call_later(misfortune.events_late_ms / 1000, deliver)
        else:
            deliver()

    def _trade(self, order: Order) -> wire.Trade:
        row = order.row()
        return wire.Trade(
            id=order.id,
            price=row.last_filled_price or "",
            qty=row.last_filled_size or "",
            quote_qty=usdc(notional_e8(order.price_e8, order.filled_e8)),
            time=order.filled_time_ms,
        )

    def _show_later(self, account: Account) -> None:
        """Let GET /account see the ledger as it is now, after a delay; an older picture never replaces a newer one."""
        account.fills += 1
        as_of, ledger = account.fills, account.ledger.copy()

        def show() -> None:
            if account.shown_as_of < as_of:
                account.shown, account.shown_as_of = ledger, as_of

        self._call_later(self._draw_s(self.settings.account_delay_ms), show)

    # --- the beat, the dice and the memory ---

    def _remake(self, pool: HousePool) -> None:
        if not self._running:
            return
        if pool.remake() and self.sink is not None:
            self.sink.on_picture(pool)
        self._call_later(self._draw_beat_s(), lambda: self._remake(pool))

    def _draw_beat_s(self) -> float:
        """Draw the time to the next picture: log-normal through the median and the p90 of the settings."""
        median_s = self.settings.depth_median_ms / 1000
        ratio = self.settings.depth_p90_ms / self.settings.depth_median_ms
        if ratio <= 1:
            return median_s
        normal = self._rng.gauss(0.0, 1.0) / _NORMAL_P90
        return float(median_s * ratio ** max(-2.0, min(2.0, normal)))

    def _draw_s(self, range_ms: RangeMs) -> float:
        return self._rng.uniform(*range_ms) / 1000

    def _draw_misfortune(self) -> Misfortune:
        """Give the order the faults armed for it. Raises Refusal when it is to be refused in the answer."""
        reject = self._faults.take(VENUE, "reject_order")
        code = 0 if reject is None else _code_of(reject.params)
        if reject is not None and reject.params.get("where", "event" if code >= 3000 else "answer") == "answer":
            raise Refusal(code, str(reject.params.get("text", "")))
        partial = self._faults.take(VENUE, "partial_fill")
        late = self._faults.take(VENUE, "late_fill")
        return Misfortune(
            reject_code=code,
            fraction_e8=E8 if partial is None else partial.params.get("fraction_e8", E8 // 2),
            events_late_ms=0 if late is None else late.params.get("ms", 500),
            events_times=1 if self._faults.take(VENUE, "duplicate_events") is None else 2,
            reverses_events=self._faults.take(VENUE, "reorder_events") is not None,
        )

    def _forget_oldest(self) -> None:
        while len(self.orders) > self.settings.orders_kept:
            oldest = next(iter(self.orders))
            if not self.orders[oldest].is_final:
                return
            del self.orders[oldest]


def _can_rest(order: Order) -> bool:
    return order.fields.order_type == signing.LIMIT and order.fields.time_in_force not in {checks.FOK, checks.IOC}


def _code_of(params: dict[str, Any]) -> int:
    code = str(params.get("code", ""))
    return int(code) if code.isdecimal() else no.PRICE_CHECK_FAILED
