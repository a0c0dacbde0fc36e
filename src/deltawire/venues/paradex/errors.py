"""What Paradex's error codes prove about an order: a definite refusal, or nothing (then it is in doubt).

The list holds what the venue can only say before it takes an order. All else leaves the order in doubt, to be resolved
by reading (design I4): internal errors, unknown codes, code 100 without a listed name, and a duplicated client id (some
order with our id is there). How refusals map to WebSocket codes is not documented; names are looked for in message and
data.

Source: Paradex protocol reference, sections 5 and 14, REST spec 1.132.1, state of October 2026.
"""

import re

from deltawire.core.events import InDoubt, Rejected

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
METHOD_ERROR = 100
TOKEN_MALFORMED, TOKEN_INVALID, GEO_BLOCKED, NOT_AUTHENTICATED = 40110, 40111, 40112, 40300
RATE_LIMITED = 42901
HTTP_TOO_MANY = 429

# The request never reached order handling.
CODES_REFUSED = {
    PARSE_ERROR: "PARSE_ERROR",
    INVALID_REQUEST: "INVALID_REQUEST",
    METHOD_NOT_FOUND: "METHOD_NOT_FOUND",
    INVALID_PARAMS: "INVALID_PARAMS",
    TOKEN_MALFORMED: "TOKEN_MALFORMED",
    TOKEN_INVALID: "TOKEN_INVALID",
    GEO_BLOCKED: "GEO_BLOCKED",
    NOT_AUTHENTICATED: "NOT_AUTHENTICATED",
    RATE_LIMITED: "RATE_LIMITED",
}

# Refusals by name, of order.create; each is a check made before the order is handed on.
NAMES_REFUSED = frozenset({
    "BINDING_ERROR",
    "GEO_IP_BLOCK",
    "INVALID_ORDER_SIGNATURE",
    "INVALID_ORDER_SIZE",
    "INVALID_REQUEST_PARAMETER",
    "INVALID_STARKNET_SIGNATURE",
    "INVALID_SUBKEY",
    "INVALID_SYMBOL",
    "INVALID_TIMESTAMP",
    "INVALID_TOKEN",
    "IP_NOT_ALLOWED",
    "MARKET_NOT_FOUND",
    "MARKET_NOT_OPEN",
    "NOT_ONBOARDED",
    "NO_ACCESS_TO_MARKET",
    "REQUEST_NOT_ALLOWED",
    "RPI_ACCOUNT_NOT_WHITELISTED",
    "STARKNET_SIGNATURE_VERIFICATION_FAILED",
    "SYSTEM_STATUS_CANCEL_ONLY",
    "SYSTEM_STATUS_POST_ONLY",
    "UNAUTHORIZED_ERROR",
    "VALIDATION_ERROR",
})  # fmt: skip

# Another token may do what this one could not.
NAMES_TOKEN_REFUSED = frozenset({"INVALID_TOKEN", "UNAUTHORIZED_ERROR"})

# These win over any code and name beside them.
NAMES_DOUBTFUL = frozenset({"DUPLICATED_CLIENT_ID", "INTERNAL_ERROR", "NOT_UNIQUE", "SERVICE_UNAVAILABLE"})

_NAME = re.compile(r"[A-Z][A-Z_]{4,}")
TEXT_CHARS_MAX = 200  # of a venue's message that goes on into events and the journal


def name_in(*texts: str) -> str:
    """Return the first listed error name in the venue's texts, a doubtful one before all others; "" when none."""
    found = [name for text in texts for name in _NAME.findall(text)]
    for listed in (NAMES_DOUBTFUL, NAMES_REFUSED):
        for name in found:
            if name in listed:
                return str(name)
    return ""


def order_event(code: int, message: str, data: str) -> Rejected | InDoubt:
    """Say what an error reply to order.create proves."""
    name = name_in(message, data)
    text = f"{message} {data}".strip()[:TEXT_CHARS_MAX]
    if name not in NAMES_DOUBTFUL:
        if code in CODES_REFUSED:
            return Rejected(name or CODES_REFUSED[code], text)
        if code == METHOD_ERROR and name:
            return Rejected(name, text)
    return InDoubt(f"error {code} proves nothing: {text}".rstrip(": "))


def order_event_http(status: int, code: str, message: str) -> Rejected | InDoubt:
    """Say what an error answer to POST /orders proves: the same names as on the socket, and HTTP's own rate limit."""
    name = name_in(code, message)
    if name not in NAMES_DOUBTFUL:
        if status == HTTP_TOO_MANY:
            return Rejected(name or CODES_REFUSED[RATE_LIMITED], message[:TEXT_CHARS_MAX])
        if 400 <= status < 500 and name:
            return Rejected(name, message[:TEXT_CHARS_MAX])
    return InDoubt(f"HTTP {status} proves nothing: {code} {message[:TEXT_CHARS_MAX]}".rstrip(": "))


class Unavailable(ConnectionError):
    """A REST call got no usable answer (5xx, 429, an unreadable body): it says nothing about what was asked."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"paradex unavailable: {status} {code} {text[:TEXT_CHARS_MAX]}".rstrip())
        self.status, self.code, self.text = status, code, text
