"""Money back: whole and in parts, by who may, to where it came from."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.payments import (
    ConfirmRefund,
    InsufficientBalance,
    RefundBusy,
    RefundStarted,
    ReversalTooSoon,
)
from backend.risk import (
    DeviceUnknown,
    MemberForbidden,
    PasskeyRefused,
    PayerFrozen,
    RefundTooLate,
    RefundTooMuch,
)
from tests.payments.test_charging import heard
from tests.payments.test_flows import FORMS
from tests.payments.test_flows import confirming as paying
from tests.payments.till import Till, a_till
from tests.world import Wallet, World


def confirming(till: Till, started: RefundStarted) -> ConfirmRefund:
    assert started.requirement is not None
    ceremony = started.requirement.ceremony
    assert ceremony is not None
    return ConfirmRefund(
        refund_id=started.refund.refund_id,
        shop_id=till.shop.shop_id,
        actor_id=till.owner.person_id,
        device_secret=till.owner.device_secret,
        ceremony_id=ceremony.ceremony_id,
        response_json=till.owner.passkey.sign(ceremony.options_json),
    )


async def asked_and_sold(till: Till, payer: Wallet, amount_fen: int) -> str:
    """A payment that took a passkey."""
    world = till.world
    order = await world.order(till.shop, amount_fen)
    started = await world.services.payments.start(world.paying(payer, order))
    return (await world.services.payments.confirm(paying(payer, started))).payment_id


@FORMS
async def test_a_whole_refund_goes_back_to_the_fen(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    payment_id = await till.sold(payer)
    start = till.giving_back(payment_id, 23_00)
    done = await world.services.payments.refund(start)

    assert done.requirement is None
    assert (done.refund.status, done.refund.fee_fen) == ("posted", 7)
    assert await world.balance(payer.account_id) == 100_00
    assert await till.balance() == 0
    assert await world.balance("fee:income") == 0
    payment = await world.services.payments.payment(payer.person_id, payment_id)
    assert (payment.status, payment.refunded_fen) == ("posted", 23_00)
    assert (await world.services.payments.refund(start)).refund == done.refund


async def test_parts_add_up_and_the_fee_returns_in_proportion(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    payment_id = await till.sold(payer)
    refund = world.services.payments.refund
    parts = [10_00, 10_00, 3_00]
    fees = [(await refund(till.giving_back(payment_id, part))).refund.fee_fen for part in parts]
    assert fees == [3, 3, 1]
    assert await till.balance() == 0
    with pytest.raises(RefundTooMuch) as refusal:
        await refund(till.giving_back(payment_id, 1))
    assert refusal.value.params == {"left_fen": 0}
    seen = await world.services.payments.refunds(payer.person_id, payment_id)
    assert [(one.amount_fen, one.status) for one in seen] == [(p, "posted") for p in parts]


async def test_all_sides_see_it_on_what_they_have(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    payment_id = await till.sold(payer)
    world.later(days=40)
    start = till.giving_back(payment_id, 10_00)
    await world.services.payments.refund(start)

    payment = await world.services.payments.payment(payer.person_id, payment_id)
    for person in (payer, till.owner):
        bill = await world.services.bills.bill(person.person_id, payment_id)
        assert (bill.amount_fen, bill.refunded_fen, bill.status) == (23_00, 10_00, "succeeded")
    shop_id = till.shop.shop_id
    order, refund = await world.services.sales.of_order(shop_id, payment.order_id)
    assert (order.status, order.refunded_fen) == ("paid", 10_00)
    assert (refund.sale_id, refund.kind, refund.status) == (start.refund_id, "refund", "succeeded")
    assert (refund.amount_fen, refund.fee_fen, refund.note) == (10_00, 3, start.reason)
    assert (refund.actor_id, refund.payer_name) == (till.owner.person_id, "*娜")
    assert ("payment_refunded", payment_id) in await heard(world, f"person:{payer.person_id}")
    assert (await heard(world, f"shop:{shop_id}"))[-1] == ("order_refunded", payment.order_id)


async def test_the_month_of_the_refund_has_it(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    world.clock.at = (world.clock.at + timedelta(days=31)).replace(day=10)
    payment_id = await till.sold(payer)
    month = f"{world.clock.now():%Y-%m}"
    world.later(days=35)
    await world.services.payments.refund(till.giving_back(payment_id, 10_00))
    next_month = f"{world.clock.now():%Y-%m}"
    bills = world.services.bills
    paid, back = await bills.months(payer.person_id, (month, next_month))
    assert paid.out_fen == 23_00
    assert (back.in_fen, back.out_fen) == (10_00, 0)
    earned, given = await bills.months(till.owner.person_id, (month, next_month))
    assert earned.in_fen == 23_00
    assert (given.in_fen, given.out_fen) == (0, 10_00)


@FORMS
async def test_a_large_refund_takes_the_actors_passkey(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    payment_id = await asked_and_sold(till, payer, 600_00)
    started = await world.services.payments.refund(till.giving_back(payment_id, 501_00))
    assert started.requirement is not None
    assert started.requirement.takes == "passkey"
    assert started.refund.status == "created"
    assert await world.balance(payer.account_id) == 400_00

    confirm = confirming(till, started)
    refund = await world.services.payments.confirm_refund(confirm)
    assert refund.status == "posted"
    assert await world.balance(payer.account_id) == 901_00
    assert await world.services.payments.confirm_refund(confirm) == refund


async def test_a_passkey_of_somebody_else(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    payment_id = await asked_and_sold(till, payer, 600_00)
    started = await world.services.payments.refund(till.giving_back(payment_id, 600_00))
    assert started.requirement is not None
    assert started.requirement.ceremony is not None
    sound = confirming(till, started)
    stolen = msgspec.structs.replace(sound, actor_id=payer.person_id)
    with pytest.raises(NotFound):
        await world.services.payments.confirm_refund(stolen)
    with pytest.raises(NotFound):
        await world.services.payments.confirm_refund(
            msgspec.structs.replace(sound, refund_id=ids.new("rfd"))
        )
    forged = payer.passkey.sign(started.requirement.ceremony.options_json)
    with pytest.raises(PasskeyRefused):
        await world.services.payments.confirm_refund(
            msgspec.structs.replace(sound, response_json=forged)
        )
    with pytest.raises(PasskeyRefused):  # its end
        await world.services.payments.confirm_refund(sound)
    assert await till.balance() == 600_00


async def test_twenty_clicks_refund_once(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    start = till.giving_back(await till.sold(payer), 10_00)
    refund = world.services.payments.refund
    answers = await asyncio.gather(*(refund(start) for _ in range(20)))
    assert {answer.refund.status for answer in answers} == {"posted"}
    assert await world.balance(payer.account_id) == 87_00


async def test_twenty_refunds_at_once_never_give_more_than_was_paid(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(1_000_00)
    payment_id = await till.sold(payer)
    await till.sold(payer, 200_00)  # the shop has enough
    refund = world.services.payments.refund
    answers = await asyncio.gather(
        *(refund(till.giving_back(payment_id, 10_00)) for _ in range(20)), return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, RefundStarted)]
    assert all(isinstance(a, RefundStarted | DomainError) for a in answers), answers
    assert 1 <= len(done) <= 2
    payment = await world.services.payments.payment(payer.person_id, payment_id)
    assert payment.refunded_fen == 10_00 * len(done)
    assert await world.balance(payer.account_id) == 777_00 + 10_00 * len(done)
    # What came in the way of each other is not used up: the rest can still go back.
    rest = 23_00 - payment.refunded_fen
    assert (await refund(till.giving_back(payment_id, rest))).refund.status == "posted"
    assert await world.balance(payer.account_id) == 800_00


async def test_a_refund_between_the_question_and_the_passkey(world: World) -> None:
    """The share of the fee that the passkey signed is another now: nothing moves."""
    till, payer = await a_till(world, fees=True), await world.person(1_000_00)
    payment_id = await asked_and_sold(till, payer, 601_00)
    payments = world.services.payments
    started = await payments.refund(till.giving_back(payment_id, 501_00))
    await payments.refund(till.giving_back(payment_id, 1_60))
    with pytest.raises(RefundBusy):
        await payments.confirm_refund(confirming(till, started))
    seen = await payments.refunds(payer.person_id, payment_id)
    assert sorted(one.status for one in seen) == ["posted", "refused"]
    again = await payments.refund(till.giving_back(payment_id, 599_40))
    assert (await payments.confirm_refund(confirming(till, again))).status == "posted"
    assert await world.balance(payer.account_id) == 1_000_00
    assert await world.balance("fee:income") == 0


async def test_more_than_was_paid_or_left(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    await till.sold(payer)
    refund = world.services.payments.refund
    with pytest.raises(RefundTooMuch) as refusal:
        await refund(till.giving_back(payment_id, 23_01))
    assert refusal.value.params == {"left_fen": 23_00}
    await refund(till.giving_back(payment_id, 20_00))
    with pytest.raises(RefundTooMuch) as refusal:
        await refund(till.giving_back(payment_id, 3_01))
    assert refusal.value.params == {"left_fen": 3_00}


async def test_a_year_later_it_is_too_late(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    world.later(days=366)
    with pytest.raises(RefundTooLate):
        await world.services.payments.refund(till.giving_back(payment_id, 1_00))


async def test_a_shop_without_money(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    first, second = await till.sold(payer), await till.sold(payer)
    refund = world.services.payments.refund
    await refund(till.giving_back(first, 23_00))
    # The whole of the second is there because its fee comes back first.
    await refund(till.giving_back(second, 1))
    third = await till.sold(payer, 1_00)
    await refund(till.giving_back(second, 22_99))
    await refund(till.giving_back(third, 1_00))
    assert await till.balance() == 0


async def test_a_shop_whose_money_went_to_its_card(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    real = world.ledger.__getattr__("balances")

    async def poor(account_ids: tuple[str, ...]) -> object:
        return [msgspec.structs.replace(one, posted_fen=3_00) for one in await real(account_ids)]

    world.ledger.balances = poor  # type: ignore[attr-defined]
    with pytest.raises(InsufficientBalance) as refusal:
        await world.services.payments.refund(till.giving_back(payment_id, 23_00))
    assert refusal.value.params == {"short_fen": 20_00}
    assert await world.services.payments.refunds(till.shop.shop_id, payment_id) == ()


async def test_who_may_not(world: World) -> None:
    till, payer, stranger = await a_till(world), await world.person(100_00), await world.person()
    payment_id = await till.sold(payer)
    refund = world.services.payments.refund
    for kind, changes in (
        (MemberForbidden, _as(stranger)),
        (MemberForbidden, _as(payer)),
        (DeviceUnknown, {"device_secret": "x" * 43}),
    ):
        with pytest.raises(kind):
            await refund(till.giving_back(payment_id, 1_00, **changes))
    assert await till.balance() == 23_00


def _as(wallet: Wallet) -> dict[str, str]:
    return {"actor_id": wallet.person_id, "device_secret": wallet.device_secret}


async def test_what_is_not_the_shops_is_not_found(world: World) -> None:
    till, other, payer = await a_till(world), await a_till(world), await world.person(1_000_00)
    payment_id = await till.sold(payer)
    unpaid = (await till.charge(payer, 600_00)).payment_id
    refund = world.services.payments.refund
    for start in (
        other.giving_back(payment_id, 1_00),
        till.giving_back(unpaid, 1_00),
        till.giving_back(ids.new("pay"), 1_00),
    ):
        with pytest.raises(NotFound):
            await refund(start)
    for viewer in (payer.person_id, till.owner.person_id, till.shop.shop_id):
        assert await world.services.payments.refunds(viewer, payment_id) == ()
    with pytest.raises(NotFound):
        await world.services.payments.refunds(other.shop.shop_id, payment_id)


async def test_one_id_is_one_refund(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    start = till.giving_back(await till.sold(payer), 10_00)
    refund = world.services.payments.refund
    await refund(start)
    for changed in (
        msgspec.structs.replace(start, amount_fen=10_01),
        msgspec.structs.replace(start, reason="anders"),
        msgspec.structs.replace(start, reversal=True),
    ):
        with pytest.raises(IdReused):
            await refund(changed)
    with pytest.raises(BadRequest):
        await refund(msgspec.structs.replace(start, refund_id=ids.new("pay")))


async def test_a_frozen_shop_gives_nothing_back_by_itself(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    await world.services.payments.freeze(till.owner.person_id, till.owner.device_secret)
    with pytest.raises((PayerFrozen, MemberForbidden)):
        await world.services.payments.refund(till.giving_back(payment_id, 1_00))


async def test_a_till_that_gives_up_takes_the_whole_back_once(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    payment_id = await till.sold(payer)
    await till.sold(payer)
    payments = world.services.payments
    start = till.giving_back(payment_id, 23_00, reversal=True)
    with pytest.raises(ReversalTooSoon) as refusal:
        await payments.refund(start)
    assert refusal.value.params == {"seconds": 15}
    with pytest.raises(BadRequest):
        await payments.refund(till.giving_back(payment_id, 22_00, reversal=True))
    world.later(seconds=15)
    done = await payments.refund(start)
    assert (done.refund.status, done.refund.reversal) == ("posted", True)
    assert (await payments.refund(start)).refund == done.refund
    with pytest.raises(RefundTooMuch):
        await payments.refund(till.giving_back(payment_id, 23_00, reversal=True))
    payment = await payments.payment(payer.person_id, payment_id)
    truth = await payments.charged(till.shop.shop_id, payment.order_id)
    assert (truth.state, truth.refusal_code) == ("failed", "reversed")
    assert await world.balance(payer.account_id) == 77_00


async def test_a_refund_is_no_reversal(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    payments = world.services.payments
    await payments.refund(till.giving_back(payment_id, 23_00))
    payment = await payments.payment(payer.person_id, payment_id)
    truth = await payments.charged(till.shop.shop_id, payment.order_id)
    assert truth.state == "succeeded"


async def test_another_refund_is_under_way(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    await till.sold(payer)
    world.ledger.crash_before = {"post"}
    with pytest.raises(Exception, match="before post"):
        await world.services.payments.refund(till.giving_back(payment_id, 1_00))
    world.ledger.heal()
    with pytest.raises(RefundBusy):
        await world.services.payments.refund(till.giving_back(payment_id, 2_00))
    world.later(seconds=46)
    await world.services.payments.sweep()
    done = await world.services.payments.refund(till.giving_back(payment_id, 2_00))
    assert done.refund.status == "posted"
    assert await world.balance(payer.account_id) == 100_00 - 46_00 + 3_00


async def test_a_person_gives_no_refunds(world: World) -> None:
    payee, payer = await world.person(), await world.person(100_00)
    till = await a_till(world)
    payment_id = await till.sold(payer)
    start = till.giving_back(payment_id, 1_00, shop_id=payee.person_id, actor_id=payee.person_id)
    with pytest.raises(NotFound):
        await world.services.payments.refund(start)
