"""What `deltawire top` draws beside the picture that `status` draws: latency, limits, alarms. Judges nothing."""

from datetime import UTC, datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.cli.status_reply import AlarmStatus, PhaseStatus, Status
from deltawire.cli.status_view import cents, journal_size, panel

PHASES = ("signature", "encode", "write", "wire", "parse", "total")
ALARMS_SHOWN = 12
_NOTHING = "[dim]nothing yet[/]"


def latency(status: Status) -> RenderableType:
    """Show percentiles of the last orders by venue, phase by phase."""
    if not status.latency_us:
        return panel(Text.from_markup(_NOTHING), "order latency")
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    table.add_column("last orders")
    for heading in ("n", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    for venue, phases in status.latency_us.items():
        for phase in PHASES:
            if phase in phases:
                style = "bold" if phase == "total" else ""
                table.add_row(Text(f"{venue} {phase}", style=style), *_figures(phases[phase], style))
    return panel(table, "order latency")


def _figures(phase: PhaseStatus, style: str) -> list[Text]:
    times = [micros(value) for value in (phase.p50, phase.p90, phase.p99, phase.max)]
    return [Text(text, style=style) for text in (str(phase.n), *times)]


def micros(value_us: float) -> str:
    """Show a time in the unit that suits it."""
    if value_us < 1_000:
        return f"{value_us:.0f} µs"
    return f"{value_us / 1e3:.1f} ms" if value_us < 10_000_000 else f"{value_us / 1e6:.1f} s"


def accounts(status: Status) -> RenderableType:
    """Show what the accounts hold, how much of each limit is used, and what the connections went through."""
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    for heading in ("account", "equity USD", "free USD", "reconnects", "books lost"):
        table.add_column(heading, justify="left" if heading == "account" else "right")
    for name, venue in status.venues.items():
        counts = (sum(venue.reconnects.values()), sum(venue.book_breaks.values()))
        table.add_row(name, cents(venue.equity_usd), cents(venue.free_usd), *map(str, counts))
    limits = status.limits
    table.caption = (
        f"today {cents(limits.lost_today_usd, sign=-1)} USD (halts at -{cents(limits.daily_loss_max_usd)}), "
        f"drawdown {cents(limits.drawdown_usd)} of {cents(limits.drawdown_max_usd)} USD, "
        f"orders {limits.orders_per_minute} of {limits.orders_per_minute_max} a minute, "
        f"journal {status.journal}, {journal_size(status)}"
    )
    table.caption_justify = "left"
    return panel(table, "accounts and limits")


def alarms(status: Status) -> RenderableType:
    """Show the last warnings and errors, newest first."""
    if not status.alarms:
        return panel(Text.from_markup(_NOTHING), "warnings and errors")
    lines = [_alarm(alarm) for alarm in reversed(status.alarms[-ALARMS_SHOWN:])]
    return panel(Text("\n").join(lines), "warnings and errors")


def _alarm(alarm: AlarmStatus) -> Text:
    moment = datetime.fromtimestamp(alarm.unix_ns // 10**9, UTC)
    style = "bold red" if alarm.level == "error" else "yellow"
    return Text.assemble((f"{moment:%H:%M:%S} ", "dim"), (alarm.event, style), f" {alarm.text}")
