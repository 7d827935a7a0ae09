"""Whose page of the shop area it is."""

from backend.identity import Person
from backend.merchant import PermissionMissing, Seat
from backend.services import Services
from backend.shop_roles import Permission


async def seat_with(services: Services, person: Person, *any_of: Permission) -> Seat:
    """The seat taken last. Refuses: NoShop, PermissionMissing (which names the first)."""
    seat = await services.merchant.seat(person.person_id)
    if not seat.permissions.intersection(any_of):
        missing = any_of[0].value
        raise PermissionMissing(permission=missing, role=seat.role.value, holders=missing)
    return seat
