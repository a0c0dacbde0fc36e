"""What the demo shows while it runs: a live picture on a terminal, or a line now and then where there is none.

Everything goes to stderr; stdout belongs to the report.
"""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deltawire.cli.status_reply import Status
from deltawire.cli.status_view import bps, picture, usd

_LINE_EVERY_S = 5.0
_COLUMNS_MIN = 60  # narrower than this no picture fits


@dataclass(frozen=True, slots=True)
class Progress:
    round_trips: int
    trades: int
    elapsed_s: float
    seconds: float


class DemoView:
    """Live on a terminal that can be redrawn; else plain lines, one every few seconds and one for each round trip."""

    def __init__(self, *, headless: bool, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        able = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live: Live | None = None
        if able and not headless and self._console.width >= _COLUMNS_MIN:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._stack = ExitStack()
        self._shown: RenderableType = Text()
        self._line_at_s = 0.0
        self._line_trips = 0
        self._page = ""

    @property
    def is_live(self) -> bool:
        return self._live is not None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._stack.enter_context(self._live)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()

    def note(self, text: str) -> None:
        """Say what happens now."""
        if self._live is None:
            self._line(text)
        else:
            self._live.update(Group(self._shown, Text(f"… {text}", style="bold cyan")), refresh=True)

    def tell_page(self, news: str) -> None:
        """Say where the web page is; in the live view it stays on the screen."""
        if self._live is None:
            self._line(f"the web page, as long as the demo runs: {news}")
        self._page = news

    def show(self, status: Status, progress: Progress) -> None:
        """Show the bot as it is now."""
        if self._live is not None:
            self._shown = live_picture(status, progress, self._console.width)
            if self._page:
                # First and folded: a low or narrow terminal cuts off what is last, and a link must be whole.
                self._shown = Group(Text(f"web page: {self._page}", style="cyan", overflow="fold"), self._shown)
            self._live.update(self._shown, refresh=True)
            return
        now_s = time.monotonic()
        if now_s - self._line_at_s >= _LINE_EVERY_S or progress.round_trips > self._line_trips:
            self._line_at_s, self._line_trips = now_s, progress.round_trips
            self._line(_summary(status, progress))

    def _line(self, text: str) -> None:
        sys.stderr.write(f"deltawire demo: {text}\n")
        sys.stderr.flush()


def live_picture(status: Status, progress: Progress, width: int) -> RenderableType:
    """Return the whole live view for a terminal of this width."""
    return Group(_progress(progress), picture(status, width))


def _progress(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    for ratio in (None, 1, None, 1):
        grid.add_column(ratio=ratio, no_wrap=True)
    grid.add_row(
        Text(f"round trips {progress.round_trips}/{progress.trades}", style="bold"),
        ProgressBar(total=progress.trades, completed=min(progress.round_trips, progress.trades)),
        f"{progress.elapsed_s:.0f}/{progress.seconds:.0f} s",
        ProgressBar(total=progress.seconds, completed=min(progress.elapsed_s, progress.seconds)),
    )
    return grid


def _summary(status: Status, progress: Progress) -> str:
    pairs = ", ".join(f"{pair.id} {pair.state}, edge {bps(pair.edge_bps)} bps" for pair in status.pairs)
    return (
        f"{progress.elapsed_s:.0f} s, round trips {progress.round_trips}/{progress.trades}, {pairs or status.state}, "
        f"PnL {usd(status.pnl_usd)} USD"
    )
