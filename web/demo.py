"""One tap into the demo. Mounted in demo mode only, which is on the loopback only."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.demo import demo_sign_in
from backend.services import Services
from backend.settings import Settings
from web.doors import admit, device_label
from web.http import WebRequest

FIRST_PAGES = {"consumer": "/", "shop": "/shop"}


@post("/demo/{role:str}", status_code=200)
async def enter_demo(
    request: WebRequest,
    role: FromPath[str],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[Any]:
    """Refuses: NotFound (no such role, or the demo's data isn't there yet)."""
    entered = await demo_sign_in(services, settings, role, device_label(request))
    where = FIRST_PAGES.get(role, "/")
    return await admit(request, services, entered.opened, entered.device_secret, where)


handlers = [enter_demo]
