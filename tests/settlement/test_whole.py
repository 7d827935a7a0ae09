"""The whole way: real payments and refunds with fees, and what of them is on the card."""

from backend import ids
from backend.merchant import GiveBack
from tests.settlement.conftest import Shop, Street


async def test_real_sales_and_a_real_refund_are_settled_to_the_fen(street: Street) -> None:
    world = street.world
    owner = await world.person(trusted=False)
    opened = await world.shop(owner, fees=True)
    await world.fee(opened, bps=38)
    shop = Shop(opened.shop_id, owner, await world.seat(opened))
    await street.choose(shop, await street.card(owner, "4001"))
    payments = []
    for amount_fen in (23_00, 77_77):
        order = await world.order(opened, amount_fen)
        paying = world.paying(street.customer, order)
        started = await world.services.payments.start(paying)
        assert started.payment.status == "posted"
        payments.append(paying.payment_id)
    refund = await world.services.merchant.refund(
        shop.seat,
        GiveBack(
            refund_id=ids.new("rfd"),
            payment_id=payments[1],
            amount_fen=7_77,
            reason="少了一份",
            device_secret=owner.device_secret,
        ),
    )
    assert refund.refund.status == "posted"
    balance = await world.balance(shop.account)
    street.at(9, days=1)
    await street.settle()
    [batch] = await street.batches(shop)
    assert (batch.amount_fen, batch.count, batch.fee_fen) == (100_77, 2, 9 + 30)
    assert (batch.refund_fen, batch.refunds, batch.returned_fee_fen) == (7_77, 1, 3)
    assert batch.net_fen == batch.paid_fen == batch.books_fen == balance == 92_64
    assert await street.on_card("4001") == balance
    assert await world.balance(shop.account) == 0
    day = batch.day
    trade, fund = [f for f in await street.settlement.files(shop.shop_id, day) if f.format == "csv"]
    assert (trade.rows, fund.rows) == (3, 6)
