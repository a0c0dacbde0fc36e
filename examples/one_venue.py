"""Uses one venue's adapter alone: reads its book, buys a little with a capped price, and sells it again.

one_venue.py paradex|vest READY_FILE, the file that `deltawire sim --ready-file` writes. At the real venue all that
differs is where the settings come from, and that no ca_file is given.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deltawire import ParadexSettings, Secret, Side, VestSettings, connect, format_e8, parse_e8

SIZE_E8 = parse_e8("0.01")


def settings_of(venue: str, ready: Any) -> tuple[ParadexSettings | VestSettings, str]:
    """Return where the venue is and whose account it is, and the market to trade there."""
    urls, keys = ready[venue], ready["accounts"][0][venue]
    rest_url, ws_url = urls["rest_url"], urls["ws_url"]
    if venue == "paradex":
        market = "BTC-USD-PERP"
        key = Secret(keys["private_key"])
        return ParadexSettings(rest_url, ws_url, keys["account_address"], key, (market,)), market
    market = "BTC-PERP"
    key = Secret(keys["primary_private_key"])
    return VestSettings(rest_url, ws_url, keys["primary_address"], key, (market,)), market


async def main(venue: str, ready: Any) -> None:
    """Go in and out once, and say what it cost."""
    settings, market = settings_of(venue, ready)
    async with connect(settings, ca_file=ready["ca_file"]) as account:
        rules = account.instrument(market)
        for side in (Side.BUY, Side.SELL):
            book = await account.until_open(market)
            price_e8 = book.asks[0][0] if side is Side.BUY else book.bids[0][0]
            worst_e8 = rules.cap(side, price_e8 + side.sign * price_e8 // 1000)  # at most 10 bps past the best
            order_id = account.submit(market, side, SIZE_E8, worst_e8, reduce_only=side is Side.SELL)
            order = await account.finished(order_id)
            paid = f"{format_e8(order.notional_e8)} USD, fee {format_e8(order.fee_e8)}"
            print(f"{side.name} {format_e8(order.filled_e8)} {market}: {order.state.value}, {paid}")
        while held := await account.positions():  # a venue's lists may lag behind its orders for a moment
            print(f"still shown: {format_e8(held[0].size_e8)}")
            await asyncio.sleep(0.5)
        print("flat")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
