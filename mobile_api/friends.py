"""Friends: the list, finding people, asking and answering, one's own link."""

from typing import Annotated, Literal

import msgspec
from litestar import delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from backend.errors import BadRequest, NotFound
from backend.friends import Asked, Friend, Message, OwnSelf, Remark
from backend.identity import Person
from backend.ids import Id
from backend.risk import Phone, Secret
from backend.services import Services
from backend.settings import Settings
from mobile_api.caller import Caller, Once
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked, sliced
from mobile_api.shapes import USUAL_LIMIT, Page, page_of, timestamp

SEARCH_LENGTH = 32
State = Annotated[Literal["asking", "friends", "blocked"] | None, QueryParameter(name="state")]


class FriendView(msgspec.Struct, frozen=True, kw_only=True):
    """state: "asking" (they ask me), "friends", "blocked" (by me). message: what they wrote when
    they asked."""

    object: str = "friend"
    id: str
    name: str
    remark: str
    state: str
    message: str
    created: str


class LookUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    phone: Phone


class LookUpView(msgspec.Struct, frozen=True, kw_only=True):
    """The same for known and unknown numbers: a token to ask with, and nothing of the person."""

    object: str = "friend_lookup"
    token: str
    expires: str


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """Told once: only its hash is kept. It lives for 7 days."""

    object: str = "friend_link"
    secret: str
    url: str


class LinkOwnerView(msgspec.Struct, frozen=True, kw_only=True):
    """friend: the owner's id where they are one already."""

    object: str = "friend_link_owner"
    name: str
    friend: str | None


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of token (of a look-up), link (a friend link's secret), code (the id of a
    personal code that was scanned), or group and person (two members of it)."""

    token: Secret | None = None
    link: Secret | None = None
    code: Id | None = None
    group: Id | None = None
    person: Id | None = None
    message: Message = ""


class AskedView(msgspec.Struct, frozen=True, kw_only=True):
    """My request that nobody has accepted yet. By phone number it shows the number masked, and no
    person."""

    object: str = "friend_request"
    id: str
    person: str | None
    name: str
    message: str
    created: str


class AskedNowView(msgspec.Struct, frozen=True, kw_only=True):
    """friend: the person's id, where it has made or found a friend; never told of a number."""

    object: str = "friend_request"
    id: str
    friend: str | None


class NewRemark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    remark: Remark


@get("/v1/friends")
async def list_friends(  # noqa: PLR0913 — what a handler needs arrives by name
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    standing: State = None,
    search: FromQuery[str] = "",
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[FriendView]:
    """Friends, who asks to be one, and who is blocked.

    Refuses: bad_request."""
    person_id, sought = caller.person.person_id, search.strip()[:SEARCH_LENGTH]
    found = [
        each
        for each in await services.friends.friends(person_id)
        if standing in (None, each.state) and each.fits(sought)
    ]
    of = f"friends {standing} {sought}\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.person_id)
    return page_of([_friend(each) for each in part], following)


@post("/v1/friend-lookups", status_code=201)
async def find_friend(
    data: JSONBody[LookUp], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> LookUpView:
    """Look for somebody by phone number; the answer doesn't tell whether there is somebody.

    Refuses: own_self, too_many_finds."""
    found = await services.friends.find(caller.person.person_id, data.phone)
    return LookUpView(token=found.token, expires=timestamp(found.expires_at))


@get("/v1/friend-links/{secret:str}")
async def show_friend_link(
    caller: NamedDependency[Caller], services: NamedDependency[Services], secret: FromPath[str]
) -> LinkOwnerView:
    """Whose friend link this is.

    Refuses: link_invalid, own_self."""
    owner_id = await services.friends.linked(secret)
    if owner_id == caller.person.person_id:
        raise OwnSelf()
    friends = await services.friends.are_friends(caller.person.person_id, owner_id)
    name = (await services.identity.person(owner_id)).display_name
    return LinkOwnerView(name=name, friend=owner_id if friends else None)


@post("/v1/friend-links", status_code=201, opt=FRESH)
async def create_friend_link(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> LinkView:
    """A link to the caller; earlier ones stay valid. Asked again, another one: none is kept."""
    secret = await services.friends.link(caller.person.person_id)
    return LinkView(secret=secret, url=f"{settings.public_origin}/f/{secret}")


@delete("/v1/friend-links", status_code=204)
async def withdraw_friend_links(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> None:
    """None of the caller's links leads to them any more."""
    await services.friends.withdraw_links(caller.person.person_id)


@get("/v1/friend-requests")
async def list_friend_requests(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[AskedView]:
    """The caller's own requests that nobody has accepted yet.

    Refuses: bad_request."""
    person_id = caller.person.person_id
    found, of = await services.friends.asked(person_id), f"friend requests\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.request_id)
    return page_of([_asked(each) for each in part], following)


@post("/v1/friend-requests", status_code=201)
async def create_friend_request(
    data: JSONBody[Ask],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> AskedNowView:
    """Ask somebody to be friends; who asked the caller is accepted by it.

    Refuses: bad_request, not_found, link_invalid, own_self, too_many_asked, too_many_friends,
    id_reused."""
    request_id = once.id("frq")
    other_id = await _ask(services, caller.person, request_id, data)
    known = other_id and await services.friends.are_friends(caller.person.person_id, other_id)
    return AskedNowView(id=request_id, friend=other_id if known else None)


@delete("/v1/friend-requests/{request_id:str}", status_code=204)
async def withdraw_friend_request(
    caller: NamedDependency[Caller], services: NamedDependency[Services], request_id: FromPath[str]
) -> None:
    """Take a request back.

    Refuses: not_found."""
    await services.friends.withdraw(caller.person.person_id, checked(request_id, "frq"))


@get("/v1/friends/{friend_id:str}")
async def show_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> FriendView:
    """One of the list.

    Refuses: not_found."""
    person_id = caller.person.person_id
    return _friend(await services.friends.friend(person_id, checked(friend_id, "usr")))


@patch("/v1/friends/{friend_id:str}", status_code=200)
async def update_friend(
    data: JSONBody[NewRemark],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> FriendView:
    """Give a friend a remark; an empty one takes it away.

    Refuses: not_found, bad_request."""
    person_id, friend = caller.person.person_id, checked(friend_id, "usr")
    return _friend(await services.friends.set_remark(person_id, friend, data.remark))


@delete("/v1/friends/{friend_id:str}", status_code=204)
async def remove_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> None:
    """Friends no more, for both; the other is not told.

    Refuses: not_found."""
    await services.friends.remove(caller.person.person_id, checked(friend_id, "usr"))


@post("/v1/friends/{friend_id:str}/accept", status_code=200)
async def accept_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> FriendView:
    """Accept who asks.

    Refuses: not_found, too_many_friends."""
    person_id = caller.person.person_id
    return _friend(await services.friends.accept(person_id, checked(friend_id, "usr")))


@post("/v1/friends/{friend_id:str}/decline", status_code=204)
async def decline_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> None:
    """Decline who asks; they are not told.

    Refuses: not_found."""
    await services.friends.decline(caller.person.person_id, checked(friend_id, "usr"))


@put("/v1/friends/{friend_id:str}/block", status_code=200)
async def block_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> FriendView:
    """Block a friend, who asks, or who shares a group.

    Refuses: not_found."""
    person_id, friend = caller.person.person_id, checked(friend_id, "usr")
    await services.friends.block(person_id, friend, True)
    return _friend(await services.friends.friend(person_id, friend))


@delete("/v1/friends/{friend_id:str}/block", status_code=204)
async def unblock_friend(
    caller: NamedDependency[Caller], services: NamedDependency[Services], friend_id: FromPath[str]
) -> None:
    """End a block.

    Refuses: not_found."""
    await services.friends.block(caller.person.person_id, checked(friend_id, "usr"), False)


async def _ask(services: Services, person: Person, request_id: str, asked: Ask) -> str:
    """Who was asked, "" where that is not told."""
    friends, ways = services.friends, (asked.token, asked.link, asked.code, asked.group)
    if sum(way is not None for way in ways) != 1 or (asked.group is None) != (asked.person is None):
        raise BadRequest()
    to = asked.token or asked.link
    if to is not None:
        await friends.ask(request_id, person.person_id, to, asked.message)
        return "" if asked.token else await friends.linked(to)
    other_id = await _met(services, person, asked)
    await friends.ask_person(request_id, person.person_id, other_id, asked.message)
    return other_id


async def _met(services: Services, person: Person, asked: Ask) -> str:
    """By a personal code or in a group. Refuses: NotFound."""
    if asked.code is not None:
        return (await services.payments.receive_code(checked(asked.code, "rcv"))).person_id
    group_id, other_id = asked.group or "", asked.person or ""
    await services.friends.group(person.person_id, group_id)
    if not await services.friends.is_member(other_id, group_id):
        raise NotFound()
    return other_id


def _friend(found: Friend) -> FriendView:
    return FriendView(
        id=found.person_id,
        name=found.name,
        remark=found.remark,
        state=found.state,
        message=found.message,
        created=timestamp(found.since),
    )


def _asked(found: Asked) -> AskedView:
    return AskedView(
        id=found.request_id,
        person=found.person_id or None,
        name=found.name,
        message=found.message,
        created=timestamp(found.since),
    )


handlers = [
    list_friends,
    find_friend,
    show_friend_link,
    create_friend_link,
    withdraw_friend_links,
    list_friend_requests,
    create_friend_request,
    withdraw_friend_request,
    show_friend,
    update_friend,
    remove_friend,
    accept_friend,
    decline_friend,
    block_friend,
    unblock_friend,
]
