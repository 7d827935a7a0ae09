"""A till reads a payer's code: paid, refused, or the payer is asked."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.db import SEC, TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.payments import (
    CODE_ORDER_LIFE,
    Charged,
    NotForYou,
    OrderCancelled,
    OrderExpired,
    OwnShop,
    PaymentAbandoned,
)
from backend.risk import PayCodeInvalid, PayeeFrozen, TooManyGuesses
from backend.risk.code_guesses import MAX_WRONG_CODES
from tests.payments.test_flows import FORMS, confirming
from tests.payments.till import a_till, answering, shown
from tests.world import World


async def heard(world: World, topic: str) -> list[tuple[str, str]]:
    rows = await TX.query(
        "select kind, ref from events.event where topic = $1 order by event_id", topic
    )
    return [(row["kind"], row["ref"]) for row in rows]


@FORMS
async def test_a_small_amount_is_paid_at_once(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00, name="李明")
    charge = till.reading(await shown(world, payer))
    charged = await world.services.payments.charge_code(charge)

    assert (charged.state, charged.refusal_code) == ("succeeded", "")
    assert (charged.order.status, charged.payment_id) == ("paid", charge.payment_id)
    assert charged.order.expires_at - charged.order.created_at == CODE_ORDER_LIFE
    assert await world.balance(payer.account_id) == 77_00
    assert await till.balance() == 22_93
    payment = await world.services.payments.payment(payer.person_id, charge.payment_id)
    assert (payment.status, payment.level) == ("posted", "C")
    sale = await world.services.sales.sale(till.shop.shop_id, charge.order.order_id)
    assert (sale.status, sale.payer_name, sale.code) == ("paid", "*明", "shown")


async def test_the_shop_never_learns_whose_code_it_was(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00, name="李明")
    paid = await till.charge(payer)
    asked = await till.charge(payer, 600_00)
    told = (
        paid,
        asked,
        await world.services.payments.charged(till.shop.shop_id, asked.order.order_id),
        await world.services.sales.of_order(till.shop.shop_id, paid.order.order_id),
    )
    said = msgspec.json.encode(told).decode()
    assert payer.person_id not in said
    assert "李明" not in said


@FORMS
async def test_a_large_amount_asks_the_payer_by_itself(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    payments = world.services.payments
    charged = await till.charge(payer, 600_00)
    assert (charged.state, charged.order.status) == ("user_paying", "paying")
    assert await heard(world, f"person:{payer.person_id}") == [
        ("payment_asked", charged.order.order_id)
    ]
    [order] = await payments.asked(payer.person_id)
    assert (order.order_id, order.payment_id) == (charged.order.order_id, charged.payment_id)
    assert (order.payee_name, order.amount_fen) == (till.shop.name, 600_00)
    assert await payments.asked(till.owner.person_id) == ()

    started = await payments.start(answering(payer, charged))
    paid = await payments.confirm(confirming(payer, started))

    assert (paid.status, paid.level) == ("posted", "A")
    assert await payments.asked(payer.person_id) == ()
    after = await payments.charged(till.shop.shop_id, charged.order.order_id)
    assert (after.state, after.order.status) == ("succeeded", "paid")
    assert await world.balance(payer.account_id) == 400_00


async def test_the_quote_of_who_is_asked(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    charged = await till.charge(payer, 600_00)
    quote = await world.services.payments.quote(
        charged.order.order_id, payer.person_id, payer.device_secret
    )
    assert (quote.requirement.takes, quote.short_fen) == ("passkey", 0)


async def test_nobody_else_can_pay_what_a_till_read(world: World) -> None:
    till, payer, other = (
        await a_till(world),
        await world.person(1_000_00),
        await world.person(1_000_00),
    )
    charged = await till.charge(payer, 600_00)
    payments = world.services.payments
    for start in (
        answering(other, charged),
        world.paying(other, charged.order),
        world.paying(payer, charged.order),  # another payment than the till's
    ):
        with pytest.raises((NotForYou, IdReused)):
            await payments.start(start)
    with pytest.raises(NotForYou):
        await payments.quote(charged.order.order_id, other.person_id, other.device_secret)
    assert await world.balance(other.account_id) == 1_000_00


async def test_the_same_question_gets_the_same_truth(world: World) -> None:
    till, payer = await a_till(world), await world.person(2_000_00)
    charge = world.services.payments.charge_code
    small = till.reading(await shown(world, payer))
    large = till.reading(await shown(world, payer), 600_00)
    for one, state in ((small, "succeeded"), (large, "user_paying")):
        answers = [await charge(one) for _ in range(3)]
        assert {answer.state for answer in answers} == {state}
        assert answers[0] == answers[2]
    assert await till.balance() == 23_00
    kinds = [kind for kind, _ in await heard(world, f"person:{payer.person_id}")]
    assert kinds == ["payment_posted", "payment_asked"]
    world.later(hours=3)
    assert (await charge(small)).state == "succeeded"
    assert (await charge(large)).state == "failed"
    with pytest.raises(IdReused):
        await charge(till.reading(small.pay_code, 24_00, order_id=small.order.order_id))
    with pytest.raises(IdReused):
        await charge(msgspec.structs.replace(small, payment_id=ids.new("pay")))


@FORMS
async def test_twenty_questions_at_once_pay_once(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    charge = world.services.payments.charge_code
    answers = await asyncio.gather(*(charge(one) for _ in range(20)))
    assert "succeeded" in {answer.state for answer in answers}
    assert {answer.state for answer in answers} <= {"succeeded", "unknown"}
    assert (await till.charged(one)).state == "succeeded"
    assert await world.balance(payer.account_id) == 77_00


async def test_two_cashiers_with_one_code_and_exactly_one_wins(world: World) -> None:
    tills = [await a_till(world) for _ in range(2)]
    payer = await world.person(100_00)
    code = await shown(world, payer)
    charges = [till.reading(code) for till in tills]
    answers = await asyncio.gather(
        *(world.services.payments.charge_code(one) for one in charges), return_exceptions=True
    )
    won = [answer for answer in answers if isinstance(answer, Charged)]
    lost = [answer for answer in answers if isinstance(answer, PayCodeInvalid)]
    assert (len(won), len(lost)) == (1, 1)
    assert won[0].state == "succeeded"
    assert await world.balance(payer.account_id) == 77_00
    for till, one in zip(tills, charges, strict=True):
        truth = await till.charged(one)
        mine = truth.order.order_id == won[0].order.order_id
        assert truth.state == ("succeeded" if mine else "failed")
        assert truth.refusal_code == ("" if mine else "pay_code_invalid")


async def test_a_code_that_is_no_code(world: World) -> None:
    till = await a_till(world)
    one = till.reading("88" + "1" * 16)
    with pytest.raises(PayCodeInvalid):
        await world.services.payments.charge_code(one)
    truth = await till.charged(one)
    assert (truth.state, truth.refusal_code) == ("failed", "pay_code_invalid")
    assert truth.order.status == "cancelled"
    assert await world.services.payments.charge_code(one) == truth
    sale = await world.services.sales.sale(till.shop.shop_id, one.order.order_id)
    assert sale.status == "cancelled"


async def test_guesses_are_limited(world: World) -> None:
    till = await a_till(world)
    seen = []
    for n in range(MAX_WRONG_CODES + 1):
        with pytest.raises((PayCodeInvalid, TooManyGuesses)) as refusal:
            await world.services.payments.charge_code(till.reading(f"88{n:016d}"))
        seen.append(refusal.type)
    assert seen[0] is PayCodeInvalid
    assert seen[-1] is TooManyGuesses


async def test_an_old_code(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    code = await shown(world, payer)
    world.later(seconds=76)
    with pytest.raises(PayCodeInvalid):
        await world.services.payments.charge_code(till.reading(code))
    assert await world.balance(payer.account_id) == 100_00


async def test_a_failed_try_burns_the_code(world: World) -> None:
    till, payer = await a_till(world), await world.person(20_00)
    code = await shown(world, payer)
    one = till.reading(code)
    failed = await world.services.payments.charge_code(one)
    assert (failed.state, failed.refusal_code) == ("failed", "insufficient_balance")
    assert failed.order.status == "cancelled"
    await world.fund(payer, 100_00)
    assert await world.services.payments.charge_code(one) == failed
    with pytest.raises(PayCodeInvalid):
        await world.services.payments.charge_code(till.reading(code))
    assert (await till.charge(payer)).state == "succeeded"
    bill = await world.services.bills.bill(payer.person_id, failed.payment_id)
    assert (bill.status, bill.refusal_code) == ("refused", "insufficient_balance")
    sale = await world.services.sales.sale(till.shop.shop_id, failed.order.order_id)
    assert (sale.status, sale.tries) == ("cancelled", 1)


async def test_the_owners_own_code(world: World) -> None:
    till = await a_till(world)
    await world.fund(till.owner, 100_00)
    one = till.reading(await shown(world, till.owner))
    with pytest.raises(OwnShop):
        await world.services.payments.charge_code(one)
    assert (await till.charged(one)).refusal_code == "own_shop"


async def test_a_payer_who_froze_after_showing(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    await world.services.payments.freeze(payer.person_id, payer.device_secret)
    try:
        failed = await world.services.payments.charge_code(one)
        assert failed.refusal_code == "payer_frozen"
    except PayCodeInvalid:
        pass  # a freeze may revoke the codes too
    assert (await till.charged(one)).state == "failed"
    assert await world.balance(payer.account_id) == 100_00


async def test_a_frozen_shop(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    await world.services.payments.freeze(till.owner.person_id, till.owner.device_secret)
    one = till.reading(await shown(world, payer))
    with pytest.raises(PayeeFrozen):
        await world.services.payments.charge_code(one)
    truth = await till.charged(one)
    assert (truth.state, truth.refusal_code) == ("failed", "payee_frozen")
    assert await world.balance(payer.account_id) == 100_00


async def test_a_code_issued_ahead_is_for_small_amounts(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    charge = world.services.payments.charge_code
    small = await charge(till.reading(await shown(world, payer, ahead=True)))
    assert small.state == "succeeded"
    large = await charge(till.reading(await shown(world, payer, ahead=True), 600_00))
    assert (large.state, large.refusal_code) == ("failed", "passkey_required")
    assert large.order.status == "cancelled"


async def test_a_payer_who_must_wait_is_refused(world: World) -> None:
    """At a till nobody waits for hours."""
    till = await a_till(world)
    payer = await world.person(100_00, trusted=False)
    tomorrow = world.clock.now() + timedelta(days=1)
    await SEC.query("update risk.device set trusted_at = $1", tomorrow)
    truth = await till.charge(payer)
    assert (truth.state, truth.refusal_code) == ("failed", "known_payees_only")
    assert truth.order.status == "cancelled"


async def test_nobody_confirms_in_time(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    charged = await till.charge(payer, 600_00)
    payments = world.services.payments
    started = await payments.start(answering(payer, charged))
    world.later(seconds=90)
    assert await payments.asked(payer.person_id) == ()
    truth = await payments.charged(till.shop.shop_id, charged.order.order_id)
    assert (truth.state, truth.refusal_code) == ("failed", "order_expired")
    with pytest.raises(OrderExpired):
        await payments.confirm(confirming(payer, started))
    await payments.sweep()
    assert await payments.charged(till.shop.shop_id, charged.order.order_id) == truth
    sale = await world.services.sales.sale(till.shop.shop_id, charged.order.order_id)
    assert sale.status == "expired"
    assert await world.balance(payer.account_id) == 1_000_00


async def test_the_sweeper_ends_what_nobody_confirmed_or_asked_about(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    charged = await till.charge(payer, 600_00)
    payments = world.services.payments
    started = await payments.start(answering(payer, charged))
    world.later(seconds=90)
    await payments.sweep()
    truth = await payments.charged(till.shop.shop_id, charged.order.order_id)
    assert (truth.state, truth.refusal_code) == ("failed", "payment_abandoned")
    with pytest.raises(PaymentAbandoned):
        await payments.confirm(confirming(payer, started))


async def test_confirmation_and_expiry_at_the_same_moment_have_one_end(world: World) -> None:
    till, payer = await a_till(world), await world.person(5_000_00)
    payments = world.services.payments
    for early in (timedelta(0), timedelta(milliseconds=1)):
        charged = await till.charge(payer, 600_00)
        started = await payments.start(answering(payer, charged))
        world.clock.at = charged.order.expires_at - early
        before = await till.balance()
        await asyncio.gather(
            payments.confirm(confirming(payer, started)),
            payments.sweep(),
            payments.charged(till.shop.shop_id, charged.order.order_id),
            return_exceptions=True,
        )
        world.later(seconds=50)
        await payments.sweep()
        truth = await payments.charged(till.shop.shop_id, charged.order.order_id)
        paid = truth.state == "succeeded"
        assert truth.state in ("succeeded", "failed")
        assert await till.balance() - before == (600_00 if paid else 0)


async def test_the_till_takes_back_what_the_payer_was_asked(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    charged = await till.charge(payer, 600_00)
    payments = world.services.payments
    started = await payments.start(answering(payer, charged))
    order = await payments.cancel_order(till.shop.shop_id, charged.order.order_id)
    assert order.status == "cancelled"
    assert await payments.asked(payer.person_id) == ()
    truth = await payments.charged(till.shop.shop_id, order.order_id)
    assert (truth.state, truth.refusal_code) == ("failed", "order_cancelled")
    with pytest.raises(OrderCancelled):
        await payments.confirm(confirming(payer, started))
    assert ("payment_refused", charged.payment_id) in await heard(
        world, f"person:{payer.person_id}"
    )
    assert await world.balance(payer.account_id) == 1_000_00


async def test_a_till_sees_its_own_orders_only(world: World) -> None:
    till, other, payer = await a_till(world), await a_till(world), await world.person(100_00)
    charged = await till.charge(payer)
    for shop_id, order_id in (
        (other.shop.shop_id, charged.order.order_id),
        (till.shop.shop_id, ids.new("ord")),
    ):
        with pytest.raises(NotFound):
            await world.services.payments.charged(shop_id, order_id)


async def test_what_became_of_a_code_that_the_shop_showed(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payments = world.services.payments

    async def state(order_id: str) -> str:
        return (await payments.charged(till.shop.shop_id, order_id)).state

    paid, left, taken = [await world.order(till.shop) for _ in range(3)]
    assert await state(paid.order_id) == "user_paying"
    await payments.start(world.paying(payer, paid))
    await payments.cancel_order(till.shop.shop_id, taken.order_id)
    world.later(minutes=15)
    assert await state(paid.order_id) == "succeeded"
    assert await state(left.order_id) == "failed"
    assert await state(taken.order_id) == "failed"


async def test_forms_that_are_none(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    code = await shown(world, payer)
    sound = till.reading(code)
    for one in (
        msgspec.structs.replace(sound, order=msgspec.structs.replace(sound.order, code="static")),
        till.reading(code, payer_id=payer.person_id),
        till.reading(code, payee_id=till.owner.person_id),
        msgspec.structs.replace(till.reading(code), payment_id=ids.new("top")),
    ):
        with pytest.raises(BadRequest):
            await world.services.payments.charge_code(one)
    with pytest.raises(BadRequest):
        await world.services.payments.open_order(till.reading(code).order)
