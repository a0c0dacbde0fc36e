# ruff: noqa: INP001 - a script, not a package
"""Writes docs/benchmarks.md and its plots from bench/results/*.json: `make bench ARGS="--record"` calls it.

One section a benchmark: the first words of its module (deltawire.bench.<name>) say what is measured and what is left
out, the JSON gives tables, ratios and plots. A new benchmark needs a line in TITLES and nothing else here.

Usage: .venv/bin/python scripts/make_benchmarks_page.py [--results DIR] [--docs DIR]
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt  # the line above must come first

ROOT = Path(__file__).resolve().parents[1]
Reports = dict[str, dict[str, Any]]
Get = Callable[[Reports], float]
TITLES = {  # in the page's order; others follow by name
    "reaction": "Reaction, wire to wire",
    "execution": "Execution at a distance",
    "connect": "Ways to the venue",
    "edge": "What the milliseconds are worth",
    "throughput": "Feed handling",
    "scale": "Many pairs",
    "start": "Start and memory",
    "sign": "Signing",
    "safety": "What safety costs",
}
_IDLE, _SDK = "deltawire/floor paradex idle", "deltawire/paradex-py idle p50"
_OWN = "own frame to both written idle"
_FLOORS_OWN = "own of the floor: frame to both written idle"
_LEGS = "both legs/round trip and venue time p50"
_START = "process start to ready, 10 pairs, 0 ms"


def ratio(bench: str, name: str) -> Get:
    return lambda reports: reports[bench]["ratios"][name]


def figure(bench: str, case: str, key: str) -> Get:
    return lambda reports: reports[bench]["results"][case][key]


def signed_ahead(reports: Reports) -> float:
    """Return the part of the reaction's orders that came from a ladder, in percent: of a loop that sleeps."""
    rows = [row for row in reports["reaction"]["tables"][0]["rows"] if row[0] in {"idle", "hot"}]
    orders, ahead = (sum(row[at] for row in rows) for at in (3, 4))
    return float(100 * ahead / orders)


def frames_a_second(reports: Reports) -> float:
    return 1e9 / float(reports["throughput"]["results"]["bbo_evaluated"]["p50"])  # nanoseconds a frame


def memory_mb(reports: Reports) -> float:
    return max(float(row[3]) for row in reports["start"]["tables"][0]["rows"] if ", 10 pairs, " in row[0])


TARGETS: tuple[
    tuple[str, str, float, Get], ...
] = (  # what the project set out to reach: words, at most or least, limit
    ("Paradex reaction, p50, as a multiple of the floor's", "<=", 1.3, ratio("reaction", f"{_IDLE} p50")),
    ("Paradex reaction, p99, as a multiple of the floor's", "<=", 2, ratio("reaction", f"{_IDLE} p99")),
    ("Paradex reaction, p50, as a part of the official SDK's", "<=", 0.1, ratio("reaction", _SDK)),
    ("own time, frame to both orders handed over, p50, us", "<=", 25, figure("reaction", _OWN, "p50")),
    ("own time, frame to both orders handed over, p99, us", "<=", 100, figure("reaction", _OWN, "p99")),
    ("orders signed ahead of their trigger, %", ">=", 99, signed_ahead),
    ("both legs acknowledged, p50, as a multiple of round trip and venue time", "<=", 1.05, ratio("execution", _LEGS)),
    ("Paradex order acknowledged at 80 ms, p50, ms", "<=", 150, figure("execution", "deltawire Paradex order", "p50")),
    ("both legs acknowledged at 80 ms, p50, ms", "<=", 250, figure("execution", "deltawire both legs", "p50")),
    ("best-bid/offer frames decoded, booked and evaluated a second", ">=", 300_000, frames_a_second),
    ("process start to ready with 10 pairs, p50, ms", "<=", 2_000, figure("start", _START, "p50")),
    ("memory with 10 pairs, MB", "<=", 150, memory_mb),
)
MACHINE = ("python", "system", "cpu", "cpus")
WIDE = 30  # a plot whose largest figure is this many times its smallest gets a logarithmic axis
COLOURS = ("#2a78b8", "#d1603d", "#4f9d69", "#8a63b0", "#b8923a", "#5a5a5a")

HEAD = """# Benchmarks

{machine}

Made by `make bench ARGS="--record"` and written by `scripts/make_benchmarks_page.py` from `bench/results/*.json`; not
edited by hand. Figures belong to this machine, on loopback; they promise nothing about a venue. What carries over are
the ratios, taken between cases that took turns in one run. Percentiles are samples that were seen (nearest rank).
`make bench-check` runs the benchmarks again and says which ratio to the floor got worse than this record.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "bench/results")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    reports = read_results(options.results)
    if not reports:
        sys.exit(f'no results in {options.results}: run make bench ARGS="--record" first')
    page = make_page(reports, options.docs)
    sys.stderr.write(f"{page}: {len(reports)} benchmarks\n")


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded reports in the page's order."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    names = [*(name for name in TITLES if name in found), *(name for name in found if name not in TITLES)]
    return [found[name] for name in names]


def make_page(reports: list[dict[str, Any]], docs: Path) -> Path:
    """Write the page and its plots; returns where the page is."""
    images = docs / "img"
    images.mkdir(parents=True, exist_ok=True)
    machines = sorted({machine_line(report["settings"]) for report in reports})
    parts = [HEAD.format(machine="\n\n".join(machines))]
    parts += ["\n".join(targets({report["name"]: report for report in reports}))]
    parts += own_time({report["name"]: report for report in reports})
    parts += [section(report, images) for report in reports]
    page = docs / "benchmarks.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def machine_line(settings: dict[str, Any]) -> str:
    return f"Machine: {settings['cpus']} x {settings['cpu']}, {settings['system']}, Python {settings['python']}."


def targets(reports: Reports) -> list[str]:
    """Return the table of what was to be reached, and what was."""
    rows = []
    for words, sign, limit, get in TARGETS:
        try:
            value = get(reports)
        except (KeyError, IndexError, ValueError, ZeroDivisionError):  # not measured here, or by another version
            rows.append((words, f"{sign} {number(limit)}", "not measured", ""))
            continue
        met = value <= limit if sign == "<=" else value >= limit
        rows.append((words, f"{sign} {number(limit)}", number(value), "met" if met else "missed"))
    return ["## Targets", "", *grid(("target", "", "measured", ""), rows)]


def own_time(reports: Reports) -> list[str]:
    """Say what the own time is made of, where it was measured beside the floor's."""
    try:
        ours, floors = (figure("reaction", case, "p50")(reports) for case in (_OWN, _FLOORS_OWN))
    except KeyError:
        return []
    words = (
        f"Of the {number(ours)} us of own time, the floor, which decodes and decides nothing and has its orders ready, "
        f"takes {number(floors)}: two write calls of a process that has just been woken cost that much here, "
        "whatever makes them. The rest is Python that has not run since the last tick, and so is slow "
        "(docs/decisions/0018-clearing-ahead.md).\n"
    )
    return [words]


def section(report: dict[str, Any], images: Path) -> str:
    """Return one benchmark's part of the page."""
    name, settings = report["name"], report["settings"]
    told = {key: value for key, value in settings.items() if key not in MACHINE}
    lines = [
        f"## {TITLES.get(name, name)}",
        "",
        prose(name),
        "",
        "```",
        f'make bench ARGS="{name}"',
        "```",
        "",
        *(f"Not measured: {sentence}\n" for sentence in report.get("missing", ())),
        *figures_table(report["results"]),
    ]
    lines += [f"![{name}](img/{path.name})\n" for path in range_plots(name, report["results"], images)]
    if report["ratios"]:
        lines += grid(("ratio", ""), [(ratio, number(value)) for ratio, value in report["ratios"].items()])
    for table in report.get("tables", ()):
        rows = [tuple(cell(value) for value in row) for row in table["rows"]]
        lines += [f"**{table['title']}**", "", *grid(tuple(table["columns"]), rows)]
    for at, chart in enumerate(report.get("charts", ()), 1):
        path = line_plot(images / f"bench-{name}-{at}.svg", chart)
        lines += [f"![{chart['title']}](img/{path.name})", ""]
    lines += ["Settings: " + ", ".join(f"{key} {value}" for key, value in told.items()) + ".", ""]
    return "\n".join(lines)


def prose(name: str) -> str:
    """Return what the benchmark's module says of itself."""
    for folder in ("bench", "research"):
        try:
            return (import_module(f"deltawire.{folder}.{name}").__doc__ or "").strip()
        except ModuleNotFoundError:
            continue
    return "(A benchmark of an earlier version.)"


def figures_table(results: dict[str, Any]) -> list[str]:
    rows = [
        (case, f"{f['n']:,}", *(number(f[key]) for key in ("p50", "p90", "p99", "max")), f["unit"])
        for case, f in results.items()
    ]
    return grid(("case", "n", "p50", "p90", "p99", "max", "unit"), rows) if rows else []


def grid(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a Markdown table: text left in the first column, figures right in the others."""
    dashes = "|".join(["---", *["---:"] * (len(columns) - 1)])
    head = [f"| {' | '.join(columns)} |", f"|{dashes}|"]
    return [*head, *(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in rows), ""]


def cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Write a figure with as many digits as it is worth: 3 from 1 on, all of a small or whole one."""
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def range_plots(name: str, results: dict[str, Any], images: Path) -> list[Path]:
    """Draw each case as a line from p50 to p99 with a tick at p90: one plot a unit."""
    units = list(dict.fromkeys(figures["unit"] for figures in results.values()))
    paths = []
    for unit in units:
        cases = {case: f for case, f in results.items() if f["unit"] == unit}
        path = images / (f"bench-{name}.svg" if len(units) == 1 else f"bench-{name}-{slug(unit)}.svg")
        figure, axes = plt.subplots(figsize=(9, 0.9 + 0.3 * len(cases)))
        for row, (case, f) in enumerate(cases.items()):
            colour = colour_of(case)
            axes.plot([f["p50"], f["p99"]], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot(f["p50"], row, "o", color=colour)
            axes.plot(f["p90"], row, "|", color=colour)
        values = [value for f in cases.values() for value in (f["p50"], f["p99"]) if value > 0]
        if values and max(values) > WIDE * min(values):
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.set_yticks(range(len(cases)), list(cases))
        axes.invert_yaxis()
        axes.set_xlabel(f"{unit}: dot p50, tick p90, end p99")
        axes.grid(visible=True, axis="x", alpha=0.3)
        paths.append(save(figure, path))
    return paths


def colour_of(case: str) -> str:
    """Return the same colour for the same kind of case: floor grey, others by their first word."""
    first = re.split(r"[ _]", case)[0]
    fixed = {"deltawire": COLOURS[0], "floor": COLOURS[5], "paradex-py": COLOURS[1], "ccxt": COLOURS[3]}
    return fixed.get(first, COLOURS[0])


def line_plot(path: Path, chart: dict[str, Any]) -> Path:
    figure, axes = plt.subplots(figsize=(9, 4))
    for number_of, (label, points) in enumerate(chart["lines"].items()):
        xs, ys = zip(*points, strict=True) if points else ((), ())
        axes.plot(xs, ys, marker="o", label=label, color=COLOURS[number_of % len(COLOURS)])
    axes.set_title(chart["title"])
    axes.set_xlabel(chart["x_label"])
    axes.set_ylabel(chart["y_label"])
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)
    return save(figure, path)


def save(figure: Any, path: Path) -> Path:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    # Without a date and with a fixed salt the same figures give the same file.
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
    return path


def slug(text: str) -> str:
    return re.sub(r"\W+", "-", text).strip("-")


if __name__ == "__main__":
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    mpl.rcParams["svg.hashsalt"] = "deltawire"
    main()
