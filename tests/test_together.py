"""What arrives together is done together, and nobody pays for another's bad luck."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from backend.together import Together

_mine: ContextVar[str] = ContextVar("mine", default="nobody's")


class Work:
    """Doubles; 13 breaks whatever round it is in."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.contexts: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.rounds.append(list(items))
        self.contexts.append(_mine.get())
        await self.gate.wait()
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]


async def test_those_who_come_while_it_is_busy_are_the_next_round() -> None:
    work = Work()
    together = Together[int, int](work, most=3)
    first = asyncio.create_task(together.do(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(together.do(n)) for n in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert work.rounds == [[1], [2, 3, 4], [5]]


async def test_one_bad_item_harms_itself_only() -> None:
    work = Work()
    work.gate.set()
    together = Together[int, int](work, most=10)
    answers = await asyncio.gather(*(together.do(n) for n in (1, 13, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4
    assert work.rounds == [[1, 13, 2], [1], [13], [2]]


async def test_who_gave_up_stops_nobody() -> None:
    work = Work()
    together = Together[int, int](work, most=10)
    gone, stays = asyncio.create_task(together.do(1)), asyncio.create_task(together.do(2))
    await asyncio.sleep(0)
    gone.cancel()
    work.gate.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_round_is_in_nobodys_context() -> None:
    """A transaction of the first to come is not the others'."""
    work = Work()
    work.gate.set()
    together = Together[int, int](work, most=10)
    token = _mine.set("the first one's")
    try:
        assert await together.do(1) == 2
    finally:
        _mine.reset(token)
    assert work.contexts == ["nobody's"]
