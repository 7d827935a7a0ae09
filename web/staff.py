"""A shop's people: who they are and what they may do, invitations, and what they did."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.errors import DomainError
from backend.identity import Person
from backend.merchant import Change, Invite, Seat, Store
from backend.merchant.guard import need
from backend.risk.refusals import CeremonyInvalid, PasskeyRefused
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission, Role
from web.approvals import approval_of
from web.doors import begun, refused
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.problems import status_of
from web.render import page
from web.session import Visit

STAFF = "/shop/staff"
ACTS = 50  # on a page
GIVEN = tuple(role for role in Role if role is not Role.OWNER)
BAD_ROLE = msg("Choose a role.")


@get(STAFF)
async def show(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    seat = await _seat(services, person)
    return await _list(request, services, seat, Form({"invitation_id": ids.new("inv")}))


@post("/shop/staff/invitations/ceremony", status_code=200)
async def begin_inviting(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[Any]:
    """What the passkey signs: the role and the store."""
    seat, form = await _seat(services, person), Form(data)
    role = form.read("role", _given, BAD_ROLE)
    if role is None:
        return refused(request, BAD_ROLE)
    return begun(await services.merchant.begin_inviting(seat, role, form["store_id"]))


@post("/shop/staff/invitations", status_code=200)
async def invite(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str] | Response[None]:
    """The answer holds the secret, which is shown this once."""
    seat, form = await _seat(services, person), Form(data)
    invitation_id = form.id("invitation_id", "inv")
    role = form.read("role", _given, BAD_ROLE)
    if not form or role is None:
        return await _list(request, services, seat, form, 422)
    invite = Invite(
        invitation_id=invitation_id,
        role=role,
        store_id=form["store_id"],
        device_secret=visit.device_secret,
        approval=approval_of(form, person),
    )
    try:
        invited = await services.merchant.invite(seat, invite)
    except (CeremonyInvalid, PasskeyRefused) as refusal:
        return await _list(request, services, seat, form, refusal=refusal)
    stores = await services.merchant.stores(seat)
    return page(
        request,
        "staff/invited.html",
        headers={"Cache-Control": "no-store"},
        seat=seat,
        invited=invited,
        store=_named(stores, invited.store_id),
        zone=ZoneInfo(seat.zone),
        link=f"{settings.public_origin}/j/{invited.secret}",
    )


@post("/shop/staff/{member_id:str}/ceremony", status_code=200)
async def begin_changing(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> Response[Any]:
    """What the passkey signs: who, which role, which store."""
    seat, form = await _seat(services, person), Form(data)
    role = form.read("role", _given, BAD_ROLE)
    if role is None:
        return refused(request, BAD_ROLE)
    store_id = form["store_id"]
    return begun(await services.merchant.begin_changing(seat, member_id, role, store_id))


@post("/shop/staff/{member_id:str}/removal/ceremony", status_code=200)
async def begin_removing(
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> Response[bytes]:
    seat = await _seat(services, person)
    return begun(await services.merchant.begin_changing(seat, member_id, None, ""))


@post("/shop/staff/{member_id:str}", status_code=200)
async def change(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    role = form.read("role", _given, BAD_ROLE)
    if role is None:
        return await _list(request, services, seat, form, 422)
    wanted = Change(
        member_id=member_id,
        role=role,
        store_id=form["store_id"],
        device_secret=visit.device_secret,
        approval=approval_of(form, person),
    )
    return await _carry_out(request, services, seat, wanted)


@post("/shop/staff/{member_id:str}/removal", status_code=200)
async def remove(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat = await _seat(services, person)
    wanted = Change(
        member_id=member_id,
        role=None,
        device_secret=visit.device_secret,
        approval=approval_of(Form(data), person),
    )
    return await _carry_out(request, services, seat, wanted)


@get("/shop/activity")
async def activity(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    before: FromQuery[int] = 0,
) -> Response[str]:
    seat = await _seat(services, person)
    acts = await services.merchant.acts(seat, max(before, 0), ACTS + 1)
    return page(
        request,
        "staff/activity.html",
        seat=seat,
        acts=acts[:ACTS],
        names=await _names(services, seat),
        next_before=acts[ACTS - 1].act_id if len(acts) > ACTS else 0,
        before=before,
        zone=ZoneInfo(seat.zone),
        width="wide",
    )


async def _carry_out(
    request: WebRequest, services: Services, seat: Seat, wanted: Change
) -> Response[str] | Response[None]:
    try:
        await services.merchant.change_member(seat, wanted)
    except (CeremonyInvalid, PasskeyRefused) as refusal:
        form = Form({"invitation_id": ids.new("inv")})
        return await _list(request, services, seat, form, refusal=refusal)
    return redirect(request, STAFF)


async def _seat(services: Services, person: Person) -> Seat:
    """Of who may see these pages. Refuses: NoShop, PermissionMissing."""
    seat = await services.merchant.seat(person.person_id)
    need(seat, Permission.STAFF)
    return seat


async def _list(  # noqa: PLR0913 — what the page shows
    request: WebRequest,
    services: Services,
    seat: Seat,
    form: Form,
    status_code: int = 200,
    refusal: DomainError | None = None,
) -> Response[str]:
    stores = await services.merchant.stores(seat)
    return page(
        request,
        "staff/page.html",
        status_code=status_of(refusal) if refusal else status_code,
        seat=seat,
        refusal=refusal,
        members=await services.merchant.members(seat),
        stores=stores,
        store_names={store.store_id: store.name for store in stores},
        roles=GIVEN,
        form=form,
        width="wide",
    )


async def _names(services: Services, seat: Seat) -> dict[str, str]:
    """What acts refer to, by id, where it has a name."""
    stores = await services.merchant.stores(seat)
    terminals = await services.merchant.terminals(seat)
    members = await services.merchant.members(seat)
    return (
        {store.store_id: store.name for store in stores}
        | {terminal.terminal_id: terminal.name for terminal in terminals}
        | {member.person_id: member.name for member in members}
        | {seat.shop_id: seat.shop_name}
    )


def _given(text: str) -> Role | None:
    try:
        role = msgspec.convert(text, Role)
    except msgspec.ValidationError:
        return None
    return role if role in GIVEN else None


def _named(stores: tuple[Store, ...], store_id: str) -> str:
    return next((store.name for store in stores if store.store_id == store_id), "")


handlers = [
    show,
    begin_inviting,
    invite,
    begin_changing,
    change,
    begin_removing,
    remove,
    activity,
]
