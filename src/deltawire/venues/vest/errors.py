"""What an error of Vest proves about an order. Design I4: only a listed refusal is a refusal, the rest is in doubt.

Does not act: the session and the engine do. Source: Vest API v2 notes, sections 7 (envelopes) and 10 (codes).
"""

from dataclasses import dataclass
from enum import Enum

from deltawire.venues.vest.rest import VenueError


class Verdict(Enum):
    REJECTED = "rejected"  # the venue refused: it will never fill
    IN_DOUBT = "in doubt"  # it may be there, or an earlier copy of it may


class Next(Enum):
    """What makes sense after a refusal. Advice to the caller; no code is ever sent again by the adapter itself (I3)."""

    STOP = "stop"  # fix the cause first
    RETRY = "retry"  # the same again after a pause, as a new order
    RESIGN = "resign"  # the same again with fresh time and nonce
    QUERY = "query"  # read the state first
    RECONCILE = "reconcile"  # our picture of the position is wrong: read it
    HALT = "halt"  # the market is shut
    REGISTER = "register"  # new API key, or a new account group
    LISTEN_KEY = "listen key"  # new listen key


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    verdict: Verdict
    then: Next


def _refused(name: str, then: Next = Next.STOP) -> Rule:
    return Rule(name, Verdict.REJECTED, then)


def _doubt(name: str) -> Rule:
    return Rule(name, Verdict.IN_DOUBT, Next.QUERY)


# As the answer to POST /orders or as the code of a REJECTED order; the venue puts both kinds in either place.
# Codes of other calls (deposits, LP shares, transfers) are named for the log; on an order they would prove nothing.
RULES: dict[int, Rule] = {
    429: _refused("TOO_MANY_REQUESTS", Next.RETRY),
    1002: _refused("UNAUTHORIZED", Next.REGISTER),
    1003: _refused("TOO_MANY_REQUESTS", Next.RETRY),
    1022: _refused("INVALID_SIGNATURE"),
    # Says only that the nonce is taken: an order with it may be live.
    1023: _doubt("INVALID_NONCE"),
    1024: _refused("INVALID_NETWORK_TYPE"),
    1099: _refused("ACCOUNT_NOT_FOUND"),
    1111: _refused("BAD_DECIMALS"),
    1116: _refused("INVALID_ORDER_TYPE"),
    1121: _refused("BAD_SYMBOL"),
    1125: Rule("INVALID_LISTEN_KEY", Verdict.IN_DOUBT, Next.LISTEN_KEY),  # not an answer to an order
    1130: _refused("INVALID_PARAMETER"),
    1131: _refused("BAD_RECV_WINDOW"),
    1132: _refused("ORDER_EXPIRED", Next.RESIGN),
    1133: _refused("INVALID_TIME_IN_FORCE"),
    1143: _doubt("INVALID_TRANSACTION"),
    1144: _doubt("ALREADY_USE_TRANSACTION"),
    1145: _refused("INVALID_TP_SL_PRICE"),
    1146: _refused("INVALID_ACCOUNT_GROUP", Next.REGISTER),  # register tells the group the account is in now
    1147: _doubt("DECLINE_WITHDRAW_FROM_MOBILE"),
    1148: _refused("MARKET_CLOSED", Next.HALT),
    3001: _refused("PRICE_CHECK_FAILED"),
    3002: _refused("MARGIN_CHECK_FAILED"),
    3003: _refused("PRICE_STALE", Next.RETRY),
    3004: _refused("ORDER_STALE", Next.RESIGN),
    3006: _refused("INCREASE_WITH_SL_TP"),
    3007: _refused("INCREASE_DURING_INSOLVENCY"),
    # The order is gone, but a liquidation is under way: what it had filled is read, not assumed.
    3008: _doubt("DELETED_BY_LIQ"),
    3010: _refused("OI_CAP_EXCEEDED"),
    3011: _refused("INVALID_LIMIT_PRICE"),
    # The first copy may have worked.
    3015: _doubt("DUPLICATE"),
    # Seen on the cancel of a finished order: says nothing about fills.
    3017: _doubt("ORDER_NOT_FOUND"),
    3018: _refused("REDUCE_ONLY_INCREASES", Next.RECONCILE),
    3019: _refused("REDUCE_ONLY_EXCEEDS_SIZE", Next.RECONCILE),
    3020: _refused("ORDER_CHANGES_LEVERAGE"),
    3021: _refused("DECREASE_LEVERAGE_WITH_POSITION"),
    3022: _refused("INVALID_TP_SL_PRICE"),
    3023: _refused("BAD_SYMBOL"),
    3024: _refused("MARKET_CLOSED", Next.HALT),
    # 4001, 4002 and 4004 are close codes of the sockets too (ws.py): another table.
    4001: _doubt("LP_BALANCE"),
    4002: _doubt("LP_MARGIN"),
    4003: _doubt("LP_PRICE_STALE"),
    4004: _doubt("LP_ORDER_STALE"),
    4007: _doubt("LP_WITHDRAW_WITHOUT_SHARES"),
    4010: _doubt("LP_DUPLICATE"),
    4012: _doubt("LP_WITHDRAW_ABOVE_BALANCE"),
    5002: _doubt("TRANSFER_MARGIN"),
    5009: _doubt("TRANSFER_WITHDRAW_CAP"),
    5010: _doubt("TRANSFER_DUPLICATE"),
    5013: _doubt("TRANSFER_EXECUTION_FAILED"),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """For how long no entry is tried after a refusal, in its market or on the whole account. Exits go on."""

    seconds: float
    everywhere: bool = False


# Lengths are ours: the venue states none. Long enough not to hammer it, short enough to be back when it is over.
PAUSES: dict[int, Pause] = {
    429: Pause(5.0, everywhere=True),
    1003: Pause(5.0, everywhere=True),
    3002: Pause(10.0, everywhere=True),  # no margin for more: it comes back with a close, not by asking again
    3003: Pause(1.0),  # the venue's index is stale
    3007: Pause(60.0, everywhere=True),
    3010: Pause(60.0),  # open interest at its cap: others must reduce first
}

_UNLISTED = Rule("UNLISTED", Verdict.IN_DOUBT, Next.QUERY)

# Statuses that refuse a request before it is read, so that they prove a refusal even without a code.
_REFUSING_STATUS: dict[int, Rule] = {
    401: _refused("HTTP_UNAUTHORIZED", Next.REGISTER),
    403: _refused("HTTP_FORBIDDEN", Next.REGISTER),
    422: _refused("HTTP_UNPROCESSABLE"),
    429: _refused("HTTP_TOO_MANY_REQUESTS", Next.RETRY),
}


def rule_for_code(code: int | None) -> Rule:
    """Return what this code on a REJECTED order proves; unlisted codes prove nothing."""
    return _UNLISTED if code is None else RULES.get(code, _UNLISTED)


def rule_for_answer(error: VenueError) -> Rule:
    """Return what this answer to POST /orders proves. A server or edge failure (5xx) proves nothing, code or not."""
    status = error.http_status
    if not (200 <= status < 300 or 400 <= status < 500):
        return _UNLISTED
    if error.code is not None:
        return rule_for_code(error.code)
    return _REFUSING_STATUS.get(status, _UNLISTED)


def reason(code: int | None) -> str:
    """Write a code as a short reason: "3001 PRICE_CHECK_FAILED"."""
    return f"{code} {rule_for_code(code).name}" if code is not None else "no code"
