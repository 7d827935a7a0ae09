"""The demo's people have lived a real week, and can be entered with one tap."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from backend import ids
from backend.clock import SystemClock
from backend.demo import ROLES, demo_sign_in, seed
from backend.demo.history import Sale, asked_back, refunded, week
from backend.demo.people import CONSUMER, CUSTOMERS, OWNER, SHOP_ID, STORES, TILLS
from backend.errors import NotFound
from backend.identity import NewPerson
from backend.merchant import Charge
from backend.payments import StartPayment
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission, Role


def test_ids_of_demo_people_pass_for_any_others() -> None:
    for person in (*CUSTOMERS, OWNER):
        assert ids.is_id(person.person_id, "usr")
    assert ids.is_id(SHOP_ID, "mch")
    assert len({person.person_id for person in (*CUSTOMERS, OWNER)}) == len(CUSTOMERS) + 1


async def test_a_cashier_and_a_manager_enter_with_one_tap(
    demo: Settings, product: Services
) -> None:
    await seed(demo)
    for role, permission in (("cashier", Permission.CHARGE), ("manager", Permission.STAFF)):
        entered = await demo_sign_in(product, demo, role, "Firefox")
        seat = await product.merchant.seat(entered.opened.session.person_id)
        assert (seat.shop_id, seat.role) == (SHOP_ID, role)
        assert permission in seat.permissions


@pytest.mark.parametrize("at", [time(0, 0), time(0, 3), time(9, 30), time(14), time(23, 59)])
def test_the_week_is_within_the_limits_of_payments_without_a_passkey(at: time) -> None:
    now = datetime.combine(date(2026, 11, 23), at, ZoneInfo("Asia/Shanghai"))
    sales = week(now)
    assert len(sales) >= 30
    days = {sale.event_at.astimezone(now.tzinfo).date() for sale in sales}
    assert days == {now.date() - timedelta(days=ago) for ago in range(7)}
    for sale in sales:
        assert now - timedelta(days=7) < sale.event_at <= now
        assert sale.amount_fen <= 500_00
    for customer in CUSTOMERS:
        bought = [sale.amount_fen for sale in sales if sale.customer is customer]
        assert len(bought) <= 10
        assert sum(bought) < min(customer.topup_fen, 1_000_00)
    left = 10 - len([sale for sale in sales if sale.customer is CONSUMER])
    assert left >= 5
    assert week(now) == sales


async def test_the_week_is_lived_once(demo: Settings, product: Services) -> None:
    await seed(demo)
    await _check_week(product)
    await seed(demo)
    await _check_week(product)


async def _check_week(product: Services) -> None:
    sales = week((await product.identity.person(CONSUMER.person_id)).created_at)
    total = sum(sale.amount_fen for sale in sales)
    now, day = SystemClock().now().astimezone(ZoneInfo("Asia/Shanghai")), timedelta(days=1)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [
        await product.sales.between(SHOP_ID, today - ago * day, today - (ago - 1) * day)
        for ago in range(7)
    ]
    assert sum(day.amount_fen for day in days) == total
    assert all(day.amount_fen for day in days)
    bills = await product.bills.page(CONSUMER.person_id, "", 50)
    spent = [bill for bill in bills.bills if bill.direction == "out"]
    assert len(spent) == len([sale for sale in sales if sale.customer is CONSUMER])
    assert [bill.status for bill in bills.bills] == ["succeeded"] * len(bills.bills)
    assert bills.bills[-1].kind == "topup"
    [wallet] = await product.ledger.balances((f"person:{CONSUMER.person_id}",))
    came = sum(bill.amount_fen for bill in bills.bills if bill.direction == "in")
    assert wallet.available_fen == came - sum(bill.amount_fen for bill in spent)
    await _check_shop(product, sales)


async def _check_shop(product: Services, sales: list[Sale]) -> None:
    """Two stores, two more people at work, every code, refunds, and somebody who asks for one."""
    seat = await product.merchant.seat(OWNER.person_id)
    assert [store.name for store in await product.merchant.stores(seat)] == [
        place.name for place in STORES
    ]
    assert len(await product.merchant.terminals(seat)) == len(TILLS)
    members = await product.merchant.members(seat)
    assert {member.role for member in members} == {Role.OWNER, Role.MANAGER, Role.CASHIER}
    paid = [await product.payments.order(sale.order_id) for sale in sales]
    assert [order.code for order in paid] == [sale.code for sale in sales]
    assert {order.code for order in paid} == {"dynamic", "static", "shown"}
    for sale, amount_fen, _ in refunded(sales):
        payment = await product.payments.payment(OWNER.person_id, sale.payment_id)
        assert payment.refunded_fen == amount_fen
    [asked] = await product.merchant.refund_requests(seat)
    assert asked.payment_id == asked_back(sales)[0].payment_id


async def test_a_seeding_that_stopped_goes_on(demo: Settings, product: Services) -> None:
    await product.identity.create_person(
        NewPerson(
            person_id=CONSUMER.person_id,
            phone=CONSUMER.phone,
            display_name=CONSUMER.display_name,
            demo=True,
        )
    )
    await seed(demo)
    await _check_week(product)


async def test_one_tap_enters_and_pays_at_once(demo: Settings, product: Services) -> None:
    await seed(demo)
    entered = await demo_sign_in(product, demo, "consumer", "Firefox")
    session = await product.identity.session(entered.opened.token)
    assert session.person_id == CONSUMER.person_id
    order = await product.merchant.charge(
        await product.merchant.seat(OWNER.person_id),
        Charge(order_id=ids.new("ord"), amount_fen=23_00),
    )
    started = await product.payments.start(
        StartPayment(
            payment_id=ids.new("pay"),
            order_id=order.order_id,
            payer_id=CONSUMER.person_id,
            amount_fen=order.amount_fen,
            device_secret=entered.device_secret,
        )
    )
    assert (started.payment.status, started.payment.level) == ("posted", "C")


async def test_the_shop_is_entered_too_and_nobody_else(demo: Settings, product: Services) -> None:
    with pytest.raises(NotFound):
        await demo_sign_in(product, demo, "consumer", "Firefox")  # nobody is there yet
    await seed(demo)
    entered = await demo_sign_in(product, demo, "shop", "Firefox")
    seat = await product.merchant.seat(entered.opened.session.person_id)
    assert seat.shop_id == SHOP_ID
    with pytest.raises(NotFound):
        await demo_sign_in(product, demo, "guest-1", "Firefox")
    outside = msgspec.structs.replace(demo, demo=False)
    with pytest.raises(NotFound):
        await demo_sign_in(product, outside, next(iter(ROLES)), "Firefox")
