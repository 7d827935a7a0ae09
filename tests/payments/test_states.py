"""The three state machines: the table of moves, in code and in the database."""

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
from backend.payments.refund_rows import REFUND_MOVES, RefundMove, move_refund
from backend.settings import Settings

PAYMENT_STATES = ("created", "authorized", "posted", "refused")
ORDER_STATES = ("open", "paying", "paid", "expired", "cancelled")

PAYMENT_FACTS = {
    "created": "",
    "authorized": "verdict = '\\x01', level = 'C'",
    "posted": "verdict = '\\x01', level = 'C', posted_at = now(), journal_seq = 1",
    "refused": "refusal_code = 'x', refusal = '\\x01'",
}
REFUND_FACTS = {
    "created": "verdict = null",
    "authorized": "verdict = '\\x01'",
    "posted": "verdict = '\\x01', posted_at = now(), journal_seq = 1",
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


async def a_refund(owner: asyncpg.Connection, status: str) -> str:
    payment_id, refund_id = await a_payment(owner, "posted"), ids.new("rfd")
    await owner.execute(
        "insert into payments.refund (refund_id, payment_id, order_id, shop_id, payer_id, actor_id,"
        " amount_fen, fee_fen, reason, reversal, intent, created_at, deadline_at)"
        " values ($1, $2, 'ord_x', 'mch_x', 'usr_p', 'usr_x', 1, 0, 'r', false, '', now(), now())",
        refund_id,
        payment_id,
    )
    await owner.execute("alter table payments.refund disable trigger refund_moves")
    await owner.execute(
        f"update payments.refund set status = '{status}', {REFUND_FACTS[status]}"
        " where refund_id = $1",
        refund_id,
    )
    await owner.execute("alter table payments.refund enable trigger refund_moves")
    return refund_id


async def test_the_database_knows_the_moves_of_a_refund(owner: asyncpg.Connection) -> None:
    for leaves, enters in product(PAYMENT_STATES, PAYMENT_STATES):
        refund_id = await a_refund(owner, leaves)
        sql = (
            f"update payments.refund set status = '{enters}', {REFUND_FACTS[enters]}"
            " where refund_id = $1"
        )
        if (leaves, enters) in REFUND_MOVES:
            await TX.query(sql, refund_id)
        else:
            with pytest.raises(asyncpg.RaiseError, match=f"no way from {leaves} to {enters}"):
                await TX.query(sql, refund_id)


async def test_a_refunds_move_names_the_state_it_leaves(owner: asyncpg.Connection) -> None:
    for leaves, enters in product(PAYMENT_STATES, PAYMENT_STATES):
        move = RefundMove(leaves=leaves, enters=enters, refusal=UnknownAccount())
        if (leaves, enters) not in REFUND_MOVES:
            with pytest.raises(AssertionError):
                await move_refund("rfd_x", move)
            continue
        for state in PAYMENT_STATES:
            if state != leaves:
                assert await move_refund(await a_refund(owner, state), move) is None


async def test_the_database_keeps_refunds_within_the_payment(owner: asyncpg.Connection) -> None:
    payment_id = await a_payment(owner, "posted")
    refunded = "update payments.payment set refunded_fen = refunded_fen + $2 where payment_id = $1"
    with pytest.raises(asyncpg.CheckViolationError, match="payment_refunded"):
        await TX.query(refunded, payment_id, 2)
    await TX.query(refunded, payment_id, 1)
    for sql in (
        "update payments.payment set refunded_fen = 0 where payment_id = $1",
        "update payments.payment set refunded_fen = 2, level = 'A' where payment_id = $1",
        "update payments.payment set note = 'x' where payment_id = $1",
    ):
        with pytest.raises(asyncpg.RaiseError, match="no way from posted to posted"):
            await TX.query(sql, payment_id)
    unpaid = await a_payment(owner, "created")
    with pytest.raises(asyncpg.CheckViolationError, match="payment_refunded"):
        await TX.query(refunded, unpaid, 1)


async def test_what_a_refund_is_for_never_changes(owner: asyncpg.Connection) -> None:
    refund_id = await a_refund(owner, "created")
    for change in ("amount_fen = 2", "payer_id = 'usr_y'", "actor_id = 'usr_y'", "intent = 'y'"):
        with pytest.raises(asyncpg.RaiseError, match="can not be changed"):
            await TX.query(f"update payments.refund set {change} where refund_id = $1", refund_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await TX.query("delete from payments.refund")


async def test_whose_payment_code_it_was_is_learnt_once(owner: asyncpg.Connection) -> None:
    order = await an_order(owner, "open")
    with pytest.raises(asyncpg.RaiseError, match="can not be changed"):
        await TX.query("update payments.orders set payer_id = 'usr_p', status = 'expired'")
    for change in ("fee_fen = 1", "code = 'static'", "opened_by = 'usr_y'", "store_id = 'str_y'"):
        with pytest.raises(asyncpg.RaiseError, match="can not be changed"):
            await TX.query(
                f"update payments.orders set {change}, status = 'expired' where order_id = $1",
                order.order_id,
            )
