"""How the simulated Vest says no: one exception with the venue's code. Its envelope is vest_api's matter."""

from deltawire.venues.vest import errors

UNAUTHORIZED = 1002
TOO_MANY_REQUESTS = 1003
INVALID_SIGNATURE = 1022
INVALID_NONCE = 1023
INVALID_NETWORK_TYPE = 1024
ACCOUNT_NOT_FOUND = 1099
BAD_DECIMALS = 1111
INVALID_ORDER_TYPE = 1116
BAD_SYMBOL = 1121
INVALID_LISTEN_KEY = 1125
INVALID_PARAMETER = 1130
BAD_RECV_WINDOW = 1131
ORDER_EXPIRED = 1132
INVALID_TIME_IN_FORCE = 1133
INVALID_TP_SL_PRICE = 1145
INVALID_ACCOUNT_GROUP = 1146
MARKET_CLOSED_REQUEST = 1148
PRICE_CHECK_FAILED = 3001
MARGIN_CHECK_FAILED = 3002
PRICE_STALE = 3003
INCREASE_WITH_SL_TP = 3006
INCREASE_DURING_INSOLVENCY = 3007
DELETED_BY_LIQ = 3008
INVALID_LIMIT_PRICE = 3011
DUPLICATE = 3015
ORDER_NOT_FOUND = 3017
REDUCE_ONLY_INCREASES = 3018
REDUCE_ONLY_EXCEEDS_SIZE = 3019
ORDER_CHANGES_LEVERAGE = 3020
DECREASE_LEVERAGE_WITH_POSITION = 3021
MARKET_CLOSED = 3024


class Refusal(Exception):
    """The venue refuses a request in its answer. The text is ours; clients go by the code."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code = code
        self.text = text or errors.rule_for_code(code).name
        super().__init__(f"{code} {self.text}")
