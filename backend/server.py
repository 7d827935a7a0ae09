"""The BFF's process: the web face with the JSON face mounted in it, on Granian."""

import asyncio

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from backend import garbage
from backend.settings import Settings
from web.app import create_app

BACKLOG = 1024
# Connections being served, open streams (web.events.MAX_STREAMS) and idle ones too; more wait in
# the backlog.
BACKPRESSURE = 6000
HEADER_TIMEOUT_MS = 10_000

# Granian's words go where all others go; without handlers of its own they reach the root's.
LOGS = {
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}},
}


class ServerEnded(OSError):
    """Granian gave up: its log says why, often a lifespan that failed."""


async def run(settings: Settings) -> None:
    """Serve until cancelled. One process: many of them share a port by a balancer in front."""
    app = create_app(settings)
    garbage.only_what_is_new()
    await serve(app, settings)


async def serve(app: ASGIApp, settings: Settings) -> None:
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        log_dictconfig=LOGS,
    )
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.interrupt_signal = True
        server.main_loop_interrupt.set()
        await serving
        raise
    raise ServerEnded("the server ended by itself")
