"""The access token of the REST side and of reconnects: fetched, renewed in the background, never shown.

A token lives five minutes and cannot be extended; a WebSocket needs one only once, at its `auth`.
Source: Paradex protocol reference, sections 2.2 and 2.3.
"""

import asyncio

from deltawire.core.secret import Secret
from deltawire.net.backoff import Backoff
from deltawire.venues.contract import Clock, DecodeError, EventLog, Refused
from deltawire.venues.paradex import rest
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.paradex.signing import Signer

LIFE_S = 300.0  # of a token
LIFE_SPARE_S = 10.0  # for the way to the venue, its clock and the order's own time there


class TokenKeeper:
    """Holds the newest token. `start` fetches the first one or raises."""

    def __init__(
        self,
        settings: ParadexSettings,
        *,
        http: HttpCaller,
        signer: Signer,
        clock: Clock,
        log: EventLog,
        backoff: Backoff,
        interactive: bool,
    ) -> None:
        """interactive: its tokens make Retail orders."""
        self._settings, self._http, self._signer, self._interactive = settings, http, signer, interactive
        self._clock, self._log, self._backoff = clock, log, backoff
        self._token: Secret | None = None
        self._fetched_mono_ns = 0
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.renew()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="paradex token")

    async def current(self) -> Secret:
        """Return a token young enough to use. Raises what `HttpCaller.call` raises."""
        async with self._lock:  # two reads that find it old ask once
            age_s = (self._clock.mono_ns() - self._fetched_mono_ns) / 1e9
            if self._token is None or age_s > self._settings.token_refresh_s:
                return await self._fetch()
            return self._token

    def at_hand(self) -> Secret | None:
        """Return the token held if it is still alive, without asking for another."""
        age_s = (self._clock.mono_ns() - self._fetched_mono_ns) / 1e9
        return self._token if age_s < LIFE_S - LIFE_SPARE_S else None

    def distrust(self) -> None:
        """Drop a token the venue has refused: the next `current` fetches another."""
        self._token = None

    async def renew(self) -> Secret:
        async with self._lock:
            return await self._fetch()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _fetch(self) -> Secret:
        now_s = self._clock.unix_ns() // 10**9
        request = rest.auth(
            self._signer, now_s, now_s + self._settings.auth_expiration_s, interactive=self._interactive
        )
        asked_mono_ns = self._clock.mono_ns()
        self._token = rest.read_token(await self._http.call(request))
        self._fetched_mono_ns = asked_mono_ns  # its life began at the venue, at the latest now
        return self._token

    async def _keep(self) -> None:
        while True:
            age_s = (self._clock.mono_ns() - self._fetched_mono_ns) / 1e9
            await asyncio.sleep(max(self._settings.token_refresh_s - age_s, 0))
            try:
                await self.renew()
                self._backoff.reset()
            except (OSError, TimeoutError, Refused, DecodeError) as e:
                self._log.warning("paradex.token_not_renewed", reason=str(e), tries=self._backoff.attempts)
                await asyncio.sleep(self._backoff.next_s())
