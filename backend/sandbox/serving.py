"""What both sandbox services share: listening on loopback, pages, and a clean stop."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.clock import from_ms
from backend.money import yuan

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_S = 1.0  # some of our answers hang on purpose; a stop doesn't wait for them

Stop = Callable[[], Awaitable[None]]

_SHANGHAI = ZoneInfo("Asia/Shanghai")

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
)
_pages.filters["yuan"] = yuan
_pages.filters["time"] = lambda at_ms: (
    from_ms(at_ms).astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S UTC+8")
)


async def listen(app: web.Application, url: str) -> Stop:
    """Serve `app` at `url`, which must be of this machine, until the answer is awaited."""
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK or parts.port is None:
        raise ValueError(f"{url}: a sandbox service listens on loopback, with a port")
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, parts.hostname, parts.port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner.cleanup


async def forever(stop: Stop) -> None:
    """Until this task is cancelled; then stop cleanly."""
    try:
        await asyncio.Event().wait()
    finally:
        await stop()


def page(name: str, **values: Any) -> web.Response:
    """An HTML page that may do nothing but show itself."""
    nonce = secrets.token_urlsafe(16)
    return web.Response(
        text=_pages.get_template(name).render(nonce=nonce, **values),
        content_type="text/html",
        headers={
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
