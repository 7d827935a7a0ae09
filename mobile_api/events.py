"""What happens, live: server-sent events of a person, and of a shop for its staff.

A stream begins with `ready`, whose id is a place to resume from as good as any event's: with
`Last-Event-ID` nothing that was told after it is lost, and nothing comes twice. Signs of life
carry ids too. `changed` says that something has changed and never what it is now. `reset`: what
came after the last id is not kept any more, so load afresh; the stream goes on from there.
"""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
import structlog
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from backend import proof
from backend.errors import BadRequest
from backend.events import Beat, Event
from backend.identity import SignedOut
from backend.merchant import Seat
from backend.services import Services
from backend.wallet.streams import FULL_RETRY_S, RETRY_MS, Streams, followed
from backend.wallet.topics import MAX_TOPICS, check_topic, may_listen
from mobile_api.caller import Caller
from mobile_api.rate import TooManyCalls
from mobile_api.seat import MEMBER
from mobile_api.shapes import timestamp

MAX_TOPIC_TEXT = 200
MAX_ID_DIGITS = 18
CHECK_S = 1.0  # a busy stream outlives its session by no more than this
READY, CHANGED, RESET = "ready", "changed", "reset"

LastEventId = Annotated[
    str,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=MAX_ID_DIGITS,
        pattern=r"^\d*$",
        description="The last id that the reader has seen",
        examples=[Example(value="1048576")],
    ),
]

_log = structlog.get_logger(__name__)


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `changed`. kind: a machine word; ref: the id of what has changed. Clients must
    accept further kinds."""

    object: str = "event"
    id: str
    topic: str
    kind: str
    ref: str
    created: str


@get("/v1/events", media_type="text/event-stream", opt={"stream": True})
async def stream_events(
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    topics: FromQuery[str] = "",
    last: LastEventId = "",
) -> ServerSentEvent:
    """What happens to the caller. topics: up to three more, "packet:red_…", "group:grp_…" or
    "order:ord_…", by commas.

    Refuses: bad_request, not_found, too_many_calls."""
    own = f"person:{caller.person.person_id}"
    return await _stream(request, caller, services, (own, *_more(topics)), last)


@get(
    "/v1/shop/events",
    media_type="text/event-stream",
    opt={"stream": True, "permission": MEMBER},
)
async def stream_shop_events(  # noqa: PLR0913 — what a handler needs arrives by name
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    topics: FromQuery[str] = "",
    last: LastEventId = "",
) -> ServerSentEvent:
    """What happens in the shop that the caller has a seat in. topics: as for their own.

    Refuses: bad_request, not_found, no_shop, too_many_calls."""
    shop = f"shop:{seat.shop_id}"
    return await _stream(request, caller, services, (shop, *_more(topics)), last)


def _more(topics: str) -> tuple[str, ...]:
    """Refuses: BadRequest."""
    found = tuple(dict.fromkeys(topics.split(","))) if topics else ()
    if len(topics) > MAX_TOPIC_TEXT or len(found) >= MAX_TOPICS:
        raise BadRequest()
    return found


async def _stream(
    request: Request[Any, Any, Any],
    caller: Caller,
    services: Services,
    topics: tuple[str, ...],
    last: str,
) -> ServerSentEvent:
    """Refuses: NotFound, TooManyCalls."""
    for topic in topics:
        await check_topic(services, caller.person.person_id, topic)
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    if streams.full(caller.session_id):
        raise TooManyCalls(seconds=FULL_RETRY_S)
    messages = _messages(services, caller, topics, int(last) if last else None)
    return ServerSentEvent(
        streams.counted(caller.session_id, messages), headers={"Cache-Control": "no-store"}
    )


async def _messages(
    services: Services, caller: Caller, topics: tuple[str, ...], after: int | None
) -> AsyncGenerator[ServerSentEventMessage, None]:
    key = proof.read(caller.proof).thumbprint

    async def alive() -> bool:
        person_id = caller.person.person_id
        return await _lives_on(services, caller.session_id, key) and await may_listen(
            services, person_id, topics
        )

    begun = False
    async for news in followed(services.events, topics, after, alive, CHECK_S):
        if isinstance(news, Event):
            yield _changed(news)
        elif news is not None:
            yield _beat(news, begun)
        begun = True


async def _lives_on(services: Services, session_id: str, thumbprint: str) -> bool:
    """Ends with its session, which ends with its device; a database that is away ends nothing."""
    try:
        await services.identity.phone_session(session_id, thumbprint)
    except SignedOut:
        return False
    except Exception as error:
        _log.warning("session_not_checked", error=type(error).__name__)
    return True


def _beat(beat: Beat, begun: bool) -> ServerSentEventMessage:
    if beat.lost:
        return ServerSentEventMessage(event=RESET, data="{}", id=beat.event_id, retry=RETRY_MS)
    if not begun and beat.event_id is not None:
        return ServerSentEventMessage(event=READY, data="{}", id=beat.event_id, retry=RETRY_MS)
    return ServerSentEventMessage(data=None, comment="alive", id=beat.event_id)


def _changed(event: Event) -> ServerSentEventMessage:
    view = EventView(
        id=str(event.event_id),
        topic=event.topic,
        kind=event.kind,
        ref=event.ref,
        created=timestamp(event.created_at),
    )
    return ServerSentEventMessage(
        event=CHANGED, data=msgspec.json.encode(view), id=str(event.event_id)
    )


handlers = [stream_events, stream_shop_events]
