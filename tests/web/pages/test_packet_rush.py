"""What a page costs the database for the many who come too late: a figure that does not grow
unnoticed."""

from typing import Any

import pytest

from backend.db import Database
from tests.web.pages.conftest import Enter, Guest
from tests.web.pages.packets import address, fill, group_of, packet_of

# The session, the packet, who opened it (once in each process), and friends or members.
FEW = 5


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of both systems, without begin and commit."""
    seen: list[str] = []
    real = Database.query

    async def query(self: Database, sql: str, *args: Any) -> Any:
        seen.append(sql)
        return await real(self, sql, *args)

    monkeypatch.setattr(Database, "query", query)
    return seen


async def too_late(guest: Guest, path: str, statements: list[str]) -> int:
    """Statements for the tap and the page that answers it."""
    statements.clear()
    late = await guest.tap(path)
    assert late.status_code == 409
    return len(statements)


@pytest.mark.parametrize("count", [1, 6])
async def test_too_late_by_link(enter: Enter, statements: list[str], count: int) -> None:
    anna, late, *others = [await enter(100_00) for _ in range(2 + count)]
    path = address(packet_of(await fill(anna, kind="equal", amount="12", count=str(count))))
    await late.see(path)
    for one in others:
        await one.see(path)
        await one.tap(path)
    assert await too_late(late, path, statements) <= FEW, statements


async def test_too_late_in_a_group(enter: Enter, statements: list[str]) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    group_id = await group_of(anna, ben, cleo)
    path = address(packet_of(await fill(anna, amount="5", count="1", to_group=group_id)))
    for one in (cleo, ben):
        await one.see(path)
    await ben.tap(path)
    assert await too_late(cleo, path, statements) <= FEW, statements
