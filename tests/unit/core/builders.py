"""Small makers for core tests: an instrument pair around 60 000 USD, books, orders. Hand-made numbers."""

from deltawire.core.book import Book
from deltawire.core.edge import PairRules
from deltawire.core.money import E8, parse_e8
from deltawire.core.types import ClientOrderId, Instrument, OrderRequest, Purpose, Side, TradeId

PARADEX = Instrument(
    venue="paradex",
    symbol="BTC-USD-PERP",
    price_tick_e8=parse_e8("0.1"),
    size_step_e8=parse_e8("0.00001"),
    size_min_e8=parse_e8("0.00001"),
    size_max_e8=100 * E8,
    notional_min_e8=10 * E8,
    fee_rate_taker_e8=45_000,
)
VEST = Instrument(
    venue="vest",
    symbol="BTC-PERP",
    price_tick_e8=parse_e8("0.01"),
    size_step_e8=parse_e8("0.0001"),
    size_min_e8=parse_e8("0.0001"),
    size_max_e8=0,
    notional_min_e8=0,
    fee_rate_taker_e8=10_000,
)
SIZE_E8 = parse_e8("0.01")


def rules(**changes: object) -> PairRules:
    values: dict[str, object] = {
        "pair_id": "btc",
        "legs": (PARADEX, VEST),
        "size_e8": SIZE_E8,
        "size_min_e8": parse_e8("0.001"),
        "entry_edge_e8": 20_000,  # 2 bps net
        "exit_spread_e8": 10_000,
        "funding_e8": 0,
        "basis_e8": 0,
        "margin_e8": 0,
        "slippage_e8": 20_000,
        "emergency_e8": 500_000,
        "confirm_updates": 1,
        "confirm_ns": 0,
        "hold_ns_max": 10**12,
        "repairs_max": 2,
        "unhedged_ns_max": 10**9,
        **changes,
    }
    return PairRules(**values)  # type: ignore[arg-type]  # values are named as the fields are


def book(instrument: Instrument, bid: str, ask: str, size: str = "1", depth: int = 3) -> Book:
    """Build a valid book with `depth` levels a tick apart, each of `size`."""
    made = Book(instrument.venue, instrument.symbol)
    tick, size_e8 = instrument.price_tick_e8, parse_e8(size)
    made.replace(
        [(parse_e8(bid) - n * tick, size_e8) for n in range(depth)],
        [(parse_e8(ask) + n * tick, size_e8) for n in range(depth)],
        seq=1,
    )
    return made


def books(spread_bps: float = 0.0) -> tuple[Book, Book]:
    """Build two books; Vest lies spread_bps above Paradex, so buying on Paradex pays when it is positive."""
    up = int(60_000 * spread_bps / 10_000 * 100)
    bid, ask = 5_999_990 + up, 6_000_010 + up
    return (
        book(PARADEX, "59999.9", "60000.1"),
        book(VEST, f"{bid // 100}.{bid % 100:02d}", f"{ask // 100}.{ask % 100:02d}"),
    )


def request(
    client_id: str = "dw1-0-1-a1",
    side: Side = Side.BUY,
    size_e8: int = SIZE_E8,
    purpose: Purpose = Purpose.ENTRY,
    instrument: Instrument = PARADEX,
    cap_price_e8: int = 60_010 * E8,
) -> OrderRequest:
    return OrderRequest(ClientOrderId(client_id), TradeId("dw1-0-1"), purpose, instrument, side, size_e8, cap_price_e8)
