"""What arrives together is done together: one round of work for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """`work` gets all items that gathered while it was busy, at most `most`, and answers each, in
    their order, outside of any transaction of those who ask. Where a round of several fails, each
    is tried alone: one bad item harms itself only, so `work` must bear to be repeated."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int) -> None:
        self._work, self._most = work, most
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
            for _, answer in self._waiting:  # we are being stopped
                answer.cancel()

    async def _round(self, taken: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._work([item for item, _ in taken])
        except Exception as error:
            if len(taken) == 1:
                _settle(taken[0][1], error=error)
                return
            for one in taken:
                await self._round([one])
            return
        except BaseException:
            for _, answer in taken:
                answer.cancel()
            raise
        for (_, answer), found in zip(taken, answers, strict=True):
            if not answer.done():
                answer.set_result(found)


def _settle(answer: "asyncio.Future[R]", error: Exception) -> None:
    if not answer.done():  # whoever asked may have gone
        answer.set_exception(error)
