"""Coarse brakes: per address on the doors, per person on what moves or asks for money.

They keep one visitor from taking up a process; the real limits are rules of the security system.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request
from litestar.exceptions import TooManyRequestsException
from litestar.middleware.base import ASGIMiddleware
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.stores.memory import MemoryStore
from litestar.types import ASGIApp, Receive, Scope, Send

from backend.clock import Clock
from web.http import WebRequest
from web.session import visit_of

PER_MINUTE = 60
WINDOW_S = 60
STORE = "web_doors"
OPT = "throttled"  # handlers that open a door carry it

PERSON_PER_MINUTE = 30  # of each kind: more than hands can do at a till
MONEY = frozenset(
    {
        "/payments",
        "/payments/ceremonies",
        "/orders",
        "/approvals",
        "/topups",
        "/cards",
        "/scan",  # asks for short codes
        "/scan/photo",
        "/p/{code}",
        "/u/{code}",
        "/code/digits",
        "/code/ahead",
        "/orders/{order_id}/reversal",
        "/shop/orders/{order_id}/refund",
        "/shop/orders/{order_id}/refunds/{refund_id}/confirmation",
    }
)
# Reading these is a guess, or makes a code: counted too, of visitors by their address.
READ = frozenset({"/p/{code}", "/P/{code}", "/code"})


class MoneyBrake(ASGIMiddleware):
    """Counts the posts and some readings of a person by the minute.

    Refuses: TooManyRequestsException.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        route = str(scope.get("path_template", ""))
        method = scope.get("method")
        if (method == "POST" and route in MONEY) or (method == "GET" and route in READ):
            request = WebRequest(scope)
            person = visit_of(request).person
            if person is not None:
                self._count(person.person_id, f"{method} {route}", PERSON_PER_MINUTE)
            elif method == "GET":
                self._count(request.address, route, PER_MINUTE)
        await next_app(scope, receive, send)

    def _count(self, who: str, what: str, most: int) -> None:
        minute = int(self._clock.now().timestamp()) // WINDOW_S
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        self._counts[who, what] += 1
        if self._counts[who, what] > most:
            raise TooManyRequestsException()


async def _is_door(request: Request[Any, Any, Any]) -> bool:
    return bool(request.route_handler.opt.get(OPT)) and request.method == "POST"


throttle = RateLimitConfig(
    rate_limit=("minute", PER_MINUTE),
    check_throttle_handler=_is_door,
    set_rate_limit_headers=False,
    store=STORE,
)


@asynccontextmanager
async def forgetting(app: Litestar) -> AsyncIterator[None]:
    """The store keeps an address until it is asked for again: strangers would fill the memory."""
    store = app.stores.get(STORE)
    assert isinstance(store, MemoryStore)
    task = asyncio.create_task(_forget(store))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forget(store: MemoryStore) -> None:
    while True:
        await asyncio.sleep(WINDOW_S)
        await store.delete_expired()
