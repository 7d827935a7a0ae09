"""Everything that protects the account, on one page."""

from litestar import Response, get
from litestar.di import NamedDependency

from backend import phones
from backend.identity import Person
from backend.services import Services
from web.http import WebRequest
from web.render import page
from web.session import Visit


@get("/security")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[str]:
    assert visit.session is not None
    devices = await services.risk.devices(person.person_id)
    return page(
        request,
        "security/page.html",
        phone=phones.masked(person.phone),
        devices=devices,
        has_passkey=any(device.passkey for device in devices),
        sessions=await services.identity.sessions(person.person_id),
        freeze=await services.risk.freeze_state(person.person_id),
        here=visit.session,
    )


handlers = [show]
