"""Several order sockets as one: the line with the shortest measured round trip carries the orders, the others stand by.

The venue spreads sockets over nodes, so two of them are not equally far. Each is a full order socket: authenticated,
cancel-on-disconnect confirmed, subscribed to the private channels, whose repeated news the desk knows as such. A round
trip is measured by confirming cancel-on-disconnect once more, which changes nothing, at the handshake and every
MEASURE_S; the best of TRIES counts, because only queues make one longer. When the carrier is lost the next best takes
over at once, and the orders that went by the lost line are in doubt, as with a single socket.
"""

import asyncio
from typing import Any

import msgspec

from deltawire.venues.contract import Clock, EventLog
from deltawire.venues.paradex import rpc
from deltawire.venues.paradex.link import DISTURBED, Link
from deltawire.venues.paradex.orders import PROTECT, OrderDesk

MEASURE_S = 15.0
TRIES = 3
# Another line takes over when it is better by a tenth: nodes that are equally far must not take turns.
SWITCH_PERCENT = 90


class OrderLine:
    """One socket's content: the LinkOwner of its link."""

    def __init__(self, lines: "OrderLines") -> None:
        self._lines = lines
        self.link: Link | None = None  # set by the session
        self.round_trip_ns = 0  # as last measured; 0: not yet

    @property
    def up(self) -> bool:
        return self.link is not None and self.link.up

    async def handshake(self) -> None:
        assert self.link is not None
        await self._lines.desk.handshake_on(self.link)
        await self._lines.measure(self)

    def on_up(self) -> None:
        self._lines.on_line_up(self)

    def on_down(self, detail: str) -> None:
        self._lines.on_line_down(self, detail)

    def on_answer(self, answer: rpc.Reply | rpc.Failure, received_mono_ns: int) -> None:
        self._lines.desk.on_answer(answer, received_mono_ns)

    def on_channel(self, channel: str, data: msgspec.Raw, received_mono_ns: int) -> None:
        self._lines.desk.on_channel(channel, data, received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        self._lines.desk.on_binary(payload, received_mono_ns)

    def on_unreadable(self, reason: str) -> None:
        self._lines.desk.on_unreadable(reason)


class OrderLines:
    """All lines. To the desk it is the order socket (link.OrderCarrier): up while any line is."""

    def __init__(self, desk: OrderDesk, *, clock: Clock, log: EventLog) -> None:
        self.desk, self._clock, self._log = desk, clock, log
        self._lines: list[OrderLine] = []
        self._carrier: OrderLine | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._closing = False

    def add(self) -> OrderLine:
        self._lines.append(OrderLine(self))
        return self._lines[-1]

    async def start(self) -> None:
        """Open every line. Raises what the first that failed raised, once all have come to an end."""
        links = [line.link for line in self._lines if line.link is not None]
        for outcome in await asyncio.gather(*(link.start() for link in links), return_exceptions=True):
            if outcome is not None:
                raise outcome
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="paradex order lines")

    async def close(self) -> None:
        """Measure no more: what is confirmed for that would be on again after the desk has switched it off."""
        self._closing = True
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    # ---- what the desk sees of a link

    @property
    def up(self) -> bool:
        return self._carrier is not None

    @property
    def line(self) -> object:
        return self._carrier

    @property
    def sent(self) -> int:
        return self._link().sent

    @property
    def opened_mono_ns(self) -> int:
        return self._link().opened_mono_ns

    def send(self, payload: bytes) -> None:
        self._link().send(payload)

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Make the call on the line that carries orders; protection is a matter of each connection, so on all."""
        if method != PROTECT:
            return await self._link().call(method, params)
        up = [line.link for line in self._lines if line.link is not None and line.link.up]
        if not up:
            raise ConnectionError("no order line is up")
        return (await asyncio.gather(*(link.call(method, params) for link in up)))[0]

    def _link(self) -> Link:
        if self._carrier is None or self._carrier.link is None:
            raise ConnectionError("no order line is up")
        return self._carrier.link

    # ---- what the lines tell

    async def measure(self, line: OrderLine) -> None:
        """Take a line's round trip. Raises as Link.call does."""
        assert line.link is not None
        best_ns = 0
        for _ in range(TRIES):
            before_ns = self._clock.mono_ns()
            await line.link.call(PROTECT, {"enabled": True})
            took_ns = max(self._clock.mono_ns() - before_ns, 1)
            best_ns = min(best_ns or took_ns, took_ns)
        line.round_trip_ns = best_ns

    def on_line_up(self, line: OrderLine) -> None:
        if self._carrier is None:
            self._carry(line)
            self.desk.on_up()
        else:
            self.choose()

    def on_line_down(self, line: OrderLine, detail: str) -> None:
        """Let the next best carry. With none left, the desk hears what it hears of a single socket."""
        if line is self._carrier:
            self._carrier = None
            self.choose()
        if self._carrier is None:
            self.desk.on_down(detail)
            return
        tell = self._log.info if self._closing else self._log.warning
        tell("paradex.order_line_down", lines=sum(other.up for other in self._lines), detail=detail)
        self.desk.on_line_lost(line, detail)

    def choose(self) -> None:
        """Let the nearest line carry, when it is clearly nearer than the one that does."""
        up = [line for line in self._lines if line.up]
        if not up:
            return
        best, carrier = min(up, key=lambda line: line.round_trip_ns), self._carrier
        if carrier is None or best.round_trip_ns * 100 < carrier.round_trip_ns * SWITCH_PERCENT:
            self._carry(best)

    def _carry(self, line: OrderLine) -> None:
        self._carrier = line
        self._log.info(
            "paradex.order_line", line=self._lines.index(line) + 1, round_trip_ns=line.round_trip_ns,
            of=[other.round_trip_ns for other in self._lines],
        )  # fmt: skip

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(MEASURE_S)
            for line in self._lines:
                if line.up:
                    try:
                        await self.measure(line)
                    except DISTURBED as e:
                        # Its link finds out by itself whether it is dead; what was measured before stands.
                        self._log.info("paradex.order_line_unmeasured", reason=str(e))
            self.choose()
