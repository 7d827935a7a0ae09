"""Devices: adding one with the word of an older one, removing one."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend.errors import DomainError, NotFound
from backend.identity import OpenSession, Person
from backend.ids import is_id
from backend.risk import BeginRegistration, Enrolled, FinishRegistration
from backend.risk.refusals import CeremonyInvalid, GrantInvalid, PasskeyRefused
from backend.services import Services
from backend.settings import Settings
from web.approvals import approval_of
from web.doors import begun, device_label, enter
from web.forms import Form
from web.http import WebRequest, redirect
from web.problems import status_of
from web.render import page
from web.security.throttle import OPT
from web.session import Visit


@post("/devices/grants", status_code=200)
async def grant(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """On the old device: a link for the new one. The grant stands behind "#": no server or log
    ever sees it."""
    given = await services.risk.grant_device(approval_of(Form(data), person))
    code = f"{person.person_id}.{given.grant}"
    return page(
        request,
        "devices/grant.html",
        code=code,
        link=f"{settings.public_origin}/devices/new#{code}",
        expires_at=given.expires_at,
    )


@get("/devices/new")
async def show(request: WebRequest) -> Response[str]:
    return page(request, "devices/new.html", form=Form(), refusal=None)


@post("/devices/ceremony", status_code=200, opt={OPT: True})
async def begin(
    data: URLEncodedBody[dict[str, str]], services: NamedDependency[Services]
) -> Response[bytes]:
    """On the new device, which nobody is signed in on."""
    person_id, grant = _read(Form(data))
    try:
        person = await services.identity.person(person_id)
    except DomainError:
        raise GrantInvalid() from None  # says nothing about who exists
    begin = BeginRegistration(person_id, person.display_name, grant=grant)
    return begun(await services.risk.begin_registration(begin))


@post("/devices/first/ceremony", status_code=200, opt={OPT: True})
async def begin_first(
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[bytes]:
    """The first passkey of a person who has none: it goes to the device that asks."""
    given = await services.risk.grant_first_passkey(person.person_id, visit.device_secret)
    begin = BeginRegistration(person.person_id, person.display_name, grant=given.grant)
    return begun(await services.risk.begin_registration(begin))


@post("/devices", status_code=200, opt={OPT: True})
async def add(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    form, label = Form(data), device_label(request)
    finish = FinishRegistration(
        form["ceremony_id"], form["response_json"].encode(), label, visit.address
    )
    try:
        enrolled: Enrolled = await services.risk.finish_registration(finish)
    except (CeremonyInvalid, GrantInvalid, PasskeyRefused) as refusal:
        return page(
            request,
            "devices/new.html",
            status_code=status_of(refusal),
            form=Form(),
            refusal=refusal,
        )
    opening = OpenSession(person_id=enrolled.person_id, device_id=enrolled.device_id, label=label)
    return await enter(request, services, opening, enrolled.device_secret, "/security")


@post("/devices/{device_id:str}/removal", status_code=200)
async def remove(
    request: WebRequest,
    device_id: FromPath[str],
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[Any]:
    """Its passkey and secret are dead at once, and so are its sessions."""
    try:
        await services.risk.remove_device(approval_of(Form(data), person), device_id)
    except NotFound:  # removed before, perhaps by a call that stopped here: its sessions end too
        await services.identity.end_device(person.person_id, device_id)
        raise
    await services.identity.end_device(person.person_id, device_id)
    return redirect(request, "/security")


def _read(form: Form) -> tuple[str, str]:
    """Person and grant from what the link or a person's typing brought. Refuses: GrantInvalid."""
    person_id, _, grant = form["grant"].strip().rpartition("#")[2].partition(".")
    if not is_id(person_id, "usr"):
        raise GrantInvalid()
    return person_id, grant


handlers = [grant, show, begin, begin_first, add, remove]
