"""Faults of the simulated Paradex that strike the moment they are armed: expired tokens, busts, states of the system.

Faults of one order are taken in paradex_gateway, of streams and books in paradex_streams, of reads in paradex_rest.
"""

from deltawire.sim.faults import Fault, Faults
from deltawire.sim.paradex_exchange import ParadexExchange
from deltawire.sim.paradex_gateway import VENUE
from deltawire.sim.paradex_maintenance import Releases
from deltawire.sim.paradex_streams import Streams
from deltawire.sim.paradex_tokens import Tokens


def strike_at_once(
    exchange: ParadexExchange, tokens: Tokens, streams: Streams, faults: Faults, releases: Releases
) -> None:
    """Carry out these faults from now on. A bust with nothing to take back stays armed, visibly."""

    def on_armed(fault: Fault) -> None:
        if fault.kind == "expire_token" and taken(fault):
            tokens.expire()
        elif fault.kind == "maintenance" and taken(fault):
            mode = fault.params.get("mode", "maintenance")
            for_s = fault.params["ms"] / 1000 if "ms" in fault.params else None
            if mode == "release":
                releases.play(for_s)
            else:
                releases.set(mode, for_s)
        elif fault.kind == "close_position" and taken(fault):
            exchange.close_positions()
        elif fault.kind == "bust" and any(account.fills for account in exchange.accounts.values()) and taken(fault):
            for bust in exchange.bust_last_fills():
                streams.publish_bust(bust)

    def taken(fault: Fault) -> bool:
        return faults.take(VENUE, fault.kind, lambda armed: armed is fault) is not None

    faults.listen(VENUE, on_armed)
