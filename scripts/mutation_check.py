# ruff: noqa: INP001 - a script, not a package
"""Breaks the safety rules one at a time and shows that it is noticed: mutation_check.py [--with faults] [--write].

Each breakage is a small edit of one source file in a throw-away copy of the tree; then the tests of core and engine run
there, and a small fixed set of fault runs, of which all but one know nothing of the breakage. One that no test notices
is a hole in the tests, and makes this script fail. --with tests or --with faults runs one of the two; --write, with
both, renews the table in docs/mutation-check.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/unit/core", "tests/unit/engine", "tests/properties/test_trade_machine.py")
TABLE = ROOT / "docs" / "mutation-check.md"
WITHIN_S = 240
# Fault runs: two or three of every theme, some without one, and a siege; the first that breaks a rule is the answer.
# 745 was searched for: its process dies between a ladder's order and the record of it, which few seeds do.
SEEDS = (1, 6, 8, 0, 23, 2, 38, 3, 12, 4, 7, 40, 5, 9, 10, 13, 14, 11, 34, 20, 31, 28, 35, 44, 57, 177, 63, 745)
SEEDS_WITHIN_S = 900
SWEEP = """
import sys
from deltawire.faultrun.world import run_seed
for seed in map(int, sys.argv[1:]):
    broken = run_seed(seed).broken
    if broken:
        sys.exit(f"NOTICED seed {seed}: {broken[0].rule}")
"""


@dataclass(frozen=True, slots=True)
class Breakage:
    rule: str
    what: str
    file: str
    old: str
    new: str


def _core(rule: str, what: str, file: str, old: str, new: str) -> Breakage:
    return Breakage(rule, what, f"src/deltawire/core/{file}", old, new)


def _engine(rule: str, what: str, file: str, old: str, new: str) -> Breakage:
    return Breakage(rule, what, f"src/deltawire/engine/{file}", old, new)


BREAKAGES = (
    _core(
        "I1", "count a repeated fill twice", "order.py", "if isinstance(event, FillSeen) and any(", "if False and any("
    ),
    _core("I1", "accept a fill past the size", "order.py", "if after.filled_e8 > order.request.size_e8:", "if False:"),
    _core(
        "I1",
        "add executions to running totals",
        "order.py",
        "return max(self._seen_e8(), self.total.size_e8, self.closed_filled_e8)",
        "return self._seen_e8() + self.total.size_e8",
    ),
    _core(
        "I1",
        "hedge the asked quantity instead of the filled one",
        "trade.py",
        "size_e8 = floor_to(abs(self.delta_e8), instrument.size_step_e8)",
        "size_e8 = floor_to(self.rules.size_e8, instrument.size_step_e8)",
    ),
    _core("I1", "decide while an order is unfinished", "trade.py", "while not self.unfinished and", "while"),
    _core(
        "I2",
        "forget the unwind",
        "trade.py",
        "places.extend(self._reduce(1 - self._lagging, abs(self.delta_e8), Purpose.UNWIND, books, ready))",
        "pass",
    ),
    _core("I2", "never alarm a leg alone", "trade.py", "if not since_ns or self.alarmed or", "if True or"),
    _core(
        "I2",
        "repair without end",
        "trade.py",
        "if self.exit_reason or self.repairs >= allowed:",
        "if self.exit_reason:",
    ),
    _core("I2", "retry without pause", "trade.py", "self.not_before_mono_ns = now_mono_ns + delay_ns", "pass"),
    _core("I2", "retry for ever", "trade.py", "return self.attempts >= ATTEMPTS_MAX", "return False"),
    _core(
        "I2",
        "wait for an absent venue for ever",
        "trade.py",
        "else Finding.EXCESS\n        return Finding.MISSING",
        "else None\n        return Finding.MISSING",
    ),
    _core(
        "I2", "close one leg while the other cannot", "trade.py", "if not all(ready[leg] for leg in on):", "if False:"
    ),
    _core("I3", "use a client id twice", "trade.py", "if request.client_id in self.orders:", "if False:"),
    _engine(
        "I3", "give the same id to a retry", "ids.py", "attempt = self._attempts.get(trade_id, 0) + 1", "attempt = 1"
    ),
    _core(
        "I4",
        "take doubt for a refusal, and so send again",
        "order.py",
        "        InDoubt: UNKNOWN,\n    },\n    OPEN",
        "        InDoubt: NEVER,\n    },\n    OPEN",
    ),
    _core(
        "I4",
        "free the size of an order in doubt",
        "order.py",
        "FINAL = frozenset({FILLED,",
        "FINAL = frozenset({UNKNOWN, FILLED,",
    ),
    _core(
        "I4",
        "believe an end that does not say how much filled",
        "order.py",
        "if isinstance(event, Closed) and event.filled_e8 is None and not order.is_final:",
        "if False:",
    ),
    _core(
        "I4",
        "believe a look-up over an acknowledgement",
        "order.py",
        "if isinstance(event, NotFound) and order.state is UNKNOWN and order.was_there:",
        "if False:",
    ),
    _core(
        "I4",
        "believe a look-up over a fill",
        "order.py",
        "return self.venue_order_id is not None or self.filled_e8 > 0",
        "return self.venue_order_id is not None",
    ),
    _engine(
        "I4",
        "believe at once that an order was never placed",
        "resolver.py",
        "return [NotFound()] if order.is_too_late(asked_ns) else []",
        "return [NotFound()]",
    ),
    _engine(
        "I4",
        "write an absent order off by our own clock",
        "resolver.py",
        "return closed and (is_old or self.inherited)",
        "return is_old",
    ),
    _engine(
        "I4",
        "never read an order in doubt",
        "dealer.py",
        "            self._desk.on_doubt(client_id)\n        if trade in",
        "            pass\n        if trade in",
    ),
    _engine(
        "I4",
        "enter while something is in doubt",
        "dealer.py",
        "return all(trade.phase is HOLDING and not trade.exit_reason for trade in self.open)",
        "return True",
    ),
    _engine(
        "I5",
        "end without asking the venues",
        "agreement.py",
        "flat = idle and not any(row.venue_e8 for row in rows)",
        "flat = True",
    ),
    _engine(
        "I5",
        "trade on a position nobody can account for",
        "bot.py",
        "elif left := self.safety.accept_venues(rows):",
        "elif left := []:",
    ),
    _engine(
        "I5",
        "forget trades an earlier run left open",
        "recovery.py",
        "_came_back(remains, remains.closed)):\n            found.open_trades.append(remains)",
        "_came_back(remains, remains.closed)):\n            pass",
    ),
    _engine(
        "I5",
        "take an unanswered order of a dead run for settled",
        "recovery.py",
        'order if order.is_final else apply(order, InDoubt("the bot was away"))',
        "order",
    ),
    _engine(
        "I6",
        "skip the journal",
        "gateway.py",
        "if not self._recorder.record_now(intents):",
        "if False:",
    ),
    _engine(
        "I6",
        "forget intents of orders held back by a full disk",
        "recorder.py",
        "            self._break(e)\n            return\n",
        "            self._break(e)\n            self._later = []\n            return\n",
    ),
    _engine(
        "I3",
        "write a ladder's orders once its receive window is over",
        "ladders.py",
        "if now_mono_ns > ladder.usable_until_mono_ns:",
        "if False:",
    ),
    _engine(
        "I3",
        "keep a ladder whose id was used meanwhile",
        "presigner.py",
        "return not dealer.knows(wanted.trade_id)",
        "return True",
    ),
    _engine(
        "I6",
        "skip a ladder's record",
        "presigner.py",
        "if not self._recorder.record_now([self._record(wanted, orders, split)]):",
        "if False:",
    ),
    _engine(
        "I6",
        "write down nothing of a ladder's order that left",
        "gateway.py",
        "self._recorder.later(_intent(out, out.presigned, unix_ns))",
        "pass",
    ),
    _engine(
        "I6",
        "let a ladder leave without its mark",
        "gateway.py",
        "self._recorder.leaving(outgoing[0].presigned)",
        "str(outgoing[0].presigned)",
    ),
    Breakage(
        "I6",
        "clear the mark of a dead run before its ladder was asked for",
        "src/deltawire/journal/leaving.py",
        "if self._begun:",
        "if True:",
    ),
    _engine(
        "I6",
        "forget the unsent ladders of a dead run",
        "recovery.py",
        "found.presigned = list(ladders.may_have_left(left))",
        "pass",
    ),
    _engine(
        "I6",
        "let a ladder leave while the journal cannot be written",
        "trader.py",
        "ladder = None if desk.recorder.broken else self.ladders.take_entry(",
        "ladder = self.ladders.take_entry(",
    ),
    _engine(
        "I7",
        "let a ladder pass by the gate",
        "gateway.py",
        "if not self._approve(outgoing):\n            return False\n        self._write(",
        "if False:\n            return False\n        self._write(",
    ),
    _engine(
        "I6",
        "let a ladder leave without the mark that says so",
        "recorder.py",
        "self._mark.leaving(order.correlator)",
        "pass",
    ),
    _engine(
        "I7",
        "clear orders ahead without asking the gate",
        "trader.py",
        "if all(self._desk.gate.clear(out.request) for orders in ladder.orders for out in orders):",
        "if True:",
    ),
    _engine(
        "I7",
        "use a clearance past its time",
        "trader.py",
        "decoded_ns >= ladder.cleared_until_mono_ns\n            or",
        "False or",
    ),
    _engine(
        "I7",
        "use a clearance past the news",
        "trader.py",
        "or ladder.cleared_at_news != desk.news.count\n            or found.size_e8",
        "or found.size_e8",
    ),
    _core(
        "I7",
        "admit a cleared entry whatever the books",
        "limits.py",
        "if self._wrong_with(book, now_mono_ns, now_unix_ns) is not None:\n                return False",
        "if False:\n                return False",
    ),
    _core("I7", "admit a cleared entry while halted", "limits.py", "if self.halted or edge_e8 >", "if edge_e8 >"),
    _core(
        "I7",
        "ignore the notional limit",
        "limits.py",
        "if is_entry and request.cap_price_e8 * request.size_e8 > limit_e8 * E8:",
        "if False:",
    ),
    _core("I7", "send an order without a price cap", "limits.py", "if cap_e8 <= 0:", "if False:"),
    _core(
        "I7",
        "ignore the order rate",
        "limits.py",
        "return len(self.sent_mono_ns) + reserve < self.limits.orders_per_minute_max",
        "return True",
    ),
    _core("I7", "ignore a stale book", "limits.py", "if age_ns > limits.quote_age_ns_max[book.venue]:", "if False:"),
    _core(
        "I7", "ignore an invalid book", "limits.py", "if not book.valid or not book.bids or not book.asks:", "if False:"
    ),
    _core(
        "I7",
        "ignore the daily loss",
        "limits.py",
        "if self.lost_today_e8 >= self.limits.daily_loss_e8_max:",
        "if False:",
    ),
    _core(
        "I7",
        "ignore the margin",
        "limits.py",
        "return self.loss_refusal() or self._margin_refusal()",
        "return self.loss_refusal()",
    ),
    _engine(
        "I7",
        "ignore the inventory limit",
        "trader.py",
        "refusal = gate.inventory_refusal(venue.name, desk.inventory_e8(venue.name), added_e8)",
        "refusal = None",
    ),
    _engine(
        "I7",
        "ignore confirmations",
        "trader.py",
        "if self._confirmed < self.rules.confirm_updates or lasted_ns < self.rules.confirm_ns:",
        "if False:",
    ),
    _core("I8", "let entries use up the rate of exits", "limits.py", "EXIT_RESERVE = 4", "EXIT_RESERVE = 0"),
    _engine(
        "I8",
        "hold exits back on a full disk",
        "gateway.py",
        "if any(out.request.purpose is Purpose.ENTRY for out in outgoing):",
        "if True:",
    ),
    _engine(
        "I8",
        "hold exits back while paused",
        "bot.py",
        "if trader is not None and not self._stall.is_frozen:",
        'if trader is not None and not self._stall.is_frozen and self.state != "disarmed":',
    ),
    _core(
        "I10",
        "keep trading on a crossed book",
        "book.py",
        "if self.two_sided and self.bids[0][0] >= self.asks[0][0]:",
        "if False:",
    ),
    _core(
        "costs",
        "forget the fees",
        "edge.py",
        "fees_e8 = 2 * (one.fee_rate_taker_e8 + other.fee_rate_taker_e8)",
        "fees_e8 = 0",
    ),
    _core(
        "price",
        "round a cap against ourselves",
        "types.py",
        "round_to = floor_to if side is Side.BUY else ceil_to",
        "round_to = ceil_to if side is Side.BUY else floor_to",
    ),
    _engine(
        "rule 7",
        "believe a changed position at first sight",
        "watch.py",
        "if change_e8 and seen in pair.suspected:",
        "if change_e8:",
    ),
    _engine(
        "rule 7",
        "let a pair that is never still trade on unseen",
        "watch.py",
        "if age_ns > self._age_ns_max and",
        "if False and",
    ),
    _engine(
        "rule 7",
        "leave the other leg on after a liquidation",
        "safety.py",
        '        trader.want_exit("position_changed")',
        "        pass",
    ),
    _engine(
        "rule 7",
        "close one leg while the other venue is halted",
        "dealer.py",
        "self.venues[0].ready and self.venues[0].trades(legs[0].symbol)",
        "self.venues[0].ready",
    ),
    _engine(
        "rule 8",
        "forget a kill over a restart",
        "safety.py",
        "self._recorder.later(Halted(",
        "(lambda _: None)(Halted(",
    ),
    _engine(
        "rule 8",
        "open trades after an unclean end",
        "bot.py",
        "unclean = self._recovered.unclean_before and not self.settings.arm_itself",
        "unclean = False",
    ),
)


@dataclass(frozen=True, slots=True)
class Noticed:
    """What noticed a breakage; "" when nothing did, None when it was not asked."""

    test: str | None
    seed: str | None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--with", dest="by", choices=("tests", "faults", "both"), default="both")
    parser.add_argument("--write", action="store_true", help="renew docs/mutation-check.md")
    parser.add_argument("--only", default="", help="only breakages whose text contains this")
    options = parser.parse_args()
    if options.write and (options.only or options.by != "both"):
        parser.error("--write needs all breakages, by both")
    chosen = [breakage for breakage in BREAKAGES if options.only in breakage.what]
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes: list[Noticed] = []
        for breakage, outcome in zip(chosen, pool.map(partial(_try, by=options.by), chosen), strict=True):
            outcomes.append(outcome)
            word = "caught" if outcome.test or outcome.seed else "MISSED"
            sys.stdout.write(f"{word}  {breakage.rule}: {breakage.what}  {outcome.test or ''}  {outcome.seed or ''}\n")
            sys.stdout.flush()
    by_test, by_seed = sum(bool(o.test) for o in outcomes), sum(bool(o.seed) for o in outcomes)
    sys.stdout.write(f"{len(outcomes)} breakages; tests noticed {by_test}, fault runs {by_seed}\n")
    if options.write:
        TABLE.write_text(_page(outcomes))
    return 1 if options.by != "faults" and by_test < len(outcomes) else 0


def _try(breakage: Breakage, by: str) -> Noticed:
    with tempfile.TemporaryDirectory(prefix="deltawire-mutant-") as name:
        tree = Path(name)
        for folder in ("src", "tests"):
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        source = tree / breakage.file
        text = source.read_text()
        if text.count(breakage.old) != 1:
            raise SystemExit(
                f"{breakage.file}: {breakage.what}: the text to break stands there {text.count(breakage.old)} times"
            )
        source.write_text(text.replace(breakage.old, breakage.new))
        return Noticed(
            test=_by_tests(tree) if by != "faults" else None, seed=_by_faults(tree) if by != "tests" else None
        )


def _by_tests(tree: Path) -> str:
    """Return the name of the first test that noticed, "" when none did."""
    try:
        run = _run(tree, ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=60", *TESTS], WITHIN_S)
    except subprocess.TimeoutExpired:
        return "the tests did not end"
    if run.returncode == 0:
        return ""
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0].split("::")[-1] if failed else "the tests could not run"


def _by_faults(tree: Path) -> str:
    """Return the first seed that broke a rule, and which; "" when none did."""
    try:
        run = _run(tree, ["-c", SWEEP, *map(str, SEEDS)], SEEDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return "a seed did not end"
    if run.returncode == 0:
        return ""
    last = run.stderr.rstrip().rpartition("\n")[2]
    return last.removeprefix("NOTICED ") if last.startswith("NOTICED ") else f"a seed could not run: {last[:60]}"


def _run(tree: Path, arguments: list[str], within_s: int) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(tree / "src"), str(tree)))
    return subprocess.run(  # noqa: S603 - our own tests and seeds
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def _page(outcomes: list[Noticed]) -> str:
    rows = "\n".join(
        f"| {breakage.rule} | {breakage.what} | `{outcome.test}` | {outcome.seed or 'no'} |"
        for breakage, outcome in zip(BREAKAGES, outcomes, strict=True)
    )
    by_test, by_seed = sum(bool(o.test) for o in outcomes), sum(bool(o.seed) for o in outcomes)
    return f"""# Do the tests notice?

`scripts/mutation_check.py --write` breaks the safety rules one at a time in a copy of the tree, and runs the tests of
core and engine there and the fault runs of {len(SEEDS)} fixed seeds. {len(outcomes)} breakages: the tests notice
{by_test}, the fault runs {by_seed}. The last two columns: the first test that failed; the first seed that broke a rule,
and which. Fault runs see what a breakage does to positions, orders and the journal. Limits that no seed comes near, and
rules that cost money without breaking an invariant, are the tests' alone.

| rule | breakage | test | fault runs catch it |
|---|---|---|---|
{rows}
"""


if __name__ == "__main__":
    sys.exit(main())
