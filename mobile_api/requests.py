"""Asking people for money: what is asked of and by the caller, a new request, one request."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.errors import BadRequest
from backend.ids import Id
from backend.payments import Note
from backend.services import Services
from backend.transfers import (
    MAX_SPLIT,
    REMIND_AFTER,
    NewRequest,
    PayeeUnknown,
    Request,
    RequestShare,
    evenly,
)
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked, sliced
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Money,
    Page,
    amount_of,
    page_of,
    timestamp,
    timestamp_or_none,
)

Side = Literal["mine", "of_me"]


class Even(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for everybody, in whole fen; what is left over stays with the caller. with_me: the
    caller takes part."""

    amount: Money
    people: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=MAX_SPLIT)]
    with_me: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: Id
    amount: Money


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of even and parts. group: its members are asked, and all of it sees how it goes;
    else friends are."""

    note: Note = ""
    group: Id | None = None
    even: Even | None = None
    parts: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1, max_length=MAX_SPLIT)] | None = (
        None
    )


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "paid", "declined"."""

    person: str
    name: str
    amount: Amount
    status: str
    transfer: str | None = None
    ended: str | None = None


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "done", "withdrawn", "expired". remind_after: when the next reminder may be
    sent."""

    object: str = "request"
    id: str
    person: str
    name: str
    mine: bool
    note: str
    group: str | None
    status: str
    asked: Amount
    paid: Amount
    shares: tuple[ShareView, ...]
    created: str
    expires: str
    remind_after: str | None


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """own: what stays with the caller."""

    object: str = "request_preview"
    shares: tuple[ShareView, ...]
    asked: Amount
    own: Amount


@get("/v1/requests")
async def list_requests(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    side: FromQuery[Side | None] = None,
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[RequestView]:
    """Requests by the caller ("mine") and to them ("of_me"), open ones first, newest first, the
    latest hundred.

    Refuses: bad_request."""
    person_id = caller.person.person_id
    found = [
        each
        for each in await services.transfers.requests(person_id)
        if side is None or (each.person_id == person_id) == (side == "mine")
    ]
    of = f"requests {side}\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.request_id)
    return page_of([_request(caller, each) for each in part], following)


@post("/v1/requests/preview", status_code=200, opt={"idempotent": False})
async def preview_request(
    data: JSONBody[Asked], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> PreviewView:
    """What everybody's share would be; nothing is stored and nobody is told.

    Refuses: bad_request, not_found, payee_unknown."""
    shares, own_fen = _shares(data)
    found = await services.transfers.askable(caller.person.person_id, data.group or "")
    names = {each.person_id: each.name for each in found}
    if not all(person_id in names for person_id, _ in shares):
        raise PayeeUnknown()
    return PreviewView(
        shares=tuple(
            ShareView(person=one, name=names[one], amount=amount_of(fen), status="open")
            for one, fen in shares
        ),
        asked=amount_of(sum(fen for _, fen in shares)),
        own=amount_of(own_fen),
    )


@post("/v1/requests", status_code=201)
async def create_request(
    data: JSONBody[Asked],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> RequestView:
    """Ask one or many for money.

    Refuses: bad_request, own_self, payee_unknown, blocked, too_many_requests, id_reused."""
    shares, _ = _shares(data)
    wanted = NewRequest(
        request_id=once.id("req"),
        person_id=caller.person.person_id,
        note=data.note,
        shares=shares,
        group_id=data.group or "",
    )
    return _request(caller, await services.transfers.request(wanted))


@get("/v1/requests/{request_id:str}")
async def show_request(
    caller: NamedDependency[Caller], services: NamedDependency[Services], request_id: FromPath[str]
) -> RequestView:
    """A request by or to the caller, or to a group of theirs.

    Refuses: not_found."""
    person_id, found_id = caller.person.person_id, checked(request_id, "req")
    return _request(caller, await services.transfers.find_request(person_id, found_id))


@post("/v1/requests/{request_id:str}/decline", status_code=200)
async def decline_request(
    caller: NamedDependency[Caller], services: NamedDependency[Services], request_id: FromPath[str]
) -> RequestView:
    """Don't pay what is asked.

    Refuses: not_found, request_ended, order_busy."""
    person_id, found_id = caller.person.person_id, checked(request_id, "req")
    return _request(caller, await services.transfers.decline(person_id, found_id))


@post("/v1/requests/{request_id:str}/withdraw", status_code=200)
async def withdraw_request(
    caller: NamedDependency[Caller], services: NamedDependency[Services], request_id: FromPath[str]
) -> RequestView:
    """Ask no more. What is being paid just now may still arrive.

    Refuses: not_found, request_ended."""
    person_id, found_id = caller.person.person_id, checked(request_id, "req")
    return _request(caller, await services.transfers.withdraw(person_id, found_id))


@post("/v1/requests/{request_id:str}/remind", status_code=200)
async def remind_request(
    caller: NamedDependency[Caller], services: NamedDependency[Services], request_id: FromPath[str]
) -> RequestView:
    """Remind those who have not paid.

    Refuses: not_found, request_ended, reminded_lately."""
    person_id, found_id = caller.person.person_id, checked(request_id, "req")
    return _request(caller, await services.transfers.remind(person_id, found_id))


def _shares(asked: Asked) -> tuple[tuple[tuple[str, int], ...], int]:
    """Each person's, and what stays with the caller. Refuses: BadRequest (not exactly one way, or
    less than a fen for each)."""
    if asked.parts is not None and asked.even is None:
        return tuple((part.person, part.amount.amount) for part in asked.parts), 0
    if asked.even is None or asked.parts is not None:
        raise BadRequest()
    even = asked.even
    each_fen, own_fen = evenly(even.amount.amount, len(even.people), even.with_me)
    if not each_fen:
        raise BadRequest()
    return tuple((person_id, each_fen) for person_id in even.people), own_fen


def _request(caller: Caller, found: Request) -> RequestView:
    paid = sum(share.amount_fen for share in found.shares if share.status == "paid")
    last = found.reminded_at
    return RequestView(
        id=found.request_id,
        person=found.person_id,
        name=found.name,
        mine=found.person_id == caller.person.person_id,
        note=found.note,
        group=found.group_id or None,
        status=found.status,
        asked=amount_of(sum(share.amount_fen for share in found.shares)),
        paid=amount_of(paid),
        shares=tuple(_share(share) for share in found.shares),
        created=timestamp(found.created_at),
        expires=timestamp(found.expires_at),
        remind_after=timestamp(last + REMIND_AFTER) if last else None,
    )


def _share(found: RequestShare) -> ShareView:
    return ShareView(
        person=found.person_id,
        name=found.name,
        amount=amount_of(found.amount_fen),
        status=found.status,
        transfer=found.transfer_id or None,
        ended=timestamp_or_none(found.at),
    )


handlers = [
    list_requests,
    preview_request,
    create_request,
    show_request,
    decline_request,
    withdraw_request,
    remind_request,
]
