"""Settings of the Vest adapter, each with its reason. Hosts and contracts are settings: the venue has moved before."""

from dataclasses import dataclass, field
from enum import Enum

from deltawire.core.secret import Secret
from deltawire.core.types import Purpose
from deltawire.net.api import PoolSettings

# The production contract of the registration proof; a public address (Vest API v2 notes, section 1).
PRODUCTION_CONTRACT = "0x919386306C47b2Fe1036e3B4F7C40D22D2461a23"


class OrderStyle(Enum):
    """As what an immediate order with a cap is sent. Each was used live; only MARKET and FOK are documented."""

    MARKET = "market"  # executes now, or is rejected for its limitPrice
    LIMIT_FOK = "limit_fok"  # a trigger on the index as well: the index must be within the cap, not only the price
    LIMIT_IOC = "limit_ioc"  # undocumented: sent live for days, and nobody knows whether it is honoured or ignored


# What closes a position: it may reach the venue later than an entry, and is the only kind that may be reduce-only.
CLOSING = frozenset({Purpose.EXIT, Purpose.UNWIND})


@dataclass(frozen=True, slots=True)
class VestSettings:
    """What one adapter needs. The signing key is not here: each start makes a fresh one, approved by the primary."""

    rest_url: str  # with the version path, such as https://host/v2
    ws_url: str  # without a query
    primary_address: str
    primary_private_key: Secret
    symbols: tuple[str, ...]
    verifying_contract: str = PRODUCTION_CONTRACT
    # The venue drops an order older than this. What opens a position (an entry, the repair of one) must die when it is
    # late; a close is still wanted then. Eight times the slowest seen live: longer would only put off the moment at
    # which a close that was lost may be sent anew (with the lag below 5 s, the usual bound of one leg alone).
    recv_window_ms: int = 1_500
    exit_recv_window_ms: int = 3_000
    order_style: OrderStyle = OrderStyle.MARKET
    leverage: int | None = None  # set at start on every symbol when given
    # Reports clash on whether the venue refuses reduceOnly closes (section 9): off, the size does the work.
    send_reduce_only: bool = False
    pool: PoolSettings = field(default_factory=PoolSettings)
    ws_headers: tuple[tuple[str, str], ...] = ()  # some readers needed User-Agent and Origin to pass the edge

    # When the private stream has not ended an order this long after its acknowledgement, it is read over REST.
    fill_poll_after_ms: int = 800  # fills come 50 to 400 ms after the order; an event needs its own way back
    fill_poll_interval_ms: int = 500  # the pace that worked live
    fill_polls: int = 6
    # "No such order" is believed this long after the receive window has closed on it: lists lag behind orders.
    look_up_lag_ms: int = 2_000
    clock_offset_max_ms: int = 500  # signatures carry our time, and the receive window must bear the difference

    rest_timeout_s: float = 5.0
    connect_timeout_s: float = 5.0
    ping_interval_s: float = 15.0
    silence_s: float = 35.0  # no frame of any kind, pings answered or not: two pings missed, the socket is dead
    channel_silence_s: float = 10.0  # a depth channel without a frame: asked for again (gaps are 0.8 s at p90)
    reconnect_floor_s: float = 0.5
    reconnect_ceiling_s: float = 5.0
    listen_key_renew_s: float = 1_800.0  # it lives 60 min; half leaves room for retries
    registration_days: int = 7  # as the documents and live use have it; longer is untried
    register_tries: int = 3
    register_retry_s: float = 1.0
    register_pause_s: float = 10.0  # least time between two registrations that refused calls ask for

    def window_ms(self, purpose: Purpose) -> int:
        """Return how long after its signature the venue still takes an order of this purpose."""
        return self.exit_recv_window_ms if purpose in CLOSING else self.recv_window_ms

    @property
    def window_ms_max(self) -> int:
        return max(self.recv_window_ms, self.exit_recv_window_ms)

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ValueError("no symbols, want at least one")
        if self.registration_days < 2:
            raise ValueError(f"registration_days {self.registration_days}, want 2 or more: it is renewed a day ahead")
