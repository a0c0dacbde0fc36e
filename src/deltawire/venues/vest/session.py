"""The Vest adapter: implements venues.contract.Venue from its parts (account, feed, orders, links).

Start order and upkeep live here: register, listen key, checks, pool, sockets; then the renewals. Design sections 2, 4.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Coroutine

from deltawire.core.book import Book
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest
from deltawire.net.api import HttpClient, HttpFailure, HttpPool, Network
from deltawire.venues.contract import (
    ORDERS,
    PRIVATE,
    BalanceReport,
    Clock,
    DecodeError,
    EventLog,
    MarketState,
    Money,
    OpenOrder,
    OrderReport,
    PositionReport,
    PreparedOrder,
    VenueSink,
)
from deltawire.venues.vest import books, errors, rest, ws
from deltawire.venues.vest.account import Account
from deltawire.venues.vest.link import Link
from deltawire.venues.vest.orders import OrderDesk
from deltawire.venues.vest.pauses import Pauses
from deltawire.venues.vest.private import PrivateStream
from deltawire.venues.vest.public import VestPublic, refusals
from deltawire.venues.vest.reads import VENUE, split_rest_url
from deltawire.venues.vest.rest import VenueError
from deltawire.venues.vest.settings import VestSettings

# The proof is renewed a day before it ends: an expired one would refuse the close of an open pair.
_RENEW_AHEAD_MS = 86_400_000
_RENEW_RETRY_S = 30.0
_END_KEY_S = 1.0


class VestVenue:
    """One account on Vest. Owns the pool, the sockets and the REST client it is given."""

    name = VENUE

    def __init__(
        self,
        settings: VestSettings,
        *,
        network: Network,
        client: HttpClient,
        clock: Clock,
        log: EventLog,
        rng: random.Random,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Raise ValueError for settings that cannot work: a key that is not the address's, a URL without a host."""
        self._settings, self._network, self._clock, self._log, self._rng = settings, network, clock, log, rng
        self._account = Account(settings, client, clock=clock, log=log, random_bytes=random_bytes)
        self._account.on_unauthorized = self._on_unauthorized
        self._market = VestPublic(
            settings,
            self._account,
            network=network,
            clock=clock,
            log=log,
            rng=rng,
            on_refused=self._on_link_refused,
        )
        self.capabilities, self.time = self._market.capabilities, self._account.time
        self._private_link: Link | None = None
        self._pool: HttpPool | None = None
        self._desk: OrderDesk | None = None
        self._private: PrivateStream | None = None
        self._pauses = Pauses()
        self._tasks: list[asyncio.Task[None]] = []
        self._register_wanted = asyncio.Event()
        self._registered_mono_ns = 0
        self._started = False

    @property
    def ready(self) -> bool:
        """True while an order would leave at once: registered, and a warm connection idle.

        The private stream is not asked for: without it fills are read over REST, and an exit must not wait for it.
        """
        return self._started and self._pool is not None and self._pool.has_idle

    def trades(self, symbol: str) -> bool:
        return self._market.trades(symbol)

    def entry_block(self, symbol: str) -> str:
        """Say what speaks against an entry in this market: the venue's word on it, or a refusal not long ago."""
        return self._market.entry_block(symbol) or self._pauses.block(symbol, self._clock.mono_ns())

    def market_state(self, symbol: str) -> MarketState | None:
        """Return mark, index, funding and status of a market as last told; None before that."""
        return self._market.market_state(symbol)

    async def start(self, sink: VenueSink) -> None:
        try:
            await self._start(sink)
        except BaseException:
            await self.close()
            raise

    def instrument(self, symbol: str) -> Instrument:
        return self._market.instrument(symbol)

    def book(self, symbol: str) -> Book:
        return self._market.book(symbol)

    def prepare(self, request: OrderRequest, stamps: OrderStamps) -> PreparedOrder:
        return self._orders.prepare(request, stamps)

    def presign(self, request: OrderRequest) -> Callable[[], PreparedOrder]:
        return self._orders.presign(request)

    def is_fresh(self, prepared: PreparedOrder) -> bool:
        """Whether no later nonce has been used: it is not known if the venue wants rising ones."""
        return prepared.correlator > self._orders.nonces.used

    def submit(self, prepared: PreparedOrder) -> None:
        self._orders.submit(prepared)

    def cancel(self, client_id: ClientOrderId) -> None:
        self._orders.cancel(client_id)

    async def look_up(self, client_id: ClientOrderId, correlator: int, symbol: str) -> OrderReport | None:
        """Read one order by its nonce."""
        if symbol not in self._market.books:
            raise KeyError(symbol)
        with refusals():
            return await self._orders.look_up(client_id, correlator)

    async def positions(self) -> list[PositionReport]:
        with refusals():
            return await self._account.positions()

    async def open_orders(self) -> list[OpenOrder]:
        with refusals():
            return await self._account.open_orders()

    async def balance(self) -> BalanceReport:
        with refusals():
            return await self._account.balance()

    async def money(self, since_unix_ns: int) -> Money:
        with refusals():
            return await books.money(self._account, since_unix_ns)

    @property
    def key_kind(self) -> str:
        return "primary"  # registers the trading key of each run; the venue has no lesser one for that

    async def leverages(self) -> dict[str, int]:
        """Read the leverage set for each market; one that was never set is left out."""
        with refusals():
            account = await self._account.read()
        return {found.symbol: found.value for found in account.leverages}

    async def close(self) -> None:
        """End everything; harmless when repeated or when start had failed half way."""
        self._started = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._market.data_link is not None:
            await self._market.data_link.close()
        if self._private_link is not None:
            await self._private_link.close()
            self._private_link = None
        if self._desk is not None:
            await self._desk.close()
        try:
            async with asyncio.timeout(_END_KEY_S):
                await self._account.end_listen_key()
        except (OSError, TimeoutError, DecodeError, VenueError) as e:
            self._log.info("vest.listen_key.not_ended", reason=str(e))
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        await self._market.close()

    # Start.

    async def _start(self, sink: VenueSink) -> None:
        settings, account = self._settings, self._account
        markets = await self._market.read_rules()
        with refusals():
            await account.register()
            self._registered_mono_ns = self._clock.mono_ns()
            await account.listen_key()
            last_nonce = await account.check()
        await self._market.read_state()
        pool = self._pool = await self._warm_pool()
        desk = self._desk = OrderDesk(
            settings,
            account,
            pool,
            markets,
            sink=sink,
            clock=self._clock,
            log=self._log,
            on_rejected=self._on_rejected,
        )
        desk.nonces.start_above(last_nonce)
        await self._market.open(sink)
        private = self._private = PrivateStream(account, desk, sink=sink, log=self._log)
        link = self._private_link = self._market.link(PRIVATE, private, self._private_url)
        with refusals():
            await link.start()
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                await private.subscribed.wait()
        except TimeoutError as e:
            raise TimeoutError(f"vest did not confirm {ws.ACCOUNT_PRIVATE} in {settings.connect_timeout_s:g} s") from e
        await self._market.await_first_picture()
        self._tasks = [
            self._task(self._keep_listen_key(link), "listen key"),
            self._task(self._keep_registered(), "registration"),
        ]
        self._market.watch()
        self._started = True
        sink.on_link(VENUE, ORDERS, up=True, detail="")

    async def _warm_pool(self) -> HttpPool:
        settings = self._settings
        origin, prefix = split_rest_url(settings.rest_url)
        # A public call, so that the pool's warm-up holds no key and outlives a re-registration.
        request = rest.get_ticker_latest(self._account.access, settings.symbols[:1])
        pool = self._network.http_pool(origin, settings.pool, prefix + request.target, request.header_lines())
        try:
            await pool.warm()
        except HttpFailure:
            await pool.close()
            raise
        self._log.info(
            "vest.pool",
            connections=settings.pool.connections,
            keepalive_s=settings.pool.keepalive_s,
            connect_timeout_s=settings.pool.connect_timeout_s,
            request_timeout_s=settings.pool.request_timeout_s,
            tcp_keepalive_s=settings.pool.tcp_keepalive_s,
            dns_cache_s=settings.pool.dns_cache_s,
            idle=pool.idle,
        )
        return pool

    async def _private_url(self) -> str:
        key = await self._account.listen_key()
        return ws.socket_url(self._settings.ws_url, self._account.access.account_group, key)

    @property
    def _orders(self) -> OrderDesk:
        if self._desk is None:
            raise RuntimeError("vest: not started")
        return self._desk

    # Upkeep.

    async def _keep_listen_key(self, link: Link) -> None:
        wait_s = self._settings.listen_key_renew_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                extended = await self._account.extend_listen_key()
            except (OSError, DecodeError, VenueError) as e:
                self._log.warning("vest.listen_key.not_extended", reason=str(e))
                wait_s = min(_RENEW_RETRY_S, self._settings.listen_key_renew_s)
                continue
            wait_s = self._settings.listen_key_renew_s
            if extended:
                self._log.info("vest.listen_key.extended")
            else:
                link.reconnect("the listen key is gone")

    async def _keep_registered(self) -> None:
        while True:
            left_s = (self._account.registration_expiry_unix_ms - _RENEW_AHEAD_MS - self._account.now_ms()) / 1e3
            try:
                async with asyncio.timeout(max(left_s, 0)):
                    await self._register_wanted.wait()
            except TimeoutError:
                pass  # due by the clock
            else:
                await self._pause_registration()
            group = self._account.access.account_group
            try:
                await self._account.register()
            except (OSError, DecodeError, VenueError) as e:
                self._log.error("vest.register_failed", reason=str(e))
                await asyncio.sleep(_RENEW_RETRY_S)
                continue
            self._registered_mono_ns = self._clock.mono_ns()
            self._register_wanted.clear()
            self._orders.refresh_headers()
            if self._account.access.account_group != group:
                self._on_group_changed(group)

    async def _pause_registration(self) -> None:
        """Keep a venue that refuses every key from being asked for a new one at each refusal."""
        since_s = (self._clock.mono_ns() - self._registered_mono_ns) / 1e9
        await asyncio.sleep(max(self._settings.register_pause_s - since_s, 0))

    def _on_group_changed(self, before: int) -> None:
        """Lead both sockets to the group the account is in now; a listen key belongs to its group."""
        self._log.warning("vest.account_group.changed", before=before, now=self._account.access.account_group)
        self._account.forget_listen_key()
        for link in (self._market.data_link, self._private_link):
            if link is not None:
                link.restart("the account group changed")

    def _on_link_refused(self, code: int) -> None:
        if code in ws.CLOSE_GROUP:
            self._register_wanted.set()  # the answer names the group; if it is another one, the links come back

    def _on_rejected(self, symbol: str, code: int) -> None:
        """Keep entries out of a market that is shut, or off a venue that wants to be left alone."""
        if errors.rule_for_code(code).then is errors.Next.HALT and self._market.feed is not None:
            self._market.feed.halt(symbol)
        elif self._pauses.note(symbol, code, self._clock.mono_ns()):
            self._log.warning("vest.entries.paused", symbol=symbol, code=code)

    def _on_unauthorized(self) -> None:
        self._register_wanted.set()

    def _task(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"vest {name}")
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._log.error("vest.task_failed", task=task.get_name(), reason=repr(task.exception()))
