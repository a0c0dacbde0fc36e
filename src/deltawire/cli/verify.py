"""`deltawire verify`: the statement of agreement, signed off, or exactly what stands in its way.

Without --live it asks no venue: agreement is then what the bot's last comparison found and wrote down.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson
import typer

from deltawire.cli import exits
from deltawire.cli.report import JournalPlace, journal_place
from deltawire.cli.waiting import waiting
from deltawire.config import load_config, load_secrets
from deltawire.config.secrets import NO_SECRETS
from deltawire.core.money import format_e8
from deltawire.journal.log import writer_pid
from deltawire.journal.records import MoneyRow
from deltawire.journal.segments import JournalError
from deltawire.journal.statement import Account, Statement, VenueAnswer, build_statement


def verify(config: Path, journal: Path | None, env_file: Path | None, *, live: bool, as_json: bool) -> None:
    """Print the statement. Exit 0 only when it is signed off."""
    place = journal_place(config, journal)
    try:
        with waiting("reading the journal"):
            statement = build_statement(place.folder, place.url)
    except JournalError as e:
        exits.leave(str(e), exits.FAILED)
    if live:
        statement = statement.with_answers(_ask(config, env_file, place, statement))
    if as_json:
        typer.echo(orjson.dumps(as_document(statement)).decode())
    else:
        typer.echo("\n".join(lines(statement)))
    if not statement.signed_off:
        raise typer.Exit(exits.FAILED)


def _ask(config: Path, env_file: Path | None, place: JournalPlace, statement: Statement) -> dict[str, VenueAnswer]:
    pid = writer_pid(place.folder)
    if pid is not None:
        exits.leave(f"a bot (process {pid}) runs on this journal and compares itself: end it first", exits.MISUSED)
    with exits.wrong_settings_told():
        settings = load_config(config)
        secrets = NO_SECRETS if settings.is_paper else load_secrets(env_file or config.absolute().parent / ".env")
    from deltawire.cli.verify_live import ask_venues  # noqa: PLC0415 - the engine is loaded only for this

    with waiting("asking both venues"):
        return ask_venues(settings, secrets, statement, place.folder)


def as_document(statement: Statement) -> dict[str, object]:
    """Return the statement as JSON; amounts are decimal texts."""
    report = statement.report
    return {
        "signed_off": statement.signed_off,
        "run_id": report.run_id,
        "status": report.status,
        "records": statement.records,
        "flat": report.flat,
        "agree": statement.agree,
        "asked_live": bool(statement.answers),
        "compared_unix_ns": statement.compared_unix_ns,
        "venues": {venue: account.to_json() for venue, account in statement.accounts.items()},
        "answers": {venue: _answer_json(answer) for venue, answer in statement.answers.items()},
        "money": {venue: _money_json(row) for venue, row in statement.money.items()},
        "reconciled_unix_ns": statement.reconciled_unix_ns,
        "differences": [
            {"kind": d.kind, "item": d.item, "journal": d.journal, "venue": d.venue, "answer": d.answer}
            for d in statement.differences
        ],
        "violations": [{"seq": v.seq, "rule": v.rule, "text": v.text} for v in statement.violations],
        "notes": list(report.notes),
    }


def _answer_json(answer: VenueAnswer) -> dict[str, object]:
    return {
        "positions": {symbol: format_e8(size_e8) for symbol, size_e8 in answer.positions.items()},
        "open_orders": list(answer.open_orders),
        "equity_usd": format_e8(answer.equity_e8),
        "free_usd": format_e8(answer.free_e8),
        "orders_asked": len(answer.orders),
        "failure": answer.failure,
    }


def _money_json(row: MoneyRow) -> dict[str, object]:
    amounts = {
        name.replace("_e8", "_usd"): format_e8(value)
        for name, value in msgspec.structs.asdict(row).items()
        if name.endswith("_e8")
    }
    return amounts | {"fills": row.fills, "opening_unix_ns": row.opening_unix_ns}


def lines(statement: Statement) -> list[str]:
    """Return the statement for a person."""
    report = statement.report
    told = [f"journal: {statement.records} records, last run {report.run_id or 'none'} ({report.status})"]
    for venue, account in statement.accounts.items():
        told += _account_lines(venue, account, statement.answers.get(venue))
        if venue in statement.money:
            told.append(_balance_line(statement.money[venue]))
    told += [f"note: {note}" for note in report.notes]
    broken = f"{len(statement.violations)} violations" if statement.violations else "kept"
    told.append(f"invariants I1, I3, I4, I5, I6: {broken}")
    told += [f"  record {v.seq} breaks {v.rule}: {v.text}" for v in statement.violations]
    told.append(f"flat: {'yes' if report.flat else 'no'}")
    told.append(f"journal and venues agree ({_when(statement)}): {'yes' if statement.agree else 'no'}")
    told += [f"  {difference}" for difference in statement.differences]
    told.append("SIGNED OFF" if statement.signed_off else "NOT SIGNED OFF")
    return told


def _account_lines(venue: str, account: Account, answer: VenueAnswer | None) -> list[str]:
    positions = ", ".join(f"{symbol} {format_e8(size_e8)}" for symbol, size_e8 in account.positions.items()) or "none"
    counts = f"{account.orders} orders, {account.sent} sent, {account.filled} filled, {account.rejected} rejected"
    told = [f"{venue}: position {positions}; {counts}, {account.unresolved} unresolved"]
    told.append(f"{venue}: fees {format_e8(account.fees_e8)} USD")
    if answer is not None and not answer.failure:
        balance = f"equity {format_e8(answer.equity_e8)}, free {format_e8(answer.free_e8)} USD"
        told.append(f"{venue} says: {balance}; {len(answer.orders)} orders asked for one by one")
    return told


def _balance_line(row: MoneyRow) -> str:
    """Say how the balance came about since the run opened the account."""
    parts = [f"opening {format_e8(row.opening_e8)}", _signed("PnL", row.pnl_e8), _signed("fees", -row.fees_e8)]
    parts.append(_signed("funding", row.funding_e8))
    if row.others_e8:
        parts.append(_signed("fills not ours", row.others_e8))
    if row.moved_e8:
        parts.append(_signed("deposits less withdrawals", row.moved_e8))
    if row.unexplained_e8:
        parts.append(_signed("unexplained", row.unexplained_e8))
    end = f"balance {format_e8(row.cash_e8)} USD (rounding may leave {format_e8(row.tolerance_e8)})"
    return f"{row.venue}: {' '.join(parts)} = {end}"


def _signed(name: str, value_e8: int) -> str:
    return f"{'-' if value_e8 < 0 else '+'} {name} {format_e8(abs(value_e8))}"


def _when(statement: Statement) -> str:
    if statement.answers:
        return "asked now"
    if not statement.compared_unix_ns:
        return "never compared"
    return f"compared {datetime.fromtimestamp(statement.compared_unix_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
