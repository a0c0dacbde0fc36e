"""Asking for cancels, over the order socket or REST, and mending the token of the second road. One task a call.

A good answer only says "queued"; a refusal proves nothing, for the order may just have filled: it leads to a look-up.
Source: Paradex protocol reference, sections 6.2, 11 and 14.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from deltawire.core.types import ClientOrderId
from deltawire.venues.contract import Clock, EventLog
from deltawire.venues.paradex.budget import Budgets
from deltawire.venues.paradex.link import DISTURBED, OrderCarrier
from deltawire.venues.paradex.lives import Life, Lives
from deltawire.venues.paradex.road import RestRoad


class Cancels:
    def __init__(
        self,
        lives: Lives,
        road: RestRoad,
        *,
        budgets: Budgets,
        clock: Clock,
        log: EventLog,
        on_doubt: Callable[[Life, str], None],
    ) -> None:
        """on_doubt: told of an order whose cancel was refused or lost."""
        self._lives, self._road, self._budgets, self._clock, self._log = lives, road, budgets, clock, log
        self._on_doubt = on_doubt
        self._calls: set[asyncio.Task[None]] = set()
        self.link: OrderCarrier | None = None  # the order socket, once there is one

    def ask(self, client_id: ClientOrderId) -> None:
        """Ask for a cancel, also of an order of an earlier run; asking twice, or for one that is over, is harmless."""
        life = self._lives.of_client(client_id)
        if life is None:
            self._spawn(self._cancel_stranger(client_id))
        elif not life.over:
            self._spawn(self._cancel(life))

    def mend_token(self) -> None:
        """Have a token that was refused replaced, so that the next order over REST does not fail for it as well."""
        self._spawn(self._mend_token())

    async def ask_for_all_open(self) -> None:
        """Cancel what may still rest, by our own ids: the account may hold orders that are none of ours."""
        try:
            outcomes = await self._road.cancel_batch([life.client_id for life in self._lives.open])
        except DISTURBED as e:
            self._log.warning("paradex.cancel_failed", reason=str(e))
            return
        for outcome in outcomes:
            self._log.info("paradex.cancel_asked", client_id=outcome.client_id[:64], status=outcome.status[:40])

    async def close(self) -> None:
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _cancel(self, life: Life) -> None:
        try:
            if self.link is not None and self.link.up:
                by_client = {"client_id": life.client_id, "market": life.symbol}
                by_id = {"id": life.venue_order_id}
                self._budgets.order_sent(self._clock.mono_ns())
                await self.link.call("order.cancel", by_id if life.venue_order_id else by_client)
            else:
                await self._road.cancel(life.client_id, life.symbol)
        except DISTURBED as e:
            self._on_doubt(life, f"cancel without success: {e}")

    async def _cancel_stranger(self, client_id: ClientOrderId) -> None:
        """Cancel an order not written here. Its market is not known, so it goes over REST."""
        try:
            await self._road.cancel(client_id)
        except DISTURBED as e:
            self._log.warning("paradex.cancel_failed", client_id=client_id, reason=str(e))

    async def _mend_token(self) -> None:
        try:
            await self._road.mend_token()
        except DISTURBED as e:
            self._log.warning("paradex.token_not_renewed", reason=str(e))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
