"""Whatever stops half-way comes to one end within a minute, with the books in order."""

import asyncio
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from backend import ids
from backend.db import SEC, TX
from backend.errors import OutcomeUnknown
from backend.payments import Payment, PaymentAbandoned, PaymentPending, StartPayment
from backend.payments import aftermath as aftermath_module
from backend.payments import sweep as sweep_module
from backend.payments.accounts import Accounts
from backend.payments.orders import Orders
from backend.payments.sweep import Sweeper
from backend.risk import Requirement
from tests.payments.test_flows import confirming
from tests.payments.test_refusals import a_code
from tests.world import Crash, World

A_MINUTE = range(6)  # sweeps, one every ten seconds


async def a_minute(world: World) -> None:
    for _ in A_MINUTE:
        world.later(seconds=10)
        await world.services.payments.sweep()


def around(world: World) -> tuple[datetime, datetime]:
    """Whole hours around all that a test does."""
    now = world.clock.now().replace(minute=0, second=0, microsecond=0)
    return now - timedelta(days=2), now + timedelta(days=2)


async def consistent(world: World, start: StartPayment) -> Payment | None:
    """The payment, after checking that payment, order, books and bills tell one story."""
    order = await world.services.payments.order(start.order_id)
    shop = await world.balance(f"shop:{order.payee_id}")
    payer = await world.balance(f"person:{start.payer_id}")
    assert shop + payer == 1_000_00
    rows = await TX.query("select * from payments.payment where payment_id = $1", start.payment_id)
    if not rows:
        assert (order.status, shop) == ("open", 0)
        return None
    payment = await world.services.payments.payment(start.payer_id, start.payment_id)
    paid = payment.status == "posted"
    assert payment.status in ("posted", "refused")
    assert order.status == ("paid" if paid else "open")
    assert shop == (start.amount_fen if paid else 0)
    bill = await world.services.bills.bill(start.payer_id, start.payment_id)
    assert bill.status == ("succeeded" if paid else "refused")
    sale = await world.services.sales.sale(order.payee_id, order.order_id)
    assert (sale.status, sale.tries > 0) == (("paid", False) if paid else ("open", True))
    sums = await world.services.sales.hours(order.payee_id, *around(world))
    assert sum(one.amount_fen for one in sums) == (start.amount_fen if paid else 0)
    return payment


POINTS = [
    ("risk", "crash_before", "prepare", "refused"),
    ("risk", "crash_after", "prepare", "refused"),
    ("risk", "crash_before", "authorize", "refused"),
    ("risk", "crash_after", "authorize", "refused"),
    ("ledger", "crash_before", "post", "posted"),
    ("ledger", "crash_after", "post", "posted"),
    ("ledger", "lost", "post", "posted"),
]


@pytest.mark.parametrize(("system", "fault", "method", "end"), POINTS)
async def test_a_crash_at_any_point_ends_in_one_story(
    world: World, system: str, fault: str, method: str, end: str
) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    with pytest.raises((Crash, PaymentPending)):
        await world.services.payments.start(start)
    line.heal()
    await a_minute(world)
    payment = await consistent(world, start)
    assert payment is not None
    assert payment.status == end


@pytest.mark.parametrize(("system", "fault", "method", "end"), POINTS)
async def test_the_payer_reloads_and_it_is_paid_once(
    world: World, system: str, fault: str, method: str, end: str
) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    with pytest.raises((Crash, PaymentPending)):
        await world.services.payments.start(start)
    line.heal()
    assert (await world.services.payments.start(start)).payment.status == "posted"
    await a_minute(world)
    await consistent(world, start)


@pytest.mark.parametrize("step", ["sold_for", "_payers_bill", "_payees_bill", "_payees_news"])
async def test_a_crash_in_the_aftermath_takes_all_of_it_back(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)

    def crash(*_: object) -> None:
        raise Crash(step)

    with monkeypatch.context() as broken:
        broken.setattr(aftermath_module, step, crash)
        with pytest.raises(Crash):
            await world.services.payments.start(start)
        [row] = await TX.query("select status from payments.payment")
        assert row["status"] == "authorized"
        assert (await TX.query("select count(*) as n from bills.bill"))[0]["n"] == 0
        sums = await world.services.sales.hours(order.payee_id, *around(world))
        assert sums == ()
    await a_minute(world)
    payment = await consistent(world, start)
    assert payment is not None
    assert payment.status == "posted"


async def test_a_lost_answer_is_pending_and_says_so(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending) as refusal:
        await world.services.payments.start(start)
    assert refusal.value.money_moved == "unknown"
    bill = await world.services.bills.bill(payer.person_id, start.payment_id)
    assert bill.status == "pending"
    [job] = await TX.query("select task_name, args from jobs.procrastinate_jobs")
    assert (job["task_name"], start.payment_id in job["args"]) == ("payments.resume", True)
    world.ledger.lost = {"outcome"}
    with pytest.raises(PaymentPending):
        await world.services.payments.resume(start.payment_id)
    world.ledger.heal()
    await world.services.payments.resume(start.payment_id)
    await world.services.payments.resume(start.payment_id)
    payment = await consistent(world, start)
    assert payment is not None
    assert payment.status == "posted"


async def test_what_the_ledger_never_saw_is_refused_once_the_verdict_has_expired(
    world: World,
) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.crash_before = {"post"}
    with pytest.raises(Crash):
        await world.services.payments.start(start)
    world.ledger.heal()
    world.later(seconds=61)
    await world.services.payments.sweep()
    payment = await consistent(world, start)
    assert payment is not None
    assert (payment.status, payment.refusal_code) == ("refused", "verdict_expired")
    limits = await world.services.risk.limits(payer.person_id, payer.device_secret)
    assert next(x.used for x in limits if x.name == "free_day") == 0


async def test_a_refusal_that_got_lost_is_found_again(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    confirm = confirming(payer, started)
    await world.books.set_frozen((payer.account_id,), True)
    world.ledger.lost = {"post"}
    real = world.ledger.__getattr__("post")

    async def lost(*args: object) -> object:
        try:
            return await real(*args)
        except Exception as error:
            raise OutcomeUnknown() from error

    world.ledger.post = lost  # type: ignore[attr-defined]
    with pytest.raises(PaymentPending):
        await world.services.payments.confirm(confirm)
    await world.books.set_frozen((payer.account_id,), False)
    await a_minute(world)
    payment = await world.services.payments.payment(payer.person_id, confirm.payment_id)
    assert (payment.status, payment.refusal_code) == ("refused", "account_frozen")
    assert (await world.services.payments.order(order.order_id)).status == "open"


async def test_limits_that_could_not_be_given_back_at_once(world: World) -> None:
    payer, _, order = await a_code(world, amount=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    await world.books.set_frozen((payer.account_id,), True)
    world.risk.lost = {"authorize"}
    with pytest.raises(Exception, match="risk_unavailable"):
        await world.services.payments.confirm(confirming(payer, started))
    world.risk.down = True
    world.later(minutes=16)
    await world.services.payments.sweep()
    world.risk.heal()

    async def used() -> int:
        limits = await world.services.risk.limits(payer.person_id, payer.device_secret)
        return next(x.used for x in limits if x.name == "tier_year")

    assert await used() == 600_00
    [job] = await TX.query("select task_name, args from jobs.procrastinate_jobs")
    assert job["task_name"] == "payments.give_back"
    await world.services.payments.give_back(started.payment.payment_id)
    assert await used() == 0
    await world.services.payments.give_back(started.payment.payment_id)
    assert await used() == 0


async def test_a_payment_that_is_not_refused_gives_nothing_back(world: World) -> None:
    payer, _, order = await a_code(world)
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    calls = len(world.risk.calls)
    await world.services.payments.give_back(paid.payment_id)
    await world.services.payments.give_back("pay_unknown")
    assert world.risk.calls[calls:] == []


async def test_sweepers_that_meet_pay_once(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.crash_before = {"post"}
    with pytest.raises(Crash):
        await world.services.payments.start(start)
    world.ledger.heal()
    world.later(seconds=46)
    sweeps = (world.services.payments.sweep() for _ in range(5))
    await asyncio.gather(*sweeps, world.services.payments.start(start))
    payment = await consistent(world, start)
    assert payment is not None
    assert payment.status == "posted"


async def test_a_slow_answer_of_risk_comes_after_the_sweep(world: World) -> None:
    """The sweeper closed the payment while risk was thinking: the late verdict moves nothing."""
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    real = world.risk.__getattr__("authorize")

    async def slow(*args: object) -> object:
        verdict = await real(*args)
        world.later(seconds=46)
        await world.services.payments.sweep()
        return verdict

    world.risk.authorize = slow  # type: ignore[attr-defined]
    with pytest.raises(PaymentAbandoned):
        await world.services.payments.start(start)
    payment = await consistent(world, start)
    assert payment is not None
    assert payment.refusal_code == "payment_abandoned"


async def test_the_sweeper_outlives_a_system_that_is_down(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.crash_before = {"post"}
    with pytest.raises(Crash):
        await world.services.payments.start(start)
    world.ledger.heal()
    world.ledger.down = True
    await a_minute(world)
    row = await world.services.payments.payment(payer.person_id, start.payment_id)
    assert row.status == "authorized"
    world.ledger.heal()
    await a_minute(world)
    await consistent(world, start)


async def test_orders_expire_by_themselves_and_their_pages_learn_of_it(world: World) -> None:
    _, _, order = await a_code(world)
    world.later(minutes=15)
    await world.services.payments.sweep()
    [row] = await TX.query("select status from payments.orders")
    assert row["status"] == "expired"
    [event] = await TX.query("select kind, ref from events.event order by event_id desc limit 1")
    assert (event["kind"], event["ref"]) == ("order_expired", order.order_id)


async def test_a_wait_is_no_payment_yet(world: World) -> None:
    """A new device pays people it knows; others it may pay later."""
    owner = await world.person()
    payer = await world.person(100_00, trusted=False)
    order = await world.order(await world.shop(owner))
    await SEC.query("update risk.device set trusted_at = $1", world.clock.now() + timedelta(days=1))
    started = await world.services.payments.start(world.paying(payer, order))
    assert started.requirement is not None
    requirement: Requirement = started.requirement
    assert requirement.takes == "wait"
    assert requirement.wait_until is not None
    assert (await world.services.payments.order(order.order_id)).status == "open"
    assert await world.balance(payer.account_id) == 100_00


async def stuck(world: World, count: int) -> list[StartPayment]:
    """Payments whose verdicts never reached the ledger, past their deadlines."""
    world.ledger.crash_before = {"post"}
    starts = []
    for _ in range(count):
        payer, _, order = await a_code(world)
        starts.append(world.paying(payer, order))
        with pytest.raises(Crash):
            await world.services.payments.start(starts[-1])
    world.ledger.heal()
    world.later(seconds=46)
    return starts


async def test_one_bad_payment_keeps_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "MAX_SWEPT", 1)
    await a_code(world)  # half a day goes by for a trusted device
    bad, good = await stuck(world, 2)
    real = world.ledger.__getattr__("outcome")

    async def outcome(payment_id: str) -> object:
        if payment_id == bad.payment_id:
            raise RuntimeError("a row nobody expected")
        return await real(payment_id)

    world.ledger.outcome = outcome  # type: ignore[attr-defined]
    for _ in range(3):
        await world.services.payments.sweep()
    payments = world.services.payments
    assert (await payments.payment(bad.payer_id, bad.payment_id)).status == "authorized"
    assert (await payments.payment(good.payer_id, good.payment_id)).status == "posted"
    del world.ledger.outcome
    for _ in range(3):
        await payments.sweep()
    assert (await payments.payment(bad.payer_id, bad.payment_id)).status != "authorized"


@pytest.mark.parametrize("broken", [Sweeper, Orders, Accounts])
async def test_the_sweeps_do_not_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch, broken: type
) -> None:
    [start] = await stuck(world, 1)
    person_id = ids.new("usr")
    world.ledger.down = True
    await world.services.payments.open_wallet(person_id)
    world.ledger.heal()
    _, _, stale = await a_code(world)
    world.later(minutes=16)

    async def fail(_: object) -> int:
        raise OSError("the database is away")

    monkeypatch.setattr(broken, "expire_due" if broken is Orders else "sweep", fail)
    with pytest.raises(ExceptionGroup, match="sweeps of payments"):
        await world.services.payments.sweep()
    payment = await world.services.payments.payment(start.payer_id, start.payment_id)
    [order] = await TX.query(
        "select status from payments.orders where order_id = $1", stale.order_id
    )
    opened = await world.books.balances((f"person:{person_id}",)) != ()
    assert (payment.status != "authorized", order["status"] == "expired", opened) == (
        broken is not Sweeper,
        broken is not Orders,
        broken is not Accounts,
    )


async def test_money_that_moved_is_told_whatever_became_of_the_order(world: World) -> None:
    payer, _, order = await a_code(world)
    start = world.paying(payer, order)
    world.ledger.crash_after = {"post"}
    with pytest.raises(Crash):
        await world.services.payments.start(start)
    world.ledger.heal()
    await TX.query(
        "update payments.orders set status = 'open', payment_id = null, claimed_until = null"
        " where order_id = $1",
        order.order_id,
    )
    with capture_logs() as said:
        await world.services.payments.resume(start.payment_id)
        await world.services.payments.resume(start.payment_id)
    errors = [line["event"] for line in said if line["log_level"] == "error"]
    assert errors == ["payment_posted_out_of_order"]
    payment = await world.services.payments.payment(payer.person_id, start.payment_id)
    assert (payment.status, payment.journal_seq is not None) == ("posted", True)
    bill = await world.services.bills.bill(payer.person_id, start.payment_id)
    assert bill.status == "succeeded"
