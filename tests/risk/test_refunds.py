"""Refunds: by who may, never more than was paid, and bound to what we know of the payment."""

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from backend import ids, keys
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import IdReused
from backend.risk import (
    AuthorizeRefund,
    CeremonyInvalid,
    DeviceUnknown,
    IntentExpired,
    IntentInvalid,
    IntentUsed,
    MemberForbidden,
    NeedsPasskey,
    PasskeyRefused,
    PasskeyRequired,
    PayerFrozen,
    RefundTooLate,
    RefundTooMuch,
    Requirement,
)
from backend.settings import Settings
from backend.shop_roles import Role
from backend.verdict import SignedVerdict, fault
from tests.risk.people import World, alarm, altered, found_shop, hire
from tests.risk.refunding import BIG, Sale, answer, charge, give_back, refund_of, reversal_of, sell


async def test_a_refund_goes_back_with_its_fee(sec: Settings, world: World) -> None:
    sale = await sell(world, 100_00, fee_fen=61)
    first = refund_of(world, sale, 50_00, 31)
    assert await world.risk.prepare_refund(first) == Requirement("none", "C", first_payment=False)
    signed = await world.risk.authorize_refund(answer(first))
    published, now_ms = keys.published(Path(sec.verdict_keys)), to_ms(world.clock.now())
    assert fault(signed, first.intent.posting, published, now_ms) == ""
    assert signed.verdict.level == "C"
    with pytest.raises(IntentInvalid):  # half of 61 was rounded up before
        await world.risk.prepare_refund(refund_of(world, sale, 50_00, 31))
    await give_back(world, refund_of(world, sale, 50_00, 30))
    with pytest.raises(RefundTooMuch) as refused:
        await world.risk.prepare_refund(refund_of(world, sale, 1))
    assert refused.value.params == {"left_fen": 0}
    rows = await SEC.query(
        "select stage, decision, code from risk.decision where stage like 'refund%' "
        "order by decision_seq"
    )
    assert [tuple(row) for row in rows] == [
        ("refund", "allow", ""),
        ("refund_prepare", "refuse", "intent_invalid"),
        ("refund", "allow", ""),
        ("refund_prepare", "refuse", "refund_too_much"),
    ]


async def test_the_same_call_gives_the_same_verdict_while_it_lives(world: World) -> None:
    sale = await sell(world)
    asked = refund_of(world, sale, 40_00)
    signed = await give_back(world, asked)
    world.clock.move(timedelta(seconds=59))
    assert await world.risk.authorize_refund(answer(asked)) == signed
    again = await world.risk.prepare_refund(asked)
    assert (again.takes, again.level) == ("none", "C")
    world.clock.move(timedelta(seconds=1))
    with pytest.raises(IntentUsed):
        await world.risk.authorize_refund(answer(asked))


async def test_refunds_at_once_never_pass_what_was_paid(world: World) -> None:
    sale = await sell(world)
    asked = [refund_of(world, sale, 40_00) for _ in range(5)]
    for each in asked:
        await world.risk.prepare_refund(each)
    answers = await asyncio.gather(
        *(world.risk.authorize_refund(answer(each)) for each in asked), return_exceptions=True
    )
    assert sum(isinstance(a, SignedVerdict) for a in answers) == 2
    refusals = [a for a in answers if isinstance(a, RefundTooMuch)]
    assert [r.params for r in refusals] == [{"left_fen": 20_00}] * 3


async def test_a_double_click_refunds_once(world: World) -> None:
    sale = await sell(world)
    asked = refund_of(world, sale, 40_00)
    await asyncio.gather(*(world.risk.prepare_refund(asked) for _ in range(4)))
    answers = await asyncio.gather(*(world.risk.authorize_refund(answer(asked)) for _ in range(5)))
    assert len({a.verdict.verdict_id for a in answers}) == 1
    [row] = await SEC.query(
        "select sum(amount_fen)::bigint as fen from risk.reservation where refund_of = $1",
        sale.paid.intent_id,
    )
    assert row["fen"] == 40_00


async def test_a_large_refund_takes_the_actors_passkey(world: World) -> None:
    sale = await sell(world, BIG)
    asked = refund_of(world, sale, 500_01)
    requirement = await world.risk.prepare_refund(asked)
    assert (requirement.takes, requirement.reasons) == ("passkey", ("refund_over_free",))
    assert requirement.ceremony is not None
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize_refund(answer(asked))
    with pytest.raises(PasskeyRefused):  # the payer's key, not the actor's
        await world.risk.authorize_refund(answer(asked, sale.payer.key, requirement.ceremony))
    with pytest.raises(CeremonyInvalid):  # used up by that
        await world.risk.authorize_refund(answer(asked, sale.owner.key, requirement.ceremony))
    again = await world.risk.prepare_refund(asked)
    call = answer(asked, sale.owner.key, again.ceremony)
    signed = await world.risk.authorize_refund(call)
    assert signed.verdict.level == "A"
    assert await world.risk.authorize_refund(call) == signed


async def test_many_small_refunds_are_one_large(world: World) -> None:
    sale = await sell(world, 2 * BIG)
    await give_back(world, refund_of(world, sale, 300_00))
    await give_back(world, refund_of(world, sale, 200_00))
    more = refund_of(world, sale, 1)
    requirement = await world.risk.prepare_refund(more)
    assert (requirement.takes, requirement.reasons) == ("passkey", ("refund_over_free",))
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize_refund(answer(more))


async def test_an_assertion_is_for_its_own_refund(world: World) -> None:
    sale = await sell(world, 2 * BIG)
    first, second = refund_of(world, sale, BIG), refund_of(world, sale, BIG)
    ceremony = (await world.risk.prepare_refund(first)).ceremony
    await world.risk.prepare_refund(second)
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize_refund(answer(second, sale.owner.key, ceremony))
    ceremony = (await world.risk.prepare_refund(first)).ceremony
    other = (await world.risk.prepare_refund(second)).ceremony
    assert ceremony is not None
    assert other is not None
    call = answer(first, sale.owner.key, ceremony)
    mixed = msgspec.structs.replace(call, response_json=sale.owner.key.sign(other.options_json))
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize_refund(mixed)


async def test_large_refunds_need_somebody_with_a_passkey(world: World) -> None:
    owner, payer = await world.demo_person(), await world.person()
    shop_id = await found_shop(world, owner)
    paid = world.intent(payer, BIG, shop_id)
    await world.pay(payer, paid)
    sale = Sale(owner, payer, shop_id, paid)
    with pytest.raises(NeedsPasskey):
        await world.risk.prepare_refund(refund_of(world, sale, 500_01))
    await give_back(world, refund_of(world, sale, 500_00))


async def test_a_new_device_refunds_with_a_passkey(world: World) -> None:
    sale = await sell(world)
    second = await world.second_device(sale.owner)
    asked = refund_of(world, sale, 1_00, by=second)
    requirement = await world.risk.prepare_refund(asked)
    assert (requirement.takes, requirement.reasons) == ("passkey", ("new_device",))
    await world.risk.authorize_refund(answer(asked, second.key, requirement.ceremony))


@pytest.mark.parametrize(
    ("role", "refunds"),
    [(Role.MANAGER, True), (Role.FINANCE, True), (Role.CASHIER, False), (Role.AUDITOR, False)],
)
async def test_refunds_take_their_permission(world: World, role: Role, refunds: bool) -> None:
    sale = await sell(world)
    clerk = await hire(world, sale.shop_id, sale.owner, role)
    asked = refund_of(world, sale, 1_00, by=clerk)
    if refunds:
        await give_back(world, asked)
    else:
        with pytest.raises(MemberForbidden):
            await world.risk.prepare_refund(asked)


async def test_strangers_and_other_devices_refund_nothing(world: World) -> None:
    sale, other = await sell(world), await sell(world)
    asked = refund_of(world, sale, 1_00)
    for who, refusal in ((other.owner, MemberForbidden), (sale.payer, MemberForbidden)):
        with pytest.raises(refusal):
            await world.risk.prepare_refund(refund_of(world, sale, 1_00, by=who))
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare_refund(
            msgspec.structs.replace(asked, device_secret=other.owner.secret)
        )
    await world.risk.prepare_refund(asked)
    manager = await hire(world, sale.shop_id, sale.owner, Role.MANAGER)
    stolen = AuthorizeRefund(asked.intent.intent_id, manager.person_id, manager.secret)
    with pytest.raises(MemberForbidden):
        await world.risk.authorize_refund(stolen)
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize_refund(
            AuthorizeRefund(asked.intent.intent_id, sale.owner.person_id, manager.secret)
        )
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_refund(
            AuthorizeRefund(ids.new("rfd"), sale.owner.person_id, sale.owner.secret)
        )


async def test_a_refund_fits_its_payment(world: World) -> None:
    sale, other = await sell(world, fee_fen=60), await sell(world)
    good = refund_of(world, sale, 50_00, 30)
    wrong = [
        msgspec.structs.replace(good, payment_id=other.paid.intent_id),
        msgspec.structs.replace(good, payment_id=ids.new("pay")),
        msgspec.structs.replace(refund_of(world, other, 1_00), payment_id=sale.paid.intent_id),
        refund_of(world, sale, 50_00, 29),
        refund_of(world, sale, 50_00),
    ]
    for key, value in (("code", "dynamic"), ("source", "shop:x"), ("amount_fen", 40_00)):
        wrong.append(msgspec.structs.replace(good, intent=altered(good.intent, **{key: value})))
    for asked in wrong:
        with pytest.raises((IntentInvalid, MemberForbidden)):
            await world.risk.prepare_refund(asked)
    await world.risk.prepare_refund(good)
    for change in (
        {"reversal": True},
        {"intent": altered(good.intent, nonce=bytes(32))},
    ):
        with pytest.raises(IdReused):
            await world.risk.prepare_refund(msgspec.structs.replace(good, **change))


async def test_what_was_prepared_and_never_allowed_is_not_refunded(world: World) -> None:
    sale = await sell(world)
    unpaid = world.intent(sale.payer, 10_00, sale.shop_id)
    from_nothing = msgspec.structs.replace(sale, paid=unpaid)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(refund_of(world, from_nothing, 10_00))
    await world.risk.release(sale.paid.intent_id)  # allowed, but the ledger refused it
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(refund_of(world, sale, 10_00))


async def test_refunds_end_after_a_year(world: World) -> None:
    sale = await sell(world)
    world.clock.move(timedelta(days=365))
    await give_back(world, refund_of(world, sale, 1_00))
    late = refund_of(world, sale, 1_00)
    await world.risk.prepare_refund(late)
    world.clock.move(timedelta(seconds=1))
    with pytest.raises(RefundTooLate):
        await world.risk.authorize_refund(answer(late))
    with pytest.raises(RefundTooLate):
        await world.risk.prepare_refund(refund_of(world, sale, 1_00))


async def test_a_refund_waits_for_its_answer_so_long(world: World) -> None:
    sale = await sell(world)
    asked = refund_of(world, sale, 1_00)
    await world.risk.prepare_refund(asked)
    world.clock.move(timedelta(minutes=15))
    for call in (world.risk.prepare_refund(asked), world.risk.authorize_refund(answer(asked))):
        with pytest.raises(IntentExpired):
            await call


async def test_a_frozen_shop_refunds_nothing(world: World) -> None:
    sale, other = await sell(world), await sell(world)
    asked = refund_of(world, sale, 1_00)
    await world.risk.prepare_refund(asked)
    await alarm(world, f"shop:{sale.shop_id}")
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_refund(answer(asked))
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_refund(refund_of(world, sale, 1_00))
    manager = await hire(world, other.shop_id, other.owner, Role.MANAGER)
    await world.risk.freeze(other.owner.person_id, other.owner.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_refund(refund_of(world, other, 1_00, by=manager))


async def test_a_released_refund_can_be_made_again(world: World) -> None:
    sale = await sell(world, 100_00, fee_fen=61)
    whole = refund_of(world, sale, 100_00, 61)
    await give_back(world, whole)
    with pytest.raises(RefundTooMuch):
        await world.risk.prepare_refund(refund_of(world, sale, 1))
    await asyncio.gather(*(world.risk.release(whole.intent.intent_id) for _ in range(3)))
    with pytest.raises(IntentUsed):
        await world.risk.authorize_refund(answer(whole))
    await give_back(world, refund_of(world, sale, 100_00, 61))
    assert (await world.used(sale.payer))["tier_year"] == 100_00


async def test_a_reversal_is_of_the_whole_by_who_read_the_code(world: World) -> None:
    sale, clerk = await charge(world, 36, Role.CASHIER)
    part = msgspec.structs.replace(refund_of(world, sale, 1_00, by=clerk), reversal=True)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(part)
    auditor = await hire(world, sale.shop_id, sale.owner, Role.AUDITOR)
    colleague = await hire(world, sale.shop_id, sale.owner, Role.CASHIER)
    for other in (auditor, colleague):
        with pytest.raises(MemberForbidden):
            await world.risk.prepare_refund(reversal_of(world, sale, other, 36))
    whole = reversal_of(world, sale, clerk, 36)
    assert (await give_back(world, whole)).verdict.level == "C"
    with pytest.raises(RefundTooMuch):
        await world.risk.prepare_refund(reversal_of(world, sale, clerk, 36))


async def test_who_may_refund_may_reverse(world: World) -> None:
    sale, _ = await charge(world, by=Role.CASHIER)
    await give_back(world, reversal_of(world, sale, sale.owner))


async def test_only_what_a_code_paid_is_reversed(world: World) -> None:
    """A dynamic order's payer saw what they paid: taking it back is a refund."""
    sale = await sell(world)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(reversal_of(world, sale, sale.owner))


async def test_a_reversal_has_five_minutes(world: World) -> None:
    sale, clerk = await charge(world, by=Role.CASHIER)
    world.clock.move(timedelta(minutes=5, seconds=1))
    with pytest.raises(RefundTooLate):
        await world.risk.prepare_refund(reversal_of(world, sale, clerk))


async def test_a_reversal_needs_the_whole_to_be_left(world: World) -> None:
    sale, _ = await charge(world)
    await give_back(world, refund_of(world, sale, 1_00))
    with pytest.raises(RefundTooMuch) as refused:
        await world.risk.prepare_refund(reversal_of(world, sale, sale.owner))
    assert refused.value.params == {"left_fen": 99_00}
