"""`deltawire bench`: runs benchmarks one after the other and prints what they measured on this machine.

--record keeps the results (bench/results/*.json below the current folder), --check compares with the ones kept.
"""

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltawire.bench import record as records
from deltawire.bench.figures import Report
from deltawire.cli import exits

# Each is `bench_<name>` in the module of its name.
BENCHES = ("reaction", "safety", "sign", "throughput", "connect", "execution", "scale", "start", "edge")
FOLDERS = {"edge": "research"}  # the others are in bench/
RESULTS = Path("bench/results")


def bench(names: Sequence[str], *, as_json: bool, record: bool = False, check: bool = False) -> None:
    """Run the named ones, or all. As JSON: one object for one benchmark, a list for several.

    Exit 1 when check finds something slower than recorded, twice in a row, or when a benchmark failed.
    """
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        exits.leave(f'"{unknown[0]}" is not a benchmark; there are {", ".join(BENCHES)}', exits.MISUSED)
    if (record or check) and not RESULTS.parent.is_dir():
        exits.leave(f"no {RESULTS.parent}/ here: --record and --check are for the project's own folder", exits.MISUSED)
    if check:
        return compare(names or BENCHES, RESULTS, _run)
    reports, failed = [], False
    for name in names or BENCHES:
        try:
            report = _run(name)
        except (RuntimeError, AssertionError) as e:  # a client that died, an answer that was wrong: the others go on
            sys.stderr.write(f"deltawire bench: {name} FAILED, no figure of it counts: {e}\n")
            failed = True
            continue
        reports.append(report)
        if record:
            sys.stderr.write(f"deltawire bench: {records.write(RESULTS, report.as_json())}\n")
    if as_json:
        found = [report.as_json() for report in reports]
        typer.echo(orjson.dumps(found[0] if len(names) == len(found) == 1 else found).decode())
    else:
        Console().print(Group(*(page(report) for report in reports)))
    if failed:
        raise typer.Exit(exits.FAILED)
    return None


def compare(names: Sequence[str], folder: Path, run: Callable[[str], Report]) -> None:
    """Compare with the record. What looks slower is run once more: a busy moment of the machine seldom comes twice."""
    try:
        before = {name: records.recorded(folder, name) for name in names}
    except records.NoRecord as e:
        exits.leave(str(e), exits.MISUSED)
    known = {name: report for name, report in before.items() if report is not None and records.compared(report)}
    if not known:
        exits.leave(f'nothing to compare with in {folder}: make bench ARGS="--record"', exits.MISUSED)
    worse: list[records.Slower] = []
    for name, report in known.items():
        found = records.slower(report, run(name).as_json())
        if found:
            sys.stderr.write(f"deltawire bench: {name} looks slower; once more\n")
            again = {slower.ratio for slower in records.slower(report, run(name).as_json())}
            found = [slower for slower in found if slower.ratio in again]
        worse += found
        ratios = len(records.compared(report))
        typer.echo(f"{name}: {ratios} ratios compared, {len(found)} slower")
    for slower in worse:
        typer.echo(f"slower: {slower}")
    if worse:
        raise typer.Exit(exits.FAILED)


def _run(name: str) -> Report:
    sys.stderr.write(f"deltawire bench: {name} ...\n")
    began_s = time.monotonic()
    report = _runner(name)()
    sys.stderr.write(f"deltawire bench: {name} took {time.monotonic() - began_s:.0f} s\n")
    return report


def _runner(name: str) -> Callable[[], Report]:
    run: Callable[[], Report] = getattr(
        import_module(f"deltawire.{FOLDERS.get(name, 'bench')}.{name}"), f"bench_{name}"
    )
    return run


def page(report: Report) -> RenderableType:
    parts: list[RenderableType] = [_table(report)]
    parts += [f"not measured: {sentence}" for sentence in report.missing]
    parts += [f"{name}: {ratio:,.3g}" for name, ratio in report.ratios.items()]
    for found in report.tables:
        table = Table(title=found.title, title_justify="left")
        for column in found.columns:
            table.add_column(column)
        for row in found.rows:
            table.add_row(*(_cell(value) for value in row))
        parts.append(table)
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items())
    return Group(*parts, Text(settings, style="dim"), "")


def _table(report: Report) -> Table:
    table = Table(title=report.name, title_justify="left", title_style="bold")
    table.add_column("case", no_wrap=True)
    for heading in ("n", "p50", "p90", "p99", "max", "unit"):
        table.add_column(heading, justify="right")
    for case, f in report.results.items():
        table.add_row(case, str(f.n), *(_figure(value) for value in (f.p50, f.p90, f.p99, f.max)), f.unit)
    return table


def _figure(value: float) -> str:
    """Write a figure in at most seven characters up to a million: tables are read in 80 columns."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:,.1f}"


def _cell(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
