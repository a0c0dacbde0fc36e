"""The simulated Vest without sockets: orders against the house pool, accounts, and the events they cause.

Typed requests in, wire structs out to a sink; clock, scheduler, random numbers and faults are handed in, so the same
logic runs on a virtual clock. Not built: LP shares, transfers.
Source: Vest API v2 notes, sections 5, 7, 9 and 13.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Protocol

from deltawire.core.ledger import Ledger
from deltawire.core.money import E8, floor_to, notional_e8
from deltawire.sim import vest_checks as checks
from deltawire.sim import vest_execution as execution
from deltawire.sim import vest_liquidation as liquidation
from deltawire.sim import vest_refusal as no
from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Faults
from deltawire.sim.market import Quote
from deltawire.sim.vest_accounts import Account, Accounts, Session
from deltawire.sim.vest_candles import Candles
from deltawire.sim.vest_dice import VENUE, Dice
from deltawire.sim.vest_orders import NO_MISFORTUNE, Misfortune, Order, usdc
from deltawire.sim.vest_pool import NO_PICTURE, HousePool
from deltawire.sim.vest_refusal import Refusal
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.venues.contract import Clock
from deltawire.venues.vest import rest, signing, wire

RATES_KEPT = 10_000  # changes of a market's funding rate that are remembered
_MS_NS = 10**6


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
        self.candles = {symbol: Candles() for symbol in self.pools}
        self.funding_rates: dict[str, list[tuple[int, int]]] = {}  # symbol -> (from ms, rate of an hour), oldest first
        self._clock, self._call_later, self._faults = clock, call_later, faults
        self._dice = Dice(settings, rng, faults)
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
        self.candles[pool.rules.symbol].on_price(self.now_ms(), pool.index_e8)
        if pool.picture is NO_PICTURE:
            pool.remake()
        if pool.halted:
            return  # what waits goes on waiting
        for order in list(self._resting[pool.rules.symbol].values()):
            if order.resting and execution.is_touched(order.fields, order.limit_price_e8, pool.index_e8):
                self._execute(order)
        for account in self.accounts.by_address.values():
            if pool.rules.symbol in account.ledger.positions:
                self._liquidate(account)

    def pool(self, symbol: str) -> HousePool:
        """Return the market, or refuse with 1121."""
        pool = self.pools.get(symbol)
        if pool is None:
            raise Refusal(no.BAD_SYMBOL)
        return pool

    def accrue(self, pool: HousePool) -> None:
        """Bring the market's funding index up to now, and note the rate in force from now on."""
        pool.accrue(self._clock.mono_ns())
        rates = self.funding_rates.setdefault(pool.rules.symbol, [])
        if not rates or rates[-1][1] != pool.funding_rate_e8:
            rates.append((self.now_ms(), pool.funding_rate_e8))
            del rates[:-RATES_KEPT]

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
        delay_s = self._dice.delay_s(self.settings.execution_delay_ms)
        new = order.event()  # as it is now: a cancel may overtake it
        self._call_later(delay_s * self._dice.share() / 2, lambda: self._emit(order, new))
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
        if order is None or order.address != account.address or order.is_final or not order.can_rest:
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
        children = checks.checked_children(
            fields,
            limit_price_e8,
            pool.rules.price_decimals,
            readings=self.settings.child_nonces,
            may_sign=lambda signer: account.may_sign(signer, self.now_ms()),
        )
        if pool.halted:
            raise Refusal(no.MARKET_CLOSED_REQUEST)
        digest = signing.keccak(encoded)
        if digest in account.seen:
            raise Refusal(no.DUPLICATE)
        misfortune = self._dice.misfortune()
        account.seen[digest] = None
        if len(account.seen) > self.settings.orders_kept:
            del account.seen[next(iter(account.seen))]  # long past its recvWindow, which refuses it anyway
        account.last_nonce = max(account.last_nonce, fields.nonce)
        order = self._new_order(account, pool, fields, size_e8, limit_price_e8, misfortune)
        order.received_mono_ns, order.children = received_mono_ns, children
        order.misled = misfortune.hidden_ms > 0
        return order

    def _new_order(
        self,
        account: Account,
        pool: HousePool,
        fields: wire.OrderFields,
        size_e8: int,
        limit_price_e8: int,
        misfortune: Misfortune = NO_MISFORTUNE,
    ) -> Order:
        return Order(
            id=self._dice.order_id(),
            address=account.address,
            fields=fields,
            rules=pool.rules,
            size_e8=size_e8,
            limit_price_e8=limit_price_e8,
            init_margin_ratio_e8=account.init_margin_ratio_e8(pool),
            post_time_ms=self.now_ms(),
            received_mono_ns=self._clock.mono_ns(),
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
        # No size: a fault left it none, and another one refuses the order whatever it would cost.
        price_e8 = pool.average_price_e8(is_buy=order.fields.is_buy, size_e8=size_e8) if size_e8 else None
        code = order.misfortune.reject_code or self._refusal(order, account, pool, price_e8, size_e8)
        waits = code == self.settings.price_check_code and not order.misfortune.reject_code
        if waits and order.can_rest and order.limit_price_e8:
            self._rest(order)
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
            or self._increase_refusal(order, account, size_e8)
            or execution.margin_refusal(account, self.pools, fields, size_e8, price_e8 or 0)
        )

    def _increase_refusal(self, order: Order, account: Account, size_e8: int) -> int:
        if not execution.increases(account, order.fields, size_e8):
            return 0
        symbol = order.fields.symbol
        has_children = any(True for _ in self._children_of(account, symbol))
        return execution.increase_refusal(
            account, self.pools, symbol, order.init_margin_ratio_e8, has_children=has_children
        )

    def _fill(self, order: Order, account: Account, pool: HousePool, price_e8: int, size_e8: int) -> None:
        """Move money and coins between the account and the house, then tell."""
        self._faults.saw(VENUE, "fill")
        symbol = order.fields.symbol
        signed_e8 = size_e8 if order.fields.is_buy else -size_e8
        penalty_e8 = self.settings.liquidation_fee_rate_e8 if order.fields.order_type == wire.LIQUIDATION else 0
        fee_e8 = execution.fee_e8(pool, signed_e8, price_e8, penalty_e8)
        settled = account.ledger.apply_fill(symbol, signed_e8, price_e8, fee_e8, pool.cum_funding_e8)
        # The house's funding is the sum of what the accounts settle, so it is booked from theirs, not computed again.
        self.house.apply_fill(symbol, -signed_e8, price_e8, -fee_e8, 0)
        self.house.collateral_e8 -= settled.funding_e8
        pool.net_e8 += signed_e8
        self.accrue(pool)  # from here on at the rate of the new imbalance
        self.candles[symbol].on_fill(self.now_ms(), size_e8, notional_e8(price_e8, size_e8))
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
            self._hatch(order, account, pool)
        if symbol not in account.ledger.positions:
            for child in list(self._children_of(account, symbol)):
                self._finish(child, wire.CANCELLED)

    # --- take-profit, stop-loss, liquidation ---

    def _rest(self, order: Order) -> None:
        order.resting = True
        self._resting[order.fields.symbol][order.id] = order

    def _children_of(self, account: Account, symbol: str) -> Iterator[Order]:
        for order in self._resting[symbol].values():
            if order.address == account.address and order.fields.order_type in {wire.TAKE_PROFIT, wire.STOP_LOSS}:
                yield order

    def _hatch(self, parent: Order, account: Account, pool: HousePool) -> None:
        """Let the children of a filled order wait for their prices; one that executes ends the other."""
        for fields in parent.children:
            limit_price_e8 = checks.exact_e8(fields.limit_price, pool.rules.price_decimals)
            child = self._new_order(account, pool, fields, parent.size_e8, limit_price_e8)
            self.orders[child.id] = child
            self._rest(child)
            self._emit(child, child.event())

    def _liquidate(self, account: Account) -> None:
        """Close what the account no longer carries, as far as the pictures go."""
        for _ in range(liquidation.STEPS_MAX):
            closing = liquidation.next_closing(account, self.pools, self.settings.liquidation_share_e8)
            if closing is None:
                self._cover(account)
                return
            for resting in self._resting.values():
                for order in [found for found in resting.values() if found.address == account.address]:
                    order.code = no.DELETED_BY_LIQ
                    self._finish(order, wire.REJECTED)
            symbol, held_e8 = closing
            self.pools[symbol].remake()  # at what the pool charges now, not before the move
            if not self._close_out(account, self.pools[symbol], held_e8):
                return
            self.counters["liquidations"] += 1

    def close_positions(self) -> None:
        """Close what every account holds, by an order of nobody's program. A fault; a market without a price keeps."""
        for account in self.accounts.by_address.values():
            for symbol in list(account.ledger.positions):
                self._close_out(account, self.pools[symbol], account.ledger.position(symbol).size_e8)

    def _close_out(self, account: Account, pool: HousePool, held_e8: int) -> bool:
        """Close a part of a position (signed) by an order nobody signed. False where the picture does not go so far."""
        price_e8 = pool.average_price_e8(is_buy=held_e8 < 0, size_e8=abs(held_e8))
        if price_e8 is None or pool.halted:
            return False
        self.accrue(pool)
        order = self._new_order(account, pool, liquidation.order_fields(pool, held_e8, self.now_ms()), abs(held_e8), 0)
        self.orders[order.id] = order
        self._fill(order, account, pool, price_e8, abs(held_e8))
        return True

    def _cover(self, account: Account) -> None:
        """Take over what an account without positions owes: the house's loss, as nobody can be asked for it."""
        if not account.ledger.positions and account.ledger.collateral_e8 < 0:
            self.house.collateral_e8 += account.ledger.collateral_e8
            account.ledger.collateral_e8 = 0
            self._show_later(account)

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

        def tell() -> None:
            for told in events:
                if self.sink is not None:
                    self.sink.on_order_event(account, told)

        def deliver() -> None:
            for at in range(misfortune.events_times):
                if at and misfortune.events_again_ms:
                    self._call_later(misfortune.events_again_ms / 1000, tell)
                else:
                    tell()

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

        self._call_later(self._dice.delay_s(self.settings.account_delay_ms), show)

    # --- the beat, the dice and the memory ---

    def _remake(self, pool: HousePool) -> None:
        if not self._running:
            return
        if pool.remake() and self.sink is not None:
            self.sink.on_picture(pool)
        self._call_later(self._dice.beat_s(), lambda: self._remake(pool))

    def _forget_oldest(self) -> None:
        while len(self.orders) > self.settings.orders_kept:
            oldest = next(iter(self.orders))
            if not self.orders[oldest].is_final:
                return
            del self.orders[oldest]
