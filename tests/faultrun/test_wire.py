"""A connection in memory keeps TCP's promises, and breaks in each of the ways a seed may ask for."""

import asyncio
import random
from contextvars import copy_context
from typing import Any

import pytest

from deltawire.faultrun.loop import START_NS, VirtualLoop
from deltawire.faultrun.wire import MS_NS, Route, Way, Wire


class End:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.heard: list[Any] = []

    def on_data(self, data: Any) -> None:
        self.heard.append(data)

    def on_end(self) -> None:
        self.heard.append("end")


class Bench:
    def __init__(self, *, jitter_ms: int = 0) -> None:
        self.loop = VirtualLoop()
        self.route = Route(
            "test",
            self.loop,
            random.Random(1),
            {Way.UP: 10 * MS_NS, Way.DOWN: 10 * MS_NS},
            jitter_ns=jitter_ms * MS_NS,
        )
        self.client, self.server = End(self.loop), End(self.loop)
        self.wire = Wire(self.route, {way: copy_context() for way in Way})
        self.wire.attach(client=self.client, server=self.server)

    def pass_ms(self, ms: int) -> None:
        self.loop.run_until_complete(asyncio.sleep(ms / 1e3))


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.loop.close()


def test_a_message_arrives_after_its_delay(bench):
    bench.wire.send(Way.UP, b"order")
    bench.pass_ms(9)
    assert bench.server.heard == []
    bench.pass_ms(1)
    assert bench.server.heard == [b"order"]
    assert bench.loop.now_ns == START_NS + 10 * MS_NS


def test_jitter_never_reorders_what_is_on_one_connection():
    bench = Bench(jitter_ms=50)
    for number in range(100):
        bench.wire.send(Way.DOWN, number)
    bench.pass_ms(200)
    assert bench.client.heard == list(range(100))
    bench.loop.close()


def test_what_is_under_way_arrives_before_the_end_of_a_cut_connection(bench):
    bench.wire.send(Way.UP, b"order")
    bench.wire.cut()
    bench.wire.send(Way.UP, b"too late")
    bench.pass_ms(50)
    assert bench.server.heard == [b"order", "end"]
    assert bench.client.heard == ["end"]


def test_a_cut_may_lose_what_is_under_way_on_one_side_alone(bench):
    bench.wire.send(Way.UP, b"order")
    bench.wire.send(Way.DOWN, b"fill")
    bench.wire.cut(lose=(Way.UP,))
    bench.pass_ms(50)
    assert bench.server.heard == ["end"]
    assert bench.client.heard == [b"fill", "end"]


@pytest.mark.parametrize(
    ("where", "heard"), [("before", ["end"]), ("middle", [b"or", "end"]), ("after", [b"order", "end"])]
)
def test_the_next_message_is_the_last_one(bench, where, heard):
    bench.wire.cut_at_next(Way.UP, where)
    bench.wire.send(Way.UP, b"order")
    bench.wire.send(Way.UP, b"another")
    bench.pass_ms(50)
    assert bench.server.heard == heard
    assert bench.client.heard == ["end"]


def test_a_frozen_connection_tells_nobody_anything(bench):
    bench.wire.send(Way.UP, b"order")
    bench.wire.freeze()
    bench.wire.send(Way.DOWN, b"fill")
    bench.pass_ms(60_000)
    assert bench.server.heard == bench.client.heard == []


def test_who_closes_hears_nothing_more_and_the_other_side_learns_it_in_order(bench):
    bench.wire.send(Way.UP, b"order")
    bench.wire.send(Way.DOWN, b"fill")
    bench.wire.close_from(Way.UP)
    bench.pass_ms(50)
    assert bench.server.heard == [b"order", "end"]
    assert bench.client.heard == []


def test_half_a_frame_is_delivered_as_if_it_were_all(bench):
    bench.wire.garble_next(Way.DOWN)
    bench.wire.send(Way.DOWN, ("text", b"12345678"))
    bench.wire.send(Way.DOWN, ("text", b"whole"))
    bench.pass_ms(50)
    assert bench.client.heard == [("text", b"1234"), ("text", b"whole")]
