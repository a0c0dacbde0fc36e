"""The `tradebusts` channel: fills the chain did not bear and took back. JSON on every connection. Sans-I/O.

Rare, mostly near the margin limit or by the other side's fault. The position then differs from what was told in fills.
Source: Paradex protocol reference, sections 7.5 and 16, state of October 2026.
"""

from dataclasses import dataclass

import msgspec

from deltawire.venues.contract import DecodeError

CHANNEL = "tradebusts"


@dataclass(frozen=True, slots=True)
class Bust:
    fill_id: str
    account: str


class _BustJson(msgspec.Struct):
    busted_fill_id: str
    account: str = ""


_decoder = msgspec.json.Decoder(_BustJson)


def decode(data: msgspec.Raw | bytes) -> Bust:
    """Read the channel's data. Raises DecodeError."""
    try:
        raw = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"unreadable data of {CHANNEL}: {e}") from e
    return Bust(raw.busted_fill_id, raw.account)
