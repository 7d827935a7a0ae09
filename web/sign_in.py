"""Signing in with a discoverable passkey, and signing out."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody

from backend import onboarding
from backend.errors import DomainError
from backend.identity import OpenSession
from backend.risk import FinishSignIn
from backend.risk.refusals import CeremonyInvalid, PasskeyRefused
from backend.services import Services
from web.doors import begun, device_label, enter, leave
from web.forms import Form
from web.http import WebRequest, local_path, redirect
from web.problems import status_of
from web.render import page
from web.security.throttle import OPT
from web.session import Visit


@get("/sign-in")
async def show(
    request: WebRequest, visit: NamedDependency[Visit], next: FromQuery[str] = "/"
) -> Response[Any]:
    if visit.person is not None:
        return redirect(request, local_path(next))
    return page(request, "sign_in/page.html", next=local_path(next), refusal=None)


@post("/sign-in/ceremony", status_code=200, opt={OPT: True})
async def begin(services: NamedDependency[Services]) -> Response[bytes]:
    return begun(await services.risk.begin_sign_in())


@post("/sign-in", status_code=200, opt={OPT: True})
async def finish(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    form = Form(data)
    label = device_label(request)
    try:
        signed_in = await services.risk.finish_sign_in(
            FinishSignIn(
                form["ceremony_id"],
                form["response_json"].encode(),
                label,
                visit.device_secret,
                visit.address,
            )
        )
    except (CeremonyInvalid, PasskeyRefused) as refusal:
        return _again(request, form, refusal)
    await onboarding.complete(services, signed_in, visit.language)
    opening = OpenSession(person_id=signed_in.person_id, device_id=signed_in.device_id, label=label)
    return await enter(request, services, opening, signed_in.device_secret, form["next"])


@post("/sign-out", status_code=200)
async def sign_out(request: WebRequest, services: NamedDependency[Services]) -> Response[Any]:
    return await leave(request, services, "/welcome")


def _again(request: WebRequest, form: Form, refusal: DomainError) -> Response[str]:
    return page(
        request,
        "sign_in/page.html",
        status_code=status_of(refusal),
        next=local_path(form["next"]),
        refusal=refusal,
    )


handlers = [show, begin, finish, sign_out]
