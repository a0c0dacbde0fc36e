"""What a bot is asked to do: its pairs, its limits, and why it may not start. Knows no config file."""

from collections.abc import Callable
from dataclasses import dataclass

from deltawire.core.edge import PairRules
from deltawire.core.limits import Limits
from deltawire.core.money import BPS_E8
from deltawire.core.types import Instrument
from deltawire.journal.records import FORMAT, Mode, PairConfigured, RunStarted

NEVER_PRESIGN = -(10**18)


class CannotStart(Exception):
    """The bot must not trade. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class PairPlan:
    """A pair as configured: its two (venue, symbol) legs, and how to make its rules from the venues' own."""

    pair_id: str
    legs: tuple[tuple[str, str], tuple[str, str]]
    size_e8: int
    rules: Callable[[tuple[Instrument, Instrument]], PairRules]


@dataclass(frozen=True, slots=True)
class BotSettings:
    limits: Limits
    pairs: tuple[PairPlan, ...]
    simulated: bool
    config_digest: str
    mode: Mode = "live"
    watch_every_s: float = 5.0
    position_age_ns_max: int = 10 * 10**9  # a pair whose positions were not seen whole for so long opens nothing
    # How far below what it needs a spread may be for its orders to be signed ahead, as a rate; NEVER_PRESIGN: never.
    presign_within_e8: int = 50 * BPS_E8
    reconcile_every_s: float = 30.0  # a few reads a venue; positions are watched more often
    arm_itself: bool = True  # trade at once even after an unclean end; else a person arms it first


def run_started(
    settings: BotSettings, *, run_id: str, version: str, unclean_before: bool, unix_ns: int, mono_ns: int
) -> RunStarted:
    """Return the journal's first record of a run."""
    pairs = [
        PairConfigured(
            pair_id=plan.pair_id,
            venue_a=plan.legs[0][0],
            symbol_a=plan.legs[0][1],
            venue_b=plan.legs[1][0],
            symbol_b=plan.legs[1][1],
            size_e8=plan.size_e8,
        )
        for plan in settings.pairs
    ]
    return RunStarted(
        run_id=run_id,
        unix_ns=unix_ns,
        mono_ns=mono_ns,
        version=version,
        mode=settings.mode,
        simulated=settings.simulated,
        pairs=pairs,
        config_digest=settings.config_digest,
        unclean_before=unclean_before,
        format=FORMAT,
    )
