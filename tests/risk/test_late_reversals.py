"""What came too late for its till goes back without anybody's device, and nothing else does."""

from datetime import timedelta

import msgspec
import pytest

from backend.risk import (
    Authorize,
    AuthorizeRefund,
    DeviceUnknown,
    IntentInvalid,
    MemberForbidden,
    PayerFrozen,
    PrepareRefund,
    RefundTooLate,
    RefundTooMuch,
)
from backend.shop_roles import Role
from backend.verdict import CHARGE_LIFE_MS
from tests.risk.people import World
from tests.risk.refunding import Sale, answer, charge, give_back, refund_of, reversal_of, sell

PATIENCE = timedelta(milliseconds=CHARGE_LIFE_MS)


def by_itself(world: World, sale: Sale, fee_fen: int = 0) -> PrepareRefund:
    asked = reversal_of(world, sale, sale.owner, fee_fen)
    return msgspec.structs.replace(asked, actor_id="", device_secret="")


async def test_a_payment_lives_as_long_as_its_till_waits_then_it_may_go_back(world: World) -> None:
    sale, _ = await charge(world)
    paid = (await world.risk.authorize(Authorize(sale.paid.intent_id))).verdict
    assert paid.expires_at_ms - paid.issued_at_ms == CHARGE_LIFE_MS
    world.clock.move(PATIENCE)
    asked = by_itself(world, sale)
    verdict = (await give_back(world, asked)).verdict
    assert (verdict.decision, verdict.level) == ("allow", "C")
    assert (await world.risk.authorize_refund(answer(asked))).verdict == verdict


async def test_not_while_the_till_may_wait(world: World) -> None:
    sale, _ = await charge(world)
    asked = by_itself(world, sale)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(asked)
    world.clock.move(PATIENCE - timedelta(milliseconds=1))
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(asked)


async def test_within_a_day(world: World) -> None:
    sale, _ = await charge(world)
    world.clock.move(timedelta(days=1, milliseconds=1))
    with pytest.raises(RefundTooLate):
        await world.risk.prepare_refund(by_itself(world, sale))
    sale, _ = await charge(world)
    world.clock.move(timedelta(hours=23))
    assert (await give_back(world, by_itself(world, sale))).verdict.decision == "allow"


async def test_only_what_a_till_has_read(world: World) -> None:
    scanned = await sell(world)
    world.clock.move(PATIENCE)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(by_itself(world, scanned))


async def test_the_whole_once(world: World) -> None:
    sale, _ = await charge(world, fee_fen=36)
    world.clock.move(PATIENCE)
    part = msgspec.structs.replace(
        refund_of(world, sale, 1_00), reversal=True, actor_id="", device_secret=""
    )
    with pytest.raises(IntentInvalid):
        await world.risk.prepare_refund(part)
    await give_back(world, by_itself(world, sale, 36))
    with pytest.raises(RefundTooMuch):
        await world.risk.prepare_refund(by_itself(world, sale, 36))


async def test_no_refund_is_nobodys(world: World) -> None:
    sale, _ = await charge(world)
    world.clock.move(PATIENCE)
    asked = msgspec.structs.replace(by_itself(world, sale), reversal=False)
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare_refund(asked)


async def test_who_prepared_it_authorizes_it(world: World) -> None:
    """Neither takes the other's place: a person's reversal without the device is nobody's."""
    sale, clerk = await charge(world, by=Role.CASHIER)
    world.clock.move(PATIENCE)
    own = reversal_of(world, sale, clerk)
    await world.risk.prepare_refund(own)
    with pytest.raises(MemberForbidden):
        await world.risk.authorize_refund(AuthorizeRefund(own.intent.intent_id, "", ""))
    late = by_itself(world, sale)
    await world.risk.prepare_refund(late)
    with pytest.raises(MemberForbidden):
        await world.risk.authorize_refund(
            AuthorizeRefund(late.intent.intent_id, clerk.person_id, clerk.secret)
        )


async def test_nothing_leaves_a_frozen_shop(world: World) -> None:
    sale, _ = await charge(world)
    world.clock.move(PATIENCE)
    await world.risk.freeze(sale.owner.person_id, sale.owner.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_refund(by_itself(world, sale))
