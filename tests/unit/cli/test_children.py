"""Child processes are logged, ended, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deltawire.cli.children import Child


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int) -> None:
    deadline_s = time.monotonic() + 60
    while is_alive(pid):
        assert time.monotonic() < deadline_s, "it still runs"
        time.sleep(0.02)  # another process; there is no clock to move


def test_what_a_child_says_and_its_exit_code_are_kept(tmp_path):
    child = Child("help", ["--help"], tmp_path / "child.log")
    assert child.wait(60) == 0
    assert "deltawire" in child.last_lines(50)


def test_a_misused_command_is_told_by_its_exit_code(tmp_path):
    child = Child("nonsense", ["nonsense"], tmp_path / "child.log")
    assert child.wait(60) == 2
    assert "nonsense" in child.last_lines()


def test_only_the_last_lines_are_returned(tmp_path):
    child = Child("help", ["--help"], tmp_path / "child.log")
    child.wait(60)
    assert len(child.last_lines(3).splitlines()) == 3


def test_ending_a_child_leaves_nothing_and_twice_is_harmless(tmp_path):
    child = Child("sim", ["sim", "--ready-file", str(tmp_path / "ready.json")], tmp_path / "child.log")
    assert child.exit_code is None
    code = child.end(20)
    assert child.end(0) == code
    wait_until_gone(child.pid)


def test_real_accounts_of_the_environment_do_not_reach_a_child(tmp_path, monkeypatch):
    monkeypatch.setenv("DELTAWIRE_PARADEX_PRIVATE_KEY", "0x1")
    child = Child("sim", ["sim", "--ready-file", str(tmp_path / "ready.json")], tmp_path / "child.log")
    try:
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
    finally:
        child.end(20)
    assert b"PATH=" in environment
    assert b"DELTAWIRE_" not in environment


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel call is Linux's")
def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    program = (
        "import sys; from pathlib import Path; from deltawire.cli.children import Child\n"
        f"child = Child('sim', ['sim', '--ready-file', {str(tmp_path / 'ready.json')!r}], Path(sys.argv[1]))\n"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    wait_until_gone(pid)
