"""For how long a refusal keeps entries out of a market, or off the account. Pure; exits never ask here.

Source: Vest API v2 notes, sections 10 and 11: which codes are worth waiting on; the lengths are ours (errors.PAUSES).
"""

from deltawire.venues.vest.errors import PAUSES, reason

_EVERYWHERE = ""


class Pauses:
    def __init__(self) -> None:
        self._until: dict[str, tuple[int, str]] = {}  # symbol, or everywhere -> mono ns, why

    def note(self, symbol: str, code: int, now_mono_ns: int) -> bool:
        """Take in a refusal; False when it is none to wait on. A shorter pause never ends a longer one."""
        pause = PAUSES.get(code)
        if pause is None:
            return False
        where = _EVERYWHERE if pause.everywhere else symbol
        until_mono_ns = now_mono_ns + int(pause.seconds * 1e9)
        if until_mono_ns > self._until.get(where, (0, ""))[0]:
            self._until[where] = until_mono_ns, reason(code)
        return True

    def block(self, symbol: str, now_mono_ns: int) -> str:
        """Say why no entry is tried in this market now, "" when nothing speaks against it."""
        for where in (_EVERYWHERE, symbol):
            until_mono_ns, why = self._until.get(where, (0, ""))
            if now_mono_ns < until_mono_ns:
                return f"refused with {why}: waiting {(until_mono_ns - now_mono_ns) / 1e9:.1f} s more"
        return ""
