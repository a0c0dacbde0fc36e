"""What one run of the simulators is: market, network, accounts, both venues. Plain data; settings_file.py reads YAML.

The defaults play the recording as it was, with a hump of basis every 45 s, over a network without delay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltawire.core.money import E8
from deltawire.sim.basis import BasisSettings
from deltawire.sim.network import PortLinks
from deltawire.sim.paradex_rules import ParadexSimSettings
from deltawire.sim.scenario import PlannedFault
from deltawire.sim.vest_settings import VestSimSettings
from deltawire.sim.walk import WalkBase, WalkSettings

# The recording's bases, near its prices, for a generated market.
WALK_BASES: Mapping[str, WalkBase] = {
    "BTC": WalkBase(61_800 * E8, E8 // 10, 2 * E8),
    "ETH": WalkBase(2_680 * E8, E8 // 100, 20 * E8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """Money in 1e-8 USD, speed in 1e-8 of the recorded one, times in ns."""

    seed: int = 1  # of the basis, a walk, the network's jitter and the venues' delays
    accounts: int = 1
    collateral_e8: int = 100_000 * E8  # of each account, at each venue
    speed_e8: int = E8
    rtt_ns: int = 0  # added round trip to every port of both venues
    jitter_ns: int = 0  # at most this much more, drawn for each direction
    # (venue, "rest" or "ws") -> the network there, in place of the two above
    network: Mapping[tuple[str, str], PortLinks] = field(default_factory=dict)
    faults: tuple[PlannedFault, ...] = ()
    basis: BasisSettings = field(default_factory=BasisSettings)
    walk: Mapping[str, WalkBase] | None = None  # None: the recording
    walk_settings: WalkSettings = field(default_factory=WalkSettings)
    paradex: ParadexSimSettings = field(default_factory=ParadexSimSettings)
    vest: VestSimSettings = field(default_factory=VestSimSettings)  # its seed is replaced by the one above
