"""Judges a crash drill by the venues' own books and the journal; the bot's word counts for nothing.

The delta over time is put together from what the venues executed and when. A stretch outside one lot is charged to a
bot only while that bot lived: what happens between a kill and the next start is up to whoever restarts it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltawire.cli.venue_books import Books, differences, journal_books
from deltawire.core.money import E8, parse_e8
from deltawire.journal.check import check_journal
from deltawire.journal.records import InstrumentLoaded, OrderIntended, OrderObserved
from deltawire.journal.segments import read


@dataclass(frozen=True, slots=True)
class Life:
    """One process of the bot, in UTC ns. ready: its positions were compared and it may trade, 0 if it never came to."""

    born_unix_ns: int
    ready_unix_ns: int
    died_unix_ns: int


@dataclass(frozen=True, slots=True)
class Execution:
    """An order that filled, as its venue tells it. size_e8 is signed."""

    unix_ns: int
    size_e8: int


def executions(state: Mapping[str, Any], paradex_account: str, vest_address: str) -> list[Execution]:
    """Return what both venues executed of one account, in order of time."""
    paradex = state["paradex"]["accounts"][paradex_account]["orders"]
    vest = next(a for a in state["vest"]["accounts"] if a["primary_address"] == vest_address)["orders"]
    found = [
        Execution(o["updated_unix_ns"], parse_e8(o["filled"]) * (1 if o["side"] == "BUY" else -1))
        for o in paradex
        if parse_e8(o["filled"])
    ]
    found += [
        Execution(o["filled_time_ms"] * 10**6, o["filled_e8"] * (1 if o["side"] == "buy" else -1))
        for o in vest
        if o["filled_e8"]
    ]
    return sorted(found, key=lambda execution: execution.unix_ns)


def unhedged(done: Iterable[Execution], lot_e8: int, until_unix_ns: int) -> list[tuple[int, int]]:
    """Return the stretches (from, to) in which the sum of all positions was a lot or more."""
    stretches, since_ns, delta_e8 = [], 0, 0
    for execution in done:
        delta_e8 += execution.size_e8
        if abs(delta_e8) >= lot_e8 and not since_ns:
            since_ns = execution.unix_ns
        elif abs(delta_e8) < lot_e8 and since_ns:
            stretches.append((since_ns, execution.unix_ns))
            since_ns = 0
    return [*stretches, (since_ns, until_unix_ns)] if since_ns else stretches


def charged(stretches: Iterable[tuple[int, int]], spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the part of each stretch that lay inside each span it met."""
    spans = list(spans)
    return [
        (max(since, begin), min(to, until))
        for since, to in stretches
        for begin, until in spans
        if min(to, until) > max(since, begin)
    ]


def doubts(journal: Path) -> list[tuple[int, str]]:
    """Return when each order was found to be in doubt, as (UTC ns, client id): once a run that had to read it."""
    records = (record for _, record in read(journal))
    return [(at.unix_ns, at.client_id) for at in records if isinstance(at, OrderObserved) and at.kind == "in_doubt"]


def too_long(
    parts: Iterable[tuple[int, int]], doubtful: Iterable[tuple[int, str]], bound_ns: int, again_ns: int
) -> list[tuple[int, int]]:
    """Return the parts that were longer than their bound, each as (how long it was, the bound).

    again_ns: on top of the bound for each order after the first that came to be in doubt within the part. A venue that
    loses one close after the other makes the bot wait for each.
    """
    doubtful, found = list(doubtful), []
    for begin, end in parts:
        lost = len({client_id for unix_ns, client_id in doubtful if begin <= unix_ns <= end})
        allowed_ns = bound_ns + max(lost - 1, 0) * again_ns
        if end - begin > allowed_ns:
            found.append((end - begin, allowed_ns))
    return found


def duplicates(state: Mapping[str, Any], journal: Path) -> list[str]:
    """Name every sign that an order reached a venue twice or that the journal did not know it."""
    found = []
    refused = {
        "paradex": state["paradex"]["counters"].get("duplicates_of_a_client_id", 0),
        "vest": state["vest"]["counters"].get("duplicates", 0),
    }
    found += [f"{venue} refused {count} orders as sent before" for venue, count in refused.items() if count]
    known: dict[str, set[str]] = {"paradex": set(), "vest": set()}
    for _, record in read(journal):
        if isinstance(record, OrderIntended):
            known[record.venue].add(record.client_id if record.venue == "paradex" else str(record.correlator))
    for venue, ids in _orders_at(state).items():
        found += [f"{venue} has order {order} twice" for order in sorted({i for i in ids if ids.count(i) > 1})]
        found += [f"{venue} has order {order}, the journal does not" for order in sorted(set(ids) - known[venue])]
    return found


def disagreements(venues: Mapping[str, Books], journal: Path) -> list[str]:
    """Name every difference between the books of venues and journal, and every invariant the journal breaks."""
    broken = [f"record {v.seq} breaks {v.rule}: {v.text}" for v in check_journal(journal)]
    return differences(journal_books(journal), venues) + broken


def lot_of(journal: Path) -> int:
    """Return the smallest net position worth a hedge: a step of both venues, and enough for both minimum notionals."""
    step_e8, notional_min_e8, price_e8 = 1, 0, 0
    for _, record in read(journal):
        if isinstance(record, InstrumentLoaded):
            step_e8 = max(step_e8, record.size_step_e8)
            notional_min_e8 = max(notional_min_e8, record.notional_min_e8)
        elif isinstance(record, OrderIntended):
            price_e8 = min(price_e8 or record.cap_price_e8, record.cap_price_e8)
    # A tenth more than the minimum, because the price moves while a trade is open.
    return max(step_e8, notional_min_e8 * E8 * 11 // (10 * price_e8) if price_e8 else 0)


def _orders_at(state: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "paradex": [o["client_id"] for a in state["paradex"]["accounts"].values() for o in a["orders"]],
        "vest": [str(o["nonce"]) for a in state["vest"]["accounts"] for o in a["orders"]],
    }
