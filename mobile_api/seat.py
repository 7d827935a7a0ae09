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


async def provide_seat(
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> Seat:
    """The seat that was taken last. Refuses: NoShop, PermissionMissing."""
    wanted = request.route_handler.opt[OPT]
    seat = await services.merchant.seat(caller.person.person_id)
    if wanted != MEMBER:
        need(seat, Permission(wanted))
    return seat
