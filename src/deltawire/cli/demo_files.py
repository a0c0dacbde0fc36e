"""The files of one demo: settings for the simulators, what they say when ready, config.yaml and .env for the bot."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec

from deltawire.cli.init import write_new
from deltawire.cli.template import Values, config_text, env_text
from deltawire.config.fields import SOCKET_PATH_BYTES_MAX
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT

_SOCKET = "bot.sock"


class Urls(msgspec.Struct):
    rest_url: str
    ws_url: str


class ParadexAccount(msgspec.Struct):
    account_address: str
    private_key: str


class VestAccount(msgspec.Struct):
    primary_address: str
    primary_private_key: str


class Account(msgspec.Struct):
    paradex: ParadexAccount
    vest: VestAccount


class Ready(msgspec.Struct):
    """The ready file of `deltawire sim`. Its accounts exist in that simulator only."""

    paradex: Urls
    vest: Urls
    ca_file: str
    accounts: list[Account]
    control_url: str


def read_ready(path: Path) -> Ready | None:
    """Return what the simulators say, or None while the file is not there or not whole yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ready)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_sim_config(path: Path, *, seed: int, rtt_ms: float) -> None:
    """Write the simulators' settings: their defaults, but for what the demo's options say."""
    write_new(path, f"# Written by `deltawire demo`.\nseed: {seed}\nrtt_ms: {rtt_ms:g}\n", mode=0o644)


def write_bot_files(folder: Path, ready: Ready, cleanup: ExitStack, **settings: str) -> tuple[Path, Path]:
    """Write config.yaml and .env for the bot, and return the config's path and the control socket's.

    settings: fields of template.Values that shall differ from the demo's.
    """
    account = ready.accounts[0]
    write_new(
        folder / ".env",
        env_text(
            account.paradex.account_address,
            account.paradex.private_key,
            account.vest.primary_address,
            account.vest.primary_private_key,
        ),
        mode=0o600,
    )
    socket = _socket_path(folder, cleanup)
    config = folder / "config.yaml"
    write_new(config, config_text(replace(_values(ready, socket), **settings)), mode=0o644)
    return config, socket


def _values(ready: Ready, socket: Path) -> Values:
    """Return the demo's settings: live orders to the simulators, figures that suit their recorded market."""
    return Values(
        mode="live",
        paradex_rest_url=ready.paradex.rest_url,
        paradex_ws_url=ready.paradex.ws_url,
        vest_rest_url=ready.vest.rest_url,
        vest_ws_url=ready.vest.ws_url,
        vest_contract=PRODUCTION_CONTRACT,  # the one the simulated Vest checks
        ca_line=f"ca_file: {quoted(ready.ca_file)}",
        max_hold_s="20",  # a demo is short: a pair whose spread stays wide is closed all the same
        socket=quoted(str(socket)),
    )


def quoted(text: str) -> str:
    """Write a text as a YAML scalar, whatever is in it."""
    return msgspec.json.encode(text).decode()  # a JSON string is a YAML one


def _socket_path(folder: Path, cleanup: ExitStack) -> Path:
    """Keep the socket with the other files, or in a short folder of its own where the kernel's limit asks for it."""
    beside = folder / _SOCKET
    if len(str(beside).encode()) <= SOCKET_PATH_BYTES_MAX:
        return beside
    short = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dw-"))
    return Path(short) / _SOCKET
