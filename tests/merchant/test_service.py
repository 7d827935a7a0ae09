"""A shop, its till and its dashboard."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

import msgspec
import pytest

from backend import ids
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.ledger import Ledger
from backend.merchant import Charge, HasShop, OpenShop, Shop, ShopFrozen
from backend.merchant.service import MerchantService
from backend.payments import LedgerUnavailable, Order, OrderCancelled, Payments
from backend.payments.rules import SHANGHAI
from backend.risk import Risk
from tests.world import Crash, Line, World


def opening(owner_id: str, name: str = "老王面馆") -> OpenShop:
    return OpenShop(shop_id=ids.new("mch"), owner_id=owner_id, name=name, category="food")


def charging(shop: Shop, amount_fen: int = 23_00) -> Charge:
    return Charge(
        order_id=ids.new("ord"),
        shop_id=shop.shop_id,
        owner_id=shop.owner_id,
        amount_fen=amount_fen,
    )


async def test_a_shop_is_opened_once(world: World) -> None:
    owner = await world.person()
    new = opening(owner.person_id)
    shops = await asyncio.gather(*(world.services.merchant.open_shop(new) for _ in range(5)))
    assert len(set(shops)) == 1
    assert await world.services.merchant.shop_of(owner.person_id) == shops[0]
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
    crashing = MerchantService(
        cast(Payments, line), cast(Ledger, world.ledger), cast(Risk, world.risk), world.clock
    )
    with pytest.raises(Crash):
        await crashing.open_shop(new)
    account = f"shop:{new.shop_id}"
    assert await world.books.balances((account,)) == ()
    merchant = world.services.merchant
    shop = await merchant.shop_of(owner.person_id)
    assert shop is not None
    if next_step == "the same form":
        await merchant.open_shop(new)
    elif next_step == "another form":
        with pytest.raises(HasShop):
            await merchant.open_shop(opening(owner.person_id))
    else:
        await merchant.charge(charging(shop))
    assert await world.balance(account) == 0


async def test_who_has_no_shop_has_nothing_to_see(world: World) -> None:
    person_id = ids.new("usr")
    merchant = world.services.merchant
    assert await merchant.shop_of(person_id) is None
    for call in (
        merchant.dashboard(person_id),
        merchant.order(person_id, ids.new("ord")),
        merchant.cancel(person_id, ids.new("ord")),
    ):
        with pytest.raises(NotFound):
            await call


async def test_what_belongs_to_another_shop_is_not_found(world: World) -> None:
    mine, other = await world.person(), await world.person()
    shop, others = await world.shop(mine), await world.shop(other)
    order = await world.order(shop)
    merchant = world.services.merchant
    assert await merchant.order(mine.person_id, order.order_id) == order
    for call in (
        merchant.order(other.person_id, order.order_id),
        merchant.cancel(other.person_id, order.order_id),
        merchant.charge(msgspec.structs.replace(charging(shop), owner_id=other.person_id)),
        merchant.charge(msgspec.structs.replace(charging(others), owner_id=mine.person_id)),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await merchant.order(mine.person_id, order.order_id)).status == "open"


async def test_a_charge_is_made_once_and_can_be_taken_back(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    charge = charging(shop)
    merchant = world.services.merchant
    orders: list[Order] = await asyncio.gather(*(merchant.charge(charge) for _ in range(5)))
    assert len(set(orders)) == 1
    assert (orders[0].payee_name, orders[0].amount_fen) == (shop.name, 23_00)
    with pytest.raises(IdReused):
        await merchant.charge(msgspec.structs.replace(charge, amount_fen=24_00))
    assert (await merchant.cancel(owner.person_id, charge.order_id)).status == "cancelled"
    payer = await world.person(100_00)
    again = await merchant.charge(charging(shop))
    await merchant.cancel(owner.person_id, again.order_id)
    with pytest.raises(OrderCancelled):
        await world.services.payments.start(world.paying(payer, again))


async def test_a_frozen_shop_makes_no_codes(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    await world.services.payments.freeze(owner.person_id, owner.device_secret)
    with pytest.raises(ShopFrozen):
        await world.services.merchant.charge(charging(shop))


async def test_a_shop_frozen_by_us_makes_no_codes(world: World) -> None:
    shop = await world.shop(await world.person())
    await TX.query("update merchant.shop set status = 'frozen'")
    with pytest.raises(ShopFrozen):
        await world.services.merchant.charge(charging(shop))


async def test_codes_are_made_while_risk_is_away(world: World) -> None:
    shop = await world.shop(await world.person())
    world.risk.down = True
    assert (await world.services.merchant.charge(charging(shop))).status == "open"


async def test_the_dashboard_of_a_new_shop(world: World) -> None:
    owner = await world.person()
    shop = await world.shop(owner)
    board = await world.services.merchant.dashboard(owner.person_id)
    assert (board.shop, board.today_fen, board.today_count, board.balance_fen) == (shop, 0, 0, 0)
    assert (board.days, board.last) == ((0,) * 7, ())
    world.ledger.down = True
    with pytest.raises(LedgerUnavailable):
        await world.services.merchant.dashboard(owner.person_id)


async def test_the_dashboard_counts_by_days_of_shanghai(world: World) -> None:
    payer, owner = await world.person(1_000_00), await world.person()
    shop = await world.shop(owner)
    midnight = _next_midnight(world.clock.now())

    async def pay_at(at: datetime, amount_fen: int) -> str:
        world.clock.at = at
        order = await world.order(shop, amount_fen)
        started = await world.services.payments.start(world.paying(payer, order))
        return started.payment.payment_id

    paid = [
        await pay_at(midnight - timedelta(days=6, seconds=1), 1),  # out of the week
        await pay_at(midnight - timedelta(days=6), 10),
        await pay_at(midnight - timedelta(seconds=1), 1_00),
        await pay_at(midnight, 10_00),
        await pay_at(midnight + timedelta(hours=1), 20_00),
    ]
    board = await world.services.merchant.dashboard(owner.person_id)
    assert (board.today_fen, board.today_count, board.yesterday_fen) == (30_00, 2, 1_00)
    assert board.days == (10, 0, 0, 0, 0, 1_00, 30_00)
    assert board.balance_fen == 31_11
    assert [payment.payment_id for payment in board.last] == paid[::-1]


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
    board = await world.services.merchant.dashboard(owner.person_id)
    total = sum(order.amount_fen for order in orders)
    assert (board.today_fen, board.today_count, board.balance_fen) == (total, 24, total)
    assert len(board.last) == 10


def _next_midnight(now: datetime) -> datetime:
    """At least a week ahead, so that every payment lies in the future of the set-up."""
    day = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=9)
