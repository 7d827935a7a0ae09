"""The live stream of a page: says that something changed; the page asks for the rest itself.

Messages are named `changed` and carry no amounts. A stream without Last-Event-ID begins with
`listening`: a page that waits for one thing asks once more then, so that nothing that happened
between drawing it and listening is missed.

A stream keeps no session awake, and ends with it. How many are open is bounded, per session and in
all, far below what the server takes on: a page that gets none asks by itself now and then.
"""

from collections.abc import AsyncGenerator

import msgspec
import structlog
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from backend.events import Beat, Event, Events
from backend.identity import Person, Session, SignedOut
from backend.services import Services
from backend.wallet.streams import FULL_RETRY_S, RETRY_MS, Alive, Streams, followed
from backend.wallet.topics import MAX_TOPICS, check_topic, may_listen
from web.http import WebRequest
from web.security import cookies
from web.session import EVENTS, Visit

MAX_TOPIC_TEXT = 200
CHANGED, LISTENING = "changed", "listening"
CHECK_S = 15.0  # a stream outlives its session by no more than this

_log = structlog.get_logger(__name__)


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
        await check_topic(services, person.person_id, topic)
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
    streams, session = request.app.state.streams, visit.session
    assert isinstance(streams, Streams)
    assert session is not None, "a person has one"
    if streams.full(session.session_id):
        return _full(session)

    async def alive() -> bool:
        token = request.cookies[cookies.SESSION]
        return await _lives_on(services, token) and await may_listen(
            services, person.person_id, wanted
        )

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


async def _messages(
    events: Events, topics: tuple[str, ...], after: int | None, alive: Alive
) -> AsyncGenerator[ServerSentEventMessage, None]:
    begun = False
    async for news in followed(events, topics, after, alive, CHECK_S):
        if news is None:
            yield _signed_out()
        elif isinstance(news, Event):
            yield _changed(news)
        elif begun or (after is not None and not news.lost):
            yield _quiet(news, begun)
        else:
            yield _listening(news)
        begun = True


def _quiet(beat: Beat, begun: bool) -> ServerSentEventMessage:
    retry = None if begun else RETRY_MS
    return ServerSentEventMessage(data=None, comment="alive", id=beat.event_id, retry=retry)


def _listening(beat: Beat) -> ServerSentEventMessage:
    """It starts here: what came before, the page asks for itself."""
    return ServerSentEventMessage(event=LISTENING, data="{}", id=beat.event_id, retry=RETRY_MS)


def _changed(event: Event) -> ServerSentEventMessage:
    what = msgspec.json.encode({"kind": event.kind, "ref": event.ref})
    return ServerSentEventMessage(event=CHANGED, data=what, id=event.event_id)


def _signed_out() -> ServerSentEventMessage:
    """The page asks for itself and is led to where people sign in."""
    return ServerSentEventMessage(event=CHANGED, data=b'{"kind":"signed_out","ref":""}')


handlers = [stream]
