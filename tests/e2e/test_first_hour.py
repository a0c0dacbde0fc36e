"""docs/first-hour.md, run as it stands: every command of it, in order, from an empty folder."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-hour.md"
# What the simulators have counted when a section begins; asked here, for the reader need not.
ASK = """"$PYTHON" - <<'END'
import json, urllib.request
url = json.load(open("ready.json"))["control_url"] + "/state"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
open("before-{section}.json", "wb").write(opener.open(url, timeout=30).read())
END
"""


def script() -> str:
    """Return the page's commands as one script; the counters are read before live begins and when it is over."""
    parts = []
    for section in PAGE.read_text().split("\n## "):
        if section.startswith(("3. ", "5. ")):
            parts.append(ASK.replace("{section}", section[0]))
        for block in re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                assert line.startswith("$ "), line
                parts.append(line.removeprefix("$ ") + "\n")
    return "set -eu\n" + "".join(parts)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with `deltawire` on the path and no accounts, no proxy, no state of an earlier run."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "deltawire"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deltawire "$@"\n')
    command.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DELTAWIRE_") and "proxy" not in k.lower()}
    return kept | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "NO_COLOR": "1",
    }


def private_calls(folder: Path, section: int) -> int:
    state = json.loads((folder / f"before-{section}.json").read_text())
    assert state["vest"]["counters"]["requests"] > 0, "its public side was used"
    return int(state["paradex"]["connections"].get("private_calls", 0) + state["vest"]["counters"]["private_calls"])


def test_the_first_hour_goes_as_the_page_says(tmp_path: Path, environ: dict[str, str]):
    folder = tmp_path / "empty"
    folder.mkdir()
    shell = subprocess.Popen(
        ["bash", "-c", script()],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=500)
    finally:
        if shell.poll() is None:  # all it has started, which is in its session
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    logs = "".join(path.read_text()[-2_000:] for path in sorted(folder.rglob("*.log")))
    assert shell.returncode == 0, f"{output}\n{logs}"
    assert output.count("\nready: ") == 2, "both checks passed"
    told = " ".join(output.split())  # a title is wrapped where the screen ends
    assert "(paper, ended): orders filled here on live books, no figure here is money" in told
    assert "NOT SIGNED OFF" not in output
    assert output.rstrip().endswith("SIGNED OFF")
    assert private_calls(folder, 3) == 0, "paper made none"
    assert private_calls(folder, 5) > 0, "live did, and they are counted"
    assert "<html" in (folder / "page.html").read_text()
    assert {path.name for path in folder.rglob("journal*") if path.is_dir()} == {"journal", "journal-paper"}
    assert "Traceback" not in output + logs
