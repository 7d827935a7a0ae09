"""Listens to all calls of a test and holds each answer against the contract.

heard = Heard()
api.event_hooks["response"].append(heard.hear)      # whoever calls with this client
"""

import re
from collections import Counter

import httpx

from tests.api_client import Operation, committed

ENDLESS = "text/event-stream"  # test_events reads them
PREFIX = "/api"
TOLD = 300  # characters of an answer

# Whatever is 500 or more fails the test, told of by the contract or not, but for these.
FORESEEN: frozenset[tuple[str, str]] = frozenset()  # an operation, and the problem's code


def failed(name: str, answer: httpx.Response) -> bool:
    """Nothing is broken or away where this is asked: a 5xx is a failure of ours."""
    return answer.is_server_error and (name, answer.json()["code"]) not in FORESEEN


class Heard:
    """`by` operation and status; `wrong`: answers that the contract doesn't tell of."""

    def __init__(self) -> None:
        self.by: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self._known = [(_pattern(each), each) for each in _most_literal_first()]

    async def hear(self, answer: httpx.Response) -> None:
        operation = self._operation(answer.request)
        if operation is None:
            return
        self.by[operation.name, answer.status_code] += 1
        if answer.headers.get("content-type", "").startswith(ENDLESS):
            return
        await answer.aread()
        wrong = committed().wrong(operation, answer)
        if wrong or failed(operation.name, answer):
            asked = f"{answer.request.method} {answer.request.url.raw_path.decode()}"
            told = f"{answer.status_code} {answer.text[:TOLD]}"
            self.wrong.append(
                f"{asked} {answer.request.content[:TOLD]!r} → {told}: {wrong or 'it failed'}"
            )

    def succeeded(self) -> set[str]:
        return {name for name, status in self.by if 200 <= status < 300}

    def line(self) -> str:
        """What is said at the end of a run."""
        every, done = committed().operations, self.succeeded()
        return f"contract: {len(done)} of {len(every)} operations with a 2xx in {self.calls()}"

    def calls(self) -> str:
        statuses = Counter[int]()
        for (_, status), times in self.by.items():
            statuses[status] += times
        told = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
        return f"{self.by.total()} calls ({told})"

    def _operation(self, request: httpx.Request) -> Operation | None:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(PREFIX)
        for pattern, operation in self._known:
            if operation.method == request.method.lower() and pattern.fullmatch(path):
                return operation
        return None


def _most_literal_first() -> list[Operation]:
    return sorted(committed().operations.values(), key=lambda each: len(each.inside))


def _pattern(operation: Operation) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path))
