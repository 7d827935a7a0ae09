"""Groups: made, joined by link, added to, left, ended."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import MAX_GROUP, Group, GroupFull, LinkInvalid, TooManyGroups, groups
from backend.friends.service import FriendsService
from tests.friends.conftest import Make, Somebody, befriend, news


async def make(friends: FriendsService, owner: Somebody, *members: Somebody) -> Group:
    group = await friends.new_group(ids.new("grp"), owner.person_id, "家人")
    secret = await friends.invite_link(owner.person_id, group.group_id)
    for member in members:
        group = await friends.join_group(member.person_id, secret)
    return group


async def fill(group: Group, up_to: int, clock: FixedClock) -> None:
    await TX.query(
        "insert into friends.member (group_id, person_id, joined_at)"
        " select $1, 'usr_' || n, $3 from generate_series(1, $2) as n",
        group.group_id,
        up_to - group.members,
        clock.now(),
    )


async def test_a_group_is_made_once(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group_id = ids.new("grp")
    first, *others = await asyncio.gather(
        *(friends.new_group(group_id, anna.person_id, "家人") for _ in range(5))
    )
    assert all(other == first for other in others)
    assert (first.members, first.owner_id) == (1, anna.person_id)
    assert await friends.groups(anna.person_id) == (first,)
    for person_id, name in ((anna.person_id, "别的"), (bo.person_id, "家人")):
        with pytest.raises(IdReused):
            await friends.new_group(group_id, person_id, name)


@pytest.mark.parametrize("name", ["", " ", "x" * 33, "a\u202eb", "a\nb", "\u200b"])
async def test_names_that_are_none(friends: FriendsService, person: Make, name: str) -> None:
    anna = await person()
    with pytest.raises(BadRequest):
        await friends.new_group(ids.new("grp"), anna.person_id, name)


async def test_an_id_of_another_kind(friends: FriendsService, person: Make) -> None:
    with pytest.raises(BadRequest):
        await friends.new_group(ids.new("pay"), (await person()).person_id, "家人")


async def test_joining_by_link(friends: FriendsService, person: Make) -> None:
    anna, bo = await person("安娜"), await person("小博")
    group = await friends.new_group(ids.new("grp"), anna.person_id, "家人")
    secret = await friends.invite_link(anna.person_id, group.group_id)
    assert len(secret) == 43
    assert await friends.invited(secret) == group
    for _ in range(2):
        joined = await friends.join_group(bo.person_id, secret)
        assert joined.members == 2
    members = await friends.members(bo.person_id, group.group_id)
    assert [member.name for member in members] == ["安娜", "小博"]
    assert await friends.is_member(bo.person_id, group.group_id)
    assert await news(bo.person_id) == [("group_joined", group.group_id)]
    assert await news(f"group:{group.group_id}") == [("group_joined", group.group_id)]


async def test_members_carry_the_reader_s_remarks(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person("安娜"), await person("小博"), await person("可儿")
    group = await make(friends, anna, bo, cleo)
    await befriend(friends, anna, bo)
    await friends.set_remark(anna.person_id, bo.person_id, "博士")
    mine = await friends.members(anna.person_id, group.group_id)
    theirs = await friends.members(cleo.person_id, group.group_id)
    assert [member.name for member in mine] == ["安娜", "博士", "可儿"]
    assert [member.name for member in theirs] == ["安娜", "小博", "可儿"]


async def test_a_link_lives_a_week(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    anna, bo = await person(), await person()
    group = await make(friends, anna)
    secret = await friends.invite_link(anna.person_id, group.group_id)
    clock.move(timedelta(days=7, seconds=1))
    for call in (friends.invited(secret), friends.join_group(bo.person_id, secret)):
        with pytest.raises(LinkInvalid):
            await call


async def test_a_link_ends_with_its_maker_s_membership(
    friends: FriendsService, person: Make
) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    group = await make(friends, anna, bo)
    secret = await friends.invite_link(bo.person_id, group.group_id)
    await friends.leave_group(bo.person_id, group.group_id)
    with pytest.raises(LinkInvalid):
        await friends.join_group(cleo.person_id, secret)


async def test_the_owner_withdraws_all_links(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    group = await make(friends, anna, bo)
    secret = await friends.invite_link(bo.person_id, group.group_id)
    with pytest.raises(NotFound):
        await friends.withdraw_invites(bo.person_id, group.group_id)
    await friends.withdraw_invites(anna.person_id, group.group_id)
    with pytest.raises(LinkInvalid):
        await friends.join_group(cleo.person_id, secret)


@pytest.mark.parametrize("secret", ["", "A" * 43, "é" * 43, "grp_"])
async def test_forged_secrets(friends: FriendsService, person: Make, secret: str) -> None:
    anna = await person()
    for call in (friends.invited(secret), friends.join_group(anna.person_id, secret)):
        with pytest.raises(LinkInvalid):
            await call


async def test_a_friend_s_link_is_no_group_s(friends: FriendsService, person: Make) -> None:
    anna = await person()
    with pytest.raises(LinkInvalid):
        await friends.invited(await friends.link(anna.person_id))


async def test_who_is_not_in_it_sees_nothing_of_it(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group_id = (await make(friends, anna)).group_id
    assert not await friends.is_member(bo.person_id, group_id)
    assert await friends.groups(bo.person_id) == ()
    for call in (
        friends.group(bo.person_id, group_id),
        friends.members(bo.person_id, group_id),
        friends.invite_link(bo.person_id, group_id),
        friends.withdraw_invites(bo.person_id, group_id),
        friends.add_to_group(bo.person_id, group_id, anna.person_id),
        friends.leave_group(bo.person_id, group_id),
        friends.group(anna.person_id, ids.new("grp")),
    ):
        with pytest.raises(NotFound):
            await call


async def test_a_friend_is_added_a_stranger_is_not(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    group_id = (await make(friends, anna)).group_id
    await befriend(friends, anna, bo)
    for _ in range(2):
        await friends.add_to_group(anna.person_id, group_id, bo.person_id)
    assert (await friends.group(bo.person_id, group_id)).members == 2
    with pytest.raises(NotFound):
        await friends.add_to_group(anna.person_id, group_id, cleo.person_id)


async def test_who_has_blocked_me_is_not_added(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group_id = (await make(friends, anna)).group_id
    await befriend(friends, anna, bo)
    await friends.block(bo.person_id, anna.person_id, True)
    await friends.add_to_group(anna.person_id, group_id, bo.person_id)
    assert not await friends.is_member(bo.person_id, group_id)


async def test_the_oldest_member_follows_the_owner(friends: FriendsService, person: Make) -> None:
    anna, bo, cleo = await person(), await person(), await person()
    group_id = (await make(friends, anna, bo, cleo)).group_id
    await friends.leave_group(anna.person_id, group_id)
    group = await friends.group(cleo.person_id, group_id)
    assert (group.owner_id, group.members) == (bo.person_id, 2)
    with pytest.raises(NotFound):
        await friends.leave_group(anna.person_id, group_id)
    await friends.leave_group(cleo.person_id, group_id)
    assert (await friends.group(bo.person_id, group_id)).owner_id == bo.person_id


async def test_the_last_one_ends_it(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group_id = (await make(friends, anna)).group_id
    secret = await friends.invite_link(anna.person_id, group_id)
    await friends.leave_group(anna.person_id, group_id)
    with pytest.raises(LinkInvalid):
        await friends.join_group(bo.person_id, secret)
    with pytest.raises(NotFound):
        await friends.group(anna.person_id, group_id)


async def test_everybody_leaves_at_once(friends: FriendsService, person: Make) -> None:
    people = [await person() for _ in range(6)]
    group_id = (await make(friends, *people)).group_id
    await asyncio.gather(*(friends.leave_group(each.person_id, group_id) for each in people))
    [row] = await TX.query("select members, ended_at from friends.circle")
    assert row["members"] == 0
    assert row["ended_at"] is not None


async def test_joining_while_the_owner_leaves(friends: FriendsService, person: Make) -> None:
    """Either the group ended before, or it has an owner."""
    for _ in range(5):
        anna, bo = await person(), await person()
        group_id = (await make(friends, anna)).group_id
        secret = await friends.invite_link(anna.person_id, group_id)
        _, joined = await asyncio.gather(
            friends.leave_group(anna.person_id, group_id),
            friends.join_group(bo.person_id, secret),
            return_exceptions=True,
        )
        if isinstance(joined, Group):
            assert (await friends.group(bo.person_id, group_id)).owner_id == bo.person_id
        else:
            assert isinstance(joined, LinkInvalid)


async def test_the_last_places_go_to_as_many(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    anna, late = await person(), [await person() for _ in range(8)]
    group = await make(friends, anna)
    await fill(group, MAX_GROUP - 3, clock)
    secret = await friends.invite_link(anna.person_id, group.group_id)
    answers = await asyncio.gather(
        *(friends.join_group(each.person_id, secret) for each in late), return_exceptions=True
    )
    assert sum(isinstance(answer, Group) for answer in answers) == 3
    refused = [answer for answer in answers if isinstance(answer, GroupFull)]
    assert len(refused) == 5
    assert refused[0].params == {"limit": MAX_GROUP}
    assert (await friends.group(anna.person_id, group.group_id)).members == MAX_GROUP
    await befriend(friends, anna, late[0])
    stranger = await person()
    await befriend(friends, anna, stranger)
    with pytest.raises(GroupFull):
        await friends.add_to_group(anna.person_id, group.group_id, stranger.person_id)


async def test_the_database_holds_the_limit(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    group = await make(friends, await person())
    with pytest.raises(asyncpg.CheckViolationError):
        await fill(group, MAX_GROUP + 1, clock)


async def test_the_database_keeps_an_owner_inside(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group = await make(friends, anna, bo)
    for attack in (
        "delete from friends.member where group_id = $1 and person_id = $2",
        "update friends.circle set owner_id = 'usr_other' || $2 where group_id = $1",
    ):
        with pytest.raises(asyncpg.RaiseError, match="owned by a member"):
            await TX.query(attack, group.group_id, anna.person_id)


async def test_groups_have_limits(
    friends: FriendsService, person: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bo = await person(), await person()
    monkeypatch.setattr(groups, "MAX_GROUPS", 2)
    made = [await make(friends, anna) for _ in range(2)]
    with pytest.raises(TooManyGroups):
        await make(friends, anna)
    await friends.leave_group(anna.person_id, made[0].group_id)
    await make(friends, anna)
    monkeypatch.setattr(groups, "MAX_JOINED", 1)
    await make(friends, bo)
    secret = await friends.invite_link(anna.person_id, made[1].group_id)
    with pytest.raises(TooManyGroups):
        await friends.join_group(bo.person_id, secret)
