"""What a payment costs the database: a figure that does not grow unnoticed."""

from typing import Any

import pytest

from backend.db import TX, Database
from tests.payments.till import a_till, shown
from tests.world import World


@pytest.fixture
async def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of the transaction system, without begin and commit."""
    seen: list[str] = []
    real = Database.query

    async def query(self: Database, sql: str, *args: Any) -> Any:
        if self is TX:
            seen.append(sql)
        return await real(self, sql, *args)

    monkeypatch.setattr(Database, "query", query)
    return seen


async def test_a_payment_with_one_tap(world: World, statements: list[str]) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    statements.clear()
    order = await world.services.payments.order((await world.order(till.shop)).order_id)
    statements.clear()
    await world.services.payments.start(world.paying(payer, order))
    assert len(statements) <= 14, statements


async def test_a_payment_by_payment_code(world: World, statements: list[str]) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = till.reading(await shown(world, payer))
    statements.clear()
    await world.services.payments.charge_code(one)
    assert len(statements) <= 18, statements
