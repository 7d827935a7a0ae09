"""The serving side."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from backend.errors import DomainError, Refusal, to_wire
from backend.rpc import wire
from backend.rpc.wire import Answer, Call
from backend.settings import Settings

GRACE_S = 0.02  # answers ready within it travel in one frame, without waiting for the others
SHUTDOWN_S = 5  # for calls under way when the server stops

_log = structlog.get_logger(__name__)


async def serve(
    face: type, service: object, address: str, settings: Settings
) -> Callable[[], Awaitable[None]]:
    """Listen until the returned function is awaited. Raises OSError if it can't listen."""
    app = application(face, service)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    if address.startswith("unix:"):
        await _listen_locally(runner, Path(address.removeprefix("unix:")))
    else:
        host, _, port = address.removeprefix("https://").rpartition(":")
        context = wire.tls(settings, server=True)
        await web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context).start()
    return runner.cleanup


def application(face: type, service: object) -> web.Application:
    """An aiohttp application that answers `face` with `service`."""
    answerer = _Answerer(face, service)
    app = web.Application(client_max_size=wire.MAX_BODY_BYTES)
    app.router.add_post(wire.PATH, answerer.handle)
    return app


class _Answerer:
    def __init__(self, face: type, service: object) -> None:
        self._methods, self._service = wire.methods(face), service
        # A caller that goes away does not stop its calls; the loop keeps only weak references.
        self._under_way: set[asyncio.Task[Answer]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            calls = wire.decode_calls(await request.read())
        except msgspec.DecodeError:
            return web.Response(status=400)
        if len(calls) > wire.MAX_CALLS:
            return web.Response(status=413)
        if not calls:
            return web.Response(body=b"")
        pending = {self._start(place, call) for place, call in enumerate(calls)}
        done, pending = await asyncio.wait(pending, timeout=GRACE_S)
        first = wire.encode_frames([task.result() for task in done])
        if not pending:
            return web.Response(body=first)
        return await self._stream(request, first, pending)

    async def _stream(
        self, request: web.Request, frame: bytes, pending: set[asyncio.Task[Answer]]
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(frame)  # perhaps empty: it tells the caller that we are at it
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            await response.write(wire.encode_frames([task.result() for task in done]))
        await response.write_eof()
        return response

    def _start(self, place: int, call: Call) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._answer(place, call))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _answer(self, place: int, call: Call) -> Answer:
        try:
            method = self._methods[call.method]
            args = method.arguments.decode(call.args)
        except (KeyError, msgspec.DecodeError) as error:
            _log.warning("rpc_malformed", method=call.method[:64], error=type(error).__name__)
            return Answer(place, wire.NOTHING, Refusal("bad_request", {}))
        try:
            return Answer(place, wire.pack(await getattr(self._service, method.name)(*args)))
        except DomainError as refusal:
            return Answer(place, wire.NOTHING, to_wire(refusal))
        except Exception:
            # The last resort: what went wrong is ours, whether it was carried out is not known.
            _log.exception("rpc_failed", method=call.method)
            return Answer(place, wire.NOTHING, Refusal("outcome_unknown", {}))


async def _listen_locally(runner: web.AppRunner, path: Path) -> None:
    """The folder's mode decides who may call; a stale socket of a dead server is replaced."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    await web.UnixSite(runner, path).start()
    os.chmod(path, 0o600)
