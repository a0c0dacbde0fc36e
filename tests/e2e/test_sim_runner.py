"""The simulators as a person starts them: a process of its own, read over TLS with the CA file it wrote."""

import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

START = "import sys; from pathlib import Path; from deltawire.sim.runner import sim_main; "
CONFIG = """
seed: 5
accounts: 2
collateral_usd: 5000
basis: {height_min_bps: 30}
"""


class Sim:
    def __init__(self, process: subprocess.Popen[bytes], ready_file: Path) -> None:
        self.process, self.ready_file = process, ready_file
        self.ready: dict[str, Any] = json.loads(ready_file.read_text())
        self.tls = ssl.create_default_context(cafile=self.ready["ca_file"])

    def get(self, url: str, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(url, headers=headers or {})
        with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:
            return json.loads(answer.read())

    def control(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.ready["control_url"] + path, data=data, timeout=60) as answer:
            return json.loads(answer.read())


@contextmanager
def running(folder: Path, config: str) -> Iterator[Sim]:
    settings, ready_file = folder / "sim.yaml", folder / "ready.json"
    settings.write_text(config)
    call = f"sys.exit(sim_main(Path({str(settings)!r}), Path({str(ready_file)!r})))"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-W", "error", "-c", START + call], stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not ready_file.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.02)
        yield Sim(process, ready_file)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def sim(tmp_path_factory) -> Iterator[Sim]:
    with running(tmp_path_factory.mktemp("sim"), CONFIG) as sim:
        yield sim


def test_the_ready_file_is_private_and_has_what_design_section_8_says(sim):
    assert sim.ready_file.stat().st_mode & 0o777 == 0o600
    ready = sim.ready
    assert set(ready) == {"paradex", "vest", "ca_file", "accounts", "control_url"}
    for venue in ("paradex", "vest"):
        assert ready[venue]["rest_url"].startswith("https://127.0.0.1:")
        assert ready[venue]["ws_url"].startswith("wss://127.0.0.1:")
    assert len(ready["accounts"]) == 2
    for account in ready["accounts"]:
        assert set(account["paradex"]) == {"account_address", "private_key", "public_key"}
        assert set(account["vest"]) == {"primary_address", "primary_private_key"}


def test_paradex_answers_over_tls_with_the_ca(sim):
    url = sim.ready["paradex"]["rest_url"]
    assert abs(int(sim.get(f"{url}/system/time")["server_time"]) / 1000 - time.time()) < 60
    assert {market["symbol"] for market in sim.get(f"{url}/markets")["results"]} == {"BTC-USD-PERP", "ETH-USD-PERP"}


def test_vest_answers_over_tls_with_the_ca(sim):
    info = sim.get(f"{sim.ready['vest']['rest_url']}/exchangeInfo", {"xrestservermm": "restserver0"})
    assert {"BTC-PERP", "ETH-PERP"} <= {symbol["symbol"] for symbol in info["symbols"]}


@pytest.mark.parametrize("venue", ["paradex", "vest"])
def test_nobody_trusts_the_venues_without_the_ca(sim, venue):
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(sim.ready[venue]["rest_url"], timeout=60, context=ssl.create_default_context())


def test_the_control_url_shows_both_venues_and_moves_the_market(sim):
    state = sim.control("/state")
    assert set(state) == {"market", "faults", "paradex", "vest"}
    assert len(state["paradex"]["accounts"]) == len(state["vest"]["accounts"]) == 2
    sim.control("/market", {"paused": True, "basis_bps": 0})
    level = sim.control("/market")["quotes"]
    sim.control("/market", {"basis_bps": 100})
    dear = sim.control("/market")["quotes"]
    sim.control("/market", {"paused": False, "basis_bps": None})
    assert dear["paradex"] == level["paradex"]
    for base in ("BTC", "ETH"):
        ratio = float(dear["vest"][base]["bid_price"]) / float(level["vest"][base]["bid_price"])
        assert ratio == pytest.approx(1.01, abs=1e-5)


def test_no_private_key_is_in_the_log_or_the_state(sim):
    served = json.dumps(sim.control("/state")) + (sim.ready_file.parent / "log").read_text()
    for account in sim.ready["accounts"]:
        for key in (account["paradex"]["private_key"], account["vest"]["primary_private_key"]):
            assert key.removeprefix("0x") not in served


def test_sigterm_ends_it_with_0_and_takes_keys_and_ca_away(tmp_path):
    with running(tmp_path, "accounts: 1\n") as sim:
        sim.process.terminate()
        assert sim.process.wait(60) == 0
        assert not sim.ready_file.exists()
        assert not Path(sim.ready["ca_file"]).exists()


def test_a_round_trip_set_is_charged_to_every_connection(tmp_path):
    with running(tmp_path, "rtt_ms: 40\n") as sim:
        for url in (f"{sim.ready['paradex']['rest_url']}/system/time", f"{sim.ready['vest']['rest_url']}/exchangeInfo"):
            began = time.monotonic()
            sim.get(url, {"xrestservermm": "restserver0"})
            # Connect, TLS 1.3 hello, request: three round trips at least.
            assert time.monotonic() - began >= 0.120


def test_a_wrong_setting_ends_it_before_anything_is_written(tmp_path):
    (tmp_path / "sim.yaml").write_text("sped: 2\n")
    call = f"sim_main(Path({str(tmp_path / 'sim.yaml')!r}), Path({str(tmp_path / 'ready.json')!r}))"
    ended = subprocess.run([sys.executable, "-c", START + call], capture_output=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert b'did you mean "speed"?' in ended.stderr
    assert not (tmp_path / "ready.json").exists()
