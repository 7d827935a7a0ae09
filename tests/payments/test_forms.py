"""Risk's process comes and goes; and the demo's week of history."""

from datetime import timedelta
from typing import cast

import msgspec
import pytest

from backend import ids, rpc, services
from backend.ledger import Ledger
from backend.merchant import Charge
from backend.payments import RiskUnavailable
from backend.risk import Risk
from backend.sales import SaleFilter
from backend.settings import Settings
from tests.payments.test_refusals import a_code
from tests.world import World, open_world


async def test_paying_works_again_when_the_risk_process_is_back(
    world: World, databases: Settings
) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    built, close = await services.build(
        databases, clock=world.clock, ledger=cast(Ledger, world.ledger)
    )
    for _ in range(2):
        with pytest.raises(RiskUnavailable) as refusal:
            await built.payments.start(start)
        assert refusal.value.money_moved == "no"
        stop = await rpc.serve(Risk, world.risk, databases.risk_rpc, databases)
        await built.payments.quote(order.order_id, payer.person_id, payer.device_secret)
        await stop()
    stop = await rpc.serve(Risk, world.risk, databases.risk_rpc, databases)
    assert (await built.payments.start(start)).payment.status == "posted"
    await stop()
    await close()
    assert await world.balance(payer.account_id) == 977_00


async def test_history_happens_when_it_says(databases: Settings) -> None:
    async with open_world(msgspec.structs.replace(databases, demo=True)) as world:
        payer, owner = await world.person(100_00), await world.person()
        shop = await world.shop(owner)
        three_days_ago = world.clock.now() - timedelta(days=3)
        charge = Charge(order_id=ids.new("ord"), amount_fen=23_00, event_at=three_days_ago)
        seat = await world.seat(shop)
        order = await world.services.merchant.charge(seat, charge)
        assert await world.services.merchant.charge(seat, charge) == order
        assert order.created_at == three_days_ago
        start = world.paying(payer, order, event_at=three_days_ago)
        payment = (await world.services.payments.start(start)).payment
        assert payment.event_at == three_days_ago
        bill = await world.services.bills.bill(payer.person_id, payment.payment_id)
        assert bill.event_at == three_days_ago
        [entry] = await world.services.ledger.statement(f"shop:{order.payee_id}", 0, 10)
        assert abs(entry.event_at - three_days_ago) < timedelta(milliseconds=1)
        an_hour = timedelta(hours=1)
        that_day = await world.services.sales.between(
            order.payee_id, three_days_ago - an_hour, three_days_ago + an_hour
        )
        assert (that_day.amount_fen, that_day.count) == (23_00, 1)
        [sale] = (
            await world.services.sales.page(
                SaleFilter(
                    shop_id=order.payee_id,
                    since=three_days_ago,
                    until=three_days_ago + an_hour,
                ),
                "",
                10,
            )
        ).sales
        assert (sale.created_at, sale.status) == (three_days_ago, "paid")
        tomorrow = world.clock.now() + timedelta(days=1)
        again = world.paying(payer, order, event_at=tomorrow)
        with pytest.raises(Exception, match="bad_request"):
            await world.services.payments.start(again)
