"""A module's Protocol over HTTP: msgpack bodies on a Unix socket or mutual TLS.

Calls that arrive while others are under way travel together in the next request, so a busy caller
pays one round trip for many calls. Refusals travel as codes and are raised again on this side.
"""

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast, get_type_hints

import aiohttp
import msgspec
import structlog
from aiohttp import web

from backend.errors import DomainError, OutcomeUnknown, Refusal, Unavailable, from_wire, to_wire
from backend.settings import Settings

P = TypeVar("P")

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_CALLS = 2_000  # in one request
MAX_REQUESTS = 4  # under way at once from one client: a slow call holds up only its own batch
CALL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 2
PATH = "/rpc"

_log = structlog.get_logger(__name__)


class Call(msgspec.Struct, frozen=True, array_like=True):
    method: str
    args: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """Either a value or a refusal."""

    value: msgspec.Raw
    refusal: Refusal | None


_calls = msgspec.msgpack.Decoder(list[Call])
_answers = msgspec.msgpack.Decoder(list[Answer])
_encoder = msgspec.msgpack.Encoder()
_nothing = msgspec.Raw(_encoder.encode(None))


class _Method:
    """How one method of a face is coded."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        hints = get_type_hints(function, include_extras=True)
        names = [n for n in inspect.signature(function).parameters if n != "self"]
        self.name = name
        arguments = tuple[tuple(hints[n] for n in names)] if names else tuple[()]  # type: ignore[misc]
        self.arguments: msgspec.msgpack.Decoder[tuple[Any, ...]] = msgspec.msgpack.Decoder(
            arguments
        )
        self.result: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(hints["return"])


def _methods(face: type) -> dict[str, _Method]:
    return {
        name: _Method(name, function)
        for name, function in inspect.getmembers(face, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


# -- the serving side ---------------------------------------------------------------------------


def application(face: type, service: object) -> web.Application:
    """An aiohttp application that answers `face` with `service`."""
    methods = _methods(face)

    async def one(call: Call) -> Answer:
        try:
            method = methods[call.method]
            value = await getattr(service, method.name)(*method.arguments.decode(call.args))
            return Answer(msgspec.Raw(_encoder.encode(value)), None)
        except DomainError as refusal:
            return Answer(_nothing, to_wire(refusal))
        except (KeyError, msgspec.ValidationError) as error:
            _log.warning("rpc_malformed", method=call.method, error=type(error).__name__)
            return Answer(_nothing, Refusal("bad_request", {}))
        except Exception:
            # The last resort: what went wrong is ours, whether it was carried out is not known.
            _log.exception("rpc_failed", method=call.method)
            return Answer(_nothing, Refusal("outcome_unknown", {}))

    async def handle(request: web.Request) -> web.Response:
        try:
            calls = _calls.decode(await request.read())
        except msgspec.DecodeError:
            return web.Response(status=400)
        if len(calls) > MAX_CALLS:
            return web.Response(status=413)
        answers = await asyncio.gather(*(one(call) for call in calls))
        return web.Response(body=_encoder.encode(answers), content_type="application/msgpack")

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post(PATH, handle)
    return app


async def serve(
    face: type, service: object, address: str, settings: Settings
) -> Callable[[], Awaitable[None]]:
    """Listen until the returned function is awaited."""
    runner = web.AppRunner(application(face, service), access_log=None, handle_signals=False)
    await runner.setup()
    if address.startswith("unix:"):
        site: web.BaseSite = web.UnixSite(runner, address.removeprefix("unix:"))
    else:
        host, _, port = address.removeprefix("https://").rpartition(":")
        site = web.TCPSite(runner, host, int(port), ssl_context=_tls(settings, server=True))
    await site.start()
    return runner.cleanup


# -- the calling side ---------------------------------------------------------------------------


class _Waiting(msgspec.Struct):
    call: Call
    future: asyncio.Future[Answer]


class Client:
    """Gathers calls and sends them. Refuses: Unavailable (not carried out), OutcomeUnknown."""

    def __init__(self, address: str, settings: Settings) -> None:
        self._address, self._settings = address, settings
        self._session: aiohttp.ClientSession | None = None
        self._waiting: list[_Waiting] = []
        self._senders: set[asyncio.Task[None]] = set()

    async def call(self, method: _Method, args: tuple[Any, ...]) -> Any:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        body = msgspec.Raw(_encoder.encode(args))
        self._waiting.append(_Waiting(Call(method.name, body), future))
        if len(self._senders) < MAX_REQUESTS:
            sender = asyncio.create_task(self._send_all())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        answer = await future
        if answer.refusal is not None:
            raise from_wire(answer.refusal)
        return method.result.decode(answer.value)

    async def close(self) -> None:
        for sender in list(self._senders):
            sender.cancel()
        if self._session is not None:
            await self._session.close()

    async def _send_all(self) -> None:
        await asyncio.sleep(0)  # let callers of the same turn join
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_CALLS], self._waiting[MAX_CALLS:]
            try:
                answers = await self._send([w.call for w in batch])
            except DomainError as refusal:
                answers = [Answer(_nothing, to_wire(refusal))] * len(batch)
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(answer)

    async def _send(self, calls: list[Call]) -> list[Answer]:
        session = self._open()
        base = "http://unix" if self._address.startswith("unix:") else self._address
        try:
            async with session.post(base + PATH, data=_encoder.encode(calls)) as response:
                if response.status != web.HTTPOk.status_code:
                    raise Unavailable(status=response.status)
                return _answers.decode(await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Unavailable() from None
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            raise OutcomeUnknown() from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
            self._session = aiohttp.ClientSession(connector=self._connector(), timeout=timeout)
        return self._session

    def _connector(self) -> aiohttp.BaseConnector:
        if self._address.startswith("unix:"):
            return aiohttp.UnixConnector(self._address.removeprefix("unix:"))
        return aiohttp.TCPConnector(ssl=_tls(self._settings, server=False))


def connect(face: type[P], address: str, settings: Settings) -> tuple[P, Client]:
    """A stand-in for `face` that calls the process at `address`, and its client to close."""
    client = Client(address, settings)
    stub = type(f"Remote{face.__name__}", (), {n: _forward(m) for n, m in _methods(face).items()})()
    stub.client = client
    return cast(P, stub), client


def _forward(method: _Method) -> Callable[..., Awaitable[Any]]:
    async def forward(self: Any, *args: Any) -> Any:
        return await self.client.call(method, args)

    forward.__name__ = method.name
    return forward


def _tls(settings: Settings, *, server: bool) -> ssl.SSLContext:
    """Both sides show a certificate of our own CA and check the other's."""
    purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
    context = ssl.create_default_context(purpose, cafile=settings.rpc_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(settings.rpc_cert, settings.rpc_key)
    return context
