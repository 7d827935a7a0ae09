"""The database keeps the promises too: attacks that go around the code."""

from typing import Any

import asyncpg
import pytest

from backend.banking import StartTopUp
from tests.banking.conftest import World

FORBIDDEN = [
    "update banking.topup set status = 'posted'",
    "update banking.topup set status = 'paid', word = null",
    "update banking.topup set status = 'created'",
    "update banking.topup set amount_fen = amount_fen + 1",
    "update banking.topup set person_id = 'usr_other'",
    "update banking.topup set card_id = 'crd_other'",
    "update banking.topup set reversal = 'due'",
    "update banking.topup set deadline_at = deadline_at + interval '1 day'",
    "update banking.topup set refusal_code = 'x'",
    "update banking.topup set status = 'refused'",
    "update banking.card set status = 'pending'",
    "update banking.card set person_id = 'usr_other'",
    "update banking.card set token = 'tok_other'",
    "delete from banking.topup",
    "delete from banking.card",
    "truncate banking.topup",
    "insert into banking.topup (topup_id, person_id, card_id, amount_fen, nonce, event_at, "
    "created_at, deadline_at, next_try_at) select 'top_other', person_id, card_id, -1, nonce, "
    "event_at, created_at, deadline_at, next_try_at from banking.topup",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
async def test_the_service_role_may_not(world: World, sql: str) -> None:
    world.deaf = True
    await world.banking.top_up(await world.order("0006"))
    connection = await asyncpg.connect(world.settings.tx_url)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(sql)
    await connection.close()


@pytest.mark.parametrize("status", ["created", "pending", "paid", "refused"])
async def test_posted_is_for_ever(world: World, status: str) -> None:
    await world.banking.top_up(await world.order())
    connection = await asyncpg.connect(world.settings.tx_owner_url)
    with pytest.raises(asyncpg.RaiseError):
        await connection.execute(
            "update banking.topup set status = $1, journal_seq = null, refusal_code = "
            "case when $1 = 'refused' then 'x' else '' end",
            status,
        )
    await connection.close()


async def test_returned_is_for_ever(world: World) -> None:
    start = await world.order("0008")
    await world.banking.top_up(start)
    await world.banking.bank_said(world.word(topup_id=start.topup_id, **_of(start)))
    connection = await asyncpg.connect(world.settings.tx_owner_url)
    await connection.execute("update banking.topup set reversal = 'returned'")
    with pytest.raises(asyncpg.RaiseError):
        await connection.execute("update banking.topup set reversal = 'due'")
    await connection.close()


def _of(start: StartTopUp) -> dict[str, Any]:
    return {name: getattr(start, name) for name in ("person_id", "amount_fen")}
