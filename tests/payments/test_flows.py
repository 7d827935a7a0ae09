"""Paying, as people do it; with ledger and risk in this process and across their sockets."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.errors import DomainError, IdReused
from backend.events import Beat
from backend.merchant import Charge
from backend.payments import Confirm, OrderBusy, OrderPaid, Payment, Started
from backend.risk import PasskeyRequired
from tests.world import Wallet, World

FORMS = pytest.mark.parametrize("form", ["local", "remote"])


def confirming(wallet: Wallet, started: Started) -> Confirm:
    assert started.requirement is not None
    ceremony = started.requirement.ceremony
    assert ceremony is not None
    return Confirm(
        payment_id=started.payment.payment_id,
        payer_id=wallet.person_id,
        device_secret=wallet.device_secret,
        ceremony_id=ceremony.ceremony_id,
        response_json=wallet.passkey.sign(ceremony.options_json),
    )


@FORMS
async def test_a_small_amount_is_paid_with_one_tap(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    order = await world.order(await world.shop(owner), 23_00)
    start = world.paying(payer, order)

    started = await world.services.payments.start(start)

    assert started.requirement is None
    assert (started.payment.status, started.payment.level) == ("posted", "C")
    assert await world.balance(payer.account_id) == 77_00
    assert await world.balance(f"shop:{order.payee_id}") == 23_00
    paid = await world.services.payments.order(order.order_id)
    assert (paid.status, paid.payment_id) == ("paid", start.payment_id)
    assert paid.paid_at == world.clock.now()


@FORMS
async def test_a_large_amount_takes_a_passkey(world: World) -> None:
    payer, owner = await world.person(1_000_00), await world.person()
    order = await world.order(await world.shop(owner), 600_00)

    started = await world.services.payments.start(world.paying(payer, order))
    assert started.requirement is not None
    assert started.requirement.takes == "passkey"
    assert started.payment.status == "created"
    assert await world.balance(payer.account_id) == 1_000_00

    paid = await world.services.payments.confirm(confirming(payer, started))
    assert (paid.status, paid.level) == ("posted", "A")
    assert await world.balance(payer.account_id) == 400_00


async def test_both_sides_get_their_bill(world: World) -> None:
    payer, owner = await world.person(100_00, name="李明"), await world.person()
    order = await world.order(await world.shop(owner, "老王面馆"), 23_00)
    payment = (await world.services.payments.start(world.paying(payer, order))).payment

    out = await world.services.bills.bill(payer.person_id, payment.payment_id)
    assert (out.kind, out.direction, out.counterparty) == ("payment", "out", "老王面馆")
    assert (out.amount_fen, out.status, out.order_id) == (23_00, "succeeded", order.order_id)
    into = await world.services.bills.bill(owner.person_id, payment.payment_id)
    assert (into.kind, into.direction, into.counterparty) == ("income", "in", "*明")
    assert (into.amount_fen, into.status) == (23_00, "succeeded")


async def test_the_pages_of_order_shop_and_payer_learn_of_it(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    order = await world.order(await world.shop(owner))
    payment = (await world.services.payments.start(world.paying(payer, order))).payment
    topics = (f"order:{order.order_id}", f"shop:{order.payee_id}", f"person:{payer.person_id}")
    heard = []
    async with asyncio.timeout(10):
        async for event in world.services.events.subscribe(topics, 0):
            if isinstance(event, Beat):
                continue
            heard.append((event.topic, event.kind, event.ref))
            if len(heard) == 3:
                break
    assert heard == [
        (topics[0], "order_paid", order.order_id),
        (topics[1], "order_paid", order.order_id),
        (topics[2], "payment_posted", payment.payment_id),
    ]


@FORMS
async def test_twenty_clicks_with_one_id_pay_once(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    order = await world.order(await world.shop(owner), 23_00)
    start = world.paying(payer, order)
    answers = await asyncio.gather(*(world.services.payments.start(start) for _ in range(20)))
    assert {a.payment.status for a in answers} == {"posted"}
    assert len({a.payment.journal_seq for a in answers}) == 1
    assert await world.balance(payer.account_id) == 77_00


@FORMS
async def test_twenty_forms_of_one_order_pay_once(world: World) -> None:
    payer, owner = await world.person(1_000_00), await world.person()
    order = await world.order(await world.shop(owner), 23_00)
    answers = await asyncio.gather(
        *(world.services.payments.start(world.paying(payer, order)) for _ in range(20)),
        return_exceptions=True,
    )
    posted = [a for a in answers if isinstance(a, Started)]
    assert [a.payment.status for a in posted] == ["posted"]
    # For a moment, each form with a verdict used up one of the day's ten free payments.
    assert {type(a) for a in answers} <= {Started, OrderBusy, OrderPaid, PasskeyRequired}
    left = await world.services.risk.limits(payer.person_id, payer.device_secret)
    assert {(x.name, x.used) for x in left if x.name == "free_day_count"} <= {("free_day_count", 1)}
    assert {x.used for x in left if x.name == "free_day"} == {23_00}
    assert await world.balance(payer.account_id) == 977_00


async def test_twenty_payers_at_one_code_pay_once(world: World) -> None:
    payers = [await world.person(100_00, trusted=False) for _ in range(20)]
    owner = await world.person()
    order = await world.order(await world.shop(owner), 23_00)
    answers = await asyncio.gather(
        *(world.services.payments.start(world.paying(payer, order)) for payer in payers),
        return_exceptions=True,
    )
    assert sum(isinstance(a, Started) for a in answers) == 1
    assert all(isinstance(a, Started | DomainError) for a in answers), answers
    assert await world.balance(f"shop:{order.payee_id}") == 23_00


async def test_a_replay_shows_the_same_payment(world: World) -> None:
    payer, owner = await world.person(1_000_00), await world.person()
    shop = await world.shop(owner)
    start = world.paying(payer, await world.order(shop, 23_00))
    first = await world.services.payments.start(start)
    world.later(hours=3)
    assert await world.services.payments.start(start) == first
    with pytest.raises(IdReused):
        await world.services.payments.start(msgspec.structs.replace(start, amount_fen=22_00))
    other = await world.order(shop, 23_00)
    with pytest.raises(IdReused):
        await world.services.payments.start(msgspec.structs.replace(start, order_id=other.order_id))


async def test_a_confirmation_sent_twice_pays_once(world: World) -> None:
    payer, owner = await world.person(1_000_00), await world.person()
    order = await world.order(await world.shop(owner), 600_00)
    start = world.paying(payer, order)
    confirm = confirming(payer, await world.services.payments.start(start))
    answers = await asyncio.gather(*(world.services.payments.confirm(confirm) for _ in range(5)))
    assert len(set(answers)) == 1
    assert await world.services.payments.confirm(confirm) == answers[0]
    assert (await world.services.payments.start(start)).payment == answers[0]
    assert await world.balance(payer.account_id) == 400_00


async def test_two_tabs_have_a_ceremony_each_and_pay_once(world: World) -> None:
    payer, owner = await world.person(2_000_00), await world.person()
    order = await world.order(await world.shop(owner), 600_00)
    start = world.paying(payer, order)
    one = await world.services.payments.start(start)
    two = await world.services.payments.start(start)
    paid = await world.services.payments.confirm(confirming(payer, one))
    assert await world.services.payments.confirm(confirming(payer, two)) == paid
    assert await world.balance(payer.account_id) == 1_400_00


async def test_coming_back_with_a_new_form_is_no_obstacle(world: World) -> None:
    payer, owner = await world.person(2_000_00), await world.person()
    order = await world.order(await world.shop(owner), 600_00)
    old = await world.services.payments.start(world.paying(payer, order))
    new = await world.services.payments.start(world.paying(payer, order))
    paid = await world.services.payments.confirm(confirming(payer, new))
    assert paid.status == "posted"
    with pytest.raises(OrderPaid) as refusal:
        await world.services.payments.confirm(confirming(payer, old))
    assert refusal.value.params == {"by_you": "yes"}
    assert await world.balance(payer.account_id) == 1_400_00


async def test_an_abandoned_confirm_page_frees_the_order(world: World) -> None:
    first, second = await world.person(1_000_00), await world.person(1_000_00)
    owner = await world.person()
    order = await world.order(await world.shop(owner), 600_00)
    abandoned = await world.services.payments.start(world.paying(first, order))
    with pytest.raises(OrderBusy):
        await world.services.payments.start(world.paying(second, order))
    world.later(minutes=2, seconds=1)
    started = await world.services.payments.start(world.paying(second, order))
    paid = await world.services.payments.confirm(confirming(second, started))
    assert paid.status == "posted"
    with pytest.raises(OrderPaid) as refusal:
        await world.services.payments.confirm(confirming(first, abandoned))
    assert refusal.value.params == {"by_you": "no"}
    assert await world.balance(first.account_id) == 1_000_00


async def test_a_quote_says_what_it_takes_and_stores_nothing(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    order = await world.order(await world.shop(owner), 600_00)
    quote = await world.services.payments.quote(
        order.order_id, payer.person_id, payer.device_secret
    )
    assert (quote.requirement.takes, quote.requirement.level) == ("passkey", "A")
    assert (quote.balance.available_fen, quote.short_fen) == (100_00, 500_00)
    assert quote.order == order


async def test_nobody_else_writes_history(world: World) -> None:
    """Only the demo may write history; elsewhere a payment happens when it happens."""
    payer, owner = await world.person(100_00), await world.person()
    shop, ago = await world.shop(owner), world.clock.now() - timedelta(days=3)
    start = world.paying(payer, await world.order(shop), event_at=ago)
    with pytest.raises(DomainError, match="bad_request"):
        await world.services.payments.start(start)
    charge = Charge(order_id=ids.new("ord"), amount_fen=1, event_at=ago)
    with pytest.raises(DomainError, match="bad_request"):
        await world.services.merchant.charge(await world.seat(shop), charge)


async def test_a_payment_is_seen_by_payer_and_owner_only(world: World) -> None:
    payer, owner, stranger = [await world.person(100_00) for _ in range(3)]
    order = await world.order(await world.shop(owner))
    paid: Payment = (await world.services.payments.start(world.paying(payer, order))).payment
    for person in (payer, owner):
        assert await world.services.payments.payment(person.person_id, paid.payment_id) == paid
    for person_id, payment_id in (
        (stranger.person_id, paid.payment_id),
        (payer.person_id, ids.new("pay")),
    ):
        with pytest.raises(DomainError, match="not_found"):
            await world.services.payments.payment(person_id, payment_id)
