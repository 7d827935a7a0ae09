"""Links that lead to a person: for a week, kept as hashes, withdrawn."""

from datetime import timedelta

import pytest

from backend import friends as face
from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.friends import LinkInvalid
from backend.friends.service import FriendsService
from tests.friends.conftest import Make, request_id, seen


async def test_a_link_leads_to_a_person_for_a_week(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    anna, bo = await person("安娜"), await person("小博")
    secret = await friends.link(anna.person_id)
    assert len(secret) == 43
    assert await friends.linked(secret) == anna.person_id
    await friends.ask(request_id(), bo.person_id, secret, "hi")
    [asked] = await friends.asked(bo.person_id)
    assert asked.name == "安娜"  # the link told that
    assert await seen(friends, anna) == [("小博", "asking")]
    clock.move(timedelta(days=7, seconds=1))
    with pytest.raises(LinkInvalid):
        await friends.linked(secret)


async def test_links_are_kept_as_hashes(friends: FriendsService, person: Make) -> None:
    anna = await person()
    secret = await friends.link(anna.person_id)
    rows = await TX.query("select * from friends.link")
    assert len(rows) == 1
    assert secret not in str([tuple(row) for row in rows])


async def test_links_are_withdrawn(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    mine, theirs = await friends.link(anna.person_id), await friends.link(bo.person_id)
    await friends.withdraw_links(anna.person_id)
    with pytest.raises(LinkInvalid):
        await friends.linked(mine)
    assert await friends.linked(theirs) == bo.person_id


async def test_only_the_newest_links_live(
    friends: FriendsService, person: Make, clock: FixedClock
) -> None:
    anna, made = await person(), []
    for _ in range(face.MAX_LINKS + 2):
        made.append(await friends.link(anna.person_id))
        clock.move(timedelta(seconds=1))
    for old in made[:2]:
        with pytest.raises(LinkInvalid):
            await friends.linked(old)
    for live in made[2:]:
        assert await friends.linked(live) == anna.person_id


@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "A" * 44, "é" * 43, "' or true --"])
async def test_forged_secrets_lead_nowhere(
    friends: FriendsService, person: Make, secret: str
) -> None:
    anna = await person()
    with pytest.raises(LinkInvalid):
        await friends.linked(secret)
    with pytest.raises(LinkInvalid):
        await friends.ask(request_id(), anna.person_id, secret, "")


async def test_a_group_s_link_is_no_friend_s_link(friends: FriendsService, person: Make) -> None:
    anna, bo = await person(), await person()
    group = await friends.new_group(ids.new("grp"), anna.person_id, "家")
    secret = await friends.invite_link(anna.person_id, group.group_id)
    with pytest.raises(LinkInvalid):
        await friends.linked(secret)
    with pytest.raises(LinkInvalid):
        await friends.ask(request_id(), bo.person_id, secret, "")
