"""The one gate every order passes (I7). Only this module makes an Approved, and only an Approved can be sent.

Two questions are kept apart: may this *order* leave (size, notional, price, rate: asked of every order), and may
a new *trade* begin (freshness, pause, loss, doubt: asked of entries only, so that exits are never blocked, I8).

Orders signed ahead are asked in two parts: `clear` ahead of the trigger, what no frame changes; `admit_*` at it, the
rest. Both together ask what `approve` and `books_refusal` ask.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from deltawire.core.book import Book
from deltawire.core.money import BPS_E8, E8, format_e8, notional_e8
from deltawire.core.types import OrderRequest, Purpose, Side

WINDOW_NS = 60_000_000_000  # orders are counted over one minute
# Share of the order budget that entries may not touch: a repair, an unwind and two closes must always find room.
EXIT_RESERVE = 4
_BUY = Side.BUY


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of the gate; one set for the whole bot. 0 is never "no limit": every limit is in force."""

    order_notional_e8_max: int
    orders_per_minute_max: int
    open_pairs_max: int
    daily_loss_e8_max: int
    quote_age_ns_max: dict[str, int]  # by venue, local receipt
    venue_age_ns_max: int  # by the venue's own stamp, where it has one
    book_spread_e8_max: int
    price_cap_e8_max: int  # how far a cap may lie from the book it was made from, as a rate
    edge_e8_max: int  # an edge beyond this is a wrong book, not a gift
    drawdown_e8_max: int  # from the highest realised result of the journal
    inventory_e8_max: int  # notional on one venue, all pairs together
    free_margin_e8_min: int  # free collateral over equity on each venue, as a rate: under it nothing is opened
    liquidation_e8_min: int  # distance of a liquidation price from the market, as a rate: nearer, the pair is closed


@dataclass(frozen=True, slots=True)
class Account:
    """What a venue last said of our account, in 1e-8 of its settlement asset."""

    equity_e8: int
    free_e8: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the gate said no: the rule, the value and its limit, in words."""

    rule: str
    text: str


class Approved(NamedTuple):
    """An order that passed the gate. Made by Gate.approve and nowhere else."""

    request: OrderRequest


@dataclass(slots=True, eq=False)
class Gate:
    """The limits with the little they remember: when orders left, what was lost today."""

    limits: Limits
    sent_mono_ns: deque[int] = field(default_factory=deque)
    halted: str = ""  # why entries are off for good; "" while they are not
    lost_today_e8: int = 0  # realised loss of closed trades since the day began, positive is lost
    result_e8: int = 0  # realised over the whole journal
    result_peak_e8: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)  # by venue; a venue not read yet is not in it

    def approve(self, request: OrderRequest, reference_price_e8: int, now_mono_ns: int) -> Approved | Refusal:
        """Check one order. reference_price_e8: the price its cap was made from, 0 when there is none.

        Exits, repairs and unwinds have room in the rate that entries cannot use, and no notional limit of their own:
        their size is bounded by what filled.
        """
        is_entry = request.purpose is Purpose.ENTRY
        refusal = self._size_refusal(request, is_entry=is_entry) or self._price_refusal(request, reference_price_e8)
        if refusal is None and not self._has_room(now_mono_ns, is_entry=is_entry):
            limit = self.limits.orders_per_minute_max
            refusal = Refusal("orders_per_minute", f"{len(self.sent_mono_ns)} orders in a minute, limit {limit}")
        if refusal is not None:
            return refusal
        self.sent_mono_ns.append(now_mono_ns)
        return Approved(request)

    def clear(self, request: OrderRequest) -> bool:
        """Say ahead of the trigger whether size, notional and cap of an order are within the limits."""
        is_entry = request.purpose is Purpose.ENTRY
        return self._size_refusal(request, is_entry=is_entry) is None and request.cap_price_e8 > 0

    def admit_entry(
        self, buy: OrderRequest, sell: OrderRequest, books: tuple[Book, Book], edge_e8: int, now: tuple[int, int]
    ) -> bool:
        """Let both cleared orders of an entry leave, and count them; False says ask `approve`, which has the words.

        books: of the buy and of the sell. now: monotonic and UTC, in ns.
        """
        limits, sent = self.limits, self.sent_mono_ns
        now_mono_ns, now_unix_ns = now
        if self.halted or edge_e8 > limits.edge_e8_max or len(sent) + 1 + EXIT_RESERVE >= limits.orders_per_minute_max:
            return False
        for book in books:
            if self._wrong_with(book, now_mono_ns, now_unix_ns) is not None:
                return False
        ask_e8, bid_e8, past_e8_max = books[0].asks[0][0], books[1].bids[0][0], limits.price_cap_e8_max
        if (buy.cap_price_e8 - ask_e8) * E8 > ask_e8 * past_e8_max:
            return False
        if (bid_e8 - sell.cap_price_e8) * E8 > bid_e8 * past_e8_max:
            return False
        sent.append(now_mono_ns)
        sent.append(now_mono_ns)
        return True

    def admit_exit(self, now_mono_ns: int) -> bool:
        """Let both cleared orders of a close leave, and count them; False says ask `approve`."""
        sent = self.sent_mono_ns
        if len(sent) + 1 >= self.limits.orders_per_minute_max:
            return False
        sent.append(now_mono_ns)
        sent.append(now_mono_ns)
        return True

    def halt(self, why: str) -> None:
        """Latch: no entry until a person starts the bot anew. Exits go on (I8)."""
        self.halted = self.halted or why

    def release(self) -> None:
        """Undo a halt: a person looked, and said go on."""
        self.halted = ""

    def count_result(self, pnl_e8: int) -> None:
        """Account for a closed trade."""
        self.lost_today_e8 -= pnl_e8
        self.result_e8 += pnl_e8
        self.result_peak_e8 = max(self.result_peak_e8, self.result_e8)

    def loss_refusal(self) -> Refusal | None:
        """Say which loss limit is reached, if one is: then entries stop and what is open is closed."""
        if self.lost_today_e8 >= self.limits.daily_loss_e8_max:
            return Refusal(
                "daily_loss",
                f"lost {format_e8(self.lost_today_e8)} USD today, limit {format_e8(self.limits.daily_loss_e8_max)}",
            )
        down_e8 = self.result_peak_e8 - self.result_e8
        if down_e8 >= self.limits.drawdown_e8_max:
            return Refusal(
                "drawdown", f"{format_e8(down_e8)} USD under the peak, limit {format_e8(self.limits.drawdown_e8_max)}"
            )
        return None

    def inventory_refusal(self, venue: str, held_e8: int, added_e8: int) -> Refusal | None:
        """Refuse an entry that would take a venue's inventory past its limit. Notionals, unsigned."""
        if held_e8 + added_e8 <= self.limits.inventory_e8_max:
            return None
        most = format_e8(self.limits.inventory_e8_max)
        text = f"{venue}: {format_e8(held_e8 + added_e8)} USD with this entry, limit {most}"
        return Refusal("inventory", text)

    def edge_refusal(self, edge_e8: int) -> Refusal | None:
        if edge_e8 <= self.limits.edge_e8_max:
            return None
        return Refusal("edge_sanity", f"an edge of {edge_e8 // BPS_E8} bps is a wrong book, not a gift")

    def _margin_refusal(self) -> Refusal | None:
        for venue, account in self.accounts.items():
            if account.free_e8 * E8 < account.equity_e8 * self.limits.free_margin_e8_min or account.equity_e8 <= 0:
                return Refusal(
                    "margin", f"{venue}: {format_e8(account.free_e8)} free of {format_e8(account.equity_e8)} USD"
                )
        return None

    def _size_refusal(self, request: OrderRequest, *, is_entry: bool) -> Refusal | None:
        if request.size_e8 <= 0:
            return Refusal("size", f"size {format_e8(request.size_e8)} is not positive ({request.client_id})")
        limit_e8 = self.limits.order_notional_e8_max
        if is_entry and request.cap_price_e8 * request.size_e8 > limit_e8 * E8:
            notional = notional_e8(request.cap_price_e8, request.size_e8)
            return Refusal(
                "order_notional", f"notional {format_e8(notional)} over {format_e8(limit_e8)} USD ({request.client_id})"
            )
        return None

    def _price_refusal(self, request: OrderRequest, reference_price_e8: int) -> Refusal | None:
        cap_e8 = request.cap_price_e8
        if cap_e8 <= 0:
            return Refusal("price_cap", f"an order without a price cap is never sent ({request.client_id})")
        past_e8 = cap_e8 - reference_price_e8 if request.side == _BUY else reference_price_e8 - cap_e8
        if reference_price_e8 > 0 and past_e8 * E8 > reference_price_e8 * self.limits.price_cap_e8_max:
            text = f"cap {format_e8(cap_e8)} too far from {format_e8(reference_price_e8)} ({request.client_id})"
            return Refusal("price_cap", text)
        return None

    def _has_room(self, now_mono_ns: int, *, is_entry: bool) -> bool:
        while self.sent_mono_ns and now_mono_ns - self.sent_mono_ns[0] > WINDOW_NS:
            self.sent_mono_ns.popleft()
        reserve = EXIT_RESERVE if is_entry else 0
        return len(self.sent_mono_ns) + reserve < self.limits.orders_per_minute_max

    def entry_refusal(
        self, books: Iterable[Book], open_pairs: int, now_mono_ns: int, now_unix_ns: int
    ) -> Refusal | None:
        """Say why no trade may begin now, or None. Never asked about exits."""
        return self.standing_refusal(open_pairs) or self.books_refusal(books, now_mono_ns, now_unix_ns)

    def standing_refusal(self, open_pairs: int) -> Refusal | None:
        """Say what speaks against any entry, whatever the books: it changes by events, not by frames."""
        if self.halted:
            return Refusal("halted", self.halted)
        if open_pairs >= self.limits.open_pairs_max:
            return Refusal("open_pairs", f"{open_pairs} pairs open, limit {self.limits.open_pairs_max}")
        return self.loss_refusal() or self._margin_refusal()

    def books_refusal(self, books: Iterable[Book], now_mono_ns: int, now_unix_ns: int) -> Refusal | None:
        """Say what is wrong with the books an entry would be made from."""
        for book in books:
            wrong = self._wrong_with(book, now_mono_ns, now_unix_ns)
            if wrong is not None:
                return Refusal(wrong[0], f"{book.venue} {book.symbol}: {wrong[1]}")
        return None

    def _wrong_with(self, book: Book, now_mono_ns: int, now_unix_ns: int) -> tuple[str, str] | None:
        limits = self.limits
        if not book.valid or not book.bids or not book.asks:
            return "book", book.why_invalid or "one side is empty"
        age_ns = now_mono_ns - book.received_mono_ns
        if age_ns > limits.quote_age_ns_max[book.venue]:
            return "quote_age", f"quote is {age_ns // 1_000_000} ms old"
        if book.venue_unix_ns and now_unix_ns - book.venue_unix_ns > limits.venue_age_ns_max:
            return "quote_age", f"venue stamp is {(now_unix_ns - book.venue_unix_ns) // 1_000_000} ms old"
        bid_e8, ask_e8 = book.bids[0][0], book.asks[0][0]
        if (ask_e8 - bid_e8) * E8 > limits.book_spread_e8_max * bid_e8:
            return "book_spread", f"{(ask_e8 - bid_e8) * E8 // bid_e8 // BPS_E8} bps wide"
        return None


def reference_price_e8(book: Book, side: Side) -> int:
    """Return the best price an aggressor on this side would meet, 0 when the book shows none."""
    levels = book.asks if side is Side.BUY else book.bids
    return levels[0][0] if levels else 0


def is_near_liquidation(limits: Limits, price_e8: int, liquidation_e8: int) -> bool:
    """Whether the market is nearer to a position's liquidation price than allowed. 0: the venue names none."""
    if not liquidation_e8 or not price_e8:
        return False
    return abs(price_e8 - liquidation_e8) * E8 < price_e8 * limits.liquidation_e8_min
