"""Devices: adding one with the word of an older one, removing one."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import onboarding
from backend.identity import OpenSession, Person
from backend.risk import Enrolled, FinishRegistration
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
    code = onboarding.grant_code(person.person_id, given)
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
    return begun(await onboarding.begin_by_grant(services, Form(data)["grant"]))


@post("/devices/first/ceremony", status_code=200, opt={OPT: True})
async def begin_first(
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[bytes]:
    """The first passkey of a person who has none: it goes to the device that asks."""
    secret = visit.device_secret
    return begun(await onboarding.begin_first_passkey(services, person.person_id, secret))


@post("/devices", status_code=200, opt={OPT: True})
async def add(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    form, label = Form(data), device_label(request)
    finish = FinishRegistration(
        form["ceremony_id"],
        form["response_json"].encode(),
        label,
        visit.address,
        device_secret=visit.device_secret,
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
    await onboarding.remove_device(services, approval_of(Form(data), person), device_id)
    return redirect(request, "/security")


handlers = [grant, show, begin, begin_first, add, remove]
