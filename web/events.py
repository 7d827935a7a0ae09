"""The live stream of a page: says that something changed; the page asks for the rest itself.

Messages are named `changed` and carry no amounts. A stream without Last-Event-ID begins with
`listening`: a page that waits for one thing asks once more then, so that nothing that happened
between drawing it and listening is missed.

A stream keeps no session awake, and ends with it. How many are open is bounded, per session and in
all, far below what the server takes on: a page that gets none asks by itself now and then.
"""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import msgspec
import structlog
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from backend.errors import NotFound
from backend.events import Event, Events
from backend.identity import Person, Session, SignedOut
from backend.ids import is_id
from backend.services import Services
from web.http import WebRequest
from web.security import cookies
from web.session import EVENTS, Visit

MAX_TOPICS = 4
MAX_TOPIC_TEXT = 200
STREAM_LIFE = timedelta(minutes=5)  # then the browser connects again, if its session still lives
RETRY_MS = 1000
CHANGED, LISTENING = "changed", "listening"
CHECK_S = 15.0  # a stream outlives its session by no more than this
MAX_OF_SESSION = 6
MAX_STREAMS = 2000  # in this process
FULL_RETRY_S = 30

_log = structlog.get_logger(__name__)

Alive = Callable[[], Awaitable[bool]]


class Streams:
    """The open streams of this process, by session."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return self._open.total()

    def full(self, session_id: str) -> bool:
        return self._open[session_id] >= MAX_OF_SESSION or self.count >= MAX_STREAMS

    async def counted(
        self, session_id: str, messages: AsyncGenerator[ServerSentEventMessage, None]
    ) -> AsyncGenerator[ServerSentEventMessage, None]:
        """Counts from the first message on: what is never begun need not be ended."""
        if self.full(session_id):
            return
        self._open[session_id] += 1
        try:
            async for message in messages:
                yield message
        finally:
            self._open[session_id] -= 1
            if not self._open[session_id]:
                del self._open[session_id]
            await messages.aclose()


@get(EVENTS)
async def stream(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    topics: FromQuery[str] = "",
) -> ServerSentEvent | Response[bytes]:
    wanted = tuple(dict.fromkeys(topics[:MAX_TOPIC_TEXT].split(",")))[:MAX_TOPICS]
    for topic in wanted:
        await _check_own(services, person.person_id, topic)
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
    streams, session = request.app.state.streams, visit.session
    assert isinstance(streams, Streams)
    assert session is not None, "a person has one"
    if streams.full(session.session_id):
        return _full(session)

    async def alive() -> bool:
        token = request.cookies[cookies.SESSION]
        return await _lives_on(services, token) and await _owns(services, person.person_id, wanted)

    messages = _messages(services.events, wanted, after, alive)
    return ServerSentEvent(
        streams.counted(session.session_id, messages), headers={"Cache-Control": "no-store"}
    )


def _full(session: Session) -> Response[bytes]:
    """Nothing that htmx would put into the page, or tell: it comes back later and later."""
    _log.warning("streams_full", session_id=session.session_id)
    headers = {"Retry-After": str(FULL_RETRY_S), "HX-Reswap": "none", "Cache-Control": "no-store"}
    return Response(b"", status_code=429, headers=headers, media_type="text/plain")


async def _lives_on(services: Services, token: str) -> bool:
    try:
        await services.identity.session(token, touch=False)
    except SignedOut:
        return False
    except Exception as error:  # the database is away: the stream outlives that, and asks again
        _log.warning("session_not_checked", error=type(error).__name__)
    return True


async def _owns(services: Services, person_id: str, topics: tuple[str, ...]) -> bool:
    """Whether the topics are still the person's: members leave shops."""
    try:
        for topic in topics:
            await _check_own(services, person_id, topic)
    except NotFound:
        return False
    except Exception as error:  # as for sessions: the stream outlives a database that is away
        _log.warning("topics_not_checked", error=type(error).__name__)
    return True


async def _check_own(services: Services, person_id: str, topic: str) -> None:
    """Refuses: NotFound, for what isn't the person's and for what isn't a topic."""
    kind, _, ref = topic.partition(":")
    if kind == "person" and ref == person_id:
        return
    if kind == "shop":
        seats = await services.merchant.seats(person_id)
        if ref in {seat.shop_id for seat in seats}:
            return
    if kind == "group" and await services.friends.is_member(person_id, ref):
        return
    if kind == "packet" and is_id(ref, "red"):
        await services.redpackets.packet(ref)  # whoever has its address may see how full it is
        return
    if kind == "order":
        await _check_order(services, person_id, ref)
        return
    raise NotFound()


async def _check_order(services: Services, person_id: str, order_id: str) -> None:
    """Of any shop that the person has a seat in. Refuses: NotFound."""
    for seat in await services.merchant.seats(person_id):
        with suppress(NotFound):
            await services.merchant.order(seat, order_id)
            return
    raise NotFound()


async def _messages(
    events: Events, topics: tuple[str, ...], after: int | None, alive: Alive
) -> AsyncGenerator[ServerSentEventMessage, None]:
    checked_at = time.monotonic()
    ends_at = checked_at + STREAM_LIFE.total_seconds()
    yield ServerSentEventMessage(
        event=LISTENING if after is None else None,
        data="{}" if after is None else None,
        retry=RETRY_MS,
    )
    async for event in events.subscribe(topics, after):
        if time.monotonic() - checked_at >= CHECK_S or event is None:
            if not await alive():
                yield _signed_out()
                return
            checked_at = time.monotonic()
        yield _quiet() if event is None else _changed(event)
        if time.monotonic() >= ends_at:
            return


def _quiet() -> ServerSentEventMessage:
    return ServerSentEventMessage(data=None, comment="alive")


def _changed(event: Event) -> ServerSentEventMessage:
    what = msgspec.json.encode({"kind": event.kind, "ref": event.ref})
    return ServerSentEventMessage(event=CHANGED, data=what, id=event.event_id)


def _signed_out() -> ServerSentEventMessage:
    """The page asks for itself and is led to where people sign in."""
    return ServerSentEventMessage(event=CHANGED, data=b'{"kind":"signed_out","ref":""}')


handlers = [stream]
