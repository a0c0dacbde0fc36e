"""The whole simulated Paradex without sockets: its parts put together; connections and the scheduler are handed in.

`paradex_server` puts TLS sockets around it; a fault run on a virtual clock connects to it in memory.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from deltawire.sim.clock import CallLater, Timer
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_faults import strike_at_once
from deltawire.sim.paradex_gateway import VENUE, Gateway
from deltawire.sim.paradex_limits import Limit, TooMany
from deltawire.sim.paradex_maintenance import Releases
from deltawire.sim.paradex_rest import RestApi
from deltawire.sim.paradex_rules import ParadexSimSettings
from deltawire.sim.paradex_session import Outlet, Session, Venue
from deltawire.sim.paradex_streams import PACE_MS, Streams
from deltawire.sim.paradex_tokens import Tokens
from deltawire.venues.contract import Clock
from deltawire.venues.paradex import sbe

HEALTH_CHECK_S = 5.0  # reference, section 17
TEND_S = 1.0  # how exact the idle times of connections are
STAMPS_SHOWN = 1_000  # newest orders in state()


class SimulatedParadex:
    """connect() for each WebSocket, rest.handle() for each request; start() and stop() its timers."""

    def __init__(
        self, *, clock: Clock, call_later: CallLater, market: Market, faults: Faults, settings: ParadexSimSettings
    ) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._call_later = call_later
        self._faults = faults
        self._connect_limit = Limit(settings.connects)
        self._timers: dict[str, Timer] = {}
        self._sessions_made = 0
        self._streams = Streams(clock, settings, faults)
        self.exchange = ParadexExchange(
            clock=clock,
            settings=settings,
            publish_book=self._streams.publish_book,
            publish_private=self._streams.publish_private,
        )
        self._streams.bind(self.exchange)
        self._gateway = Gateway(
            clock=clock,
            call_later=call_later,
            exchange=self.exchange,
            faults=faults,
            settings=settings,
            publish_private=self._streams.publish_private,
        )
        tokens = Tokens(clock, settings, self.exchange.accounts)
        self._releases = Releases(
            clock=clock,
            call_later=call_later,
            window=settings.release,
            enter=self.exchange.enter,
            drop_connections=self._streams.drop_all,
        )
        strike_at_once(self.exchange, tokens, self._streams, faults, self._releases)
        self._parts = Venue(
            clock=clock,
            settings=settings,
            exchange=self.exchange,
            gateway=self._gateway,
            tokens=tokens,
            streams=self._streams,
            counters=self.counters,
        )
        self.rest = RestApi(self._parts, faults)
        for base in market.bases:
            quote = market.last(VENUE, base)
            if quote is not None:
                self.exchange.on_quote(base, quote)
        market.subscribe(VENUE, self.exchange.on_quote)

    def may_connect(self) -> bool:
        """Count one WebSocket upgrade; False when there were too many."""
        try:
            self._connect_limit.take(self._clock.mono_ns())
        except TooMany:
            self.counters["upgrades_over_limit"] += 1
            return False
        return True

    def connect(self, outlet: Outlet, sbe_version: int = sbe.SCHEMA_VERSION) -> Session:
        """Open one WebSocket session. The caller has checked the SBE parameters."""
        self._faults.saw(VENUE, "connection")
        self._sessions_made += 1
        return Session(self._parts, outlet, self._sessions_made, sbe_version)

    def start(self) -> None:
        self._every("pace", PACE_MS / 1_000, self._streams.pace)
        self._every("second", self.settings.funding_tick_s, self._on_second)
        self._every("tend", TEND_S, self._streams.tend)
        self._every("health", HEALTH_CHECK_S, self.exchange.liquidate)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._releases.stop()

    def state(self) -> dict[str, Any]:
        """Return accounts, orders and counters as JSON. No secret is in it."""
        return {
            **self.exchange.state(),
            "connections": {
                **self.counters,
                "open": len(self._streams.connections),
                "links": [sorted(connection.links()) for connection in self._streams.connections],
                "deltas_lost": self._streams.deltas_lost,
            },
            "order_stamps": [
                {
                    "order_id": stamps.order_id,
                    "client_id": stamps.client_id,
                    "market": stamps.symbol,
                    "read_mono_ns": stamps.read_mono_ns,
                    "market_written_mono_ns": stamps.market_written_mono_ns,
                }
                for stamps in list(self._gateway.stamps)[-STAMPS_SHOWN:]
            ],
        }

    def market_written_mono_ns(self, base: str) -> int:
        """Return when the newest frame of a base's market was sent to anyone, 0: never."""
        return self._streams.market_written_mono_ns.get(f"{base}-USD-PERP", 0)

    def reaction(self, since_mono_ns: int) -> dict[str, Any]:
        """Return when market frames were sent and calls about orders were read, from a moment on."""
        writes: dict[str, list[int]] = {}
        for market, mono_ns in self._streams.market_writes:
            if mono_ns >= since_mono_ns:
                writes.setdefault(market, []).append(mono_ns)
        read = [mono_ns for mono_ns in self._gateway.orders_read_mono_ns if mono_ns >= since_mono_ns]
        return {"market_written_mono_ns": writes, "orders_read_mono_ns": read}

    def _every(self, name: str, interval_s: float, fn: Callable[[], None]) -> None:
        def again() -> None:
            self._timers[name] = self._call_later(interval_s, again)
            fn()

        self._timers[name] = self._call_later(interval_s, again)

    def _on_second(self) -> None:
        self._releases.look()
        self.exchange.hold_to_fair_price()
        self.exchange.accrue_funding()
        self._streams.publish_second()
