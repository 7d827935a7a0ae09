"""Looking for a number: whether it has a wallet is not told by anything."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backend.clock import FixedClock
from backend.db import TX
from backend.errors import BadRequest, IdReused
from backend.friends import FIND_LIFE, MAX_FINDS, LinkInvalid, TooManyFinds
from backend.friends.service import FriendsService
from tests.friends.conftest import Make, Somebody, befriend, news, request_id, seen

NOBODYS = "+8615500000000"


async def ask_number(friends: FriendsService, who: Somebody, phone: str, message: str = "") -> str:
    found = await friends.find(who.person_id, phone)
    await friends.ask(request_id(), who.person_id, found.token, message)
    return found.token


async def test_a_number_is_asked(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await ask_number(friends, anna, bo.phone, "我是安娜")
    assert await seen(friends, bo) == [("安娜", "asking")]
    await friends.accept(bo.person_id, anna.person_id)
    assert await friends.are_friends(anna.person_id, bo.person_id)
    assert await friends.asked(anna.person_id) == ()


async def test_an_unknown_number_looks_like_any_other(
    friends: FriendsService, person: Make
) -> None:
    anna, bo = await person(), await person()
    known = await friends.find(anna.person_id, bo.phone)
    unknown = await friends.find(anna.person_id, NOBODYS)
    assert len(known.token) == len(unknown.token) == 43
    assert known.expires_at == unknown.expires_at
    for token in (known.token, unknown.token):
        await friends.ask(request_id(), anna.person_id, token, "hi")
    of_unknown, of_known = await friends.asked(anna.person_id)
    assert of_unknown.name == "155****0000"
    assert of_known.name == f"{bo.phone[3:6]}****{bo.phone[-4:]}"
    for asked in (of_unknown, of_known):
        assert (asked.person_id, asked.message) == ("", "hi")
    assert await seen(friends, anna) == []


async def test_known_and_unknown_take_the_same_steps(
    friends: FriendsService, person: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, known, blocks, declines = [await person() for _ in range(4)]
    await befriend(friends, anna, blocks)
    await friends.block(blocks.person_id, anna.person_id, True)
    await ask_number(friends, anna, declines.phone)
    await friends.decline(declines.person_id, anna.person_id)
    [asked] = await friends.asked(anna.person_id)
    await friends.withdraw(anna.person_id, asked.request_id)

    async def steps(phone: str) -> list[str]:
        taken: list[str] = []
        query = TX.query

        async def listed(sql: str, *args: Any) -> Any:
            taken.append(sql)
            return await query(sql, *args)

        with monkeypatch.context() as patched:
            patched.setattr(TX, "query", listed)
            await ask_number(friends, anna, phone)
        return taken

    of_unknown = await steps(NOBODYS)
    assert len(of_unknown) > 5
    for somebody in (known, blocks, declines):
        assert await steps(somebody.phone) == of_unknown


async def test_what_is_kept_of_a_find(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    tokens = [await ask_number(friends, anna, phone) for phone in (bo.phone, NOBODYS)]
    for table in ("found", "request", "look_up"):
        rows = await TX.query(f"select * from friends.{table}")
        kept = str([tuple(row) for row in rows])
        assert NOBODYS[3:] not in kept
        assert not any(token in kept for token in tokens)
    assert len(await TX.query("select from friends.found")) == 2


async def test_a_friend_s_number_is_not_betrayed(friends: FriendsService, person: Make) -> None:
    """Who knows somebody, but not their number, can't try out numbers."""
    anna, bo = await person(), await person()
    await befriend(friends, anna, bo)
    await ask_number(friends, anna, bo.phone)
    [asked] = await friends.asked(anna.person_id)
    assert asked.person_id == ""
    assert len(await news(bo.person_id)) == 2  # of becoming friends


async def test_finds_have_a_limit(friends: FriendsService, person: Make, clock: FixedClock) -> None:
    anna, bo = await person(), await person()
    answers = await asyncio.gather(
        *(friends.find(anna.person_id, NOBODYS) for _ in range(MAX_FINDS + 5)),
        return_exceptions=True,
    )
    refused = [each for each in answers if isinstance(each, TooManyFinds)]
    assert len(refused) == 5
    assert refused[0].params == {"minutes": 60}
    await friends.find(bo.person_id, NOBODYS)  # another person's own
    with pytest.raises(TooManyFinds):
        await friends.count_find(anna.person_id)
    clock.move(timedelta(minutes=59))
    with pytest.raises(TooManyFinds) as late:
        await friends.find(anna.person_id, bo.phone)
    assert late.value.params == {"minutes": 1}
    clock.move(timedelta(minutes=1))
    await friends.find(anna.person_id, bo.phone)


async def test_a_token_is_its_finder_s_own(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    found = await friends.find(anna.person_id, bo.phone)
    with pytest.raises(LinkInvalid):
        await friends.ask(request_id(), cleo.person_id, found.token, "")


async def test_a_token_ends(friends: FriendsService, person: Make, clock: FixedClock) -> None:
    anna, bo = await person(), await person()
    found = await friends.find(anna.person_id, bo.phone)
    clock.move(FIND_LIFE)
    with pytest.raises(LinkInvalid):
        await friends.ask(request_id(), anna.person_id, found.token, "")
    await friends.find(anna.person_id, bo.phone)
    assert len(await TX.query("select from friends.found")) == 1  # the old one is gone


async def test_a_repeated_request_by_number(friends: FriendsService, person: Make) -> None:
    anna, first = await person(), request_id()
    found = await friends.find(anna.person_id, NOBODYS)
    for _ in range(2):
        await friends.ask(first, anna.person_id, found.token, "hi")
    assert len(await friends.asked(anna.person_id)) == 1
    with pytest.raises(IdReused):
        await friends.ask(first, anna.person_id, found.token, "hello")
    again = await friends.find(anna.person_id, NOBODYS)
    await friends.ask(request_id(), anna.person_id, again.token, "hi")
    assert len(await friends.asked(anna.person_id)) == 1


@pytest.mark.parametrize("phone", ["", "13800138000", "+86abc", "+8613800138000\n", "+" + "9" * 40])
async def test_what_is_no_number(friends: FriendsService, person: Make, phone: str) -> None:
    anna = await person()
    with pytest.raises(BadRequest):
        await friends.find(anna.person_id, phone)
