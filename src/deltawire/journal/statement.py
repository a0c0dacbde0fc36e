"""The statement of agreement: what the journal says of each venue, and every item on which something else differs.

Made from the journal alone; what the venues say now is added by `with_answers` when somebody has asked them. A
difference names the item and both values. Where nothing differs, nothing is open and no invariant is broken, it is
signed off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deltawire.core.money import format_e8
from deltawire.journal.check import Violation, check_journal
from deltawire.journal.read import CheckRow, JournalReader, OrderRow, Reconciliation, RunRow
from deltawire.journal.records import MoneyRow
from deltawire.journal.report import Report, build_report

MONEY_SINCE_FORMAT = 2  # of the records: older runs compared positions only
LOOK_UPS_MAX = 100  # newest orders a venue is asked for one by one: half a minute of Vest's read budget


@dataclass(frozen=True, slots=True)
class Difference:
    """One item that is not the same on both sides, with both values as text. answer: what the bot did about it."""

    item: str
    journal: str
    venue: str
    kind: str = ""  # of journal.records.ItemKind, "position", or "" for what could not be asked
    answer: str = ""

    def __str__(self) -> str:
        return f"{self.item}: journal {self.journal}, venue {self.venue}"


@dataclass(frozen=True, slots=True)
class Account:
    """One venue by the journal, over all runs. Sizes signed, amounts in 1e-8."""

    positions: Mapping[str, int]
    orders: int  # intended
    sent: int
    filled: int  # orders that filled at least partly
    rejected: int
    unresolved: int
    fees_e8: int

    def to_json(self) -> dict[str, Any]:
        return {
            "positions": {symbol: format_e8(size_e8) for symbol, size_e8 in self.positions.items()},
            "orders": self.orders,
            "sent": self.sent,
            "filled": self.filled,
            "rejected": self.rejected,
            "unresolved": self.unresolved,
            "fees_usd": format_e8(self.fees_e8),
        }


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What a venue says of one order. filled_e8 None: it shows no such order. failure: it did not answer, and why."""

    client_id: str
    filled_e8: int | None = None
    fee_e8: int = 0
    is_final: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True)
class VenueAnswer:
    """What one venue said when asked. failure: it could not be asked at all, and why."""

    positions: Mapping[str, int] = field(default_factory=dict)
    open_orders: tuple[str, ...] = ()  # ours
    equity_e8: int = 0
    free_e8: int = 0
    orders: tuple[OrderAnswer, ...] = ()
    money: MoneyRow | None = None  # None: not asked, or no balance on record to go from
    differences: tuple[Difference, ...] = ()  # of fills, fees, funding and balance
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    report: Report
    records: int  # in the journal
    accounts: Mapping[str, Account]
    compared_unix_ns: int  # when the bot last compared positions, 0 for never
    differences: tuple[Difference, ...]
    violations: tuple[Violation, ...]
    to_look_up: Mapping[str, tuple[OrderRow, ...]]  # by venue: orders worth asking for, newest first
    money: Mapping[str, MoneyRow] = field(default_factory=dict)  # by venue, as last compared or asked
    reconciled_unix_ns: int = 0  # when orders and money were last compared, 0 for never
    answers: Mapping[str, VenueAnswer] = field(default_factory=dict)

    @property
    def agree(self) -> bool:
        """Whether something was compared, by the bot or now, and nothing differs."""
        return bool(self.compared_unix_ns or self.answers) and not self.differences

    @property
    def signed_off(self) -> bool:
        return self.agree and not self.violations and self.report.flat

    def with_answers(self, answers: Mapping[str, VenueAnswer]) -> "Statement":
        """Judge by what the venues say now; what the bot's last comparison found no longer counts."""
        found: list[Difference] = []
        for venue, answer in answers.items():
            found += _against(venue, self.accounts.get(venue), answer, self.to_look_up.get(venue, ()))
        asked = {venue: answer.money for venue, answer in answers.items() if answer.money is not None}
        return replace(self, differences=tuple(found), answers=answers, money={**self.money, **asked})


def build_statement(directory: Path, url: str = "") -> Statement:
    """Read a journal whole. Raises JournalError."""
    violations = tuple(check_journal(directory))
    report = build_report(directory, url=url)
    with JournalReader(directory, url) as journal:
        orders = journal.orders()
        unresolved = {order.client_id for order in journal.unresolved()}
        checks = journal.checks(run_id=report.run_id)
        last = [row for row in checks if row.seq == checks[-1].seq]
        positions = journal.positions()
        run = next((run for run in journal.runs() if run.run_id == report.run_id), None)
        last_money = journal.last_reconciliation(report.run_id)
        venues = sorted({venue for venue, _ in positions} | {row.venue for row in last})
        return Statement(
            report=report,
            records=journal.last_seq,
            accounts={venue: _account(venue, orders, positions, unresolved) for venue in venues},
            compared_unix_ns=last[0].unix_ns if last else 0,
            differences=(
                *_by_the_journal(last, positions, orders, unresolved, report),
                *_money(last_money, run, report),
            ),
            money={row.venue: row for row in last_money.rows} if last_money else {},
            reconciled_unix_ns=last_money.unix_ns if last_money else 0,
            violations=violations,
            to_look_up={venue: _worth_asking(venue, orders, unresolved, report.run_id) for venue in venues},
        )


def _account(
    venue: str, orders: Iterable[OrderRow], positions: Mapping[tuple[str, str], int], unresolved: set[str]
) -> Account:
    ours = [order for order in orders if order.venue == venue]
    return Account(
        positions={symbol: size_e8 for (name, symbol), size_e8 in sorted(positions.items()) if name == venue},
        orders=len(ours),
        sent=sum(order.was_sent for order in ours),
        filled=sum(order.filled_e8 > 0 for order in ours),
        rejected=sum(order.state.value == "rejected" for order in ours),
        unresolved=sum(order.client_id in unresolved for order in ours),
        fees_e8=sum(order.fee_e8 for order in ours),
    )


def _by_the_journal(
    last: list[CheckRow],
    positions: Mapping[tuple[str, str], int],
    orders: Iterable[OrderRow],
    unresolved: set[str],
    report: Report,
) -> Iterable[Difference]:
    """Yield what the last comparison left open, and what has changed since."""
    for row in last:
        if not row.agree:
            yield _position(row.venue, row.symbol, row.journal_e8, format_e8(row.venue_e8))
    compared = {(row.venue, row.symbol): row for row in last}
    for (venue, symbol), size_e8 in sorted(positions.items()):
        seen = compared.get((venue, symbol))
        if seen is None and size_e8:
            yield _position(venue, symbol, size_e8, "not asked")
        elif seen is not None and seen.agree and seen.journal_e8 != size_e8 and report.status != "running":
            yield _position(venue, symbol, size_e8, f"{format_e8(seen.venue_e8)} when last asked, before that changed")
    if report.run_id and not last:
        yield Difference("positions of the last run", "as stated", "never asked")
    if report.status != "running":
        for order in orders:
            if order.client_id in unresolved:
                yield Difference(f"{order.venue} order {order.client_id}", order.state.value, "not asked")


def _money(last: Reconciliation | None, run: RunRow | None, report: Report) -> Iterable[Difference]:
    """Yield what the last comparison of orders, fills, fees, funding and balance left open."""
    if last is not None:
        for item in last.differences:
            yield Difference(f"{item.venue} {item.item}", item.journal, item.told, item.kind, item.answer)
    elif run is not None and run.format >= MONEY_SINCE_FORMAT and report.status != "running":
        yield Difference("fees, funding and balance of the last run", "as stated", "never asked")


def _against(
    venue: str, account: Account | None, answer: VenueAnswer, asked: tuple[OrderRow, ...]
) -> Iterable[Difference]:
    if answer.failure:
        yield Difference(f"{venue} account", "as stated", f"no answer ({answer.failure})")
        return
    ours = account.positions if account is not None else {}
    for symbol in sorted(ours.keys() | answer.positions.keys()):
        size_e8, theirs_e8 = ours.get(symbol, 0), answer.positions.get(symbol, 0)
        if symbol in ours and size_e8 != theirs_e8:  # other instruments are their owner's business
            yield _position(venue, symbol, size_e8, format_e8(theirs_e8))
    known = {order.client_id: order for order in asked}
    for client_id in answer.open_orders:
        yield Difference(f"{venue} order {client_id}", "nothing of ours rests", "open")
    yield from answer.differences
    for told in answer.orders:
        yield from _order(f"{venue} order {told.client_id}", known[told.client_id], told)


def _order(item: str, order: OrderRow, told: OrderAnswer) -> Iterable[Difference]:
    if told.failure:
        yield Difference(item, order.state.value, f"no answer ({told.failure})")
        return
    filled_e8 = told.filled_e8 or 0
    if filled_e8 != order.filled_e8:
        theirs = "unknown there" if told.filled_e8 is None else format_e8(filled_e8)
        yield Difference(f"{item} filled", format_e8(order.filled_e8), theirs)
    elif filled_e8 and told.fee_e8 != order.fee_e8:
        yield Difference(f"{item} fee", format_e8(order.fee_e8), format_e8(told.fee_e8))
    if told.filled_e8 is not None and not told.is_final:
        yield Difference(item, order.state.value, "still open")


def _position(venue: str, symbol: str, size_e8: int, theirs: str) -> Difference:
    return Difference(f"{venue} position {symbol}", format_e8(size_e8), theirs, "position")


def _worth_asking(venue: str, orders: list[OrderRow], unresolved: set[str], run_id: str) -> tuple[OrderRow, ...]:
    """Return the orders of unknown end first, then the newest that left."""
    ours = [order for order in reversed(orders) if order.venue == venue and (order.was_sent or order.run_id == run_id)]
    doubtful = [order for order in reversed(orders) if order.venue == venue and order.client_id in unresolved]
    return tuple(dict.fromkeys((*doubtful, *ours)))[:LOOK_UPS_MAX]
