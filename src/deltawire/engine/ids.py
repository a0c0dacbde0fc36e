"""The one maker of ids: run, pair, trade, leg, attempt in that order, so a list of ids sorts into the story they tell.

A run id is unique for ever on this machine (seconds, then a number that tells runs of one second apart), so no id of a
later run can meet one of an earlier run at the venue, which refuses duplicates (I3).
"""

from deltawire.core.types import ClientOrderId, TradeId

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
RUN_ID_PREFIX = "dw"  # an order of ours is recognised at the venue even where its record was lost


def run_id(unix_ns: int, salt: int) -> str:
    """Make the id of a run from its start time and a number that differs between runs of one second (the pid)."""
    return f"{RUN_ID_PREFIX}{_base36(unix_ns // 1_000_000_000)}{_base36(salt % 36**3).rjust(3, '0')}"


def is_ours(client_id: str) -> bool:
    return client_id.startswith(RUN_ID_PREFIX) and client_id.count("-") == 3


class IdMaker:
    """Ids of one run: `<run>-<pair>-<trade>-<leg><attempt>`, at most 64 characters for Paradex. Never repeats.

    Orders for a trade of an earlier run end in `.<run>` besides.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self._trades = 0
        self._attempts: dict[TradeId, int] = {}

    def trade(self, pair_index: int) -> TradeId:
        self._trades += 1
        return TradeId(f"{self.run}-{pair_index}-{self._trades}")

    def order(self, trade_id: TradeId, leg: int) -> ClientOrderId:
        """Return the next id of a trade: leg a or b, and the count of all orders of the trade so far."""
        attempt = self._attempts.get(trade_id, 0) + 1
        self._attempts[trade_id] = attempt
        # An order the run before sent without a record (a full disk) has a number that this one cannot know.
        taken_over = "" if trade_id.startswith(f"{self.run}-") else f".{self.run}"
        return ClientOrderId(f"{trade_id}-{'ab'[leg]}{attempt}{taken_over}")

    def resume(self, trade_id: TradeId, orders_so_far: int) -> None:
        """Go on after the orders a recovered trade already has."""
        self._attempts[trade_id] = max(orders_so_far, self._attempts.get(trade_id, 0))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
