"""Asking for money, through the pages."""

from backend import ids
from tests.transfers.people import ask, befriend
from tests.web.pages.conftest import Enter, Guest
from tests.world import World


async def three(enter: Enter, world: World) -> tuple[Guest, Guest, Guest]:
    asker = await enter(name="安娜")
    one, other = await enter(800_00, name="小博"), await enter(800_00, name="韩梅梅")
    for friend in (one, other):
        await befriend(world, asker.wallet, friend.wallet)
    return asker, one, other


def picked(*guests: Guest) -> dict[str, str]:
    return {f"with_{guest.wallet.person_id}": "1" for guest in guests}


async def draw(asker: Guest, fields: dict[str, str]) -> None:
    """The form as a browser would send it: boxes that are not ticked are not in it."""
    await asker.see("/requests/new")
    form = asker.browser.form("/requests/summary")
    for name in [n for n in form.fields if n.startswith("with_") or n == "me"]:
        if name not in fields:
            fields = fields | {name: ""}
    await asker.tap("/requests/summary", fields)


async def test_a_meal_is_split_shown_sent_and_paid(enter: Enter, world: World) -> None:
    asker, one, other = await three(enter, world)
    fields = {"amount": "100", "split": "equal", "me": "1", "note": "火锅"}
    await draw(asker, fields | picked(one, other))
    summary = asker.browser.page.text
    assert summary.count('amount__fen">.33<') == 2
    assert summary.count('amount__fen">.34<') == 1  # stays with who asks
    page = await asker.tap("/requests")
    here = page.url.path
    assert here.startswith("/requests/req_")
    assert "0 of 2 paid" in page.text

    page = await one.see(here)
    assert "安娜 asks you for" in page.text
    sheet = await one.see(f"/send/{asker.wallet.person_id}?asked={here.rpartition('/')[2]}")
    assert 'name="amount"' not in sheet.text
    confirm = await one.tap(f"/send/{asker.wallet.person_id}", {"amount": "1"})
    result = await one.tap(f"{confirm.url.path}/payment")
    assert "Transferred" in result.text
    assert await world.balance(asker.wallet.account_id) == 33_33
    page = await asker.see(here)
    assert "1 of 2 paid" in page.text
    assert "You have paid your share" in (await one.see(here)).text
    for guest in (asker, one, other):
        page = await guest.see("/requests")
        assert page.status_code == 200
        assert here in page.text


async def test_own_amounts(enter: Enter, world: World) -> None:
    asker, one, other = await three(enter, world)
    own = {f"own_{one.wallet.person_id}": "12.5", f"own_{other.wallet.person_id}": "x"}
    await draw(asker, {"split": "own"} | own | picked(one, other))
    assert asker.browser.page.status_code == 422
    assert "for everybody who is chosen" in asker.browser.page.text
    await draw(asker, {"split": "own"} | own | picked(one))
    page = await asker.tap("/requests")
    assert "0 of 1 paid" in page.text


async def test_what_can_not_be_asked_is_said(enter: Enter, world: World) -> None:
    asker, one, other = await three(enter, world)
    for fields, said in (
        ({"amount": "100"}, "Choose who is asked"),
        ({"amount": "0"} | picked(one), "more than ¥0.00"),
        ({"amount": ""} | picked(one), "Enter an amount"),
        ({"amount": "1.005"} | picked(one), "two decimals"),
        ({"amount": "0.02", "me": "1"} | picked(one, other), "less than a fen"),
        ({"amount": "1", "note": "x" * 65} | picked(one), "At most 64"),
        ({"amount": "1", "note": "a\u2066b"} | picked(one), "At most 64"),
    ):
        await draw(asker, {"split": "equal", "me": ""} | fields)
        assert asker.browser.page.status_code == 422
        assert said in asker.browser.page.text, said
    await draw(asker, {"amount": "1", "split": "equal", "me": ""} | picked(one))
    share = f"share_{one.wallet.person_id}"
    page = await asker.tap("/requests", {share: "-1"})
    assert "out of date" in page.text


async def test_a_group_is_asked(enter: Enter, world: World) -> None:
    asker, one, other = await three(enter, world)
    friends = world.services.friends
    group = await friends.new_group(ids.new("grp"), asker.wallet.person_id, "火锅群")
    link = await friends.invite_link(asker.wallet.person_id, group.group_id)
    await friends.join_group(one.wallet.person_id, link)
    assert "火锅群" in (await asker.see("/requests/new")).text
    page = await asker.see(f"/requests/new?group={group.group_id}")
    assert f"with_{one.wallet.person_id}" in page.text
    assert f"with_{other.wallet.person_id}" not in page.text
    assert (await other.see(f"/requests/new?group={group.group_id}")).status_code == 404


async def test_a_friend_is_chosen_already(enter: Enter, world: World) -> None:
    asker, one, _ = await three(enter, world)
    page = await asker.see(f"/requests/new?to={one.wallet.person_id}")
    box = page.text.split(f'name="with_{one.wallet.person_id}"')[1].split(">")[0]
    assert "checked" in box


async def test_declining_reminding_and_withdrawing(enter: Enter, world: World) -> None:
    asker, one, other = await three(enter, world)
    made = await ask(world, asker.wallet, (one.wallet, 10_00), (other.wallet, 10_00))
    here = f"/requests/{made.request_id}"
    await one.see(here)
    assert "You have declined" in (await one.tap(f"{here}/decline")).text
    await asker.see(here)
    page = await asker.tap(f"{here}/reminder")
    assert "remind them again from" in page.text
    page = await asker.browser.client.post(
        f"{here}/reminder", data={"_csrf_token": _token(asker)}, headers=_plain()
    )
    assert page.status_code == 429
    assert "in 12 h" in page.text
    await asker.see(here)
    page = await asker.tap(f"{here}/withdrawal")
    assert "Withdrawn" in page.text
    stranger = await enter()
    assert (await stranger.see(here)).status_code == 404


def _token(guest: Guest) -> str:
    return guest.browser.page.text.split('name="_csrf_token" value="')[1].split('"')[0]


def _plain() -> dict[str, str]:
    return {"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"}


async def test_an_ended_request_offers_nothing(enter: Enter, world: World) -> None:
    asker, one, _ = await three(enter, world)
    made = await ask(world, asker.wallet, (one.wallet, 10_00))
    await world.services.transfers.withdraw(asker.wallet.person_id, made.request_id)
    page = await one.see(f"/requests/{made.request_id}")
    assert "Pay my share" not in page.text
    assert "Decline" not in page.text.split("<main")[1]
    to = f"/send/{asker.wallet.person_id}"
    await one.see(f"{to}?asked={made.request_id}")
    page = await one.tap(to)
    assert page.status_code == 409
    assert "has ended" in page.text
