"""Payers who come together are written together; what is not plain goes its own way."""

import asyncio
from contextvars import Context
from typing import Any

import pytest

from backend import ids
from backend.db import TX, Database
from backend.errors import DomainError
from backend.payments import Started, StartPayment, aftermath, many, rounds
from tests.world import World

PAYERS = 12
FORMS = pytest.mark.parametrize("form", ["local", "remote"])


@FORMS
async def test_many_payers_of_one_shop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payers = [await world.person(100_00) for _ in range(PAYERS)]
    shop = await world.shop(await world.person())
    orders = [await world.order(shop, (n + 1) * 100) for n in range(PAYERS)]
    seen = _statements(monkeypatch)

    paid = await asyncio.gather(
        *(
            world.services.payments.start(world.paying(payer, order))
            for payer, order in zip(payers, orders, strict=True)
        )
    )

    assert {started.payment.status for started in paid} == {"posted"}
    assert len({started.payment.payment_id for started in paid}) == PAYERS
    for n, payer in enumerate(payers):
        assert await world.balance(payer.account_id) == 100_00 - (n + 1) * 100
        [bill] = (await world.services.bills.page(payer.person_id, "", 1)).bills
        assert (bill.amount_fen, bill.order_id) == ((n + 1) * 100, orders[n].order_id)
    total = sum(order.amount_fen for order in orders)
    assert await world.balance(f"shop:{orders[0].payee_id}") == total
    assert len(seen) < 6 * PAYERS, "together they cost less than half of what each costs alone"


@FORMS
async def test_many_payers_of_one_order_and_one_pays(world: World) -> None:
    payers = [await world.person(100_00) for _ in range(PAYERS)]
    order = await world.order(await world.shop(await world.person()), 10_00)

    answers = await asyncio.gather(
        *(world.services.payments.start(world.paying(payer, order)) for payer in payers),
        return_exceptions=True,
    )

    won = [answer for answer in answers if isinstance(answer, Started)]
    lost = [answer.code for answer in answers if isinstance(answer, DomainError)]
    assert len(won) == 1
    assert len(lost) == PAYERS - 1
    assert set(lost) <= {"order_busy", "order_paid"}
    assert await world.balance(f"shop:{order.payee_id}") == 10_00


@FORMS
async def test_one_id_for_two_orders_pays_one(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    shop, payment_id = await world.shop(owner), ids.new("pay")
    orders = [await world.order(shop, 10_00) for _ in range(2)]

    answers = await asyncio.gather(
        *(
            world.services.payments.start(world.paying(payer, order, payment_id=payment_id))
            for order in orders
        ),
        return_exceptions=True,
    )

    assert sorted(isinstance(answer, Started) for answer in answers) == [False, True]
    [refused] = [answer.code for answer in answers if isinstance(answer, DomainError)]
    assert refused == "id_reused"
    assert await world.balance(payer.account_id) == 90_00
    statuses = [(await world.services.payments.order(o.order_id)).status for o in orders]
    assert sorted(statuses) == ["open", "paid"]


@FORMS
async def test_who_has_hold_of_one_order_holds_up_no_other(world: World) -> None:
    payers = [await world.person(100_00) for _ in range(2)]
    shop = await world.shop(await world.person())
    held, free = await world.order(shop, 10_00), await world.order(shop, 10_00)
    blocked: asyncio.Task[Started]

    async with TX.transaction():
        await TX.query("select from payments.orders where order_id = $1 for update", held.order_id)
        blocked = _elsewhere(world, world.paying(payers[0], held))
        paid = await _elsewhere(world, world.paying(payers[1], free))
        assert paid.payment.status == "posted"
        assert not blocked.done()

    assert (await blocked).payment.status == "posted"


@FORMS
async def test_one_whose_aftermath_fails_harms_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = await _starts(world)
    bad = starts[1]
    real = aftermath.record_posted

    async def failing(parts: Any, posted: Any) -> None:
        await real(parts, posted)
        if bad.payment_id in {row.payment_id for row, _ in posted}:
            raise ZeroDivisionError

    monkeypatch.setattr(rounds, "record_posted", failing)
    answers = await _together(world, starts)
    monkeypatch.undo()
    assert [isinstance(answer, Started) for answer in answers] == [s is not bad for s in starts]
    await world.services.payments.start(bad)  # whoever asks again drives it on
    await _paid_once(world, starts)


@FORMS
async def test_what_is_not_plain_sends_each_its_own_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = await _starts(world)
    real, sizes = many.move_payments, []

    async def moved_elsewhere(moves: Any) -> Any:
        moved = await real(moves)
        if any(move.enters == "posted" for move in moves.values()):
            sizes.append(len(moves))
            moved.pop(starts[1].payment_id, None)
        return moved

    monkeypatch.setattr(rounds, "move_payments", moved_elsewhere)
    answers = await _together(world, starts)
    assert [isinstance(answer, Started) for answer in answers] == [True] * len(starts)
    assert max(sizes) > 1
    await _paid_once(world, starts)


@FORMS
async def test_who_leaves_in_the_middle_of_a_round_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = await _starts(world)
    inside, go = asyncio.Event(), asyncio.Event()
    real = aftermath.record_posted

    async def slow(parts: Any, posted: Any) -> None:
        inside.set()
        await go.wait()
        await real(parts, posted)

    monkeypatch.setattr(rounds, "record_posted", slow)
    tasks = [asyncio.create_task(world.services.payments.start(start)) for start in starts]
    await inside.wait()
    tasks[1].cancel()
    go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    assert kinds == [Started, asyncio.CancelledError, Started, Started]
    await world.services.payments.start(starts[1])
    await _paid_once(world, starts)


async def _starts(world: World) -> list[StartPayment]:
    """Four payers, each of an order of their own of one shop."""
    payers = [await world.person(100_00) for _ in range(4)]
    shop = await world.shop(await world.person())
    return [world.paying(payer, await world.order(shop, 10_00)) for payer in payers]


async def _together(world: World, starts: list[StartPayment]) -> list[Any]:
    calls = (world.services.payments.start(start) for start in starts)
    return await asyncio.gather(*calls, return_exceptions=True)


async def _paid_once(world: World, starts: list[StartPayment]) -> None:
    for start in starts:
        assert await world.balance(f"person:{start.payer_id}") == 90_00
        [bill] = (await world.services.bills.page(start.payer_id, "", 9)).bills
        assert (bill.status, bill.amount_fen) == ("succeeded", 10_00)
        assert (await world.services.payments.order(start.order_id)).status == "paid"


def _elsewhere(world: World, start: Any) -> "asyncio.Task[Started]":
    """Outside of the transaction that is open here."""
    return asyncio.create_task(world.services.payments.start(start), context=Context())


def _statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of the transaction system's faces from now on."""
    seen: list[str] = []
    real = Database.query

    async def query(self: Database, sql: str, *args: Any) -> Any:
        if self is TX:
            seen.append(sql)
        return await real(self, sql, *args)

    monkeypatch.setattr(Database, "query", query)
    return seen
