"""Settlement and files through the pages: who sees them, the card's choice, the download."""

from collections.abc import AsyncIterator
from hashlib import sha256

import msgspec
import pytest

from backend.db import TX
from backend.errors import NotFound
from backend.settings import Settings
from backend.shop_roles import Role
from tests.passkey import Passkey
from tests.ports import free_port
from tests.settlement.conftest import Shop, Street, bind, open_street
from tests.web.browser import PARTIAL, Browser
from tests.web.conftest import SignedUp, Visitor
from tests.world import Wallet, World

PHONE = "13912345678"


@pytest.fixture
async def street(databases: Settings) -> AsyncIterator[Street]:
    bank_url = f"http://127.0.0.1:{free_port()}"
    async with open_street(msgspec.structs.replace(databases, bank_url=bank_url)) as made:
        yield made


@pytest.fixture
def world(street: Street) -> World:
    return street.world


class Owner:
    """A shop's owner at their browser."""

    def __init__(self, street: Street, browser: Browser, key: Passkey, shop: Shop) -> None:
        self.street, self.browser, self.key, self.shop = street, browser, key, shop

    async def sign_in(self) -> None:
        """Sessions do not outlive the days that pass here."""
        await self.browser.open("/sign-in")
        await self.browser.ceremony("/sign-in", self.key)

    async def a_day_later(self, hour: int = 9) -> None:
        self.street.at(hour, days=1)
        await self.street.settle()
        await self.sign_in()

    async def choose(self, last4: str) -> str:
        """The card's id."""
        card = await bind(self.street.world, self.shop.owner, last4)
        await self.browser.open("/shop/settlement/card")
        await self.browser.ceremony("/shop/settlement/card", self.key)
        return card.card_id


async def newest_person() -> str:
    [row] = await TX.query("select person_id from identity.person order by person_id desc limit 1")
    return str(row["person_id"])


@pytest.fixture
async def owner(street: Street, signed_up: SignedUp) -> Owner:
    browser, key = await signed_up(PHONE)
    await browser.open("/shop/new")
    await browser.send("/shops", {"name": "老王面馆", "category": "food"})
    person_id = await newest_person()
    seat = await street.world.services.merchant.seat(person_id)
    wallet = Wallet(person_id=person_id, device_secret="", passkey=key, account_id="person:x")
    return Owner(street, browser, key, Shop(seat.shop_id, wallet, seat))


async def test_the_owner_chooses_the_card_with_a_passkey(owner: Owner, street: Street) -> None:
    page = await owner.browser.open("/shop/settlement")
    assert "Choose a bank card, so that your takings reach it" in page.text
    page = await owner.browser.open("/shop/settlement/card")
    assert "No bank card yet" in page.text
    await owner.choose("1234")
    page = owner.browser.page
    assert page.url.path == "/shop/settlement"
    assert "ending in 1234" in page.text
    page = await owner.browser.open("/shop/settlement/card")
    assert "In use" in page.text
    assert "Pay to this card" not in page.text
    [act, *_] = await street.world.services.merchant.acts(owner.shop.seat, 0, 10)
    assert act.kind == "payout_card_set"


async def test_another_purpose_is_no_consent_to_the_card(owner: Owner, street: Street) -> None:
    card = await bind(street.world, owner.shop.owner, "1234")
    await owner.browser.open("/shop/settlement/card")
    form = owner.browser.form("/shop/settlement/card")
    answer = await owner.browser.begin("/approvals", form.fields | {"purpose": "unfreeze"})
    begun = answer.json()
    signed = owner.key.sign(msgspec.json.encode(begun["options"])).decode()
    page = await owner.browser.send(
        "/shop/settlement/card", {"ceremony_id": begun["ceremony_id"], "response_json": signed}
    )
    assert page.status_code in (403, 410)
    coming = await street.settlement.next(owner.shop.shop_id)
    assert coming.card_id == ""
    for purpose in (f"payout_card:{owner.shop.shop_id}", f"payout_card:x:{card.card_id}"):
        await owner.browser.open("/shop/settlement/card")
        answer = await owner.browser.begin("/approvals", form.fields | {"purpose": purpose})
        assert answer.status_code == 400


async def test_a_day_is_seen_on_its_way_and_with_its_hours(owner: Owner, street: Street) -> None:
    await owner.choose("1234")
    sale = await street.sell(owner.shop, 123_45, 47)
    page = await owner.browser.open("/shop/settlement")
    assert "122<" in page.text
    await street.refund(owner.shop, sale, 23_45, 9)
    await owner.a_day_later()
    page = await owner.browser.open("/shop/settlement")
    [batch] = await street.batches(owner.shop)
    assert f"/shop/settlement/{batch.batch_id}" in page.text
    assert "Paid" in page.text
    page = await owner.browser.open(f"/shop/settlement/{batch.batch_id}")
    for text in ("12:00–13:00", batch.payout_id, batch.batch_id, "Hour by hour", "¥99.62"):
        assert text in page.text, text
    assert batch.net_fen == 99_62
    part = await owner.browser.open(f"/shop/settlement/{batch.batch_id}", **PARTIAL)
    assert "<html" not in part.text
    assert "shopnav" not in part.text
    assert batch.payout_id in part.text
    assert (await owner.browser.open("/shop/settlement/stl_unknown")).status_code == 404


async def test_a_returned_day_says_why(owner: Owner, street: Street) -> None:
    await owner.choose("0009")
    await street.sell(owner.shop, 10_00)
    await owner.a_day_later()
    [batch] = await street.batches(owner.shop)
    page = await owner.browser.open(f"/shop/settlement/{batch.batch_id}")
    assert "part of the next settlement" in page.text
    assert (batch.status, batch.refusal_code) == ("returned", "card_blocked")


async def test_a_file_is_downloaded_with_its_hash(owner: Owner, street: Street) -> None:
    await street.sell(owner.shop, 10_00, note="=1+1")
    page = await owner.browser.open("/shop/files")
    assert "Not ready yet" in page.text
    await owner.a_day_later()
    page = await owner.browser.open("/shop/files")
    assert page.text.count("SHA-256</span>") == 4
    page = await owner.browser.send("/shop/files/downloads")
    assert page.url.path.startswith("/downloads/")
    assert page.headers["content-type"] == "text/csv; charset=utf-8"
    assert page.headers["content-disposition"].startswith('attachment; filename="yipay-trade-mch_')
    assert page.headers["cache-control"] == "no-store"
    digest = sha256(page.content).hexdigest()
    again = await owner.browser.open("/shop/files")
    assert digest in again.text
    [act, *_] = await street.world.services.merchant.acts(owner.shop.seat, 0, 10)
    assert act.kind == "file_downloaded"
    address = str(page.url.path)
    street.world.later(minutes=5)
    page = await owner.browser.open(address)
    assert page.status_code == 410
    assert "lives five minutes" in page.text


async def test_days_without_files_and_days_that_are_none(owner: Owner, street: Street) -> None:
    await owner.a_day_later()
    page = await owner.browser.open("/shop/files?day=2020-02-03")
    assert "No files of this day" in page.text
    for wrong in ("2020-02-31", "tomorrow", "9999-01-01", "-"):
        page = await owner.browser.open(f"/shop/files?day={wrong}")
        assert page.status_code == 200
    await owner.browser.open("/shop/files")
    page = await owner.browser.send("/shop/files/downloads", {"day": "2020-02-31"})
    assert page.status_code == 400
    await owner.browser.open("/shop/files")
    page = await owner.browser.send("/shop/files/downloads", {"day": "2020-02-03"})
    assert page.status_code == 404


async def test_another_shops_pages_and_addresses_do_not_exist(
    owner: Owner, street: Street, signed_up: SignedUp
) -> None:
    await street.sell(owner.shop, 10_00)
    await owner.a_day_later()
    [batch] = await street.batches(owner.shop)
    given = await street.settlement.download(owner.shop.shop_id, batch.day, "fund", "csv")
    stranger, _ = await signed_up("13800000001", "小李")
    await stranger.open("/shop/new")
    await stranger.send("/shops", {"name": "小李果铺", "category": "retail"})
    assert (await stranger.open(f"/shop/settlement/{batch.batch_id}")).status_code == 404
    assert (await stranger.open(f"/downloads/{given.token}")).status_code == 410
    assert (await owner.browser.open(f"/downloads/{given.token}")).status_code == 200
    with pytest.raises(NotFound):
        await street.settlement.batch("mch_other", batch.batch_id)


async def test_a_cashier_reads_which_permission_is_missing(
    owner: Owner, street: Street, signed_up: SignedUp, visitor: Visitor
) -> None:
    world = street.world
    roles = ((Role.CASHIER, 403, 403), (Role.AUDITOR, 200, 403), (Role.MANAGER, 200, 403))
    for n, (role, money, payout) in enumerate(roles):
        browser, key = await signed_up(f"1380000010{n}", "小张")
        person_id = await newest_person()
        member = Wallet(person_id=person_id, device_secret="", passkey=key, account_id="person:x")
        device = owner.browser.client.cookies.get("__Host-device") or ""
        await world.hire(
            msgspec.structs.replace(owner.shop.owner, device_secret=device), member, role
        )
        for path in ("/shop/settlement", "/shop/files"):
            page = await browser.open(path)
            assert page.status_code == money, (role, path)
        assert (await browser.open("/shop/settlement/card")).status_code == payout


async def test_nobody_signed_in_sees_nothing(owner: Owner, visitor: Visitor) -> None:
    browser = await visitor()
    for path in ("/shop/settlement", "/shop/settlement/card", "/shop/files", "/downloads/x"):
        page = await browser.open(path)
        assert page.url.path == "/sign-in", path
