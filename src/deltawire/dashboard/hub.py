"""The newest of each topic to every open page, as server-sent events.

A page that reads slowly skips what it missed: each stream holds nothing but which versions it has sent, so neither the
watcher nor any other page ever waits for it.
"""

import asyncio
from collections.abc import AsyncIterator

STREAMS_MAX = 16  # open pages; more are refused, not queued
KEEP_ALIVE_S = 10.0  # a proxy or a phone drops a silent connection; the page takes silence for a lost server


class TooManyPages(Exception):
    """STREAMS_MAX pages are open."""


class Hub:
    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._wakers: set[asyncio.Event] = set()
        self._closed = False

    @property
    def pages(self) -> int:
        return len(self._wakers)

    def publish(self, topic: str, payload: bytes) -> None:
        """Replace the topic's newest. payload: JSON without a line end."""
        version = self._newest.get(topic, (0, b""))[0] + 1
        self._newest[topic] = (version, b"event: %b\ndata: %b\n\n" % (topic.encode(), payload))
        for waker in self._wakers:
            waker.set()

    def close(self) -> None:
        """End every stream: the process goes down."""
        self._closed = True
        for waker in self._wakers:
            waker.set()

    def stream(self) -> AsyncIterator[bytes]:
        """Return the events of one page, beginning with the newest of each topic. Raises TooManyPages."""
        if len(self._wakers) >= STREAMS_MAX:
            raise TooManyPages
        return self._events()

    async def _events(self) -> AsyncIterator[bytes]:
        sent: dict[str, int] = {}
        waker = asyncio.Event()
        waker.set()
        self._wakers.add(waker)  # here and not before: a stream that is never read leaves nothing behind
        try:
            yield b"retry: 1000\n\n"
            while not self._closed:
                try:
                    await asyncio.wait_for(waker.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield b"event: quiet\ndata: {}\n\n"
                    continue
                waker.clear()
                for topic, (version, event) in tuple(self._newest.items()):
                    if sent.get(topic) != version:
                        sent[topic] = version
                        yield event
        finally:
            self._wakers.discard(waker)
