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
_GAUGE_CELLS = 25
_GAUGE_BPS = 20.0  # the span of most edges, in bps


def picture(status: Status, width: int) -> RenderableType:
    """Return the whole picture for a terminal of this width."""
    parts: list[RenderableType] = [headline(status), venues_table(status, width), *clocks(status)]
    parts += [differences(status)] if status.differences else []
    parts += [pair_panel(pair, width) for pair in status.pairs]
    if status.last_latency:
        lines = status.last_latency[-_LATENCY_LINES:]
        parts.append(panel(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), "last orders"))
    return Group(*parts)


def panel(body: RenderableType, title: str) -> Panel:
    return Panel(body, title=title, title_align="left", border_style="dim")


def headline(status: Status) -> Text:
    colour = {"running": "green", "paused": "yellow"}.get(status.state, "red")
    line = Text()
    line.append(f" {status.state or 'unknown'} ", style=f"bold reverse {colour}")
    money = "REAL MONEY" if status.mode == "live" else "no money"
    venues = "simulated venues" if status.simulated else money
    line.append(f"  {status.mode}, {venues}  run {status.run_id}  up {status.uptime_s:.0f} s")
    line.append(f"  round trips {status.round_trips}", style="bold")
    line.append(f"  PnL {usd(status.pnl_usd)} USD  fees {usd(status.fees_usd)} USD")
    ok = status.journal == "ok"
    line.append(f"\njournal: {status.journal}, {journal_size(status)}", style="dim" if ok else "bold red")
    if status.halted:
        line.append(f"\nno entries: {status.halted}", style="bold red")
    return line


def journal_size(status: Status) -> str:
    return f"{status.journal_bytes / 2**20:.1f} MiB"


def venues_table(status: Status, width: int) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    table.add_column("venue")
    table.add_column("state")
    table.add_column("connections", ratio=1)
    if width >= WIDE:
        table.add_column("feed age", justify="right")
    table.add_column("free of equity, USD", justify="right")
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
            row.append(" ".join(age_text(age) for age in venue.feed_age_ms.values()))
        row += [f"{cents(venue.free_usd)} of {cents(venue.equity_usd)}", str(venue.orders)]
        table.add_row(*row)
    return table


def clocks(status: Status) -> list[Text]:
    """Say of each venue whether our clock is too far off it."""
    return [
        Text(f"{name}: {venue.clock.blocks}", style="bold red")
        for name, venue in status.venues.items()
        if venue.clock is not None and venue.clock.blocks
    ]


def differences(status: Status) -> Panel:
    """Show every item on which the journal and a venue differ now."""
    lines = [
        Text.assemble((f"{at.venue} {at.item}", "bold red"), f": journal {at.journal}, venue {at.told} ({at.answer})")
        for at in status.differences
    ]
    if (more := status.differences_n - len(lines)) > 0:
        lines.append(Text(f"and {more} more; deltawire verify lists them", style="red"))
    return panel(Text("\n").join(lines), "journal and venue differ")


def pair_panel(pair: PairStatus, width: int) -> Panel:
    body = Group(_books(pair, width), _spreads(pair), _gauge_of(pair), _trade(pair), *_suspicion(pair))
    return panel(body, f"[bold]{pair.id}[/] {pair.state}")


def _suspicion(pair: PairStatus) -> list[Text]:
    return [Text(f"no entries: {pair.suspicion}", style="bold red")] if pair.suspicion else []


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
    line = Text("spread", style="dim")
    for leg, key in enumerate(("buy_a", "buy_b")):
        where = f"buy {names[leg]}" if leg < len(names) else key
        line.append(f"  {where} ", style="dim")
        line.append(f"{bps(pair.spread_bps.get(key))} bps", style="not dim bold")
    return line


def _gauge_of(pair: PairStatus) -> Text:
    """Show what decides next against its threshold: closing an open trade, or entering a new one."""
    closing, entry, leave = (
        number_of(n) for n in (pair.closing_spread_bps, pair.thresholds.entry, pair.thresholds.exit)
    )
    if closing is not None and leave is not None:
        reached = closing <= leave
        text = f"closing costs {bps(closing)} bps, close at {bps(leave)}"
        return Text.assemble(gauge(closing, leave), " ", (text, "bold green" if reached else ""))
    edge = number_of(pair.edge_bps)
    if edge is None or entry is None:
        return Text("no edge: a book is missing or too thin", style="dim")
    return Text.assemble(
        gauge(edge, entry), " ", (f"edge {bps(edge)} bps, enter at {bps(entry)}", "bold green" if edge >= entry else "")
    )


def gauge(value: float, threshold: float, cells: int = _GAUGE_CELLS) -> Text:
    """Draw a value and its threshold on one line, from _GAUGE_BPS below the threshold to as much above it."""

    def cell(number: float) -> int:
        share = (number - threshold + _GAUGE_BPS) / (2 * _GAUGE_BPS)
        return min(cells - 1, max(0, int(share * cells)))

    line = ["─"] * cells
    line[cell(threshold)] = "┃"
    at = cell(value)
    line[at] = "●"
    return Text.assemble(("".join(line[:at]), "dim"), ("●", "bold cyan"), ("".join(line[at + 1 :]), "dim"))


def _trade(pair: PairStatus) -> Text:
    if pair.trade is None:
        held_back = f"; entries are held back: {pair.last_refusal}" if pair.last_refusal else ""
        return Text(f"no trade open{held_back}", style="dim")
    trade = pair.trade
    words = (
        f"{trade.phase}, bought on {trade.buy}, size {money(trade.size)}, entered at {bps(trade.entry_spread_bps)} bps"
        f"{f', {trade.in_doubt} orders in doubt' if trade.in_doubt else ''}, trade {trade.trade_id}"
    )
    line = Text(overflow="ellipsis", no_wrap=True)
    if unhedged_ms := number_of(trade.unhedged_ms):
        line.append(f"ONE LEG for {unhedged_ms:.0f} ms, {usd(pair.delta_usd)} USD exposed  ", style="bold red")
    if trade.is_rest:
        legs = ", ".join(f"{money(size)} on {venue}" for venue, size in trade.legs.items() if number_of(size))
        line.append(f"REST of {legs} under the smallest order: close it on the venue's page  ", style="bold red")
    return line.append(words, style="yellow")


def number_of(figure: Figure) -> float | None:
    try:
        return None if figure is None else float(figure)
    except ValueError:
        return None


def bps(figure: Figure) -> str:
    """Show basis points with their sign, for display only."""
    number = number_of(figure)
    return "-" if number is None else f"{number:+.2f}"


def money(figure: Figure) -> str:
    """Show a price, size or amount as the bot wrote it."""
    return "-" if figure is None or figure == "" else str(figure)


def usd(figure: Figure) -> str:
    """Show an amount of money to a hundredth of a cent."""
    number = number_of(figure)
    return "-" if number is None else f"{number:.4f}"


def cents(figure: Figure, sign: int = 0) -> str:
    """Show an amount of money to the cent. sign: 1 shows it with its sign, -1 turned round."""
    number = number_of(figure)
    if number is None:
        return "-"
    return f"{number * sign:+.2f}" if sign else f"{number:.2f}"


def age_text(age_ms: Figure) -> str:
    """Show how old something is."""
    number = number_of(age_ms)
    if number is None or number < 0:
        return "-"
    return f"{number:.0f} ms" if number < 10_000 else f"{number / 1000:.0f} s"
