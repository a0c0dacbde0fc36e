# ruff: noqa: INP001 - a script, not a package
"""Draws docs/img/demo.svg: the live view of a demo that is running at this moment. For whoever changes the view.

Usage: .venv/bin/python scripts/make_demo_picture.py
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.demo_view import Progress, live_picture
from deltawire.cli.status_reply import Status, read_status

TARGET = Path(__file__).resolve().parents[1] / "docs/img/demo.svg"
COLUMNS = 122
TRADES, SECONDS = 5, 90
# Without its web fonts the picture needs no network, and a browser's own monospace font does.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def wait_for_a_good_moment(socket: Path, began_s: float) -> Status:
    """Return the status once two round trips are done and a third is on."""
    while time.monotonic() - began_s < SECONDS:
        time.sleep(0.1)
        try:
            status = read_status(ask(socket, "status"))
        except (NotRunning, BotRefused):
            continue
        if status.round_trips >= 2 and any(pair.state == "holding" for pair in status.pairs):
            return status
    sys.exit("the demo never came to a good moment")


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder, began_s = Path(parent) / "run", time.monotonic()
        command = [sys.executable, "-m", "deltawire", "demo", "--headless", "--dir", str(folder)]
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
        try:
            status = wait_for_a_good_moment(folder / "bot.sock", began_s)
            progress = Progress(status.round_trips, TRADES, time.monotonic() - began_s, SECONDS)
            with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a sink for the screen
                console = Console(
                    record=True, width=COLUMNS, force_terminal=True, color_system="truecolor", file=nowhere
                )
                console.print(live_picture(status, progress, COLUMNS))
            svg = console.export_svg(title="make demo", theme=MONOKAI, code_format=FORMAT, unique_id="demo")
            TARGET.write_text(svg, encoding="utf-8")
        finally:
            demo.terminate()
            demo.wait()


if __name__ == "__main__":
    main()
