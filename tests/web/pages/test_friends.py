"""Friends as pages: found, asked, accepted, searched, remarked, blocked, removed."""

import re

import pytest

from backend import ids
from backend.friends import MAX_FINDS
from tests.web.browser import Browser
from tests.web.pages.conftest import Enter, Guest
from tests.world import World

LINK = re.compile(r"/f/[A-Za-z0-9_-]{43}")


async def phone_of(world: World, guest: Guest) -> str:
    return (await world.services.identity.person(guest.wallet.person_id)).phone[3:]


async def link_of(guest: Guest) -> str:
    await guest.see("/friends/new")
    shown = await guest.tap("/friends/links")
    found = LINK.search(shown.text)
    assert found, shown.text
    assert shown.headers["cache-control"] == "no-store"
    return found[0]


async def make_friends(one: Guest, other: Guest) -> None:
    """Through the one's link."""
    where = await link_of(one)
    await other.see(where)
    await other.tap("/friends/requests")
    await one.see("/friends")
    await one.tap(f"/friends/{other.wallet.person_id}/acceptance")


def card(guest: Guest) -> str:
    return f"/friends/{guest.wallet.person_id}"


async def test_a_list_that_is_empty_says_what_to_do(enter: Enter) -> None:
    guest = await enter()
    page = await guest.see("/friends")
    assert "No friends yet" in page.text
    assert 'href="/friends/new"' in page.text


async def test_by_number(enter: Enter, world: World) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    await anna.see("/friends/new")
    asked = await anna.tap("/friends/finds", {"country": "+86", "phone": await phone_of(world, bo)})
    assert "小博" not in asked.text  # only the number
    sent = await anna.tap("/friends/requests", {"message": "我是安娜"})
    assert sent.url.path == "/friends/requests/sent"
    mine, theirs = await anna.see("/friends"), await bo.see("/friends")
    assert "小博" not in mine.text
    assert "Sent requests" in mine.text
    assert "安娜" in theirs.text
    assert "我是安娜" in theirs.text
    profile = await bo.see(card(anna))
    assert "Wants to be your friend" in profile.text
    made = await bo.tap(f"{card(anna)}/acceptance")
    assert made.url.path == card(anna)
    assert "Friends since" in made.text
    assert "小博" in (await anna.see("/friends")).text


async def test_a_number_without_a_wallet_gives_the_same_pages(enter: Enter, world: World) -> None:
    anna, bo = await enter(), await enter()
    pages = []
    for phone in (await phone_of(world, bo), "15500000000"):
        await anna.see("/friends/new")
        found = await anna.tap("/friends/finds", {"country": "+86", "phone": phone})
        sent = await anna.tap("/friends/requests", {"message": "hi"})
        assert sent.url.path == "/friends/requests/sent"
        shown = f"{phone[:3]}****{phone[-4:]}"
        assert shown in found.text
        pages.append([plain(found.text, shown), plain(sent.text, shown)])
    assert pages[0] == pages[1]
    listed = (await anna.see("/friends")).text
    assert listed.count("waiting for an answer") == 2


def plain(html: str, shown: str) -> str:
    """What people see, without numbers made anew for each page."""
    body = re.sub(r'value="[^"]*"|nonce="[^"]*"|"x-csrftoken": "[^"]*"', "", html)
    return body.replace(shown, "")


async def test_numbers_that_are_none(enter: Enter, world: World) -> None:
    anna = await enter()
    await anna.see("/friends/new")
    for phone in ("", "123", "abc", "１", "13800138000\u202e1"):
        answer = await anna.tap("/friends/finds", {"country": "+86", "phone": phone})
        assert answer.status_code == 422
        assert "Enter a phone number" in answer.text
    own = await anna.tap("/friends/finds", {"country": "+86", "phone": await phone_of(world, anna)})
    assert own.status_code == 409
    assert "That is you." in own.text


async def test_too_many_finds(enter: Enter, world: World) -> None:
    anna = await enter()
    for _ in range(MAX_FINDS):
        await world.services.friends.count_find(anna.wallet.person_id)
    await anna.see("/friends/new")
    answer = await anna.tap("/friends/finds", {"country": "+86", "phone": "15500000000"})
    assert answer.status_code == 429
    assert "Try again in 60 min" in answer.text


async def test_by_link_for_somebody_new(enter: Enter, browser: Browser) -> None:
    """A visitor is led to sign in or up, and back."""
    anna = await enter(name="安娜")
    where = await link_of(anna)
    page = await browser.open(where)
    assert page.status_code == 200
    assert "安娜" not in page.text
    for door in ("/sign-in", "/sign-up"):
        assert f'href="{door}?next={where}"' in page.text
    bo = await enter()
    seen = await bo.see(where)
    assert "安娜" in seen.text
    sent = await bo.tap("/friends/requests")
    assert sent.url.path == "/friends/requests/sent"


async def test_by_a_link_one_knows_already(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    own = await anna.see(await link_of(anna))
    assert own.status_code == 409
    assert "That is you." in own.text
    await make_friends(anna, bo)
    assert (await bo.see(await link_of(anna))).url.path == card(anna)


async def test_asking_who_asks_me_leads_to_their_card(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    await bo.see(await link_of(anna))
    await bo.tap("/friends/requests")
    await anna.see(await link_of(bo))
    made = await anna.tap("/friends/requests")
    assert made.url.path == card(bo)
    assert "Friends since" in made.text


async def test_by_personal_code(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter()
    shown = await anna.see("/receive")
    found = re.search(r'class="mono" translate="no">([0-9a-z ]+)<', shown.text)
    assert found
    code = found[1].replace(" ", "")
    page = await bo.see(f"/friends/codes/{code}")
    assert "*娜" in page.text
    assert (await bo.tap("/friends/requests")).url.path == "/friends/requests/sent"
    assert "Wants to be" in (await anna.see(card(bo))).text
    assert (await anna.see(f"/friends/codes/{code}")).status_code == 409
    for wrong in ("x", "0" * 26):
        assert (await bo.see(f"/friends/codes/{wrong}")).status_code == 404


@pytest.mark.parametrize("secret", ["x", "A" * 43, "A" * 44])
async def test_links_that_lead_nowhere(enter: Enter, browser: Browser, secret: str) -> None:
    guest = await enter()
    for answer in (await guest.see(f"/f/{secret}"), await browser.open(f"/f/{secret}")):
        assert answer.status_code == 410
    assert "no longer valid" in guest.browser.page.text


async def test_links_are_withdrawn_on_the_page(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    where = await link_of(anna)
    await anna.see("/friends/new")
    await anna.tap("/friends/links/withdrawal")
    assert (await bo.see(where)).status_code == 410


async def test_an_old_link(enter: Enter, world: World) -> None:
    anna, bo = await enter(), await enter()
    where = await link_of(anna)
    world.later(days=8)
    assert (await bo.see(where)).status_code == 410


@pytest.mark.parametrize("text", ["a\u202eb", "a\x00b", "\u200b", "x" * 51])
async def test_messages_that_hide_something(enter: Enter, text: str) -> None:
    anna, bo = await enter(name="安娜"), await enter()
    await bo.see(await link_of(anna))
    answer = await bo.tap("/friends/requests", {"message": text})
    assert answer.status_code == 422
    assert "At most 50 characters" in answer.text
    assert "安娜" in answer.text
    again = await bo.tap("/friends/requests", {"message": "ok"})
    assert again.url.path == "/friends/requests/sent"


async def test_a_forged_form(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    await bo.see(await link_of(anna))
    for fields in ({"to": "B" * 43}, {"to": "x"}):
        answer = await bo.tap("/friends/requests", fields)
        assert answer.status_code == 410
        await bo.see(await link_of(anna))
    assert (await bo.tap("/friends/requests", {"to": "", "code": "x"})).status_code == 404
    await bo.see(await link_of(anna))
    assert (await bo.tap("/friends/requests", {"request_id": "frq_1"})).status_code == 422
    assert "No friends yet" in (await anna.see("/friends")).text


async def test_a_double_click_asks_once(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    await bo.see(await link_of(anna))
    for _ in range(2):
        answer = await bo.tap_htmx("/friends/requests")
        assert answer.headers["hx-redirect"] == "/friends/requests/sent"
    assert (await bo.see("/friends")).text.count("waiting for an answer") == 1


async def test_the_same_request_with_other_words(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    await bo.see(await link_of(anna))
    await bo.tap_htmx("/friends/requests", {"message": "one"})
    answer = await bo.tap_htmx("/friends/requests", {"message": "two"})
    assert answer.status_code == 409


async def test_declined_and_taken_back(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    await bo.see(await link_of(anna))
    await bo.tap("/friends/requests")
    await anna.see(card(bo))
    assert (await anna.tap(f"{card(bo)}/refusal")).url.path == "/friends"
    assert "小博" not in anna.browser.page.text
    page = await bo.see("/friends")
    assert "waiting for an answer" in page.text
    action = re.search(r"/friends/requests/frq_\w+/withdrawal", page.text)
    assert action
    assert "waiting for an answer" not in (await bo.tap(action[0])).text


async def test_search_and_remark(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    await make_friends(anna, bo)
    await anna.see(card(bo))
    saved = await anna.tap(f"{card(bo)}/remark", {"remark": "Cousin Bob"})
    assert "Cousin Bob" in saved.text
    for q, there in (("cousin", True), ("博", True), ("xyz", False), ("%", False)):
        page = await anna.see(f"/friends?q={q}")
        assert ("Cousin Bob" in page.text) is there, q
    assert "Nobody found" in page.text
    assert "Cousin Bob" in (await anna.part("/friends?q=cous")).text
    assert "Cousin Bob" not in (await bo.see(card(anna))).text
    for text in ("a\u202eb", "x" * 33, "a\tb\x01"):
        await anna.see(card(bo))
        answer = await anna.tap(f"{card(bo)}/remark", {"remark": text})
        assert answer.status_code == 422
        assert "At most 32 characters" in answer.text


async def test_names_are_escaped(enter: Enter) -> None:
    anna, bo = await enter(), await enter(name="<script>x</script>")
    await make_friends(anna, bo)
    for path in ("/friends", card(bo)):
        text = (await anna.see(path)).text
        assert "<script>x" not in text
        assert "&lt;script&gt;x" in text


async def test_block_and_unblock(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(name="小博")
    await make_friends(anna, bo)
    before = (await bo.see(card(anna))).text
    await anna.see(card(bo))
    blocked = await anna.tap(f"{card(bo)}/block")
    assert "Unblock" in blocked.text
    assert "Transfer" not in blocked.text.split("<main")[1]
    after = (await bo.see(card(anna))).text
    assert plain(before, "").split("<main")[1] == plain(after, "").split("<main")[1]
    assert "Blocked (1)" in (await anna.see("/friends")).text
    await anna.see(card(bo))
    assert (await anna.tap(f"{card(bo)}/block/end")).url.path == card(bo)
    await anna.tap(f"{card(bo)}/removal")
    for one, other in ((anna, bo), (bo, anna)):
        assert (await one.see(card(other))).status_code == 404


async def test_strangers_have_no_card(enter: Enter) -> None:
    anna, bo = await enter(), await enter(name="小博")
    for path in (card(bo), "/friends/x", f"/friends/{ids.new('usr')}"):
        page = await anna.see(path)
        assert page.status_code == 404
        assert "小博" not in page.text


@pytest.mark.parametrize("path", ["/friends", "/friends/new", "/groups", "/groups/new"])
async def test_only_for_who_is_signed_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_both_languages(enter: Enter, world: World) -> None:
    guest = await enter()
    await world.services.identity.set_language(guest.wallet.person_id, "zh-CN")
    for path, text in (("/friends", "还没有好友"), ("/friends/new", "用手机号添加")):
        assert text in (await guest.see(path)).text


async def test_a_live_topic_of_one_s_groups(enter: Enter, world: World) -> None:
    anna = await enter()
    group = await world.services.friends.new_group(
        ids.new("grp"), (await enter()).wallet.person_id, "家"
    )
    answer = await anna.see(f"/events?topics=group:{group.group_id}")
    assert answer.status_code == 404


async def test_who_reads_a_personal_code_may_add_its_owner(enter: Enter) -> None:
    anna, bo = await enter(), await enter(balance=1_00)
    shown = await anna.see("/receive")
    found = re.search(r'class="mono" translate="no">([0-9a-z ]+)<', shown.text)
    assert found
    page = await bo.see("/u/" + found[1].replace(" ", ""))
    link = re.search(r"/friends/codes/[0-9a-z]{26}", page.text)
    assert link
    assert (await bo.see(link[0])).status_code == 200
