"""The two state machines: the table of moves, in code and in the database."""

from collections.abc import AsyncIterator
from itertools import product

import asyncpg
import pytest

from backend import ids
from backend.db import TX
from backend.ledger import UnknownAccount
from backend.payments.records import (
    ORDER_MOVES,
    PAYMENT_MOVES,
    OrderMove,
    OrderRow,
    PaymentMove,
    find_order,
    move_order,
    move_payment,
)
from backend.settings import Settings

PAYMENT_STATES = ("created", "authorized", "posted", "refused")
ORDER_STATES = ("open", "paying", "paid", "expired", "cancelled")

PAYMENT_FACTS = {
    "created": "",
    "authorized": "verdict = '\\x01', level = 'C'",
    "posted": "verdict = '\\x01', level = 'C', posted_at = now(), journal_seq = 1",
    "refused": "refusal_code = 'x', refusal = '\\x01'",
}
ORDER_FACTS = {
    "open": "payment_id = null, claimed_until = null",
    "paying": "payment_id = 'pay_x', claimed_until = now()",
    "paid": "payment_id = 'pay_x', paid_at = now(), claimed_until = null",
    "expired": "payment_id = null",
    "cancelled": "payment_id = null",
}


@pytest.fixture
async def owner(databases: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Who owns the tables may switch their triggers off to arrange a state."""
    connection = await asyncpg.connect(databases.tx_owner_url)
    yield connection
    await connection.close()


async def an_order(owner: asyncpg.Connection, status: str) -> OrderRow:
    order_id = ids.new("ord")
    await owner.execute(
        "insert into payments.orders (order_id, payee_id, owner_id, payee_name, amount_fen, note,"
        " created_at, expires_at) values ($1, 'mch_x', 'usr_x', 'n', 1, '', now(),"
        " now() + interval '1 hour')",
        order_id,
    )
    await owner.execute("alter table payments.orders disable trigger order_moves")
    await owner.execute(
        f"update payments.orders set status = '{status}', {ORDER_FACTS[status]}"
        " where order_id = $1",
        order_id,
    )
    await owner.execute("alter table payments.orders enable trigger order_moves")
    found = await find_order(order_id)
    assert found is not None
    return found


async def a_payment(owner: asyncpg.Connection, status: str) -> str:
    order, payment_id = await an_order(owner, "open"), ids.new("pay")
    await owner.execute(
        "insert into payments.payment (payment_id, order_id, payer_id, payer_name, owner_id,"
        " payee_id, payee_name, amount_fen, fee_fen, note, intent, event_at, created_at,"
        " deadline_at) values ($1, $2, 'usr_p', '*', 'usr_x', 'mch_x', 'n', 1, 0, '', '', now(),"
        " now(), now())",
        payment_id,
        order.order_id,
    )
    if status != "created":
        await owner.execute("alter table payments.payment disable trigger payment_moves")
        await owner.execute(
            f"update payments.payment set status = '{status}', {PAYMENT_FACTS[status]}"
            " where payment_id = $1",
            payment_id,
        )
        await owner.execute("alter table payments.payment enable trigger payment_moves")
    return payment_id


async def test_the_database_knows_the_moves_of_a_payment(owner: asyncpg.Connection) -> None:
    for leaves, enters in product(PAYMENT_STATES, PAYMENT_STATES):
        payment_id = await a_payment(owner, leaves)
        facts = PAYMENT_FACTS[enters] or "verdict = null"
        sql = f"update payments.payment set status = '{enters}', {facts} where payment_id = $1"
        if (leaves, enters) in PAYMENT_MOVES:
            await TX.query(sql, payment_id)
        else:
            with pytest.raises(asyncpg.RaiseError, match=f"no way from {leaves} to {enters}"):
                await TX.query(sql, payment_id)


async def test_the_database_knows_the_moves_of_an_order(owner: asyncpg.Connection) -> None:
    for leaves, enters in product(ORDER_STATES, ORDER_STATES):
        order_id = (await an_order(owner, leaves)).order_id
        facts = ORDER_FACTS[enters]
        sql = f"update payments.orders set status = '{enters}', {facts} where order_id = $1"
        if (leaves, enters) in ORDER_MOVES:
            await TX.query(sql, order_id)
        else:
            with pytest.raises(asyncpg.RaiseError, match=f"no way from {leaves} to {enters}"):
                await TX.query(sql, order_id)


async def test_a_move_names_the_state_it_leaves(owner: asyncpg.Connection) -> None:
    for leaves, enters in product(PAYMENT_STATES, PAYMENT_STATES):
        move = PaymentMove(leaves=leaves, enters=enters, refusal=UnknownAccount())
        if (leaves, enters) not in PAYMENT_MOVES:
            with pytest.raises(AssertionError):
                await move_payment("pay_x", move)
            continue
        for state in PAYMENT_STATES:
            if state != leaves:
                assert await move_payment(await a_payment(owner, state), move) is None


async def test_an_order_that_moved_meanwhile_is_left_alone(owner: asyncpg.Connection) -> None:
    order = await an_order(owner, "open")
    assert await move_order(order, OrderMove(enters="cancelled")) is not None
    assert await move_order(order, OrderMove(enters="expired")) is None
    with pytest.raises(AssertionError):
        await move_order(order, OrderMove(enters="paid"))


async def test_one_order_has_one_payment_under_way(owner: asyncpg.Connection) -> None:
    first, second = await a_payment(owner, "authorized"), await a_payment(owner, "created")
    await owner.execute("alter table payments.payment disable trigger payment_moves")
    await owner.execute(
        "update payments.payment set order_id ="
        " (select order_id from payments.payment where payment_id = $1) where payment_id = $2",
        first,
        second,
    )
    await owner.execute("alter table payments.payment enable trigger payment_moves")
    with pytest.raises(asyncpg.UniqueViolationError):
        await TX.query(
            "update payments.payment set status = 'authorized', level = 'C', verdict = '\\x01'"
            " where payment_id = $1",
            second,
        )


async def test_nobody_deletes_an_order_or_a_payment(owner: asyncpg.Connection) -> None:
    await a_payment(owner, "created")
    for table in ("payment", "orders"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await TX.query(f"delete from payments.{table}")
