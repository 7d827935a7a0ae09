"""A charge whose end the till never learnt ends by itself: it is not paid, or it goes back."""

import asyncio
from typing import Any

import asyncpg
import pytest

from backend.db import TX
from backend.errors import OutcomeUnknown
from backend.ledger import Post, VerdictExpired
from backend.notices import Notice
from backend.payments import CHARGE_PATIENCE, ChargeCode, PaymentPending, RiskUnavailable
from backend.payments.service import PaymentsService
from backend.risk import PaymentNotSeen
from tests.payments.test_charging import heard
from tests.payments.test_flows import confirming
from tests.payments.test_halfway import a_minute
from tests.payments.till import Till, a_till, answering, shown
from tests.world import Crash, Wallet, World

WAIT_S = CHARGE_PATIENCE.seconds
REVERSAL_STEPS = [
    ("risk", "prepare_refund"),
    ("risk", "authorize_refund"),
    ("ledger", "balances"),
    ("ledger", "post"),
]


async def lost_charge(world: World, till: Till, payer: Wallet, amount_fen: int = 23_00) -> Any:
    """A charge that is in the books, and nobody knows."""
    one = till.reading(await shown(world, payer), amount_fen)
    world.ledger.lost = {"post", "outcome"}
    assert (await world.services.payments.charge_code(one)).state == "unknown"
    return one


async def came_too_late(world: World, till: Till, payer: Wallet) -> ChargeCode:
    """Lost, and found in the books when nobody waits for it any more."""
    one: ChargeCode = await lost_charge(world, till, payer)
    world.ledger.heal()
    world.later(seconds=WAIT_S)
    await world.services.payments.sweep()
    return one


async def back(till: Till, one: ChargeCode) -> tuple[str, str]:
    truth = await till.charged(one)
    return truth.state, truth.refusal_code


async def reversals(one: ChargeCode) -> list[asyncpg.Record]:
    return await TX.query(
        "select refund_id, actor_id, amount_fen, status, reversal from payments.refund"
        " where payment_id = $1 and status <> 'refused'",
        one.payment_id,
    )


async def gone_back(till: Till, payer: Wallet, one: ChargeCode) -> None:
    """Once, whole, and everybody is told the same."""
    services = till.world.services
    assert await back(till, one) == ("failed", "reversed")
    again = await services.payments.charge_code(one)  # a till that asks with the same number
    assert (again.state, again.refusal_code) == ("failed", "reversed")
    [refund] = await reversals(one)
    assert (refund["status"], refund["amount_fen"]) == ("posted", one.order.amount_fen)
    assert await till.world.balance(payer.account_id) == 100_00
    assert await till.balance() == 0
    assert await till.world.balance("fee:income") == 0
    for person in (payer, till.owner):
        bill = await services.bills.bill(person.person_id, one.payment_id)
        assert (bill.status, bill.refunded_fen) == ("succeeded", one.order.amount_fen)
    sale = await services.sales.sale(till.shop.shop_id, one.order.order_id)
    assert (sale.status, sale.refunded_fen) == ("paid", one.order.amount_fen)
    [late] = await TX.query("select ended from payments.late")
    assert late["ended"] == "reversed"


async def notices(world: World, payer: Wallet) -> list[Notice]:
    return list((await world.services.notices.page(payer.person_id, "", 10)).notices)


async def test_what_nobody_knew_in_time_goes_back_and_the_payer_is_told(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.later(seconds=WAIT_S)
    await world.services.payments.sweep()  # the ledger is still away
    assert await back(till, one) == ("unknown", "")
    world.ledger.heal()
    await world.services.payments.sweep()
    assert await back(till, one) == ("unknown", "")  # it is on its way
    assert await world.balance(payer.account_id) == 77_00
    world.later(seconds=10)
    await world.services.payments.sweep()
    await gone_back(till, payer, one)
    [refund] = await reversals(one)
    assert (refund["actor_id"], refund["reversal"]) == ("", True)
    told = [(notice.kind, notice.ref) for notice in await notices(world, payer)]
    assert ("payment_refunded", one.payment_id) in told


async def test_nobody_is_told_that_it_was_paid(world: World) -> None:
    """Pages look again all the same."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await came_too_late(world, till, payer)
    payments = world.services.payments
    assert await payments.going_back((one.payment_id,)) == {one.payment_id}
    order_id = one.order.order_id
    assert await heard(world, f"shop:{till.shop.shop_id}") == [("order_goes_back", order_id)]
    assert (await heard(world, f"order:{order_id}"))[-1] == ("order_goes_back", order_id)
    paid = ("payment_posted", "order_paid", "payment_received")
    for topic in (f"order:{order_id}", f"person:{payer.person_id}"):
        assert not [kind for kind, _ in await heard(world, topic) if kind in paid]
    assert ("payment_goes_back", one.payment_id) in await heard(world, f"person:{payer.person_id}")
    in_time = await till.sold(payer, 5_00)
    assert await payments.going_back((one.payment_id, in_time)) == {one.payment_id}
    assert (await heard(world, f"shop:{till.shop.shop_id}"))[-1][0] == "order_paid"


async def test_what_is_known_in_time_stays_paid(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    world.later(seconds=WAIT_S - 1)
    await world.services.payments.resume(one.payment_id)
    assert await back(till, one) == ("succeeded", "")
    await a_minute(world)
    assert await back(till, one) == ("succeeded", "")
    assert await reversals(one) == []


async def test_a_till_that_asks_too_late_learns_that_it_goes_back(world: World) -> None:
    """It is the till's own question that finds the posting."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    world.later(seconds=WAIT_S)
    assert (await world.services.payments.charge_code(one)).state == "unknown"
    world.later(seconds=2)
    await world.services.payments.sweep()
    await gone_back(till, payer, one)


async def test_no_sooner_than_fifteen_seconds_after_the_debit(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    real = world.ledger.__getattr__("post")

    async def slow(post: Post) -> object:
        world.later(seconds=WAIT_S - 1)
        posted = await real(post)
        world.later(seconds=1)
        return posted

    world.ledger.post = slow  # type: ignore[attr-defined]
    assert (await world.services.payments.charge_code(one)).state == "unknown"
    del world.ledger.post
    world.later(seconds=13)
    await world.services.payments.sweep()
    assert await back(till, one) == ("unknown", "")
    world.later(seconds=1)
    await world.services.payments.sweep()
    await gone_back(till, payer, one)


async def test_a_posting_that_lands_after_its_end_is_refused(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    real, sent = world.ledger.__getattr__("post"), list[Post]()

    async def stuck(post: Post) -> object:
        sent.append(post)
        raise OutcomeUnknown()

    world.ledger.post = stuck  # type: ignore[attr-defined]
    assert (await world.services.payments.charge_code(one)).state == "unknown"
    del world.ledger.post
    world.later(seconds=WAIT_S)
    await world.services.payments.sweep()
    assert await back(till, one) == ("failed", "verdict_expired")
    with pytest.raises(VerdictExpired):
        await real(sent[0])
    assert await back(till, one) == ("failed", "verdict_expired")
    assert await world.balance(payer.account_id) == 100_00
    order = await world.services.payments.order(one.order.order_id)
    assert order.status == "cancelled"


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost"])
@pytest.mark.parametrize(("system", "method"), REVERSAL_STEPS)
async def test_who_takes_back_dies_anywhere_and_it_goes_back_once(
    world: World, system: str, method: str, fault: str
) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    one = await came_too_late(world, till, payer)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    for _ in range(3):
        world.later(seconds=10)
        await world.services.payments.sweep()  # dies there, each time
    line.heal()
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_the_security_system_is_away_for_an_hour(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    world.risk.down = True
    for _ in range(60):
        world.later(seconds=60)
        await world.services.payments.sweep()
        assert await back(till, one) == ("unknown", "")
    world.risk.heal()
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_the_security_system_has_not_seen_it_yet(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()

    async def not_yet(*_: object) -> object:
        raise PaymentNotSeen()

    world.risk.prepare_refund = not_yet  # type: ignore[attr-defined]
    await a_minute(world)
    assert await back(till, one) == ("unknown", "")
    del world.risk.prepare_refund
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_a_slow_security_system_pays_nothing_that_the_till_gave_up(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    real = world.risk.__getattr__("authorize")

    async def slow(*args: object) -> object:
        world.later(seconds=WAIT_S)
        return await real(*args)

    world.risk.authorize = slow  # type: ignore[attr-defined]
    answer = await world.services.payments.charge_code(one)
    assert (answer.state, answer.refusal_code) == ("failed", "order_expired")
    assert await world.balance(payer.account_id) == 100_00


@pytest.mark.parametrize("method", ["redeem_code", "prepare", "authorize"])
async def test_the_security_system_goes_down_in_the_middle(world: World, method: str) -> None:
    """Nothing is paid; the till knows when its wait is over, without a sweep or a hand."""
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    world.risk.lost = {method}
    with pytest.raises(RiskUnavailable):
        await world.services.payments.charge_code(one)
    assert await back(till, one) == ("unknown", "")
    world.later(seconds=WAIT_S)
    assert (await back(till, one))[0] == "failed"
    world.risk.heal()
    again = await world.services.payments.charge_code(one)
    assert again.state == "failed"
    await world.services.payments.sweep()
    assert (await back(till, one))[0] == "failed"
    assert await world.balance(payer.account_id) == 100_00


async def test_who_confirmed_and_whose_payment_was_lost_gets_it_back(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    await world.fund(payer, 900_00)
    payments = world.services.payments
    charged = await till.charge(payer, 600_00)
    started = await payments.start(answering(payer, charged))
    world.later(seconds=80)  # the till waits as long as its customer is asked
    assert (await payments.charged(till.shop.shop_id, charged.order.order_id)).state == (
        "user_paying"
    )
    world.ledger.lost = {"post", "outcome"}
    with pytest.raises(PaymentPending):
        await payments.confirm(confirming(payer, started))
    world.later(seconds=WAIT_S)
    world.ledger.heal()
    await a_minute(world)
    truth = await payments.charged(till.shop.shop_id, charged.order.order_id)
    assert (truth.state, truth.refusal_code) == ("failed", "reversed")
    assert await world.balance(payer.account_id) == 1_000_00


async def test_many_workers_take_back_once(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    payments = world.services.payments
    assert isinstance(payments, PaymentsService)
    world.later(seconds=WAIT_S)
    for _ in range(3):
        await asyncio.gather(*(payments.sweep() for _ in range(5)), till.charged(one))
        world.later(seconds=10)
    await gone_back(till, payer, one)


async def test_the_cashier_was_faster(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await came_too_late(world, till, payer)
    by_hand = till.giving_back(one.payment_id, 23_00, reversal=True)
    assert (await world.services.payments.refund(by_hand)).refund.status == "posted"
    world.later(seconds=10)
    await world.services.payments.sweep()
    await gone_back(till, payer, one)
    [refund] = await reversals(one)
    assert refund["refund_id"] == by_hand.refund_id


async def test_people_refunded_part_of_it_first(world: World) -> None:
    """Then it is theirs to settle; the till is told that it was paid."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await came_too_late(world, till, payer)
    await world.services.payments.refund(till.giving_back(one.payment_id, 3_00))
    await a_minute(world)
    assert await back(till, one) == ("succeeded", "")
    assert await world.balance(payer.account_id) == 80_00


async def test_a_shop_without_the_money_is_asked_again(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    account = f"shop:{till.shop.shop_id}"
    await world.books.set_frozen((account,), True)
    await a_minute(world)
    assert await back(till, one) == ("unknown", "")
    await world.books.set_frozen((account,), False)
    world.later(minutes=5)
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_after_a_day_it_is_for_people(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.later(hours=25)
    world.ledger.heal()
    await a_minute(world)
    assert await back(till, one) == ("succeeded", "")
    assert await till.balance() == 23_00


async def test_the_note_of_it_dies_with_the_posting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: what was noted as posted too late is on its way back, or was not noted."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await lost_charge(world, till, payer)
    world.ledger.heal()
    world.later(seconds=WAIT_S)

    async def crash(*_: object) -> None:
        raise Crash("too_late")

    with monkeypatch.context() as broken:
        broken.setattr("backend.payments.aftermath.too_late", crash)
        await world.services.payments.sweep()
    payment = await world.services.payments.payment(payer.person_id, one.payment_id)
    assert payment.status == "authorized"
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_the_database_holds_it_too(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await came_too_late(world, till, payer)
    with pytest.raises(asyncpg.RaiseError, match="nothing went back"):
        await TX.query("update payments.late set ended = 'reversed'")
    with pytest.raises(asyncpg.CheckViolationError):
        await TX.query("update payments.late set ended = 'lost'")
    with pytest.raises(asyncpg.UniqueViolationError):
        await TX.query("insert into payments.late values ($1, now())", one.payment_id)
    await a_minute(world)
    with pytest.raises(asyncpg.RaiseError, match="ended for good"):
        await TX.query("update payments.late set ended = ''")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await TX.query("delete from payments.late")
