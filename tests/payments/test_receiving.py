"""Personal codes: a person receives money by showing one."""

import asyncio

import pytest

from backend import ids
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.payments import (
    AmountChanged,
    NewReceiveCode,
    NotForYou,
    OpenReceived,
    Order,
    OwnCode,
    ReceiveCode,
    TooManyReceiveCodes,
)
from backend.payments import receiving as receiving_module
from backend.risk import PayeeFrozen
from tests.payments.test_charging import heard
from tests.payments.test_flows import FORMS
from tests.world import Wallet, World


async def code_of(world: World, payee: Wallet, **changes: object) -> ReceiveCode:
    new = NewReceiveCode(code_id=ids.new("rcv"), person_id=payee.person_id, **changes)  # type: ignore[arg-type]
    return await world.services.payments.new_receive_code(new)


async def opened(world: World, code: ReceiveCode, payer: Wallet, amount_fen: int = 20_00) -> Order:
    return await world.services.payments.open_received(
        OpenReceived(
            order_id=ids.new("ord"),
            code_id=code.code_id,
            payer_id=payer.person_id,
            amount_fen=amount_fen,
        )
    )


@FORMS
async def test_a_person_is_paid_by_their_code(world: World) -> None:
    payer, payee = await world.person(100_00, name="李明"), await world.person(name="安娜")
    order = await opened(world, await code_of(world, payee), payer)
    assert (order.payee_id, order.payee_name, order.code) == (payee.person_id, "*娜", "static")
    assert (order.fee_fen, order.payer_id) == (0, payer.person_id)

    paid = (await world.services.payments.start(world.paying(payer, order))).payment

    assert (paid.status, paid.fee_fen, paid.level) == ("posted", 0, "D")
    assert await world.balance(payer.account_id) == 80_00
    assert await world.balance(payee.account_id) == 20_00
    out = await world.services.bills.bill(payer.person_id, paid.payment_id)
    into = await world.services.bills.bill(payee.person_id, paid.payment_id)
    assert (out.kind, out.direction, out.counterparty) == ("transfer", "out", "*娜")
    assert (into.kind, into.direction, into.counterparty) == ("transfer", "in", "*明")
    assert await heard(world, f"person:{payee.person_id}") == [
        ("payment_received", paid.payment_id)
    ]
    assert await TX.query("select 1 from sales.sale") == []
    assert await TX.query("select 1 from events.event where topic like 'shop:%'") == []


async def test_a_code_with_an_amount_and_a_note(world: World) -> None:
    payer, payee = await world.person(100_00), await world.person()
    code = await code_of(world, payee, amount_fen=12_34, note="电影票")
    with pytest.raises(AmountChanged):
        await opened(world, code, payer, 12_33)
    order = await opened(world, code, payer, 12_34)
    assert (order.code, order.note, order.amount_fen) == ("dynamic", "电影票", 12_34)
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    assert (paid.status, paid.level) == ("posted", "C")


async def test_a_persons_plain_code_is_always_the_same(world: World) -> None:
    payee = await world.person()
    first, second = await code_of(world, payee), await code_of(world, payee)
    assert first == second
    assert await world.services.payments.receive_code(first.code_id) == first
    assert (first.name, first.amount_fen) == ("*娜", None)
    assert (await code_of(world, payee, note="房租")).code_id != first.code_id


async def test_a_code_is_made_once(world: World) -> None:
    payee = await world.person()
    new = NewReceiveCode(code_id=ids.new("rcv"), person_id=payee.person_id, amount_fen=1)
    make = world.services.payments.new_receive_code
    assert await make(new) == await make(new)
    with pytest.raises(IdReused):
        await make(NewReceiveCode(code_id=new.code_id, person_id=payee.person_id, amount_fen=2))
    with pytest.raises(BadRequest):
        await make(NewReceiveCode(code_id=ids.new("ord"), person_id=payee.person_id))


async def test_codes_have_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving_module, "MAX_CODES", 2)
    payee = await world.person()
    for amount in (1, 2):
        await code_of(world, payee, amount_fen=amount)
    with pytest.raises(TooManyReceiveCodes) as refusal:
        await code_of(world, payee, amount_fen=3)
    assert refusal.value.params == {"limit": 2}
    await code_of(world, payee)  # the plain one is not counted
    world.later(days=1, seconds=1)
    await code_of(world, payee, amount_fen=3)


async def test_codes_that_are_made_together_are_all_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving_module, "MAX_CODES", 5)
    payee = await world.person()
    answers = await asyncio.gather(
        *(code_of(world, payee, amount_fen=fen) for fen in range(1, 21)), return_exceptions=True
    )
    assert sum(isinstance(answer, TooManyReceiveCodes) for answer in answers) == 15
    [row] = await TX.query(
        "select count(*) from payments.receive_code where person_id = $1", payee.person_id
    )
    assert row["count"] == 5


async def test_who_can_not_pay_it(world: World) -> None:
    payer, payee, other = [await world.person(100_00) for _ in range(3)]
    code = await code_of(world, payee)
    with pytest.raises(OwnCode):
        await opened(world, code, payee)
    order = await opened(world, code, payer)
    with pytest.raises(NotForYou):
        await world.services.payments.start(world.paying(other, order))
    with pytest.raises(NotForYou):
        await world.services.payments.quote(order.order_id, other.person_id, other.device_secret)
    with pytest.raises(NotFound):
        await world.services.payments.receive_code(ids.new("rcv"))
    await world.services.payments.freeze(payee.person_id, payee.device_secret)
    with pytest.raises(PayeeFrozen):
        await opened(world, code, payer)
    with pytest.raises(PayeeFrozen):
        await world.services.payments.start(world.paying(payer, order))
    assert await world.balance(payee.account_id) == 100_00
