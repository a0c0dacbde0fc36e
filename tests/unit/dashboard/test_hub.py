import asyncio
from collections.abc import AsyncIterator

import pytest

from deltawire.dashboard.hub import STREAMS_MAX, Hub, TooManyPages


async def following(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(60):
        return await anext(stream)


async def test_a_page_begins_with_the_newest_of_each_topic():
    hub = Hub()
    hub.publish("bot", b"1")
    hub.publish("bot", b"2")
    hub.publish("journal", b"3")
    stream = hub.stream()
    assert await following(stream) == b"retry: 1000\n\n"
    assert await following(stream) == b"event: bot\ndata: 2\n\n"
    assert await following(stream) == b"event: journal\ndata: 3\n\n"


async def test_what_did_not_change_is_not_sent_again():
    hub = Hub()
    hub.publish("journal", b"big")
    stream = hub.stream()
    for _ in range(2):
        await following(stream)
    hub.publish("bot", b"1")
    assert await following(stream) == b"event: bot\ndata: 1\n\n"
    hub.publish("bot", b"2")
    assert await following(stream) == b"event: bot\ndata: 2\n\n"


async def test_a_slow_page_skips_what_it_missed_and_holds_nothing_back():
    hub = Hub()
    slow = hub.stream()
    await following(slow)
    for n in range(10_000):
        hub.publish("bot", b"%d" % n)
    assert await following(slow) == b"event: bot\ndata: 9999\n\n"
    hub.publish("bot", b"last")
    assert await following(slow) == b"event: bot\ndata: last\n\n"


async def test_too_many_pages_are_refused_and_a_closed_one_makes_room():
    hub = Hub()
    streams = [hub.stream() for _ in range(STREAMS_MAX)]
    for stream in streams:
        await following(stream)
    with pytest.raises(TooManyPages):
        hub.stream()
    await streams[0].aclose()  # type: ignore[attr-defined]  # it is a generator
    assert hub.pages == STREAMS_MAX - 1
    hub.stream()


async def test_closing_ends_every_stream():
    hub = Hub()
    stream = hub.stream()
    await following(stream)
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await following(stream)
    assert hub.pages == 0
