"""Reads one venue's book without an account: watch_a_book.py paradex|vest READY_FILE, the file of `deltawire sim`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deltawire import ParadexSettings, Secret, VestSettings, format_e8, watch

CHANGES = 5
MARKETS = {"paradex": (ParadexSettings, "BTC-USD-PERP"), "vest": (VestSettings, "BTC-PERP")}


async def main(venue: str, ready: Any) -> None:
    """Print the best bid and ask of a few changes of the book."""
    urls = ready[venue]
    kind, market = MARKETS[venue]
    settings = kind(urls["rest_url"], urls["ws_url"], "", Secret(""), (market,))
    async with watch(settings, ca_file=ready["ca_file"]) as venue_side:
        for _ in range(CHANGES):
            book = await venue_side.next_book(market)
            print(f"{market} {format_e8(book.bids[0][0])} {format_e8(book.asks[0][0])}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
