"""What a venue would refuse of an order, as far as its public rules tell. Pure. A refusal is (code, text)."""

from collections.abc import Iterator
from dataclasses import dataclass

from deltawire.core.money import E8, format_e8, notional_e8
from deltawire.core.types import Instrument, OrderRequest

Refusal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """The account and the market as the order meets them. mark_price_e8: 0 where none is known."""

    held_e8: int
    mark_price_e8: int
    free_e8: int
    leverage: int
    takes_orders: bool
    is_late: bool  # it came after its receive window


def refusal(request: OrderRequest, standing: Standing) -> Refusal | None:
    """Return why the order is refused on arrival, None when it is taken."""
    return next(_refusals(request, standing), None)


def _refusals(request: OrderRequest, standing: Standing) -> Iterator[Refusal]:
    rules = request.instrument
    after_e8 = standing.held_e8 + request.side.sign * request.size_e8
    more_e8 = abs(after_e8) - abs(standing.held_e8)  # what the position grows by
    if standing.is_late:
        yield "PAPER_EXPIRED", "the order came after its receive window"
    if not standing.takes_orders:
        yield "PAPER_HALTED", "the venue takes no orders now"
    if wrong := _wrong_amount(rules, request):
        yield "PAPER_BAD_AMOUNT", wrong
    if request.reduce_only and (more_e8 > 0 or after_e8 * standing.held_e8 < 0):
        yield "PAPER_REDUCE_ONLY", "a reduce-only order must make the position smaller"
    if rules.position_max_e8 and more_e8 > 0 and abs(after_e8) > rules.position_max_e8:
        yield "PAPER_POSITION_LIMIT", f"the position would pass {format_e8(rules.position_max_e8)}"
    if rules.price_band_e8 and standing.mark_price_e8:
        reach_e8 = abs(request.cap_price_e8 - standing.mark_price_e8)
        if reach_e8 > standing.mark_price_e8 * rules.price_band_e8 // E8:
            yield "PAPER_PRICE_BAND", "the price lies outside the band around the mark price"
    adds_e8 = notional_e8(request.cap_price_e8, max(more_e8, 0))
    if adds_e8 and adds_e8 // standing.leverage > standing.free_e8:
        yield "PAPER_MARGIN", f"free {format_e8(standing.free_e8)} USD do not carry {format_e8(adds_e8)} USD more"


def _wrong_amount(rules: Instrument, request: OrderRequest) -> str:
    size_e8 = request.size_e8
    if size_e8 <= 0 or size_e8 % rules.size_step_e8 or size_e8 < rules.size_min_e8:
        return f"size {format_e8(size_e8)} is not a multiple of {format_e8(rules.size_step_e8)}, or too small"
    if rules.size_max_e8 and size_e8 > rules.size_max_e8:
        return f"size {format_e8(size_e8)} is over the largest, {format_e8(rules.size_max_e8)}"
    if request.cap_price_e8 <= 0 or request.cap_price_e8 % rules.price_tick_e8:
        return f"price {format_e8(request.cap_price_e8)} is not on a tick of {format_e8(rules.price_tick_e8)}"
    if notional_e8(request.cap_price_e8, size_e8) < rules.notional_min_e8 and not request.reduce_only:
        return f"notional is under {format_e8(rules.notional_min_e8)} USD"
    return ""
