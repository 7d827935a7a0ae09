"""Stores, staff, invitations and seats, as their pages work."""

import json
import re

import httpx
import pytest

from backend import ids
from backend.merchant import Charge, Seat
from backend.shop_roles import Role
from backend.wallet.topics import may_listen
from tests.passkey import Passkey
from tests.web.browser import Browser, forms
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Guest, Till
from tests.world import World
from web.security import cookies

LINK = re.compile(r"/j/([A-Za-z0-9_-]{43})")


async def invite(till: Till, role: Role = Role.CASHIER, store_id: str = "") -> str:
    """The invitation's secret, as the owner's page shows it."""
    await till.owner.see("/shop/staff")
    shown = await till.owner.sign(
        "/shop/staff/invitations", {"role": role.value, "store_id": store_id}
    )
    found = LINK.search(shown.text)
    assert found, shown.text
    assert shown.headers["cache-control"] == "no-store"
    return found[1]


async def join(guest: Guest, secret: str) -> httpx.Response:
    await guest.see(f"/j/{secret}")
    return await guest.browser.ceremony(f"/j/{secret}", guest.wallet.passkey)


async def seat_of(till: Till) -> Seat:
    return await till.world.seat(till.shop)


async def sign_up(browser: Browser, world: World, passkey: Passkey) -> httpx.Response:
    """From the page where the number is asked for."""
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    return await browser.ceremony("/sign-up/passkey", passkey, {"display_name": "新人"})


async def test_a_store_is_opened_and_gets_tills(till: Till) -> None:
    await till.owner.see("/shop/stores")
    page = await till.owner.tap("/shop/stores", {"name": "西湖店", "address": "南山路 1 号"})
    assert "西湖店" in page.text
    store_path = page.url.path
    page = await till.owner.tap(f"{store_path}/terminals", {"terminal_name": "8 号桌"})
    assert "8 号桌" in page.text
    terminals = await till.world.services.merchant.terminals(
        await seat_of(till), store_path.rpartition("/")[2]
    )
    assert [terminal.name for terminal in terminals] == ["01", "8 号桌"]
    for terminal in terminals:
        assert f"{terminal.short_code[:4]} {terminal.short_code[4:]}" in page.text
        for size in ("a6", "tent", "a4"):
            poster = f"/shop/terminals/{terminal.terminal_id}/poster.pdf?size={size}"
            assert f'href="{poster}"' in page.text
    listed = await till.owner.see("/shop/stores")
    assert "西湖店" in listed.text
    assert "南山路 1 号" in listed.text
    assert "2 terminals" in listed.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "address": ""}, "A name has 1 to 32 characters."),
        ({"name": "店" * 33, "address": ""}, "A name has 1 to 32 characters."),
        ({"name": "二店", "address": "路" * 101}, "An address has at most 100 characters."),
        ({"store_id": "sto_1", "name": "二店"}, "This form is out of date."),
    ],
)
async def test_a_bad_store_is_not_opened(till: Till, fields: dict[str, str], said: str) -> None:
    await till.owner.see("/shop/stores")
    page = await till.owner.tap("/shop/stores", fields)
    assert page.status_code == 422
    assert said in page.text
    assert len(await till.world.services.merchant.stores(await seat_of(till))) == 1


async def test_stores_and_tills_are_renamed_and_closed(till: Till) -> None:
    merchant, seat = till.world.services.merchant, await seat_of(till)
    [store], [terminal] = await merchant.stores(seat), await merchant.terminals(seat)
    path, till_path = (
        f"/shop/stores/{store.store_id}",
        f"/shop/terminals/{terminal.terminal_id}",
    )
    await till.owner.see(path)
    page = await till.owner.tap(till_path, {f"name_{terminal.terminal_id}": "前台"})
    assert "前台" in page.text
    page = await till.owner.tap(till_path, {f"name_{terminal.terminal_id}": ""})
    assert page.status_code == 422
    assert "A name has 1 to 32 characters." in page.text
    await till.owner.see(path)
    page = await till.owner.tap(path, {"name": "总店", "closed": "yes"})
    assert "This store is closed" in page.text
    [changed] = await merchant.stores(seat)
    assert (changed.name, changed.closed) == ("总店", True)
    assert (await till.owner.tap(path, {"name": ""})).status_code == 422
    [code] = await merchant.terminals(seat)
    assert (code.name, code.closed) == ("前台", False)


async def test_the_shop_closes_and_opens(till: Till) -> None:
    merchant = till.world.services.merchant
    await till.owner.see("/shop/stores")
    page = await till.owner.tap("/shop/state")
    assert "The shop is closed" in page.text
    assert (await merchant.shop(till.shop.shop_id)).status == "closed"
    page = await till.owner.tap("/shop/state")
    assert "The shop is open" in page.text
    assert (await merchant.shop(till.shop.shop_id)).status == "open"


async def test_somebody_is_invited_and_joins_with_a_passkey(till: Till, enter: Enter) -> None:
    li = await enter(name="小李")
    secret = await invite(till)
    page = await join(li, secret)
    assert page.url.path == "/cashier"
    assert (await till.world.services.merchant.seat(li.wallet.person_id)).role is Role.CASHIER
    staff = await till.owner.see("/shop/staff")
    assert "小李" in staff.text
    again = await li.see(f"/j/{secret}")
    assert again.status_code == 410
    assert "No money has moved." in again.text


async def test_a_visitor_is_led_to_sign_in_or_sign_up_and_back(
    till: Till, visitor: Visitor
) -> None:
    secret, browser = await invite(till), await visitor()
    page = await browser.open(f"/j/{secret}")
    assert page.status_code == 200
    assert till.shop.name in page.text
    assert f'href="/sign-in?next=/j/{secret}"' in page.text
    assert not [form for form in forms(page.text) if form.action.startswith("/j/")]
    await browser.open(f"/sign-up?next=/j/{secret}")
    page = await sign_up(browser, till.world, Passkey())
    assert page.url.path == f"/j/{secret}"
    assert cookies.NEXT not in browser.client.cookies
    assert browser.form(f"/j/{secret}")


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/j/../x"])
async def test_signing_up_leads_nowhere_else(visitor: Visitor, world: World, path: str) -> None:
    browser = await visitor()
    await browser.open(f"/sign-up?next={path}")
    assert cookies.NEXT not in browser.client.cookies
    browser.client.cookies.set(cookies.NEXT, path)
    assert (await sign_up(browser, world, Passkey())).url.host == "localhost"


@pytest.mark.parametrize("secret", ["A" * 43, "x", "%2e%2e%2f"])
async def test_a_wrong_invitation_says_so(till: Till, secret: str) -> None:
    page = await till.owner.see(f"/j/{secret}")
    assert page.status_code in {404, 410}


async def test_a_passkey_of_somebody_else_does_not_join(till: Till, enter: Enter) -> None:
    li = await enter(name="小李")
    secret = await invite(till)
    await li.see(f"/j/{secret}")
    page = await li.browser.ceremony(f"/j/{secret}", till.owner.wallet.passkey)
    assert page.status_code == 403
    assert f"/j/{secret}" in page.text  # may try again
    assert await till.world.services.merchant.seats(li.wallet.person_id) == ()


async def test_an_invitation_needs_a_role(till: Till) -> None:
    await till.owner.see("/shop/staff")
    for role in ("", "owner", "boss"):
        page = await till.owner.tap("/shop/staff/invitations", {"role": role})
        assert page.status_code == 422
        assert "Choose a role." in page.text


async def test_a_member_is_changed_and_removed_and_out_at_once(till: Till, enter: Enter) -> None:
    li = await enter(name="小李")
    await join(li, await invite(till, Role.CASHIER))
    path = f"/shop/staff/{li.wallet.person_id}"
    await till.owner.see("/shop/staff")
    await till.owner.sign(path, {"role": "manager", "store_id": ""})
    assert (await li.see("/shop/staff")).status_code == 200
    assert (await till.owner.tap(path, {"role": "owner"})).status_code == 422
    await till.owner.see("/shop/staff")
    await till.owner.sign(f"{path}/removal")
    page = await li.see("/shop/staff")
    assert page.url.path == "/shop/new"  # of no shop: may open one
    activity = await till.owner.see("/shop/activity")
    for said in ("Opened the shop", "Made an invitation", "Joined the shop", "Removed somebody"):
        assert said in activity.text


async def test_staff_takes_the_owners_passkey_over_exactly_that(till: Till, enter: Enter) -> None:
    """Without one, with a spent one, with another's, or for another role: nothing changes."""
    li = await enter(name="小李")
    await join(li, await invite(till, Role.CASHIER))
    owner, path = till.owner, f"/shop/staff/{li.wallet.person_id}"
    key = owner.wallet.passkey

    async def refused(page: httpx.Response) -> None:
        assert page.status_code in (403, 410), page.text
        assert "小李" in page.text  # the page, to try again
        assert (await till.world.services.merchant.seat(li.wallet.person_id)).role is Role.CASHIER

    for action, fields in (
        (path, {"role": "manager", "store_id": ""}),
        (f"{path}/removal", {}),
        ("/shop/staff/invitations", {"role": "manager", "store_id": ""}),
    ):
        await owner.see("/shop/staff")
        await refused(await owner.tap(action, fields))
        await owner.see("/shop/staff")
        await refused(await owner.browser.ceremony(action, li.wallet.passkey, fields))
    await owner.see("/shop/staff")
    form = owner.browser.form(path)
    for signed, sent in (("finance", "manager"), ("cashier", "finance")):
        begun = await owner.browser.begin(
            form.attributes["data-begin"], form.fields | {"role": signed, "store_id": ""}
        )
        answer = begun.json()
        response = key.sign(json.dumps(answer["options"]).encode()).decode()
        proof = {"ceremony_id": answer["ceremony_id"], "response_json": response}
        await owner.see("/shop/staff")
        await refused(await owner.tap(path, {"role": sent, "store_id": ""} | proof))
    await owner.see("/shop/staff")
    done = await owner.tap(path, {"role": "cashier", "store_id": ""} | proof)
    assert done.status_code == 200
    [store] = await till.world.services.merchant.stores(await seat_of(till))
    await owner.see("/shop/staff")
    await refused(await owner.tap(path, {"role": "cashier", "store_id": store.store_id} | proof))


async def test_an_ended_device_changes_no_staff(till: Till, enter: Enter) -> None:
    li = await enter(name="小李")
    await join(li, await invite(till, Role.CASHIER))
    await till.owner.see("/shop/staff")
    till.owner.browser.client.cookies.set(
        cookies.DEVICE, "A" * 43, domain="localhost.local", path="/"
    )
    page = await till.owner.sign(
        f"/shop/staff/{li.wallet.person_id}", {"role": "manager", "store_id": ""}
    )
    assert page.status_code == 403, page.text
    assert (await till.world.services.merchant.seat(li.wallet.person_id)).role is Role.CASHIER


@pytest.mark.parametrize(
    ("role", "path", "missing"),
    [
        (Role.CASHIER, "/shop/stores", "Manage stores"),
        (Role.CASHIER, "/shop/staff", "Manage staff"),
        (Role.CASHIER, "/shop/activity", "Manage staff"),
        (Role.FINANCE, "/shop/stores", "Manage stores"),
        (Role.AUDITOR, "/shop/staff", "Manage staff"),
    ],
)
async def test_a_refused_page_names_the_permission_and_who_has_it(
    till: Till, enter: Enter, role: Role, path: str, missing: str
) -> None:
    li = await enter()
    await till.world.hire(till.owner.wallet, li.wallet, role)
    page = await li.see(path)
    assert page.status_code == 403
    assert missing in page.text
    assert "owner and manager" in page.text
    assert "No money has moved." in page.text
    assert 'href="/shop/seats"' in page.text


async def test_posts_are_refused_as_pages_are(till: Till, enter: Enter) -> None:
    li = await enter()
    await till.world.hire(till.owner.wallet, li.wallet, Role.CASHIER)
    merchant, seat = till.world.services.merchant, await seat_of(till)
    [store] = await merchant.stores(seat)
    await li.see("/shop/seats")
    token = li.browser.form("/shop/seats").fields["_csrf_token"]
    for path in (
        "/shop/stores",
        "/shop/state",
        f"/shop/stores/{store.store_id}",
        f"/shop/stores/{store.store_id}/terminals",
        "/shop/staff/invitations",
        f"/shop/staff/{till.owner.wallet.person_id}/removal",
    ):
        answer = await li.browser.client.post(
            path,
            data={"_csrf_token": token, "name": "x", "store_id": ids.new("sto"), "address": ""},
            headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"},
        )
        assert answer.status_code == 403, path
    assert (await merchant.shop(till.shop.shop_id)).status == "open"
    assert len(await merchant.stores(seat)) == 1


async def test_a_person_chooses_the_shop_to_act_for(till: Till, enter: Enter, world: World) -> None:
    li = await enter(name="小李")
    own = await world.shop(li.wallet, "小李茶铺")
    await world.hire(till.owner.wallet, li.wallet, Role.MANAGER)
    page = await li.see("/shop/seats")
    assert page.text.index(till.shop.name) < page.text.index("小李茶铺")  # joined last
    await li.tap("/shop/seats", {"shop_id": own.shop_id})
    assert (await world.services.merchant.seat(li.wallet.person_id)).shop_id == own.shop_id
    await li.see("/shop/seats")
    page = await li.tap("/shop/seats", {"shop_id": ids.new("mch")})
    assert page.status_code == 404


async def test_somebody_of_no_shop_is_told_how_to_get_into_one(enter: Enter) -> None:
    guest = await enter()
    page = await guest.see("/shop/seats")
    assert "You belong to no shop" in page.text
    for path in ("/shop/stores", "/shop/staff", "/shop/activity"):
        assert (await guest.see(path)).url.path == "/shop/new"


async def test_a_shop_is_opened_where_it_is(enter: Enter, world: World) -> None:
    guest = await enter()
    await guest.see("/shop/new")
    fields = {"name": "唐人街小吃", "category": "food"}
    refused = await guest.tap("/shops", fields | {"zone": "Mars/Phobos"})
    assert refused.status_code == 422
    assert "Choose a time zone." in refused.text
    page = await guest.tap("/shops", fields | {"zone": "America/New_York"})
    assert page.url.path == "/cashier"
    seat = await world.services.merchant.seat(guest.wallet.person_id)
    assert (seat.shop_name, seat.zone, seat.role) == ("唐人街小吃", "America/New_York", Role.OWNER)
    known = await world.services.risk.members(seat.shop_id)
    assert [member.person_id for member in known] == [guest.wallet.person_id]
    assert (await guest.see("/shop/new")).url.path == "/shop"  # one is enough


async def test_a_live_page_of_a_removed_member_ends(
    till: Till, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    li = await enter()
    await till.world.hire(till.owner.wallet, li.wallet, Role.CASHIER)
    services, person_id = till.world.services, li.wallet.person_id
    mine = await services.merchant.charge(
        await services.merchant.seat(person_id), Charge(order_id=ids.new("ord"), amount_fen=1_00)
    )
    other = await till.order()
    shop, order = f"shop:{till.shop.shop_id}", f"order:{mine.order_id}"
    await world_shop(till.world, li)  # sits elsewhere now; both shops' pages may stay open
    assert await may_listen(services, person_id, (shop, order))
    assert not await may_listen(services, person_id, (f"order:{other.order_id}",))
    gone = await till.world.changing(till.owner.wallet, person_id, None)
    await services.merchant.change_member(await seat_of(till), gone)
    assert not await may_listen(services, person_id, (shop,))
    assert not await may_listen(services, person_id, (order,))

    async def away(_person_id: str) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(services.merchant, "seats", away)
    assert await may_listen(services, person_id, (shop,))


async def world_shop(world: World, guest: Guest) -> None:
    own = await world.shop(guest.wallet, "小李茶铺")
    await world.services.merchant.take_seat(guest.wallet.person_id, own.shop_id)
