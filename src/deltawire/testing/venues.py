"""Starts `deltawire sim` for a test, and speaks to its control URL. Needs no pytest, and knows no bot."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deltawire.cli.demo_files import socket_path
from deltawire.cli.init import write_new
from deltawire.cli.sim_control import control
from deltawire.cli.sim_files import Ready, env_of, quoted, read_ready, simulated
from deltawire.cli.template import PRESETS, config_text
from deltawire.core.secret import Secret
from deltawire.venues.paradex.settings import ParadexSettings
from deltawire.venues.vest.settings import VestSettings

READY_WITHIN_S = 60.0  # a second, but on a machine that is busy with other tests
_POLL_S = 0.02
_END_WITHIN_S = 20.0


class NotStarted(Exception):
    """The simulators did not come up. Holds what they said."""


class SimulatedVenues:
    """A Paradex and a Vest on this machine, with throw-away accounts. `ready` is their ready file, decoded."""

    def __init__(self, ready: Ready, cleanup: ExitStack) -> None:
        self.ready = ready
        self._cleanup = cleanup

    @property
    def ca_file(self) -> str:
        """The certificate authority a client must trust."""
        return self.ready.ca_file

    def paradex(self, *symbols: str, account: int = 0) -> ParadexSettings:
        """Return what an adapter needs to trade an account here."""
        keys = self.ready.accounts[account].paradex
        urls = self.ready.paradex
        wanted = symbols or ("BTC-USD-PERP",)
        return ParadexSettings(urls.rest_url, urls.ws_url, keys.account_address, Secret(keys.private_key), wanted)

    def vest(self, *symbols: str, account: int = 0) -> VestSettings:
        """Return what an adapter needs to trade an account here."""
        keys = self.ready.accounts[account].vest
        urls = self.ready.vest
        wanted = symbols or ("BTC-PERP",)
        return VestSettings(urls.rest_url, urls.ws_url, keys.primary_address, Secret(keys.primary_private_key), wanted)

    def bot_files(self, folder: Path, mode: str = "live", **values: str) -> Path:
        """Write config.yaml and .env of a bot that trades here, as `deltawire init --simulated`; return the config.

        values: what shall differ, by its key: size, size_min, entry_edge_bps, exit_spread_bps, max_hold_s, ...
        """
        folder.mkdir(parents=True, exist_ok=True)
        socket = quoted(str(socket_path(folder, self._cleanup)))
        chosen = replace(simulated(PRESETS[mode], self.ready), **{"socket": socket, **values})
        write_new(folder / ".env", env_of(self.ready), mode=0o600)
        write_new(folder / "config.yaml", config_text(chosen), mode=0o644)
        return folder / "config.yaml"

    def spread(self, bps: float | None) -> None:
        """Hold Vest so many basis points above Paradex; None lets the market go its own way again."""
        self.control("/market", {"basis_bps": bps})

    def fault(self, venue: str, kind: str, count: int = 1, **params: Any) -> None:
        """Make something go wrong, such as `fault("paradex", "lose_reply")`; the kinds are in docs/venues/sim.md."""
        self.control("/faults", {"venue": venue, "kind": kind, "count": count, "params": params})

    def clear_faults(self) -> None:
        control(self.ready.control_url, "/faults", method="DELETE")

    def state(self) -> Any:
        """Return both venues' own books of every account, the market and the faults."""
        return self.control("/state")

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the control URL: GET, or POST of a body. Blocks until it has answered."""
        return control(self.ready.control_url, path, body)


@contextmanager
def running_venues(folder: Path, settings: str = "") -> Iterator[SimulatedVenues]:
    """Run both venues until the end of the block. settings: YAML of docs/venues/sim.md. Raises NotStarted."""
    folder.mkdir(parents=True, exist_ok=True)
    sim_yaml, ready_file, log = folder / "sim.yaml", folder / "ready.json", folder / "sim.log"
    sim_yaml.write_text(settings or "seed: 1\n", encoding="utf-8")
    command = [sys.executable, "-m", "deltawire", "sim", "--config", str(sim_yaml), "--ready-file", str(ready_file)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603 - our own command line
    try:
        with ExitStack() as cleanup:
            yield SimulatedVenues(_until_ready(process, ready_file, log), cleanup)
    finally:
        process.terminate()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_ready(process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> Ready:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        ready = read_ready(ready_file)
        if ready is not None:
            return ready
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotStarted(f"deltawire sim did not start:\n{log.read_text(errors='replace')}")
        time.sleep(_POLL_S)
