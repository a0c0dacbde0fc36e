"""What one seed does: the market, the delays, the pair's settings, and the faults with their moments. Drawn, not run.

Everything is drawn here and before the run, from one generator, so a plan can be printed, and a change in how the bot
reacts does not change what happens to it. Moments are ns from the start of the run.
"""

import random
from dataclasses import dataclass

from deltawire.core.money import BPS_E8, E8
from deltawire.faultrun.kinds import FAULTS_UNTIL_NS, KINDS, ON_ORDERS, S_NS, VENUES, Strike, moment
from deltawire.faultrun.themes import THEMES, themed
from deltawire.sim.basis import MS, BasisSettings
from deltawire.sim.walk import WalkBase

STRIKES_MAX = 8
# A venue that refuses everything for so long that the bot's attempts are used up and it calls a person.
SIEGE_ONE_IN, SIEGE_UNTIL_NS = 40, 60 * S_NS
# Rare rows of the transition tables need several faults that fit together: such days are drawn as a theme.
THEME_SHARE = 0.5
THEMES_DRAWN = (*THEMES, "goodbye", "liars")  # those with the rarest rows are drawn twice as often
LONG_HELD = ("hands", "again", "stuck")  # what happens to a trade there takes longer than the usual hold
WATCHED = ("hands", "stuck")  # where the accounts are to be looked at often
FEW_OTHERS = (*WATCHED, "goodbye", "liars")  # what is waited for there needs seconds in which little else happens
# Of Paradex's release on weekdays at 04:30 UTC, 1,800 s after the usual start: some seeds come near it.
RELEASE_ONE_IN, RELEASE_S = 40, 1_800
BURST_SHARE, BURST_NS = 0.4, S_NS // 2
CRASH_SHARE = 0.25
CLEAN_ONE_IN = 20  # seeds without any fault: what breaks there needs none


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    base: WalkBase
    walk_interval_ns: int
    basis: BasisSettings
    delay_ns: dict[str, int]  # one way, by venue
    jitter_ns: int
    late_one_in: int
    late_ns: int
    idle_close_ns: int
    size_e8: int
    confirm_updates: int
    repairs_max: int
    hold_ns_max: int
    slippage_e8: int
    layers_max: int
    harder_leg_first: bool
    recv_window_ms: int
    pool_connections: int
    send_reduce_only: bool
    order_style: str
    book_feed: str
    faults_until_ns: int
    vest_keeps_back_ms: int  # how long Vest's account lags behind its fills
    strikes: tuple[Strike, ...]
    restart_after_ns: tuple[int, ...]  # downtimes, used one after the other
    tells_new: bool = True  # whether Paradex tells of an order before it is executed
    watch_every_ms: int = 5_000  # how often the bot looks at both accounts
    starts_late_s: int = 0  # how long after the usual date and time
    order_class: str = "pro"  # Paradex's: pro or by_edge
    theme: str = ""

    def lines(self) -> list[str]:
        """Describe the seed in words, for the log of a replay."""
        facts = (name for name in Plan.__slots__ if name not in {"strikes", "base", "basis"})
        head = " ".join(f"{name}={getattr(self, name)}" for name in facts)
        return [head, *(f"at {strike.at_ns / S_NS:.3f} s: {strike}" for strike in self.strikes)]


def draw(seed: int) -> Plan:
    """Draw all that happens to one run."""
    rng = random.Random(f"deltawire faults {seed}")  # noqa: S311  chance, not secrets
    slow = rng.random() < 0.2
    siege = rng.randrange(SIEGE_ONE_IN) == 0
    theme = rng.choice(THEMES_DRAWN) if rng.random() < THEME_SHARE else ""
    if siege and not theme:
        theme = "stuck"
    near_release = rng.randrange(RELEASE_ONE_IN) == 0
    return Plan(
        seed=seed,
        base=WalkBase(rng.randrange(50_000, 120_000) * E8, E8 // 10, rng.choice((E8 // 200, E8 // 20, E8))),
        walk_interval_ns=rng.choice((100, 150, 250)) * MS,
        basis=BasisSettings(
            height_min_e8=20 * BPS_E8,
            height_max_e8=rng.choice((30, 45)) * BPS_E8,
            period_ns=(7_000 if theme in LONG_HELD else 3_000) * MS,
            ramp_ns=rng.choice((150, 400)) * MS,
            hold_min_ns=(3_000 if theme in LONG_HELD else 600) * MS,
            hold_max_ns=(5_000 if theme in LONG_HELD else rng.choice((900, 1_800))) * MS,
            alternate=rng.random() < 0.5,
        ),
        delay_ns={venue: rng.randrange(1, 120 if slow else 25) * MS for venue in VENUES},
        jitter_ns=rng.choice((0, 1, 5, 30)) * MS,
        late_one_in=40 if theme == "late" else rng.choice((0, 0, 0, 200, 50)),
        late_ns=(4_000 if theme == "late" else rng.choice((200, 1_000, 2_500))) * MS,
        idle_close_ns=rng.choice((0, 0, 0, 2_000, 10_500)) * MS,
        size_e8=rng.choice((2, 5, 10, 20)) * E8 // 1_000,
        confirm_updates=rng.choice((1, 2)),
        repairs_max=rng.choice((0, 1, 2, 2)),
        hold_ns_max=(30 if theme in LONG_HELD else rng.choice((1, 3, 30))) * S_NS,
        slippage_e8=rng.choice((1, 2, 5)) * BPS_E8,
        layers_max=rng.choice((1, 1, 2)),
        harder_leg_first=rng.random() < (0.6 if theme == "hands" else 0.2),
        recv_window_ms=rng.choice((1_000, 1_500)),
        pool_connections=rng.choice((1, 2, 2)),
        send_reduce_only=rng.random() < 0.2,
        order_style=rng.choice(("market", "market", "limit_fok")),
        book_feed=rng.choice(("deltas", "deltas", "snapshot")),
        faults_until_ns=SIEGE_UNTIL_NS if siege else FAULTS_UNTIL_NS,
        vest_keeps_back_ms=rng.choice((40, 300, 500)),
        strikes=_strikes(rng, siege=siege, theme=theme),
        restart_after_ns=tuple(
            rng.randrange(100, 500 if theme == "again" else 3_000) * MS for _ in range(STRIKES_MAX + 1)
        ),
        tells_new=rng.random() < (0.3 if theme in {"liars", "orders"} else 0.7),
        watch_every_ms=500 if theme in WATCHED else rng.choice((500, 2_000, 5_000)),
        starts_late_s=RELEASE_S - rng.randrange(1, 90) if near_release else 0,
        theme=theme,
    )


def _strikes(rng: random.Random, *, siege: bool, theme: str) -> tuple[Strike, ...]:
    if not siege and not theme and rng.randrange(CLEAN_ONE_IN) == 0:
        return ()
    few = theme in FEW_OTHERS and rng.random() < 0.6
    found = [_strike(rng, moment(rng)) for _ in range(rng.randint(0, 2) if few else rng.randint(1, STRIKES_MAX))]
    if not few and rng.random() < BURST_SHARE:
        # Several at about one moment: what each alone does not break, they may together.
        at_ns = moment(rng)
        found.extend(_strike(rng, at_ns + rng.randrange(BURST_NS)) for _ in range(rng.randint(2, 4)))
    if theme:
        found.extend(themed(rng, theme))
    if not few and rng.random() < CRASH_SHARE:
        found.extend(themed(rng, "crashes"))
    if siege and theme != "stuck":
        kind = rng.choice(("vest.halt", "vest.reject_order", "paradex.reject_order", "paradex.rate_limit"))
        found.append(Strike(moment(rng) // 2, kind, {"ms": 10**6} if kind == "vest.halt" else {"count": 10**4}))
    in_time = [strike for strike in found if strike.at_ns < FAULTS_UNTIL_NS]
    if siege and rng.random() < 0.7:
        # The person who was called closes by hand.
        in_time.append(Strike(rng.randrange(45, 58) * S_NS, "hand.close"))
    return tuple(sorted(in_time, key=lambda strike: strike.at_ns))


def _strike(rng: random.Random, at_ns: int) -> Strike:
    kind = rng.choice(list(KINDS))
    params = KINDS[kind](rng)
    if kind in ON_ORDERS:
        params["count"] = rng.choice((1, 1, 1, 2, 4))
    return Strike(at_ns, kind, params)
