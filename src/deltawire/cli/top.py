"""`deltawire top`: the running bot in a terminal, for people on SSH. The same truth as `status`, asked every second.

It reads and commands through the control socket, in threads of its own: a bot that hangs never freezes the screen, and
the screen never holds up the bot. A bot that is gone is said so, over the last picture of it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Static

from deltawire.cli import exits, status_view, top_view
from deltawire.cli.control import SAID
from deltawire.cli.control_client import BotRefused, NotRunning, ask
from deltawire.cli.status_reply import Status, read_status
from deltawire.config import load_config

EVERY_S = 1.0
Ask = Callable[[str], dict[str, Any]]

QUESTIONS = {
    "pause": "Pause: no new entries. Open trades go on to their end.",
    "resume": "Resume: allow entries again.",
    "flatten": "Flatten: close every open trade now, and stay paused.",
    "kill": "KILL: close every open trade now and allow nothing more, restarts included, until `deltawire arm`.",
}


class Confirm(ModalScreen[bool]):
    """Asks whether a command is meant. Only `y` or the button says yes; everything else says no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes"),
        Binding("n,escape,q", "no", "No"),
    ]
    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > Vertical { width: 64; height: auto; border: heavy $error; padding: 1 2; background: $surface; }
    Confirm Horizontal { height: auto; margin-top: 1; }
    Confirm Button { margin-right: 2; }
    """

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(QUESTIONS[self._command], id="question")
            with Horizontal():
                yield Button(f"Yes, {self._command} (y)", variant="error", id="yes")
                yield Button("No (n)", id="no")

    def on_mount(self) -> None:
        self.query_one("#no").focus()  # Enter alone is no

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        self.dismiss(True)  # noqa: FBT003 - textual's own: the answer is the screen's result

    def action_no(self) -> None:
        self.dismiss(False)  # noqa: FBT003 - as above


class TopApp(App[None]):
    """One bot. `ask_bot` is called from threads; it may block, and raise NotRunning or BotRefused."""

    TITLE = "deltawire"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "command('pause')", "Pause"),
        Binding("r", "command('resume')", "Resume"),
        Binding("f", "command('flatten')", "Flatten"),
        Binding("k", "command('kill')", "Kill"),
        Binding("q,ctrl+c", "quit", "Quit"),
    ]
    DEFAULT_CSS = """
    #head { height: auto; padding: 0 1; }
    #body Static { height: auto; }
    """

    def __init__(self, ask_bot: Ask, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._ask_bot, self._now_s = ask_bot, now_s
        self._is_asking = False
        self._answered_s: float | None = None
        self.last: Status | None = None
        self.gone = ""  # why there is no answer, "" while there is

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with VerticalScroll(id="body"):
            for name in ("venues", "pairs", "latency", "accounts", "alarms"):
                yield Static(id=name)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#body").focus()
        self.set_interval(EVERY_S, self.look)
        self.look()

    def on_resize(self) -> None:
        if self.last is not None:
            self._draw(self.last)

    def look(self) -> None:
        """Ask the bot, unless it has not answered the last question yet."""
        if not self._is_asking:
            self._is_asking = True
            self._ask_status()

    @work(thread=True)
    def _ask_status(self) -> None:
        try:
            found: Status | str = read_status(self._ask_bot("status"))
        except (NotRunning, BotRefused) as e:
            found = str(e)
        except msgspec.ValidationError as e:
            found = f"the bot's answer is not one this version knows ({e})"
        self.call_from_thread(self._on_status, found)

    def _on_status(self, found: Status | str) -> None:
        self._is_asking = False
        if isinstance(found, Status):
            self.gone, self.last, self._answered_s = "", found, self._now_s()
            self._draw(found)
        else:
            self.gone = found
            self._show("head", self._gone_line())

    def _draw(self, status: Status) -> None:
        width = self.size.width - 2  # the scroll bar
        pairs: list[RenderableType] = [status_view.pair_panel(pair, width) for pair in status.pairs]
        self._show("head", self._gone_line() if self.gone else status_view.headline(status))
        self._show("venues", status_view.venues_table(status, width))
        self._show("pairs", *pairs)
        self._show("latency", top_view.latency(status))
        self._show("accounts", top_view.accounts(status))
        self._show("alarms", top_view.alarms(status))

    def _gone_line(self) -> Text:
        line = Text.assemble((" GONE ", "bold reverse red"), f"  {self.gone}")
        if self._answered_s is not None:
            line.append(f"\nit last answered {self._now_s() - self._answered_s:.0f} s ago; what is below is from then")
        return line

    def _show(self, name: str, *parts: RenderableType) -> None:
        self.query_one(f"#{name}", Static).update(Group(*parts))

    def action_command(self, command: str) -> None:
        """Ask whether it is meant, then tell the bot."""

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - textual calls it so
            if yes:
                self._tell_bot(command)

        self.push_screen(Confirm(command), answered)

    @work(thread=True)
    def _tell_bot(self, command: str) -> None:
        try:
            reply = self._ask_bot(command)
            said, severity = str(reply.get("message") or SAID[command]), "information"
        except (NotRunning, BotRefused) as e:
            said, severity = f"{command} was NOT done: {e}", "error"
        self.call_from_thread(self._told, said, severity)

    def _told(self, said: str, severity: str) -> None:
        self.notify(said, severity="error" if severity == "error" else "information", timeout=10)
        self.look()


def top(config_path: Path, socket: Path | None) -> None:
    """Show the bot of this config (or at this socket) until q."""
    with exits.wrong_settings_told():
        path = socket or load_config(config_path).control.socket
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        exits.leave("top needs a terminal; for scripts there is `deltawire status --json`", exits.MISUSED)
    TopApp(lambda command: ask(path, command)).run()
    raise typer.Exit(exits.OK)
