"""`deltawire drill`: kill the bot again and again while it trades, then hold venues and journal against each other."""

import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import typer

from deltawire.cli import exits
from deltawire.cli.drill_aim import PHASES, share_of
from deltawire.cli.drill_run import CrashDrill, Drill, DrillFailed
from deltawire.cli.sim_control import Unreadable
from deltawire.core.latency import spread_of


def drill(kills: int, seed: int, rtt_ms: float, directory: Path | None, *, at_least: int | None, as_json: bool) -> None:
    """Run the drill and print what it found. Exit 0 only when nothing was."""
    folder = Path(tempfile.mkdtemp(prefix="deltawire-drill-")) if directory is None else directory.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            exits.leave(f"{folder} is not empty; name a new folder with --dir", exits.MISUSED)
        each = share_of(kills) if at_least is None else at_least
        done = CrashDrill(folder, kills=kills, at_least=each, seed=seed, rtt_ms=rtt_ms, tell=_say).run()
    except (DrillFailed, Unreadable, OSError) as e:
        exits.leave(f"the drill could not be carried out: {e}", exits.FAILED)
    except KeyboardInterrupt:
        raise typer.Exit(exits.INTERRUPTED) from None
    finally:
        _say(f"journal, logs and settings are in {folder}")
    typer.echo(orjson.dumps(as_document(done)).decode() if as_json else "\n".join(lines(done)))
    if done.found:
        raise typer.Exit(exits.FAILED)


def as_document(done: Drill) -> dict[str, Any]:
    """Return the drill as JSON: what was killed in which state, and each broken promise."""
    return {
        "seed": done.seed,
        "kills": done.kills,
        "killed_while": dict(_phases(done)),
        "killed_in_phase": _by_phase(done),
        "phases_at_least": done.at_least,
        "phases_short": [phase for phase, count in _by_phase(done).items() if count < max(done.at_least, 1)],
        "killed_with_orders_out": sum(scene.orders_out > 0 for scene in done.scenes),
        "killed_with_a_trade_open": sum(scene.was_open for scene in done.scenes),
        "orders_received": done.orders,
        "orders_executed": done.executed,
        "round_trips": done.trades,
        "faults": dict(sorted(done.faults.items())),
        "ready_ms": _figures([int(ms * 1e6) for ms in done.ready_ms]),
        "unhedged_ms_of_a_trading_bot": _figures(done.trading_unhedged_ns),
        "unhedged_ms_from_start": _figures(done.alive_unhedged_ns),
        "duration_s": round(done.duration_s, 1),
        "found": done.found,
    }


def lines(done: Drill) -> list[str]:
    """Return the drill for a person."""
    document = as_document(done)
    return [
        f"{done.kills} kills in {done.duration_s:.0f} s, seed {done.seed}",
        f"killed while: {_counted(_by_phase(done))}{f' (at least {done.at_least} each)' if done.at_least else ''}",
        f"killed outside a trade: {_counted({at: n for at, n in _phases(done).items() if at not in PHASES})}",
        *([f"MET TOO SELDOM: {', '.join(document['phases_short'])}"] if document["phases_short"] else []),
        f"with orders out: {document['killed_with_orders_out']}",
        f"with a trade open: {document['killed_with_a_trade_open']}",
        f"orders received by the venues: {done.orders}, executed: {done.executed}, round trips: {done.trades}",
        f"faults of the venues meanwhile: {sum(done.faults.values())}",
        f"start to ready, ms: {_told(document['ready_ms'])}",
        f"one leg alone, ms, while the bot may trade: {_told(document['unhedged_ms_of_a_trading_bot'])}",
        f"one leg alone, ms, counted from the bot's start: {_told(document['unhedged_ms_from_start'])}",
        *(f"FOUND: {what}" for what in done.found),
        f"verdict: {'FAILED' if done.found else 'passed'}",
    ]


def _by_phase(done: Drill) -> dict[str, int]:
    """Return how many kills fell into each phase of a trade and into recovery, those with none too."""
    phases = _phases(done)
    return {phase: phases[phase] for phase in PHASES}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{phase} {count}" for phase, count in counts.items()) or "none"


def _phases(done: Drill) -> Counter[str]:
    return Counter(scene.phase for scene in done.scenes)


def _figures(spans_ns: list[int]) -> dict[str, float]:
    spread = spread_of(spans_ns)
    if spread is None:
        return {"n": 0}
    return {"n": spread.n, "p50": spread.p50 / 1e6, "p99": spread.p99 / 1e6, "max": spread.max / 1e6}


def _told(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" if name == "n" else f"{name} {value:.0f}" for name, value in figures.items())


def _say(message: str) -> None:
    sys.stderr.write(f"deltawire drill: {message}\n")
    sys.stderr.flush()
