"""What `deltawire metrics` answers, and that rules and dashboard speak of nothing else. promtool judges them all."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.engine.test_bot import World

from deltawire.engine.snapshot import status
from deltawire.observe.log import BufferedLog
from deltawire.observe.metrics import BotCollector

HERE = Path(__file__).parent
DEPLOY = HERE.parents[2] / "deploy"
RULES = DEPLOY / "prometheus/deltawire.rules.yml"
DASHBOARD = DEPLOY / "grafana/deltawire.json"
HAS_PROMTOOL = shutil.which("promtool") is not None
needs_promtool = pytest.mark.skipif(not HAS_PROMTOOL, reason="promtool is not installed: metrics and rules unjudged")
PANELS = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]


async def reply_of_a_bot(folder: Path) -> dict[str, Any]:
    """Return what a bot tells that made a round trip and holds another."""
    world = World(folder)
    bot = await world.begin()
    log = BufferedLog(world.clock, [])
    log.error("trade.alarm", reason="a test")
    bot.on_link("vest", "orders", up=True, detail="")
    for bps in (30, 0, 30):
        world.spread(bps)
        for venue in (world.paradex, world.vest):
            client_id = venue.last.client_id
            stamps = bot.registry.get(client_id).stamps  # type: ignore[union-attr]  # it was just sent
            stamps.decided_mono_ns, stamps.acked_mono_ns, stamps.transport = 10**9, 10**9 + 84 * 10**6, "ws"
            venue.fill(client_id)
    await bot.watcher.round()
    bot.guarded()
    reply = status(bot) | {"figures": bot.figures.told(), "log": log.counted()}
    world.spread(0)
    for venue in (world.paradex, world.vest):
        venue.fill(venue.last.client_id)
    assert await bot.stop("test")
    return json.loads(json.dumps(reply))  # type: ignore[no-any-return]  # as it comes out of the socket


def exposition(reply: dict[str, Any] | None) -> str:
    registry = CollectorRegistry()
    registry.register(BotCollector(lambda: reply))
    return generate_latest(registry).decode()


@pytest.fixture
async def reply(tmp_path: Path) -> dict[str, Any]:
    return await reply_of_a_bot(tmp_path / "journal")


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return name and the values of the labels, these in the order of their names: the sample."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_figures_are_those_of_the_bot(reply: dict[str, Any]):
    told = samples(exposition(reply))
    assert told["deltawire_up",] == 1
    assert told["deltawire_state", "running"] == 1
    assert told["deltawire_state", "paused"] == 0
    assert told["deltawire_trades_total", "closed", "btc"] == 1
    assert told["deltawire_pnl_usd", "btc"] == pytest.approx(float(reply["pnl_usd"]))
    assert told["deltawire_orders_total", "vest"] == 3
    assert told["deltawire_trade_orders_total", "exit", "vest"] == 1
    assert told["deltawire_pair_open", "btc"] == 1
    assert told["deltawire_events_total", "trade.alarm", "error"] == 1
    assert told["deltawire_events_total", "loss.limit", "error"] == 0, "there before it first happens"
    assert told["deltawire_order_phase_seconds_count", "total", "paradex"] == 3
    assert told["deltawire_order_phase_seconds_bucket", "0.05", "total", "paradex"] == 0
    assert told["deltawire_order_phase_seconds_bucket", "0.1", "total", "paradex"] == 3
    assert told["deltawire_order_phase_seconds_bucket", "+Inf", "total", "paradex"] == 3
    assert told["deltawire_order_phase_seconds_sum", "total", "paradex"] == pytest.approx(0.252)
    assert told["deltawire_trade_entry_spread_ratio_sum", "detected", "btc"] == pytest.approx(0.003, rel=0.05)
    assert told["deltawire_equity_usd", "paradex"] > 0
    assert told["deltawire_clock_off", "vest"] == 0


def test_a_bot_that_does_not_answer_is_down_and_nothing_else_is_claimed():
    assert samples(exposition(None)) == {("deltawire_up",): 0}


def test_a_bot_of_another_version_that_tells_less_is_up():
    assert samples(exposition({"state": "running"}))["deltawire_up",] == 1


def test_prometheus_is_answered_on_loopback(tmp_path: Path):
    registry = CollectorRegistry()
    registry.register(BotCollector(lambda: None))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        host, port = server.server_address[:2]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{port}/metrics", timeout=60
        ) as answer:
            assert b"deltawire_up 0.0" in answer.read()
        assert host == "127.0.0.1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completed(reply: dict[str, Any]) -> dict[str, Any]:
    """Add what the venues of this test do not have: a rate limit and a time of their own; its bot ran no minute."""
    budget = {"name": "orders", "left": 3, "size": 5, "period_s": 60, "refused": 0}
    reply["venues"]["vest"] |= {"budgets": [budget], "clock": {"offset_ms": -7.5, "blocks": ""}}
    reply["loop"]["lag"] |= {"p50": 120.0}
    return reply


def names_used(text: str) -> set[str]:
    return set(re.findall(r"\bdeltawire_[a-z_]+", text))


async def test_rules_and_dashboard_name_only_metrics_that_exist(reply: dict[str, Any]):
    existing = {name for name, *_ in samples(exposition(completed(reply)))}
    expressions = re.findall(r"expr: (.*)", RULES.read_text()) + EXPRESSIONS
    assert len(expressions) > 30
    assert {name for text in expressions for name in names_used(text)} - existing == set()


def labels_by_metric(text: str) -> dict[str, dict[str, set[str]]]:
    """Return metric -> label -> its values."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


async def test_rules_and_dashboard_name_only_labels_that_exist(reply: dict[str, Any]):
    existing = labels_by_metric(exposition(completed(reply)))
    of_rules = re.findall(r"expr: (.*)", RULES.read_text())
    said = [(text, "") for text in of_rules]
    said += [(target["expr"], target.get("legendFormat", "")) for panel in PANELS for target in panel["targets"]]
    wrong: list[str] = []
    for text, legend in said:
        known = {"job", "instance"}.union(*(existing.get(name, {}) for name in names_used(text)))
        for name, selector in re.findall(r"(deltawire_[a-z_]+)\{([^}]*)\}", text):
            for label, is_plain, value in re.findall(r"(\w+)\s*(=|=~|!=|!~)\s*\"([^\"]*)\"", selector):
                values = existing[name].get(label)
                if values is None and label not in ("job", "instance"):
                    wrong.append(f"{text}: {name} has no label {label}")
                elif values and is_plain == "=" and "$" not in value and value not in values:
                    wrong.append(f"{text}: {label} is never {value}")
        for named in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", text):
            wrong += [f"{text}: by {label}" for label in re.findall(r"\w+", named) if label not in known]
        wrong += [
            f"{text}: {{{{{label}}}}}" for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", legend) if label not in known
        ]
    assert wrong == []
    assert any("{" in text for text, _ in said), "or nothing was looked at"
    anywhere = {label for labels in existing.values() for label in labels} | {"job", "instance"}
    assert set(re.findall(r"\$labels\.(\w+)", RULES.read_text())) <= anywhere


def test_every_metric_of_the_code_is_in_the_docs_and_no_other():
    source = (DEPLOY.parent / "src/deltawire/observe/metrics.py").read_text()
    page = (DEPLOY.parent / "docs/metrics.md").read_text()
    made = set(re.findall(r'"(deltawire_[a-z_]+)"', source))
    told = {name.removesuffix("_total") for name in re.findall(r"^\| `(deltawire_[a-z_]+)", page, re.MULTILINE)}
    assert told == made


def test_events_that_rules_count_are_told_from_the_start():
    from deltawire.observe.metrics import ALARMING

    counted = {name for group in re.findall(r'event=~?"([^"]+)"', RULES.read_text()) for name in group.split("|")}
    assert counted <= {event for _, event in ALARMING}


def promtool(*arguments: str, cwd: Path, text: str = "") -> str:
    done = subprocess.run(
        ["promtool", *arguments], cwd=cwd, input=text, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
async def test_promtool_finds_nothing_wrong_with_the_metrics(reply: dict[str, Any], tmp_path: Path):
    assert promtool("check", "metrics", cwd=tmp_path, text=exposition(reply)) == ""


@needs_promtool
def test_promtool_takes_the_rules_and_each_fires_for_what_it_is_for(tmp_path: Path):
    for path in (RULES, HERE / "rules.test.yml"):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool("check", "rules", RULES.name, cwd=tmp_path)
    assert "SUCCESS" in promtool("test", "rules", "rules.test.yml", cwd=tmp_path)


@needs_promtool
def test_promtool_takes_the_scrape_settings(tmp_path: Path):
    for path in (RULES, DEPLOY / "prometheus/scrape.yml"):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool("check", "config", "scrape.yml", cwd=tmp_path)


@needs_promtool
def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path):
    rules = [{"record": f"panel:n{number}", "expr": text} for number, text in enumerate(EXPRESSIONS)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    assert f"{len(rules)} rules found" in promtool("check", "rules", "panels.yml", cwd=tmp_path)


def test_every_panel_of_the_dashboard_has_its_own_id_and_place_and_asks_something():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(target["expr"] for panel in PANELS for target in panel["targets"])
