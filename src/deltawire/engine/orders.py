"""Follows every order from its making to its end: news comes in here, and what is in doubt is read. Sends nothing."""

from collections.abc import Mapping

from deltawire.core.events import FilledTotal, FillSeen, InDoubt, OrderEvent
from deltawire.core.stamps import OrderStamps
from deltawire.core.trade import Trade
from deltawire.core.types import ClientOrderId
from deltawire.engine.gateway import Outgoing
from deltawire.engine.recorder import Recorder
from deltawire.engine.recovery import Remains, is_unsettled
from deltawire.engine.registry import LiveOrder, Registry
from deltawire.engine.resolver import Doubtful, Resolver
from deltawire.engine.tally import Tallied, Tally
from deltawire.engine.timing import Timing
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import observed
from deltawire.venues.contract import Clock, EventLog, PreparedOrder, Venue


class Orders:
    def __init__(self, *, recorder: Recorder, timing: Timing, clock: Clock, log: EventLog) -> None:
        self._recorder, self._timing, self._clock, self._log = recorder, timing, clock, log
        self.registry = Registry()
        self.filled_mono_ns = 0  # when the last fill of any order was told
        self.tally = Tally()
        self.resolver = Resolver(clock=clock, log=log, on_news=self.on_news, is_settled=self._is_settled)

    def on_news(self, client_id: ClientOrderId, event: OrderEvent) -> None:
        """Take news of an order, from its venue's streams or from a look-up."""
        order = self.registry.get(client_id)
        if order is None:
            self._log.warning("order.not_of_this_run", client_id=client_id, news=type(event).__name__)
            return
        if isinstance(event, FillSeen | FilledTotal):
            self.filled_mono_ns = order.stamps.filled_mono_ns = self._clock.mono_ns()
        # Before the trader acts on it: the journal then tells cause before effect.
        now_unix_ns = self._clock.unix_ns()
        self._recorder.later(observed(client_id, event, now_unix_ns))
        self.tally.on_news(client_id, event, now_unix_ns)
        order.trader.on_order(client_id, event)
        state = order.trader.order_state(client_id)
        if state is not None and state.is_final:
            self._timing.finished(client_id, order)

    def made(self, trader: PairTrader, out: Outgoing, prepared: PreparedOrder) -> None:
        """Know an order that is about to be written."""
        request = out.request
        doubtful = Doubtful(
            request.client_id,
            out.venue,
            request.instrument.symbol,
            prepared.correlator,
            written_mono_ns=self._clock.mono_ns(),
            signed_unix_ms=prepared.signed_unix_ms,
            recv_window_ms=prepared.window_ms,
        )
        self.registry.add(LiveOrder(trader, doubtful, out.stamps))
        self.tally.add(
            Tallied(
                request.client_id,
                out.venue.name,
                doubtful.symbol,
                prepared.correlator,
                request.side.sign,
                self._clock.unix_ns(),
            )
        )

    def doubt(self, client_id: ClientOrderId) -> None:
        """Read an order from its venue until the venue has spoken."""
        order = self.registry.get(client_id)
        if order is not None:
            self._log.warning("order.in_doubt", client_id=client_id, venue=order.doubtful.venue.name)
            self.resolver.resolve(order.doubtful)

    def stamps_of(self, client_id: ClientOrderId) -> OrderStamps | None:
        """Return when what happened to an order, or None for one this process did not send."""
        order = self.registry.get(client_id)
        return None if order is None else order.stamps

    def book(self, client_id: ClientOrderId, total: FilledTotal) -> bool:
        """Book what the venue's own books say an order filled. False for an order nobody here follows any more."""
        if self.registry.get(client_id) is None:
            return False
        self.on_news(client_id, total)
        return True

    def inherit(self, trader: PairTrader, trade: Trade, remains: Remains, venues: Mapping[str, Venue]) -> None:
        """Know the orders of a trade that an earlier run left open; its doubtful ones are read from the venues."""
        # On record, or the news that settles them could not be told from news of an order that never left.
        for order in trade.in_doubt:
            doubt = observed(order.request.client_id, InDoubt(order.why), self._clock.unix_ns())
            self._recorder.later(doubt)
        now_ns = self._clock.mono_ns()
        for intent in remains.intents:
            client_id = ClientOrderId(intent.client_id)
            self.tally.take_over(intent, remains.news.get(intent.client_id, []))
            # Bytes written in the last moment of the run before may still be on their way. When that was, only the
            # date could tell, and that may have been set meanwhile: so they count as written now. Those of an
            # earlier run were written before the next one's start; after a reboot the clock is younger than that.
            written_ns = min(now_ns, remains.written_by_mono_ns.get(intent.client_id, now_ns))
            doubtful = Doubtful(
                client_id,
                venues[intent.venue],
                intent.symbol,
                intent.correlator,
                written_mono_ns=written_ns,
                signed_unix_ms=intent.signed_unix_ms,
                recv_window_ms=intent.recv_window_ms,
                inherited=True,
            )
            self.registry.add(LiveOrder(trader, doubtful, OrderStamps(), timed=True))
            if is_unsettled(trade.orders[client_id]):
                self.resolver.resolve(doubtful)

    def _is_settled(self, client_id: ClientOrderId) -> bool:
        order = self.registry.get(client_id)
        state = None if order is None else order.trader.order_state(client_id)
        return state is None or not is_unsettled(state)
