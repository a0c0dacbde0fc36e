"""Runs each client once against a `deltawire sim` of its own, in the environment of scripts/oracles.sh."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.rig import ask_sim, start_sim

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OF_CLIENTS = ROOT / ".venv-oracles"
WITHIN_S = 300.0  # on a busy machine importing paradex-py alone takes seconds


@dataclass(frozen=True)
class Proof:
    """What a client reported, and what the venue says of the account it used."""

    said: dict[str, Any]
    account: dict[str, Any]
    address: str


def python_with(package: str) -> Path:
    """Return the Python that has the client, or skip with the reason why there is none."""
    python, installed, why_not = (OF_CLIENTS / name for name in ("bin/python", ".installed", ".why-not"))
    if installed.exists() and package in installed.read_text().split():
        return python
    reason = why_not.read_text().strip() if why_not.exists() else "nobody has tried to: run make oracles"
    pytest.skip(f"NOT PROVED BY {package}: it is not installed in .venv-oracles: {reason}")


@pytest.fixture(scope="session")
def versions() -> dict[str, str]:
    """Return the versions the lock names, by package."""
    lock = (ROOT / "requirements/oracles.lock").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def run_client(package: str, script: str, folders: pytest.TempPathFactory) -> Iterator[Proof]:
    python = python_with(package)
    process, ready = start_sim(folders.mktemp(package))
    try:
        account = ready.accounts[0].paradex
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment |= {
            "SSL_CERT_FILE": ready.ca_file,
            "REQUESTS_CA_BUNDLE": ready.ca_file,
            "PARADEX_PRIVATE_KEY": account.private_key,
            "PARADEX_ACCOUNT": account.account_address,
        }
        done = subprocess.run(
            [python, HERE / script, ready.paradex.rest_url, ready.paradex.ws_url],
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{script} failed:\n{done.stderr[-4000:]}"
        state = ask_sim(ready, "/state")["paradex"]["accounts"][account.account_address]
        yield Proof(json.loads(done.stdout), state, account.account_address)
    finally:
        process.terminate()
        process.wait(timeout=60)
