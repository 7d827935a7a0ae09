"""The till, its shift, charges taken back, refunds, and what payers ask back."""

import asyncio

import msgspec
import pytest

from backend import ids
from backend.errors import BadRequest, IdReused, NotFound
from backend.merchant import (
    AskRefund,
    Charge,
    ChargeShown,
    GiveBack,
    PermissionMissing,
    RefundAsked,
    Seat,
    Shop,
)
from backend.payments import (
    Confirm,
    OrderPaid,
    Payment,
    RefundInstead,
    ReversalTooSoon,
    StartPayment,
    StartRefund,
)
from backend.risk import IssueCodes, RefundTooMuch
from backend.shop_roles import Role
from tests.world import Wallet, World


@pytest.fixture
async def payer(world: World) -> Wallet:
    return await world.person(1_000_00, name="小陈")


@pytest.fixture
async def owner(world: World) -> Wallet:
    return await world.person(name="老王")


@pytest.fixture
async def shop(world: World, owner: Wallet) -> Shop:
    return await world.shop(owner)


@pytest.fixture
async def seat(world: World, shop: Shop) -> Seat:
    return await world.seat(shop)


async def sold(world: World, seat: Seat, payer: Wallet, amount_fen: int = 20_00) -> Payment:
    charge = Charge(order_id=ids.new("ord"), amount_fen=amount_fen)
    order = await world.services.merchant.charge(seat, charge)
    started = await world.services.payments.start(world.paying(payer, order))
    assert started.payment.status == "posted"
    return started.payment


def giving(payment: Payment, by: Wallet, amount_fen: int = 5_00) -> GiveBack:
    return GiveBack(
        refund_id=ids.new("rfd"),
        payment_id=payment.payment_id,
        amount_fen=amount_fen,
        reason="少一份",
        device_secret=by.device_secret,
    )


def asking(payment: Payment, reason: str = "没收到") -> AskRefund:
    return AskRefund(
        request_id=ids.new("rrq"),
        payment_id=payment.payment_id,
        payer_id=payment.payer_id,
        reason=reason,
    )


# -- orders --------------------------------------------------------------------------------------


async def test_a_cashier_sees_the_orders_they_opened(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, li, wu = world.services.merchant, await world.person(), await world.person()
    mine = await world.hire(owner, li, Role.CASHIER)
    other = await world.hire(owner, wu, Role.CASHIER)
    auditor = await world.hire(owner, await world.person(), Role.AUDITOR)
    order = await merchant.charge(mine, Charge(order_id=ids.new("ord"), amount_fen=9_00))
    assert order.opened_by == li.person_id
    for who in (mine, seat, auditor):
        assert (await merchant.order(who, order.order_id)).order_id == order.order_id
    for call in (
        merchant.order(other, order.order_id),
        merchant.cancel(other, order.order_id),
        merchant.charged(other, order.order_id),
        merchant.reverse(other, order.order_id, wu.device_secret),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await merchant.cancel(mine, order.order_id)).status == "cancelled"
    [act, *_] = await merchant.acts(seat, 0, 1)
    assert (act.kind, act.ref, act.person_id) == ("order_cancelled", order.order_id, li.person_id)


async def test_a_shift_is_the_cashiers_own(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, li = world.services.merchant, await world.person()
    mine = await world.hire(owner, li, Role.CASHIER)
    await sold(world, seat, payer, 7_00)
    first, second = await sold(world, mine, payer, 10_00), await sold(world, mine, payer, 5_00)
    shift = await merchant.shift(mine)
    assert (shift.amount_fen, shift.count, shift.refund_fen) == (15_00, 2, 0)
    assert {order.order_id for order in shift.last} == {first.order_id, second.order_id}
    assert (await merchant.shift(seat)).amount_fen == 7_00


async def showing(world: World, payer: Wallet, cashier: Wallet) -> ChargeShown:
    """The payer's code, as the cashier reads it."""
    [code] = await world.services.risk.issue_codes(IssueCodes(payer.person_id, payer.device_secret))
    return ChargeShown(
        order_id=ids.new("ord"),
        payment_id=ids.new("pay"),
        amount_fen=8_00,
        pay_code=code.code,
        device_secret=cashier.device_secret,
    )


async def test_a_payment_code_is_charged(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    charge = await showing(world, payer, owner)
    charged = await world.services.merchant.charge_shown(seat, charge)
    assert charged.state == "succeeded"
    assert charged.order.opened_by == seat.person_id
    assert await world.services.merchant.charged(seat, charge.order_id) == charged
    assert await world.services.merchant.charge_shown(seat, charge) == charged


# -- taking a charge back ------------------------------------------------------------------------


async def test_an_unpaid_charge_is_cancelled(world: World, owner: Wallet, seat: Seat) -> None:
    merchant = world.services.merchant
    order = await merchant.charge(seat, Charge(order_id=ids.new("ord"), amount_fen=9_00))
    for _ in range(2):
        charged = await merchant.reverse(seat, order.order_id, owner.device_secret)
        assert (charged.state, charged.order.status) == ("failed", "cancelled")


async def test_a_paid_charge_goes_back_whole_once(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, li = world.services.merchant, await world.person()
    mine = await world.hire(owner, li, Role.CASHIER)
    payment = (await merchant.charge_shown(mine, await showing(world, payer, li))).order
    with pytest.raises(ReversalTooSoon):
        await merchant.reverse(mine, payment.order_id, li.device_secret)
    with pytest.raises(OrderPaid):
        await merchant.cancel(mine, payment.order_id)
    world.later(seconds=16)
    answers = await asyncio.gather(
        *(merchant.reverse(mine, payment.order_id, li.device_secret) for _ in range(4)),
        return_exceptions=True,
    )
    assert [a for a in answers if not isinstance(a, Exception)]
    charged = await merchant.reverse(mine, payment.order_id, li.device_secret)
    assert (charged.state, charged.refusal_code) == ("failed", "reversed")
    again = await merchant.reverse(seat, payment.order_id, owner.device_secret)
    assert again == charged
    assert await world.balance(payer.account_id) == 1_000_00
    assert await world.balance(f"shop:{seat.shop_id}") == 0
    kinds = [act.kind for act in await merchant.acts(seat, 0, 20)]
    assert kinds.count("reversal_started") == 1


async def test_what_was_not_read_from_a_code_is_refunded_and_not_reversed(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, li = world.services.merchant, await world.person()
    mine = await world.hire(owner, li, Role.CASHIER)
    payment = await sold(world, mine, payer)
    world.later(seconds=16)
    with pytest.raises(PermissionMissing) as refused:
        await merchant.reverse(mine, payment.order_id, li.device_secret)
    assert refused.value.params["permission"] == "refund"
    with pytest.raises(RefundInstead):
        await merchant.reverse(seat, payment.order_id, owner.device_secret)
    assert await world.balance(f"shop:{seat.shop_id}") == 20_00


# -- refunds -------------------------------------------------------------------------------------


async def test_a_refund_is_told_with_who_and_which_order(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, zhou = world.services.merchant, await world.person(name="小周")
    finance = await world.hire(owner, zhou, Role.FINANCE)
    payment = await sold(world, seat, payer)
    give_back = giving(payment, zhou)
    for _ in range(2):
        started = await merchant.refund(finance, give_back)
        assert (started.refund.status, started.refund.actor_id) == ("posted", zhou.person_id)
    told = [act for act in await merchant.acts(seat, 0, 20) if act.kind == "refund_started"]
    assert [(act.ref, act.person_name) for act in told] == [(payment.order_id, "小周")]
    assert await world.balance(payer.account_id) == 1_000_00 - 15_00
    with pytest.raises(RefundTooMuch):
        await merchant.refund(finance, giving(payment, zhou, 15_01))


async def test_another_shops_payment_is_not_refunded(
    world: World, seat: Seat, payer: Wallet
) -> None:
    payment, stranger = await sold(world, seat, payer), await world.person()
    foreign = await world.seat(await world.shop(stranger, "别家"))
    with pytest.raises(NotFound):
        await world.services.merchant.refund(foreign, giving(payment, stranger))
    assert "refund_started" not in {
        act.kind for act in await world.services.merchant.acts(foreign, 0, 20)
    }


async def test_a_large_refund_takes_the_actors_passkey(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant = world.services.merchant
    order = await merchant.charge(seat, Charge(order_id=ids.new("ord"), amount_fen=900_00))
    start = world.paying(payer, order)
    await pay_with_passkey(world, payer, start)
    payment = await world.services.payments.payment(payer.person_id, start.payment_id)
    request = await merchant.ask_refund(asking(payment))
    give_back = giving(payment, owner, 600_00)
    started = await merchant.refund(seat, give_back)
    assert started.requirement is not None
    assert started.requirement.ceremony is not None
    assert (await merchant.refund_requests(seat)) == (request,)
    refund = await merchant.confirm_refund(
        seat,
        give_back.refund_id,
        owner.device_secret,
        started.requirement.ceremony.ceremony_id,
        owner.passkey.sign(started.requirement.ceremony.options_json),
    )
    assert refund.status == "posted"
    assert await merchant.refund_requests(seat) == ()


async def pay_with_passkey(world: World, payer: Wallet, start: StartPayment) -> None:
    started = await world.services.payments.start(start)
    assert started.requirement is not None
    ceremony = started.requirement.ceremony
    assert ceremony is not None
    await world.services.payments.confirm(
        Confirm(
            payment_id=start.payment_id,
            payer_id=payer.person_id,
            device_secret=payer.device_secret,
            ceremony_id=ceremony.ceremony_id,
            response_json=payer.passkey.sign(ceremony.options_json),
        )
    )


# -- requests ------------------------------------------------------------------------------------


async def test_a_payer_asks_and_the_shop_grants(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    ask = asking(payment)
    requests = await asyncio.gather(*(merchant.ask_refund(ask) for _ in range(4)))
    assert len(set(requests)) == 1
    assert (requests[0].status, requests[0].amount_fen) == ("open", 20_00)
    assert await merchant.refund_requests(seat) == (requests[0],)
    assert await merchant.refund_request(payer.person_id, payment.payment_id) == requests[0]
    world.later(seconds=1)
    await merchant.refund(seat, giving(payment, owner, 20_00))
    assert await merchant.refund_requests(seat) == ()
    granted = await merchant.refund_request(payer.person_id, payment.payment_id)
    assert granted is not None
    assert granted.status == "granted"
    with pytest.raises(BadRequest):  # nothing is left
        await merchant.ask_refund(asking(payment))


async def test_one_request_is_open_per_payment(world: World, seat: Seat, payer: Wallet) -> None:
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    answers = await asyncio.gather(
        *(merchant.ask_refund(asking(payment)) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(a).__name__ for a in answers) == ["RefundAsked"] * 3 + ["RefundRequest"]
    with pytest.raises(RefundAsked):
        await merchant.ask_refund(asking(payment))


async def test_a_request_is_declined_with_an_answer_and_may_be_made_again(
    world: World, seat: Seat, payer: Wallet
) -> None:
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    ask = asking(payment)
    await merchant.ask_refund(ask)
    for _ in range(2):
        declined = await merchant.decline_refund(seat, ask.request_id, "已当面解决")
        assert (declined.status, declined.answer) == ("declined", "已当面解决")
    kinds = [act.kind for act in await merchant.acts(seat, 0, 20)]
    assert kinds.count("refund_declined") == 1
    assert await merchant.refund_request(payer.person_id, payment.payment_id) == declined
    with pytest.raises(IdReused):
        await merchant.ask_refund(msgspec.structs.replace(ask, reason="别的"))
    world.later(seconds=1)
    assert (await merchant.ask_refund(asking(payment, "还是没收到"))).status == "open"


async def test_a_request_granted_behind_our_back_heals(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    """The refund was posted, and the call that should have closed the request died."""
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    await merchant.ask_refund(asking(payment))
    world.later(seconds=1)
    await world.services.payments.refund(
        StartRefund(
            refund_id=ids.new("rfd"),
            payment_id=payment.payment_id,
            shop_id=seat.shop_id,
            actor_id=owner.person_id,
            amount_fen=20_00,
            reason="退",
            device_secret=owner.device_secret,
        )
    )
    assert await merchant.refund_requests(seat) == ()
    healed = await merchant.refund_request(payer.person_id, payment.payment_id)
    assert healed is not None
    assert healed.status == "granted"


async def test_a_refund_before_the_request_does_not_grant_it(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    await merchant.refund(seat, giving(payment, owner))
    world.later(seconds=1)
    request = await merchant.ask_refund(asking(payment))
    assert request.amount_fen == 15_00
    assert await merchant.refund_requests(seat) == (request,)


async def test_only_who_paid_asks_and_only_the_shop_answers(
    world: World, owner: Wallet, seat: Seat, payer: Wallet
) -> None:
    merchant, payment = world.services.merchant, await sold(world, seat, payer)
    foreign = await world.seat(await world.shop(await world.person(), "别家"))
    stranger = msgspec.structs.replace(asking(payment), payer_id=ids.new("usr"))
    of_owner = msgspec.structs.replace(asking(payment), payer_id=owner.person_id)
    for ask in (stranger, of_owner):
        with pytest.raises(NotFound):
            await merchant.ask_refund(ask)
    request = await merchant.ask_refund(asking(payment))
    with pytest.raises(NotFound):
        await merchant.decline_refund(foreign, request.request_id, "")
    assert await merchant.refund_requests(foreign) == ()
    assert await merchant.refund_request(owner.person_id, payment.payment_id) is None
