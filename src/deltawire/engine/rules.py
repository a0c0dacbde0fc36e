"""From settings and the venues' own rules to what core works with. The only place where config meets core."""

from deltawire.config.model import BotConfig, LegOrder, PairConfig
from deltawire.core.edge import PairRules
from deltawire.core.limits import Limits
from deltawire.core.money import ceil_to, floor_to, format_e8
from deltawire.core.types import Instrument

# A book stamped by its venue further back than this is stale even if it arrived just now. Wide, because the two clocks
# may differ by tens of milliseconds and the check must not cry wolf.
VENUE_AGE_NS_MAX = 5_000_000_000


class UnusableRules(Exception):
    """The settings cannot be traded with the rules these venues have. Says which and what would be right."""


def limits_of(config: BotConfig) -> Limits:
    limits = config.limits
    return Limits(
        order_notional_e8_max=limits.order_notional_max_e8,
        orders_per_minute_max=limits.orders_per_minute_max,
        open_pairs_max=limits.open_pairs_max,
        daily_loss_e8_max=limits.daily_loss_max_e8,
        quote_age_ns_max=dict(limits.quote_age_ns_max),
        venue_age_ns_max=VENUE_AGE_NS_MAX,
        book_spread_e8_max=limits.book_spread_max_e8,
        price_cap_e8_max=limits.emergency_e8,
        edge_e8_max=limits.edge_max_e8,
        drawdown_e8_max=limits.drawdown_max_e8,
        inventory_e8_max=limits.inventory_max_e8,
        free_margin_e8_min=limits.free_margin_min_e8,
        liquidation_e8_min=limits.liquidation_min_e8,
    )


def pair_rules(pair: PairConfig, config: BotConfig, legs: tuple[Instrument, Instrument]) -> PairRules:
    """Join a pair's settings with the venues' rules. Raises UnusableRules where they do not go together."""
    lot_e8 = max(leg.size_step_e8 for leg in legs)
    if any(lot_e8 % leg.size_step_e8 for leg in legs):
        raise UnusableRules(
            f"pair {pair.id}: size steps {legs[0].size_step_e8} and {legs[1].size_step_e8} e-8 do not nest"
        )
    size_e8 = floor_to(pair.size_e8, lot_e8)
    size_min_e8 = ceil_to(max(pair.size_min_e8, *(leg.size_min_e8 for leg in legs)), lot_e8)
    if size_e8 < size_min_e8:
        raise UnusableRules(
            f"pair {pair.id}: size {format_e8(pair.size_e8)} is under the smallest both venues trade, "
            f"{format_e8(size_min_e8)}; raise pairs.{pair.id}.size"
        )
    for leg in legs:
        for what, most_e8 in (("order", leg.size_max_e8), ("position", leg.position_max_e8)):
            if most_e8 and size_e8 > most_e8:
                raise UnusableRules(
                    f"pair {pair.id}: size {format_e8(size_e8)} is over the largest {what} {leg.venue} takes in "
                    f"{leg.symbol}, {format_e8(most_e8)}; lower pairs.{pair.id}.size"
                )
    return PairRules(
        pair_id=pair.id,
        legs=legs,
        size_e8=size_e8,
        size_min_e8=size_min_e8,
        entry_edge_e8=pair.entry_edge_e8,
        exit_spread_e8=pair.exit_spread_e8,
        funding_e8=pair.funding_e8,
        basis_e8=pair.basis_e8,
        margin_e8=pair.margin_e8,
        slippage_e8=pair.slippage_e8,
        emergency_e8=config.limits.emergency_e8,
        confirm_updates=pair.confirm_updates,
        confirm_ns=pair.confirm_ns,
        hold_ns_max=pair.hold_ns_max,
        repairs_max=config.limits.repairs_max,
        unhedged_ns_max=config.limits.unhedged_ns_max,
        layers_max=pair.layers,
        layer_step_e8=pair.layer_step_e8,
        cooldown_ns=pair.cooldown_ns,
        funding_hour_e8_max=pair.funding_hour_max_e8,
        harder_leg_first=pair.leg_order is LegOrder.HARDER_FIRST,
    )
