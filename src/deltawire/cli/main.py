"""The command line: names and options of every command, and nothing else. Each imports its work when it is called."""

# Imports inside the commands keep `deltawire --help` fast.
# ruff: noqa: PLC0415

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Option("--config", help="Settings of the bot.", metavar="FILE")]
Socket = Annotated[
    Path | None, typer.Option("--socket", help="Control socket, instead of the config's.", metavar="FILE")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Journal = Annotated[
    Path | None, typer.Option("--journal", help="Folder of the journal, instead of the config's.", metavar="DIR")
]
Env = Annotated[
    Path | None, typer.Option("--env", help="Keys of the accounts; without it, .env beside the config.", metavar="FILE")
]
CONFIG = Path("config.yaml")

alert = typer.Typer(no_args_is_help=True, help="Tell people when something is wrong: Telegram, mail, webhooks, ...")
app.add_typer(alert, name="alert")
journal_app = typer.Typer(no_args_is_help=True, help="Keep the journal small: put its old part away.")
app.add_typer(journal_app, name="journal")


class Preset(Enum):
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        from deltawire import __version__

        typer.echo(f"deltawire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Delta-neutral arbitrage bot for perpetual DEXes, with exact local venues to prove it on."""


@app.command()
def demo(
    trades: Annotated[int, typer.Option(min=1, max=400, help="End after this many full round trips.")] = 5,
    seconds: Annotated[int, typer.Option(min=5, max=86_400, help="Or after this long.")] = 90,
    rtt_ms: Annotated[
        float, typer.Option(min=0, max=5000, help="Simulated network round trip to each venue, in ms.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market and network.")] = 1,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Empty folder for journal and logs.", metavar="DIR")
    ] = None,
    *,
    headless: Annotated[bool, typer.Option("--headless", help="No live view: a line now and then on stderr.")] = False,
    as_json: Json = False,
) -> None:
    """Start both simulated venues and the bot, let it trade, and print a report."""
    from deltawire.cli.demo import DemoOptions, run_demo

    options = DemoOptions(trades, seconds, rtt_ms, seed, directory, headless=headless, as_json=as_json)
    raise typer.Exit(run_demo(options))


@app.command()
def init(
    directory: Annotated[Path, typer.Option("--dir", help="Where to write them.", metavar="DIR")] = Path(),
    preset: Annotated[
        Preset, typer.Option("--for", help="Paper on live data, the venues' testnets, or real money.")
    ] = Preset.PAPER,
    simulated: Annotated[
        Path | None,
        typer.Option("--simulated", help="Ready file of `deltawire sim`: use those venues.", metavar="FILE"),
    ] = None,
) -> None:
    """Write config.yaml and .env templates with comments; never overwrite."""
    from deltawire.cli.init import init as work

    work(directory, preset.value, simulated)


@app.command()
def check(config: Config = CONFIG, env: Env = None, *, as_json: Json = False) -> None:
    """Look at settings, machine, venues and accounts; each line ok, warn, fail or skip, with its remedy."""
    from deltawire.cli.check import check as work

    work(config, env, as_json=as_json)


@app.command()
def run(
    config: Config = CONFIG,
    env: Env = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Yes, real orders: asked for once for each pair of accounts.")
    ] = False,
) -> None:
    """Run the bot until it is stopped. Exit 0: ended clean; 1: something is left to look at; 2: a setting is wrong."""
    from deltawire.cli.run import run as work

    work(config, env, live=live)


@app.command()
def guardian(
    config: Config = CONFIG,
    env: Annotated[Path | None, typer.Option(help="Its own keys; without it, .env beside the config.")] = None,
) -> None:
    """Close both legs when the bot is dead or silent with something on. A second process, best on a second machine."""
    from deltawire.cli.run import guard

    guard(config, env)


@app.command()
def status(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Show what the running bot sees and does."""
    _tell("status", config, socket, as_json=as_json)


@app.command()
def top(config: Config = CONFIG, socket: Socket = None) -> None:
    """Watch the running bot in the terminal, and pause, resume, flatten or kill it with a key."""
    from deltawire.cli.top import top as work

    work(config, socket)


@app.command()
def pause(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Stop new entries; open trades go on to their end."""
    _tell("pause", config, socket, as_json=as_json)


@app.command()
def resume(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Allow entries again."""
    _tell("resume", config, socket, as_json=as_json)


@app.command()
def arm(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Lift a halt (kill, loss limit, alarm, unclean end) after you have looked: entries are allowed again."""
    _tell("arm", config, socket, as_json=as_json)


@app.command()
def kill(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Close every open trade now and allow no more, restarts included, until `deltawire arm`."""
    _tell("kill", config, socket, as_json=as_json)


@app.command()
def flatten(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """Pause, and close every open trade now."""
    _tell("flatten", config, socket, as_json=as_json)


@app.command()
def stop(config: Config = CONFIG, socket: Socket = None, *, as_json: Json = False) -> None:
    """End the bot cleanly: nothing left open at the venues."""
    _tell("stop", config, socket, as_json=as_json)


@app.command()
def report(config: Config = CONFIG, journal: Journal = None, *, as_json: Json = False) -> None:
    """Print what happened in the newest run: trades, PnL, captured against detected spread, latency."""
    from deltawire.cli.report import report as work

    work(config, journal, as_json=as_json)


@alert.command("run")
def alert_run(
    config: Config = CONFIG,
    env: Annotated[
        Path | None, typer.Option(help="Holds DELTAWIRE_ALERT_URLS; without it, .env beside the config.")
    ] = None,
) -> None:
    """Watch the bot and the guardian and send what a person must know, until SIGINT or SIGTERM."""
    from deltawire.cli.alert import run as work

    work(config, env)


@alert.command("test")
def alert_test(
    config: Config = CONFIG,
    env: Annotated[
        Path | None, typer.Option(help="Holds DELTAWIRE_ALERT_URLS; without it, .env beside the config.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Send one message to every URL of DELTAWIRE_ALERT_URLS. Exit 0: all were delivered."""
    from deltawire.cli.alert import test as work

    work(config, env, as_json=as_json)


@app.command()
def metrics(
    config: Config = CONFIG,
    socket: Socket = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1024, max=65535, help="Instead of the config's metrics.port.")
    ] = None,
) -> None:
    """Answer Prometheus on this machine with the running bot's figures, until SIGINT or SIGTERM."""
    from deltawire.cli.metrics import metrics as work

    work(config, socket, port)


@app.command()
def dashboard(
    config: Config = CONFIG,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", help="Only this folder, with no bot to ask: a finished run.", metavar="DIR"),
    ] = None,
    socket: Socket = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. Others than loopback are warned of.", metavar="ADDRESS")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8710,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", help="A name besides loopback's it may be asked for by, as a proxy does.", metavar="NAME"
        ),
    ] = None,
    url_file: Annotated[
        Path | None,
        typer.Option(
            "--url-file", help="Write the address with its token here (mode 600) and do not print it.", metavar="FILE"
        ),
    ] = None,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="No buttons.")] = False,
) -> None:
    """Serve the web page of the bot until SIGINT or SIGTERM. Prints the address to open; its token is new each time."""
    from deltawire.cli.dashboard import DashboardOptions
    from deltawire.cli.dashboard import dashboard as work

    work(DashboardOptions(config, journal, socket, host, port, tuple(allow_host or ()), url_file, read_only))


@app.command()
def project(
    config: Config = CONFIG,
    journal: Journal = None,
    url: Annotated[
        str | None, typer.Option("--url", help="PostgreSQL, instead of the config's journal.url.", metavar="URL")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Keep at it until SIGINT or SIGTERM.")] = False,
) -> None:
    """Bring the journal into its tables for questions: SQLite beside it, or PostgreSQL."""
    from deltawire.cli.project import project as work

    work(config, journal, url, follow=follow)


@app.command()
def backup(
    to: Annotated[Path, typer.Option("--to", help="Folder for the backups.", metavar="DIR")],
    config: Config = CONFIG,
    journal: Journal = None,
    keep: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Remove all but so many of the newest backups there.")
    ] = None,
) -> None:
    """Save the journal into one verified file, also while the bot runs. Prints the file's path."""
    from deltawire.cli.backup import backup as work

    work(config, journal, to, keep)


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="A file that `deltawire backup` wrote.", metavar="FILE")],
    journal: Annotated[Path, typer.Option("--journal", help="An empty folder for it.", metavar="DIR")],
) -> None:
    """Verify a backup and put the journal in it into an empty folder."""
    from deltawire.cli.backup import restore as work

    work(archive, journal)


@journal_app.command("archive")
def journal_archive(
    to: Annotated[Path, typer.Option("--to", help="Folder for the archives.", metavar="DIR")],
    config: Config = CONFIG,
    journal: Journal = None,
    keep_days: Annotated[
        int, typer.Option(min=8, max=3650, help="Runs that ended in the last so many days stay, and the last one.")
    ] = 30,
    *,
    as_json: Json = False,
) -> None:
    """Put the journal's old runs into one verified file; the bot must be stopped, ended clean, flat and agreed."""
    from deltawire.cli.journal import archive as work

    work(config, journal, to, keep_days, as_json=as_json)


@app.command()
def verify(
    config: Config = CONFIG,
    journal: Journal = None,
    env: Env = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Ask the venues themselves; needs the keys.")] = False,
    as_json: Json = False,
) -> None:
    """Print the statement of agreement, or what stands in its way. Exit 0: no rule broken, flat, and all agrees."""
    from deltawire.cli.verify import verify as work

    work(config, journal, env, live=live, as_json=as_json)


@app.command()
def drill(
    kills: Annotated[int, typer.Option(min=1, max=10_000, help="How often the bot is killed.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Draws the instants, the market and the faults.")] = 1,
    rtt_ms: Annotated[float, typer.Option(min=0, max=5000, help="Simulated network round trip, in ms.")] = 10.0,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Empty folder for journal and logs.", metavar="DIR")
    ] = None,
    *,
    at_least: Annotated[
        int | None, typer.Option("--each", min=0, max=1000, help="Kills each phase gets; else a twentieth of all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Kill the bot again and again in mid-trade, then hold journal against venues. Exit 0: nothing is wrong."""
    from deltawire.cli.drill import drill as work

    work(kills, seed, rtt_ms, directory, at_least=at_least, as_json=as_json)


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help="reaction, safety, sign, ...; all if none named.", metavar="NAME...")
    ] = None,
    *,
    as_json: Json = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the results in bench/results/.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare ratios with those kept; exit 1 when one got slower.")
    ] = False,
) -> None:
    """Measure this machine: reaction, signing, frames, connections. Every figure with n, p50, p90, p99, max."""
    from deltawire.cli.bench import bench as work

    work(names or [], as_json=as_json, record=record, check=check)


@app.command()
def faults(
    seeds: Annotated[str, typer.Option("--seeds", help="Which runs, both ends included.", metavar="A..B")] = "0..99",
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes at once; one a processor.")] = None,
    seed_log: Annotated[
        int | None, typer.Option("--seed-log", min=0, help="Run this one seed and print all that happened.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Run bot, venues and network on a virtual clock under drawn faults. Exit 0: no seed broke an invariant."""
    from deltawire.cli.faults import faults as work

    work(seeds, jobs, as_json=as_json, seed_log=seed_log)


@app.command(name="latency-value")
def latency_value(
    rtt_ms: Annotated[
        list[float] | None, typer.Option("--rtt-ms", help="A round trip; give it several times.", metavar="MS")
    ] = None,
    seconds: Annotated[int, typer.Option(min=10, max=86_400, help="How much of the market to trade.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated basis and the venues' delays.")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes at once; one a processor.")] = None,
    *,
    as_json: Json = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the result in bench/results/.")] = False,
) -> None:
    """Trade the recorded market at several round trips: what the milliseconds are worth, in simulated money."""
    from deltawire.cli.latency_value import latency_value as work

    work(rtt_ms or [], seconds, seed, jobs, as_json=as_json, record=record)


@app.command()
def sim(
    ready_file: Annotated[
        Path, typer.Option("--ready-file", help="Where to say, once ready, how to reach them.", metavar="FILE")
    ],
    config: Annotated[Path | None, typer.Option("--config", help="Settings of the simulators.", metavar="FILE")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the file's seed.")] = None,
    rtt_ms: Annotated[float | None, typer.Option(min=0, max=5000, help="Instead of the file's round trip.")] = None,
) -> None:
    """Run both venues as TLS servers on this machine, until SIGINT or SIGTERM."""
    from deltawire.cli.sim import sim as work

    work(config, ready_file, seed=seed, rtt_ms=rtt_ms)


def _tell(command: str, config: Path, socket: Path | None, *, as_json: bool) -> None:
    from deltawire.cli.control import tell

    tell(command, config, socket, as_json=as_json)
