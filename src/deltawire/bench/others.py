"""The clients we did not write (paradex-py, ccxt), where their environment is: see scripts/oracles.sh.

Their scripts are in the project's bench/clients and import nothing of ours. Where one cannot run, a benchmark says why.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS, OF_CLIENTS = ROOT / "bench/clients", ROOT / ".venv-oracles"
PYTHON = OF_CLIENTS / "bin/python"
PACKAGES = ("paradex-py", "ccxt")
WITHIN_S = 240.0  # importing paradex-py alone takes seconds on a busy machine


def why_missing(package: str, script: str) -> str:
    """Say why a client cannot run here; "" when it can."""
    if not (SCRIPTS / script).exists():
        return "its script is in the project's folder bench/clients, and this is not run from a checkout"
    installed, why_not = OF_CLIENTS / ".installed", OF_CLIENTS / ".why-not"
    if installed.exists() and package in installed.read_text(encoding="utf-8").split():
        return ""
    reason = why_not.read_text(encoding="utf-8").strip() if why_not.exists() else "nobody has tried to: make oracles"
    return f"it is not installed in .venv-oracles: {reason}"


def command(script: str, ready: Mapping[str, Any], *arguments: str) -> tuple[str, ...]:
    """Return the command of a script for the simulators of this ready file."""
    return (
        str(PYTHON), str(SCRIPTS / script), ready["paradex"]["rest_url"], ready["paradex"]["ws_url"], *arguments
    )  # fmt: skip


def environment(ready: Mapping[str, Any], account: int) -> dict[str, str]:
    """Return its environment: where the CA is, and whose orders they are. Nothing else of ours."""
    keys = ready["accounts"][account]["paradex"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "SSL_CERT_FILE": ready["ca_file"],
        "REQUESTS_CA_BUNDLE": ready["ca_file"],
        "PARADEX_PRIVATE_KEY": keys["private_key"],
        "PARADEX_ACCOUNT": keys["account_address"],
    }


async def said(
    package: str, script: str, ready: Mapping[str, Any], *arguments: str, account: int = 0
) -> dict[str, Any] | str:
    """Run a script to its end and return its one line of JSON, or why it cannot run here.

    Raises RuntimeError with its last words when it fails.
    """
    missing = why_missing(package, script)
    if missing:
        return f"{package}: {missing}"
    process = await asyncio.create_subprocess_exec(
        *command(script, ready, *arguments),
        env=environment(ready, account),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, words = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError as e:
        raise RuntimeError(f"{script} did not end within {WITHIN_S:g} s") from e
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        last = words.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{script} failed with code {process.returncode}; its last words: {last}")
    found: dict[str, Any] = json.loads(out)
    return found
