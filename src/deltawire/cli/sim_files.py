"""What `deltawire sim` says in its ready file, and the settings and keys of a bot that trades there."""

from dataclasses import replace
from pathlib import Path

import msgspec

from deltawire.cli.template import Values, env_text
from deltawire.venues.vest.settings import PRODUCTION_CONTRACT


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


def env_of(ready: Ready) -> str:
    """Return a .env with the first account of the simulators."""
    account = ready.accounts[0]
    return env_text(
        account.paradex.account_address,
        account.paradex.private_key,
        account.vest.primary_address,
        account.vest.primary_private_key,
    )


def simulated(values: Values, ready: Ready) -> Values:
    """Return the values with the simulators in place of the venues."""
    return replace(
        values,
        paradex_rest_url=ready.paradex.rest_url,
        paradex_ws_url=ready.paradex.ws_url,
        vest_rest_url=ready.vest.rest_url,
        vest_ws_url=ready.vest.ws_url,
        vest_contract=PRODUCTION_CONTRACT,  # the one the simulated Vest checks
        ca_line=f"ca_file: {quoted(ready.ca_file)}",
    )


def quoted(text: str) -> str:
    """Write a text as a YAML scalar, whatever is in it."""
    return msgspec.json.encode(text).decode()  # a JSON string is a YAML one
