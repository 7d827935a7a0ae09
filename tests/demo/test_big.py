"""A shop with a year of history: the same whenever it is told, in books that prove themselves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.db import BOOKS, TX
from backend.demo import big, demo_sign_in, seed_big
from backend.demo.big_shop import owner_of, payers_of
from backend.demo.big_year import DAYS, Bought, batches, returned, sold
from backend.errors import NotFound
from backend.fees import fee_of
from backend.keys import published
from backend.ledger.audit import audit
from backend.services import Services
from backend.settings import Settings

ORDERS = 2_000
UNTIL = datetime(2026, 11, 23, 4, tzinfo=UTC)


def _year(orders: int = ORDERS) -> list[Bought]:
    return [order for batch in batches(orders, UNTIL) for order in sold(batch, UNTIL)]


def test_a_year_is_told_in_order_and_always_the_same() -> None:
    year = _year()
    assert len(year) == ORDERS
    assert year == _year()
    moments = [order.event_at for order in year]
    assert moments == sorted(moments)
    assert moments[0] < UNTIL - timedelta(days=DAYS - 2)
    assert UNTIL - timedelta(days=2) < moments[-1] < UNTIL
    assert len({order.order_id for order in year}) == ORDERS
    assert {order.code for order in year} == {"dynamic", "static", "shown"}
    assert all(order.amount_fen > 0 and order.refund_fen <= order.amount_fen for order in year)
    assert any(not order.paid for order in year)


def test_every_refund_comes_once_in_the_evening_of_its_day() -> None:
    back = [pair for batch in batches(ORDERS, UNTIL) for pair in returned(batch, UNTIL)]
    assert {order.refund_id for order, _ in back} == {o.refund_id for o in _year() if o.refund_fen}
    assert len(back) == len({order.refund_id for order, _ in back}) > ORDERS // 50
    for order, at in back:
        assert timedelta() < at - order.event_at < timedelta(hours=16)


def test_years_of_other_sizes_are_of_other_people() -> None:
    assert owner_of(10).person_id != owner_of(11).person_id
    people = [person.person_id for size in (10, 11) for person in payers_of(size)]
    assert len(set(people)) == len(people)


async def test_a_year_is_kept_whole_and_proves_itself(
    demo: Settings, product: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(big, "SAY_EVERY_S", 0.0)
    await seed_big(demo, 300, said.append)
    assert any("a second" in line and "left" in line for line in said)
    assert "/welcome?shop=big-300" in said[-1]
    seat = await product.merchant.seat(owner_of(300).person_id)
    made = await product.identity.person(owner_of(300).person_id)
    year = [o for batch in batches(300, made.created_at) for o in sold(batch, made.created_at)]
    paid, back = [o for o in year if o.paid], [o for o in year if o.refund_fen]
    bps = {rule.product: rule.bps for rule in await product.payments.fees(seat.shop_id)}
    fees = sum(fee_of(order.amount_fen, bps[order.code]) for order in paid)
    total = await product.sales.between(
        seat.shop_id, made.created_at - timedelta(days=400), made.created_at
    )
    assert (total.count, total.amount_fen) == (len(paid), sum(o.amount_fen for o in paid))
    assert (total.refunds, total.refund_fen) == (len(back), sum(o.refund_fen for o in back))
    assert total.fee_fen == fees
    [balance] = await product.ledger.balances((f"shop:{seat.shop_id}",))
    net = total.amount_fen - fees - total.refund_fen + total.returned_fee_fen
    assert balance.posted_fen == net
    for order in (paid[0], back[0]):
        payment = await product.payments.payment(made.person_id, order.payment_id)
        assert (payment.status, payment.refunded_fen) == ("posted", order.refund_fen)
        bill = await product.bills.bill(made.person_id, order.payment_id)
        assert (bill.amount_fen, bill.refunded_fen) == (order.amount_fen, order.refund_fen)
    proof = await audit(BOOKS, published(Path(demo.verdict_keys)))
    assert proof.faults == ()


async def test_a_run_that_stopped_goes_on(demo: Settings, product: Services) -> None:
    class Killed(Exception):
        pass

    def stop(_: str) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(big, "SAY_EVERY_S", 0.0)
        with pytest.raises(ExceptionGroup):
            await seed_big(demo, 250, stop)
    [row] = await TX.query("select count(*) from payments.orders")
    assert 0 < row["count"] < 250
    said: list[str] = []
    await seed_big(demo, 250, said.append)
    assert "were there already" in said[0]
    [row] = await TX.query("select count(*) from payments.orders")
    assert row["count"] == 250


async def test_the_big_shop_is_entered_by_its_size(demo: Settings, product: Services) -> None:
    with pytest.raises(NotFound):
        await demo_sign_in(product, demo, "big-20", "Firefox")  # not told yet
    await seed_big(demo, 20, lambda _: None)
    entered = await demo_sign_in(product, demo, "big-20", "Firefox")
    assert entered.opened.session.person_id == owner_of(20).person_id
    with pytest.raises(NotFound):
        await demo_sign_in(product, demo, "big-x", "Firefox")
