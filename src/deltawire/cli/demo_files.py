"""The files of one demo: settings for the simulators, config.yaml and .env for the bot."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from deltawire.cli.init import write_new
from deltawire.cli.sim_files import Ready, env_of, quoted, simulated
from deltawire.cli.template import LIVE, Values, config_text
from deltawire.config.fields import SOCKET_PATH_BYTES_MAX

_SOCKET = "bot.sock"


def write_sim_config(path: Path, *, seed: int, rtt_ms: float) -> None:
    """Write the simulators' settings: their defaults, but for what the demo's options say."""
    write_new(path, f"# Written by `deltawire demo`.\nseed: {seed}\nrtt_ms: {rtt_ms:g}\n", mode=0o644)


def write_bot_files(folder: Path, ready: Ready, cleanup: ExitStack, **settings: str) -> tuple[Path, Path]:
    """Write config.yaml and .env for the bot, and return the config's path and the control socket's.

    settings: fields of template.Values that shall differ from the demo's.
    """
    write_new(folder / ".env", env_of(ready), mode=0o600)
    socket = socket_path(folder, cleanup)
    config = folder / "config.yaml"
    write_new(config, config_text(replace(_values(ready, socket), **settings)), mode=0o644)
    return config, socket


def _values(ready: Ready, socket: Path) -> Values:
    """Return the demo's settings: live orders to the simulators, figures that suit their recorded market."""
    return replace(
        simulated(LIVE, ready),
        max_hold_s="20",  # a demo is short: a pair whose spread stays wide is closed all the same
        socket=quoted(str(socket)),
    )


def socket_path(folder: Path, cleanup: ExitStack) -> Path:
    """Keep the socket with the other files, or in a short folder of its own where the kernel's limit asks for it."""
    beside = folder / _SOCKET
    if len(str(beside).encode()) <= SOCKET_PATH_BYTES_MAX:
        return beside
    short = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dw-"))
    return Path(short) / _SOCKET
