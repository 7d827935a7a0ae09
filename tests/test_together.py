"""What arrives together is done together, and nobody pays for another's bad luck."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import asyncpg
import pytest
from structlog.testing import capture_logs

from backend.errors import OutcomeUnknown, Unavailable
from backend.together import Together

_mine: ContextVar[str] = ContextVar("mine", default="nobody's")


class Work:
    """Doubles; 13 breaks whatever round it is in."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.contexts: list[str] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.rounds.append(list(items))
        self.contexts.append(_mine.get())
        await self.gate.wait()
        if self.error is not None:
            raise self.error
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
    assert work.rounds == [[1, 13, 2], [1], [13, 2], [13], [2]]


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


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.LockNotAvailableError(),
        asyncpg.QueryCanceledError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(),
        TimeoutError(),
        Unavailable(),
        OutcomeUnknown(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_concerns_everybody_is_tried_once(error: Exception) -> None:
    work = Work()
    work.gate.set()
    work.error = error
    together = Together[int, int](work, most=10)
    answers = await asyncio.gather(*(together.do(n) for n in (1, 2, 3)), return_exceptions=True)
    assert answers == [error] * 3
    assert work.rounds == [[1, 2, 3]]
    work.error = None
    assert await together.do(4) == 8


async def test_what_concerns_everybody_ends_the_trying_of_parts() -> None:
    tried: list[list[int]] = []

    async def worse(items: Sequence[int]) -> list[int]:
        tried.append(list(items))
        raise ValueError if len(tried) == 1 else TimeoutError

    together = Together[int, int](worse, most=10)
    answers = await asyncio.gather(*(together.do(n) for n in (1, 2, 3, 4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError] * 4
    assert tried == [[1, 2, 3, 4], [1, 2]]


async def test_who_has_gone_is_in_no_further_round() -> None:
    work = Work()
    together = Together[int, int](work, most=4)
    asked = [asyncio.create_task(together.do(n)) for n in (1, 13, 2, 3, 4, 5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for gone in (0, 2, 4):
        asked[gone].cancel()
    work.gate.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert work.rounds == [[1, 13, 2, 3], [13], [3], [5]]
    assert answers[3] == 6
    assert answers[5] == 10


async def test_what_may_not_be_repeated_is_not() -> None:
    work = Work()
    work.gate.set()
    together = Together[int, int](work, most=10, again=False)
    answers = await asyncio.gather(*(together.do(n) for n in (1, 13, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError] * 3
    assert work.rounds == [[1, 13, 2]]


async def test_an_answer_too_few_leaves_nobody_waiting() -> None:
    async def short(items: Sequence[int]) -> list[int]:
        return [1]

    together = Together[int, int](short, most=10, again=False)
    answers = await asyncio.gather(together.do(1), together.do(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [AssertionError] * 2


async def test_being_stopped_while_parts_are_tried_leaves_nobody_waiting() -> None:
    tried: list[list[int]] = []

    async def stopped(items: Sequence[int]) -> list[int]:
        tried.append(list(items))
        if len(tried) == 2:
            raise asyncio.CancelledError
        raise ValueError

    together = Together[int, int](stopped, most=3)
    asked = [asyncio.create_task(together.do(n)) for n in (1, 2, 3, 4)]
    done, waiting = await asyncio.wait(asked, timeout=10)
    assert not waiting
    assert all(task.cancelled() for task in done)
    assert tried == [[1, 2, 3], [1]]


async def test_a_round_that_is_tried_again_is_in_the_log() -> None:
    work = Work()
    work.gate.set()
    together = Together[int, int](work, most=10)
    with capture_logs() as logs:
        await asyncio.gather(together.do(13), together.do(1), return_exceptions=True)
    [entry] = logs
    assert (entry["event"], entry["items"], entry["error"]) == (
        "round_tried_again",
        2,
        "ValueError",
    )
