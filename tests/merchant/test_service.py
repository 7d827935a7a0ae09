"""Opening a shop, and its till."""

import asyncio
from typing import cast

import msgspec
import pytest

from backend import ids
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.merchant import Charge, HasShop, NoShop, OpenShop, ShopFrozen
from backend.merchant.service import MerchantService
from backend.payments import Order, OrderCancelled, Payments
from tests.merchant.conftest import parts_of
from tests.world import Crash, Line, World


def opening(owner_id: str, name: str = "老王面馆") -> OpenShop:
    return OpenShop(shop_id=ids.new("mch"), owner_id=owner_id, name=name, category="food")


def charging(amount_fen: int = 23_00) -> Charge:
    return Charge(order_id=ids.new("ord"), amount_fen=amount_fen)


async def test_a_shop_is_opened_once(world: World) -> None:
    owner = await world.person()
    new = opening(owner.person_id)
    shops = await asyncio.gather(*(world.services.merchant.open_shop(new) for _ in range(5)))
    assert len(set(shops)) == 1
    assert await world.services.merchant.shop(new.shop_id) == shops[0]
    assert await world.balance(f"shop:{new.shop_id}") == 0
    with pytest.raises(IdReused):
        await world.services.merchant.open_shop(msgspec.structs.replace(new, name="其他"))


async def test_a_person_has_one_shop(world: World) -> None:
    owner = await world.person()
    answers = await asyncio.gather(
        *(world.services.merchant.open_shop(opening(owner.person_id)) for _ in range(5)),
        return_exceptions=True,
    )
    assert sorted(type(a).__name__ for a in answers) == ["HasShop"] * 4 + ["Shop"]
    with pytest.raises(HasShop):
        await world.services.merchant.open_shop(opening(owner.person_id))


@pytest.mark.parametrize("next_step", ["the same form", "another form", "charging"])
async def test_a_shop_whose_opening_crashed_heals(world: World, next_step: str) -> None:
    owner = await world.person()
    new = opening(owner.person_id)
    line = Line(world.services.payments)
    line.crash_before = {"open_till"}
    crashing = MerchantService(parts_of(world, payments=cast(Payments, line)))
    with pytest.raises(Crash):
        await crashing.open_shop(new)
    account = f"shop:{new.shop_id}"
    assert await world.books.balances((account,)) == ()
    merchant = world.services.merchant
    if next_step == "the same form":
        await merchant.open_shop(new)
    elif next_step == "another form":
        with pytest.raises(HasShop):
            await merchant.open_shop(opening(owner.person_id))
    else:
        await merchant.charge(await merchant.seat(owner.person_id), charging())
    assert await world.balance(account) == 0


async def test_who_has_no_shop_has_no_seat(world: World) -> None:
    person_id, merchant = ids.new("usr"), world.services.merchant
    assert await merchant.seats(person_id) == ()
    with pytest.raises(NoShop):
        await merchant.seat(person_id)
    with pytest.raises(NotFound):
        await merchant.shop(ids.new("mch"))
    shop = await world.shop(await world.person())
    with pytest.raises(NotFound):
        await merchant.take_seat(person_id, shop.shop_id)


async def test_what_belongs_to_another_shop_is_not_found(world: World) -> None:
    mine, other = await world.person(), await world.person()
    shop, others = await world.shop(mine), await world.shop(other)
    order = await world.order(shop)
    merchant = world.services.merchant
    seat, foreign = await world.seat(shop), await world.seat(others)
    assert await merchant.order(seat, order.order_id) == order
    for call in (
        merchant.order(foreign, order.order_id),
        merchant.cancel(foreign, order.order_id),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await merchant.order(seat, order.order_id)).status == "open"


async def test_a_charge_is_made_once_and_can_be_taken_back(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    charge, seat = charging(), await world.seat(shop)
    merchant = world.services.merchant
    orders: list[Order] = await asyncio.gather(*(merchant.charge(seat, charge) for _ in range(5)))
    assert len(set(orders)) == 1
    assert (orders[0].payee_name, orders[0].amount_fen) == (shop.name, 23_00)
    with pytest.raises(IdReused):
        await merchant.charge(seat, msgspec.structs.replace(charge, amount_fen=24_00))
    assert (await merchant.cancel(seat, charge.order_id)).status == "cancelled"
    payer = await world.person(100_00)
    again = await merchant.charge(seat, charging())
    await merchant.cancel(seat, again.order_id)
    with pytest.raises(OrderCancelled):
        await world.services.payments.start(world.paying(payer, again))


async def test_a_frozen_shop_makes_no_codes(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    await world.services.payments.freeze(owner.person_id, owner.device_secret)
    with pytest.raises(ShopFrozen):
        await world.order(shop)


async def test_a_shop_frozen_by_us_makes_no_codes(world: World) -> None:
    shop = await world.shop(await world.person())
    await TX.query("update merchant.shop set status = 'frozen'")
    with pytest.raises(ShopFrozen):
        await world.order(shop)


async def test_codes_are_made_while_risk_is_away(world: World) -> None:
    shop = await world.shop(await world.person())
    world.risk.down = True
    assert (await world.order(shop)).status == "open"


async def test_an_hour_of_rush_adds_up(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    payers = [await world.person(100_00, trusted=False) for _ in range(4)]
    world.later(hours=13)
    orders = [await world.order(shop, 1_00 + n) for n in range(24)]
    await asyncio.gather(
        *(
            world.services.payments.start(world.paying(payers[n % 4], order))
            for n, order in enumerate(orders)
        )
    )
    total = sum(order.amount_fen for order in orders)
    assert await world.balance(f"shop:{shop.shop_id}") == total
    shift = await world.services.merchant.shift(await world.seat(shop))
    assert (shift.amount_fen, shift.count, shift.refund_fen) == (total, 24, 0)
    assert len(shift.last) == 20
    assert {order.status for order in shift.last} == {"paid"}
