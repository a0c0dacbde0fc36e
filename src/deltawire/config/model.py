"""The settings of one bot. A field's alias is its key in the file; its name carries the unit of the int it holds.

Holds no secret (see secrets.py) and no venue rule: ticks, minimum sizes and fees are read from the venues.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from deltawire.config import fields as f
from deltawire.config.errors import closest
from deltawire.net.api import PoolSettings
from deltawire.venues.paradex.settings import BookFeed, OrderClass
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT, OrderStyle

VENUES = ("paradex", "vest")

_QUOTE_AGE_MS = "1500"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_S_NS = 10**9
_MS_NS = 10**6
_HELD_REPLY_NS_MIN = 500 * _MS_NS  # the venue's 300 ms on a Retail order, and the ways there and back


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mode(Enum):
    PAPER = "paper"  # live public data, orders filled here; needs no account
    TESTNET = "testnet"  # real orders, play money of the venue's
    LIVE = "live"


class LegOrder(Enum):
    BOTH = "both"  # both legs in one call
    HARDER_FIRST = "harder_first"  # the thinner side alone, the other for what it filled


class ArmAfterUnclean(Enum):
    MANUAL = "manual"  # after an unclean end a person says `deltawire arm` before anything is opened
    AUTO = "auto"


class LogFormat(Enum):
    HUMAN = "human"
    JSON = "json"


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


def _one_of(kind: type[Enum]) -> BeforeValidator:
    def read(value: Any) -> Enum:
        words = [member.value for member in kind]
        if value in words:
            return kind(value)
        guess = closest(str(value), words)
        raise f.refusal(f"{f.shown(value)} is not known", f"write {guess or ' or '.join(words)}")

    return BeforeValidator(read)


class PoolConfig(Section):
    """The warm HTTPS connections that carry orders."""

    connections: f.OneTo16 = 2
    keepalive_ns: f.Seconds = Field(default=10 * _S_NS, alias="keepalive_s")
    connect_timeout_ns: f.Seconds = Field(default=5 * _S_NS, alias="connect_timeout_s")
    request_timeout_ns: f.Seconds = Field(default=3 * _S_NS, alias="request_timeout_s")
    tcp_keepalive_ns: f.Seconds = Field(default=30 * _S_NS, alias="tcp_keepalive_s")
    dns_cache_ns: f.Seconds = Field(default=60 * _S_NS, alias="dns_cache_s")

    def settings(self) -> PoolSettings:
        return PoolSettings(
            connections=self.connections,
            keepalive_s=self.keepalive_ns / _S_NS,
            connect_timeout_s=self.connect_timeout_ns / _S_NS,
            request_timeout_s=self.request_timeout_ns / _S_NS,
            tcp_keepalive_s=self.tcp_keepalive_ns / _S_NS,
            dns_cache_s=self.dns_cache_ns / _S_NS,
        )


class ParadexConfig(Section):
    rest_url: f.HttpsUrl
    ws_url: f.WssUrl
    ca_file: f.CaFile | None = None  # trust this CA instead of the system's
    # How long after its signature the venue still takes an order: a late order is dropped, not filled late.
    recv_window_ns: f.RecvWindow = Field(default=1500 * _MS_NS, alias="recv_window_ms")
    # Retail pays no fee, and each of its orders and cancels waits 300 ms at the venue, at most 1000 a day. by_edge has
    # a connection of each: an entry is retail where waiting costs less than the fee, by how long edges have lasted.
    order_class: Annotated[OrderClass, _one_of(OrderClass)] = OrderClass.PRO
    book_feed: Annotated[BookFeed, _one_of(BookFeed)] = BookFeed.DELTAS
    sbe: f.Flag = True  # false: the channels' JSON form
    order_connections: f.OneTo4 = 1  # order sockets; the one with the shortest measured round trip carries orders
    feed_connections: f.OneTo4 = 1  # market data sockets with the same channels; the first copy of a frame wins
    state_poll_ns: f.Seconds = Field(default=5 * _S_NS, alias="state_poll_s")  # how often system/state is read
    release_ahead_ns: f.Seconds = Field(default=60 * _S_NS, alias="release_ahead_s")  # entries stop before 04:30 UTC

    @model_validator(mode="after")
    def _feed_fits_the_class(self) -> Self:
        if self.book_feed is BookFeed.INTERACTIVE and self.order_class is not OrderClass.RETAIL:
            raise f.refusal(
                "book_feed interactive shows liquidity that only retail orders can take",
                "write book_feed: deltas, or order_class: retail",
            )
        return self


class FillPollConfig(Section):
    """When an order's end is read over REST because the private stream has not told it."""

    after_ns: f.PositiveMs = Field(default=800 * _MS_NS, alias="after_ms")
    interval_ns: f.PositiveMs = Field(default=500 * _MS_NS, alias="interval_ms")
    tries: f.OneTo100 = 6


class VestConfig(Section):
    rest_url: f.HttpsUrl
    ws_url: f.WssUrl
    ca_file: f.CaFile | None = None
    verifying_contract: f.Address = PRODUCTION_CONTRACT  # the registration is signed for it; the venue has two
    # What opens a position dies when it is late; a close is still wanted then.
    recv_window_ns: f.RecvWindow = Field(default=1500 * _MS_NS, alias="recv_window_ms")
    exit_recv_window_ns: f.RecvWindow = Field(default=3000 * _MS_NS, alias="exit_recv_window_ms")
    order_style: Annotated[OrderStyle, _one_of(OrderStyle)] = OrderStyle.MARKET
    leverage: f.OneTo100 | None = None  # set at start on every market traded; the account's own when left out
    send_reduce_only: f.Flag = False
    ws_headers: f.Headers = Field(default_factory=dict)
    fill_poll: FillPollConfig = FillPollConfig()
    pool: PoolConfig = PoolConfig()


class VenuesConfig(Section):
    paradex: ParadexConfig
    vest: VestConfig


def _legs(value: Any) -> Any:
    right = "write one line for each of " + " and ".join(VENUES) + ": `<venue>: <market>`"
    if not isinstance(value, dict):
        raise f.refusal(f"{f.shown(value)} is not a section", right)
    for venue in value:
        if venue not in VENUES:
            guess = closest(venue, VENUES)
            raise f.refusal(f'"{venue}" is not a venue', f'did you mean "{guess}"?' if guess else right)
    if len(value) != len(VENUES):
        raise f.refusal(f"{len(value)} of {len(VENUES)} legs", right)
    return value


class PairConfig(Section):
    """One perpetual on two venues. Rates are 1e-8: one bps is 10_000."""

    id: f.Name
    legs: Annotated[dict[str, f.Symbol], BeforeValidator(_legs)]  # venue -> market, in the order of the file
    size_e8: f.Size = Field(alias="size")
    size_min_e8: f.Size = Field(alias="size_min")
    entry_edge_e8: f.Bps = Field(alias="entry_edge_bps")  # net of every cost below and of both fees, in and out
    exit_spread_e8: f.SignedBps = Field(alias="exit_spread_bps")  # close when closing costs no more than this
    confirm_updates: f.OneTo100 = 2
    confirm_ns: f.Ms = Field(default=0, alias="confirm_ms")
    hold_ns_max: f.Seconds = Field(default=3600 * _S_NS, alias="max_hold_s")
    # Of both legs together, an hour: above it nothing is opened, and what is open is closed.
    funding_hour_max_e8: f.Bps = Field(default=5 * 10**4, alias="funding_hour_bps_max")
    # No entries for so long after a trade that had to be given back, doubled by each further one in a row; 0: none.
    cooldown_ns: f.Ms = Field(default=5_000 * _MS_NS, alias="cooldown_ms")
    slippage_e8: f.Slippage = Field(default=2 * 10**4, alias="max_slippage_bps")
    funding_e8: f.SignedBps = Field(default=0, alias="funding_bps")  # expected over the hold; negative is received
    basis_e8: f.SignedBps = Field(default=0, alias="basis_bps")  # USD/USDC
    margin_e8: f.Bps = Field(default=0, alias="margin_bps")
    layers: f.OneTo10 = 1  # entries that may be open together, each a trade of its own
    layer_step_e8: f.Bps = Field(default=5 * 10**4, alias="layer_step_bps")  # each further one needs so much more edge
    leg_order: Annotated[LegOrder, _one_of(LegOrder)] = LegOrder.BOTH

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.size_min_e8 > self.size_e8:
            raise f.refusal("size_min is above size", "lower size_min or raise size")
        return self

    @model_validator(mode="after")
    def _entry_lies_above_exit(self) -> Self:
        # An entry needs a spread of exit_spread, both fees and all of these: under zero, the bot could open a pair at a
        # spread at which it would also close it, and pay the fees for nothing.
        if self.entry_edge_e8 + self.funding_e8 + self.basis_e8 + self.margin_e8 < 0:
            raise f.refusal(
                "entry_edge_bps with funding_bps, basis_bps and margin_bps is under 0: entries lie under exits",
                "raise entry_edge_bps",
            )
        return self


def _ages(value: Any) -> Any:
    if isinstance(value, dict):
        for venue in value:
            if venue not in VENUES:
                guess = closest(venue, VENUES) or " or ".join(VENUES)
                raise f.refusal(f'"{venue}" is not a venue', f"write {guess}")
        return {venue: value.get(venue, _QUOTE_AGE_MS) for venue in VENUES}
    raise f.refusal(f"{f.shown(value)} is not a section", "write `<venue>: <milliseconds>`, one line a venue")


class LimitsConfig(Section):
    """The one gate every order passes, and the bounds of a repair."""

    order_notional_max_e8: f.Usd = Field(alias="order_notional_max_usd")
    daily_loss_max_e8: f.Usd = Field(alias="daily_loss_max_usd")
    drawdown_max_e8: f.Usd = Field(default=10**6 * 10**8, alias="drawdown_max_usd")  # from the highest result
    inventory_max_e8: f.Usd = Field(default=10**6 * 10**8, alias="inventory_max_usd")  # notional on one venue
    edge_max_e8: f.Bps = Field(default=300 * 10**4, alias="edge_bps_max")  # beyond it the book is wrong
    free_margin_min_e8: f.Bps = Field(default=1000 * 10**4, alias="free_margin_bps_min")  # of equity, to open
    liquidation_min_e8: f.Bps = Field(default=500 * 10**4, alias="liquidation_bps_min")  # nearer, the pair is closed
    open_pairs_max: f.OneTo100
    orders_per_minute_max: f.OneTo10000 = 120
    quote_age_ns_max: Annotated[dict[str, f.PositiveMs], BeforeValidator(_ages)] = Field(
        default_factory=lambda: dict.fromkeys(VENUES, int(_QUOTE_AGE_MS) * _MS_NS), alias="quote_age_ms_max"
    )
    # Since a look at the accounts showed all of a pair's positions; beyond it the pair opens nothing.
    position_age_ns_max: f.PositiveMs = Field(default=10_000 * _MS_NS, alias="position_age_ms_max")
    book_spread_max_e8: f.Bps = Field(default=20 * 10**4, alias="book_spread_bps_max")
    # Of our clock from a venue's; beyond it entries stop.
    clock_offset_ns_max: f.PositiveMs = Field(default=500 * _MS_NS, alias="clock_offset_ms_max")
    unhedged_ns_max: f.PositiveMs = Field(default=5000 * _MS_NS, alias="max_unhedged_ms")
    repairs_max: f.UpTo10 = Field(default=2, alias="max_repairs")
    reply_timeout_ns: f.PositiveMs = Field(default=1500 * _MS_NS, alias="reply_timeout_ms")
    emergency_e8: f.Slippage = Field(default=50 * 10**4, alias="emergency_slippage_bps")

    @model_validator(mode="after")
    def _doubt_ends_before_the_alarm(self) -> Self:
        if self.reply_timeout_ns >= self.unhedged_ns_max:
            raise f.refusal(
                "reply_timeout_ms is not under max_unhedged_ms: a lost answer would use up all the time to hedge",
                "lower reply_timeout_ms or raise max_unhedged_ms",
            )
        return self


class JournalConfig(Section):
    dir: f.AnyPath  # the log itself
    url: f.JournalUrl = ""  # of the tables for questions: PostgreSQL; "" is SQLite in dir


class ControlConfig(Section):
    socket: f.SocketPath


class LogConfig(Section):
    file: f.AnyPath | None = None  # JSON lines, whatever the screen shows
    format: Annotated[LogFormat, _one_of(LogFormat)] = LogFormat.HUMAN  # of the lines on stderr
    level: Annotated[LogLevel, _one_of(LogLevel)] = LogLevel.INFO
    max_mb: f.OneTo10000 = 50  # a full file becomes .1, the older ones move up
    keep: f.OneTo100 = 5  # how many full files stay


class AlertsConfig(Section):
    """What `deltawire alert run` finds worth a message. Where they go is a secret: DELTAWIRE_ALERT_URLS."""

    repeat_ns: f.Seconds = Field(default=900 * _S_NS, alias="repeat_s")  # the same trouble is told so often
    per_hour_max: f.OneTo100 = 30
    bot_silent_ns: f.Seconds = Field(default=10 * _S_NS, alias="bot_silent_s")  # before the guardian acts
    venue_down_ns: f.Seconds = Field(default=30 * _S_NS, alias="venue_down_s")
    feed_stale_ns: f.Seconds = Field(default=30 * _S_NS, alias="feed_stale_s")
    free_margin_e8: f.Share = Field(default=2000 * 10**4, alias="free_margin_bps")  # of equity
    heartbeat_ns: f.Seconds = Field(default=86_400 * _S_NS, alias="heartbeat_s")  # a word that somebody is watching


class MetricsConfig(Section):
    """Where `deltawire metrics` answers Prometheus, on loopback."""

    port: f.Port | None = None  # left out: no endpoint


class GuardianConfig(Section):
    """The second process that closes both legs when the bot is silent."""

    silent_ns: f.Patience = Field(default=15 * _S_NS, alias="silent_s")
    journal_dir: f.AnyPath | None = None  # left out: beside the bot's journal
    log_file: f.AnyPath | None = None  # left out: beside the bot's log


class PaperConfig(Section):
    """The accounts of paper trading; read when they are made, that is with a new journal."""

    equity_e8: f.Usd = Field(default=10_000 * 10**8, alias="equity_usd")  # on each venue
    leverage: f.OneTo100 = 10


class LatencyConfig(Section):
    """What is done ahead so that a trigger finds it ready."""

    # Orders are signed ahead while the spread is within so much of what it needs; 0: only once it is there.
    presign_within_e8: f.Bps = Field(default=50 * 10**4, alias="presign_within_bps")
    # The loop spins instead of waiting in the kernel: some 45 us less a frame, and one core at 100 % for ever.
    never_sleep: f.Flag = False
    cpu: f.UpTo10000 | None = None  # the one that runs the loop; nothing else should: see isolcpus or cpusets


class BotConfig(Section):
    """All settings of one bot, read and checked: `load_config` makes it."""

    mode: Annotated[Mode, _one_of(Mode)] = Mode.PAPER
    arm_after_unclean: Annotated[ArmAfterUnclean, _one_of(ArmAfterUnclean)] = ArmAfterUnclean.MANUAL
    venues: VenuesConfig
    pairs: Annotated[tuple[PairConfig, ...], Field(min_length=1, max_length=100)]
    limits: LimitsConfig
    journal: JournalConfig
    control: ControlConfig
    log: LogConfig = LogConfig()
    guardian: GuardianConfig = GuardianConfig()
    metrics: MetricsConfig = MetricsConfig()
    paper: PaperConfig = PaperConfig()
    latency: LatencyConfig = LatencyConfig()
    alerts: AlertsConfig = AlertsConfig()

    def guardian_view(self) -> Self:
        """Return the settings the guardian closes with: the same pairs and venues, a journal and a log of its own."""
        beside = self.journal.dir.with_name(self.journal.dir.name + "-guardian")
        journal = self.journal.model_copy(update={"dir": self.guardian.journal_dir or beside})
        log = self.log.model_copy(update={"file": self.guardian_log_file})
        return self.model_copy(update={"journal": journal, "log": log})

    @property
    def guardian_log_file(self) -> Path | None:
        """Where the guardian writes its JSON lines: as set, else beside the bot's; None when neither has a file."""
        if self.guardian.log_file is not None or self.log.file is None:
            return self.guardian.log_file
        stem, dot, rest = self.log.file.name.partition(".")
        return self.log.file.with_name(f"{stem}-guardian{dot}{rest}")

    @property
    def is_paper(self) -> bool:
        return self.mode is Mode.PAPER

    @property
    def is_money(self) -> bool:
        """Whether this bot's orders cost money: live, and not on simulators."""
        return self.mode is Mode.LIVE and not self.is_simulated

    @property
    def is_simulated(self) -> bool:
        """Whether every venue is on this machine."""
        venues = self.venues
        urls = (venues.paradex.rest_url, venues.paradex.ws_url, venues.vest.rest_url, venues.vest.ws_url)
        return all(urlsplit(url).hostname in _LOOPBACK for url in urls)

    @model_validator(mode="after")
    def _play_money_has_its_own_journal(self) -> Self:
        """Let no mode count another's trades as its own: `journal` is live's, `journal-paper` that of paper.

        Its tables are in SQLite then: a database named in `url` is for money.
        """
        if self.mode is not Mode.LIVE:
            apart = self.journal.dir.with_name(f"{self.journal.dir.name}-{self.mode.value}")
            self.__dict__["journal"] = self.journal.model_copy(update={"dir": apart, "url": ""})  # the model is frozen
        return self

    @model_validator(mode="after")
    def _a_held_order_can_answer_in_time(self) -> Self:
        is_held = self.venues.paradex.order_class is not OrderClass.PRO
        if is_held and self.limits.reply_timeout_ns <= _HELD_REPLY_NS_MIN:
            raise f.refusal(
                f"limits.reply_timeout_ms is {self.limits.reply_timeout_ns // _MS_NS}, and retail orders are held for "
                "300 ms before they are answered to the end: each would be in doubt",
                f"raise it above {_HELD_REPLY_NS_MIN // _MS_NS}, or write venues.paradex.order_class: pro",
            )
        return self

    @model_validator(mode="after")
    def _pairs_are_apart(self) -> Self:
        used: dict[tuple[str, str], str] = {}
        ids: set[str] = set()
        for pair in self.pairs:
            if pair.id in ids:
                raise f.refusal(f'two pairs have the id "{pair.id}"', "give each pair its own")
            ids.add(pair.id)
            for leg in pair.legs.items():
                if leg in used:
                    raise f.refusal(
                        f'pairs "{used[leg]}" and "{pair.id}" both trade {leg[1]} on {leg[0]}, whose position is one',
                        "keep one of the two",
                    )
                used[leg] = pair.id
        return self

    @model_validator(mode="after")
    def _emergency_is_the_widest(self) -> Self:
        for pair in self.pairs:
            if pair.slippage_e8 > self.limits.emergency_e8:
                raise f.refusal(
                    f'max_slippage_bps of pair "{pair.id}" is above limits.emergency_slippage_bps',
                    "raise the emergency cap or lower the pair's",
                )
        return self
