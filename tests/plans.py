"""What the database did for each statement: its plans, as carried out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backend.db import TX


def watched(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The plans of all that is asked from now on."""
    found: list[dict[str, Any]] = []
    really = TX.query

    async def explained(sql: str, *args: Any) -> Any:
        [row] = await really(f"explain (analyze, format json) {sql}", *args)
        found.append(json.loads(row[0])[0]["Plan"])
        return await really(sql, *args)

    monkeypatch.setattr(TX, "query", explained)
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
