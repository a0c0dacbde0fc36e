"""Subscribing at once: a hundred markets must not cost a hundred round trips, and one refusal must be told."""

import asyncio
from typing import Any

import pytest

from deltawire.venues.contract import Refused
from deltawire.venues.paradex.link import subscribe


class Venue:
    """Answers nothing before all that is expected has been asked: a caller that waits in between waits for ever."""

    def __init__(self, expected: int, refuses: str = "") -> None:
        self.asked: list[str] = []
        self._expected, self._refuses = expected, refuses
        self._all_asked = asyncio.Event()

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        assert method == "subscribe"
        self.asked.append(params["channel"])
        if len(self.asked) == self._expected:
            self._all_asked.set()
        await self._all_asked.wait()
        if params["channel"] == self._refuses:
            raise Refused("paradex", "1", "no such channel")
        return {}


async def test_all_channels_are_asked_for_in_order_before_the_first_answer():
    venue = Venue(3)
    await asyncio.wait_for(subscribe(venue, ("a", "b", "c")), 60)
    assert venue.asked == ["a", "b", "c"]


async def test_one_refusal_fails_the_whole_once_every_answer_is_there():
    with pytest.raises(Refused, match="no such channel"):
        await asyncio.wait_for(subscribe(Venue(3, refuses="b"), ("a", "b", "c")), 60)
