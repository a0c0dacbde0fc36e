"""Runs a bot in a program of yours: the one `deltawire run` runs, with its log, journal, limits and control socket.

Does not hide that a bot is a process's main job: while it runs, the garbage collector is off, and a loop that other
work holds up is a bot that stands still. Give it a process of its own where you can.
"""

import gc
from typing import Any

from deltawire.config.model import BotConfig
from deltawire.config.secrets import NO_SECRETS, BotSecrets
from deltawire.engine.assembly import SignalStop, run_until
from deltawire.engine.control import Command
from deltawire.journal.accounts import LiveConsent, state_folder
from deltawire.net import loop as net_loop


class LiveNotConfirmed(Exception):
    """Mode live sends real orders, and nobody has said that these accounts may be traded."""


class NotRunning(Exception):
    """The bot cannot be asked: it has not been started, is not ready yet, or has ended."""


class BotRun:
    """One run of one bot. Made once, run once; the same loop may ask it things meanwhile."""

    def __init__(
        self, config: BotConfig, secrets: BotSecrets | None = None, *, live: bool = False, signals: bool = False
    ) -> None:
        """secrets: None for mode paper, which needs no account.

        live: the word that real orders may be sent, as `deltawire run --live`; needed once for a pair of accounts.

        signals: end on SIGINT and SIGTERM too; for the main thread. Raises LiveNotConfirmed without the word, and
        ValueError for live=True where no order would be real.
        """
        secrets = secrets or NO_SECRETS
        if live and not config.is_money:
            raise ValueError(f"live=True, but the settings are mode {config.mode.value} and send no real order")
        if config.is_money:
            consent = LiveConsent(secrets.paradex_account, secrets.vest_primary_address, state_folder())
            if live:
                consent.give()
            elif not consent.given:
                raise LiveNotConfirmed(
                    f"mode live for {secrets.paradex_account}: pass live=True once for these accounts"
                )
        self._config, self._secrets = config, secrets
        self._stop = SignalStop() if signals else _Wish()
        self._commands: dict[str, Command] = {}

    async def run(self) -> int:
        """Run to the end and return the exit code: 0 clean; 1 something is left to look at; 2 it could not start.

        Cancelling this is no clean end: call `stop` and wait.
        """
        collects = gc.isenabled()
        try:
            return await run_until(self._config, self._secrets, self._stop, self._know)
        finally:
            self._commands = {}
            gc.unfreeze()
            if collects:
                gc.enable()

    def stop(self, reason: str = "stop") -> None:
        """Ask for the end: entries stop, what is open is closed and confirmed, then `run` returns."""
        self._stop.ask(reason)

    async def ask(self, command: str) -> dict[str, Any]:
        """Do what the command line of that name does and return its reply: status, pause, resume, flatten, kill, arm.

        Raises NotRunning, ValueError for a command there is not, and what the command raises when it is refused.
        """
        if not self._commands:
            raise NotRunning("the bot has not started yet, or has ended")
        if command not in self._commands:
            raise ValueError(f"{command!r} is none of {', '.join(sorted(self._commands))}")
        reply = self._commands[command]()
        return reply if isinstance(reply, dict) else await reply

    def _know(self, commands: dict[str, Command]) -> None:
        self._commands = commands


def run_bot(config: BotConfig, secrets: BotSecrets | None = None, *, live: bool = False) -> int:
    """Run a bot in this thread, the main one, until SIGINT, SIGTERM or `deltawire stop`; return its exit code."""
    return net_loop.run(BotRun(config, secrets, live=live, signals=True).run())


class _Wish(SignalStop):
    """The wish to end, said by the program alone: its signals are its own."""

    def listen(self) -> None: ...
