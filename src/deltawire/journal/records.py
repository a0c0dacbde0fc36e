"""What the journal holds: one small flat record a fact, in the order it was learned. Says nothing of files or SQL.

Written as JSON tagged by "type"; readers ignore fields they do not know, so a newer journal opens in an older reader.
Numbers are integers: `_e8` in 1e-8 units, `_rate_e8` a rate in 1e-8 (one bps is 10_000), `_unix_ns` UTC. No secret is
ever a field here (I9): of a signed order the journal keeps what identifies it, never the bytes.

RunStarted names the format of the records after it. What changed: 2 added FundingPaid and AccountsReconciled, 3 added
Archived. Older
formats are read as they are; a newer one is refused, because what it tells besides could be money.
"""

from typing import Any, Literal

import msgspec

from deltawire.core.events import (
    Acked,
    Closed,
    FilledTotal,
    FillSeen,
    InDoubt,
    NotFound,
    NotSent,
    OrderEvent,
    Rejected,
    Sent,
)
from deltawire.core.stamps import OrderStamps
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, VenueOrderId

Leg = Literal["a", "b"]
Mode = Literal["paper", "testnet", "live"]
PurposeName = Literal["entry", "exit", "repair", "unwind"]
Kind = Literal["sent", "not_sent", "acked", "fill", "filled_total", "closed", "rejected", "in_doubt", "not_found"]
Outcome = Literal["closed", "unwound", "nothing_filled", "stuck"]
When = Literal["start", "timer", "reconnect", "shutdown"]
ItemKind = Literal["order", "fill", "price", "fee", "funding", "balance"]
Answer = Literal["alarmed", "cancelled", "booked"]

FORMAT = 3  # of the records this version writes; it reads this and all before


class PairConfigured(msgspec.Struct, frozen=True, kw_only=True):
    """One pair as this run trades it. size_e8: the most one entry may take."""

    pair_id: str
    venue_a: str
    symbol_a: str
    venue_b: str
    symbol_b: str
    size_e8: int


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The bot came up. Everything until the next RunStarted belongs to this run.

    simulated: the venues are simulators, so no figure of this run is money; nor is one of another mode than live.
    unclean_before: the run before this one has no clean RunEnded.
    config_digest: a hash of the settings without secrets.
    """

    run_id: str
    unix_ns: int
    mono_ns: int
    version: str
    mode: Mode
    simulated: bool
    pairs: list[PairConfigured]
    config_digest: str = ""
    unclean_before: bool = False
    format: int = 1


class Archived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The journal begins here: the records before were put into an archive, and nothing of theirs was open.

    through_seq: the last record of the archive; those after this one are the newest of them once more, whole runs.
    origin: the first record the journal ever had, as its text: by it tables know whose they are.
    result_e8, result_peak_e8: what the trades put away had realised, and the most it had been.
    """

    archive: str
    sha256: str
    through_seq: int
    origin: str
    result_e8: int
    result_peak_e8: int
    unix_ns: int


class InstrumentLoaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The trading rules of one instrument as the venue gave them: what dust is, which fee was in force."""

    venue: str
    symbol: str
    price_tick_e8: int
    size_step_e8: int
    size_min_e8: int
    notional_min_e8: int
    fee_rate_taker_e8: int
    unix_ns: int


class OrderIntended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order that may leave from now on. Appended before its bytes can be written (I6).

    correlator: what the venue knows it by besides our id (request id, nonce). trade_id: of a presigned entry, the id
    its trade will have if it opens.
    """

    client_id: str
    trade_id: str
    pair_id: str
    leg: Leg
    venue: str
    symbol: str
    side: Literal[1, 2]  # core.types.Side
    size_e8: int
    cap_price_e8: int
    purpose: PurposeName
    reduce_only: bool
    correlator: int
    signed_unix_ms: int
    unix_ns: int
    recv_window_ms: int = 0  # how long after its signature its venue takes it; 0: not on record


class PresignedOrder(msgspec.Struct, frozen=True, array_like=True):
    """One order of a ladder."""

    client_id: str
    leg: Leg
    size_e8: int
    cap_price_e8: int
    correlator: int
    signed_unix_ms: int
    window_ms: int = 0  # how long after its signature its venue takes it; 0: not on record


class LadderSigned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Orders signed ahead: of each leg, one may leave from now on. Takes the place of the ladder before it.

    Appended before any of them can be written (I6), so refreshing a ladder costs one record. The next ladder for an
    entry of the pair in the same direction, or for the exit of the same trade, voids it: what was not sent of it never
    will be.
    trade_id: of an entry, the id its trade will have if it opens. Orders that were sent are intended besides, at once
    after their bytes left.
    """

    pair_id: str
    trade_id: str
    purpose: Literal["entry", "exit"]
    buy_leg: Leg  # where this ladder buys
    orders: list[PresignedOrder]
    unix_ns: int


class OrderObserved(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Something was learned of an order: one core.events.OrderEvent, flat. See `observed` and `event_of`.

    size_e8: of this fill (fill), or the running total (filled_total, closed); None where closed names none.
    code: of a refusal. text: its words, or the reason.
    """

    client_id: str
    kind: Kind
    unix_ns: int
    venue_order_id: str = ""
    fill_id: str = ""
    price_e8: int = 0
    size_e8: int | None = None
    notional_e8: int = 0
    fee_e8: int = 0  # positive is paid
    code: str = ""
    text: str = ""


class OrderTimed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The stamps of one order, once it is answered or given up."""

    client_id: str
    venue: str
    stamps: OrderStamps


class LoopMeasured(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How well the process kept time since its run began: core.histogram.Histogram as JSON, of ns.

    lag: how late the bot's tick came. gc_pauses: what each collection took.
    """

    lag: dict[str, Any]
    gc_pauses: dict[str, Any]
    unix_ns: int


class QuoteSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What stood in one leg's book, on the side to be taken, when both legs' orders were decided.

    best_price_e8: its best price. price_e8: the average of taking size_e8 down its levels; 0 where it held less.
    age_ns: since we received its last change. venue_age_ns: our clock less the venue's stamp of that change, so with
    whatever the clocks differ by; None where the venue stamps nothing.
    """

    leg: Leg
    venue: str
    size_e8: int
    best_price_e8: int
    price_e8: int
    age_ns: int
    venue_age_ns: int | None


class TradeOpened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A round trip was decided. size_e8: the target of each leg, which no leg may pass (I1).

    detected_spread_rate_e8: (sell price - buy price) over their mid, executable for the size, before any cost.
    detected_edge_rate_e8: what was left of it after all costs; the entry threshold was compared with this.
    first_leg: the leg sent alone at first by policy, or "both". layer: entries of the pair that were open already.
    order_class: of the first leg's order, "" for the venue's usual one. class_reason: why, where there was a choice.
    quotes: both books at the decision; none in a journal of an older version.
    """

    trade_id: str
    pair_id: str
    buy_leg: Leg
    size_e8: int
    detected_spread_rate_e8: int
    detected_edge_rate_e8: int
    unix_ns: int
    first_leg: Literal["both", "a", "b"] = "both"
    layer: int = 0
    order_class: str = ""
    class_reason: str = ""
    quotes: list[QuoteSeen] = []


class TradeStateChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    trade_id: str
    state: str
    reason: str
    unix_ns: int


class TradeClosed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A round trip is over. Spreads are signed so that positive is money to us, at entry and at exit, before fees.

    Each spread is (sell price - buy price) over their mid; None where that side of the trade never happened.
    pnl_e8: after fees. unhedged_ns_max: the longest time net delta was outside one lot. dust: signed position left.
    exit_quotes: both books when the (last) close was sent; none where there was none, or another run sent it.
    """

    trade_id: str
    pair_id: str
    outcome: Outcome
    entry_detected_spread_rate_e8: int | None
    entry_executed_spread_rate_e8: int | None
    exit_detected_spread_rate_e8: int | None
    exit_executed_spread_rate_e8: int | None
    fees_e8: int
    pnl_e8: int
    unhedged_ns_max: int
    dust_a_e8: int
    dust_b_e8: int
    opened_unix_ns: int
    closed_unix_ns: int
    exit_quotes: list[QuoteSeen] = []


class PositionAdjusted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A venue's position changed without an order of ours, and the trade now counts with it. size_e8: signed change."""

    trade_id: str
    pair_id: str
    leg: Leg
    venue: str
    symbol: str
    size_e8: int
    reason: str
    unix_ns: int


class Halted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Entries are off until a person says otherwise, in this run and in the next ones."""

    reason: str
    unix_ns: int


class Armed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person allowed entries again."""

    unix_ns: int


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One position as we count it and as the venue says. Signed: positive is long."""

    venue: str
    symbol: str
    journal_e8: int
    venue_e8: int
    agree: bool


class PositionsChecked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    when: When
    rows: list[PositionRow]
    unix_ns: int


class FundingPaid(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Funding as the venue lists it. client_id: of the order it came with. payment_e8: positive is received."""

    venue: str
    symbol: str
    payment_id: str
    payment_e8: int
    client_id: str
    paid_unix_ns: int
    unix_ns: int


class MoneyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The balance of one venue since this run first read it, in 1e-8 of the settlement asset.

    opening + pnl - fees + funding + others + moved + unexplained = cash. pnl: realised by our fills, as the venue books
    it. fees: by our own record of the fills. funding: of FundingPaid. others: fills that are not ours, fees and all.
    moved: deposits less withdrawals the venue lists. tolerance: what rounding may leave unexplained.
    """

    venue: str
    opening_unix_ns: int
    opening_e8: int
    pnl_e8: int
    fees_e8: int
    funding_e8: int
    others_e8: int
    moved_e8: int
    unexplained_e8: int
    cash_e8: int
    tolerance_e8: int
    fills: int


class ItemRow(msgspec.Struct, frozen=True, kw_only=True):
    """One item on which journal and venue differ, both values as text, and what was done about it."""

    kind: ItemKind
    venue: str
    item: str
    journal: str
    told: str
    answer: Answer


class AccountsReconciled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Orders, fills, fees, funding and balance were compared. rows: a venue whose books cannot be read has none."""

    when: When
    rows: list[MoneyRow]
    differences: list[ItemRow]
    unix_ns: int


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The bot went down on purpose. clean: it finished every step of its shutdown."""

    run_id: str
    clean: bool
    flat: bool
    agree: bool
    reason: str
    unix_ns: int


Record = (
    Archived
    | RunStarted
    | InstrumentLoaded
    | OrderIntended
    | LadderSigned
    | OrderObserved
    | OrderTimed
    | LoopMeasured
    | TradeOpened
    | TradeStateChanged
    | TradeClosed
    | PositionAdjusted
    | PositionsChecked
    | FundingPaid
    | AccountsReconciled
    | Halted
    | Armed
    | RunEnded
)

_encoder = msgspec.json.Encoder()
_decoder: "msgspec.json.Decoder[Record]" = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """Write one record as one line of JSON, without the line end."""
    return _encoder.encode(record)


def decode(payload: bytes | memoryview) -> Record:
    """Read one record. Raises msgspec.DecodeError for bytes that are not one, or of a format yet to come."""
    record = _decoder.decode(payload)
    if isinstance(record, RunStarted) and record.format > FORMAT:
        raise msgspec.DecodeError(
            f"written by deltawire {record.version} in format {record.format}, this one reads up to {FORMAT}; "
            "read it with that version or a later one"
        )
    return record


def intended(
    request: OrderRequest,
    *,
    pair_id: str,
    leg: Leg,
    correlator: int,
    signed_unix_ms: int,
    unix_ns: int,
    recv_window_ms: int = 0,
) -> OrderIntended:
    """Make the record of an order about to be possible."""
    instrument = request.instrument
    return OrderIntended(
        client_id=request.client_id,
        trade_id=request.trade_id,
        pair_id=pair_id,
        leg=leg,
        venue=instrument.venue,
        symbol=instrument.symbol,
        side=1 if request.side == 1 else 2,
        size_e8=request.size_e8,
        cap_price_e8=request.cap_price_e8,
        purpose=request.purpose.value,
        reduce_only=request.reduce_only,
        correlator=correlator,
        signed_unix_ms=signed_unix_ms,
        unix_ns=unix_ns,
        recv_window_ms=recv_window_ms,
    )


def instrument_loaded(instrument: Instrument, unix_ns: int) -> InstrumentLoaded:
    return InstrumentLoaded(
        venue=instrument.venue,
        symbol=instrument.symbol,
        price_tick_e8=instrument.price_tick_e8,
        size_step_e8=instrument.size_step_e8,
        size_min_e8=instrument.size_min_e8,
        notional_min_e8=instrument.notional_min_e8,
        fee_rate_taker_e8=instrument.fee_rate_taker_e8,
        unix_ns=unix_ns,
    )


def observed(client_id: ClientOrderId, event: OrderEvent, unix_ns: int) -> OrderObserved:  # noqa: PLR0911 - one per kind
    """Flatten an order event into its record."""
    match event:
        case Sent():
            return OrderObserved(client_id=client_id, kind="sent", unix_ns=unix_ns)
        case NotSent(reason):
            return OrderObserved(client_id=client_id, kind="not_sent", unix_ns=unix_ns, text=reason)
        case Acked(venue_order_id):
            return OrderObserved(client_id=client_id, kind="acked", unix_ns=unix_ns, venue_order_id=venue_order_id)
        case FillSeen(fill_id, price_e8, size_e8, fee_e8):
            return OrderObserved(
                client_id=client_id,
                kind="fill",
                unix_ns=unix_ns,
                fill_id=fill_id,
                price_e8=price_e8,
                size_e8=size_e8,
                fee_e8=fee_e8,
            )
        case FilledTotal(size_e8, notional_e8, fee_e8):
            return OrderObserved(
                client_id=client_id,
                kind="filled_total",
                unix_ns=unix_ns,
                size_e8=size_e8,
                notional_e8=notional_e8,
                fee_e8=fee_e8,
            )
        case Closed(filled_e8, reason):
            return OrderObserved(client_id=client_id, kind="closed", unix_ns=unix_ns, size_e8=filled_e8, text=reason)
        case Rejected(code, text):
            return OrderObserved(client_id=client_id, kind="rejected", unix_ns=unix_ns, code=code, text=text)
        case InDoubt(reason):
            return OrderObserved(client_id=client_id, kind="in_doubt", unix_ns=unix_ns, text=reason)
        case NotFound():
            return OrderObserved(client_id=client_id, kind="not_found", unix_ns=unix_ns)


def event_of(record: OrderObserved) -> OrderEvent:  # noqa: PLR0911 - one per kind
    """Rebuild the order event: the inverse of `observed`."""
    match record.kind:
        case "sent":
            return Sent()
        case "not_sent":
            return NotSent(record.text)
        case "acked":
            return Acked(VenueOrderId(record.venue_order_id))
        case "fill":
            return FillSeen(record.fill_id, record.price_e8, record.size_e8 or 0, record.fee_e8)
        case "filled_total":
            return FilledTotal(record.size_e8 or 0, record.notional_e8, record.fee_e8)
        case "closed":
            return Closed(record.size_e8, record.text)
        case "rejected":
            return Rejected(record.code, record.text)
        case "in_doubt":
            return InDoubt(record.text)
        case "not_found":
            return NotFound()
