"""Several order sockets: the nearest carries, another takes over, and only what the lost one carried is in doubt."""

from typing import Any

import pytest

from deltawire.venues.paradex.order_lines import OrderLine, OrderLines
from deltawire.venues.paradex.orders import PROTECT


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_000

    def mono_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return self.now_ns


class FakeLink:
    """A connection at a distance: a call takes its round trip of the test's clock."""

    def __init__(self, clock: Clock, round_trip_ns: int) -> None:
        self.clock, self.round_trip_ns = clock, round_trip_ns
        self.up, self.sent, self.opened_mono_ns = False, 0, 0
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((method, params))
        self.clock.now_ns += self.round_trip_ns
        return {"enabled": params.get("enabled")}

    def send(self, payload: bytes) -> None:
        del payload
        self.sent += 1


class FakeDesk:
    def __init__(self) -> None:
        self.told: list[object] = []

    async def handshake_on(self, link: FakeLink) -> None:
        await link.call("auth", {})

    def on_up(self) -> None:
        self.told.append("up")

    def on_down(self, detail: str) -> None:
        self.told.append(f"down: {detail}")

    def on_line_lost(self, line: object, detail: str) -> None:
        self.told.append((line, detail))


class Log:
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


class Rig:
    def __init__(self, *round_trips_ns: int) -> None:
        self.clock, self.desk = Clock(), FakeDesk()
        self.lines = OrderLines(self.desk, clock=self.clock, log=Log())  # type: ignore[arg-type]  # a fake desk
        self.links = [FakeLink(self.clock, round_trip_ns) for round_trip_ns in round_trips_ns]
        self.each: list[OrderLine] = []
        for link in self.links:
            line = self.lines.add()
            line.link = link  # type: ignore[assignment]  # a fake link
            self.each.append(line)

    async def come_up(self, number: int) -> None:
        await self.each[number].handshake()
        self.links[number].up = True
        self.each[number].on_up()

    def go_down(self, number: int) -> None:
        self.links[number].up = False
        self.each[number].on_down("closed with code 1006")


async def test_the_nearest_line_carries_whichever_came_up_first():
    rig = Rig(5_000_000, 2_000_000, 9_000_000)
    for number in range(3):
        await rig.come_up(number)
    rig.lines.send(b"order")
    assert [link.sent for link in rig.links] == [0, 1, 0]
    assert rig.desk.told == ["up"]


async def test_a_line_that_is_hardly_nearer_does_not_take_over():
    rig = Rig(2_000_000, 1_900_000)
    for number in range(2):
        await rig.come_up(number)
    assert rig.lines.line is rig.each[0]


async def test_when_the_carrier_is_lost_the_next_best_carries_and_only_its_orders_are_in_doubt():
    rig = Rig(1_000_000, 5_000_000, 3_000_000)
    for number in range(3):
        await rig.come_up(number)
    rig.go_down(0)
    assert rig.lines.line is rig.each[2]
    assert rig.desk.told == ["up", (rig.each[0], "closed with code 1006")]
    assert rig.lines.up


async def test_a_lost_line_that_carried_nothing_leaves_the_carrier_alone():
    rig = Rig(1_000_000, 5_000_000)
    for number in range(2):
        await rig.come_up(number)
    rig.go_down(1)
    assert rig.lines.line is rig.each[0]
    assert rig.desk.told == ["up", (rig.each[1], "closed with code 1006")]


async def test_with_the_last_line_the_order_socket_is_down_and_comes_back_with_the_first():
    rig = Rig(1_000_000, 5_000_000)
    for number in range(2):
        await rig.come_up(number)
    rig.go_down(0)
    rig.go_down(1)
    assert not rig.lines.up
    with pytest.raises(ConnectionError, match="no order line is up"):
        rig.lines.send(b"order")
    await rig.come_up(1)
    assert rig.desk.told[-2:] == ["down: closed with code 1006", "up"]


async def test_protection_is_switched_on_every_line_and_other_calls_go_to_the_carrier():
    rig = Rig(1_000_000, 5_000_000)
    for number in range(2):
        await rig.come_up(number)
    for link in rig.links:
        link.calls.clear()
    await rig.lines.call(PROTECT, {"enabled": False})
    await rig.lines.call("order.create_batch", {})
    assert [method for method, _ in rig.links[0].calls] == [PROTECT, "order.create_batch"]
    assert [method for method, _ in rig.links[1].calls] == [PROTECT]


async def test_a_line_measured_nearer_later_takes_over_when_measured():
    rig = Rig(1_000_000, 5_000_000)
    for number in range(2):
        await rig.come_up(number)
    rig.links[0].round_trip_ns = 20_000_000
    for line in rig.each:
        await rig.lines.measure(line)
    rig.lines.choose()
    assert rig.lines.line is rig.each[1]
