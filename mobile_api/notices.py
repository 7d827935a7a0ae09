"""Notices: what happened while the phone was away, what is read, what is wanted."""

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.ids import Id
from backend.notices import Notice, Switch
from backend.services import Services
from backend.texts import catalogue
from backend.wallet.telling import said
from mobile_api.caller import Caller
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Page,
    amount_of,
    limited,
    page_of,
    timestamp,
)


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """about: id of the thing, as it stands now; a second event of it renews its notice, under a new
    id. title, text: in the caller's language. Clients must accept further values of `kind`."""

    object: str = "notice"
    id: str
    kind: str
    area: str
    about: str
    state: str
    name: str
    amount: Amount | None
    title: str
    text: str
    read: bool
    created: str


class CountView(msgspec.Struct, frozen=True, kw_only=True):
    """unread: counted up to 100."""

    object: str = "notice_count"
    unread: int


class SwitchView(msgspec.Struct, frozen=True, kw_only=True):
    """fixed: it can't be switched off."""

    object: str = "notice_switch"
    id: str
    area: str
    label: str
    on: bool
    fixed: bool


class ReadTo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """up_to: a notice's id; it and all older ones are read by this."""

    up_to: Id


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    on: bool


@get("/v1/notices")
async def list_notices(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[NoticeView]:
    """Notices, newest first.

    Refuses: bad_request."""
    found = await services.notices.page(caller.person.person_id, cursor, limited(limit))
    return page_of([_notice(caller, each) for each in found.notices], found.next_cursor)


@get("/v1/notices/unread")
async def count_unread(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> CountView:
    """How many are unread, for the badge."""
    return await _count(caller, services)


@post("/v1/notices/read", status_code=200)
async def read_notices(
    data: JSONBody[ReadTo], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> CountView:
    """Mark one and all older ones as read; what came since stays unread.

    Refuses: bad_request."""
    await services.notices.read(caller.person.person_id, data.up_to)
    return await _count(caller, services)


@post("/v1/notices/{notice_id:str}/read", status_code=200)
async def read_notice(
    notice_id: FromPath[str], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> NoticeView:
    """Mark this one alone as read.

    Refuses: not_found."""
    return _notice(caller, await services.notices.look(caller.person.person_id, notice_id))


@get("/v1/notices/switches")
async def list_switches(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[SwitchView]:
    """Which kinds of notices the caller wants; all of them, by area."""
    found = await services.notices.switches(caller.person.person_id)
    return page_of([_switch(caller, each) for each in found])


@put("/v1/notices/switches/{kind:str}")
async def put_switch(
    kind: FromPath[str],
    data: JSONBody[Wanted],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> SwitchView:
    """Switch a kind on or off, for what comes. What concerns security is always told.

    Refuses: not_found, bad_request."""
    return _switch(caller, await services.notices.switch(caller.person.person_id, kind, data.on))


async def _count(caller: Caller, services: Services) -> CountView:
    return CountView(unread=await services.notices.unread(caller.person.person_id))


def _notice(caller: Caller, notice: Notice) -> NoticeView:
    words = said(catalogue(caller.person.language), notice)
    return NoticeView(
        id=notice.notice_id,
        kind=notice.kind,
        area=notice.area,
        about=notice.ref,
        state=notice.state,
        name=notice.name,
        amount=amount_of(notice.amount_fen) if notice.amount_fen else None,
        title=words.title,
        text=words.more,
        read=notice.read,
        created=timestamp(notice.at),
    )


def _switch(caller: Caller, switch: Switch) -> SwitchView:
    return SwitchView(
        id=switch.kind,
        area=switch.area,
        label=catalogue(caller.person.language).word("notice", switch.kind),
        on=switch.on,
        fixed=switch.fixed,
    )


handlers = [
    list_notices,
    count_unread,
    read_notices,
    read_notice,
    list_switches,
    put_switch,
]
