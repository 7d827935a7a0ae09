"""The live stream of a page: says that something changed; the page asks for the rest itself.

Messages are named `changed` and carry no amounts. A stream without Last-Event-ID begins with
`listening`: a page that waits for one thing asks once more then, so that nothing that happened
between drawing it and listening is missed.
"""

import time
from collections.abc import AsyncGenerator
from datetime import timedelta

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from backend.errors import NotFound
from backend.events import Event, Events
from backend.identity import Person
from backend.services import Services
from web.http import WebRequest

MAX_TOPICS = 4
MAX_TOPIC_TEXT = 200
STREAM_LIFE = timedelta(minutes=5)  # then the browser connects again, if its session still lives
RETRY_MS = 1000
CHANGED, LISTENING = "changed", "listening"


@get("/events")
async def stream(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    topics: FromQuery[str] = "",
) -> ServerSentEvent:
    wanted = tuple(dict.fromkeys(topics[:MAX_TOPIC_TEXT].split(",")))[:MAX_TOPICS]
    for topic in wanted:
        await _check_own(services, person.person_id, topic)
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
    messages = _messages(services.events, wanted, after)
    return ServerSentEvent(messages, headers={"Cache-Control": "no-store"})


async def _check_own(services: Services, person_id: str, topic: str) -> None:
    """Refuses: NotFound, for what isn't the person's and for what isn't a topic."""
    kind, _, ref = topic.partition(":")
    if kind == "person" and ref == person_id:
        return
    if kind == "shop":
        shop = await services.merchant.shop_of(person_id)
        if shop is not None and shop.shop_id == ref:
            return
    if kind == "order":
        await services.merchant.order(person_id, ref)
        return
    raise NotFound()


async def _messages(
    events: Events, topics: tuple[str, ...], after: int | None
) -> AsyncGenerator[ServerSentEventMessage, None]:
    ends_at = time.monotonic() + STREAM_LIFE.total_seconds()
    yield ServerSentEventMessage(
        event=LISTENING if after is None else None,
        data="{}" if after is None else None,
        retry=RETRY_MS,
    )
    async for event in events.subscribe(topics, after):
        yield _alive() if event is None else _changed(event)
        if time.monotonic() >= ends_at:
            return


def _alive() -> ServerSentEventMessage:
    return ServerSentEventMessage(data=None, comment="alive")


def _changed(event: Event) -> ServerSentEventMessage:
    what = msgspec.json.encode({"kind": event.kind, "ref": event.ref})
    return ServerSentEventMessage(event=CHANGED, data=what, id=event.event_id)


handlers = [stream]
