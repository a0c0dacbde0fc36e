"""`deltawire dashboard` as a process: where it listens, what it prints, how it ends."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from deltawire.cli.main import app
from deltawire.journal.log import JournalLog
from deltawire.journal.records import RunStarted

WITHIN_S = 60.0
runner = CliRunner()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with JournalLog(tmp_path / "journal") as log:
        log.append(RunStarted(run_id="r1", unix_ns=1, mono_ns=1, version="0", mode="live", simulated=True, pairs=[]))
    return tmp_path / "journal"


@contextmanager
def served(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    url_file = tmp_path / "url"
    command = [sys.executable, "-m", "deltawire", "dashboard", "--port", "0", "--url-file", str(url_file), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline_s = time.monotonic() + WITHIN_S
        while not url_file.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)  # another process; there is no clock to move
        yield process, url_file
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_a_journal_until_told_to_end_and_then_exits_0(tmp_path: Path, journal: Path, how: signal.Signals):
    with served(tmp_path, "--journal", str(journal)) as (process, url_file):
        url = urlsplit(url_file.read_text().strip())
        assert url_file.stat().st_mode & 0o777 == 0o600
        assert url.hostname == "127.0.0.1"
        assert url.fragment.startswith("token=")
        connection = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=WITHIN_S)
        connection.request("GET", "/login")
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"Token" in answer.read()
        connection.close()
        process.send_signal(how)
        out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, err
        assert url.fragment.removeprefix("token=") not in out + err, "a token in a file is not printed besides"


def test_it_listens_on_loopback_only(tmp_path: Path, journal: Path):
    with served(tmp_path, "--journal", str(journal)) as (_, url_file):
        port = urlsplit(url_file.read_text().strip()).port
        assert port is not None
        # 127.0.0.2 is this machine too, but not the address it was told to listen on.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=WITHIN_S)


def test_an_address_others_can_reach_is_warned_of(tmp_path: Path, journal: Path):
    with served(tmp_path, "--journal", str(journal), "--host", "0.0.0.0") as (process, _):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WITHIN_S)
        assert "WARNING: 0.0.0.0 is reachable from other machines" in err


def test_a_port_in_use_is_told_with_its_remedy(journal: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = runner.invoke(app, ["dashboard", "--journal", str(journal), "--port", port])
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_an_address_of_nobody_a_missing_journal_and_a_missing_config_are_told(tmp_path: Path, journal: Path):
    result = runner.invoke(app, ["dashboard", "--journal", str(journal), "--host", "203.0.113.7", "--port", "0"])
    assert (result.exit_code, "203.0.113.7" in result.stderr) == (2, True)
    result = runner.invoke(app, ["dashboard", "--journal", str(tmp_path / "none")])
    assert (result.exit_code, "there is no journal" in result.stderr) == (2, True)
    result = runner.invoke(app, ["dashboard", "--config", str(tmp_path / "none.yaml")])
    assert (result.exit_code, "none.yaml" in result.stderr) == (2, True)
