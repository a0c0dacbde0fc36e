"""The simulators' YAML file: the knobs a person turns, each optional, read into SimSettings. See docs/venues/sim.md.

What is not in the file keeps the default of the code. A market listed under a venue replaces that venue's default list.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from deltawire.config import fields as f
from deltawire.config.errors import ConfigError
from deltawire.config.load import check_model
from deltawire.config.model import Section
from deltawire.config.source import Source, read_source
from deltawire.core.money import E8
from deltawire.sim.basis import BasisSettings
from deltawire.sim.faults import KINDS, Fault, Faults, ParamKind
from deltawire.sim.network import Link, PortLinks
from deltawire.sim.paradex_maintenance import Release
from deltawire.sim.paradex_rules import Fees, MarketRules, ParadexSimSettings
from deltawire.sim.scenario import PlannedFault, plan_of
from deltawire.sim.settings import WALK_BASES, SimSettings
from deltawire.sim.synthetic import paradex_rules, synthetic_bases, vest_rules
from deltawire.sim.vest_settings import VestMarketRules, VestSimSettings
from deltawire.sim.walk import WalkSettings

EXAMPLE = "docs/venues/sim.md"

_BASIS, _PARADEX, _VEST, _ALL = BasisSettings(), ParadexSimSettings(), VestSimSettings(), SimSettings()


class BasisFile(Section):
    level_e8: f.SignedBps = Field(default=_BASIS.level_e8, alias="level_bps")
    height_min_e8: f.Bps = Field(default=_BASIS.height_min_e8, alias="height_min_bps")
    height_max_e8: f.Bps = Field(default=_BASIS.height_max_e8, alias="height_max_bps")
    period_ns: f.PositiveMs = Field(default=_BASIS.period_ns, alias="period_ms")
    ramp_ns: f.PositiveMs = Field(default=_BASIS.ramp_ns, alias="ramp_ms")
    hold_min_ns: f.Ms = Field(default=_BASIS.hold_min_ns, alias="hold_min_ms")
    hold_max_ns: f.Ms = Field(default=_BASIS.hold_max_ns, alias="hold_max_ms")
    alternate: bool = _BASIS.alternate


class ParadexMarketFile(Section):
    base: f.Name
    symbol: f.Symbol
    price_tick_e8: f.Size = Field(alias="price_tick")
    size_step_e8: f.Size = Field(alias="size_step")
    size_max_e8: f.Size = Field(default=1_000 * E8, alias="size_max")
    position_max_e8: f.Size = Field(default=10_000 * E8, alias="position_max")
    notional_min_e8: f.Usd = Field(default=10 * E8, alias="notional_min_usd")


class ParadexFile(Section):
    fee_maker_e8: f.SignedBps = Field(default=_PARADEX.fees_pro.maker_e8, alias="fee_maker_bps")
    fee_taker_e8: f.SignedBps = Field(default=_PARADEX.fees_pro.taker_e8, alias="fee_taker_bps")
    funding_rate_e8: f.SignedBps = Field(default=_PARADEX.funding_rate_e8, alias="funding_bps_8h")
    retail_delay_ms: f.CountMs = round(_PARADEX.retail_delay_s * 1_000)
    cancel_queue_ms: f.CountMs = round(_PARADEX.cancel_queue_s * 1_000)
    open_orders_max: f.OneTo10000 = _PARADEX.open_orders_max
    news_as_json: f.Flag = _PARADEX.private_as_json  # "private" in a key would look like a secret
    tells_new: f.Flag = _PARADEX.tells_new
    verify_orders: f.Flag = _PARADEX.verify_orders
    heartbeat_idle_ms: f.CountMs = round(_PARADEX.heartbeat_idle_s * 1_000)
    unsubscribed_max_ms: f.CountMs = round(_PARADEX.unsubscribed_max_s * 1_000)
    release_window: f.Flag = _PARADEX.release is not None
    rpi_orders: f.Flag = _PARADEX.rpi_orders
    depth_levels: f.OneTo16 = _PARADEX.depth.levels  # of the recorded market on each side, the best included
    rpi_improve_e8: f.Bps = Field(default=_PARADEX.depth.rpi_improve_e8, alias="rpi_improve_bps")
    markets: tuple[ParadexMarketFile, ...] | None = None


class VestMarketFile(Section):
    """Its symbol is made of the base: BTC-PERP."""

    base: f.Name
    size_decimals: f.UpTo8
    price_decimals: f.UpTo8
    fee_taker_e8: f.SignedBps = Field(default=VestMarketRules("", 0, 0).taker_fee_e8, alias="fee_taker_bps")
    isolated: f.Flag = False


class VestFile(Section):
    depth_median_ms: f.CountMs = _VEST.depth_median_ms
    depth_p90_ms: f.CountMs = _VEST.depth_p90_ms
    execution_min_ms: f.CountMs = _VEST.execution_delay_ms[0]
    execution_max_ms: f.CountMs = _VEST.execution_delay_ms[1]
    account_min_ms: f.CountMs = _VEST.account_delay_ms[0]  # until a fill shows in /account
    account_max_ms: f.CountMs = _VEST.account_delay_ms[1]
    accepts_ioc: f.Flag = _VEST.accepts_ioc
    price_check_code: Annotated[int, f.one_of_counts(3001, 3011)] = _VEST.price_check_code
    rate_limit: f.UpTo10000 = _VEST.rate_limit  # requests a second of one API key; 0: none
    connection_idle_ns: f.Seconds = Field(default=int(_VEST.keepalive_s * 10**9), alias="connection_idle_s")
    funding_at_million_e8: f.Bps = Field(default=_VEST.funding_rate_at_million_e8, alias="funding_bps_at_million")
    markets: tuple[VestMarketFile, ...] | None = None


class LinkFile(Section):
    up_ns: f.Ms = Field(default=0, alias="up_ms")
    down_ns: f.Ms = Field(default=0, alias="down_ms")
    jitter_up_ns: f.Ms = Field(default=0, alias="jitter_up_ms")
    jitter_down_ns: f.Ms = Field(default=0, alias="jitter_down_ms")
    kilobytes_per_s: f.OneTo1000000 | None = None

    def link(self) -> Link:
        bytes_per_s = None if self.kilobytes_per_s is None else self.kilobytes_per_s * 1000
        return Link(self.up_ns, self.down_ns, self.jitter_up_ns, self.jitter_down_ns, bytes_per_s)


class PortFile(LinkFile):
    connections: dict[f.OneTo10000, LinkFile] = Field(default_factory=dict)

    def links(self) -> PortLinks:
        return PortLinks(self.link(), {number: own.link() for number, own in self.connections.items()})


class VenueNetworkFile(Section):
    rest: PortFile | None = None
    ws: PortFile | None = None


class NetworkFile(Section):
    paradex: VenueNetworkFile = VenueNetworkFile()
    vest: VenueNetworkFile = VenueNetworkFile()


class FaultFile(Section):
    venue: str
    kind: str
    count: f.OneTo10000 = 1
    params: dict[str, str] = Field(default_factory=dict)
    at_ns: f.Ms | None = Field(default=None, alias="at_ms")
    at_order: f.OneTo10000 | None = None
    on_first: str | None = None


class SimFile(Section):
    seed: f.Seed = _ALL.seed
    accounts: f.OneTo100 = _ALL.accounts
    collateral_e8: f.Usd = Field(default=_ALL.collateral_e8, alias="collateral_usd")
    speed_e8: f.Factor = Field(default=_ALL.speed_e8, alias="speed")
    rtt_ns: f.Ms = Field(default=_ALL.rtt_ns, alias="rtt_ms")
    jitter_ns: f.Ms = Field(default=_ALL.jitter_ns, alias="jitter_ms")
    walk: bool = False
    walk_interval_ns: f.PositiveMs = Field(default=WalkSettings().interval_ns, alias="walk_interval_ms")
    synthetic_markets: f.UpTo100 = 0
    network: NetworkFile = NetworkFile()
    faults: tuple[FaultFile, ...] = ()
    basis: BasisFile = BasisFile()
    paradex: ParadexFile = ParadexFile()
    vest: VestFile = VestFile()


def load_settings(path: Path) -> SimSettings:
    """Read and check the file. Raises ConfigError naming file, line, key, what is wrong and what would be right."""
    maker = f"write one as {EXAMPLE} shows, leave --config away for the defaults"
    source = read_source(path, harmless=frozenset({"seed"}), maker=maker)
    file = check_model(source, SimFile, EXAMPLE)
    try:
        basis = BasisSettings(**file.basis.model_dump())
    except ValueError as e:
        raise ConfigError([source.problem(("basis",), str(e), f"see {EXAMPLE} for the shape of a hump")]) from e
    for venue, markets in (("paradex", file.paradex.markets), ("vest", file.vest.markets)):
        _check_bases(source, venue, [market.base for market in markets or ()])
        if file.synthetic_markets and markets is not None:
            raise ConfigError(
                [source.problem((venue, "markets"), "stands beside synthetic_markets", "keep one of the two")]
            )
    made_up = synthetic_bases(file.synthetic_markets)
    vest = file.vest
    if vest.execution_min_ms > vest.execution_max_ms:
        found = f"is above execution_max_ms ({vest.execution_max_ms})"
        raise ConfigError([source.problem(("vest", "execution_min_ms"), found, "make it no larger")])
    if vest.account_min_ms > vest.account_max_ms:
        found = f"is above account_max_ms ({vest.account_max_ms})"
        raise ConfigError([source.problem(("vest", "account_min_ms"), found, "make it no larger")])
    if not 0 < vest.depth_median_ms <= vest.depth_p90_ms:
        found = f"is not within 1 and depth_p90_ms ({vest.depth_p90_ms})"
        raise ConfigError([source.problem(("vest", "depth_median_ms"), found, "set both, the median first")])
    return SimSettings(
        seed=file.seed,
        accounts=file.accounts,
        collateral_e8=file.collateral_e8,
        speed_e8=file.speed_e8,
        rtt_ns=file.rtt_ns,
        jitter_ns=file.jitter_ns,
        network=_network(file.network),
        faults=tuple(_planned(source, at, line) for at, line in enumerate(file.faults)),
        basis=basis,
        walk=made_up or (WALK_BASES if file.walk else None),
        walk_settings=WalkSettings(interval_ns=file.walk_interval_ns),
        paradex=_paradex(file.paradex, made_up),
        vest=_vest(file.vest, made_up),
    )


def _network(file: NetworkFile) -> dict[tuple[str, str], PortLinks]:
    ports = {
        (venue, name): port
        for venue, of_venue in (("paradex", file.paradex), ("vest", file.vest))
        for name, port in (("rest", of_venue.rest), ("ws", of_venue.ws))
    }
    return {at: port.links() for at, port in ports.items() if port is not None}


def _planned(source: Source, at: int, line: FaultFile) -> PlannedFault:
    kinds = KINDS.get(line.kind, {})
    params = {name: _param(text, kinds.get(name)) for name, text in line.params.items()}
    try:
        fault = Fault(line.venue, line.kind, line.count, params)
        Faults().check(fault)
        return plan_of(fault, at_ns=line.at_ns, at_order=line.at_order, on_first=line.on_first)
    except ValueError as e:
        raise ConfigError([source.problem(("faults", at), str(e), f"see the table of faults in {EXAMPLE}")]) from e


def _param(text: str, wanted: ParamKind | None) -> int | str:
    return int(text) if wanted is int and text.isascii() and text.isdecimal() and len(text) <= 15 else text


def _check_bases(source: Source, venue: str, bases: list[str]) -> None:
    """Refuse a market nobody would quote, and one listed twice."""
    for at, base in enumerate(bases):
        if base not in WALK_BASES:
            wrong, right = f'"{base}" has no quotes in the market', f"write one of {', '.join(WALK_BASES)}"
        elif base in bases[:at]:
            wrong, right = f'"{base}" is there twice', "keep one of the two"
        else:
            continue
        raise ConfigError([source.problem((venue, "markets", at, "base"), wrong, right)])


def _paradex(file: ParadexFile, made_up: Collection[str]) -> ParadexSimSettings:
    settings = replace(
        _PARADEX,
        fees_pro=Fees(maker_e8=file.fee_maker_e8, taker_e8=file.fee_taker_e8),
        release=Release() if file.release_window else None,
        funding_rate_e8=file.funding_rate_e8,
        retail_delay_s=file.retail_delay_ms / 1_000,
        cancel_queue_s=file.cancel_queue_ms / 1_000,
        open_orders_max=file.open_orders_max,
        private_as_json=file.news_as_json,
        tells_new=file.tells_new,
        verify_orders=file.verify_orders,
        heartbeat_idle_s=file.heartbeat_idle_ms / 1_000,
        unsubscribed_max_s=file.unsubscribed_max_ms / 1_000,
        rpi_orders=file.rpi_orders,
        depth=replace(_PARADEX.depth, levels=file.depth_levels, rpi_improve_e8=file.rpi_improve_e8),
    )
    if made_up:
        return replace(settings, markets=tuple(paradex_rules(base) for base in made_up))
    if file.markets is None:
        return settings
    return replace(settings, markets=tuple(MarketRules(**market.model_dump()) for market in file.markets))


def _vest(file: VestFile, made_up: Collection[str]) -> VestSimSettings:
    settings = replace(
        _VEST,
        depth_median_ms=file.depth_median_ms,
        depth_p90_ms=file.depth_p90_ms,
        execution_delay_ms=(file.execution_min_ms, file.execution_max_ms),
        account_delay_ms=(file.account_min_ms, file.account_max_ms),
        accepts_ioc=file.accepts_ioc,
        price_check_code=file.price_check_code,
        rate_limit=file.rate_limit,
        keepalive_s=file.connection_idle_ns / 1e9,
        funding_rate_at_million_e8=file.funding_at_million_e8,
    )
    if made_up:
        return replace(settings, markets=tuple(vest_rules(base) for base in made_up))
    if file.markets is None:
        return settings
    markets = tuple(
        VestMarketRules(
            market.base,
            market.size_decimals,
            market.price_decimals,
            taker_fee_e8=market.fee_taker_e8,
            isolated=market.isolated,
        )
        for market in file.markets
    )
    return replace(settings, markets=markets)
