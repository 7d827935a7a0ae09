"""The server holds more open pages than it used to take requests, and still answers."""

import asyncio
from contextlib import AsyncExitStack, suppress

import httpx
import msgspec

from backend.identity import OpenSession
from backend.server import serve
from backend.wallet.streams import MAX_OF_SESSION
from tests.ports import free_port
from tests.world import Wallet, World
from web.app import create_app
from web.security import cookies

PAGES = 600


async def listen(port: int, wallet: Wallet, token: str) -> asyncio.StreamWriter:
    """An open stream that has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /events?topics=person:{wallet.person_id} HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: {cookies.SESSION}={token}\r\n\r\n".encode()
    )
    await reader.readuntil(b"listening")
    return writer


async def open_pages(world: World, port: int, count: int) -> list[asyncio.StreamWriter]:
    wallet = await world.person(trusted=False)
    device_id = await world.services.risk.device_of(wallet.device_secret)
    streams: list[asyncio.StreamWriter] = []
    while len(streams) < count:
        opened = await world.services.identity.open_session(
            OpenSession(person_id=wallet.person_id, device_id=device_id, label="test")
        )
        streams += await asyncio.gather(
            *(listen(port, wallet, opened.token) for _ in range(MAX_OF_SESSION))
        )
    return streams


async def test_many_open_pages_do_not_stop_the_wallet(world: World) -> None:
    settings = msgspec.structs.replace(world.settings, port=free_port())
    app = create_app(settings, world.services, world.clock)
    serving = asyncio.create_task(serve(app, settings))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}")
        )
        async with asyncio.timeout(20):
            while True:
                with suppress(httpx.TransportError):
                    await client.get("/welcome")
                    break
                await asyncio.sleep(0.1)
        streams = await open_pages(world, settings.port, PAGES)
        try:
            assert app.state.streams.count == PAGES
            fresh = await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=10)
            )
            answer = await fresh.get("/welcome", headers={"Host": "localhost"})
            assert answer.status_code < 500
        finally:
            for stream in streams:
                stream.close()
        async with asyncio.timeout(30):
            while app.state.streams.count:  # noqa: ASYNC110 — the server's end tells nobody
                await asyncio.sleep(0.1)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
