"""The simulated Paradex behind its API: order life cycle, matching, accounts, funding. Sans-I/O.

Typed requests in, events out by two synchronous sinks (book steps, private news); clock handed in. An order is first
accepted (API checks; status NEW), then executed (risk checks, matching): two calls, because the venue answers
between them and lets the Retail class wait between them. Knows nothing of JSON, SBE, tokens or signatures.

Source: Paradex reference, sections 12 to 17. Not modelled: the insurance fund, and
of liquidation all but closing everything at the book.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deltawire.core.money import BPS_E8, rate_of_e8
from deltawire.core.types import Side
from deltawire.sim.market import Quote
from deltawire.sim.paradex_accounts import (
    CLOSED,
    NEW,
    OPEN,
    UNTRIGGERED,
    Account,
    AccountView,
    Bust,
    Position,
    PositionView,
    Prices,
    SimFill,
    SimOrder,
    account_view,
    maintenance_margin_e8,
    position_view,
    value_e8,
)
from deltawire.sim.paradex_book import BookUpdate, Incoming, Matched, Rank, Resting, Trade
from deltawire.sim.paradex_checks import NewOrder, check_order, check_price, check_size, check_status, risk_reason
from deltawire.sim.paradex_maintenance import CANCEL_ONLY, OK, POST_ONLY
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_rules import ApiRefusal, ParadexSimSettings
from deltawire.sim.paradex_settlement import Ids, OnPrivate, Settlement
from deltawire.sim.paradex_state import account_state
from deltawire.sim.paradex_triggers import is_triggered
from deltawire.venues.contract import Clock

FAIR_BAND_E8 = 5 * BPS_E8  # what orders may differ by from the external fair price before and after a release


class ParadexExchange:
    """Every market and account. Public methods are the venue's verbs; none of them waits."""

    def __init__(
        self,
        *,
        clock: Clock,
        settings: ParadexSimSettings,
        publish_book: Callable[[BookUpdate], None],
        publish_private: OnPrivate,
    ) -> None:
        self.settings = settings
        self.status = OK
        self.accounts: dict[int, Account] = {}
        self.markets = {rules.symbol: SimMarket(rules, settings.depth, publish_book) for rules in settings.markets}
        self.counters: Counter[str] = Counter()
        self.busts: list[Bust] = []
        self._waiting: dict[str, SimOrder] = {}  # stop orders whose trigger the mark has not met, by id
        self._symbol_of = {rules.base: rules.symbol for rules in settings.markets}
        self._clock = clock
        self._publish_private = publish_private
        self._ids = Ids(clock)
        self._prices = Prices(
            rules=lambda symbol: self.markets[symbol].rules,
            mark_e8=lambda symbol: self.markets[symbol].mark_e8,
            index_e8=lambda symbol: self.markets[symbol].funding.index_e8,
            exit_fee_e8=settings.fees_pro.taker_e8,
        )
        self.fees = {Rank.RETAIL: settings.fees_retail, Rank.PRO: settings.fees_pro, Rank.RPI: settings.fees_rpi}
        self._settlement = Settlement(
            clock=clock,
            ids=self._ids,
            accounts=self.accounts,
            prices=self._prices,
            fees=self.fees,
            fastfill_discount_e8=settings.fastfill_discount_e8,
            counters=self.counters,
        )
        for market in self.markets.values():
            market.funding_rate_e8 = settings.funding_rate_e8

    def on_quote(self, base: str, quote: Quote) -> None:
        """Take a tick of the recorded market; one that is no quote, or of a base without a market, is counted."""
        symbol = self._symbol_of.get(base)
        if symbol is None:
            self.counters["quotes_ignored"] += 1
            return
        market = self.markets[symbol]
        try:
            trades = market.on_quote(quote, may_trade=self.status == OK)
        except ValueError:
            self.counters["quotes_ignored"] += 1
            return
        market.updated_unix_ns = self._clock.unix_ns()
        self._settle(market, trades)
        if self._waiting and self.status == OK:
            self._trigger(market)

    def enter(self, status: str) -> None:
        """Change the system's state: ok, maintenance, cancel_only or post_only."""
        self.status = status
        self.counters["state_changes"] += 1
        self.hold_to_fair_price()

    def hold_to_fair_price(self) -> None:
        """While only cancels or only makers are taken, cancel what rests away from the fair price. For a timer."""
        if self.status in {CANCEL_ONLY, POST_ONLY}:
            for account in self.accounts.values():
                for order in [order for order in account.live.values() if order.status == OPEN]:
                    mark_e8 = self.markets[order.symbol].mark_e8
                    if abs(order.price_e8 - mark_e8) > rate_of_e8(mark_e8, FAIR_BAND_E8):
                        self.cancel(order, "PRICE_OUTSIDE_BANDS")  # GUESS: the venue's text for it

    def accrue_funding(self) -> None:
        """Move every funding index to now. For a timer of about a second."""
        for market in self.markets.values():
            market.funding.accrue(market.premium_e8(), self._clock.mono_ns())

    def liquidate(self) -> None:
        """Close the positions of every account whose value is below its maintenance margin. For a timer of 5 s."""
        if self.status != OK:
            return
        for account in self.accounts.values():
            need_e8 = maintenance_margin_e8(account, self._prices)
            account.in_liquidation = need_e8 > 0 and value_e8(account, self._prices) < need_e8
            if account.in_liquidation:
                self.counters["liquidations"] += 1
                self.cancel_all(account, reason="IN_LIQUIDATION")
                for position in [p for p in account.positions.values() if p.size_e8]:
                    self._close_out(account, position, is_liquidation=True)

    def close_positions(self) -> None:
        """Close what every account holds, by an order of nobody's program. A fault."""
        for account in self.accounts.values():
            for position in [p for p in account.positions.values() if p.size_e8]:
                self._close_out(account, position, is_liquidation=False)

    def bust_last_fills(self) -> list[Bust]:
        """Take back each account's last fill that stands. A fault: the venue does it when the chain refuses a match."""
        made = []
        for account in self.accounts.values():
            busted = {bust.fill_id for bust in self.busts if bust.account == account.address}
            fill = next((fill for fill in reversed(account.fills) if fill.id not in busted), None)
            if fill is not None:
                self._publish_private(self._settlement.bust(self.markets[fill.symbol], account, fill))
                made.append(Bust(account.address, fill.id, self._clock.unix_ns()))
        self.busts += made
        return made

    def _close_out(self, account: Account, position: Position, *, is_liquidation: bool) -> None:
        now_unix_ns = self._clock.unix_ns()
        request = NewOrder(
            account=account.address,
            symbol=position.symbol,
            side=Side.SELL if position.size_e8 > 0 else Side.BUY,
            kind="MARKET",
            instruction="IOC",
            size_e8=abs(position.size_e8),
            price_e8=0,
            signed_unix_ms=now_unix_ns // 1_000_000,
            received_unix_ns=now_unix_ns,
            reduce_only=True,
        )
        order = self._register(account, request)
        order.is_liquidation = is_liquidation
        self.execute(order)

    def add_account(self, address: int, public_key: int, collateral_e8: int) -> Account:
        now_unix_ns = self._clock.unix_ns()
        account = Account(
            address, [public_key], collateral_e8, created_unix_ns=now_unix_ns, updated_unix_ns=now_unix_ns
        )
        self.accounts[address] = account
        return account

    def add_subkey(self, address: int, public_key: int) -> None:
        """Let another key sign for the account. Simulated keys trade alike: neither can withdraw."""
        self.accounts[address].public_keys.append(public_key)

    def account_view(self, account: Account) -> AccountView:
        return account_view(account, self._prices, self._ids.next_seq_no())

    def position_views(self, account: Account) -> list[PositionView]:
        """Return the open positions."""
        held = [position for position in account.positions.values() if position.size_e8]
        return [position_view(account, position, self._prices, self._ids.next_seq_no()) for position in held]

    # Orders

    def accept(self, request: NewOrder) -> SimOrder:
        """Check what the API checks and register the order as NEW. Raises ApiRefusal; then nothing has changed."""
        self.counters["orders_received"] += 1
        market, account = self.markets.get(request.symbol), self.accounts[request.account]
        try:
            check_order(request, market, account, self.status, self.settings)
        except ApiRefusal as refusal:
            self.counters["orders_refused"] += 1
            self.counters["duplicates_of_a_client_id"] += refusal.code == "DUPLICATED_CLIENT_ID"
            raise
        return self._register(account, request)

    def _register(self, account: Account, request: NewOrder) -> SimOrder:
        now_unix_ns = self._clock.unix_ns()
        order = SimOrder(
            id=self._ids.next_id(),
            account=request.account,
            symbol=request.symbol,
            side=request.side,
            kind=request.kind,
            instruction=request.instruction,
            size_e8=request.size_e8,
            price_e8=request.price_e8,
            client_id=request.client_id,
            reduce_only=request.reduce_only,
            self_trade=request.self_trade,
            rank=request.rank,
            signed_unix_ms=request.signed_unix_ms,
            received_unix_ns=request.received_unix_ns,
            created_unix_ns=now_unix_ns,
            updated_unix_ns=now_unix_ns,
            leaves_e8=request.size_e8,
            trigger_price_e8=request.trigger_price_e8,
            vwap_price_e8=request.vwap_price_e8,
            seq_no=self._ids.next_seq_no(),
            origin=request.origin,
        )
        account.remember(order, request.signed_fields)
        return order

    def execute(self, order: SimOrder, *, fill_max_e8: int | None = None, on_private: OnPrivate | None = None) -> None:
        """Risk-check and match an accepted order; one cancelled meanwhile stays as it is.

        fill_max_e8: trade at most this much of it (a fault). on_private: takes its owner's news in place of the sink.
        """
        if order.status != NEW:
            return
        market, account = self.markets[order.symbol], self.accounts[order.account]
        if order.trigger_price_e8 and not self._is_triggered(order, market):
            order.status = UNTRIGGERED
            self._settlement.touch(order)
            self._waiting[order.id] = order
            self._report(market, [], [order], on_private)
            return
        reason = risk_reason(order, market, account, self._prices)
        if reason:
            self._settlement.close(order, reason)
            self._settle(market, [], [order], on_private)
            return
        if order.rank is Rank.RPI:  # it never takes, even where it stands across the book
            self._rest(market, order)
            self._report(market, [], [order], on_private)
            return
        size_e8 = order.leaves_e8 if fill_max_e8 is None else min(order.leaves_e8, fill_max_e8)
        taker = Incoming(
            order.id,
            order.account,
            order.side,
            size_e8,
            order.price_e8 or market.band_e8(order.side),
            order.self_trade,
            meets_rpi=order.rank is Rank.RETAIL,
            average_e8=market.worst_average_e8(order.side, order.vwap_price_e8) if order.is_market else 0,
            step_e8=market.rules.size_step_e8,
        )
        matched = market.book.match(taker)
        expired = [account.orders[resting.order_id] for resting in matched.expired]
        for own in expired:
            self._settlement.close(own, "SELF_TRADE")
        fills = self._settlement.book(market, matched.trades)
        self._end_taking(market, order, matched)
        self._report(market, fills, [*expired, order], on_private)

    def _is_triggered(self, order: SimOrder, market: SimMarket) -> bool:
        """Say whether a stop order was let go, now or before: it does not wait again."""
        met = is_triggered(order.kind, order.side, order.trigger_price_e8, market.mark_e8)
        order.was_triggered = order.was_triggered or met
        return order.was_triggered

    def _trigger(self, market: SimMarket) -> None:
        """Let go the stop orders whose trigger the mark has met, the oldest first."""
        symbol = market.rules.symbol
        for order in [order for order in self._waiting.values() if order.symbol == symbol]:
            if order.status != UNTRIGGERED:
                del self._waiting[order.id]  # cancelled meanwhile
            elif self._is_triggered(order, market):
                del self._waiting[order.id]
                order.status = NEW
                self.execute(order)

    def _end_taking(self, market: SimMarket, order: SimOrder, matched: Matched) -> None:
        """Decide what becomes of an order after its way through the book."""
        if order.leaves_e8 == 0:
            self._settlement.close(order, "")
        elif matched.taker_expired:
            self._settlement.close(order, "SELF_TRADE")
        elif order.is_market and not matched.trades:
            self._settlement.close(order, "EMPTY_MARKET")
        elif order.is_market or order.instruction == "IOC":
            self._settlement.close(order, "REMAINING_IOC_CANCEL")
        elif market.book.would_trade(order.side, order.price_e8):
            self._settlement.close(order, "UNEXPECTED_FAILURE")  # only a partial_fill fault leaves a crossing rest
        else:
            self._rest(market, order)

    def _rest(self, market: SimMarket, order: SimOrder) -> None:
        order.status = OPEN
        self._settlement.touch(order)
        resting = Resting(order.id, order.account, order.side, order.price_e8, order.leaves_e8, order.rank)
        market.book.rest(resting)

    def cancel(self, order: SimOrder, reason: str = "USER_CANCELED") -> bool:
        """Take an order out if it still lives; returns whether it did."""
        if order.status == CLOSED:
            return False
        market = self.markets[order.symbol]
        market.book.withdraw(order.id)
        self._settlement.close(order, reason)
        self.counters["orders_cancelled"] += 1
        self._settle(market, [], [order])
        return True

    def cancel_all(
        self, account: Account, *, symbol: str = "", origin: int | None = None, reason: str = "USER_CANCELED"
    ) -> int:
        """Cancel an account's live orders, of one market or of one connection if named. Returns how many."""
        chosen = [
            order for order in account.live.values() if symbol in {"", order.symbol} and origin in {None, order.origin}
        ]
        return sum(self.cancel(order, reason) for order in chosen)

    def modify(self, order: SimOrder, size_e8: int, price_e8: int, trigger_price_e8: int = 0) -> None:
        """Change an open or waiting order; it keeps its id and goes to the back of its queue. size_e8: filled included.

        Raises ApiRefusal, changing nothing. Like a new order it passes the risk checks and may trade. trigger_price_e8
        0: as it is.
        """
        check_status(self.status, order.instruction)
        market = self.markets[order.symbol]
        if order.status == CLOSED:
            raise ApiRefusal("ORDER_IS_CLOSED", f"order {order.id} is closed")
        if order.status not in {OPEN, UNTRIGGERED}:
            raise ApiRefusal("ORDER_IS_NOT_OPEN", f"order {order.id} is {order.status}")
        if trigger_price_e8 and order.status == OPEN:
            raise ApiRefusal("VALIDATION_ERROR", "only an order that waits has a trigger to change")
        check_size(market.rules, market.mark_e8, size_e8, price_e8)
        check_price(market.rules, trigger_price_e8)
        if size_e8 <= order.filled_e8:
            raise ApiRefusal("INVALID_ORDER_SIZE", "the new size is not above what is filled")
        market.book.withdraw(order.id)
        self._waiting.pop(order.id, None)
        order.leaves_e8 += size_e8 - order.size_e8
        order.size_e8, order.price_e8 = size_e8, price_e8
        order.trigger_price_e8 = trigger_price_e8 or order.trigger_price_e8
        order.status = NEW
        order.modify_id = self._ids.next_id()
        self.execute(order)
        order.modify_id = ""

    # After matching

    def _settle(
        self,
        market: SimMarket,
        trades: Iterable[Trade],
        orders: Sequence[SimOrder] = (),
        on_private: OnPrivate | None = None,
    ) -> None:
        self._report(market, self._settlement.book(market, trades), orders, on_private)

    def _report(
        self, market: SimMarket, fills: Sequence[SimFill], orders: Sequence[SimOrder], on_private: OnPrivate | None
    ) -> None:
        """Send each account its news; on_private takes those of the last order's owner."""
        taker = orders[-1].account if orders else None
        for address, batch in self._settlement.news(market, fills, orders).items():
            (on_private if on_private and address == taker else self._publish_private)(batch)
        for address in {fill.account: None for fill in fills}:
            self._trim_reduce_only(market, self.accounts[address])

    def _trim_reduce_only(self, market: SimMarket, account: Account) -> None:
        """Cancel resting reduce-only orders the position has become too small for, the worst priced first."""
        symbol = market.rules.symbol
        held_e8 = account.size_e8(symbol)
        resting = [o for o in account.live.values() if o.reduce_only and o.symbol == symbol and o.status == OPEN]
        resting.sort(key=lambda order: order.side.sign * order.price_e8)
        for order in resting:
            same_side_e8 = sum(o.leaves_e8 for o in resting if o.side is order.side and o.status == OPEN)
            if same_side_e8 > max(0, -order.side.sign * held_e8):
                self.cancel(order, "REDUCE_ONLY_WILL_INCREASE")

    def state(self) -> dict[str, Any]:
        """Return accounts and counters as JSON, for the control URL. Amounts as decimal text."""
        return {
            "status": self.status,
            "counters": dict(self.counters),
            "accounts": {
                f"0x{account.address:x}": account_state(account, self.account_view(account))
                for account in self.accounts.values()
            },
        }
