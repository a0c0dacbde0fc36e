"""`deltawire bench`: runs benchmarks one after the other and prints what they measured on this machine."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import orjson
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.bench.figures import Report
from deltawire.cli import exits

BENCHES = ("reaction", "safety", "sign", "throughput", "connect")  # each is `bench_<name>` in the module of its name


def bench(names: Sequence[str], *, as_json: bool) -> None:
    """Run the named ones, or all. As JSON: one object for one benchmark, a list for several."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        exits.leave(f'"{unknown[0]}" is not a benchmark; there are {", ".join(BENCHES)}', exits.MISUSED)
    chosen = names or BENCHES
    reports = []
    for name in chosen:
        sys.stderr.write(f"deltawire bench: {name} ...\n")
        reports.append(_runner(name)())
    if as_json:
        found = [report.as_json() for report in reports]
        typer.echo(orjson.dumps(found[0] if len(chosen) == 1 else found).decode())
    else:
        Console().print(Group(*(_page(report) for report in reports)))


def _runner(name: str) -> Callable[[], Report]:
    run: Callable[[], Report] = getattr(import_module(f"deltawire.bench.{name}"), f"bench_{name}")
    return run


def _page(report: Report) -> RenderableType:
    table = Table(title=report.name, title_justify="left", title_style="bold")
    table.add_column("case", no_wrap=True)
    for heading in ("n", "p50", "p90", "p99", "max", "unit"):
        table.add_column(heading, justify="right")
    for case, f in report.results.items():
        table.add_row(case, str(f.n), f"{f.p50:,.1f}", f"{f.p90:,.1f}", f"{f.p99:,.1f}", f"{f.max:,.1f}", f.unit)
    lines = [f"{name}: {ratio:,.2f}" for name, ratio in report.ratios.items()]
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items())
    return Group(table, *lines, Text(settings, style="dim"), "")
