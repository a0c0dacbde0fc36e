"""Faults of the simulated network before one venue: cut connections, frozen ones, a slow line.

They know bytes, not frames. What the chosen byte is in the middle of follows from who sends what: a connection for
orders sends up only when it orders, so `up` after few bytes is a request never read whole, `down` after none an order
carried out without an answer, `down` after a few an answer cut in mid-frame.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from deltawire.sim.clock import CallLater
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.network import DelayProxy, Link, PortLinks, ProxiedConnection

KINDS = ("cut", "freeze", "slow_network")
_MS_NS = 10**6


def strike_network(venue: str, ports: Mapping[str, DelayProxy], faults: Faults, call_later: CallLater) -> None:
    """Carry out the network's faults from now on. ports: "rest" and "ws"; none: such a fault is refused when armed.

    One for a connection yet to open strikes when it opens; one for all strikes those open now, and stays armed,
    visibly, when there is none.
    """
    if ports:
        _NetworkFaults(venue, ports, faults, call_later)
    else:
        why = f"there is no simulated network before {venue}; set rtt_ms or network in the settings"
        faults.forbid(venue, KINDS, why)


class _NetworkFaults:
    def __init__(self, venue: str, ports: Mapping[str, DelayProxy], faults: Faults, call_later: CallLater) -> None:
        self._venue, self._ports, self._faults, self._call_later = venue, ports, faults, call_later
        for name, proxy in ports.items():
            proxy.on_connection = partial(self._on_connection, name)
        faults.listen(venue, self._on_armed)

    def _on_armed(self, fault: Fault) -> None:
        if fault.kind == "slow_network" and self._take(fault):
            _slow_down(self._ports, fault, self._call_later)
        elif fault.kind in {"cut", "freeze"}:
            number = fault.params.get("connection")
            struck = [c for c in self._ports[fault.params["port"]].connections if number in {None, c.number}]
            if struck and self._take(fault):
                for connection in struck:
                    _strike(connection, fault)

    def _on_connection(self, port: str, connection: ProxiedConnection) -> None:
        """Strike with what waits for this number."""
        for kind in ("cut", "freeze"):
            fault = self._faults.take(self._venue, kind, lambda armed: _names(armed, port, connection.number))
            if fault is not None:
                _strike(connection, fault)

    def _take(self, fault: Fault) -> bool:
        return self._faults.take(self._venue, fault.kind, lambda armed: armed is fault) is not None


def _names(fault: Fault, port: str, number: int) -> bool:
    return fault.params["port"] == port and fault.params.get("connection") == number


def _strike(connection: ProxiedConnection, fault: Fault) -> None:
    if fault.kind == "freeze":
        connection.freeze()
    elif fault.params["way"] == "up":
        connection.cut_after_up(fault.params["bytes"])
    else:
        connection.cut_after_down(fault.params["bytes"])


def _slow_down(ports: Mapping[str, DelayProxy], fault: Fault, call_later: CallLater) -> None:
    """Put one link in place of all, and bring back what was there before after the fault's time."""
    usual = {name: proxy.links for name, proxy in ports.items()}
    for proxy in ports.values():
        proxy.links = PortLinks(_slower(proxy.links.link, fault))

    def recover() -> None:
        for name, proxy in ports.items():
            proxy.links = usual[name]

    if "ms" in fault.params:
        call_later(fault.params["ms"] / 1000, recover)


def _slower(link: Link, fault: Fault) -> Link:
    given = {name: ms * _MS_NS for name, ms in fault.params.items() if name != "ms"}
    jitter_ns = given.get("jitter_ms")
    return replace(
        link,
        up_ns=given.get("up_ms", link.up_ns),
        down_ns=given.get("down_ms", link.down_ns),
        jitter_up_ns=link.jitter_up_ns if jitter_ns is None else jitter_ns,
        jitter_down_ns=link.jitter_down_ns if jitter_ns is None else jitter_ns,
    )
