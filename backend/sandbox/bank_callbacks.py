"""The bank's call-backs to the wallet: delivered at least once, in no order, with retries."""

import asyncio

import aiohttp
import msgspec
import structlog

from backend.clock import Clock, to_ms
from backend.keys import Signer
from backend.sandbox import bank_book
from backend.sandbox.accounts import Db
from backend.sandbox.store import Store, rows

TICK_S = 0.1
BATCH = 50
MAX_ATTEMPTS = 10
FIRST_RETRY_MS, MAX_RETRY_MS = 1_000, 60_000
CALLBACK_TIMEOUT_S = 5
OK = 300  # below: the wallet has taken it

_log = structlog.get_logger(__name__)


class _Callback(msgspec.Struct, frozen=True):
    callback_id: int
    order_id: str
    word: bytes
    attempts: int


class Courier:
    """Decides orders whose time has come and posts each signed word to the wallet's address."""

    def __init__(self, store: Store, signer: Signer, clock: Clock, address: str) -> None:
        self._store, self._signer, self._clock, self._address = store, signer, clock, address
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Until cancelled."""
        timeout = aiohttp.ClientTimeout(total=CALLBACK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            while True:
                await self.settle()
                await self.deliver()
                await asyncio.sleep(TICK_S)

    async def settle(self) -> None:
        now_ms = to_ms(self._clock.now())

        def work(db: Db) -> None:
            for order in bank_book.due(db, now_ms):
                bank_book.decide(db, order, self._signer, now_ms)

        await self._store.run(work)

    async def deliver(self) -> None:
        now_ms = to_ms(self._clock.now())
        waiting = await self._store.run(
            lambda db: rows(
                _Callback,
                db.execute(
                    "select callback_id, order_id, word, attempts from callback "
                    "where due_ms <= ? order by due_ms limit ?",
                    (now_ms, BATCH),
                ),
            )
        )
        if waiting:
            await asyncio.gather(*(self._deliver(callback) for callback in waiting))

    async def _deliver(self, callback: _Callback) -> None:
        delivered = await self._post(callback.word)
        if delivered or callback.attempts + 1 >= MAX_ATTEMPTS:
            _log.info("callback_ended", order_id=callback.order_id, delivered=delivered)
            await self._store.run(
                lambda db: db.execute(
                    "delete from callback where callback_id = ?", (callback.callback_id,)
                )
            )
            return
        due_ms = to_ms(self._clock.now()) + min(FIRST_RETRY_MS << callback.attempts, MAX_RETRY_MS)
        await self._store.run(
            lambda db: db.execute(
                "update callback set attempts = attempts + 1, due_ms = ? where callback_id = ?",
                (due_ms, callback.callback_id),
            )
        )

    async def _post(self, word: bytes) -> bool:
        assert self._session is not None, "the courier is running"
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._address, data=word, headers=headers, allow_redirects=False
            ) as response:
                return response.status < OK
        except (aiohttp.ClientError, TimeoutError):
            return False
