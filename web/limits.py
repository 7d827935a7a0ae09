"""What may be spent, and why not more."""

from litestar import Response, get
from litestar.di import NamedDependency

from backend.identity import Person
from backend.services import Services
from web.http import WebRequest
from web.render import page
from web.session import Visit


@get("/limits")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[str]:
    limits = await services.risk.limits(person.person_id, visit.device_secret)
    return page(request, "limits/page.html", limits=limits)


handlers = [show]
