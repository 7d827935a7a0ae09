"""A shop's people: who they are and what they may do, invitations, and what they did."""

from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.identity import Person
from backend.merchant import Invite, Seat, Store
from backend.merchant.guard import need
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission, Role
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
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
    invited = await services.merchant.invite(
        seat,
        Invite(
            invitation_id=invitation_id,
            role=role,
            store_id=form["store_id"],
            device_secret=visit.device_secret,
        ),
    )
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
    await services.merchant.change_member(
        seat, member_id, role, form["store_id"], visit.device_secret
    )
    return redirect(request, STAFF)


@post("/shop/staff/{member_id:str}/removal", status_code=200)
async def remove(
    request: WebRequest,
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    member_id: FromPath[str],
) -> Response[None]:
    seat = await _seat(services, person)
    await services.merchant.change_member(seat, member_id, None, "", visit.device_secret)
    return redirect(request, STAFF)


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


async def _seat(services: Services, person: Person) -> Seat:
    """Of who may see these pages. Refuses: NoShop, PermissionMissing."""
    seat = await services.merchant.seat(person.person_id)
    need(seat, Permission.STAFF)
    return seat


async def _list(
    request: WebRequest, services: Services, seat: Seat, form: Form, status_code: int = 200
) -> Response[str]:
    stores = await services.merchant.stores(seat)
    return page(
        request,
        "staff/page.html",
        status_code=status_code,
        seat=seat,
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


handlers = [show, invite, change, remove, activity]
