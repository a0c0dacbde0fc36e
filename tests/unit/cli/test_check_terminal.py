"""`deltawire check` as a person at a terminal sees it, and as a script hears it; nothing leaves this machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from deltawire.cli.template import LIVE, config_text

TOO_LONG_S = 60
COMMAND = ["-m", "deltawire", "check", "--config"]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Mode live at a port of this machine where nobody listens, and no keys."""
    text = re.sub(r"(https|wss)://[^/\n]*(prod)[^/\n]*", r"\1://127.0.0.9:1", config_text(LIVE))
    assert "prod." not in "".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DELTAWIRE_") and k != "NO_COLOR"}
    return kept | {"XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm"}


def test_on_a_terminal_lines_have_colours_and_a_word_of_what_is_waited_for(config: str, tmp_path: Path):
    screen = pexpect.spawn(
        sys.executable, [*COMMAND, config], env=environment(tmp_path), encoding="utf-8", timeout=TOO_LONG_S
    )
    screen.expect("connecting to 127.0.0.9")
    screen.expect(pexpect.EOF)
    text = screen.before or ""
    screen.close()
    assert screen.exitstatus == 1
    assert "\x1b[1;31mfail" in text
    assert "→ " in text
    assert "not ready: " in text


def test_in_a_pipe_there_is_plain_text_and_every_failure_names_its_remedy(config: str, tmp_path: Path):
    run = [sys.executable, *COMMAND, config]
    done = subprocess.run(run, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
    as_json = subprocess.run([*run, "--json"], env=environment(tmp_path), capture_output=True, check=False)
    assert as_json.returncode == 1
    told = json.loads(as_json.stdout)
    failed = {(line["section"], line["name"]) for line in told["lines"] if line["level"] == "fail"}
    assert failed == {("settings", "keys"), ("paradex", "tls"), ("vest", "tls")}
    assert all(line["remedy"] for line in told["lines"] if line["level"] == "fail")
    assert done.stdout.count("→ ") == sum(told["counts"][level] for level in ("warn", "fail"))
