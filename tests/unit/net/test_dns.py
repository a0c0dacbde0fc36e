"""Addresses are asked for once in a while, by one question, and the old ones serve while nobody answers."""

import asyncio

import pytest

from deltawire.net.dns import ADDRESSES_MAX, AddressCache

TTL_S = 60.0


class NameServer:
    def __init__(self) -> None:
        self.answer = ["192.0.2.1", "192.0.2.1", "2001:db8::1"]
        self.away = False
        self.now_ns = 0
        self.cache = AddressCache(lambda: self.now_ns, self.resolve)

    async def resolve(self, host: str, port: int) -> list[str]:
        await asyncio.sleep(0)
        if self.away:
            raise OSError("the name server is away")
        return self.answer

    async def ask(self) -> list[str]:
        return await self.cache.addresses("vest.test", 443, TTL_S)


@pytest.fixture
def names() -> NameServer:
    return NameServer()


async def test_an_answer_is_used_for_its_time_and_then_asked_for_anew(names):
    assert await names.ask() == ["192.0.2.1", "2001:db8::1"]
    names.answer = ["192.0.2.9"]
    names.now_ns = int(TTL_S * 1e9) - 1
    assert await names.ask() == ["192.0.2.1", "2001:db8::1"]
    assert names.cache.asked == 1
    names.now_ns += 1
    assert await names.ask() == ["192.0.2.9"]


async def test_connections_opened_together_ask_one_question(names):
    answers = await asyncio.gather(*(names.ask() for _ in range(8)))
    assert names.cache.asked == 1
    assert answers == [["192.0.2.1", "2001:db8::1"]] * 8


async def test_the_old_answer_serves_while_the_name_server_is_away(names):
    await names.ask()
    names.away = True
    names.now_ns = int(TTL_S * 1e9)
    assert await names.ask() == ["192.0.2.1", "2001:db8::1"]
    names.away = False
    names.answer = ["192.0.2.9"]
    assert await names.ask() == ["192.0.2.9"]


async def test_without_any_answer_the_failure_is_told_and_the_next_call_asks_again(names):
    names.away = True
    with pytest.raises(OSError, match="away"):
        await names.ask()
    names.away = False
    assert await names.ask() == ["192.0.2.1", "2001:db8::1"]


async def test_what_did_not_open_is_asked_for_anew_and_stays_the_last_resort(names):
    await names.ask()
    names.cache.forget("vest.test", 443)
    names.answer = ["192.0.2.9"]
    assert await names.ask() == ["192.0.2.9"]
    names.cache.forget("vest.test", 443)
    names.away = True
    assert await names.ask() == ["192.0.2.9"]


async def test_a_long_answer_is_cut_and_an_empty_one_is_a_failure(names):
    names.answer = [f"192.0.2.{n}" for n in range(20)]
    assert len(await names.ask()) == ADDRESSES_MAX
    names.cache = AddressCache(lambda: 0, names.resolve)
    names.answer = []
    with pytest.raises(OSError, match="no address"):
        await names.ask()


async def test_one_who_gives_up_does_not_end_the_question_for_the_others(names):
    first, second = asyncio.ensure_future(names.ask()), asyncio.ensure_future(names.ask())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ["192.0.2.1", "2001:db8::1"]
    assert names.cache.asked == 1
