"""Calls that come together are decided together: one round of SQL serves all that wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from backend.errors import DomainError

MAX_TOGETHER = 500

In = TypeVar("In")
Out = TypeVar("Out")


class Batch(Generic[In, Out]):
    """`run` answers each item with a value or a refusal, in order. One run at a time.

    Items with the same key never run together, so that the second sees what the first left.
    """

    def __init__(
        self,
        run: Callable[[Sequence[In]], Awaitable[Sequence[Out | DomainError]]],
        key: Callable[[In], str],
    ) -> None:
        self._run, self._key = run, key
        self._waiting: list[tuple[In, asyncio.Future[Out]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: In) -> Out:
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        await asyncio.sleep(0)  # let callers of the same turn join
        try:
            while self._waiting:
                await self._settle(self._take())
        finally:
            self._worker = None

    def _take(self) -> list[tuple[In, asyncio.Future[Out]]]:
        taken: dict[str, tuple[In, asyncio.Future[Out]]] = {}
        rest: list[tuple[In, asyncio.Future[Out]]] = []
        for waiting in self._waiting:
            full = len(taken) == MAX_TOGETHER
            if full or taken.setdefault(self._key(waiting[0]), waiting) is not waiting:
                rest.append(waiting)
        self._waiting = rest
        return list(taken.values())

    async def _settle(self, taken: list[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            answers = await self._run([item for item, _ in taken])
        except Exception as error:
            if len(taken) > 1:  # what one item brings in must not fail the others
                for waiting in taken:
                    await self._settle([waiting])
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, DomainError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
