"""An echoing venue on loopback and what a client sees of it through the proxy."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from deltawire.sim.network import DelayProxy, Link, PortLinks


class Venue:
    """Echoes what it reads; keeps what it read, and whether the client's end was clean."""

    def __init__(self) -> None:
        self.read: list[bytearray] = []
        self.ends: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.echoes = True
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = bytearray()
        self.read.append(got)
        self.writers.append(writer)
        try:
            while data := await reader.read(65536):
                got += data
                if self.echoes:
                    writer.write(data)
                    await writer.drain()
            self.ends.append("clean")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def proxied(venue: Venue, link: Link | PortLinks, seed: int = 1) -> AsyncIterator[DelayProxy]:
    proxy = DelayProxy(venue.port, link, rng=random.Random(seed), log=None)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
