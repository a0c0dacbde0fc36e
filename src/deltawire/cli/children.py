"""Child processes of a command: started with our own interpreter, logged to a file, and never left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deltawire.config.places import CREDENTIALS

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux: a signal for the child when its parent dies
_POLL_S = 0.05


class Child:
    """One `deltawire …` process in a session of its own, so that Ctrl-C reaches it only through us."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "deltawire", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - we have one thread, and it calls prctl only
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    def wait(self, timeout_s: float, meanwhile: Callable[[], None] = lambda: None) -> int | None:
        """Wait for its end and return its exit code, or None when it still runs after timeout_s."""
        deadline_s = time.monotonic() + timeout_s
        while self.exit_code is None and time.monotonic() < deadline_s:
            meanwhile()
            time.sleep(_POLL_S)
        return self.exit_code

    def end(self, timeout_s: float) -> int:
        """Ask it to end (SIGTERM), and end it by force (SIGKILL) when it has not after timeout_s.

        A KeyboardInterrupt while waiting ends it by force too, and is raised again once it is gone.
        """
        if self.exit_code is None:
            self._process.terminate()
            try:
                self.wait(timeout_s)
            finally:
                if self.exit_code is None:
                    self._process.kill()
                self._process.wait()
        return self._process.returncode

    def kill(self) -> None:
        """End it by SIGKILL, at once, wherever it is; gone when this returns."""
        self._process.kill()
        self._process.wait()

    def last_lines(self, count: int = 15) -> str:
        """Return the end of what it wrote."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-count:])


def _environment() -> dict[str, str]:
    """Return our environment without real accounts: a key named there would win over the demo's own .env."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("DELTAWIRE_") and name != CREDENTIALS
    }


def _end_with_parent() -> Callable[[], None] | None:
    """Make the kernel end a child whose parent was killed and could not. Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
