"""For which shop a caller acts, and whether their role may do what the handler declares.

A handler of staff says opt={"permission": …}: a Permission, or MEMBER for what any role may.
Without it, it gets no seat.
"""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

from backend.merchant import Seat
from backend.merchant.guard import need
from backend.services import Services
from backend.shop_roles import Permission
from mobile_api.caller import Caller

OPT = "permission"
MEMBER = "member"

_SEAT = "seat"


async def provide_seat(
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> Seat:
    """The seat that was taken last. Refuses: NoShop, PermissionMissing."""
    known = request.scope["state"].get(_SEAT)
    if isinstance(known, Seat):  # a write's: it was looked for before a kept answer was
        return known
    return await find_seat(request, caller, services)


async def find_seat(request: Request[Any, Any, Any], caller: Caller, services: Services) -> Seat:
    """As `provide_seat`, which gives the same one from now on."""
    wanted = request.route_handler.opt[OPT]
    seat = await services.merchant.seat(caller.person.person_id)
    if wanted != MEMBER:
        need(seat, Permission(wanted))
    request.scope["state"][_SEAT] = seat
    return seat
