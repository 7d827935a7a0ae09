"""A shop's people: who they are and what they may do, invitations, and what they did."""

from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.ids import Id
from backend.merchant import Act, Change, Invite, Invited, Member, Seat
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission, Role
from mobile_api.approvals import approval_of
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation
from mobile_api.fields import FieldError
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked
from mobile_api.shapes import USUAL_LIMIT, Page, limited, page_of, timestamp
from mobile_api.strict import Invalid

STAFF = {"permission": Permission.STAFF}

GivenRole = Annotated[Role, msgspec.Meta(description="Any but the owner's")]


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """store: a cashier's one, "" for all."""

    object: str = "member"
    id: str
    name: str
    role: str
    store: str
    created: str


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """secret and url: for the link and its code."""

    object: str = "shop_invitation"
    id: str
    shop: str
    role: str
    store: str
    secret: str
    url: str
    expires: str


class ActView(msgspec.Struct, frozen=True, kw_only=True):
    """kind: a machine word such as "refund_started"; ref: the id that it is about."""

    object: str = "act"
    id: str
    person: str
    name: str
    kind: str
    ref: str
    created: str


class NewInvitation(Confirmation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With the answer to a ceremony of `POST /v1/approvals`, its purpose
    "invite_member:<shop>:<role>:<store>"; store: of a cashier, else "all"."""

    role: GivenRole
    store: Id | None = None


class NewRole(Confirmation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The purpose is "change_member:<shop>:<member>:<role>:<store>"."""

    role: GivenRole
    store: Id | None = None


@get("/v1/shop/staff", opt=STAFF)
async def list_staff(
    seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> Page[MemberView]:
    """Everybody, the owner too.

    Refuses: no_shop, permission_missing."""
    return page_of([_member(member) for member in await services.merchant.members(seat)])


@post("/v1/shop/staff/invitations", status_code=201, opt=STAFF | FRESH)
async def invite_staff(  # noqa: PLR0913 — what a handler needs arrives by name
    data: JSONBody[NewInvitation],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> InvitationView:
    """A link that one person joins the shop by, with a passkey; the caller's own passkey approves
    it. Asked again at once with the same key, the invitation is the same and its link a new one:
    none is kept.

    Refuses: no_shop, permission_missing, bad_request, invalid_request, not_found, too_many,
    device_unknown, member_forbidden, ceremony_invalid, passkey_refused, id_reused,
    risk_unavailable."""
    invite = Invite(
        invitation_id=once.id("inv"),
        role=_given(data.role),
        store_id=data.store or "",
        device_secret=caller.proof,
        approval=approval_of(data, caller),
    )
    return invitation_view(settings, await services.merchant.invite(seat, invite))


@put("/v1/shop/staff/{member_id:str}", opt=STAFF)
async def change_staff(
    data: JSONBody[NewRole],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> MemberView:
    """Another role, another store, approved by the caller's passkey.

    Refuses: no_shop, permission_missing, bad_request, invalid_request, not_found, device_unknown,
    member_forbidden, ceremony_invalid, passkey_refused, risk_unavailable."""
    member = checked(member_id, "usr")
    change = Change(
        member_id=member,
        role=_given(data.role),
        store_id=data.store or "",
        device_secret=caller.proof,
        approval=approval_of(data, caller),
    )
    await services.merchant.change_member(seat, change)
    found = await services.merchant.members(seat)
    return next(_member(each) for each in found if each.person_id == member)


@post("/v1/shop/staff/{member_id:str}/removal", status_code=204, opt=STAFF)
async def remove_staff(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> None:
    """They are out at once. The caller's passkey approves it, with the purpose
    "change_member:<shop>:<member>:out:all".

    Refuses: no_shop, permission_missing, bad_request, not_found, device_unknown, member_forbidden,
    ceremony_invalid, passkey_refused, risk_unavailable."""
    change = Change(
        member_id=checked(member_id, "usr"),
        role=None,
        device_secret=caller.proof,
        approval=approval_of(data, caller),
    )
    await services.merchant.change_member(seat, change)


@get("/v1/shop/activity", opt=STAFF)
async def list_activity(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[ActView]:
    """What staff did, newest first.

    Refuses: no_shop, permission_missing, invalid_request."""
    size = limited(limit)
    acts = await services.merchant.acts(seat, _before(cursor), size + 1)
    following = str(acts[size - 1].act_id) if len(acts) > size else ""
    return page_of([_act(act) for act in acts[:size]], following)


def invitation_view(settings: Settings, invited: Invited) -> InvitationView:
    return InvitationView(
        id=invited.invitation_id,
        shop=invited.shop_name,
        role=invited.role,
        store=invited.store_id,
        secret=invited.secret,
        url=f"{settings.public_origin}/j/{invited.secret}",
        expires=timestamp(invited.expires_at),
    )


def _given(role: Role) -> Role:
    """Refuses: Invalid, for the owner's."""
    if role is Role.OWNER:
        given = ", ".join(each for each in Role if each is not Role.OWNER)
        raise Invalid(FieldError(pointer="/role", code="not_a_choice", limit=given))
    return role


def _before(cursor: str) -> int:
    """Refuses: Invalid."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Invalid(FieldError(parameter="cursor", code="wrong_form"))
    return int(cursor)


def _member(member: Member) -> MemberView:
    return MemberView(
        id=member.person_id,
        name=member.name,
        role=member.role,
        store=member.store_id,
        created=timestamp(member.joined_at),
    )


def _act(act: Act) -> ActView:
    return ActView(
        id=str(act.act_id),
        person=act.person_id,
        name=act.person_name,
        kind=act.kind,
        ref=act.ref,
        created=timestamp(act.at),
    )


handlers = [list_staff, invite_staff, change_staff, remove_staff, list_activity]
