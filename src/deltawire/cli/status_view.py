"""What a person sees of a running bot: one picture of one status reply, for `status` and for the demo's live view.

Draws only what the bot said; judges nothing. Fits from about 60 columns, leaving out lesser columns below 100.
"""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deltawire.cli.status_reply import BookStatus, Figure, PairStatus, Status

WIDE = 100
_LATENCY_LINES = 6


def picture(status: Status, width: int) -> RenderableType:
    """Return the whole picture for a terminal of this width."""
    parts: list[RenderableType] = [_headline(status), _venues(status, width)]
    parts += [_pair(pair, width) for pair in status.pairs]
    if status.last_latency:
        lines = status.last_latency[-_LATENCY_LINES:]
        parts.append(_panel(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), "last orders"))
    return Group(*parts)


def _panel(body: RenderableType, title: str) -> Panel:
    return Panel(body, title=title, title_align="left", border_style="dim")


def _headline(status: Status) -> Text:
    colour = {"running": "green", "paused": "yellow"}.get(status.state, "red")
    line = Text()
    line.append(f" {status.state or 'unknown'} ", style=f"bold reverse {colour}")
    line.append(f"  {status.mode}  run {status.run_id}  up {status.uptime_s:.0f} s")
    line.append(f"  round trips {status.round_trips}", style="bold")
    line.append(f"  PnL {money(status.pnl_usd)} USD  fees {money(status.fees_usd)} USD")
    return line


def _venues(status: Status, width: int) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    table.add_column("venue")
    table.add_column("state")
    table.add_column("connections", ratio=1)
    if width >= WIDE:
        table.add_column("feed age", justify="right")
    table.add_column("orders", justify="right")
    for name, venue in status.venues.items():
        links = Text(" ").join(
            Text(f"{'●' if up else '○'} {link}", style="green" if up else "red") for link, up in venue.links.items()
        )
        row: list[RenderableType] = [
            Text(name, style="bold"),
            Text("ready", style="green") if venue.ready else Text("not ready", style="red"),
            links,
        ]
        if width >= WIDE:
            row.append(" ".join(f"{age_text(age)}" for age in venue.feed_age_ms.values()))
        row.append(str(venue.orders))
        table.add_row(*row)
    return table


def _pair(pair: PairStatus, width: int) -> Panel:
    body = Group(_books(pair, width), _spreads(pair), _trade(pair))
    return _panel(body, f"[bold]{pair.id}[/] {pair.state}")


def _books(pair: PairStatus, width: int) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    wide = width >= WIDE
    table.add_column("book")
    for heading in ("bid size", "bid", "ask", "ask size") if wide else ("bid", "ask"):
        table.add_column(heading, justify="right")
    table.add_column("age", justify="right")
    table.add_column("position", justify="right")
    for venue, book in pair.books.items():
        table.add_row(
            Text(venue, style="bold"),
            *_levels(book, wide=wide),
            Text(age_text(book.age_ms) if book.valid else "no book", style="" if book.valid else "red"),
            money(pair.position.get(venue, 0)),
        )
    return table


def _levels(book: BookStatus, *, wide: bool) -> list[Text]:
    bid, ask = Text(money(book.bid), style="green"), Text(money(book.ask), style="red")
    return [Text(money(book.bid_size)), bid, ask, Text(money(book.ask_size))] if wide else [bid, ask]


def _spreads(pair: PairStatus) -> Text:
    names = list(pair.books)
    line = Text("spread ")
    for leg, key in enumerate(("buy_a", "buy_b")):
        where = f"buy {names[leg]}" if leg < len(names) else key
        line.append(f" {where} ", style="dim")
        line.append(f"{bps(pair.spread_bps.get(key))} bps", style="bold")
    line.append("   edge ", style="dim")
    line.append(f"{bps(pair.edge_bps)} bps", style="bold green" if _reached(pair) else "bold")
    line.append(f"   enter at edge {bps(pair.thresholds.entry)}, exit at {bps(pair.thresholds.exit)}", style="dim")
    return line


def _reached(pair: PairStatus) -> bool:
    edge, entry = _number(pair.edge_bps), _number(pair.thresholds.entry)
    return edge is not None and entry is not None and edge >= entry


def _trade(pair: PairStatus) -> Text:
    if not pair.trade:
        return Text("no trade open", style="dim")
    facts = (f"{name} {value}" for name, value in pair.trade.items() if not isinstance(value, dict | list))
    return Text("trade  " + "  ".join(facts), style="yellow", overflow="ellipsis", no_wrap=True)


def _number(figure: Figure) -> float | None:
    try:
        return None if figure is None else float(figure)
    except ValueError:
        return None


def bps(figure: Figure) -> str:
    """Show basis points with their sign, for display only."""
    number = _number(figure)
    return "-" if number is None else f"{number:+.2f}"


def money(figure: Figure) -> str:
    """Show a price, size or amount as the bot wrote it."""
    return "-" if figure is None or figure == "" else str(figure)


def age_text(age_ms: Figure) -> str:
    """Show how old something is."""
    number = _number(age_ms)
    if number is None or number < 0:
        return "-"
    return f"{number:.0f} ms" if number < 10_000 else f"{number / 1000:.0f} s"
