"""A coarse brake per address on the doors; the real limits are rules of the security system."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.stores.memory import MemoryStore

PER_MINUTE = 60
WINDOW_S = 60
STORE = "web_doors"
OPT = "throttled"  # handlers that open a door carry it


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
