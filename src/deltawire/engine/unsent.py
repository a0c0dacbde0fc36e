"""Which orders of the ladders in a journal may have left without a word of it: those a killed run had at hand.

Orders of a ladder are intended just after their bytes left, so the record of the last ones may be missing. The killed
run's mark (journal.leaving) tells which ladder was leaving at that moment, mostly none; without it, any may have been.
The venues are asked for each such order at the next start, before anything else is decided.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from deltawire.core.types import ClientOrderId, Side
from deltawire.engine.resolver import Doubtful
from deltawire.journal.leaving import ANY, Left
from deltawire.journal.records import (
    LadderSigned,
    OrderIntended,
    PairConfigured,
    PresignedOrder,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
)
from deltawire.venues.contract import Clock, EventLog, Refused, Venue

_ASK_AGAIN_S = 0.5

Key = tuple[str, str, str]  # pair, purpose, and the leg bought (an entry) or the trade (an exit)


class PendingLadders:
    """Folds a journal's records, in order."""

    def __init__(self) -> None:
        self._pairs: dict[str, PairConfigured] = {}
        self._last: dict[Key, LadderSigned] = {}
        self._runs: dict[str, int] = {}  # run -> its number
        self._signed_in: dict[Key, int] = {}  # ladder -> the number of the run that signed it
        self._left: dict[str, tuple[Key, str]] = {}  # client id of a ladder's order -> its ladder and leg
        self._decided: set[tuple[Key, str]] = set()  # ladder and leg of which the order that left is known

    def look_at(self, record: Record) -> None:
        match record:
            case RunStarted(pairs=pairs):
                self._runs[record.run_id] = len(self._runs)
                self._pairs.update((pair.pair_id, pair) for pair in pairs)
            case LadderSigned():
                self._replace(record)
            case OrderIntended(client_id=client_id) if client_id in self._left:
                self._decided.add(self._left[client_id])
            case TradeClosed(trade_id=trade_id):
                for key in [key for key, ladder in self._last.items() if ladder.trade_id == trade_id]:
                    self._drop(key)
            case RunEnded():
                # Everything that was sent had been written down by then.
                for key in list(self._last):
                    self._drop(key)
            case _:
                pass

    def may_have_left(self, left: Left | None = None) -> Iterator[OrderIntended]:
        """Return the orders nothing is known of, as if they had been intended. left: the word of a killed run."""
        for key, ladder in self._last.items():
            if self._stayed(key, ladder, left):
                continue
            pair = self._pairs.get(ladder.pair_id)
            for order in ladder.orders:
                if pair is not None and (key, order.leg) not in self._decided:
                    yield _intent(ladder, order, pair)

    def _stayed(self, key: Key, ladder: LadderSigned, left: Left | None) -> bool:
        """Say whether nothing of a ladder left unrecorded, by the word of its own run or a later one.

        A run speaks only once the ladders before it are settled, so its word holds for those too; never for a later
        run's, and a run that is not in this journal says nothing of it.
        """
        if left is None or left.run_id not in self._runs or self._signed_in[key] > self._runs[left.run_id]:
            return False
        return left.correlator != ANY and all(order.correlator != left.correlator for order in ladder.orders)

    def _replace(self, ladder: LadderSigned) -> None:
        key = _key(ladder)
        self._drop(key)
        self._last[key] = ladder
        self._signed_in[key] = len(self._runs) - 1
        self._left.update((order.client_id, (key, order.leg)) for order in ladder.orders)

    def _drop(self, key: Key) -> None:
        before = self._last.pop(key, None)
        if before is not None:
            for order in before.orders:
                self._decided.discard(self._left.pop(order.client_id))


def _key(ladder: LadderSigned) -> Key:
    return ladder.pair_id, ladder.purpose, ladder.buy_leg if ladder.purpose == "entry" else ladder.trade_id


def _intent(ladder: LadderSigned, order: PresignedOrder, pair: PairConfigured) -> OrderIntended:
    on_a = order.leg == "a"
    return OrderIntended(
        client_id=order.client_id,
        trade_id=ladder.trade_id,
        pair_id=ladder.pair_id,
        leg=order.leg,
        venue=pair.venue_a if on_a else pair.venue_b,
        symbol=pair.symbol_a if on_a else pair.symbol_b,
        side=Side.BUY.value if order.leg == ladder.buy_leg else Side.SELL.value,
        size_e8=order.size_e8,
        cap_price_e8=order.cap_price_e8,
        purpose=ladder.purpose,
        reduce_only=ladder.purpose == "exit",
        correlator=order.correlator,
        signed_unix_ms=order.signed_unix_ms,
        unix_ns=ladder.unix_ns,
        recv_window_ms=order.window_ms,
    )


async def find_sent(
    intents: Iterable[OrderIntended], venues: Mapping[str, Venue], *, dead_since_ns: int, clock: Clock, log: EventLog
) -> list[OrderIntended]:
    """Ask the venues for each of these orders and return those that had been sent.

    dead_since_ns: by then (monotonic) the process that may have written them was gone. Cancel it to give up: as long as
    a venue cannot be asked it goes on asking.
    """
    found: set[tuple[str, str, str]] = set()
    asked = [_was_sent(intent, venues[intent.venue], found, dead_since_ns, clock, log) for intent in intents]
    answers = await asyncio.gather(*asked)
    return [intent for intent in answers if intent is not None]


async def _was_sent(
    intent: OrderIntended,
    venue: Venue,
    found: set[tuple[str, str, str]],
    dead_since_ns: int,
    clock: Clock,
    log: EventLog,
) -> OrderIntended | None:
    """found: ladders and legs of which the order that left is known. It is one of each, so the others never did."""
    leg = (intent.trade_id, intent.purpose, intent.leg)
    doubtful = Doubtful(
        ClientOrderId(intent.client_id),
        venue,
        intent.symbol,
        intent.correlator,
        written_mono_ns=dead_since_ns,
        signed_unix_ms=intent.signed_unix_ms,
        recv_window_ms=intent.recv_window_ms,
        inherited=True,
    )
    while leg not in found:
        asked_ns = clock.mono_ns()
        try:
            report = await venue.look_up(ClientOrderId(intent.client_id), intent.correlator, intent.symbol)
        except (OSError, TimeoutError, ValueError, Refused) as e:
            # As for any order in doubt: no connection, an unreadable answer, a refused look-up, a list that lags.
            log.info("presigned.look_up_failed", client_id=intent.client_id, reason=str(e))
        else:
            if report is not None:
                log.warning("presigned.was_sent", client_id=intent.client_id)
                found.add(leg)
                return intent
            if doubtful.is_too_late(asked_ns):
                return None
        await asyncio.sleep(_ASK_AGAIN_S)
    return None
