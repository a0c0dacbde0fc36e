# ruff: noqa: INP001, T201 - a script, not a package; it prints
"""Takes the pictures of docs/dashboard.md: the page over both simulated venues, desktop and phone, dark and light.

    .venv/bin/python scripts/screenshots.py [--trades N] [--out DIR]

Needs Chromium. Starts what `deltawire demo` starts, waits for trades, and ends all of it.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from deltawire.cli.children import Child
from deltawire.cli.control_client import NotRunning, ask
from deltawire.cli.demo_files import write_bot_files, write_sim_config
from deltawire.cli.sim_files import read_ready

WITHIN_S = 120.0
SHAPES = {"desktop": ((1440, 900), 1), "phone": ((390, 844), 2)}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trades", type=int, default=6)
    options.add_argument("--rtt-ms", type=float, default=40.0)
    options.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs/img")
    chosen = options.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("screenshots: no Chromium here\n")
        return 1
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dw-shots-")))
        url = start(folder, cleanup, trades=chosen.trades, rtt_ms=chosen.rtt_ms)
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        cleanup.callback(browser.close)
        for theme in ("dark", "light"):
            for shape in SHAPES:
                shoot(browser, url, theme, shape, chosen.out)
    return 0


def start(folder: Path, cleanup: ExitStack, *, trades: int, rtt_ms: float) -> str:
    """Start venues, bot and page; return the page's address once so many trades are over."""
    write_sim_config(folder / "sim.yaml", seed=1, rtt_ms=rtt_ms)
    ready_file = folder / "ready.json"
    arguments = ["sim", "--config", str(folder / "sim.yaml"), "--ready-file", str(ready_file)]
    cleanup.callback(Child("sim", arguments, folder / "sim.log").end, 5.0)
    ready = wait(lambda: read_ready(ready_file), "the venues")
    config, socket = write_bot_files(folder, ready, cleanup)
    cleanup.callback(Child("bot", ["run", "--config", str(config)], folder / "bot.log").end, 30.0)
    url_file = folder / "url"
    arguments = ["dashboard", "--config", str(config), "--port", "0", "--url-file", str(url_file)]
    cleanup.callback(Child("dashboard", arguments, folder / "dashboard.log").end, 5.0)
    wait(url_file.exists, "the page")

    def traded() -> bool:
        try:
            return bool(ask(socket, "status")["round_trips"] >= trades)
        except NotRunning:
            return False

    wait(traded, f"{trades} round trips", 600.0)
    return url_file.read_text().strip()


def wait(done: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    deadline_s = time.monotonic() + within_s
    while not (got := done()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(what)
        time.sleep(0.1)
    return got


def shoot(browser: Browser, url: str, theme: str, shape: str, out: Path) -> None:
    (width, height), scale = SHAPES[shape]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=shape == "phone",
    )
    page = context.new_page()
    page.on("pageerror", lambda error: print(f"page error: {error}", file=sys.stderr))
    page.on("console", lambda message: print(f"console {message.type}: {message.text}", file=sys.stderr))
    page.goto(url)
    page.wait_for_selector("#trades tr")
    page.wait_for_selector("#premium canvas")
    page.wait_for_timeout(3000)  # a few more points for the charts
    out.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=out / f"dashboard-{shape}-{theme}.png", full_page=shape == "desktop")
    if (shape, theme) == ("desktop", "dark"):
        detail(page, out / "dashboard-trade.png")
    context.close()


def detail(page: Page, path: Path) -> None:
    """The second trade, opened: where its edge went, and every phase of its orders."""
    page.locator("#trades tr button").nth(1).click()
    box = page.locator(".detailbox")
    box.locator(".order").first.wait_for()
    box.scroll_into_view_if_needed()
    page.locator("section[aria-labelledby=trades-h]").screenshot(path=path)


if __name__ == "__main__":
    raise SystemExit(main())
