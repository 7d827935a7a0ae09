"""The kill switch: one tap on, a passkey and a wait to undo."""

from typing import Any

import structlog
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody

from backend.identity import Person
from backend.services import Services
from web.approvals import approval_of
from web.forms import Form
from web.http import WebRequest, redirect
from web.render import page
from web.session import Visit

_log = structlog.get_logger(__name__)


@get("/freeze")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    payment: FromQuery[str] = "",
) -> Response[str]:
    """payment: the one that the person says was not theirs."""
    state = await services.risk.freeze_state(person.person_id)
    strange = await services.payments.payment(person.person_id, payment) if payment else None
    return page(request, "freeze/page.html", state=state, strange=strange)


@post("/freeze", status_code=200)
async def freeze(
    request: WebRequest,
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    await services.payments.freeze(person.person_id, visit.device_secret)
    _log.info("frozen", person_id=person.person_id)
    return redirect(request, "/freeze")


@post("/freeze/undo", status_code=200)
async def undo(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[Any]:
    await services.risk.unfreeze(approval_of(Form(data), person))
    _log.info("unfreeze_asked", person_id=person.person_id)
    return redirect(request, "/freeze")


handlers = [show, freeze, undo]
