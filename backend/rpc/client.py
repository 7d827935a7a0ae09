"""The calling side."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, TypeVar, cast

import aiohttp
import msgspec

from backend.errors import (
    BadRequest,
    DomainError,
    OutcomeUnknown,
    Unavailable,
    from_wire,
    to_wire,
)
from backend.rpc import wire
from backend.rpc.wire import Answer, Call, Method
from backend.settings import Settings

P = TypeVar("P")

MAX_SENDERS = 4  # requests that wait for their first frame at once: more only makes batches small
MAX_CONNECTIONS = 64
MAX_WAITING = 20_000  # calls that are not sent yet
CALL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 2
NOT_CARRIED_OUT = (400, 404, 405, 413)

# The connection broke, so the request may or may not have arrived.
_BROKEN = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    aiohttp.ClientPayloadError,
    asyncio.IncompleteReadError,
)


class _Waiting(msgspec.Struct, eq=False):
    call: Call
    answer: asyncio.Future[Answer]


class _Batch(msgspec.Struct, eq=False):
    """Calls of one request; `begun` is done when the server has shown the first sign of life."""

    calls: list[_Waiting]
    begun: asyncio.Future[None]

    def left(self) -> list[_Waiting]:
        return [waiting for waiting in self.calls if not waiting.answer.done()]

    def refuse(self, refusal: DomainError) -> None:
        for waiting in self.left():
            waiting.answer.set_result(Answer(0, wire.NOTHING, to_wire(refusal)))


class Client:
    """Gathers calls and sends them. Belongs to the event loop of its first call.

    Refuses: Unavailable (not carried out), OutcomeUnknown, BadRequest (too large).
    """

    def __init__(self, address: str, settings: Settings) -> None:
        self._address, self._settings = address, settings
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._waiting: list[_Waiting] = []
        self._senders: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()

    async def call(self, method: Method, args: tuple[Any, ...]) -> Any:
        answer = await self._enqueue(Call(method.name, wire.pack(args)))
        if answer.refusal is not None:
            raise from_wire(answer.refusal)
        try:
            return method.result.decode(answer.value)
        except msgspec.DecodeError:  # another version of the face: it was carried out, or not
            raise OutcomeUnknown() from None

    async def close(self) -> None:
        """Calls that are not answered yet are refused as far as it is known of them."""
        self._closed = True
        _Batch(self._waiting, asyncio.Future()).refuse(Unavailable())
        self._waiting = []
        tasks = [*self._senders, *self._requests]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _enqueue(self, call: Call) -> asyncio.Future[Answer]:
        if self._closed or len(self._waiting) >= MAX_WAITING:
            raise Unavailable()
        if len(memoryview(call.args)) > wire.MAX_BODY_BYTES // 2:
            raise BadRequest()
        loop = asyncio.get_running_loop()
        assert self._loop in (None, loop), "a client belongs to one event loop"
        self._loop = loop
        waiting = _Waiting(call, loop.create_future())
        self._waiting.append(waiting)
        if len(self._senders) < MAX_SENDERS:
            _keep(self._senders, self._send_all())
        return waiting.answer

    async def _send_all(self) -> None:
        await asyncio.sleep(0)  # let callers of the same turn join
        while batch := self._next_batch():
            request = _keep(self._requests, self._deliver(batch))
            await asyncio.wait({request, batch.begun}, return_when=asyncio.FIRST_COMPLETED)

    def _next_batch(self) -> _Batch | None:
        """As many as fit into one request; callers that gave up meanwhile are left out."""
        self._waiting = [waiting for waiting in self._waiting if not waiting.answer.done()]
        size = taken = 0
        for waiting in self._waiting[: wire.MAX_CALLS]:
            size += len(memoryview(waiting.call.args)) + len(waiting.call.method) + 16
            if size > wire.MAX_BODY_BYTES:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return _Batch(batch, asyncio.get_running_loop().create_future()) if batch else None

    async def _deliver(self, batch: _Batch) -> None:
        """Send until answered. A broken connection earns a second try: calls are idempotent."""
        refusal: DomainError = OutcomeUnknown()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                if not await self._attempt(batch, first=True):
                    await self._attempt(batch, first=False)
        except DomainError as known:
            refusal = known
        except TimeoutError:
            pass
        finally:  # also when the client is closed
            batch.refuse(refusal)

    async def _attempt(self, batch: _Batch, *, first: bool) -> bool:
        """False if the connection broke. Refuses: Unavailable, if surely not carried out."""
        left = batch.left()
        body = BytesIO(wire.encode_calls([waiting.call for waiting in left]))
        base = "http://unix" if self._address.startswith("unix:") else self._address
        try:
            async with self._open().post(base + wire.PATH, data=body) as response:
                if response.status != 200:
                    surely_not = first and response.status in NOT_CARRIED_OUT
                    raise Unavailable() if surely_not else OutcomeUnknown()
                await _read(response.content, left, batch.begun)
                return True
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Unavailable() if first else OutcomeUnknown() from None
        except _BROKEN:
            return False
        except (aiohttp.ClientError, msgspec.DecodeError):
            raise OutcomeUnknown() from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(connect=CONNECT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    def _connector(self) -> aiohttp.BaseConnector:
        if self._address.startswith("unix:"):
            path = self._address.removeprefix("unix:")
            return aiohttp.UnixConnector(path, limit=MAX_CONNECTIONS)
        context = wire.tls(self._settings, server=False)
        return aiohttp.TCPConnector(ssl=context, limit=MAX_CONNECTIONS)


async def _read(
    stream: aiohttp.StreamReader, calls: list[_Waiting], begun: asyncio.Future[None]
) -> None:
    """Hand out answers as they arrive. Raises IncompleteReadError if one is missing."""
    missing = len(calls)
    while missing:
        length = int.from_bytes(await stream.readexactly(wire.LENGTH_BYTES), "big")
        if length > wire.MAX_BODY_BYTES:
            raise msgspec.DecodeError("frame too large")
        answers = wire.decode_answers(await stream.readexactly(length))
        if not begun.done():
            begun.set_result(None)
        for answer in answers:
            missing -= 1
            if not 0 <= answer.place < len(calls):
                raise msgspec.DecodeError("an answer to no call")
            if not calls[answer.place].answer.done():  # its caller may have given up
                calls[answer.place].answer.set_result(answer)


def _keep(tasks: set[asyncio.Task[None]], work: Any) -> asyncio.Task[None]:
    """A task with a strong reference until it is done."""
    task: asyncio.Task[None] = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def connect(face: type[P], address: str, settings: Settings) -> tuple[P, Client]:
    """A stand-in for `face` that calls the process at `address`, and its client to close."""
    client = Client(address, settings)
    stubs = {name: _forward(method) for name, method in wire.methods(face).items()}
    stub = type(f"Remote{face.__name__}", (), stubs)()
    stub.client = client
    return cast(P, stub), client


def _forward(method: Method) -> Callable[..., Awaitable[Any]]:
    async def forward(self: Any, *args: Any, **named: Any) -> Any:
        return await self.client.call(method, method.positional(args, named))

    forward.__name__ = method.name
    return forward
