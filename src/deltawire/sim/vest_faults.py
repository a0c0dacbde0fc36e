"""Faults of the simulated Vest that strike the moment they are armed: halts, thin and stale books, expired keys.

Faults of one order or answer are taken where they strike (vest_exchange, vest_api), those of streams in vest_streams.
"""

from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.vest_dice import VENUE
from deltawire.sim.vest_exchange import VestExchange
from deltawire.sim.vest_pool import HousePool
from deltawire.sim.vest_streams import StreamHub

_SIDES = {"bids": ("bids",), "asks": ("asks",), "both": ("bids", "asks")}


def strike_at_once(exchange: VestExchange, hub: StreamHub, faults: Faults, call_later: CallLater) -> None:
    """Carry out these faults from now on. A base the venue does not list leaves the fault armed, visibly."""

    def on_armed(fault: Fault) -> None:
        if fault.kind == "expire_listen_key" and taken(fault):
            exchange.accounts.expire_listen_keys()
            hub.listen_keys_expired()
        elif fault.kind == "expire_token" and taken(fault):
            exchange.accounts.expire_sessions()
        elif fault.kind == "close_position" and taken(fault):
            exchange.close_positions()
        elif fault.kind in {"halt", "thin_book", "stale_book"}:
            base = fault.params.get("base", "")
            struck = [pool for pool in exchange.pools.values() if base in {"", pool.rules.base}]
            if struck and taken(fault):
                _strike(struck, fault, call_later)

    def taken(fault: Fault) -> bool:
        return faults.take(VENUE, fault.kind, lambda armed: armed is fault) is not None

    faults.listen(VENUE, on_armed)


def _strike(pools: list[HousePool], fault: Fault, call_later: CallLater) -> None:
    sides = _SIDES[fault.params.get("side", "both")]

    def set_all(*, on: bool) -> None:
        for pool in pools:
            if fault.kind == "halt":
                pool.halted = on
            elif fault.kind == "stale_book":
                pool.stale = on
            else:
                pool.missing_sides = sides if on else ()
                pool.remake()

    set_all(on=True)
    if "ms" in fault.params:
        call_later(fault.params["ms"] / 1000, lambda: set_all(on=False))
