"""Every refusal of paying, each with its own plain reason, and no money moved."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend import ids
from backend.db import TX
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.payments import (
    AmountChanged,
    InsufficientBalance,
    LedgerUnavailable,
    OpenOrder,
    Order,
    OrderBusy,
    OrderCancelled,
    OrderExpired,
    OrderPaid,
    OwnShop,
    PaymentAbandoned,
    RiskUnavailable,
)
from backend.risk import (
    CeremonyInvalid,
    DeviceUnknown,
    LimitExceeded,
    PasskeyRefused,
    PasskeyRequired,
    PayeeFrozen,
    PayerFrozen,
)
from tests.payments.test_flows import confirming
from tests.world import Wallet, World

Setting = tuple[Wallet, Wallet, Order]


async def a_code(world: World, balance: int = 1_000_00, amount: int = 23_00) -> Setting:
    payer, owner = await world.person(balance), await world.person()
    return payer, owner, await world.order(await world.shop(owner), amount)


async def refused(
    world: World, kind: type[DomainError], payer: Wallet, order: Order
) -> DomainError:
    before = await world.balance(payer.account_id)
    with pytest.raises(kind) as refusal:
        await world.services.payments.start(world.paying(payer, order))
    assert refusal.value.money_moved == "no"
    assert await world.balance(payer.account_id) == before
    return refusal.value


async def test_an_unknown_order_or_payment(world: World) -> None:
    payer, _, order = await a_code(world)
    await refused(world, NotFound, payer, msgspec.structs.replace(order, order_id=ids.new("ord")))
    with pytest.raises(NotFound):
        await world.services.payments.order(ids.new("ord"))
    with pytest.raises(NotFound):
        await world.services.payments.quote(ids.new("ord"), payer.person_id, payer.device_secret)


async def test_an_id_of_another_kind(world: World) -> None:
    payer, _, order = await a_code(world)
    with pytest.raises(BadRequest):
        await world.services.payments.start(world.paying(payer, order, payment_id=ids.new("top")))


async def test_one_id_for_two_orders_at_the_same_moment(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    shop = await world.shop(owner)
    starts = [
        world.paying(payer, await world.order(shop, 10_00), payment_id=id_)
        for id_ in [ids.new("pay")] * 2
    ]
    answers = await asyncio.gather(
        *(world.services.payments.start(s) for s in starts), return_exceptions=True
    )
    assert sorted(type(a).__name__ for a in answers) == ["IdReused", "Started"]
    assert await world.balance(payer.account_id) == 90_00


async def test_somebody_elses_payment_can_not_be_confirmed(world: World) -> None:
    payer, owner, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    stolen = msgspec.structs.replace(confirming(payer, started), payer_id=owner.person_id)
    with pytest.raises(NotFound):
        await world.services.payments.confirm(stolen)


async def test_an_order_paid_by_me_or_by_another(world: World) -> None:
    other = await world.person(100_00)
    payer, _, order = await a_code(world)
    await world.services.payments.start(world.paying(payer, order))
    assert (await refused(world, OrderPaid, payer, order)).params == {"by_you": "yes"}
    assert (await refused(world, OrderPaid, other, order)).params == {"by_you": "no"}


async def test_an_expired_order_before_and_after_the_sweep(world: World) -> None:
    payer, _, order = await a_code(world)
    world.later(minutes=15)
    assert (await world.services.payments.order(order.order_id)).status == "expired"
    await refused(world, OrderExpired, payer, order)
    await world.services.payments.sweep()
    await refused(world, OrderExpired, payer, order)


async def test_an_order_that_expires_while_the_passkey_is_asked_for(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    world.later(minutes=14)
    started = await world.services.payments.start(world.paying(payer, order))
    world.later(minutes=1)
    with pytest.raises(OrderExpired):
        await world.services.payments.confirm(confirming(payer, started))
    assert await world.balance(payer.account_id) == 1_000_00


async def test_a_cancelled_order(world: World) -> None:
    payer, _, order = await a_code(world)
    cancelled = await world.services.payments.cancel_order(order.payee_id, order.order_id)
    assert cancelled.status == "cancelled"
    again = await world.services.payments.cancel_order(order.payee_id, order.order_id)
    assert again == cancelled
    await refused(world, OrderCancelled, payer, order)


async def test_a_busy_order_and_one_that_can_not_be_cancelled(world: World) -> None:
    other = await world.person(1_000_00)
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    await refused(world, OrderBusy, other, order)
    cancel = world.services.payments.cancel_order
    with pytest.raises(OrderBusy):
        await cancel(order.payee_id, order.order_id)
    with pytest.raises(NotFound):
        await cancel(ids.new("mch"), order.order_id)
    await world.services.payments.confirm(confirming(payer, started))
    with pytest.raises(OrderPaid):
        await cancel(order.payee_id, order.order_id)


async def test_a_stale_claim_can_be_cancelled(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    confirm = confirming(payer, started)
    world.later(minutes=2, seconds=1)
    cancelled = await world.services.payments.cancel_order(order.payee_id, order.order_id)
    assert cancelled.status == "cancelled"
    with pytest.raises(OrderCancelled):
        await world.services.payments.confirm(confirm)


async def test_ones_own_shop(world: World) -> None:
    _, owner, order = await a_code(world)
    await world.fund(owner, 100_00)
    await refused(world, OwnShop, owner, order)


async def test_another_amount_than_shown(world: World) -> None:
    payer, _, order = await a_code(world)
    await refused(world, AmountChanged, payer, msgspec.structs.replace(order, amount_fen=22_99))


async def test_too_little_money_and_paying_after_a_top_up(world: World) -> None:
    payer, _, order = await a_code(world, balance=20_00)
    start = world.paying(payer, order)
    with pytest.raises(InsufficientBalance) as refusal:
        await world.services.payments.start(start)
    assert refusal.value.params == {"short_fen": 3_00}
    await world.fund(payer, 3_00)
    assert (await world.services.payments.start(start)).payment.status == "posted"


async def test_money_that_went_elsewhere_between_the_look_and_the_posting(world: World) -> None:
    payer, owner = await world.person(600_00), await world.person()
    shop = await world.shop(owner)
    large, small = await world.order(shop, 600_00), await world.order(shop, 1_00)
    started = await world.services.payments.start(world.paying(payer, large))
    await world.services.payments.start(world.paying(payer, small))
    with pytest.raises(InsufficientBalance) as refusal:
        await world.services.payments.confirm(confirming(payer, started))
    assert refusal.value.params == {"short_fen": 1_00}
    assert (await world.services.payments.order(large.order_id)).status == "open"
    kept = await world.services.payments.payment(payer.person_id, started.payment.payment_id)
    assert (kept.status, kept.refusal_code) == ("refused", "insufficient_balance")
    bill = await world.services.bills.bill(payer.person_id, kept.payment_id)
    assert (bill.status, bill.refusal_code) == ("refused", "insufficient_balance")
    # What it had used of the year's limit is given back: only the small one counts.
    limits = await world.services.risk.limits(payer.person_id, payer.device_secret)
    assert next(x.used for x in limits if x.name == "tier_year") == 1_00


async def test_a_refusal_is_final_for_its_id_and_another_payer_may_pay(world: World) -> None:
    other = await world.person(1_000_00)
    payer, _, order = await a_code(world, amount=600_00)
    start = world.paying(payer, order)
    started = await world.services.payments.start(start)
    forged = msgspec.structs.replace(confirming(payer, started), response_json=b"{}")
    for _ in range(2):
        with pytest.raises(PasskeyRefused):
            await world.services.payments.confirm(forged)
    with pytest.raises(PasskeyRefused):
        await world.services.payments.confirm(confirming(payer, started))
    with pytest.raises(PasskeyRefused):
        await world.services.payments.start(start)
    again = await world.services.payments.start(world.paying(other, order))
    assert (await world.services.payments.confirm(confirming(other, again))).status == "posted"
    assert await world.balance(payer.account_id) == 1_000_00


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (CeremonyInvalid, {"ceremony_id": "cer_none"}),
        (DeviceUnknown, {"device_secret": "x" * 43}),
        (PasskeyRequired, {"response_json": b"", "ceremony_id": ""}),
    ],
)
async def test_confirmations_that_prove_nothing(
    world: World, kind: type[DomainError], change: dict[str, Any]
) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    confirm = msgspec.structs.replace(confirming(payer, started), **change)
    with pytest.raises(kind):
        await world.services.payments.confirm(confirm)
    assert await world.balance(payer.account_id) == 1_000_00
    assert (await world.services.payments.order(order.order_id)).status == "open"


async def test_a_passkey_without_user_verification(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    payer.passkey.user_verified = False
    with pytest.raises(PasskeyRefused):
        await world.services.payments.confirm(confirming(payer, started))
    assert await world.balance(payer.account_id) == 1_000_00


async def test_an_amount_altered_in_the_store_between_consent_and_confirmation(
    world: World,
) -> None:
    """The database itself refuses; and risk has the intent that the passkey signs."""
    payer, _, order = await a_code(world, amount=600_00)
    await world.services.payments.start(world.paying(payer, order))
    for change in ("amount_fen = 1", "intent = '\\x00'", "payer_id = 'usr_x'"):
        with pytest.raises(Exception, match="can not be changed"):
            await TX.query(f"update payments.payment set {change}")


async def test_a_limit(world: World) -> None:
    payer, owner = await world.person(6_000_00, synced=True), await world.person()
    shop = await world.shop(owner)
    error = await refused(world, LimitExceeded, payer, await world.order(shop, 5_001_00))
    assert error.params == {"limit": "synced_day", "left_fen": 5_000_00}


async def test_an_unknown_device(world: World) -> None:
    payer, _, order = await a_code(world)
    await refused(
        world, DeviceUnknown, msgspec.structs.replace(payer, device_secret="x" * 43), order
    )


async def test_a_frozen_payer_and_a_frozen_shop(world: World) -> None:
    other = await world.person(100_00)
    payer, owner, order = await a_code(world)
    await world.services.payments.freeze(payer.person_id, payer.device_secret)
    await refused(world, PayerFrozen, payer, order)
    await world.services.payments.freeze(owner.person_id, owner.device_secret)
    await refused(world, PayeeFrozen, other, order)


async def test_risk_is_down_and_comes_back(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.risk.down = True
    with pytest.raises(RiskUnavailable) as refusal:
        await world.services.payments.start(start)
    assert (refusal.value.money_moved, refusal.value.retryable) == ("no", True)
    with pytest.raises(RiskUnavailable):
        await world.services.payments.quote(order.order_id, payer.person_id, payer.device_secret)
    assert (await world.services.payments.order(order.order_id)).status == "open"
    kept = await world.services.payments.payment(payer.person_id, start.payment_id)
    assert kept.status == "created"
    world.later(minutes=3)
    await world.services.payments.sweep()
    world.risk.heal()
    assert (await world.services.payments.start(start)).payment.status == "posted"


async def test_risk_goes_down_between_the_question_and_the_passkey(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    start = world.paying(payer, order)
    confirm = confirming(payer, await world.services.payments.start(start))
    world.risk.down = True
    with pytest.raises(RiskUnavailable):
        await world.services.payments.confirm(confirm)
    world.risk.heal()
    assert (await world.services.payments.confirm(confirm)).status == "posted"


@pytest.mark.parametrize("method", ["prepare", "authorize"])
async def test_an_answer_of_risk_is_lost(world: World, method: str) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.risk.lost = {method}
    with pytest.raises(RiskUnavailable):
        await world.services.payments.start(start)
    world.risk.heal()
    assert (await world.services.payments.start(start)).payment.status == "posted"
    assert await world.balance(payer.account_id) == 977_00


async def test_the_ledger_is_down_and_comes_back(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.down = True
    with pytest.raises(LedgerUnavailable):
        await world.services.payments.start(start)
    world.ledger.heal()
    assert (await world.services.payments.start(start)).payment.status == "posted"


async def test_an_abandoned_payment_is_closed(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    start = world.paying(payer, order)
    confirm = confirming(payer, await world.services.payments.start(start))
    world.later(minutes=2, seconds=1)
    assert await world.services.payments.sweep() > 0
    for call in (
        lambda: world.services.payments.confirm(confirm),
        lambda: world.services.payments.start(start),
    ):
        asked: Awaitable[object] = call()
        with pytest.raises(PaymentAbandoned):
            await asked
    assert (await world.services.payments.order(order.order_id)).status == "open"
    again = await world.services.payments.start(world.paying(payer, order))
    assert (await world.services.payments.confirm(confirming(payer, again))).status == "posted"


def opening(**changes: Any) -> OpenOrder:
    plain = OpenOrder(
        order_id=ids.new("ord"),
        payee_id=ids.new("mch"),
        owner_id=ids.new("usr"),
        payee_name="老王面馆",
        amount_fen=1,
    )
    return msgspec.structs.replace(plain, **changes)


async def test_an_order_is_opened_once(world: World) -> None:
    new = opening()
    first = await world.services.payments.open_order(new)
    world.later(minutes=1)
    assert await world.services.payments.open_order(new) == first
    with pytest.raises(IdReused):
        await world.services.payments.open_order(msgspec.structs.replace(new, amount_fen=2))


@pytest.mark.parametrize("life", [timedelta(seconds=59), timedelta(hours=2, seconds=1)])
async def test_an_order_lives_between_a_minute_and_two_hours(world: World, life: timedelta) -> None:
    with pytest.raises(BadRequest):
        await world.services.payments.open_order(opening(life=life))
