"""A test of somebody else's program against a local Paradex. Run it: pytest examples/test_on_simulators.py.

The fixture comes from `deltawire.testing.plugin`. The program under test here is only a few lines; yours may be in any
language that can be told a URL and a certificate authority.
"""

import asyncio

from deltawire import Order, Side, connect
from deltawire.testing import SimulatedVenues

pytest_plugins = ["deltawire.testing.plugin"]

BTC = "BTC-USD-PERP"


async def buy(venues: SimulatedVenues, size_e8: int) -> Order:
    """Buy what the book has, at once: the program under test."""
    async with connect(venues.paradex(BTC), ca_file=venues.ca_file) as account:
        book = await account.until_open(BTC)
        worst_e8 = book.asks[-1][0]
        return await account.finished(account.submit(BTC, Side.BUY, size_e8, worst_e8))


def test_what_was_bought_is_at_the_venue(simulated_venues: SimulatedVenues) -> None:
    order = asyncio.run(buy(simulated_venues, 10**6))
    address = simulated_venues.ready.accounts[0].paradex.account_address
    assert order.filled_e8 == 10**6
    assert simulated_venues.state()["paradex"]["accounts"][address]["positions"] == {BTC: "0.01"}


def test_an_answer_that_is_lost_does_not_lose_the_order(simulated_venues: SimulatedVenues) -> None:
    simulated_venues.fault("paradex", "lose_reply")
    order = asyncio.run(buy(simulated_venues, 10**6))
    assert order.filled_e8 == 10**6
