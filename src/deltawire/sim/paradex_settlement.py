"""What a trade does to the accounts of the simulated Paradex, and the news each of them gets. Sans-I/O.

Fills, fees, positions and collateral are booked in the order of the trades; then each account concerned gets one batch:
its fills, its orders as they are now, the position, the summary. Snapshots: nothing in a batch changes later.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy

from deltawire.core.money import notional_e8, rate_of_e8
from deltawire.sim.paradex_accounts import (
    CLOSED,
    Account,
    AccountView,
    PositionView,
    Prices,
    SimFill,
    SimOrder,
    account_view,
    position_view,
)
from deltawire.sim.paradex_book import Rank, Trade
from deltawire.sim.paradex_market import SimMarket
from deltawire.sim.paradex_rules import Fees
from deltawire.venues.contract import Clock

PrivateEvent = SimOrder | SimFill | PositionView | AccountView
OnPrivate = Callable[[Sequence[PrivateEvent]], None]


class Ids:
    """Venue ids (28 decimal digits, growing) and the private seq_no: unique, growing, not consecutive."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made = 0
        self._seq_no = 0

    def next_id(self) -> str:
        self._made += 1
        return f"{self._clock.unix_ns() // 1_000_000:013d}{self._made:015d}"

    def next_seq_no(self) -> int:
        self._seq_no = max(self._seq_no + 1, self._clock.unix_ns())
        return self._seq_no


class Settlement:
    """Books trades and reports to accounts. fees: rates by the class of the order."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        accounts: Mapping[int, Account],
        prices: Prices,
        fees: Mapping[Rank, Fees],
        fastfill_discount_e8: int,
        counters: Counter[str],
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._accounts = accounts
        self._prices = prices
        self._fees = fees
        self._fastfill_discount_e8 = fastfill_discount_e8
        self._counters = counters

    def book(self, market: SimMarket, trades: Iterable[Trade]) -> list[SimFill]:
        """Book both sides of each trade; a side of the recorded market has no account."""
        fills = []
        for trade in trades:
            self._counters["trades"] += 1
            market.last_price_e8 = trade.price_e8
            market.trades.append((trade, self._clock.unix_ns()))
            market.volume_usd_e8 += notional_e8(trade.price_e8, trade.size_e8)
            sides = (trade.maker_owner, trade.maker_id, True), (trade.taker_owner, trade.taker_id, False)
            for owner, order_id, is_maker in sides:
                account = self._accounts.get(owner)
                if account is not None:
                    fills.append(self._fill(market, account, account.orders[order_id], trade, is_maker=is_maker))
        return fills

    def close(self, order: SimOrder, reason: str) -> None:
        """End an order; reason "" when it is filled."""
        order.status, order.cancel_reason = CLOSED, reason
        del self._accounts[order.account].live[order.id]
        self.touch(order)

    def touch(self, order: SimOrder) -> None:
        order.updated_unix_ns = self._clock.unix_ns()
        order.seq_no = self._ids.next_seq_no()

    def news(
        self, market: SimMarket, fills: Iterable[SimFill], orders: Iterable[SimOrder]
    ) -> dict[int, list[PrivateEvent]]:
        """Return one batch per account concerned. orders: those that changed, besides the ones the fills name."""
        of_account: dict[int, list[SimFill]] = {order.account: [] for order in orders}
        changed = {order.id: order for order in orders}
        for fill in fills:
            of_account.setdefault(fill.account, []).append(fill)
            changed[fill.order_id] = self._accounts[fill.account].orders[fill.order_id]
        batches: dict[int, list[PrivateEvent]] = {}
        for address, account_fills in of_account.items():
            account = self._accounts[address]
            batch: list[PrivateEvent] = [*account_fills]
            batch += [copy(order) for order in changed.values() if order.account == address]
            if account_fills:
                position = account.position(market.rules.symbol)
                batch.append(position_view(account, position, self._prices, self._ids.next_seq_no()))
                batch.append(account_view(account, self._prices, self._ids.next_seq_no()))
            batches[address] = batch
        return batches

    def bust(self, market: SimMarket, account: Account, fill: SimFill) -> list[PrivateEvent]:
        """Take a fill back: its size leaves the position at its own price, its fee is returned. Returns the news."""
        position, now_unix_ns = account.position(fill.symbol), self._clock.unix_ns()
        paid_e8 = notional_e8(fill.price_e8, fill.size_e8)
        pnl_e8, funding_e8 = position.trade(fill.side.opposite, fill.size_e8, paid_e8, market.funding.index_e8)
        position.updated_unix_ns = account.updated_unix_ns = now_unix_ns
        if position.size_e8 == 0:
            position.closed_unix_ns = now_unix_ns
        account.collateral_e8 += pnl_e8 + funding_e8 + fill.fee_e8
        account.fees_paid_e8 -= fill.fee_e8
        account.funding_e8 += funding_e8
        account.realized_pnl_e8 += pnl_e8
        self._counters["busts"] += 1
        return [
            position_view(account, position, self._prices, self._ids.next_seq_no()),
            account_view(account, self._prices, self._ids.next_seq_no()),
        ]

    def _fill(self, market: SimMarket, account: Account, order: SimOrder, trade: Trade, *, is_maker: bool) -> SimFill:
        now_unix_ns = self._clock.unix_ns()
        paid_e8 = notional_e8(trade.price_e8, trade.size_e8)
        order.leaves_e8 -= trade.size_e8
        order.filled_notional_e8 += paid_e8
        if is_maker and order.leaves_e8 == 0:
            self.close(order, "")
        else:
            self.touch(order)
        is_fastfill = not is_maker and order.rank is Rank.PRO and self._rests_retail(trade)
        fee_e8 = rate_of_e8(paid_e8, self._fee_rate_e8(order.rank, is_maker=is_maker, is_fastfill=is_fastfill))
        position = account.position(order.symbol)
        if position.size_e8 == 0:
            position.created_unix_ns, position.closed_unix_ns = now_unix_ns, 0
        pnl_e8, funding_e8 = position.trade(order.side, trade.size_e8, paid_e8, market.funding.index_e8)
        account.collateral_e8 += pnl_e8 + funding_e8 - fee_e8
        fill = SimFill(
            id=self._ids.next_id(),
            order_id=order.id,
            client_id=order.client_id,
            account=account.address,
            symbol=order.symbol,
            side=order.side,
            is_maker=is_maker,
            price_e8=trade.price_e8,
            size_e8=trade.size_e8,
            fee_e8=fee_e8,
            realized_pnl_e8=pnl_e8,
            realized_funding_e8=funding_e8,
            funding_index_e8=market.funding.index_e8,
            underlying_price_e8=market.mark_e8,
            order_leaves_e8=order.leaves_e8,
            trade_id=trade_id(trade.seq),
            book_seq=trade.seq,
            seq_no=self._ids.next_seq_no(),
            created_unix_ns=now_unix_ns,
            is_retail=order.rank is Rank.RETAIL,
            is_fastfill=is_fastfill,
            is_rpi=trade.is_rpi,
            fill_type="LIQUIDATION" if order.is_liquidation else "RPI" if trade.is_rpi else "FILL",
            collateral_e8=account.collateral_e8,
        )
        position.last_fill_id, position.updated_unix_ns = fill.id, now_unix_ns
        if position.size_e8 == 0:
            position.closed_unix_ns = now_unix_ns
        account.fees_paid_e8 += fee_e8
        account.funding_e8 += funding_e8
        account.realized_pnl_e8 += pnl_e8
        account.updated_unix_ns = now_unix_ns
        account.record(fill)
        return fill

    def _rests_retail(self, trade: Trade) -> bool:
        maker = self._accounts.get(trade.maker_owner)
        return maker is not None and maker.orders[trade.maker_id].rank is Rank.RETAIL

    def _fee_rate_e8(self, rank: Rank, *, is_maker: bool, is_fastfill: bool) -> int:
        fees = self._fees[rank]
        if is_maker:
            return fees.maker_e8
        return fees.taker_e8 - rate_of_e8(fees.taker_e8, self._fastfill_discount_e8 if is_fastfill else 0)


def trade_id(book_seq: int) -> str:
    """Return a trade's id: one trade a step of its market's book, so the step names it."""
    return f"{book_seq:019d}"
