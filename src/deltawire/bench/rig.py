"""What benchmarks of the whole bot stand on: both simulated venues in a process of their own, and its settings.

The bot under measurement is the product's own, live, over TLS; only the market and the venues are simulated. Figures of
single parts have no use for this.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from deltawire.config.model import BotConfig
from deltawire.config.secrets import (
    PARADEX_ACCOUNT,
    PARADEX_PRIVATE_KEY,
    VEST_PRIMARY_ADDRESS,
    VEST_PRIMARY_PRIVATE_KEY,
    BotSecrets,
)
from deltawire.core.secret import Secret

READY_S = 120.0  # a second, but for a machine that is busy with other work
POLL_S = 0.005
# Vest answers and draws its pictures faster than live: what is measured is ours, and a run should be short.
QUICK_VEST = "vest: {depth_median_ms: 60, depth_p90_ms: 120, execution_min_ms: 1, execution_max_ms: 3}\n"


@contextlib.asynccontextmanager
async def simulators(folder: Path, sim_yaml: str, *, apart: bool = True) -> AsyncIterator[dict[str, Any]]:
    """Run `deltawire sim` with these settings; yields its ready file's content and ends it.

    apart: with two CPUs or more, simulators and this process have one each; on a shared one the kernel runs the woken
    venue before the bot's own write call returns, and counts it as the bot's.
    """
    config, ready_file = folder / "sim.yaml", folder / "ready.json"
    config.write_text(sim_yaml)
    command = [sys.executable, "-m", "deltawire", "sim", "--config", str(config), "--ready-file", str(ready_file)]
    cpus = sorted(os.sched_getaffinity(0))
    sim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - ours
    try:
        if apart and len(cpus) > 1:
            os.sched_setaffinity(sim.pid, {cpus[1]})
            os.sched_setaffinity(0, {cpus[0]})
        deadline = time.monotonic() + READY_S
        while not ready_file.exists():
            if time.monotonic() > deadline or sim.poll() is not None:
                raise RuntimeError("the simulators did not come up; `deltawire sim` tells why")
            await asyncio.sleep(POLL_S)
        yield {**msgspec.json.decode(ready_file.read_bytes()), "pid": sim.pid}
    finally:
        sim.terminate()
        try:
            sim.wait(timeout=20)
        except subprocess.TimeoutExpired:
            sim.kill()
            sim.wait()
        os.sched_setaffinity(0, cpus)


async def hold_basis(http: aiohttp.ClientSession, ready: Mapping[str, Any], bps: int) -> None:
    """Hold the simulated basis at this height until told another."""
    async with http.post(f"{ready['control_url']}/market", json={"basis_bps": bps}) as answer:
        answer.raise_for_status()


async def wait_until(done: Callable[[], bool], what: str, within_s: float) -> None:
    """Poll until done. Raises RuntimeError naming what did not happen."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} within {within_s:g} s")
        await asyncio.sleep(POLL_S)


def bot_settings(
    folder: Path,
    ready: Mapping[str, Any],
    bases: Sequence[str] = ("BTC",),
    *,
    pair: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    venue: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return a config file's content for a live bot against these simulators, with one pair a base.

    pair, limits and venue change single settings of every pair, of the limits, and of the venue named.
    """
    changes = venue or {}
    venues = {
        name: {**ready[name], "ca_file": ready["ca_file"], **changes.get(name, {})} for name in ("paradex", "vest")
    }
    usual = {
        "size": "0.001",
        "size_min": "0.001",
        "entry_edge_bps": "3",
        "exit_spread_bps": "5",
        "confirm_updates": "1",
        "max_hold_s": "60",
    }
    bounds = {
        "order_notional_max_usd": "2000",
        "daily_loss_max_usd": "100000",
        "open_pairs_max": str(len(bases)),
        "orders_per_minute_max": "9999",
        "position_age_ms_max": "600000",  # steps come without the pause that a look at the positions needs
    }
    return {
        "mode": "live",
        "venues": venues,
        "pairs": [
            {"id": base, "legs": {"paradex": f"{base}-USD-PERP", "vest": f"{base}-PERP"}, **usual, **(pair or {})}
            for base in bases
        ],
        "limits": {**bounds, **(limits or {})},
        "journal": {"dir": str(folder / "journal")},
        "control": {"socket": str(folder / "bot.sock")},
    }


def bot_config(folder: Path, content: Mapping[str, Any]) -> BotConfig:
    return BotConfig.model_validate(content, context={"folder": folder})


def bot_environment(ready: Mapping[str, Any], account: int = 0) -> dict[str, str]:
    """Return the same keys as bot_secrets, as a process of its own is told them."""
    keys = ready["accounts"][account]
    return {
        PARADEX_ACCOUNT: keys["paradex"]["account_address"],
        PARADEX_PRIVATE_KEY: keys["paradex"]["private_key"],
        VEST_PRIMARY_ADDRESS: keys["vest"]["primary_address"],
        VEST_PRIMARY_PRIVATE_KEY: keys["vest"]["primary_private_key"],
    }


def bot_secrets(ready: Mapping[str, Any], account: int = 0) -> BotSecrets:
    keys = ready["accounts"][account]
    return BotSecrets(
        paradex_account=keys["paradex"]["account_address"],
        paradex_private_key=Secret(keys["paradex"]["private_key"]),
        vest_primary_address=keys["vest"]["primary_address"],
        vest_primary_private_key=Secret(keys["vest"]["primary_private_key"]),
    )
