"""One Vest WebSocket kept open: connect, application PING, silence watch, reconnect with backoff. No content here.

The owner gives the URL (perhaps after fetching a listen key), reads the frames and says when the link is up.
Source: Vest API v2 notes, section 8.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from deltawire.net.api import Network, WsConnection
from deltawire.net.backoff import Backoff
from deltawire.venues.contract import Clock, DecodeError, EventLog
from deltawire.venues.vest import ws
from deltawire.venues.vest.rest import VenueError
from deltawire.venues.vest.settings import VestSettings


class LinkOwner(Protocol):
    """Who uses a link. Calls are synchronous, on the loop."""

    def on_open(self, link: "Link") -> None:
        """The socket is open: subscribe. Frames may have come before."""

    def on_frame(self, payload: memoryview, received_mono_ns: int) -> None: ...
    def on_down(self, code: int, reason: str) -> None:
        """The socket is gone. code 0: it could not be opened."""


class Link:
    """Implements net.api.WsHandler. `start` opens or raises; after that it keeps itself open until `close`."""

    def __init__(
        self,
        name: str,
        owner: LinkOwner,
        url: Callable[[], Awaitable[str]],
        *,
        settings: VestSettings,
        network: Network,
        clock: Clock,
        log: EventLog,
        backoff: Backoff,
        on_refused: Callable[[int], None],
    ) -> None:
        """on_refused: called with the close code that ended the link for good, until `restart`."""
        self.name = name
        self._owner, self._url = owner, url
        self._settings, self._network, self._clock, self._log = settings, network, clock, log
        self._backoff, self._on_refused = backoff, on_refused
        self._connection: WsConnection | None = None
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._close_code = 0
        self._heard_mono_ns = 0
        self._answered = False  # a frame came after the last PING
        self._command_id = 0

    async def start(self) -> None:
        """Open the socket once; raises OSError, TimeoutError, VenueError or DecodeError when that fails."""
        await self._open()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"vest {self.name}")

    def next_id(self) -> int:
        """Return a command id not used on this link before."""
        self._command_id += 1
        return self._command_id

    def send(self, payload: bytes) -> None:
        """Send one command. A socket that is going is not an error: its loss is on its way."""
        try:
            if self._connection is not None:
                self._connection.send_text(payload)
        except ConnectionError as e:
            self._log.info("vest.ws.not_sent", link=self.name, reason=str(e))

    def reconnect(self, why: str) -> None:
        """Drop the socket; the link opens a new one, with a URL asked for anew."""
        if self._connection is not None:
            self._log.warning("vest.ws.dropped_here", link=self.name, reason=why)
            self._connection.abort()

    def restart(self, why: str) -> None:
        """Open a new socket, whether the link is up or was given up."""
        if self._task is not None and self._task.done() and not self._closing:
            self._close_code = 0
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"vest {self.name}")
        else:
            self.reconnect(why)

    async def close(self) -> None:
        self._closing = True
        connection = self._connection
        if connection is not None:
            connection.close()
            await connection.wait_closed()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What the socket calls.

    def on_text(self, payload: memoryview, received_mono_ns: int) -> None:
        self._heard_mono_ns = received_mono_ns
        self._answered = True
        self._owner.on_frame(payload, received_mono_ns)

    def on_binary(self, payload: memoryview, received_mono_ns: int) -> None:
        self._heard_mono_ns = received_mono_ns
        self._log.warning("vest.ws.binary_frame", link=self.name, size=len(payload))

    def on_closed(self, code: int, reason: str) -> None:
        self._connection = None
        self._close_code = code
        self._over.set()
        if not self._closing:
            self._log.warning("vest.ws.closed", link=self.name, code=code, reason=reason)
        self._owner.on_down(code, reason)

    # The keeper.

    async def _open(self) -> None:
        url = await self._url()
        self._over.clear()
        self._close_code = 0
        connection = await self._network.connect_ws(
            url, self, headers=dict(self._settings.ws_headers), timeout_s=self._settings.connect_timeout_s
        )
        if self._over.is_set():
            raise ConnectionError(f"closed at once with code {self._close_code}")
        self._connection = connection
        self._heard_mono_ns = self._clock.mono_ns()
        self._log.info("vest.ws.connected", link=self.name)
        self._owner.on_open(self)

    async def _keep(self) -> None:
        while not self._closing:
            await self._beat_until_over()
            if self._close_code in ws.CLOSE_FATAL:
                # Trying again cannot help: version, account group or missing key are configuration.
                self._log.error("vest.ws.refused", link=self.name, code=self._close_code)
                self._on_refused(self._close_code)
                return
            await self._reopen()

    async def _reopen(self) -> None:
        while not self._closing:
            await asyncio.sleep(self._backoff.next_s())
            try:
                await self._open()
            except (OSError, TimeoutError, VenueError, DecodeError) as e:
                self._log.warning("vest.ws.connect_failed", link=self.name, reason=str(e), tries=self._backoff.attempts)
                self._owner.on_down(self._close_code, str(e))
                if self._close_code in ws.CLOSE_FATAL:
                    return
            else:
                return

    async def _beat_until_over(self) -> None:
        settings = self._settings
        self._ping()
        while not self._over.is_set():
            try:
                async with asyncio.timeout(settings.ping_interval_s):
                    await self._over.wait()
            except TimeoutError:
                # Any frame is a sign of life: counting only PONG gave false alarms live.
                silent_s = (self._clock.mono_ns() - self._heard_mono_ns) / 1e9
                if silent_s > settings.silence_s:
                    self.reconnect(f"no frame for {silent_s:.0f} s")
                    await self._over.wait()
                    return
                if self._answered:
                    self._backoff.reset()  # open for a whole interval and speaking: it has proved itself
                self._ping()

    def _ping(self) -> None:
        self._answered = False
        self.send(ws.ping(self.next_id()))
