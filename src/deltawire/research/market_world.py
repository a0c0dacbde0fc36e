"""The recorded market, both simulated venues, the network and the bot on one virtual clock: only time passes.

The bot, the adapters, the journal and the venues are the product's own; sockets and time are those of `faultrun`. An
hour passes in minutes, and one seed gives one outcome. Own computing time is zero here: what costs time is the network
and the venues' own delays.
"""

import asyncio
import random
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltawire.core.edge import PairRules
from deltawire.core.limits import Limits
from deltawire.core.money import BPS_E8, E8
from deltawire.core.types import Instrument
from deltawire.engine.bot import Bot
from deltawire.engine.ids import run_id
from deltawire.engine.plan import BotSettings, PairPlan
from deltawire.engine.presigner import AtOnce
from deltawire.engine.recovery import read_back
from deltawire.engine.rules import VENUE_AGE_NS_MAX
from deltawire.faultrun.hosts import ParadexHost, VestHost
from deltawire.faultrun.loop import VirtualClock, VirtualLoop
from deltawire.faultrun.network import Host, MemoryNetwork
from deltawire.faultrun.wire import Route, Way
from deltawire.journal.log import JournalLog
from deltawire.journal.records import TradeClosed
from deltawire.journal.segments import read
from deltawire.net.api import PoolSettings
from deltawire.sim.basis import BasisSettings
from deltawire.sim.clock import Timer
from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.sim.faults import Faults
from deltawire.sim.market import Market
from deltawire.sim.paradex_rules import BTC, ParadexSimSettings
from deltawire.sim.paradex_venue import SimulatedParadex
from deltawire.sim.player import Player
from deltawire.sim.recording import load_recording
from deltawire.sim.vest_api import VestApi
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_settings import MARKETS, VestSimSettings
from deltawire.sim.vest_streams import StreamHub
from deltawire.venues.paradex.session import ParadexVenue
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest.session import VestVenue
from deltawire.venues.vest.settings import VestSettings

BASE, PARADEX_SYMBOL, VEST_SYMBOL = "BTC", "BTC-USD-PERP", "BTC-PERP"
_UNIX_START_NS = 1_791_000_000 * 10**9  # a Monday in October 2026; far from the venue's releases
_COLLATERAL_E8 = 100_000 * E8
_MS_NS, _S_NS = 10**6, 10**9
_PORTS = ("rest", "ws")
_SETTLE_S = 10.0


@dataclass(frozen=True, slots=True)
class MarketRun:
    """One run. The basis is generated: how high edges stand and how long they last is ours, not the market's."""

    rtt_ms: float
    seconds: int
    seed: int = 1
    size_e8: int = E8 // 100
    entry_edge_e8: int = 3 * BPS_E8
    exit_spread_e8: int = 2 * BPS_E8
    slippage_e8: int = 2 * BPS_E8
    basis: BasisSettings = field(
        default_factory=lambda: BasisSettings(
            height_min_e8=18 * BPS_E8,
            height_max_e8=40 * BPS_E8,
            period_ns=3_000 * _MS_NS,
            ramp_ns=50 * _MS_NS,
            hold_min_ns=50 * _MS_NS,
            hold_max_ns=1_500 * _MS_NS,
        )
    )


def run_market(run: MarketRun, folder: Path) -> list[TradeClosed]:
    """Trade the recorded market for so long; returns the trades, all closed. folder: for the journal, empty.

    Raises RuntimeError when the bot cannot start or does not end flat and agreed.
    """
    return _World(run, folder).run()


class _World:
    def __init__(self, run: MarketRun, folder: Path) -> None:
        self._run, self._folder = run, folder
        self._loop = VirtualLoop()
        self._clock = VirtualClock(self._loop, _UNIX_START_NS)
        self._context = copy_context()
        self._rng = random.Random(f"{run.seed} market world")  # noqa: S311  chance, not secrets
        self._faults = Faults()
        self._log = _Quiet()
        self._keys = paradex_keys(self._rng.randbytes), vest_keys(self._rng.randbytes)
        self._make_venues()

    def run(self) -> list[TradeClosed]:
        main = self._loop.create_task(self._main(), name="market world")
        try:
            return self._loop.run_until_complete(main)
        finally:
            self._loop.close()

    async def _main(self) -> list[TradeClosed]:
        self._paradex.start()
        self._vest.start()
        self._hub.start()
        self._player.play()
        journal = JournalLog(self._folder / "journal")
        bot = Bot(
            self._settings(),
            [self._paradex_adapter(), self._vest_adapter()],
            journal,
            read_back((), self._clock.unix_ns()),
            run_id=run_id(self._clock.unix_ns(), 1),
            clock=self._clock,
            log=self._log,
            offload=AtOnce(),
        )
        await bot.start()
        await asyncio.sleep(self._run.seconds)
        bot.pause()
        await asyncio.sleep(_SETTLE_S)  # open trades find their own exit; what is left then, stop closes
        ended_well = await bot.stop("the market is over")
        self._player.pause()
        self._paradex.stop()
        self._vest.stop()
        self._hub.stop()
        if not ended_well:
            raise RuntimeError(f"at {self._run.rtt_ms:g} ms the bot did not end flat and agreed: {self._log.last}")
        return [record for _, record in read(self._folder / "journal") if isinstance(record, TradeClosed)]

    # ---- making ------------------------------------------------------------------------------------------------

    def _make_venues(self) -> None:
        run, rng = self._run, self._rng
        market = Market((BASE,))
        recorded = (tick for tick in load_recording().ticks() if tick.base == BASE)
        self._player = Player(
            market, recorded, clock=self._clock, call_later=self._call_later, basis=run.basis, seed=run.seed
        )
        self._player.prime()
        self._paradex = SimulatedParadex(
            clock=self._clock,
            call_later=self._call_later,
            market=market,
            faults=self._faults,
            settings=ParadexSimSettings(markets=(BTC,)),
        )
        keys, other_keys = self._keys
        self._paradex.exchange.add_account(keys.account_address, keys.public_key, _COLLATERAL_E8)
        # A picture more often than live: a stale one would hide what the network costs.
        settings = VestSimSettings(markets=MARKETS[:1], seed=run.seed, depth_median_ms=50, depth_p90_ms=100)
        self._vest = VestExchange(
            clock=self._clock,
            call_later=self._call_later,
            rng=rng,
            faults=self._faults,
            settings=settings,
            bases=(BASE,),
        )
        self._hub = StreamHub(self._vest, clock=self._clock, call_later=self._call_later, rng=rng, faults=self._faults)
        self._vest_api = VestApi(
            self._vest,
            call_later=self._call_later,
            rng=rng,
            faults=self._faults,
            on_listen_key_closed=self._hub.listen_key_closed,
        )
        last = market.last("vest", BASE)
        assert last is not None
        self._vest.on_quote(BASE, last)
        market.subscribe("vest", self._vest.on_quote)
        self._vest.accounts.add(other_keys.primary_address, _COLLATERAL_E8, 0)

    def _call_later(self, delay_s: float, fn: Callable[[], None], /) -> Timer:
        return self._loop.call_later(delay_s, fn, context=self._context)

    def _network(self, venue: str, host: Host) -> MemoryNetwork:
        one_way_ns = round(self._run.rtt_ms * _MS_NS / 2)
        routes = {
            port: Route(
                name=f"{venue} {port}",
                loop=self._loop,
                rng=random.Random(f"{self._run.seed} {venue} {port}"),  # noqa: S311  chance, not secrets
                delay_ns=dict.fromkeys(Way, one_way_ns),
            )
            for port in _PORTS
        }
        return MemoryNetwork(host, routes, loop=self._loop, rng=self._rng, bot=copy_context(), world=self._context)

    def _paradex_adapter(self) -> ParadexVenue:
        network, keys = self._network("paradex", ParadexHost(self._paradex, self._loop)), self._keys[0]
        settings = ParadexSettings(
            rest_url="https://paradex.test/v1",
            ws_url="wss://paradex.test/v1",
            account_address=hex(keys.account_address),
            private_key=keys.private_key,
            symbols=(PARADEX_SYMBOL,),
            recv_window_ms=_RECV_WINDOW_MS,
            reply_timeout_s=_REPLY_TIMEOUT_S,
        )
        http = network.rest("https://paradex.test")
        return ParadexVenue(settings, network=network, http=http, clock=self._clock, log=self._log, rng=self._rng)

    def _vest_adapter(self) -> VestVenue:
        network, keys = self._network("vest", VestHost(self._vest_api, self._hub)), self._keys[1]
        settings = VestSettings(
            rest_url="https://vest.test/v2",
            ws_url="wss://vest.test/ws-api?version=1.0",
            primary_address=keys.primary_address,
            primary_private_key=keys.primary_private_key,
            symbols=(VEST_SYMBOL,),
            recv_window_ms=_RECV_WINDOW_MS,
            pool=PoolSettings(connections=2),
        )
        return VestVenue(
            settings,
            network=network,
            client=network.rest("https://vest.test"),
            clock=self._clock,
            log=self._log,
            rng=self._rng,
            random_bytes=self._rng.randbytes,
        )

    def _settings(self) -> BotSettings:
        legs = (("paradex", PARADEX_SYMBOL), ("vest", VEST_SYMBOL))
        pair = PairPlan(BASE, legs, self._run.size_e8, lambda instruments: _rules(self._run, instruments))
        return BotSettings(limits=_LIMITS, pairs=(pair,), simulated=True, config_digest=f"seed {self._run.seed}")


# Wide enough that a second of network is no reason to doubt: what is asked is what distance costs, not where it stops.
_RECV_WINDOW_MS, _REPLY_TIMEOUT_S = 5_000, 4.0
_LIMITS = Limits(
    order_notional_e8_max=10_000 * E8,
    orders_per_minute_max=1_000,
    open_pairs_max=1,
    daily_loss_e8_max=50_000 * E8,
    quote_age_ns_max={"paradex": 5 * _S_NS, "vest": 5 * _S_NS},
    venue_age_ns_max=VENUE_AGE_NS_MAX,
    book_spread_e8_max=20 * BPS_E8,
    price_cap_e8_max=50 * BPS_E8,
    edge_e8_max=300 * BPS_E8,
    drawdown_e8_max=50_000 * E8,
    inventory_e8_max=50_000 * E8,
    free_margin_e8_min=1_000 * BPS_E8,
    liquidation_e8_min=500 * BPS_E8,
)


def _rules(run: MarketRun, legs: tuple[Instrument, Instrument]) -> PairRules:
    return PairRules(
        pair_id=BASE,
        legs=legs,
        size_e8=run.size_e8,
        size_min_e8=run.size_e8,  # one size, so that trades compare
        entry_edge_e8=run.entry_edge_e8,
        exit_spread_e8=run.exit_spread_e8,
        funding_e8=0,
        basis_e8=0,
        margin_e8=0,
        slippage_e8=run.slippage_e8,
        emergency_e8=50 * BPS_E8,
        confirm_updates=1,
        confirm_ns=0,
        hold_ns_max=60 * _S_NS,
        repairs_max=1,
        unhedged_ns_max=20 * _S_NS,
    )


class _Quiet:
    """An EventLog that remembers the last thing that went wrong."""

    def __init__(self) -> None:
        self.last = "nothing was said"

    def info(self, event: str, **fields: Any) -> None: ...

    def warning(self, event: str, **fields: Any) -> None:
        self.last = f"{event} {fields}"

    def error(self, event: str, **fields: Any) -> None:
        self.last = f"{event} {fields}"
