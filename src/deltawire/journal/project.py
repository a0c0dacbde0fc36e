"""The projection: keeps the tables in step with the log. Never the truth; delete it and it is built again.

Many processes may project one journal: each batch is one transaction that first looks how far the tables are, so a
record counts once whoever brings it. A projection that does not fit the log (a machine that lost power can keep rows of
records its disk never got) or has another schema is built anew.

The bot needs none of this to trade and does not do it: readers that find the tables behind bring them up to date
themselves (`catch_up`), and `deltawire project --follow` keeps a database near the log, in a process of its own.
"""

from pathlib import Path
from typing import Any

import msgspec

from deltawire.core.events import FilledTotal, FillSeen
from deltawire.core.money import notional_e8
from deltawire.core.order import FINAL, IllegalTransition, Order, OrderState, apply
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId, VenueOrderId
from deltawire.journal.database import Database, DatabaseUnusable, SqliteDatabase, open_database
from deltawire.journal.records import (
    AccountsReconciled,
    Archived,
    Armed,
    FundingPaid,
    Halted,
    InstrumentLoaded,
    LoopMeasured,
    OrderIntended,
    OrderObserved,
    OrderTimed,
    PositionAdjusted,
    PositionsChecked,
    QuoteSeen,
    Record,
    RunEnded,
    RunStarted,
    TradeClosed,
    TradeOpened,
    TradeStateChanged,
    encode,
    event_of,
)
from deltawire.journal.schema import INDEXES, SCHEMA, TABLES
from deltawire.journal.segments import Tail

BATCH_RECORDS = 200  # a transaction of some 5 ms: others who ask need not wait long

_FROM_VENUE = frozenset({"sent", "acked", "fill", "filled_total", "closed", "rejected"})  # proves that it left


class Projector:
    """Brings one journal's records into one database. Use it from the thread that made it."""

    def __init__(self, directory: Path, database: Database) -> None:
        """Take over the connection; make the tables where they are missing or do not fit.

        Raises DatabaseUnusable, also for tables of another journal: they are somebody's, and are left alone.
        """
        self._directory = directory
        self.database = database
        try:
            self._first_record = _first_record(directory)  # tells in the tables which journal they hold
            with database.transaction():
                if not self._fits():
                    self._build_anew()
            self._run_id = self._value("SELECT run_id FROM runs ORDER BY seq DESC LIMIT 1") or ""
            self._tail = Tail(directory, self.last_seq)
        except BaseException:
            database.close()
            raise

    @property
    def last_seq(self) -> int:
        """Number of the last record in the tables."""
        return int(self._value("SELECT value FROM meta WHERE name = 'last_seq'") or 0)

    @property
    def unread_bytes(self) -> int:
        """Bytes behind the last good line: being written at this moment, or torn by a crash."""
        return self._tail.unread_bytes

    def step(self) -> bool:
        """Bring in the next records; False when there are none. Raises as Tail.poll does, and DatabaseUnusable."""
        records = self._tail.poll()
        for start in range(0, len(records), BATCH_RECORDS):
            batch = records[start : start + BATCH_RECORDS]
            with self.database.transaction():
                done = self.last_seq
                begins = done == 0 and isinstance(batch[0][1], Archived)  # a journal need not begin with record 1
                if done < batch[0][0] - 1 and not begins:  # another process built the tables anew and is not as far yet
                    self._tail = Tail(self._directory, done)
                    return True
                for seq, record in batch:
                    if isinstance(record, RunStarted):
                        self._run_id = record.run_id
                    if seq > done:
                        self._bring_in(seq, record)
                if batch[-1][0] > done:
                    self._remember(*batch[-1])
        return bool(records)

    def close(self) -> None:
        self.database.close()

    # ---- the records -----------------------------------------------------------------------------------------------

    def _bring_in(self, seq: int, record: Record) -> None:  # noqa: C901, PLR0912 - one branch a record
        match record:
            case Archived():
                pass  # it speaks of what is not here
            case OrderObserved():
                self._on_observed(seq, record)
            case OrderIntended():
                self._insert("orders", seq=seq, run_id=self._run_id, **_fields(record), **_NEW_ORDER)
            case OrderTimed():
                stamps = msgspec.json.encode(record.stamps).decode()
                row = {"run_id": self._run_id, "client_id": record.client_id, "venue": record.venue, "stamps": stamps}
                self._insert("latency", seq=seq, **row)
            case LoopMeasured():
                lag, pauses = (msgspec.json.encode(found).decode() for found in (record.lag, record.gc_pauses))
                row = {"run_id": self._run_id, "lag": lag, "gc_pauses": pauses, "unix_ns": record.unix_ns}
                self._insert("loop_times", seq=seq, **row)
            case RunStarted():
                self._insert("runs", seq=seq, **_fields(record, "mono_ns", "pairs"))
                for pair in record.pairs:
                    self._insert("pairs", run_id=record.run_id, **_fields(pair))
            case RunEnded():
                fields = _fields(record, "run_id", "unix_ns")
                self._update("runs", "run_id", record.run_id, end_seq=seq, end_unix_ns=record.unix_ns, **fields)
            case InstrumentLoaded():
                self._insert("instruments", seq=seq, **_fields(record))
            case TradeOpened():
                fields = _fields(record, "quotes")
                self._insert("trades", seq=seq, run_id=self._run_id, state="", state_reason="", **fields)
                self._on_quotes(seq, record.trade_id, "entry", record.quotes)
            case TradeStateChanged():
                self._update("trades", "trade_id", record.trade_id, state=record.state, state_reason=record.reason)
            case TradeClosed():
                fields = _fields(record, "trade_id", "pair_id", "opened_unix_ns", "exit_quotes")
                self._update(
                    "trades", "trade_id", record.trade_id, closed_seq=seq, closed_run_id=self._run_id, **fields
                )
                self._on_quotes(seq, record.trade_id, "exit", record.exit_quotes)
            case PositionAdjusted():
                self._insert("adjustments", seq=seq, run_id=self._run_id, **_fields(record))
            case Halted():
                self._insert("halts", seq=seq, run_id=self._run_id, reason=record.reason, unix_ns=record.unix_ns)
            case Armed():
                self._insert("halts", seq=seq, run_id=self._run_id, reason="", unix_ns=record.unix_ns)
            case FundingPaid():
                self._insert("funding", seq=seq, run_id=self._run_id, **_fields(record))
            case AccountsReconciled():
                self._on_reconciled(seq, record)
            case PositionsChecked():
                head = {"seq": seq, "run_id": self._run_id, "reason": record.when, "unix_ns": record.unix_ns}
                for checked in record.rows:
                    self._insert("checks", **head, **_fields(checked))

    def _on_reconciled(self, seq: int, record: AccountsReconciled) -> None:
        head = {"seq": seq, "run_id": self._run_id, "unix_ns": record.unix_ns}
        self._insert("reconciliations", **head, reason=record.when, differences=len(record.differences))
        for row in record.rows:
            self._insert("money", **head, **_fields(row))
        for item in record.differences:
            self._insert("differences", **head, **_fields(item))

    def _on_quotes(self, seq: int, trade_id: str, purpose: str, quotes: list[QuoteSeen]) -> None:
        for quote in quotes:
            self._insert("quotes", seq=seq, trade_id=trade_id, purpose=purpose, **_fields(quote))

    def _on_observed(self, seq: int, record: OrderObserved) -> None:
        """Account for news of an order as the bot does, except that money is counted whatever the state.

        The bot's machine refuses a fill it cannot explain; the position is there all the same. Such news is a surprise.
        """
        self._insert("order_events", seq=seq, **_fields(record))
        found = self.database.rows("SELECT * FROM orders WHERE client_id = :at", {"at": record.client_id})
        if not found:
            return  # never intended: journal.check names it (I6)
        order = dict(found[0])
        if record.kind == "fill" and not self._insert_fill(seq, record):
            return  # told twice; counted once
        try:
            after = apply(_as_order(order), event_of(record)).state
        except IllegalTransition:
            after = OrderState(order["state"])
            order["surprises"] += 1
        _account(order, record)
        order["state"] = after.value
        order["was_sent"] |= record.kind in _FROM_VENUE
        order["was_in_doubt"] |= after is OrderState.UNKNOWN
        del order["client_id"]
        self._update("orders", "client_id", record.client_id, **order)

    def _insert_fill(self, seq: int, record: OrderObserved) -> bool:
        size_e8 = record.size_e8 or 0
        return self._insert(
            "fills",
            client_id=record.client_id,
            fill_id=record.fill_id,
            seq=seq,
            price_e8=record.price_e8,
            size_e8=size_e8,
            notional_e8=notional_e8(record.price_e8, size_e8),
            fee_e8=record.fee_e8,
            unix_ns=record.unix_ns,
        )

    # ---- the tables ------------------------------------------------------------------------------------------------

    def _fits(self) -> bool:
        """Whether the tables are of this schema, and the last record in them is the one the log has there."""
        if not self.database.has_table("meta"):
            return False
        meta = {row["name"]: row["value"] for row in self.database.rows("SELECT name, value FROM meta")}
        if meta.get("first_record", "") not in ("", self._first_record) and not isinstance(
            self.database, SqliteDatabase
        ):
            raise DatabaseUnusable(
                f"these tables hold another journal than {self._directory}; give each journal a database or schema of "
                "its own (?options=-csearch_path=NAME at the end of journal.url)"
            )
        last_seq = int(meta.get("last_seq", 0))
        if meta.get("schema") != SCHEMA or not last_seq:
            return meta.get("schema") == SCHEMA
        found = Tail(self._directory, last_seq - 1).poll()
        return bool(found) and _text(found[0][1]) == meta["last_record"]

    def _build_anew(self) -> None:
        for table in (*TABLES, "meta"):
            self.database.execute(f"DROP TABLE IF EXISTS {table}")
        self.database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        for table, columns in TABLES.items():
            self.database.execute(f"CREATE TABLE {table} ({columns})")
        for index in INDEXES:
            self.database.execute(index)
        for name, value in (("schema", SCHEMA), ("last_seq", "0"), ("last_record", ""), ("first_record", "")):
            self._insert("meta", name=name, value=value)

    def _remember(self, seq: int, record: Record) -> None:
        self._update("meta", "name", "last_seq", value=str(seq))
        self._update("meta", "name", "last_record", value=_text(record))
        self._first_record = self._first_record or _first_record(self._directory)
        self._update("meta", "name", "first_record", value=self._first_record)

    def _insert(self, table: str, **row: Any) -> bool:
        """Add a row unless one with its key is there; whether it was added."""
        places = ", ".join(f":{name}" for name in row)
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608 - our names
        return self.database.execute(sql, row) > 0

    def _update(self, table: str, key: str, at: str, /, **values: Any) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in values)
        sql = f"UPDATE {table} SET {changes} WHERE {key} = :at_key"  # noqa: S608 - our own names
        self.database.execute(sql, {"at_key": at, **values})

    def _value(self, sql: str) -> Any:
        found = self.database.rows(sql)
        return next(iter(found[0].values())) if found else None


def catch_up(directory: Path, url: str = "") -> Projector:
    """Return a projector that has brought in all there is. url: see open_database.

    Raises JournalError when the log cannot be read or the database not be used. An absent journal is an empty one, and
    no file is made for it.
    """
    try:
        projector = Projector(directory, open_database(url, directory))
    except DatabaseUnusable:
        if url:
            raise
        projector = Projector(directory, SqliteDatabase(None))  # a folder one may only read
    try:
        while projector.step():
            pass
    except BaseException:
        projector.close()
        raise
    return projector


def _first_record(directory: Path) -> str:
    """Return the first record of a journal, which tells it from every other; "" while it has none."""
    found = Tail(directory).poll()
    if not found:
        return ""
    first = found[0][1]
    return first.origin if isinstance(first, Archived) else _text(first)


def _text(record: Record) -> str:
    return encode(record).decode()


_NEW_ORDER: dict[str, Any] = (
    {
        "state": OrderState.INTENDED.value,
        "venue_order_id": "",
        "why": "",
        "was_sent": 0,
        "was_in_doubt": 0,
        "surprises": 0,
    }
    | {f"{account}{what}_e8": 0 for account in ("seen", "total") for what in ("", "_notional", "_fee")}
    | {"final_e8": 0, "filled_e8": 0, "notional_e8": 0, "fee_e8": 0}
)


def _as_order(row: dict[str, Any]) -> Order:
    """Rebuild an order as far as its state depends on it: sizes, not prices; what was seen filled as one fill.

    That fill has an id no venue sends, because a fill of a known id would be taken for a repetition.
    """
    request = OrderRequest(
        client_id=ClientOrderId(row["client_id"]),
        trade_id=TradeId(row["trade_id"]),
        purpose=Purpose(row["purpose"]),
        instrument=Instrument(row["venue"], row["symbol"], 1, 1, 1, 0, 0, 0),
        side=Side(row["side"]),
        size_e8=row["size_e8"],
        cap_price_e8=row["cap_price_e8"],
    )
    return Order(
        request,
        state=OrderState(row["state"]),
        venue_order_id=VenueOrderId(row["venue_order_id"]) if row["venue_order_id"] else None,
        fills=(FillSeen("\0so far", 0, row["seen_e8"], 0),) if row["seen_e8"] else (),
        total=FilledTotal(row["total_e8"], 0, 0),
        closed_filled_e8=row["final_e8"],
    )


def _account(order: dict[str, Any], record: OrderObserved) -> None:
    """Put what the record tells into the row of its order."""
    size_e8 = record.size_e8 or 0
    match record.kind:
        case "fill":
            order["seen_e8"] += size_e8
            order["seen_notional_e8"] += notional_e8(record.price_e8, size_e8)
            order["seen_fee_e8"] += record.fee_e8
        case "filled_total" if size_e8 > order["total_e8"]:
            order |= {"total_e8": size_e8, "total_notional_e8": record.notional_e8, "total_fee_e8": record.fee_e8}
        case "closed":
            order["final_e8"] = max(order["final_e8"], size_e8)
            order["why"] = record.text or order["why"]
        case "acked":
            order["venue_order_id"] = record.venue_order_id
        case "rejected":
            order["why"] = f"{record.code} {record.text}".strip()
        case "in_doubt" | "not_sent" if OrderState(order["state"]) not in FINAL:
            order["why"] = record.text
        case _:
            pass
    order["filled_e8"] = max(order["seen_e8"], order["total_e8"], order["final_e8"])
    larger = "seen" if order["seen_e8"] >= order["total_e8"] else "total"
    order["notional_e8"], order["fee_e8"] = order[f"{larger}_notional_e8"], order[f"{larger}_fee_e8"]


def _fields(struct: msgspec.Struct, *left_out: str) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if name not in left_out}
