"""Groups as pages: made, joined, added to, left."""

import re

import pytest

from backend import ids
from backend.friends import GroupFull, TooManyFriends, TooManyGroups
from tests.web.browser import Browser
from tests.web.pages.conftest import Enter, Guest
from tests.web.pages.test_friends import make_friends
from tests.world import World
from web.i18n import texts

LINK = re.compile(r"/g/[A-Za-z0-9_-]{43}")


async def make_group(guest: Guest, name: str = "一家人") -> str:
    """Its page's address."""
    await guest.see("/groups/new")
    page = await guest.tap("/groups", {"name": name})
    assert page.url.path.startswith("/groups/grp_")
    return str(page.url.path)


async def link_of(guest: Guest, group: str) -> str:
    await guest.see(group)
    shown = await guest.tap(f"{group}/links")
    found = LINK.search(shown.text)
    assert found
    return found[0]


async def test_a_group_is_made_and_listed(enter: Enter) -> None:
    anna = await enter(name="安娜")
    group = await make_group(anna)
    page = anna.browser.page.text
    assert "一家人" in page
    assert "安娜" in page
    assert "Owner" in page
    for path in ("/friends", "/groups"):
        assert f'href="{group}"' in (await anna.see(path)).text


async def test_a_double_click_makes_one(enter: Enter) -> None:
    anna = await enter()
    await anna.see("/groups/new")
    for _ in range(2):
        answer = await anna.tap_htmx("/groups", {"name": "球队"})
        assert answer.headers["hx-redirect"].startswith("/groups/grp_")
    assert (await anna.see("/groups")).text.count("球队") == 1
    await anna.see("/groups/new")
    await anna.tap_htmx("/groups", {"name": "球队"})
    assert (await anna.tap_htmx("/groups", {"name": "别的"})).status_code == 409


@pytest.mark.parametrize("name", ["", " ", "x" * 33, "a\u202eb", "a\x07b", "\u3164"])
async def test_names_that_are_none(enter: Enter, name: str) -> None:
    anna = await enter()
    await anna.see("/groups/new")
    answer = await anna.tap("/groups", {"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_a_forged_id(enter: Enter) -> None:
    anna = await enter()
    await anna.see("/groups/new")
    answer = await anna.tap("/groups", {"name": "家", "group_id": "grp_1"})
    assert answer.status_code == 422
    assert "out of date" in answer.text


async def test_joining_by_link(enter: Enter, browser: Browser) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    group = await make_group(anna)
    where = await link_of(anna, group)
    visitor = await browser.open(where)
    assert "一家人" in visitor.text
    for door in ("/sign-in", "/sign-up"):
        assert f'href="{door}?next={where}"' in visitor.text
    invited = await bo.see(where)
    assert "1 member" in invited.text
    assert "安娜" not in invited.text  # members are for members
    joined = await bo.tap(where)
    assert joined.url.path == group
    assert "安娜" in joined.text
    assert (await bo.see(where)).url.path == group


@pytest.mark.parametrize("secret", ["x", "A" * 43])
async def test_links_that_lead_nowhere(enter: Enter, browser: Browser, secret: str) -> None:
    guest = await enter()
    for answer in (await guest.see(f"/g/{secret}"), await browser.open(f"/g/{secret}")):
        assert answer.status_code == 410


async def test_old_and_withdrawn_links(enter: Enter, world: World) -> None:
    anna, bo = await enter(), await enter()
    group = await make_group(anna)
    old = await link_of(anna, group)
    world.later(days=8)
    assert (await bo.see(old)).status_code == 410
    await anna.see("/")
    new = await link_of(anna, group)
    await bo.see(new)
    await anna.see(group)
    await anna.tap(f"{group}/links/withdrawal")
    assert (await bo.tap(new)).status_code == 410


async def test_friends_are_added(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    await make_friends(anna, bo)
    group = await make_group(anna)
    page = await anna.see(f"{group}/members/new")
    assert "小博" in page.text
    after = await anna.tap(f"{group}/members")
    assert "Nobody left to add" in after.text
    assert "一家人" in (await bo.see("/groups")).text


async def test_a_member_is_asked_to_be_a_friend(enter: Enter) -> None:
    anna, bo, cleo = await enter(name="安娜"), await enter(name="小博"), await enter(name="可儿")
    group = await make_group(anna)
    where = await link_of(anna, group)
    await bo.see(where)
    await bo.tap(where)
    asked = await bo.tap(f"{group}/requests")
    assert "Asked" in asked.text
    assert "Answer" in (await anna.see(group)).text
    # Only members of it can be asked this way.
    await bo.see(where)
    await anna.see(group)
    forged = await anna.browser.client.post(
        f"{group}/requests",
        data={
            "_csrf_token": anna.browser.form(f"{group}/leaving").fields["_csrf_token"],
            "request_id": ids.new("frq"),
            "person_id": cleo.wallet.person_id,
        },
        headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"},
    )
    assert forged.status_code == 404
    assert "安娜" not in (await cleo.see("/friends")).text


async def test_another_s_group_is_not_there(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    group = await make_group(anna)
    for path in (group, f"{group}/members/new", f"/groups/{ids.new('grp')}", "/groups/x"):
        assert (await bo.see(path)).status_code == 404


async def test_the_owner_leaves(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    group = await make_group(anna)
    where = await link_of(anna, group)
    await bo.see(where)
    await bo.tap(where)
    await anna.see(group)
    assert "Who has been in it longest" in anna.browser.page.text
    assert (await anna.tap(f"{group}/leaving")).url.path == "/friends"
    assert (await anna.see(group)).status_code == 404
    page = await bo.see(group)
    assert "安娜" not in page.text
    assert "You are the last one" in page.text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_limits_say_how_many(language: str) -> None:
    for refusal in (GroupFull(limit=500), TooManyGroups(limit=100), TooManyFriends(limit=5000)):
        assert str(refusal.params["limit"]) in texts(language).refusal(refusal).detail
