# ruff: noqa: INP001 - a script for another environment, not a package
"""Signs orders by the official SDK and prints how long each took. For `deltawire bench sign`; sends none.

Usage: sign_paradex_py.py <rest url> <ws url> <orders>   with PARADEX_PRIVATE_KEY and SSL_CERT_FILE in the environment
"""

import json
import os
import sys
import time
from decimal import Decimal
from importlib.metadata import version

from paradex_py import Paradex
from paradex_py.common.order import Order, OrderSide, OrderType

WARM_UP = 20


def main() -> None:
    rest_url, ws_url, orders = sys.argv[1], sys.argv[2], int(sys.argv[3])
    account = Paradex(
        env="testnet",
        l1_address="0x0000000000000000000000000000000000000000",
        l2_private_key=os.environ["PARADEX_PRIVATE_KEY"],
        api_base_url=rest_url,
        ws_url_override=ws_url,
    ).account
    assert account is not None
    took_ns = []
    for number in range(WARM_UP + orders):
        price = Decimal(3000) + number
        order = Order("ETH-USD-PERP", OrderType.Limit, OrderSide.Buy, Decimal("0.5"), price, instruction="IOC")
        order.signature_timestamp = 1_763_800_000_000 + number
        before_ns = time.perf_counter_ns()
        order.signature = account.sign_order(order)
        took_ns.append(time.perf_counter_ns() - before_ns)
    sys.stdout.write(json.dumps({"version": version("paradex-py"), "samples_ns": took_ns[WARM_UP:]}))


if __name__ == "__main__":
    main()
