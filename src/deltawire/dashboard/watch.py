"""Asks the bot and reads the journal, again and again, and tells the hub. At a pace that costs neither of them much."""

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson

from deltawire.dashboard.bot import BotAway, BotRefused, ask
from deltawire.dashboard.history import History
from deltawire.dashboard.hub import Hub
from deltawire.dashboard.ledger import Ledger

PERIOD_WATCHED_S = 0.25  # while a page is open
PERIOD_ALONE_S = 1.0
# An answer is made on the bot's own loop: it is asked for at most this share of the time, whatever an answer takes.
SHARE = 20
# The journal is read here, and the bot's process not bothered: this share of one nice processor.
JOURNAL_PERIOD_S = 1.0
JOURNAL_SHARE = 10


class Watch:
    """Owns what the page knows. Start `run` once; `now` asks at once, after a button."""

    def __init__(self, socket: Path | None, ledger: Ledger, history: History, hub: Hub) -> None:
        self._socket, self._ledger, self._history, self._hub = socket, ledger, history, hub
        self._hurry = asyncio.Event()
        self._status: dict[str, Any] | None = None
        self._heard_unix_ns = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        await asyncio.gather(self._watch_bot(), self._watch_journal())

    def now(self) -> None:
        self._hurry.set()

    async def _watch_bot(self) -> None:
        while True:
            took_s = await self.look_at_bot()
            period_s = PERIOD_WATCHED_S if self._hub.pages else PERIOD_ALONE_S
            try:
                await asyncio.wait_for(self._hurry.wait(), max(period_s, took_s * SHARE))
            except TimeoutError:
                continue
            self._hurry.clear()

    async def look_at_bot(self) -> float:
        """Ask once, publish, and return how long the answer took, in s."""
        began = time.monotonic()
        why = "this page shows a journal only: no bot was named" if self._socket is None else ""
        if self._socket is not None:
            try:
                status = await ask(self._socket, "status")
                self._history.add(status, time.time())
                self._status, self._heard_unix_ns = status, time.time_ns()
            except (KeyError, TypeError, AttributeError):
                why = "its answer is not one this version knows; is it of the same version?"
            except (BotAway, BotRefused) as e:
                why = str(e)
                self._history.gap(time.time())
        took_s = time.monotonic() - began
        told = {
            "connected": not why,
            "why": why,
            "has_socket": self._socket is not None,
            "heard_unix_ns": self._heard_unix_ns,
            "now_unix_ns": time.time_ns(),
            "took_ms": round(took_s * 1e3, 1),
            "status": self._status,
        }
        self._hub.publish("bot", orjson.dumps(told))
        return 0.0 if why else took_s

    async def _watch_journal(self) -> None:
        while True:
            view = await self._ledger.newest()
            if view is not None:
                self._hub.publish("journal", view)
            await asyncio.sleep(max(JOURNAL_PERIOD_S, self._ledger.took_s * JOURNAL_SHARE))
