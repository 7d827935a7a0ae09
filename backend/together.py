"""What arrives together is done together: one round of work for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import asyncpg
import structlog

from backend.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")
R = TypeVar("R")

# What no single item brings about: a lost connection, a full pool, a lock or a statement that takes
# too long, a part that can't be reached. Trying each alone would take as long for every one of
# them, while others wait behind; and what was lost may have been done.
_EVERYBODYS = (
    OSError,  # TimeoutError too
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    Unavailable,
    OutcomeUnknown,
)

_log = structlog.get_logger(__name__)


class Together(Generic[T, R]):
    """`work` gets all items that gathered while it was busy, at most `most`, and answers each, in
    their order, outside of any transaction and log context of those who ask. Where a round of
    several fails, it is tried again in halves: one bad item harms itself only. again=False: for
    work that does not bear to be repeated; whoever was in the round hears the error."""

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        most: int,
        *,
        again: bool = True,
    ) -> None:
        self._work, self._most, self._again = work, most, again
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def do(self, item: T) -> R:
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None:
            # In a context of its own: the first to come may be inside a transaction.
            self._task = asyncio.create_task(self._run(), context=Context())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._round(taken)
        finally:
            self._task = None
            stopped, self._waiting = self._waiting, []
            for _, answer in stopped:  # we are being stopped
                answer.cancel()

    async def _round(self, taken: list[tuple[T, asyncio.Future[R]]]) -> None:
        groups = [taken]
        try:
            while groups:
                # Whoever asked may have gone: nothing is done for them.
                if group := [one for one in groups.pop() if not one[1].done()]:
                    groups += await self._try(group, taken)
        except BaseException:
            for _, answer in taken:
                answer.cancel()
            raise

    async def _try(
        self, group: list[tuple[T, asyncio.Future[R]]], taken: list[tuple[T, asyncio.Future[R]]]
    ) -> list[list[tuple[T, asyncio.Future[R]]]]:
        """What is to be tried again, the last first."""
        try:
            answers = await self._work([item for item, _ in group])
            assert len(answers) == len(group), "each item has its answer"
        except Exception as error:
            if isinstance(error, _EVERYBODYS):
                _refuse(taken, error)
                return []
            if len(group) == 1 or not self._again:
                _refuse(group, error)
                return []
            # The round has no log context: who asked is told by their own calls.
            _log.warning("round_tried_again", items=len(group), error=type(error).__name__)
            half = len(group) // 2
            return [group[half:], group[:half]]
        for (_, answer), found in zip(group, answers, strict=True):
            if not answer.done():
                answer.set_result(found)
        return []


def _refuse(asked: "list[tuple[T, asyncio.Future[R]]]", error: Exception) -> None:
    if len(asked) > 1:
        _log.warning("round_failed", items=len(asked), error=type(error).__name__)
    for _, answer in asked:
        if not answer.done():
            answer.set_exception(error)
