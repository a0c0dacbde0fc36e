"""Keeps the ladders of all pairs signed: off the loop's thread, one at a time; the pair that traded last comes first.

Numbers and ids are taken on the loop; the signing runs where `offload` says; the journal has a ladder before the hot
path can see it. A ladder is renewed when its prices have drifted or a part of its receive windows has gone by. Pairs
far from their threshold are left alone: without a fitting order the gateway signs at once.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from deltawire.core.edge import opening
from deltawire.core.ladder import Aim, Touch, caps, has_drifted, touch
from deltawire.core.limits import Gate
from deltawire.core.trade import HOLDING
from deltawire.core.types import OrderRequest, Purpose, Side, TradeId
from deltawire.engine.gateway import LEG_NAMES, Outgoing
from deltawire.engine.ids import IdMaker
from deltawire.engine.ladders import Ladder
from deltawire.engine.recorder import Recorder
from deltawire.engine.trader import PairTrader
from deltawire.journal.records import LadderSigned, PresignedOrder
from deltawire.venues.contract import Clock, EventLog, PreparedOrder

# Of the shortest receive window of a ladder's orders: past the second share it is not used any more, so that what is
# left covers the way to the venue; past the first it is renewed, so that the next is there in time.
RENEW_PERCENT, USABLE_PERCENT = 50, 70
# Pairs looked at in one tick: with many pairs the tick must not hold the loop.
LOOKED_AT_MAX = 8
# At the start, entries wait so long for the first ladders.
WARM_UP_NS, WARM_UP_POLL_S = 300_000_000, 0.002
THREAD_NICE = 10  # a frame that arrives while the signer works gets the CPU first

_MS_NS = 10**6
Work = Sequence[Callable[[], PreparedOrder]]  # each makes one signature


class Offload(Protocol):
    """Where signatures are made."""

    def __call__(self, work: Work) -> asyncio.Future[list[PreparedOrder]]: ...
    def close(self) -> None:
        """Wait for what is under way, and end."""


class SigningThread:
    """A thread of lower priority; the signing libraries let go of the interpreter while they work."""

    def __init__(self) -> None:
        # The thread is made at the first order, when the loop's own may be pinned to a CPU: this one keeps them all.
        self._pool = ThreadPoolExecutor(1, "presigner", initializer=_be_nice, initargs=(os.sched_getaffinity(0),))

    def __call__(self, work: Work) -> asyncio.Future[list[PreparedOrder]]:
        return asyncio.get_running_loop().run_in_executor(self._pool, _sign_all, work)

    def close(self) -> None:
        # Joined: a thread inside the signing library at interpreter exit would abort the process.
        self._pool.shutdown(wait=True)


class AtOnce:
    """No thread: for worlds whose time is not real, where a thread would make no two runs alike."""

    def __call__(self, work: Work) -> asyncio.Future[list[PreparedOrder]]:
        done = asyncio.get_running_loop().create_future()
        done.set_result([sign() for sign in work])
        return done

    def close(self) -> None:
        """Nothing is under way."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A ladder to sign: for an entry, or for the exit of a trade."""

    trader: PairTrader
    purpose: Purpose
    trade_id: TradeId
    aim: Aim
    now: Touch


class Presigner:
    def __init__(
        self,
        traders: Sequence[PairTrader],
        *,
        within_e8: int,
        offload: Offload,
        gate: Gate,
        recorder: Recorder,
        ids: IdMaker,
        clock: Clock,
        log: EventLog,
    ) -> None:
        """within_e8: how far below what it needs a spread may be for its orders to be worth signing, as a rate."""
        self._traders, self._within_e8, self._offload = traders, within_e8, offload
        self._gate, self._recorder, self._ids, self._clock, self._log = gate, recorder, ids, clock, log
        self._reserved: dict[tuple[int, int], TradeId] = {}  # (pair, leg bought) -> id of the trade it would be
        self._next = 0
        self._busy: asyncio.Future[list[PreparedOrder]] | None = None
        self._is_warming = False
        self.signed = 0

    def on_tick(self) -> None:
        """Begin to sign the next ladder that needs it, unless one is being signed."""
        if self._busy is not None or self._gate.halted or not self._traders or self._recorder.broken:
            return
        now_ns = self._clock.mono_ns()
        if self._sign_for_latest(now_ns):
            return
        for _ in range(min(LOOKED_AT_MAX, len(self._traders))):
            trader = self._traders[self._next % len(self._traders)]
            wanted = next(self._wanted(trader, now_ns), None)
            if wanted is not None:
                self._sign(wanted, now_ns)
                return  # the same pair again next time: it may need more than one
            self._next += 1

    def _sign_for_latest(self, now_ns: int) -> bool:
        """Begin to sign for the pair whose orders stirred last, if it needs it: it holds a trade, or may soon again."""
        latest = max(self._traders, key=_stirred_mono_ns)
        if not latest.dealer.stirred_mono_ns:
            return False
        wanted = next(self._wanted(latest, now_ns), None)
        if wanted is not None:
            self._sign(wanted, now_ns)
        return wanted is not None

    async def warm_up(self) -> None:
        """Sign what the first triggers will want, before entries are allowed; for a moment at most."""
        self._is_warming = True
        try:
            deadline_ns = self._clock.mono_ns() + WARM_UP_NS
            while self._clock.mono_ns() < deadline_ns and (self._busy is not None or self._lacks_one()):
                self.on_tick()
                await asyncio.sleep(WARM_UP_POLL_S)
        finally:
            self._is_warming = False

    def _lacks_one(self) -> bool:
        now_ns = self._clock.mono_ns()
        return any(next(self._wanted(trader, now_ns), None) is not None for trader in self._traders)

    def close(self) -> None:
        self._offload.close()

    # ---- what is needed ----------------------------------------------------------------------------------------

    def _wanted(self, trader: PairTrader, now_ns: int) -> Iterator[_Wanted]:
        if not all(venue.ready for venue in trader.venues):
            return
        for trade in trader.dealer.open:
            if trade.phase is HOLDING and not trade.exit_reason and not trader.dealer.held:
                sizes_e8 = (abs(trade.position_e8(0)), abs(trade.position_e8(1)))
                aim = Aim(1 - trade.buy_leg, -trader.rules.exit_spread_e8, sizes_e8)
                before = trader.ladders.exits.get(trade.trade_id)
                yield from self._if_due(trader, Purpose.EXIT, trade.trade_id, aim, before, now_ns)
        layers = len(trader.dealer.open)
        if (trader.entries_on or self._is_warming) and layers < trader.rules.layers_max and trader.dealer.is_at_rest:
            for buy_leg in (0, 1):
                entry = self._entry_aim(trader, buy_leg, layers)
                if entry is not None:
                    trade_id = self._reserve(trader, buy_leg)
                    before = trader.ladders.entries[buy_leg]
                    yield from self._if_due(trader, Purpose.ENTRY, trade_id, entry, before, now_ns)

    def _entry_aim(self, trader: PairTrader, buy_leg: int, layers: int) -> Aim | None:
        """Return what an entry would be now: the largest of its sizes that both books carry."""
        rules = trader.rules
        if any(trade.buy_leg != buy_leg for trade in trader.dealer.open):
            return None
        for size_e8 in rules.sizes_e8:
            if opening(rules, trader.books, buy_leg, size_e8) is not None:
                return Aim(buy_leg, rules.needed_e8 + layers * rules.layer_step_e8, (size_e8, size_e8))
        return None

    def _reserve(self, trader: PairTrader, buy_leg: int) -> TradeId:
        key = (trader.index, buy_leg)
        reserved = self._reserved.get(key)
        if reserved is None or trader.dealer.knows(reserved):
            reserved = self._reserved[key] = self._ids.trade(trader.index)
        return reserved

    def _if_due(
        self, trader: PairTrader, purpose: Purpose, trade_id: TradeId, aim: Aim, before: Ladder | None, now_ns: int
    ) -> Iterator[_Wanted]:
        now = touch(aim, trader.books)
        if now is None or now.spread_e8 < aim.needed_e8 - self._within_e8:
            return
        is_good = (
            before is not None
            and before.trade_id == trade_id
            and before.aim == aim
            and now_ns < before.renew_at_mono_ns
            and not has_drifted(trader.rules, before.signed_at, now)
            and all(_is_fresh(out) for leg in before.orders for out in leg)
        )
        if not is_good:
            yield _Wanted(trader, purpose, trade_id, aim, now)

    # ---- signing -----------------------------------------------------------------------------------------------

    def _sign(self, wanted: _Wanted, now_ns: int) -> None:
        caps_e8 = caps(wanted.trader.rules, wanted.aim, wanted.now)
        try:
            work = [
                [wanted.trader.venues[leg].presign(self._request(wanted, leg, cap_e8)) for cap_e8 in caps_e8[leg]]
                for leg in (0, 1)
            ]
        except ValueError as e:  # an amount the venue's format cannot carry: told when it is to be sent in earnest
            self._log.warning("presign.unsendable", pair=wanted.trader.rules.pair_id, reason=str(e))
            self._next += 1
            return
        split = len(work[0])
        self._busy = self._offload([sign for leg in work for sign in leg])
        self._busy.add_done_callback(lambda done: self._on_signed(wanted, caps_e8, now_ns, split, done))

    def _request(self, wanted: _Wanted, leg: int, cap_e8: int) -> OrderRequest:
        return OrderRequest(
            client_id=self._ids.order(wanted.trade_id, leg),
            trade_id=wanted.trade_id,
            purpose=wanted.purpose,
            instrument=wanted.trader.rules.legs[leg],
            side=Side.BUY if leg == wanted.aim.buy_leg else Side.SELL,
            size_e8=wanted.aim.sizes_e8[leg],
            cap_price_e8=cap_e8,
            reduce_only=wanted.purpose is Purpose.EXIT,
        )

    def _on_signed(
        self,
        wanted: _Wanted,
        caps_e8: tuple[tuple[int, ...], tuple[int, ...]],
        began_ns: int,
        split: int,
        done: asyncio.Future[list[PreparedOrder]],
    ) -> None:
        self._busy = None
        if done.cancelled():
            return
        if done.exception() is not None:
            self._log.error("presign.failed", pair=wanted.trader.rules.pair_id, reason=repr(done.exception()))
            self._next += 1
            return
        if not self._is_still_wanted(wanted):
            return
        orders = done.result()
        if not self._recorder.record_now([self._record(wanted, orders, split)]):
            return  # what is not on record cannot leave; the gateway says so when something is to be sent
        window_ns = min(order.window_ms for order in orders) * _MS_NS
        ladder = Ladder(
            purpose=wanted.purpose,
            trade_id=wanted.trade_id,
            aim=wanted.aim,
            signed_at=wanted.now,
            orders=(self._outgoing(wanted, 0, orders[:split]), self._outgoing(wanted, 1, orders[split:])),
            caps_e8=caps_e8,
            renew_at_mono_ns=began_ns + window_ns * RENEW_PERCENT // 100,
            usable_until_mono_ns=began_ns + window_ns * USABLE_PERCENT // 100,
        )
        self.signed += len(orders)
        if wanted.purpose is Purpose.ENTRY:
            wanted.trader.ladders.entries[wanted.aim.buy_leg] = ladder
        else:
            wanted.trader.ladders.exits[wanted.trade_id] = ladder
        wanted.trader.clear()  # a trigger may come before the next tick

    def _outgoing(self, wanted: _Wanted, leg: int, orders: Sequence[PreparedOrder]) -> list[Outgoing]:
        trader = wanted.trader
        pair_id, venue = trader.rules.pair_id, trader.venues[leg]
        return [Outgoing(venue, leg, pair_id, order.request, 0, order.stamps, order) for order in orders]

    def _is_still_wanted(self, wanted: _Wanted) -> bool:
        """Whether its trade is where it was: an id that was used meanwhile must not be used again."""
        dealer = wanted.trader.dealer
        if wanted.purpose is Purpose.ENTRY:
            return not dealer.knows(wanted.trade_id)
        return any(trade.trade_id == wanted.trade_id and not trade.exit_reason for trade in dealer.open)

    def _record(self, wanted: _Wanted, orders: Sequence[PreparedOrder], split: int) -> LadderSigned:
        return LadderSigned(
            pair_id=wanted.trader.rules.pair_id,
            trade_id=wanted.trade_id,
            purpose="entry" if wanted.purpose is Purpose.ENTRY else "exit",
            buy_leg=LEG_NAMES[wanted.aim.buy_leg],
            orders=[
                PresignedOrder(
                    client_id=order.request.client_id,
                    leg=LEG_NAMES[at >= split],
                    size_e8=order.request.size_e8,
                    cap_price_e8=order.request.cap_price_e8,
                    correlator=order.correlator,
                    signed_unix_ms=order.signed_unix_ms,
                    window_ms=order.window_ms,
                )
                for at, order in enumerate(orders)
            ],
            unix_ns=self._clock.unix_ns(),
        )


def _is_fresh(out: Outgoing) -> bool:
    return out.presigned is not None and out.venue.is_fresh(out.presigned)


def _stirred_mono_ns(trader: PairTrader) -> int:
    return trader.dealer.stirred_mono_ns


def _sign_all(work: Work) -> list[PreparedOrder]:
    done = []
    for sign in work:
        done.append(sign())
        # A low priority alone does not end a slice of 3 ms: whoever woke meanwhile (the loop, a venue) waited for it.
        os.sched_yield()
    return done


def _be_nice(cpus: set[int]) -> None:
    os.sched_setaffinity(0, cpus)
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICE)  # Linux: of this thread alone
