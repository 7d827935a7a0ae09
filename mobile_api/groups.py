"""Groups: made, joined by link, added to, left."""

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.errors import BadRequest
from backend.friends import Group, GroupMember, GroupName
from backend.ids import Id
from backend.plain import is_plain
from backend.services import Services
from backend.settings import Settings
from mobile_api.caller import Caller, Once
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked, sliced
from mobile_api.shapes import USUAL_LIMIT, Page, page_of, timestamp


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """members: how many."""

    object: str = "group"
    id: str
    name: str
    owner: str
    members: int
    created: str


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """name: the caller's remark where there is one."""

    object: str = "group_member"
    id: str
    name: str
    created: str


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: GroupName


class NewMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    friend: Id


class GroupLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """Told once: only its hash is kept. It lives for 7 days."""

    object: str = "group_link"
    secret: str
    url: str


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """What a link leads to. member: whether the caller is in it already."""

    object: str = "group_invitation"
    group: GroupView
    member: bool


@get("/v1/groups")
async def list_groups(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[GroupView]:
    """The caller's groups, last joined first.

    Refuses: bad_request."""
    person_id = caller.person.person_id
    found, of = await services.friends.groups(person_id), f"groups\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.group_id)
    return page_of([_group(each) for each in part], following)


@post("/v1/groups", status_code=201)
async def create_group(
    data: JSONBody[NewGroup],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> GroupView:
    """A new group with the caller in it.

    Refuses: bad_request, too_many_groups, id_reused."""
    if not is_plain(data.name):
        raise BadRequest()
    person_id = caller.person.person_id
    return _group(await services.friends.new_group(once.id("grp"), person_id, data.name))


@get("/v1/groups/{group_id:str}")
async def show_group(
    caller: NamedDependency[Caller], services: NamedDependency[Services], group_id: FromPath[str]
) -> GroupView:
    """A group that the caller is in.

    Refuses: not_found."""
    person_id = caller.person.person_id
    return _group(await services.friends.group(person_id, checked(group_id, "grp")))


@get("/v1/groups/{group_id:str}/members")
async def list_group_members(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    group_id: FromPath[str],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[MemberView]:
    """Who is in it, in the order of joining.

    Refuses: not_found, bad_request."""
    person_id, group = caller.person.person_id, checked(group_id, "grp")
    found, of = await services.friends.members(person_id, group), f"members {group}\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.person_id)
    return page_of([_member(each) for each in part], following)


@post("/v1/groups/{group_id:str}/members", status_code=200)
async def add_group_member(
    data: JSONBody[NewMember],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> GroupView:
    """Add a friend.

    Refuses: not_found, group_full, too_many_groups."""
    person_id, group = caller.person.person_id, checked(group_id, "grp")
    await services.friends.add_to_group(person_id, group, data.friend)
    return _group(await services.friends.group(person_id, group))


@delete("/v1/groups/{group_id:str}/membership", status_code=204)
async def leave_group(
    caller: NamedDependency[Caller], services: NamedDependency[Services], group_id: FromPath[str]
) -> None:
    """Leave; the last one ends it, an owner hands it to the oldest member.

    Refuses: not_found."""
    await services.friends.leave_group(caller.person.person_id, checked(group_id, "grp"))


@post("/v1/groups/{group_id:str}/links", status_code=201, opt=FRESH)
async def create_group_link(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    group_id: FromPath[str],
) -> GroupLinkView:
    """A link that leads into the group; earlier ones stay valid. Asked again, another one: none is
    kept.

    Refuses: not_found."""
    person_id = caller.person.person_id
    secret = await services.friends.invite_link(person_id, checked(group_id, "grp"))
    return GroupLinkView(secret=secret, url=f"{settings.public_origin}/g/{secret}")


@delete("/v1/groups/{group_id:str}/links", status_code=204)
async def withdraw_group_links(
    caller: NamedDependency[Caller], services: NamedDependency[Services], group_id: FromPath[str]
) -> None:
    """No link leads into the group any more; its owner decides that.

    Refuses: not_found."""
    await services.friends.withdraw_invites(caller.person.person_id, checked(group_id, "grp"))


@get("/v1/group-links/{secret:str}")
async def show_group_link(
    caller: NamedDependency[Caller], services: NamedDependency[Services], secret: FromPath[str]
) -> InvitationView:
    """What a link leads to.

    Refuses: link_invalid."""
    found = await services.friends.invited(secret)
    member = await services.friends.is_member(caller.person.person_id, found.group_id)
    return InvitationView(group=_group(found), member=member)


@post("/v1/group-links/{secret:str}/join", status_code=200)
async def join_group(
    caller: NamedDependency[Caller], services: NamedDependency[Services], secret: FromPath[str]
) -> GroupView:
    """Join by a link.

    Refuses: link_invalid, group_full, too_many_groups."""
    return _group(await services.friends.join_group(caller.person.person_id, secret))


def _group(found: Group) -> GroupView:
    return GroupView(
        id=found.group_id,
        name=found.name,
        owner=found.owner_id,
        members=found.members,
        created=timestamp(found.created_at),
    )


def _member(found: GroupMember) -> MemberView:
    return MemberView(id=found.person_id, name=found.name, created=timestamp(found.joined_at))


handlers = [
    list_groups,
    create_group,
    show_group,
    list_group_members,
    add_group_member,
    leave_group,
    create_group_link,
    withdraw_group_links,
    show_group_link,
    join_group,
]
