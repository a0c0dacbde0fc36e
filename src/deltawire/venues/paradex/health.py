"""Whether Paradex trades normally: its polled state, what refused orders say of it, and the release window on weekdays.

Answers `block` for entries. Of an exit it only says whether the venue takes orders at all: a pair whose one venue is
shut is not closed on the other alone.
Source: Paradex protocol reference, sections 11, 14 and 18, state of October 2026.
"""

import asyncio
from collections.abc import Awaitable, Callable

from deltawire.venues.contract import Clock, DecodeError, EventLog, Refused
from deltawire.venues.paradex import rest
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.settings import ParadexSettings

OK = "ok"
# Refusals of an order that tell the state before the next poll does.
STATE_BY_ERROR = {
    "SYSTEM_STATUS_CANCEL_ONLY": "cancel_only",
    "SYSTEM_STATUS_POST_ONLY": "post_only",
    "SERVICE_UNAVAILABLE": "maintenance",
}
POLLS_MISSED_MAX = 6  # in a row; then the state is unknown, which is no reason to trade

DAY_S = 86_400
RELEASE_S = 4 * 3600 + 30 * 60  # of the UTC day
SATURDAY = 5


def release_s(now_unix_s: int) -> int | None:
    """Return the seconds since today's release began (negative before it), None on a day without one. Pure."""
    day, second = divmod(now_unix_s, DAY_S)
    if (day + 3) % 7 >= SATURDAY:  # 1970-01-01 was a Thursday
        return None
    return second - RELEASE_S


class Health:
    def __init__(
        self,
        settings: ParadexSettings,
        *,
        http: HttpCaller,
        clock: Clock,
        log: EventLog,
        also: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """also: asked after each poll; it raises what a call raises."""
        self._also = also
        self._settings, self._http, self._clock, self._log = settings, http, clock, log
        self.state = ""  # the venue's word: ok, maintenance, cancel_only, post_only; "" before the first read
        self._read_mono_ns = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the state once, or raise; then keep reading it."""
        await self._read()
        self._task = asyncio.get_running_loop().create_task(self._poll(), name="paradex state")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def heard(self, error: str) -> None:
        """Take what a refused order says of the system; the next poll confirms or corrects it."""
        state = STATE_BY_ERROR.get(error)
        if state is not None:
            self._become(state)

    def takes_orders(self) -> bool:
        """Whether orders are taken, by the venue's fresh word. An old word is no reason to hold an exit back (I8)."""
        return self.state in ("", OK) or self._unread_s() > POLLS_MISSED_MAX * self._settings.state_poll_s

    def block(self) -> str:
        """Say why no entry should be made now, "" when the venue trades normally."""
        settings = self._settings
        if self.state != OK:
            return f"system state is {self.state}"
        if settings.release_ahead_s is not None:
            since_s = release_s(self._clock.unix_ns() // 10**9)
            if since_s is not None and -settings.release_ahead_s <= since_s < settings.release_span_s:
                return "release window, weekdays from 04:30 UTC"
        unread_s = self._unread_s()
        if unread_s > POLLS_MISSED_MAX * settings.state_poll_s:
            return f"system state unread for {unread_s:.0f} s"
        return ""

    def _unread_s(self) -> float:
        return (self._clock.mono_ns() - self._read_mono_ns) / 1e9

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._settings.state_poll_s)
            try:
                await self._read()
                if self._also is not None:
                    await self._also()
            except (OSError, TimeoutError, Refused, DecodeError) as e:
                self._log.warning("paradex.state_unread", reason=str(e))

    async def _read(self) -> None:
        asked_mono_ns = self._clock.mono_ns()
        state = rest.read_state(await self._http.call(rest.system_state()))
        self._read_mono_ns = asked_mono_ns
        self._become(state)

    def _become(self, state: str) -> None:
        if state == self.state:
            return
        tell = self._log.info if state == OK else self._log.warning
        tell("paradex.state", state=state[:40], before=self.state[:40])
        self.state = state
