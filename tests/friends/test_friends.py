"""Friends: asked, accepted, remarked, blocked, removed."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from backend import friends as face
from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import OwnSelf, TooManyAsked, TooManyFriends, bonds, requests
from backend.friends.service import FriendsService
from tests.friends.conftest import Make, befriend, news, request_id, seen

HIDDEN = ["a\u202eb", "a\x00b", "a\nb", "\u200b", "x" * 51]


async def test_a_request_is_accepted(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "我是安娜")
    [asked] = await friends.asked(anna.person_id)
    assert (asked.person_id, asked.name, asked.message) == (bo.person_id, "小博", "我是安娜")
    assert await seen(friends, anna) == []
    [asking] = await friends.friends(bo.person_id)
    assert (asking.name, asking.state, asking.message) == ("安娜", "asking", "我是安娜")
    assert not await friends.are_friends(anna.person_id, bo.person_id)
    assert (await friends.accept(bo.person_id, anna.person_id)).state == "friends"
    assert await seen(friends, anna) == [("小博", "friends")]
    assert await seen(friends, bo) == [("安娜", "friends")]
    assert await friends.asked(anna.person_id) == ()
    assert await friends.are_friends(anna.person_id, bo.person_id)
    assert await friends.are_friends(bo.person_id, anna.person_id)
    assert await news(bo.person_id) == [
        ("friend_asked", anna.person_id),
        ("friend_accepted", anna.person_id),
    ]
    assert await news(anna.person_id) == [("friend_accepted", bo.person_id)]


async def test_asking_who_asks_me_makes_friends_at_once(
    friends: FriendsService, person: Make
) -> None:
    anna, bo = await person(), await person()
    for one, other in ((anna, bo), (bo, anna)):
        await friends.ask_person(request_id(), one.person_id, other.person_id, "")
    assert await friends.are_friends(anna.person_id, bo.person_id)
    assert await friends.asked(anna.person_id) == await friends.asked(bo.person_id) == ()


async def test_both_ask_at_the_same_time(friends: FriendsService, person: Make) -> None:
    for _ in range(5):
        anna, bo = await person(), await person()
        await asyncio.gather(
            friends.ask_person(request_id(), anna.person_id, bo.person_id, ""),
            friends.ask_person(request_id(), bo.person_id, anna.person_id, ""),
        )
        assert await friends.are_friends(anna.person_id, bo.person_id)
        assert await friends.are_friends(bo.person_id, anna.person_id)


async def test_accepting_at_once_from_many_windows(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    answers = await asyncio.gather(
        *(friends.accept(bo.person_id, anna.person_id) for _ in range(5))
    )
    assert {answer.state for answer in answers} == {"friends"}
    assert (await news(anna.person_id)).count(("friend_accepted", bo.person_id)) == 1


async def test_accepting_and_removing_at_once_leaves_no_half(
    friends: FriendsService, person: Make
) -> None:
    for _ in range(5):
        anna, bo = await person(), await person()
        await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
        await asyncio.gather(
            friends.accept(bo.person_id, anna.person_id),
            friends.remove(anna.person_id, bo.person_id),
        )
        assert await friends.are_friends(anna.person_id, bo.person_id) == await friends.are_friends(
            bo.person_id, anna.person_id
        )


async def test_the_same_request_again_is_the_same(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    first = request_id()
    await asyncio.gather(
        *(friends.ask_person(first, anna.person_id, bo.person_id, "hi") for _ in range(5))
    )
    assert len(await friends.asked(anna.person_id)) == 1
    assert len(await news(bo.person_id)) == 1
    for other_id, message in ((cleo.person_id, "hi"), (bo.person_id, "hello")):
        with pytest.raises(IdReused):
            await friends.ask_person(first, anna.person_id, other_id, message)
    with pytest.raises(IdReused):
        await friends.ask_person(first, cleo.person_id, bo.person_id, "hi")


async def test_asking_again_does_not_pester(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    for _ in range(3):
        await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    assert len(await friends.friends(bo.person_id)) == len(await news(bo.person_id)) == 1


async def test_who_is_declined_sees_no_change(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    before = await friends.asked(anna.person_id)
    await friends.decline(bo.person_id, anna.person_id)
    await friends.decline(bo.person_id, anna.person_id)
    assert await friends.asked(anna.person_id) == before
    assert await seen(friends, bo) == []
    with pytest.raises(NotFound):
        await friends.accept(bo.person_id, anna.person_id)
    # Taken back and sent again, it is swallowed for a month.
    await friends.withdraw(anna.person_id, before[0].request_id)
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "please")
    assert len(await friends.asked(anna.person_id)) == 1
    assert await seen(friends, bo) == []


async def test_a_decliner_may_change_their_mind(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    await friends.decline(bo.person_id, anna.person_id)
    await friends.ask_person(request_id(), bo.person_id, anna.person_id, "")
    assert await friends.are_friends(anna.person_id, bo.person_id)


async def test_a_request_is_taken_back(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    [asked] = await friends.asked(anna.person_id)
    with pytest.raises(NotFound):
        await friends.withdraw(bo.person_id, asked.request_id)
    await friends.withdraw(anna.person_id, asked.request_id)
    await friends.withdraw(anna.person_id, asked.request_id)
    assert await seen(friends, bo) == []
    with pytest.raises(NotFound):
        await friends.accept(bo.person_id, anna.person_id)


async def test_a_request_ends_after_a_month(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    anna, bo = await person(), await person()
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    clock.move(face.REQUEST_LIFE + timedelta(seconds=1))
    assert await friends.asked(anna.person_id) == ()
    assert await friends.friends(bo.person_id) == ()
    with pytest.raises(NotFound):
        await friends.accept(bo.person_id, anna.person_id)
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    assert len(await friends.friends(bo.person_id)) == 1


async def test_who_is_blocked_sees_no_change(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await befriend(friends, anna, bo)
    await friends.block(bo.person_id, anna.person_id, True)
    await friends.block(bo.person_id, anna.person_id, True)
    assert await seen(friends, bo) == [("安娜", "blocked")]
    assert await seen(friends, anna) == [("小博", "friends")]
    assert await friends.are_friends(anna.person_id, bo.person_id)
    assert not await friends.are_friends(bo.person_id, anna.person_id)
    for one, other in ((anna, bo), (bo, anna)):
        assert await friends.blocked_between(one.person_id, other.person_id)
    await friends.block(bo.person_id, anna.person_id, False)
    assert await seen(friends, bo) == [("安娜", "friends")]
    assert not await friends.blocked_between(anna.person_id, bo.person_id)


async def test_a_request_of_somebody_blocked_is_swallowed(
    friends: FriendsService, person: Make
) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    await friends.block(bo.person_id, anna.person_id, True)
    [asked] = await friends.asked(anna.person_id)  # as before
    await friends.withdraw(anna.person_id, asked.request_id)
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    assert len(await friends.asked(anna.person_id)) == 1
    assert await seen(friends, bo) == [("安娜", "blocked")]
    assert len(await news(bo.person_id)) == 1  # of the first
    await friends.block(bo.person_id, anna.person_id, False)
    assert await seen(friends, bo) == []


async def test_blocking_takes_one_s_own_request_back(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await friends.ask_person(request_id(), anna.person_id, bo.person_id, "")
    await befriend(friends, anna, await person())
    with pytest.raises(NotFound):
        await friends.block(anna.person_id, bo.person_id, True)  # has nothing to do with them yet
    group = await friends.new_group(ids.new("grp"), anna.person_id, "家")
    await friends.join_group(
        bo.person_id, await friends.invite_link(anna.person_id, group.group_id)
    )
    await friends.block(anna.person_id, bo.person_id, True)
    assert await seen(friends, bo) == []
    assert await friends.asked(anna.person_id) == ()


async def test_strangers_can_t_be_blocked_unblocked_or_remarked(
    friends: FriendsService, person: Make
) -> None:
    anna, bo = await person(), await person()
    for call in (
        friends.block(anna.person_id, bo.person_id, True),
        friends.block(anna.person_id, bo.person_id, False),
        friends.set_remark(anna.person_id, bo.person_id, "?"),
        friends.accept(anna.person_id, bo.person_id),
        friends.friend(anna.person_id, bo.person_id),
        friends.friend(anna.person_id, ""),
        friends.ask_person(request_id(), anna.person_id, ids.new("usr"), ""),
        friends.withdraw(anna.person_id, request_id()),
    ):
        with pytest.raises(NotFound):
            await call


async def test_a_friendship_ends_for_both(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    await befriend(friends, anna, bo)
    await friends.set_remark(anna.person_id, bo.person_id, "博士")
    await friends.remove(anna.person_id, bo.person_id)
    await friends.remove(anna.person_id, bo.person_id)
    assert await friends.friends(anna.person_id) == await friends.friends(bo.person_id) == ()
    again = await befriend(friends, bo, anna)
    assert again.remark == ""


async def test_a_block_outlives_the_friendship(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await befriend(friends, anna, bo)
    await friends.block(bo.person_id, anna.person_id, True)
    await friends.remove(bo.person_id, anna.person_id)
    assert await seen(friends, bo) == [("安娜", "blocked")]
    assert await seen(friends, anna) == []


async def test_a_remark_is_one_s_own(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    await befriend(friends, anna, bo)
    assert (await friends.set_remark(anna.person_id, bo.person_id, "表哥")).remark == "表哥"
    assert (await friends.friend(bo.person_id, anna.person_id)).remark == ""
    assert (await friends.set_remark(anna.person_id, bo.person_id, "")).remark == ""


async def test_the_list_has_an_order(friends: FriendsService, person: Make) -> None:
    anna = await person("安娜")
    others = [await person(name) for name in ("Zoe", "bob", "Carl", "Dan")]
    for other in others[:3]:
        await befriend(friends, other, anna)
    await friends.set_remark(anna.person_id, others[0].person_id, "aunt")
    await friends.block(anna.person_id, others[2].person_id, True)
    await friends.ask_person(request_id(), others[3].person_id, anna.person_id, "")
    assert await seen(friends, anna) == [
        ("Dan", "asking"),
        ("Zoe", "friends"),
        ("bob", "friends"),
        ("Carl", "blocked"),
    ]


@pytest.mark.parametrize("text", HIDDEN)
async def test_text_that_hides_something_is_refused(
    friends: FriendsService, person: Make, text: str
) -> None:
    anna, bo = await person(), await person()
    with pytest.raises(BadRequest):
        await friends.ask_person(request_id(), anna.person_id, bo.person_id, text)
    await befriend(friends, anna, bo)
    with pytest.raises(BadRequest):
        await friends.set_remark(anna.person_id, bo.person_id, text)


async def test_a_request_needs_an_id_of_its_kind(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    for bad in ("", "frq_x", ids.new("pay"), request_id().upper()):
        with pytest.raises(BadRequest):
            await friends.ask_person(bad, anna.person_id, bo.person_id, "")


async def test_nobody_is_their_own_friend(friends: FriendsService, person: Make) -> None:
    anna = await person()
    secret = await friends.link(anna.person_id)
    with pytest.raises(OwnSelf):
        await friends.ask(request_id(), anna.person_id, secret, "")
    with pytest.raises(OwnSelf):
        await friends.ask_person(request_id(), anna.person_id, anna.person_id, "")
    with pytest.raises(OwnSelf):
        await friends.find(anna.person_id, anna.phone)


async def test_requests_have_a_limit(
    friends: FriendsService, person: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_ASKED", 2)
    anna = await person()
    for _ in range(2):
        other = await person()
        await friends.ask_person(request_id(), anna.person_id, other.person_id, "")
    for asked in await friends.asked(anna.person_id):
        await friends.withdraw(anna.person_id, asked.request_id)  # helps against nothing today
    with pytest.raises(TooManyAsked):
        await friends.ask_person(request_id(), anna.person_id, (await person()).person_id, "")


async def test_friends_have_a_limit(
    friends: FriendsService, person: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bonds, "MAX_FRIENDS", 1)
    anna, bo, cleo = await person(), await person(), await person()
    await befriend(friends, anna, bo)
    for one, other in ((anna, cleo), (cleo, bo)):
        await friends.ask_person(request_id(), one.person_id, other.person_id, "")
        with pytest.raises(TooManyFriends):
            await friends.accept(other.person_id, one.person_id)
    assert await friends.asked(anna.person_id) != ()


async def test_the_database_keeps_friendship_mutual(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    await befriend(friends, anna, bo)
    for attack in (
        "delete from friends.bond where person_id = $1 and other_id = $2",
        "update friends.bond set friends = false, blocked = true"
        " where person_id = $1 and other_id = $2",
        "insert into friends.bond (person_id, other_id, friends, since)"
        " select $1, 'usr_' || $2, true, now()",
    ):
        with pytest.raises(asyncpg.RaiseError, match="mutual"):
            await TX.query(attack, anna.person_id, bo.person_id)
    with pytest.raises(asyncpg.CheckViolationError):
        await TX.query(
            "insert into friends.bond (person_id, other_id, friends, since)"
            " values ($1, $1, true, now())",
            anna.person_id,
        )
