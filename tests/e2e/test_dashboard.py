"""The page in a real Chromium, over a real bot on simulated venues: what a person sees, and what a stranger gets."""

import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from tests.e2e.rig import Rig, spawn, wait_until

from deltawire.cli.control_client import ask

pytestmark = pytest.mark.e2e

WIDE_BPS = 40
WITHIN_MS = 60_000
MINUS, MISSING = "\N{MINUS SIGN}", "\N{EN DASH}"  # as the page writes them
PHONE = {"width": 390, "height": 844}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class World:
    """Venues, a bot and its page; one for all tests here. Each begins with a bot that runs and holds nothing."""

    def __init__(self, rig: Rig, browser: Browser) -> None:
        self.rig, self.browser = rig, browser
        self.url_file = rig.folder / "url"
        rig.start_bot()
        self.server = self.start_page()

    def start_page(self) -> subprocess.Popen[bytes]:
        self.url_file.unlink(missing_ok=True)
        options = ("--config", str(self.rig.config), "--port", "0", "--url-file", str(self.url_file))
        process = spawn(self.rig.folder / "dashboard.log", "dashboard", *options)
        wait_until(self.url_file.exists, "the page is served", 60)
        return process

    @property
    def url(self) -> str:
        return self.url_file.read_text().strip()

    @property
    def address(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def settle(self) -> None:
        self.rig.spread(0)
        if not self.rig.status():
            self.rig.start_bot()
        if self.rig.status()["halted"]:
            ask(self.rig.socket, "arm")
        ask(self.rig.socket, "resume")
        wait_until(lambda: self.state() == "running" and self.rig.pair_state() == "watching", "a bot at rest", 60)

    def state(self) -> str:
        return str(self.rig.status().get("state"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the page was NOT tried in a browser (apt-get install chromium)")
    # The name leads here as one rebound by an attacker would.
    options = ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=options, timeout=2 * WITHIN_MS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    expect.set_options(timeout=WITHIN_MS)
    with Rig(tmp_path_factory.mktemp("page")) as rig:
        made = World(rig, browser)
        yield made
        made.server.send_signal(signal.SIGTERM)
        assert made.server.wait(timeout=60) == 0, (rig.folder / "dashboard.log").read_text()


@pytest.fixture
def world(shared: World) -> World:
    shared.settle()
    return shared


@pytest.fixture
def context(world: World) -> Iterator[BrowserContext]:
    made = world.browser.new_context(viewport={"width": 1400, "height": 900})
    made.set_default_timeout(WITHIN_MS)
    yield made
    made.close()


@pytest.fixture
def page(world: World, context: BrowserContext) -> Page:
    return opened(world, context)


def opened(world: World, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(world.url)
    expect(state_of(page)).to_have_text("running")
    return page


def state_of(page: Page) -> Locator:
    return page.locator("#state")


def pair_badge(page: Page) -> Locator:
    return page.locator("#pairs tr .badge")


def press(page: Page, name: str, confirm: str) -> None:
    """Push a button and say yes to its question, by their names as a screen reader reads them."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=confirm, exact=True).click()


def kpi(page: Page, name: str) -> Locator:
    return page.locator(f'#kpis [data-key="{name}"] dd').first


# ---- what a person sees ----------------------------------------------------------------------------------------------


def test_it_loads_follows_a_trade_and_asks_nobody_else(world: World, context: BrowserContext):
    asked: list[str] = []
    wrong: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(world.url)
    expect(page).to_have_title("running · deltawire")
    assert "token" not in page.url, "the token does not stay in the address bar"
    expect(pair_badge(page)).to_have_text("watching")
    trips = world.rig.status()["round_trips"]
    expect(kpi(page, "round trips")).to_have_text(str(trips))

    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    expect(page.locator("#pairs")).to_contain_text("bought paradex")
    expect(page.locator("#trades tr").first).to_contain_text("open")
    world.rig.spread(0)
    expect(pair_badge(page)).to_have_text("watching")
    expect(kpi(page, "round trips")).to_have_text(str(trips + 1))
    expect(page.locator("#trades tr").first).to_contain_text("closed")
    expect(page.locator("#premium canvas")).to_be_visible()
    expect(page.locator("#prices canvas")).to_be_visible()
    expect(page.locator("#lat canvas")).to_be_visible()
    expect(page.locator("#pnl canvas")).to_be_visible()
    for venue in ("paradex", "vest"):
        expect(page.locator("#waterfall")).to_contain_text(venue)
        expect(page.get_by_role("article", name=venue)).to_contain_text("ready")
    expect(page.locator("#causes")).to_contain_text("kept")

    assert {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in asked} == {world.address}
    assert wrong == []


def test_figures_move_without_a_reload(world: World, page: Page):
    page.evaluate("window.untouched = true")
    world.rig.spread(7)
    expect(page.locator("#premium-words")).to_contain_text("sell vest +")
    now = page.locator("#books").inner_text()
    world.rig.spread(-7)
    expect(page.locator("#premium-words")).to_contain_text(f"sell vest {MINUS}")
    expect(page.locator("#books")).not_to_have_text(now, use_inner_text=True)
    assert page.evaluate("window.untouched") is True


def test_a_trade_opens_by_keyboard_to_its_causes_and_every_phase(world: World, page: Page):
    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    row = page.locator("#trades tr").first
    expect(row).to_contain_text("open")  # it is this trade's row by now, and not that of the one before
    world.rig.spread(0)
    expect(row).to_contain_text("closed")
    toggle = row.get_by_role("button")
    toggle.focus()
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    box = page.locator(".detailbox")
    expect(box).to_contain_text("best prices at entry")
    expect(box.locator(".order")).to_have_count(4)
    expect(box.locator(".order").first).to_contain_text("wire")
    page.keyboard.press("Enter")
    expect(box).to_have_count(0)


# ---- the buttons -----------------------------------------------------------------------------------------------------


def test_pause_and_resume_reach_the_bot_and_no_means_no(world: World, page: Page):
    page.get_by_role("button", name="Pause", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("No new trades")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert world.state() == "running"

    press(page, "Pause", "Pause")
    expect(state_of(page)).to_have_text("paused")
    assert world.state() == "paused"
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_disabled()
    press(page, "Resume", "Resume")
    expect(state_of(page)).to_have_text("running")
    assert world.state() == "running"


def test_flatten_closes_the_open_trade(world: World, page: Page):
    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    page.get_by_role("button", name="Flatten").click()
    expect(page.get_by_role("dialog")).to_contain_text("On now: ")
    page.get_by_role("button", name="Flatten now").click()
    expect(pair_badge(page)).to_have_text("watching")
    expect(state_of(page)).to_have_text("paused")
    assert not any(float(size) for size in world.rig.status()["pairs"][0]["position"].values())


def test_kill_closes_latches_and_is_lifted_by_arm(world: World, page: Page):
    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    expect(page.get_by_role("button", name="Arm")).to_have_count(0)
    press(page, "Kill", "Kill")
    expect(page.locator("#banner")).to_contain_text("killed by a person")
    expect(pair_badge(page)).to_have_text("watching")
    assert world.rig.status()["halted"] == "killed by a person"
    expect(page.locator("#alerts")).to_contain_text("halted: killed by a person")
    world.rig.spread(0)
    press(page, "Arm", "Arm")
    expect(page.locator("#alerts")).to_contain_text("armed by a person")
    wait_until(lambda: not world.rig.status()["halted"], "the halt is lifted", 60)


# ---- the bot or the server is away -----------------------------------------------------------------------------------


def test_a_bot_that_died_is_said_to_be_away_and_its_journal_stays(world: World, page: Page):
    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    assert world.rig.bot is not None
    world.rig.bot.kill()
    world.rig.bot.wait()
    expect(state_of(page)).to_have_text("bot away")
    expect(page.locator("#banner")).to_contain_text("no bot is running")
    expect(page.locator("#banner")).to_contain_text("Last heard at")
    expect(page.locator("#runnote")).to_contain_text("the bot died")
    expect(page.locator("#trades tr").first).to_contain_text("open")
    expect(page.get_by_role("button", name="Kill")).to_be_disabled()
    expect(kpi(page, "net delta, USD")).to_have_text(MISSING)
    world.rig.start_bot()
    expect(state_of(page)).to_have_text("disarmed · halted")
    press(page, "Arm", "Arm")
    expect(state_of(page)).to_have_text("running")
    expect(page.locator("#runnote")).to_contain_text("under way")
    page.get_by_label("run").select_option(index=1)
    expect(page.locator("#banner")).to_contain_text("are of an older run")
    expect(page.locator("#runnote")).to_contain_text("the bot died")
    page.get_by_label("run").select_option(index=0)
    expect(page.locator("#runnote")).to_contain_text("under way")


def test_a_server_that_went_is_told_and_a_new_one_asks_for_its_token(world: World, page: Page):
    port = urlsplit(world.address).port
    world.server.send_signal(signal.SIGTERM)
    assert world.server.wait(timeout=60) == 0, "an open page does not hold the server back"
    expect(page.locator("#link")).to_have_text("server lost")
    expect(page.locator("#banner")).to_contain_text("lost its server")
    options = ("--config", str(world.rig.config), "--port", str(port), "--url-file", str(world.url_file))
    world.url_file.unlink()
    world.server = spawn(world.rig.folder / "dashboard.log", "dashboard", *options)
    wait_until(world.url_file.exists, "the page is served again", 60)
    expect(page.get_by_label("Token")).to_be_visible()
    page.get_by_label("Token").fill(urlsplit(world.url).fragment.removeprefix("token="))
    page.get_by_role("button", name="Open").click()
    expect(state_of(page)).to_have_text("running")


def test_a_journal_is_shown_without_its_bot(world: World, tmp_path: Path):
    journal = tmp_path / "journal"
    # Without its tables, which come and go beside the running bot and are made again from the log.
    tables = shutil.ignore_patterns("projection.sqlite3*")
    shutil.copytree(world.rig.folder / "bot" / "journal", journal, ignore=tables)
    url_file = tmp_path / "url"
    process = spawn(
        tmp_path / "log", "dashboard", "--journal", str(journal), "--port", "0", "--url-file", str(url_file)
    )
    try:
        wait_until(url_file.exists, "the page is served", 60)
        context = world.browser.new_context(viewport=PHONE)  # type: ignore[arg-type]  # two numbers
        context.set_default_timeout(WITHIN_MS)
        page = context.new_page()
        page.goto(url_file.read_text().strip())
        expect(state_of(page)).to_have_text("journal only")
        expect(page.locator("#banner")).to_contain_text("A journal without its bot")
        expect(page.locator("#runnote")).to_contain_text("Run ")
        expect(page.get_by_role("button", name="Kill")).to_have_count(0)
        context.close()
    finally:
        process.kill()
        process.wait()


# ---- who may not -----------------------------------------------------------------------------------------------------


def test_without_the_token_there_is_only_the_login(world: World, context: BrowserContext):
    page = context.new_page()
    page.goto(f"{world.address}/")
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.url == f"{world.address}/login"
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_have_text("that is not the token of this start")
    for path in ("/api/events", "/api/page", "/api/history?pair=BTC", "/index.html", "/app.js"):
        answer = page.request.get(f"{world.address}{path}")
        assert answer.status == 401, path


def test_a_cookie_without_the_tabs_key_is_asked_for_the_token(world: World, context: BrowserContext):
    opened(world, context)
    second = context.new_page()
    second.goto(f"{world.address}/")
    expect(second.get_by_label("Token")).to_be_visible()


ATTACK = """async (target) => {
  const told = {};
  const tries = {
    read: [target + "/api/page", { credentials: "include" }],
    pause: [target + "/api/command", { method: "POST", credentials: "include",
      headers: { "content-type": "application/json", "x-deltawire-key": "guess" },
      body: '{"command":"pause","confirm":"pause"}' }],
    blind: [target + "/api/command", { method: "POST", credentials: "include", mode: "no-cors",
      headers: { "content-type": "text/plain" }, body: '{"command":"pause","confirm":"pause"}' }],
  };
  for (const [name, [url, options]] of Object.entries(tries)) {
    try {
      const answer = await fetch(url, options);
      told[name] = answer.type === "opaque" ? "opaque" : String(answer.status);
    } catch { told[name] = "blocked"; }
  }
  return told;
}"""


def test_a_page_of_another_origin_can_neither_read_nor_push_with_the_persons_cookie(
    world: World, context: BrowserContext, tmp_path: Path
):
    opened(world, context)
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title><iframe id=f></iframe>")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        page = context.new_page()
        # The same host, another port: for a cookie the same site, so only our own checks stand in between.
        page.goto(f"http://127.0.0.1:{elsewhere.server_port}/")
        told = page.evaluate(ATTACK, world.address)
        assert told == {"read": "blocked", "pause": "blocked", "blind": "blocked"}
        page.evaluate("(url) => { document.getElementById('f').src = url }", f"{world.address}/login")
        expect(page.frame_locator("#f").get_by_label("Token")).to_have_count(0)
        elsewhere.shutdown()
    assert world.state() == "running"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def test_a_name_rebound_to_this_machine_is_refused(world: World, context: BrowserContext):
    page = context.new_page()
    answer = page.goto(f"http://evil.example:{urlsplit(world.address).port}/")
    assert answer is not None
    assert answer.status == 421


def test_nothing_the_page_is_given_holds_a_secret(world: World, page: Page):
    world.rig.spread(WIDE_BPS)
    expect(pair_badge(page)).to_have_text("holding")
    trade_id = world.rig.status()["pairs"][0]["trade"]["trade_id"]
    told = page.content() + "".join(
        page.evaluate("async (path) => (await fetch(path)).text()", path)
        for path in ("/", "/api/page", "/api/run?id=", f"/api/trade?id={trade_id}", "/api/history?pair=BTC")
    )
    told += page.evaluate("""() => new Promise((done) => {
      const events = new EventSource("/api/events");
      events.addEventListener("bot", (event) => { events.close(); done(event.data); });
    })""")
    assert trade_id in told
    account = world.rig.ready.accounts[0]
    token = urlsplit(world.url).fragment.removeprefix("token=")
    for secret in (account.paradex.private_key, account.vest.primary_private_key, token):
        assert secret.removeprefix("0x") not in told
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    [cookie] = cookies.values()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["value"] not in told
    assert page.evaluate("document.cookie") == ""


# ---- everybody can use it --------------------------------------------------------------------------------------------

# WCAG 2.2 contrast of every text that is shown, against the nearest background that is not see-through.
CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(":disabled, .visually-hidden, .skip, option")) continue;
    let back = node;
    while (back && (parse(getComputedStyle(back).backgroundColor)[3] ?? 1) === 0) back = back.parentElement;
    const [one, two] = [getComputedStyle(node).color, getComputedStyle(back ?? document.body).backgroundColor]
      .map((c) => light(parse(c)));
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const where = `${node.tagName}#${node.id}.${node.className}: ${node.textContent.trim().slice(0, 30)}`;
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${where}`);
  }
  return poor;
}"""


# What makes the page wider than the screen. Tables may scroll by themselves.
STICKING_OUT = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5)
    .filter((node) => !node.parentElement.closest(".scroll, .chart, .waterfalls"))
    .map((node) => `${node.tagName}#${node.id}.${node.className}: ${node.textContent.slice(0, 60)}`)"""


@pytest.mark.parametrize(("shape", "theme", "other"), [("desktop", "dark", "light"), ("phone", "light", "dark")])
def test_it_fits_and_is_readable_in_both_themes(world: World, shape: str, theme: str, other: str):
    size = PHONE if shape == "phone" else {"width": 1400, "height": 900}
    context = world.browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]  # fitting words
    context.set_default_timeout(WITHIN_MS)
    page = opened(world, context)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    expect(page.locator("#books .book")).to_have_count(2)
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate(CONTRAST) == []
    expect(page.get_by_role("button", name="Kill")).to_be_in_viewport()
    page.get_by_role("button", name="Change between dark and light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", other)
    assert page.evaluate(CONTRAST) == []
    page.reload()
    expect(state_of(page)).to_have_text("running")
    expect(page.locator("html")).to_have_attribute("data-theme", other)
    context.close()


def test_landmarks_headings_and_names_are_there_for_a_screen_reader(page: Page):
    for role in ("banner", "main"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("deltawire")
    for name in (
        "Pairs",
        "Spread and thresholds BTC",
        "Books",
        "Trades",
        "Where the edge went",
        "Order latency",
        "Venues",
    ):
        expect(page.get_by_role("heading", name=name, level=2)).to_be_visible()
    expect(page.get_by_role("region", name="Alerts")).to_have_count(1)
    for figure in ("premium", "prices"):
        expect(page.locator(f"#{figure}")).to_have_attribute("role", "img")
        # Named by its figures, which come with the first points: the check waits for them.
        expect(page.locator(f"#{figure}")).to_have_accessible_name(re.compile(r"\d"))
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('button, select, input')]"
        ".filter((n) => n.checkVisibility() && !(n.ariaLabel || n.textContent.trim() || n.labels?.length))"
        ".map((n) => n.outerHTML)"
    )
    assert unnamed == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
