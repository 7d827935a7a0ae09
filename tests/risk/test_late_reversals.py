"""What came too late for its till goes back without anybody's device, and nothing else does."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from zoneinfo import ZoneInfo

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
    ReversalsExhausted,
)
from backend.risk.refund_rules import ALONE_DAY_COUNT, ALONE_DAY_FEN, Alone, check_alone
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


@pytest.mark.parametrize(
    ("amount_fen", "before", "fits"),
    [
        (ALONE_DAY_FEN, Alone(0, 0), True),
        (ALONE_DAY_FEN + 1, Alone(0, 0), False),
        (1, Alone(1, ALONE_DAY_FEN - 1), True),
        (2, Alone(1, ALONE_DAY_FEN - 1), False),
        (1, Alone(ALONE_DAY_COUNT - 1, 1), True),
        (1, Alone(ALONE_DAY_COUNT, 1), False),
    ],
)
def test_so_much_of_a_shop_goes_back_in_a_day(amount_fen: int, before: Alone, fits: bool) -> None:
    with nullcontext() if fits else pytest.raises(ReversalsExhausted):
        check_alone(amount_fen, before)


async def test_beyond_it_nothing_does_and_an_alarm_says_so_but_freezes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.risk.refund_rules.ALONE_DAY_COUNT", 1)
    first, _ = await charge(world)
    sales = [first, *[(await charge(world, at=first))[0] for _ in range(2)]]
    world.clock.move(PATIENCE)
    asked = [by_itself(world, sale) for sale in sales]
    for each in asked:
        await world.risk.prepare_refund(each)
    given = await asyncio.gather(
        *(world.risk.authorize_refund(answer(each)) for each in asked), return_exceptions=True
    )
    assert sum(isinstance(one, ReversalsExhausted) for one in given) == 2
    again = asked[[isinstance(one, ReversalsExhausted) for one in given].index(True)]
    with pytest.raises(ReversalsExhausted):
        await world.risk.prepare_refund(again)
    alarms = (await world.risk.status()).alarms
    assert {(alarm.kind, alarm.accounts) for alarm in alarms} == {("reversals_exhausted", ())}
    assert all(first.shop_id in alarm.detail for alarm in alarms)
    other, _ = await charge(world)  # of another shop
    world.clock.move(PATIENCE)
    await give_back(world, by_itself(world, other))
    sale = sales[asked.index(again)]
    by_hand = refund_of(world, sale, 100_00)  # people still can
    assert (await give_back(world, by_hand)).verdict.decision == "allow"


async def test_the_next_day_has_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.risk.refund_rules.ALONE_DAY_FEN", 100_00)
    world.clock.move(until_noon(world))
    first, _ = await charge(world)
    second, _ = await charge(world, at=first)
    world.clock.move(PATIENCE)
    await give_back(world, by_itself(world, first))
    with pytest.raises(ReversalsExhausted):
        await give_back(world, by_itself(world, second))
    world.clock.move(timedelta(hours=13))
    assert (await give_back(world, by_itself(world, second))).verdict.decision == "allow"


def until_noon(world: World) -> timedelta:
    """In Shanghai, by whose days limits are counted."""
    here = world.clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
    return here.replace(hour=12, minute=0) + timedelta(days=1) - here


async def test_nothing_leaves_a_frozen_shop(world: World) -> None:
    sale, _ = await charge(world)
    world.clock.move(PATIENCE)
    await world.risk.freeze(sale.owner.person_id, sale.owner.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_refund(by_itself(world, sale))
