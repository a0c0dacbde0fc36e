"""Typed questions to the journal. Answers come from the projection, brought up to date first; nothing is written.

A position here is the signed sum of what our orders filled, by the larger account of each order, over all runs: what
the venues should say we have, if nobody else traded on the account.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from deltawire.core.histogram import Histogram
from deltawire.core.order import FINAL, OrderState
from deltawire.core.stamps import OrderStamps
from deltawire.journal.database import Row
from deltawire.journal.project import Projector, catch_up
from deltawire.journal.records import ItemRow, MoneyRow

T = TypeVar("T")
_FINAL = tuple(state.value for state in FINAL)


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the bot. The end fields are None while it has none: it runs, or it died."""

    run_id: str
    seq: int
    unix_ns: int
    version: str
    mode: str
    simulated: bool
    unclean_before: bool
    format: int
    end_seq: int | None
    end_unix_ns: int | None
    clean: bool | None
    flat: bool | None
    agree: bool | None
    reason: str | None


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the journal knows it. filled_e8, notional_e8, fee_e8: by the larger account."""

    client_id: str
    seq: int
    run_id: str
    trade_id: str
    pair_id: str
    leg: str
    venue: str
    symbol: str
    side: int
    size_e8: int
    cap_price_e8: int
    purpose: str
    reduce_only: bool
    correlator: int
    signed_unix_ms: int
    unix_ns: int
    state: OrderState
    venue_order_id: str
    why: str
    was_sent: bool
    was_in_doubt: bool
    surprises: int
    seen_e8: int
    total_e8: int
    filled_e8: int
    notional_e8: int
    fee_e8: int

    @property
    def is_priced(self) -> bool:
        """Whether the prices of all that filled are known."""
        return self.filled_e8 in (self.seen_e8, self.total_e8)


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip; what TradeClosed told is None until then. See journal.records for the meaning of each field."""

    trade_id: str
    seq: int
    run_id: str
    pair_id: str
    buy_leg: str
    size_e8: int
    detected_spread_rate_e8: int
    detected_edge_rate_e8: int
    unix_ns: int
    state: str
    state_reason: str
    closed_seq: int | None
    closed_run_id: str | None
    outcome: str | None
    entry_detected_spread_rate_e8: int | None
    entry_executed_spread_rate_e8: int | None
    exit_detected_spread_rate_e8: int | None
    exit_executed_spread_rate_e8: int | None
    fees_e8: int | None
    pnl_e8: int | None
    unhedged_ns_max: int | None
    dust_a_e8: int | None
    dust_b_e8: int | None
    closed_unix_ns: int | None
    first_leg: str
    order_class: str
    class_reason: str


class QuoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """One leg's book when an entry or an exit was decided; see journal.records.QuoteSeen."""

    trade_id: str
    purpose: str
    leg: str
    venue: str
    size_e8: int
    best_price_e8: int
    price_e8: int
    age_ns: int
    venue_age_ns: int | None


class CheckRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a comparison of positions."""

    seq: int
    run_id: str
    reason: str
    unix_ns: int
    venue: str
    symbol: str
    journal_e8: int
    venue_e8: int
    agree: bool


class FundingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One funding payment. trade_id: of the order it came with, None where that is not known."""

    venue: str
    payment_id: str
    run_id: str
    symbol: str
    payment_e8: int
    client_id: str
    paid_unix_ns: int
    trade_id: str | None


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of orders, fills, fees, funding and balance. See journal.records for the meaning of the rows."""

    seq: int
    run_id: str
    reason: str
    unix_ns: int
    rows: tuple[MoneyRow, ...]
    differences: tuple[ItemRow, ...]


class FillTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What was bought, sold and paid in one instrument. unpriced_e8: size filled whose price is not known yet."""

    venue: str
    symbol: str
    bought_e8: int
    sold_e8: int
    bought_notional_e8: int
    sold_notional_e8: int
    fees_e8: int
    unpriced_e8: int

    @property
    def position_e8(self) -> int:
        return self.bought_e8 - self.sold_e8


class HaltRow(msgspec.Struct, frozen=True, kw_only=True):
    """Entries were stopped until a person says otherwise; reason "" is that person's word."""

    seq: int
    run_id: str
    reason: str
    unix_ns: int


class AdjustmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A position that changed without an order of ours. size_e8: the signed change."""

    seq: int
    run_id: str
    trade_id: str
    pair_id: str
    venue: str
    symbol: str
    size_e8: int
    reason: str
    unix_ns: int


@dataclass(frozen=True, slots=True)
class LatencySample:
    """The stamps of one order and the venue it went to."""

    client_id: str
    venue: str
    stamps: OrderStamps


class JournalReader:
    """Answers questions. `refresh` brings in what was written since."""

    def __init__(self, directory: Path, url: str = "") -> None:
        """Read the journal to its present end. url: of the projection, "" for SQLite beside it. Raises JournalError."""
        self._projector: Projector = catch_up(directory, url)

    def refresh(self) -> None:
        while self._projector.step():
            pass

    def close(self) -> None:
        self._projector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def last_seq(self) -> int:
        return self._projector.last_seq

    @property
    def unread_bytes(self) -> int:
        """Bytes behind the last good record: being written at this moment, or torn by a crash."""
        return self._projector.unread_bytes

    def runs(self) -> list[RunRow]:
        """Return all runs, oldest first."""
        return self._rows(RunRow, "SELECT * FROM runs ORDER BY seq")

    def orders(self, *, run_id: str = "", trade_id: str = "") -> list[OrderRow]:
        """Return the orders in the order of their intents; all of them, or of one run, or of one trade."""
        # Only what is asked for stands in the statement: "or all of them" beside it would make the index useless.
        given = {name: value for name, value in (("run_id", run_id), ("trade_id", trade_id)) if value}
        where = " AND ".join(f"{name} = :{name}" for name in given) or "1 = 1"
        return self._rows(OrderRow, f"SELECT * FROM orders WHERE {where} ORDER BY seq", **given)  # noqa: S608 - our own names

    def unresolved(self) -> list[OrderRow]:
        """Return the orders that may be at a venue for all the journal knows: what recovery must read (I4).

        An intent without any news counts, for its bytes may have left in the instant before a crash; not so when its
        run ended clean.
        """
        return self._rows(
            OrderRow,
            f"""SELECT orders.* FROM orders LEFT JOIN runs ON runs.run_id = orders.run_id
                WHERE state NOT IN {_FINAL} AND NOT (state = :intended AND coalesce(runs.clean, 0) = 1)
                ORDER BY orders.seq""",  # noqa: S608 - our own words
            intended=OrderState.INTENDED.value,
        )

    def trades(self, *, run_id: str = "") -> list[TradeRow]:
        """Return the trades, oldest first; with run_id those that began or ended in that run."""
        return self._rows(
            TradeRow,
            """SELECT * FROM trades WHERE :run_id = '' OR run_id = :run_id OR closed_run_id = :run_id ORDER BY seq""",
            run_id=run_id,
        )

    def stuck(self) -> list[TradeRow]:
        """Return the trades of all runs that wait for a person, oldest first."""
        return self._rows(TradeRow, "SELECT * FROM trades WHERE state = 'stuck' AND outcome IS NULL ORDER BY seq")

    def fill_totals(self, *, trade_id: str = "") -> list[FillTotals]:
        """Return what filled by instrument, over the whole journal or one trade; instruments without fills too."""
        return self._rows(
            FillTotals,
            """SELECT venue, symbol,
               CAST(sum(CASE side WHEN 1 THEN filled_e8 ELSE 0 END) AS BIGINT) AS bought_e8,
               CAST(sum(CASE side WHEN 2 THEN filled_e8 ELSE 0 END) AS BIGINT) AS sold_e8,
               CAST(sum(CASE side WHEN 1 THEN notional_e8 ELSE 0 END) AS BIGINT) AS bought_notional_e8,
               CAST(sum(CASE side WHEN 2 THEN notional_e8 ELSE 0 END) AS BIGINT) AS sold_notional_e8,
               CAST(sum(fee_e8) AS BIGINT) AS fees_e8,
               CAST(sum(CASE WHEN filled_e8 IN (seen_e8, total_e8) THEN 0
                             WHEN seen_e8 > total_e8 THEN filled_e8 - seen_e8
                             ELSE filled_e8 - total_e8 END) AS BIGINT) AS unpriced_e8
               FROM orders WHERE :trade_id = '' OR trade_id = :trade_id
               GROUP BY venue, symbol ORDER BY venue, symbol""",
            trade_id=trade_id,
        )

    def positions(self) -> dict[tuple[str, str], int]:
        """Return the signed position by (venue, symbol): our fills, and what changed without an order of ours.

        Zero ones are included.
        """
        positions = {(totals.venue, totals.symbol): totals.position_e8 for totals in self.fill_totals()}
        for change in self._all("SELECT venue, symbol, size_e8 FROM adjustments ORDER BY seq"):
            key = (change["venue"], change["symbol"])
            positions[key] = positions.get(key, 0) + int(change["size_e8"])
        return positions

    def quotes(self, *, run_id: str = "") -> list[QuoteRow]:
        """Return the books seen at the decisions of the trades that began or ended in a run, oldest first."""
        return self._rows(
            QuoteRow,
            """SELECT q.* FROM quotes q JOIN trades t ON t.trade_id = q.trade_id
               WHERE :run_id = '' OR t.run_id = :run_id OR t.closed_run_id = :run_id ORDER BY q.seq, q.leg""",
            run_id=run_id,
        )

    def lot_e8(self, venue: str, symbol: str) -> int:
        """Return the size step the venue last gave for the instrument; 0 when the journal has none."""
        found = self._all(
            "SELECT size_step_e8 FROM instruments WHERE venue = :venue AND symbol = :symbol ORDER BY seq DESC LIMIT 1",
            venue=venue,
            symbol=symbol,
        )
        return int(found[0]["size_step_e8"]) if found else 0

    def checks(self, *, run_id: str = "") -> list[CheckRow]:
        """Return the comparisons with the venues, oldest first."""
        return self._rows(
            CheckRow,
            "SELECT * FROM checks WHERE :run_id = '' OR run_id = :run_id ORDER BY seq, venue, symbol",
            run_id=run_id,
        )

    def halts(self) -> list[HaltRow]:
        """Return every halt and every lifting of one, oldest first, over all runs."""
        return self._rows(HaltRow, "SELECT * FROM halts ORDER BY seq")

    def adjustments(self) -> list[AdjustmentRow]:
        """Return what changed without an order of ours, oldest first, over all runs."""
        return self._rows(AdjustmentRow, "SELECT * FROM adjustments ORDER BY seq")

    def funding(self) -> list[FundingRow]:
        """Return the funding payments of the whole journal, oldest first."""
        return self._rows(
            FundingRow,
            """SELECT f.*, o.trade_id FROM funding f LEFT JOIN orders o ON o.client_id = f.client_id
               ORDER BY f.seq, f.venue, f.payment_id""",
        )

    def last_reconciliation(self, run_id: str) -> Reconciliation | None:
        """Return the newest comparison of a run's orders and money, None when there was none."""
        found = self._all(
            "SELECT * FROM reconciliations WHERE run_id = :run_id ORDER BY seq DESC LIMIT 1", run_id=run_id
        )
        if not found:
            return None
        head = found[0]
        rows = self._rows(MoneyRow, "SELECT * FROM money WHERE seq = :seq ORDER BY venue", seq=head["seq"])
        items = self._rows(
            ItemRow, "SELECT * FROM differences WHERE seq = :seq ORDER BY venue, kind, item", seq=head["seq"]
        )
        return Reconciliation(
            seq=head["seq"],
            run_id=run_id,
            reason=head["reason"],
            unix_ns=head["unix_ns"],
            rows=tuple(rows),
            differences=tuple(items),
        )

    def latency(self, *, run_id: str = "") -> list[LatencySample]:
        """Return the stamps of every timed order."""
        rows = self._all(
            "SELECT client_id, venue, stamps FROM latency WHERE :run_id = '' OR run_id = :run_id ORDER BY seq",
            run_id=run_id,
        )
        return [_sample(row) for row in rows]

    def latency_of(self, trade_id: str) -> list[LatencySample]:
        """Return the stamps of the timed orders of one trade."""
        rows = self._all(
            """SELECT l.client_id, l.venue, l.stamps FROM latency l JOIN orders o ON o.client_id = l.client_id
               WHERE o.trade_id = :trade_id ORDER BY l.seq""",
            trade_id=trade_id,
        )
        return [_sample(row) for row in rows]

    def loop_times(self, *, run_id: str) -> tuple[Histogram, Histogram] | None:
        """Return a run's loop lag and collector pauses in ns, None where nothing was recorded. Raises ValueError."""
        found = self._all(
            "SELECT lag, gc_pauses FROM loop_times WHERE run_id = :run_id ORDER BY seq DESC LIMIT 1", run_id=run_id
        )
        if not found:
            return None
        lag, pauses = (Histogram.from_json(msgspec.json.decode(found[0][name])) for name in ("lag", "gc_pauses"))
        return lag, pauses

    def last_unix_ns(self, run_id: str) -> int:
        """Return the time of the last dated record of a run, 0 for none: until when a run without an end was seen."""
        row = self._all(
            """SELECT max(unix_ns) AS at FROM (
               SELECT unix_ns FROM runs WHERE run_id = :run_id
               UNION ALL SELECT end_unix_ns FROM runs WHERE run_id = :run_id
               UNION ALL SELECT unix_ns FROM orders WHERE run_id = :run_id
               UNION ALL SELECT e.unix_ns FROM order_events e JOIN orders o ON o.client_id = e.client_id
                         WHERE o.run_id = :run_id
               UNION ALL SELECT unix_ns FROM checks WHERE run_id = :run_id
               UNION ALL SELECT unix_ns FROM reconciliations WHERE run_id = :run_id
               UNION ALL SELECT unix_ns FROM trades WHERE run_id = :run_id
               UNION ALL SELECT closed_unix_ns FROM trades WHERE closed_run_id = :run_id) AS dated""",
            run_id=run_id,
        )[0]
        return int(row["at"] or 0)

    def _rows(self, row_type: type[T], sql: str, **values: Any) -> list[T]:
        # Not strict: SQL has 0 and 1 where a row has False and True.
        return [msgspec.convert(row, row_type, strict=False) for row in self._all(sql, **values)]

    def _all(self, sql: str, **values: Any) -> list[Row]:
        return self._projector.database.rows(sql, values)


def _sample(row: Row) -> LatencySample:
    return LatencySample(row["client_id"], row["venue"], msgspec.json.decode(row["stamps"], type=OrderStamps))
