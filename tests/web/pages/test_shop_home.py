"""The dashboard: today beside yesterday and last week, what to do, and what comes in live."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from backend.db import TX
from backend.sales import Sale
from backend.shop_roles import Role
from tests.sales.conftest import order, refund
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Till, sign_in

MIDDAY = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)  # 12:30 in Shanghai, a Wednesday


async def keep(till: Till, *sales: Sale) -> None:
    async with TX.transaction():
        await till.world.services.sales.record(
            tuple(msgspec.structs.replace(sale, shop_id=till.shop.shop_id) for sale in sales)
        )


def paid(at: datetime, amount_fen: int, **changes: object) -> Sale:
    return order(status="paid", created_at=at, ended_at=at, amount_fen=amount_fen, **changes)


def figure(text: str, name: str) -> str:
    """What stands in one of the figures, without its markup."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd>(.*?)</dd>", text, re.DOTALL)
    assert found, f"no figure {name}"
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split())


async def test_today_is_compared_with_the_same_time_of_other_days(till: Till) -> None:
    till.world.clock.at = MIDDAY
    day, week = timedelta(days=1), timedelta(days=7)
    today = paid(MIDDAY - timedelta(hours=1), 150_00)
    await keep(
        till,
        today,
        paid(MIDDAY - timedelta(seconds=1), 50_00),
        paid(MIDDAY - day - timedelta(minutes=1), 100_00),
        paid(MIDDAY - day + timedelta(minutes=1), 999_00),  # later than now, yesterday
        paid(MIDDAY - week, 400_00),  # a moment too late
        paid(MIDDAY - week - timedelta(seconds=1), 400_00),
        refund(today, amount_fen=20_00, created_at=MIDDAY - timedelta(minutes=2)),
    )
    page = (await till.owner.see("/shop")).text
    assert figure(page, "Takings") == "¥200.00 vs yesterday +100.0% vs last week −50.0%"
    assert figure(page, "Payments") == "2 vs yesterday +100.0% vs last week +100.0%"
    assert figure(page, "Average") == "¥100.00 vs yesterday 0.0% vs last week −75.0%"
    assert figure(page, "Refunds") == "¥20.00 vs yesterday — vs last week —"
    assert figure(page, "Success rate").startswith("100.0%")
    assert figure(page, "Refund rate").startswith("10.0%")
    assert "Asia/Shanghai (UTC+08:00)" in page


async def test_the_hours_are_drawn_and_told_as_a_table(till: Till) -> None:
    till.world.clock.at = MIDDAY
    await keep(till, paid(MIDDAY - timedelta(hours=2), 80_00), paid(MIDDAY, 20_00))
    page = (await till.owner.see("/shop")).text
    assert page.count("<rect x=") == 2
    assert page.count('class="is-now"') == 1
    rows = re.findall(r'<th scope="row" class="num">(\d\d:\d\d)</th><td class="num">([^<]+)<', page)
    assert len(rows) == 24
    assert dict(rows)["10:00"] == "¥80.00"
    assert dict(rows)["12:00"] == "¥20.00"


async def test_a_payment_arrives_live_and_is_heard_once(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    page = (await till.owner.see("/shop")).text
    assert "data-chime" not in page
    seen = re.search(r'hx-get="/shop\?seen=(\d+)"', page)
    assert seen
    order_ = await till.order(23_00)
    started = till.world.paying(payer.wallet, order_)
    await till.world.services.payments.start(started)
    part = await till.owner.browser.client.get(
        f"/shop?seen={seen[1]}",
        headers={"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#board"},
    )
    assert part.text.count("data-chime") == 1
    assert "23.00" in part.text
    assert "<html" not in part.text
    again = re.search(r'hx-get="/shop\?seen=(\d+)"', part.text)
    assert again
    later = await till.owner.browser.client.get(
        f"/shop?seen={again[1]}",
        headers={"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#board"},
    )
    assert "data-chime" not in later.text


async def test_the_series_has_every_hour_of_thirty_days(till: Till) -> None:
    till.world.clock.at = MIDDAY
    await keep(till, paid(MIDDAY - timedelta(days=3), 80_00))
    await till.owner.awake()
    answer = await till.owner.browser.client.get("/shop/series.json")
    series = answer.json()
    assert len(series["at"]) == len(series["fen"]) == 29 * 24 + 13
    assert sum(series["fen"]) == 80_00
    assert series["at"][0] == int(datetime(2026, 10, 26, 16, tzinfo=UTC).timestamp())


async def test_what_waits_is_told(till: Till) -> None:
    page = (await till.owner.see("/shop")).text
    assert "No card for settlements" in page
    assert "payer asks for a refund" not in page
    pending = refund(paid(till.world.clock.now(), 5_00), status="pending")
    now = till.world.clock.now() - timedelta(minutes=1)
    await keep(till, msgspec.structs.replace(pending, created_at=now))
    page = (await till.owner.see("/shop")).text
    assert "1 refund is not confirmed yet" in page


@pytest.mark.parametrize(
    ("role", "lands", "money"),
    [
        (Role.MANAGER, "/shop", True),
        (Role.FINANCE, "/shop", True),
        (Role.AUDITOR, "/shop", True),
        (Role.CASHIER, "/cashier", False),
    ],
)
async def test_each_role_sees_what_is_theirs(
    till: Till, visitor: Visitor, role: Role, lands: str, money: bool
) -> None:
    member = await till.world.person(name="小李")
    await till.world.hire(till.owner.wallet, member, role)
    guest = await sign_in(await visitor(), till.world, member)
    page = await guest.see("/shop")
    assert page.url.path == lands
    assert ("Balance of the shop" in page.text) == money
    series = await guest.browser.client.get("/shop/series.json")
    assert series.status_code == (200 if lands == "/shop" else 403)


async def test_an_invitation_about_to_expire_is_a_duty(till: Till, visitor: Visitor) -> None:
    world, owner = till.world, till.owner.wallet
    merchant, member = world.services.merchant, await world.person(name="小满")
    seat = await merchant.seat(owner.person_id)
    taken = await merchant.invite(seat, await world.inviting(owner, Role.MANAGER))
    manager = await merchant.join(await world.joining(member, taken.secret), taken.secret)
    for role in (Role.CASHIER, Role.AUDITOR):
        await merchant.invite(seat, await world.inviting(owner, role))
        world.later(minutes=10)
    said = "2 invitations are about to expire"
    world.later(hours=17)
    assert said not in (await till.owner.see("/shop")).text
    world.later(hours=1)
    page = (await till.owner.see("/shop")).text
    assert said in page
    assert "as Cashier" in page  # the first of them
    assert said in (await (await sign_in(await visitor(), world, member)).see("/shop")).text
    world.later(hours=5, minutes=45)
    assert "1 invitation is about to expire" in (await till.owner.see("/shop")).text
    world.later(hours=1)
    assert "about to expire" not in (await till.owner.see("/shop")).text
    assert len(await merchant.waiting_invitations(manager)) == 0
