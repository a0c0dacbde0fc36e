"""The suite can fail: each adapter here tells one lie, and a named test of the suite catches it.

Without these, a test that passes for every adapter might do so because it sees nothing.
"""

import asyncio
import inspect
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from examples.toy_venue.adapter import ToyVenue
from tests.conformance.venues import test_doubt, test_orders, test_session
from tests.conformance.venues.suite import running, started, started_hasty, workshop
from tests.conformance.venues.worlds import ToyWorld

from deltawire.core.events import FillSeen, Rejected
from deltawire.core.types import Side, VenueOrderId
from deltawire.venues.contract import OrderReport

# A lie that makes a test wait in vain is caught as well; the honest toy needs less than a second.
PATIENCE_S = 1.2


class SendsAgainAfterALoss(ToyVenue):
    last = b""

    def submit(self, prepared):
        self.last = prepared.payload
        super().submit(prepared)

    def on_up(self):
        super().on_up()
        if self.last:
            self._socket.send(self.last)


class CallsALostOrderRejected(ToyVenue):
    def on_down(self, detail, *, was_up):
        open_ids = list(self._flight._timers)
        super().on_down(detail, was_up=was_up)
        for client_id in open_ids:
            self._sink.on_order(client_id, Rejected("LOST", "surely not there"))


class KeepsABookWithoutItsConnection(ToyVenue):
    def _invalidate(self, book, why, received_mono_ns):
        pass


class IgnoresGaps(ToyVenue):
    def _on_levels(self, book, kind, seq, bids, asks):
        if kind == "delta":
            book.seq = seq - 1
        super()._on_levels(book, kind, seq, bids, asks)


class TellsThroughAFilter(ToyVenue):
    """Lets a subclass change what the sink hears of orders."""

    def changed(self, event):
        return event

    async def start(self, sink):
        honest = sink.on_order
        sink.on_order = lambda client_id, event: honest(client_id, self.changed(event))
        await super().start(sink)


class NamesFillsAnew(TellsThroughAFilter):
    named = 0

    def changed(self, event):
        self.named += 1
        return replace(event, fill_id=f"{event.fill_id}-{self.named}") if isinstance(event, FillSeen) else event


class ForgetsFees(TellsThroughAFilter):
    def changed(self, event):
        return replace(event, fee_e8=0) if isinstance(event, FillSeen) else event


class FindsNothing(ToyVenue):
    async def look_up(self, client_id, correlator, symbol):
        return None


class FindsWhateverIsAsked(ToyVenue):
    async def look_up(self, client_id, correlator, symbol):
        found = await super().look_up(client_id, correlator, symbol)
        return found or OrderReport(VenueOrderId("t0"), True, 0, 0, 0, "surely over")


class TakesSilenceForNo(ToyVenue):
    async def look_up(self, client_id, correlator, symbol):
        try:
            return await super().look_up(client_id, correlator, symbol)
        except OSError:
            return None


class LogsItsSecret(ToyVenue):
    async def start(self, sink):
        self._socket._log.info("toy.starting", secret=self._settings.secret.reveal())
        await super().start(sink)


class LogsWhatItSends(ToyVenue):
    def submit(self, prepared):
        self._socket._log.info("toy.order", payload=prepared.payload.decode())
        super().submit(prepared)


class LeavesATask(ToyVenue):
    async def start(self, sink):
        await super().start(sink)
        self.left = asyncio.get_running_loop().create_task(asyncio.sleep(60), name="left behind")


class IsReadyAlways(ToyVenue):
    ready = True


class RaisesWhenTheConnectionIsGone(ToyVenue):
    def submit(self, prepared):
        self._socket.send(prepared.payload)


class ForgetsWhatItSent(ToyVenue):
    def submit(self, prepared):
        self._flight._orders.clear()
        prepared.stamps.written_mono_ns = 0
        super().submit(prepared)


class SendsLater(ToyVenue):
    def submit(self, prepared):
        asyncio.get_running_loop().call_soon(super().submit, prepared)


class WidensTheCap(ToyVenue):
    def prepare(self, request, stamps):
        return super().prepare(replace(request, cap_price_e8=request.cap_price_e8 * 2), stamps)


class TurnsPositionsRound(ToyVenue):
    async def positions(self):
        return [replace(held, size_e8=-held.size_e8) for held in await super().positions()]


class ClaimsNoStamps(ToyVenue):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.capabilities = replace(self.capabilities, venue_stamps_books=False)


class RoundsTheTick(ToyVenue):
    def instrument(self, symbol):
        return replace(super().instrument(symbol), price_tick_e8=10**8)


LIES: list[tuple[type[ToyVenue], Callable[..., Any]]] = [
    (SendsAgainAfterALoss, test_doubt.test_an_order_lost_before_the_venue_took_it_is_in_doubt_once_and_never_lives),
    (CallsALostOrderRejected, test_doubt.test_an_order_lost_after_the_venue_took_it_is_found_and_not_sent_again),
    (KeepsABookWithoutItsConnection, test_session.test_a_lost_connection_is_told_voids_the_book_and_is_made_again),
    (IgnoresGaps, test_session.test_a_book_in_question_is_invalid_until_a_fresh_picture),
    (NamesFillsAnew, test_orders.test_events_told_twice_change_nothing),
    (ForgetsFees, test_orders.test_fees_are_what_the_venue_took),
    (FindsNothing, test_doubt.test_an_order_of_which_nothing_is_heard_is_in_doubt_and_look_up_tells_the_truth),
    (FindsNothing, test_doubt.test_look_up_finds_an_order_of_an_earlier_run),
    (FindsWhateverIsAsked, test_doubt.test_look_up_of_an_order_never_submitted_finds_none_and_not_another),
    (TakesSilenceForNo, test_doubt.test_with_the_venue_gone_reads_raise_and_do_not_guess),
    (LogsItsSecret, test_session.test_no_secret_reaches_the_log_a_repr_or_a_message),
    (LogsWhatItSends, test_session.test_no_secret_reaches_the_log_a_repr_or_a_message),
    (LeavesATask, test_session.test_close_may_be_repeated_and_leaves_no_task_and_no_timer_behind),
    (IsReadyAlways, test_session.test_start_ends_ready_and_not_before),
    (RaisesWhenTheConnectionIsGone, test_doubt.test_with_the_venue_gone_an_order_is_known_not_to_have_left),
    (ForgetsWhatItSent, test_orders.test_an_order_is_submitted_at_most_once),
    (SendsLater, test_orders.test_an_order_that_crosses_fills_and_is_told_whole),
    (WidensTheCap, test_orders.test_an_order_whose_cap_is_not_reached_ends_at_once_unfilled),
    (TurnsPositionsRound, test_session.test_positions_open_orders_and_balance_agree_with_the_venues_record),
    (ClaimsNoStamps, test_session.test_books_carry_the_venues_time_where_the_capabilities_say_so),
    (RoundsTheTick, test_session.test_instruments_are_the_venues_own_rules_exactly),
]  # fmt: skip


@pytest.mark.parametrize(("liar", "test"), LIES, ids=[liar.__name__ for liar, _ in LIES])
async def test_a_lie_is_caught(liar, test, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext):
    try:
        async with running(LyingWorld(liar), server_tls) as world:
            # ConnectionError: what the lie lets out of the adapter. Failed: an exception that did not come.
            with pytest.raises((AssertionError, TimeoutError, ConnectionError, pytest.fail.Exception)):
                async with asyncio.timeout(PATIENCE_S), workshop(world, client_tls) as make:
                    await test(**await fixtures(test, make, server_tls, client_tls))
    finally:
        for task in asyncio.all_tasks():
            if task.get_name() == "left behind":
                task.cancel()


class LyingWorld(ToyWorld):
    def __init__(self, liar: type[ToyVenue]) -> None:
        super().__init__()
        self.venue_class = liar


async def fixtures(test, make, server_tls, client_tls) -> dict[str, Any]:
    wanted = inspect.signature(test).parameters
    made: dict[str, Any] = {"make": make, "server_tls": server_tls, "client_tls": client_tls, "side": Side.BUY}
    if "rig" in wanted:
        made["rig"] = await started(make)
    if "hasty" in wanted:
        made["hasty"] = await started_hasty(make)
    return {name: made[name] for name in wanted}
