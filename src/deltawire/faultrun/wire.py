"""One connection in memory: messages both ways, in order, each after its delay, and every way in which it can break.

A message is what its two ends agree on (bytes of HTTP, a WebSocket frame). TCP's rules hold: nothing is lost, repeated
or reordered inside a connection; what is lost is lost with the connection, and the two ends learn of it when word
reaches them, or never. Bytes under way when a connection is cut arrive or do not, as the caller says.
"""

import random
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from deltawire.faultrun.loop import VirtualLoop

MS_NS = 1_000_000


class Way(Enum):
    UP = "up"  # from the bot to the venue
    DOWN = "down"


class End(Protocol):
    """One end of a wire."""

    def on_data(self, data: Any) -> None: ...
    def on_end(self) -> None:
        """The connection is over; called at most once, and not after this end has closed it itself."""


@dataclass(slots=True, eq=False)
class Route:
    """The network before one port of a venue, and the connections that are open over it, oldest first."""

    name: str
    loop: VirtualLoop
    rng: random.Random
    delay_ns: dict[Way, int]
    jitter_ns: int = 0
    late_one_in: int = 0  # one message in so many comes late by up to late_ns; 0: none
    late_ns: int = 0
    closed: bool = False  # connecting is refused
    dark: bool = False  # connecting is never answered
    date_s: Callable[[], float] | None = None  # of the venue's HTTP answers; None: they carry none
    idle_close_ns: int = 0  # the venue ends an HTTP connection that was idle for so long; 0: never
    wires: list["Wire"] = field(default_factory=list)

    def reopen(self) -> None:
        self.closed = False

    def light_up(self) -> None:
        self.dark = False

    def draw_ns(self, way: Way) -> int:
        delay_ns = self.delay_ns[way] + self.rng.randrange(self.jitter_ns + 1)
        if self.late_one_in and self.rng.randrange(self.late_one_in) == 0:
            delay_ns += self.rng.randrange(self.late_ns + 1)
        return delay_ns


@dataclass(slots=True, eq=False)
class _Lane:
    """One way of a wire."""

    context: Context
    receiver: End | None = None
    open: bool = True  # takes what is written; False: writes vanish
    due_ns: int = 0  # when the last message arrives: the next one not before
    epoch: int = 0  # counts losses: what was sent before one does not arrive
    ended: bool = False
    cut_next: str = ""  # "", "before", "middle" or "after": what becomes of the next message, and then the wire is cut
    late_next_ns: int = 0  # how much longer that message is under way: word of the cut overtakes it
    arrivals: deque[int] = field(default_factory=deque)  # when what is under way arrives, in order
    garble_next: bool = False


class Wire:
    """Made at the moment the connection reaches the venue; the ends are attached by whoever made it."""

    def __init__(self, route: Route, contexts: dict[Way, Context]) -> None:
        """contexts: in which what arrives is handled; the bot's own for what comes down."""
        self.route, self.contexts = route, contexts
        self.frozen = False
        self.on_frozen: Callable[[], None] = lambda: None
        self._lanes = {way: _Lane(contexts[way]) for way in Way}
        route.wires.append(self)

    def attach(self, *, client: End, server: End) -> None:
        self._lanes[Way.UP].receiver, self._lanes[Way.DOWN].receiver = server, client

    def send(self, way: Way, data: Any) -> None:
        """Write one message; it vanishes where the connection is no more."""
        lane = self._lanes[way]
        if not lane.open:
            return
        if lane.garble_next and isinstance(data, tuple) and isinstance(data[1], bytes):  # not a close frame's code
            lane.garble_next = False
            data = (data[0], data[1][: len(data[1]) // 2])
        if not lane.cut_next:
            self._post(way, lane, data)
            return
        where, lane.cut_next = lane.cut_next, ""
        if where == "after":
            lane.due_ns = max(lane.due_ns, self.route.loop.now_ns + lane.late_next_ns)
            self._post(way, lane, data)
        elif where == "middle" and isinstance(data, bytes):
            self._post(way, lane, data[: len(data) // 2])
        self.cut()

    def cut_at_next(self, way: Way, where: str, late_ns: int = 0) -> None:
        """Cut the connection at the next message of this way: before it, in its middle, or when it has passed.

        late_ns: how long at least a message that has passed is under way.
        """
        self._lanes[way].cut_next, self._lanes[way].late_next_ns = where, late_ns

    def has_arrived(self, way: Way) -> bool:
        """Whether something has arrived that its end could not handle yet, because the process stood still."""
        arrivals = self._lanes[way].arrivals
        return bool(arrivals) and arrivals[0] <= self.route.loop.now_ns

    def garble_next(self, way: Way) -> None:
        """Deliver only half of the next frame of this way, as if that were all of it."""
        self._lanes[way].garble_next = True

    def mend(self) -> None:
        """Take back what was planned for the next message."""
        for lane in self._lanes.values():
            lane.cut_next, lane.garble_next = "", False

    def cut(self, *, lose: tuple[Way, ...] = ()) -> None:
        """End the connection from the middle: what is under way arrives, but for the ways named."""
        for way, lane in self._lanes.items():
            if way in lose:
                lane.epoch += 1
            if lane.open:
                lane.open = False
                self._post_end(way, lane)
        self._forget()

    def freeze(self) -> None:
        """Let both ways go nowhere from now on, without a word to either end: a half-open connection."""
        for lane in self._lanes.values():
            lane.open = False
            lane.epoch += 1
        self.frozen = True
        self._forget()
        self.on_frozen()

    def close_from(self, way: Way, *, lose: bool = False) -> None:
        """End it from one end: `way` is the one that end writes to. lose: what it wrote last does not arrive."""
        other = Way.DOWN if way is Way.UP else Way.UP
        back = self._lanes[other]
        back.open, back.ended = False, True  # nothing is heard any more by who has left
        lane = self._lanes[way]
        if lose:
            lane.epoch += 1
        if lane.open:
            lane.open = False
            self._post_end(way, lane)
        self._forget()

    def _forget(self) -> None:
        if self in self.route.wires:
            self.route.wires.remove(self)

    def _post(self, way: Way, lane: _Lane, data: Any) -> None:
        self._at(way, lane, lambda epoch: self._deliver(lane, epoch, data))

    def _post_end(self, way: Way, lane: _Lane) -> None:
        self._at(way, lane, lambda _epoch: self._end(lane))

    def _at(self, way: Way, lane: _Lane, work: Callable[[int], None]) -> None:
        loop = self.route.loop
        lane.due_ns = max(lane.due_ns, loop.now_ns + self.route.draw_ns(way))
        lane.arrivals.append(lane.due_ns)
        loop.call_at(lane.due_ns / 1e9, work, lane.epoch, context=lane.context)

    def _deliver(self, lane: _Lane, epoch: int, data: Any) -> None:
        lane.arrivals.popleft()
        if not lane.ended and lane.epoch == epoch and lane.receiver is not None:
            lane.receiver.on_data(data)

    def _end(self, lane: _Lane) -> None:
        lane.arrivals.popleft()
        if not lane.ended:
            lane.ended = True
            if lane.receiver is not None:
                lane.receiver.on_end()
