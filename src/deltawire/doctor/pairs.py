"""Checks of one pair against what both venues say of it: rules that go together, sizes, fees, what a trade needs."""

from deltawire.config.model import BotConfig, PairConfig
from deltawire.core.book import Book
from deltawire.core.edge import PairRules, best_opening, opening
from deltawire.core.money import ceil_to, format_e8, notional_e8
from deltawire.core.types import Instrument
from deltawire.doctor.lines import Sheet
from deltawire.engine.rules import UnusableRules, pair_rules


def check_pair(
    pair: PairConfig, config: BotConfig, legs: tuple[Instrument, Instrument], books: tuple[Book, Book], sheet: Sheet
) -> None:
    section = f"pair {pair.id}"
    try:
        rules = pair_rules(pair, config, legs)
    except UnusableRules as e:
        sheet.fail(section, "rules", str(e), "see the sizes and steps of both venues above")
        return
    fees_bps = rules.fees_round_trip_e8 / 1e4
    sheet.ok(section, "rules", f"size {format_e8(rules.size_e8)}, lot {format_e8(rules.lot_e8)} on both venues")
    needs = f"a trade needs a spread of {rules.needed_e8 / 1e4:g} bps: {fees_bps:g} fees in and out, "
    needs += f"{rules.exit_spread_e8 / 1e4:g} to close, {rules.entry_edge_e8 / 1e4:g} edge"
    if rules.needed_e8 <= rules.fees_round_trip_e8:
        remedy = "raise entry_edge_bps or exit_spread_bps: as set, the gain does not pay the fees of a trade"
        sheet.warn(section, "threshold", needs, remedy)
    else:
        sheet.ok(section, "threshold", needs)
    mid_e8 = next((book.mid_e8() for book in books if book.two_sided), 0)
    if not mid_e8:
        sheet.skip(section, "notional", "no book, so no price to reckon with")
        return
    _check_notional(section, config, rules, mid_e8, sheet)
    _tell_spread(section, rules, books, sheet)


def _check_notional(section: str, config: BotConfig, rules: PairRules, mid_e8: int, sheet: Sheet) -> None:
    usd_e8, least_e8 = notional_e8(mid_e8, rules.size_e8), notional_e8(mid_e8, rules.size_min_e8)
    limits = config.limits
    told = f"size {format_e8(rules.size_e8)} is {usd_e8 / 1e8:,.2f} USD"
    for key, most_e8 in (
        ("order_notional_max_usd", limits.order_notional_max_e8),
        ("inventory_max_usd", limits.inventory_max_e8),
    ):
        if usd_e8 > most_e8:
            told += f", over limits.{key} {most_e8 / 1e8:,.2f}"
            sheet.fail(section, "notional", told, "every entry would be refused: lower the size or raise the limit")
            return
    leg = max(rules.legs, key=lambda leg: leg.notional_min_e8)
    enough, least = _size_for(leg, rules, mid_e8), f"the {leg.notional_min_e8 / 1e8:g} USD that {leg.venue} takes"
    if usd_e8 < leg.notional_min_e8:
        sheet.fail(section, "notional", f"{told}, under {least}", f"raise the size to {enough} or more")
    elif least_e8 < leg.notional_min_e8:
        told += f"; size_min {format_e8(rules.size_min_e8)} is under {least}"
        sheet.warn(section, "notional", told, f"raise size_min to {enough} or more")
    else:
        sheet.ok(section, "notional", told)


def _size_for(leg: Instrument, rules: PairRules, mid_e8: int) -> str:
    return format_e8(ceil_to(-(-leg.notional_min_e8 * 10**8 // mid_e8), rules.lot_e8))


def _tell_spread(section: str, rules: PairRules, books: tuple[Book, Book], sheet: Sheet) -> None:
    if not all(book.two_sided for book in books):
        sheet.skip(section, "spread", "one book is empty")
        return
    found = [opening(rules, books, buy_leg, rules.size_min_e8) for buy_leg in (0, 1)]
    spreads = [one.spread_e8 / 1e4 for one in found if one is not None]
    if not spreads:
        sheet.warn(section, "spread", "the books are too thin for size_min", "lower size_min, or trade another market")
    elif best_opening(rules, books, rules.size_e8) is not None:
        sheet.ok(section, "spread", f"{max(spreads):.1f} bps now: enough to enter")
    else:
        sheet.ok(section, "spread", f"{max(spreads):.1f} bps now: not enough to enter, which is how it mostly is")
