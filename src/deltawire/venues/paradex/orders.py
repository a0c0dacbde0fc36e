"""Orders at Paradex: write, match the answers, follow the private channels. Never sends twice.

They leave over the order socket; while it is down, exits leave over REST and entries not at all (`block`).

An order is known by its request id, which is also its signature timestamp (unique, strictly growing), and by client id.
The reply is provisional: final news comes on the private channels, as SBE or JSON. One timer an order covers both a
missing reply and an acknowledged order without an end; either way it is in doubt, for these orders are all immediate.

Source: Paradex protocol reference, sections 5 to 7, 13, 14 and 19.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from deltawire.core.events import Acked, Closed, FillSeen, InDoubt, NotSent, OrderEvent, Rejected, Sent
from deltawire.core.money import notional_e8, rate_of_e8
from deltawire.core.types import ClientOrderId, Instrument, Purpose, VenueOrderId
from deltawire.net.api import HttpFailure, HttpResponse
from deltawire.venues.contract import (
    ORDERS,
    Clock,
    DecodeError,
    EventLog,
    OrderReport,
    PreparedOrder,
    Refused,
    VenueSink,
)
from deltawire.venues.paradex import busts, errors, rest, rpc, sbe
from deltawire.venues.paradex.budget import RETAIL_PAUSE_S, Budgets
from deltawire.venues.paradex.cancels import Cancels
from deltawire.venues.paradex.link import DISTURBED, Caller, OrderCarrier, subscribe
from deltawire.venues.paradex.lives import Life, Lives
from deltawire.venues.paradex.records import Account, Fill, Order, Position
from deltawire.venues.paradex.rest import NAME
from deltawire.venues.paradex.road import RestRoad
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.paradex.tokens import TokenKeeper

LINK = ORDERS
PROTECT = "order.cancel_on_disconnect"
CHANNELS = (rpc.ORDERS, rpc.FILLS, rpc.POSITIONS, busts.CHANNEL)


class OrderDesk:
    """Owns the content of the order link. The session makes the link and hands it over in `attach`."""

    def __init__(
        self,
        settings: ParadexSettings,
        *,
        tokens: TokenKeeper,
        road: RestRoad,
        clock: Clock,
        log: EventLog,
        on_refused: Callable[[str], None],
        budgets: Budgets,
    ) -> None:
        """on_refused: told the code of each refused order, for what it says of more than that order."""
        self._settings, self._tokens, self._road, self._clock, self._log = settings, tokens, road, clock, log
        self._on_refused, self._budgets = on_refused, budgets
        self._link: OrderCarrier | None = None
        self._retail: OrderCarrier | None = None
        self._retail_rates_e8: Mapping[str, int] = {}
        self._sink: VenueSink | None = None
        self._lives = Lives()
        self._busted = ""  # the last fill that was taken back
        self._told_up = False
        self._cancels = Cancels(self._lives, road, budgets=budgets, clock=clock, log=log, on_doubt=self._doubt)
        self.unreadable = 0

    def attach(self, link: OrderCarrier, sink: VenueSink) -> None:
        self._link, self._sink = link, sink
        self._cancels.link = link

    def attach_retail(self, link: OrderCarrier, rates_e8: Mapping[str, int]) -> None:
        """Take the second order connection. rates_e8: by market, what its orders pay."""
        self._retail, self._retail_rates_e8 = link, rates_e8

    @property
    def ready(self) -> bool:
        """Whether an exit could leave now, by either road."""
        link = self._link
        return (link is not None and link.up) or self._road.ready

    @property
    def is_protected(self) -> bool:
        """The order socket: authenticated, cancel-on-disconnect confirmed, subscribed."""
        return self._link is not None and self._link.up

    def block(self, symbol: str) -> str:
        """Say why no entry should be made in this market now.

        An order in doubt blocks its market: one of an earlier connection until it is read, whatever the engine thinks.
        """
        if not self.is_protected:
            return "the order socket is down: only exits leave, by REST"
        if self._busted:
            return f"fill {self._busted} was taken back by the chain: positions must be reconciled by a restart"
        doubtful = self._lives.in_doubt(symbol)
        return "" if doubtful is None else f"order {doubtful.client_id} is in doubt"

    def retail_block(self) -> str:
        """Say why no entry should leave over the second connection now."""
        if self._retail is None or not self._retail.up:
            return "the retail order socket is down"
        return self._budgets.retail.entry_block(self._clock.mono_ns())

    def submit(self, prepared: PreparedOrder) -> None:
        """Write a prepared order now. Raises ValueError for one that was written before (I3)."""
        self._lives.check_new(prepared)
        link = self._retail if prepared.order_class else self._link
        why_not = "the order link is not ready"
        if link is not None and link.up:
            line, requests = link.line, link.sent
            try:
                link.send(prepared.payload)
            except ConnectionError as e:
                why_not = str(e)
            else:
                self._written(Life(prepared, line=line), requests, link.opened_mono_ns)
                return
        request, life = prepared.request, Life(prepared)
        if request.purpose is not Purpose.ENTRY and self._write_by_rest(life):
            self._keep(life)
        else:
            self._tell(request.client_id, NotSent(why_not))

    def take_on(self, prepared: PreparedOrder) -> Life:
        """Follow an order whose bytes leave in a batch, as if it had been submitted. Raises ValueError likewise."""
        self._lives.check_new(prepared)
        link = self.protected_link()
        life = Life(prepared)
        life.line = link.line
        stamps = prepared.stamps
        stamps.written_mono_ns = self._clock.mono_ns()
        stamps.transport, stamps.reused, stamps.connection_requests = "ws", link.sent > 0, link.sent
        stamps.connection_age_ns = stamps.written_mono_ns - link.opened_mono_ns
        self._keep(life)
        return life

    def hear(self, life: Life, item: Order | Rejected | InDoubt) -> None:
        """Take the answer about one order of a batch."""
        life.replied = True
        if isinstance(item, Order):
            life.prepared.stamps.acked_mono_ns = self._clock.mono_ns()
            self._on_order(item)
        else:
            self._on_refusal(life, item)

    def protected_link(self) -> OrderCarrier:
        """Return the order socket. Raises ConnectionError while it is not up."""
        if self._link is None or not self._link.up:
            raise ConnectionError("the order link is not ready")
        return self._link

    def _keep(self, life: Life) -> None:
        assert self._sink is not None
        self._lives.add(life)
        self._time(life)
        self._sink.on_order(life.client_id, Sent())

    def _time(self, life: Life) -> None:
        life.timer = asyncio.get_running_loop().call_later(self._settings.reply_timeout_s, self._out_of_time, life)

    def _written(self, life: Life, requests: int, opened_mono_ns: int) -> None:
        """Follow an order whose bytes are with the socket. requests: what the connection had carried before."""
        stamps = life.prepared.stamps
        stamps.written_mono_ns = written_mono_ns = self._clock.mono_ns()
        stamps.transport, stamps.reused, stamps.connection_requests = "ws", requests > 0, requests
        stamps.connection_age_ns = written_mono_ns - opened_mono_ns
        self._lives.add(life)
        # The rest on the next turn of the loop: another venue's order may be waiting behind this one.
        asyncio.get_running_loop().call_soon(self._after_write, life, written_mono_ns)
        self._tell(life.client_id, Sent())

    def _after_write(self, life: Life, written_mono_ns: int) -> None:
        if not life.over and not life.resolved:
            self._time(life)
        order_class = life.prepared.order_class
        if order_class:
            self._budgets.retail.take(written_mono_ns)
        # Whether a Retail order counts among the Pro ones too is not stated: it is counted, they are plenty.
        self._budgets.order_sent(written_mono_ns)
        self._budgets.entry_block(written_mono_ns)  # so that the next entry finds the answer ready

    def _write_by_rest(self, life: Life) -> bool:
        written = self._road.post(life.prepared.payload, partial(self._on_rest_answer, life))
        if written is None:
            return False
        self._budgets.order_sent(written.written_mono_ns)
        stamps = life.prepared.stamps
        stamps.transport, stamps.written_mono_ns = "https", written.written_mono_ns
        stamps.reused, stamps.connection_requests = written.reused, written.connection_requests
        stamps.connection_age_ns = written.connection_age_ns
        self._log.warning("paradex.order_by_rest", client_id=life.client_id)
        return True

    def cancel(self, client_id: ClientOrderId) -> None:
        self._cancels.ask(client_id)

    def on_report(self, client_id: ClientOrderId, report: OrderReport | None, *, is_too_late: bool) -> None:
        """Take the word of a look-up: an order that is over, filled whole, or never was no longer blocks its market.

        is_too_late: the venue would not take the order any more, so one that it does not know never was.
        """
        life = self._lives.of_client(client_id)
        if life is None:
            return
        if report is None:
            is_settled = is_too_late
        else:
            is_settled = report.is_final or report.filled_e8 >= life.prepared.request.size_e8
        if is_settled:
            self._lives.resolve(client_id)

    async def close(self) -> None:
        """Switch cancel-on-disconnect off if nothing of ours rests; else leave it on, so that closing cancels."""
        await self._cancels.close()
        for life in self._lives:
            life.stop_timer()
        if self._lives.open:
            self._log.warning("paradex.closing_with_orders", count=len(self._lives.open), cancel_on_disconnect=True)
            await self._cancels.ask_for_all_open()
            return
        for link in (self._link, self._retail):
            if link is None or not link.up:
                continue
            try:
                await link.call(PROTECT, {"enabled": False})
            except DISTURBED as e:
                self._log.info("paradex.cancel_on_disconnect_left_on", reason=str(e))

    # ---- LinkOwner

    async def handshake(self) -> None:
        assert self._link is not None
        await self.handshake_on(self._link)

    async def handshake_on(self, link: Caller) -> None:
        """Make one connection fit to carry orders; raise what makes it unfit."""
        node = await sign_in(link, self._tokens)
        await subscribe(link, CHANNELS)
        self._log.info("paradex.orders_ready", node_id=str(node.get("node_id", ""))[:60])

    def on_up(self) -> None:
        assert self._sink is not None
        self._told_up = True
        self._sink.on_link(NAME, LINK, up=True, detail="authenticated, cancel-on-disconnect confirmed")

    def on_down(self, detail: str) -> None:
        assert self._sink is not None
        if self._told_up:
            self._told_up = False
            self._sink.on_link(NAME, LINK, up=False, detail=detail)
        for life in self._lives.open:
            self._doubt(life, f"order socket {detail}")

    def on_line_lost(self, line: object, detail: str) -> None:
        """One connection of several is gone: what it carried is in doubt, the rest goes on."""
        for life in self._lives.open:
            if life.line is line:
                self._doubt(life, f"order socket {detail}")

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        life = self._lives.of_request(answer.id)
        if life is None:
            self._on_stray(answer)
            return
        stamps = life.prepared.stamps
        if not life.replied:
            life.replied = True
            stamps.reply_mono_ns = received_mono_ns
            stamps.venue_received_unix_ns = answer.received_unix_ns
            stamps.venue_sent_unix_ns = answer.sent_unix_ns
        if isinstance(answer, rpc.Failure):
            if answer.code == errors.RATE_LIMITED:
                if life.prepared.order_class:
                    self._budgets.retail.on_refused(received_mono_ns)
                else:
                    self._budgets.order_refused(received_mono_ns)
            self._on_refusal(life, errors.order_event(answer.code, answer.message, answer.data))
            return
        try:
            order = rpc.decode_order_result(answer.result)
        except DecodeError as e:
            self._unread(str(e))
            self._doubt(life, "its reply could not be read")
            return
        stamps.acked_mono_ns = stamps.acked_mono_ns or self._clock.mono_ns()
        self._on_order(order)

    def _on_rest_answer(self, life: Life, outcome: HttpResponse | HttpFailure) -> None:
        if isinstance(outcome, HttpFailure):
            self._doubt(life, outcome.reason)
            return
        self._budgets.answered(
            "POST",
            is_private=True,
            status=outcome.status,
            headers=outcome.headers,
            now_mono_ns=outcome.received_mono_ns,
        )
        stamps = life.prepared.stamps
        if not life.replied:
            life.replied = True
            stamps.reply_mono_ns = outcome.received_mono_ns
        if not 200 <= outcome.status < 300:
            code, message = rest.read_error(outcome.body)
            if code in errors.NAMES_TOKEN_REFUSED:
                self._cancels.mend_token()
            self._on_refusal(life, errors.order_event_http(outcome.status, code, message))
            return
        try:
            order = rest.read_order(outcome.body)
        except DecodeError as e:
            self._unread(str(e))
            self._doubt(life, "its answer could not be read")
            return
        stamps.acked_mono_ns = stamps.acked_mono_ns or self._clock.mono_ns()
        self._on_order(order)
        # Its end may have been told while no private channel was there to hear it.
        self._doubt(life, "acknowledged over REST: it is read")

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None:
        try:
            if channel == busts.CHANNEL:
                self._on_bust(busts.decode(data))
                return
            record = rpc.decode_channel(channel, data)
        except DecodeError as e:
            self._lost_news(str(e))
            return
        self._on_record(record, received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        try:
            record = sbe.decode(payload)
        except DecodeError as e:
            self._lost_news(str(e))
            return
        self._on_record(record, received_mono_ns)

    def on_unreadable(self, reason: str) -> None:
        self._lost_news(reason)

    # ---- news

    def _on_record(self, record: Any, received_mono_ns: int) -> None:
        if isinstance(record, Order):
            self._on_order(record)
        elif isinstance(record, Fill):
            self._on_fill(record, received_mono_ns)
        elif isinstance(record, Position):
            self._log.info("paradex.position", symbol=record.market, size_e8=record.size_e8, status=record.status)
        elif isinstance(record, Account):
            self._log.info("paradex.account", status=record.status, equity_e8=record.account_value_e8)

    def _on_bust(self, bust: busts.Bust) -> None:
        """Tell a person and stop entries: the position is no longer what the fills say.

        The fill stays told; what the venue holds now shows when positions are compared.
        """
        self._busted = bust.fill_id[:60]
        self._log.error("paradex.fill_busted", fill_id=self._busted)

    def _on_order(self, order: Order) -> None:
        """Tell what an order update says. Older and repeated updates say nothing that the table does not bear."""
        if not order.client_id:
            return  # by hand or by another program
        life = self._lives.of_client(order.client_id)
        client_id = ClientOrderId(order.client_id)
        if life is None:
            # Of an earlier run: the engine knows what to make of it.
            self._tell(client_id, _closed(order) if order.is_closed else Acked(VenueOrderId(order.order_id)))
            return
        if order.is_closed and not life.over:
            self._lives.end(life)
            self._tell(client_id, _closed(order))
        # After its end: what it means for the position comes before what the order is called.
        if not life.venue_order_id:
            life.venue_order_id = order.order_id
            self._tell(client_id, Acked(VenueOrderId(order.order_id)))

    def _on_fill(self, fill: Fill, received_mono_ns: int) -> None:
        if not fill.client_id:
            self._log.warning(
                "paradex.fill_not_ours", symbol=fill.market, fill_type=fill.fill_type, size_e8=fill.size_e8
            )
            return
        life = self._lives.of_client(fill.client_id)
        instrument = None
        if life is not None:
            if fill.fill_id in life.fill_ids:
                return
            life.fill_ids.add(fill.fill_id)
            life.filled_e8 += fill.size_e8
            if life.filled_e8 >= life.prepared.request.size_e8:
                self._lives.resolve(life.client_id)  # nothing is left of it, even if its end is never told
            life.prepared.stamps.filled_mono_ns = received_mono_ns
            instrument = life.prepared.request.instrument
        fee_e8 = self.fee_of(fill, instrument)
        if life is not None and life.prepared.order_class:
            self._check_retail_fee(fill, fee_e8, received_mono_ns)
        self._tell(ClientOrderId(fill.client_id), FillSeen(fill.fill_id, fill.price_e8, fill.size_e8, fee_e8))

    def _check_retail_fee(self, fill: Fill, fee_e8: int, received_mono_ns: int) -> None:
        rate_e8 = self._retail_rates_e8.get(fill.market, 0)
        if fee_e8 > rate_of_e8(notional_e8(fill.price_e8, fill.size_e8), rate_e8):
            self._budgets.retail.on_refused(received_mono_ns, RETAIL_PAUSE_S)
            self._log.warning("paradex.retail_paid_pro_fee", symbol=fill.market, fee_e8=fee_e8, pause_s=RETAIL_PAUSE_S)

    def fee_of(self, fill: Fill, instrument: Instrument | None) -> int:
        """Return the fee in the quote currency; one paid in another coin is counted at the taker rate."""
        if fill.fee_currency in (None, "", "USDC"):
            return fill.fee_e8
        self._log.warning("paradex.fee_in_other_coin", currency=fill.fee_currency, fee_e8=fill.fee_e8)
        rate_e8 = instrument.fee_rate_taker_e8 if instrument is not None else 0
        return rate_of_e8(notional_e8(fill.price_e8, fill.size_e8), rate_e8)

    def _on_refusal(self, life: Life, event: Rejected | InDoubt) -> None:
        if isinstance(event, Rejected):
            self._on_refused(event.code)
        if isinstance(event, InDoubt):
            self._doubt(life, event.reason)
        elif not life.over:
            self._lives.end(life)
            self._tell(life.client_id, event)

    def _on_stray(self, answer: rpc.Reply | rpc.Failure) -> None:
        """An answer whose request is not known. An error without id may be meant for any order still without answer."""
        if isinstance(answer, rpc.Failure):
            self._log.warning("paradex.error_unmatched", id=answer.id, code=answer.code, message=answer.message[:200])
            if answer.id is None:
                self._doubt_unanswered(f"an error without id: {answer.code}")
        else:
            self._log.info("paradex.answer_unasked", link=LINK, id=answer.id)

    def _lost_news(self, reason: str) -> None:
        """A private frame could not be read: it may have been the end of any order, so all open ones are read."""
        self._unread(reason)
        for life in self._lives.open:
            self._doubt(life, "a private frame could not be read")

    def _unread(self, reason: str) -> None:
        self.unreadable += 1
        if self.unreadable.bit_count() == 1:  # the 1st, 2nd, 4th, ...: a torrent of them must not flood the log
            self._log.warning("paradex.frame_unreadable", link=LINK, reason=reason, count=self.unreadable)

    # ---- doubt and end

    def _out_of_time(self, life: Life) -> None:
        life.timer = None
        if life.over:
            return
        after = f"within {self._settings.reply_timeout_s:g} s"
        self._doubt(life, f"acknowledged, but no end {after}" if life.replied else f"no reply {after}")

    def _doubt_unanswered(self, reason: str) -> None:
        for life in self._lives.open:
            if not life.replied:
                self._doubt(life, reason)

    def _doubt(self, life: Life, reason: str) -> None:
        if life.over or life.doubted or life.resolved:
            return
        life.doubted = True
        life.stop_timer()
        self._tell(life.client_id, InDoubt(reason))

    def _tell(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        assert self._sink is not None
        self._sink.on_order(client_id, event)


async def sign_in(link: Caller, tokens: TokenKeeper) -> dict[str, Any]:
    """Authenticate an order connection and arm cancel-on-disconnect; return what auth answered."""
    try:
        node = await link.call("auth", {"bearer": (await tokens.current()).reveal()})
    except Refused:
        # The token at hand has died early (a restart of the venue, a clock that jumped): try with a new one.
        node = await link.call("auth", {"bearer": (await tokens.renew()).reveal()})
    armed = await link.call(PROTECT, {"enabled": True})
    if armed.get("enabled") is not True:
        raise DecodeError(f"cancel_on_disconnect was not confirmed: {str(armed)[:80]}")
    return node


def _closed(order: Order) -> Closed:
    return Closed(order.filled_e8, "" if order.remaining_e8 == 0 else order.cancel_reason or "closed without a reason")
