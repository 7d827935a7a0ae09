"""What stops half-way at the till, or on the way back, comes to one end within a minute."""

import asyncio

import pytest

from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown
from backend.payments import ChargeCode, PaymentPending, RiskUnavailable, StartRefund
from backend.payments import aftermath as aftermath_module
from backend.payments import refund_driver as refund_module
from tests.payments.test_flows import confirming
from tests.payments.test_halfway import a_minute
from tests.payments.till import Till, a_till, answering, shown
from tests.world import Crash, Line, Wallet, World

# Where it stops: before the call, after it, or with its answer lost.
FAULTS = ("crash_before", "crash_after", "lost")
CHARGE_STEPS = [
    ("risk", "redeem_code"),
    ("ledger", "balances"),
    ("risk", "prepare"),
    ("risk", "authorize"),
    ("ledger", "post"),
]
REFUND_STEPS = [("risk", "prepare_refund"), ("risk", "authorize_refund"), ("ledger", "post")]


def break_line(world: World, system: str, method: str, fault: str) -> Line:
    line: Line = getattr(world, system)
    getattr(line, fault).add(method)
    return line


async def one_story(till: Till, payer: Wallet, one: ChargeCode) -> str:
    """The state of the charge, after checking that all who tell of it tell the same."""
    world = till.world
    order = await world.services.payments.order(one.order.order_id)
    rows = await TX.query(
        "select status from payments.payment where payment_id = $1", one.payment_id
    )
    posted = bool(rows) and rows[0]["status"] == "posted"
    truth = await till.charged(one)
    back = truth.refusal_code == "reversed"
    paid = posted and not back
    assert truth.state == ("succeeded" if paid else "failed")
    assert await till.balance() == (one.order.amount_fen if paid else 0)
    assert await world.balance(payer.account_id) == 100_00 - await till.balance()
    assert order.status in (("paid",) if posted else ("cancelled", "expired"))
    sale = await world.services.sales.sale(till.shop.shop_id, order.order_id)
    assert sale.status == order.status
    if rows:
        bill = await world.services.bills.bill(payer.person_id, one.payment_id)
        assert bill.status == ("succeeded" if posted else "refused")
        assert bill.refunded_fen == (bill.amount_fen if back else 0)
    return truth.refusal_code if back else truth.state


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("system", "method"), CHARGE_STEPS)
async def test_a_till_that_asks_again_gets_the_truth(
    world: World, system: str, method: str, fault: str
) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    line = break_line(world, system, method, fault)
    try:
        answer = await world.services.payments.charge_code(one)
        assert answer.state == "unknown"
    except Crash:
        pass
    except DomainError as refusal:
        if not refusal.retryable:
            raise
    assert (await till.charged(one)).state == "unknown"
    line.heal()
    assert (await world.services.payments.charge_code(one)).state == "succeeded"
    assert await one_story(till, payer, one) == "succeeded"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("system", "method"), CHARGE_STEPS)
async def test_a_till_that_never_asks_again_leaves_nothing_open(
    world: World, system: str, method: str, fault: str
) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    line = break_line(world, system, method, fault)
    try:
        await world.services.payments.charge_code(one)
    except Crash:
        pass
    except DomainError as refusal:
        if not refusal.retryable:
            raise
    line.heal()
    await a_minute(world)
    rows = await TX.query("select status from payments.payment")
    assert [row["status"] for row in rows if row["status"] in ("created", "authorized")] == []
    world.later(seconds=40)  # the rest of the order's own life, where nobody was found to pay it
    await world.services.payments.sweep()
    in_the_books = method == "post" and fault != "crash_before"
    assert await one_story(till, payer, one) == ("reversed" if in_the_books else "failed")


@pytest.mark.parametrize("step", ["sold_for", "_payers_bill", "_payees_bill"])
async def test_a_crash_after_the_debit_takes_the_aftermath_back_and_does_it_again(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))

    def crash(*_: object) -> None:
        raise Crash(step)

    with monkeypatch.context() as broken:
        broken.setattr(aftermath_module, step, crash)
        with pytest.raises(Crash):
            await world.services.payments.charge_code(one)
    assert (await till.charged(one)).state == "unknown"
    assert (await world.services.payments.charge_code(one)).state == "succeeded"
    assert await one_story(till, payer, one) == "succeeded"


async def test_the_payers_line_breaks_after_the_debit(world: World) -> None:
    """Who confirmed and heard nothing finds it paid, and the till knows by itself."""
    till, payer = await a_till(world), await world.person(1_000_00)
    payments = world.services.payments
    charged = await till.charge(payer, 600_00)
    started = await payments.start(answering(payer, charged))
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending) as refusal:
        await payments.confirm(confirming(payer, started))
    assert refusal.value.money_moved == "unknown"
    shop_id, order_id = till.shop.shop_id, charged.order.order_id
    assert (await payments.charged(shop_id, order_id)).state == "unknown"
    assert await payments.asked(payer.person_id) == ()
    world.ledger.heal()
    await payments.resume(charged.payment_id)
    assert (await payments.charged(shop_id, order_id)).state == "succeeded"
    assert (await payments.confirm(confirming(payer, started))).status == "posted"
    assert await world.balance(payer.account_id) == 400_00


async def test_the_payer_tries_again_while_risk_is_away(world: World) -> None:
    till, payer = await a_till(world), await world.person(1_000_00)
    payments = world.services.payments
    charged = await till.charge(payer, 600_00)
    world.risk.down = True
    with pytest.raises(RiskUnavailable):
        await payments.start(answering(payer, charged))
    [order] = await payments.asked(payer.person_id)
    assert order.order_id == charged.order.order_id
    world.risk.heal()
    started = await payments.start(answering(payer, charged))
    assert (await payments.confirm(confirming(payer, started))).status == "posted"


async def test_a_slow_verdict_comes_after_the_till_gave_up(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    real = world.risk.__getattr__("authorize")

    async def slow(*args: object) -> object:
        verdict = await real(*args)
        await world.services.payments.cancel_order(till.shop.shop_id, one.order.order_id)
        return verdict

    world.risk.authorize = slow  # type: ignore[attr-defined]
    answer = await world.services.payments.charge_code(one)
    assert (answer.state, answer.refusal_code) == ("failed", "order_cancelled")
    assert await one_story(till, payer, one) == "failed"
    for job in await TX.query("select args->>'ref' as ref from jobs.procrastinate_jobs"):
        await world.services.payments.give_back(job["ref"])
    limits = await world.services.risk.limits(payer.person_id, payer.device_secret)
    assert next(x.used for x in limits if x.name == "free_day") == 0


async def refunded_story(till: Till, payer: Wallet, start: StartRefund) -> str:
    """The refund's status, after checking that all who tell of it tell the same."""
    payments = till.world.services.payments
    payment = await payments.payment(payer.person_id, start.payment_id)
    refunds = await payments.refunds(payer.person_id, start.payment_id)
    back = sum(one.amount_fen for one in refunds if one.status == "posted")
    assert payment.refunded_fen == back
    assert await till.balance() == 23_00 - back
    assert await till.world.balance(payer.account_id) == 77_00 + back
    for person in (payer, till.owner):
        bill = await till.world.services.bills.bill(person.person_id, start.payment_id)
        assert bill.refunded_fen == back
    sale = await till.world.services.sales.sale(till.shop.shop_id, payment.order_id)
    assert sale.refunded_fen == back
    [own] = [one for one in refunds if one.refund_id == start.refund_id]
    return own.status


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("system", "method"), REFUND_STEPS)
async def test_a_refund_that_stopped_goes_on_or_ends(
    world: World, system: str, method: str, fault: str
) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    refund = world.services.payments.refund
    again, left = till.giving_back(payment_id, 10_00), till.giving_back(payment_id, 5_00)
    line = break_line(world, system, method, fault)
    with pytest.raises((Crash, RiskUnavailable, PaymentPending)):
        await refund(again)
    line.heal()
    assert (await refund(again)).refund.status == "posted"
    assert await refunded_story(till, payer, again) == "posted"

    break_line(world, system, method, fault)
    with pytest.raises((Crash, RiskUnavailable, PaymentPending)):
        await refund(left)
    line.heal()
    await a_minute(world)
    end = await refunded_story(till, payer, left)
    assert end == ("posted" if method == "post" else "refused")
    if end == "refused":  # and used nothing up
        rest = till.giving_back(payment_id, 13_00)
        assert (await refund(rest)).refund.status == "posted"


async def test_a_lost_refund_is_told_as_pending_and_a_job_finds_out(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    start = till.giving_back(await till.sold(payer), 10_00)
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending):
        await world.services.payments.refund(start)
    sale = await world.services.sales.sale(till.shop.shop_id, start.refund_id)
    assert sale.status == "pending"
    [job] = await TX.query("select task_name, args->>'ref' as ref from jobs.procrastinate_jobs")
    assert (job["task_name"], job["ref"]) == ("payments.resume", start.refund_id)
    world.ledger.lost = {"outcome"}
    with pytest.raises(PaymentPending):
        await world.services.payments.resume(start.refund_id)
    world.ledger.heal()
    await asyncio.gather(*(world.services.payments.resume(start.refund_id) for _ in range(3)))
    assert await refunded_story(till, payer, start) == "posted"


async def test_a_crash_in_a_refunds_aftermath_takes_all_of_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    start = till.giving_back(await till.sold(payer), 10_00)

    def crash(*_: object, **__: object) -> None:
        raise Crash("aftermath")

    with monkeypatch.context() as broken:
        broken.setattr(refund_module, "Refunded", crash)
        with pytest.raises(Crash):
            await world.services.payments.refund(start)
    payment = await world.services.payments.payment(payer.person_id, start.payment_id)
    assert payment.refunded_fen == 0
    await a_minute(world)
    assert await refunded_story(till, payer, start) == "posted"


async def test_a_refund_that_the_books_refuse_uses_nothing_up(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    payment_id = await till.sold(payer)
    account = f"shop:{till.shop.shop_id}"
    await world.books.set_frozen((account,), True)
    real = world.ledger.__getattr__("post")

    async def lost(*args: object) -> object:
        try:
            return await real(*args)
        except Exception as error:
            raise OutcomeUnknown() from error

    world.ledger.post = lost  # type: ignore[attr-defined]
    start = till.giving_back(payment_id, 23_00)
    with pytest.raises(PaymentPending):
        await world.services.payments.refund(start)
    del world.ledger.post
    await world.books.set_frozen((account,), False)
    await a_minute(world)
    assert await refunded_story(till, payer, start) == "refused"
    done = await world.services.payments.refund(till.giving_back(payment_id, 23_00))
    assert done.refund.status == "posted"
