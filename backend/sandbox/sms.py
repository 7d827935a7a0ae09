"""The sandbox SMS: takes messages like a gateway would and shows them on a page.

POST /messages {"message_id", "to", "text"} → 200, once per message_id; 409 for the same id with
other content; 503 for numbers ending 0000. GET / shows the newest, GET /messages.json?to=… lists
them for tests.
"""

import sqlite3
from typing import Annotated, Any

import msgspec
from aiohttp import web

from backend.clock import Clock, clock_for, to_ms
from backend.sandbox.serving import Stop, forever, listen, page
from backend.sandbox.store import Store
from backend.settings import Settings

SHOWN = 50
BROKEN_ENDING = "0000"  # numbers that end so are never reached
BODY_BYTES = 16 * 1024

_SCHEMA = """
create table if not exists message (
    seq integer primary key, message_id text not null unique,
    recipient text not null, body text not null, at_ms integer not null);
create index if not exists message_recipient on message (recipient, seq);
"""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to`: E.164."""

    message_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    to: Annotated[str, msgspec.Meta(pattern=r"^\+[1-9]\d{6,14}$")]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


async def run(settings: Settings) -> None:
    """Serve until cancelled."""
    await forever(await serve(settings))


async def serve(settings: Settings, clock: Clock | None = None) -> Stop:
    """Serve at settings.sms_url; returns once it listens. The answer stops it."""
    store = Store(settings.path("sms.sqlite"), _SCHEMA)
    stop_listening = await listen(
        _application(store, clock or clock_for(settings)), settings.sms_url
    )

    async def stop() -> None:
        await stop_listening()
        await store.close()

    return stop


def _application(store: Store, clock: Clock) -> web.Application:
    async def take(request: web.Request) -> web.Response:
        try:
            message = msgspec.json.decode(await request.read(), type=Message)
        except msgspec.MsgspecError:
            return web.Response(status=400)
        if message.to.endswith(BROKEN_ENDING):
            return web.Response(status=503)
        return web.Response(status=await _keep(store, message, to_ms(clock.now())))

    async def index(request: web.Request) -> web.Response:
        return page("sms.html", messages=await _newest(store, None))

    async def listed(request: web.Request) -> web.Response:
        messages = await _newest(store, request.query.get("to"))
        return web.Response(body=msgspec.json.encode(messages), content_type="application/json")

    app = web.Application(client_max_size=BODY_BYTES)
    app.router.add_post("/messages", take)
    app.router.add_get("/", index)
    app.router.add_get("/messages.json", listed)
    return app


async def _keep(store: Store, message: Message, at_ms: int) -> int:
    """The HTTP status: 409 if the id was used for another message."""

    def work(db: sqlite3.Connection) -> int:
        db.execute(
            "insert into message (message_id, recipient, body, at_ms) values (?, ?, ?, ?) "
            "on conflict (message_id) do nothing",
            (message.message_id, message.to, message.text, at_ms),
        )
        kept = db.execute(
            "select recipient, body from message where message_id = ?", (message.message_id,)
        ).fetchone()
        return 200 if tuple(kept) == (message.to, message.text) else 409

    return await store.run(work)


async def _newest(store: Store, to: str | None) -> list[dict[str, Any]]:
    """Newest first."""
    return await store.run(
        lambda db: [
            dict(row)
            for row in db.execute(
                'select message_id, recipient as "to", body as text, at_ms from message '
                "where ?1 is null or recipient = ?1 order by seq desc limit ?2",
                (to, SHOWN),
            ).fetchall()
        ]
    )
