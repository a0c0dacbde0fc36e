"""Carries out the faults of a plan when their moment has come, and ends them all when it is to be calm.

Faults of the simulated venues are armed there; those of network, clock, disk and process are carried out here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from deltawire.faultrun.disk import Disk
from deltawire.faultrun.kinds import S_NS, VENUES, Strike
from deltawire.faultrun.loop import VirtualClock, VirtualLoop
from deltawire.faultrun.plan import Plan
from deltawire.faultrun.process import Process
from deltawire.faultrun.wire import MS_NS, Route, Way, Wire
from deltawire.sim.faults import Fault, Faults
from deltawire.sim.vest_exchange import VestExchange

SLOW_DISK_FOR_NS, SLOW_SYNC_FOR_NS = 2 * S_NS, 5 * S_NS


class Supervised(Protocol):
    """The bot's process, whichever run it is."""

    @property
    def process(self) -> Process | None: ...
    def kill(self, why: str, *, keep_e8: int | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Striker:
    plan: Plan
    loop: VirtualLoop
    faults: Faults
    vest: VestExchange
    routes: Mapping[str, Mapping[str, Route]]
    disk: Disk
    clock: VirtualClock  # the bot's
    supervised: Supervised
    later: Callable[[int, Callable[[], None]], object]  # (ns from now, what), in the world's context
    struck: Callable[[str], None]  # counts a fault that took effect

    def strike(self, strike: Strike) -> None:
        """Let it happen now."""
        family, _, kind = strike.kind.partition(".")
        params: dict[str, Any] = dict(strike.params)
        if family in VENUES:
            self.faults.add(Fault(family, kind, params.pop("count", 1), params))
            return
        getattr(self, f"_{family}_{kind}")(**params)

    def _wires(self, venue: str, port: str) -> list[Wire]:
        return list(self.routes[venue][port].wires)

    def _net_cut(self, venue: str, port: str, *, lose_up: bool, lose_down: bool) -> None:
        lose = tuple(way for way, lost in ((Way.UP, lose_up), (Way.DOWN, lose_down)) if lost)
        for wire in self._wires(venue, port):
            self.struck("net.cut")
            wire.cut(lose=lose)

    def _net_cut_next(self, venue: str, port: str, way: str, where: str) -> None:
        for wire in self._wires(venue, port)[-1:]:
            self.struck(f"net.cut_next {where} {way}")
            wire.cut_at_next(Way(way), where)

    def _net_cut_order(self, venue: str, where: str, late_ms: int = 0) -> None:
        """Cut every connection that may carry the venue's next order, at the next thing it carries up."""
        for wire in self._wires(venue, "ws" if venue == "paradex" else "rest"):
            self.struck(f"net.cut_order {where}")
            wire.cut_at_next(Way.UP, where, late_ms * MS_NS)

    def _net_goodbye(self, venue: str, writes: int, ms: int, *, dark: bool) -> None:
        """Let the venue end its HTTP connections while the bot is held up by a write, and take no new ones for a while.

        The bot learns that nothing of an order has left, or could leave, only in the moment it wants to send it.
        """
        route = self.routes[venue]["rest"]

        def leave() -> None:
            self.struck("net.goodbye")
            for wire in list(route.wires):
                wire.cut()
            route.dark, route.closed = dark, not dark
            self.later(ms * MS_NS, route.light_up)
            self.later(ms * MS_NS, route.reopen)
            self.loop.stall(route.delay_ns[Way.DOWN] + route.jitter_ns + MS_NS)

        self.disk.before_in, self.disk.before = writes, leave

    def _net_garble(self, venue: str, port: str) -> None:
        for wire in self._wires(venue, port):
            self.struck("net.garble")
            wire.garble_next(Way.DOWN)

    def _net_freeze(self, venue: str, port: str) -> None:
        for wire in self._wires(venue, port):
            self.struck("net.freeze")
            wire.freeze()

    def _net_refuse(self, venue: str, port: str, ms: int) -> None:
        route = self.routes[venue][port]
        route.closed = True
        self.struck("net.refuse")
        for wire in list(route.wires):
            wire.cut()
        self.later(ms * MS_NS, route.reopen)

    def _net_dark(self, venue: str, ms: int) -> None:
        """Lose a venue altogether for a while: nothing passes and nothing is answered."""
        self.struck("net.dark")
        for route in self.routes[venue].values():
            route.dark = True
            for wire in list(route.wires):
                wire.freeze()
            self.later(ms * MS_NS, route.light_up)

    def _net_slow(self, venue: str, port: str, delay_ms: int, ms: int, way: str = "both") -> None:
        route = self.routes[venue][port]
        usual = self.plan.delay_ns[venue]
        self.struck("net.slow")
        slowed = tuple(Way) if way == "both" else (Way(way),)
        route.delay_ns = dict.fromkeys(Way, usual) | dict.fromkeys(slowed, delay_ms * MS_NS)
        self.later(ms * MS_NS, partial(setattr, route, "delay_ns", dict.fromkeys(Way, usual)))

    def _clock_step(self, ms: int) -> None:
        self.struck("clock.step")
        self.clock.step_ns += ms * MS_NS

    def _disk_full(self, ms: int, *, part: bool) -> None:
        self.disk.full, self.disk.full_part = True, part
        self.later(ms * MS_NS, self.disk.make_room)

    def _disk_slow(self, ms: int) -> None:
        self.disk.stall_ns = ms * MS_NS
        self.later(SLOW_DISK_FOR_NS, partial(setattr, self.disk, "stall_ns", 0))

    def _disk_slow_sync(self, ms: int) -> None:
        self.disk.sync_ns = ms * MS_NS
        self.later(SLOW_SYNC_FOR_NS, partial(setattr, self.disk, "sync_ns", 0))

    def _crash_at_write(self, writes: int, where: str) -> None:
        self.disk.crash_in, self.disk.crash_where = writes, where

    def _crash_now(self) -> None:
        self.struck("crash.now")
        self.supervised.kill("from outside")

    def _crash_power(self, keep_e8: int) -> None:
        self.struck("crash.power")
        self.supervised.kill("with the power", keep_e8=keep_e8)

    def _hand_close(self) -> None:
        """Close what is on at both venues, as a person or a guardian does."""
        self.struck("hand.close")
        for venue in VENUES:
            self.faults.add(Fault(venue, "close_position"))

    def _crash_busy(self, ms: int) -> None:
        self.struck("crash.busy")
        self.loop.stall(ms * MS_NS)

    def _bot_stop(self) -> None:
        process = self.supervised.process
        if process is not None and process.running:
            self.struck("bot.stop")
            process.stop()

    def _bot_flatten(self, ms: int) -> None:
        process = self.supervised.process
        if process is None or process.bot is None or not process.running:
            return
        self.struck("bot.flatten")
        process.call(process.bot.flatten("flatten"))
        self.later(ms * MS_NS, process.resume)

    def _bot_arm(self) -> None:
        process = self.supervised.process
        if process is not None and process.running:
            self.struck("bot.arm")
            process.arm()

    def heal(self) -> None:
        """End all faults: from here on the world is good, and the bot must find its way back."""
        self.faults.clear()
        for pool in self.vest.pools.values():
            pool.halted = False
        self.disk.full, self.disk.stall_ns, self.disk.sync_ns, self.disk.crash_in = False, 0, 0, 0
        self.disk.before_in = 0
        self.clock.step_ns = 0
        for venue, routes in self.routes.items():
            for route in routes.values():
                route.closed = route.dark = False
                route.late_one_in = 0
                route.delay_ns = dict.fromkeys(Way, self.plan.delay_ns[venue])
                for wire in route.wires:
                    wire.mend()
