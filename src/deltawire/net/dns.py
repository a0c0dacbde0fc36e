"""Addresses of a host, remembered for a while: a connection that must be replaced does not wait for a name server.

An answer past its time is asked for anew; while that fails the old one is used on: a venue whose name server is away is
mostly still there. The time is ours: what the name server says of it (TTL) does not reach a program.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deltawire.net.api import NowNs

_LOG = logging.getLogger(__name__)
ADDRESSES_MAX = 4  # of one host that are tried in turn: an edge names two for each family


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: list[str]
    asked_mono_ns: int


async def _system_addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class AddressCache:
    def __init__(self, now_ns: NowNs, resolve: Callable[[str, int], Awaitable[list[str]]] = _system_addresses) -> None:
        self._now_ns, self._resolve = now_ns, resolve
        self._known: dict[tuple[str, int], _Known] = {}
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self.asked = 0  # times a name server (or the hosts file) was asked

    async def addresses(self, host: str, port: int, ttl_s: float) -> list[str]:
        """Return the numeric addresses of a host, best first. Raises OSError when there is none, old or new."""
        key = (host, port)
        known = self._known.get(key)
        if known is not None and self._now_ns() - known.asked_mono_ns < ttl_s * 1e9:
            return known.addresses
        asking = self._asking.get(key)
        if asking is None:  # several connections open at once, and one question serves them all
            asking = self._asking[key] = asyncio.ensure_future(self._ask(host, port))
            asking.add_done_callback(lambda done: self._on_answer(key, done))
        try:
            return await asyncio.shield(asking)
        except OSError as e:
            if known is None:
                raise
            _LOG.warning("net.dns.failed host=%s reason=%s: the old answer is used", host, e)
            return known.addresses

    def forget(self, host: str, port: int) -> None:
        """Ask anew next time: nothing answered at the addresses known. They stay as the last resort."""
        known = self._known.get((host, port))
        if known is not None:
            self._known[host, port] = _Known(known.addresses, -(2**63))

    def _on_answer(self, key: tuple[str, int], done: asyncio.Future[list[str]]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have given up meanwhile: then nobody else looks at it

    async def _ask(self, host: str, port: int) -> list[str]:
        self.asked += 1
        addresses = list(dict.fromkeys(await self._resolve(host, port)))[:ADDRESSES_MAX]
        if not addresses:
            raise OSError(f"{host} has no address")
        self._known[host, port] = _Known(addresses, self._now_ns())
        return addresses
