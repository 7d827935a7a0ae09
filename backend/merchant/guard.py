"""Who may do what: the one place that looks at permissions."""

from backend.errors import NotFound
from backend.merchant import PermissionMissing, Seat
from backend.shop_roles import Permission


def need(seat: Seat, *any_of: Permission) -> None:
    """Refuses: PermissionMissing, which names the first, unless the seat has one of them."""
    if not seat.permissions.intersection(any_of):
        missing = any_of[0].value
        raise PermissionMissing(permission=missing, role=seat.role.value, holders=missing)


def need_store(seat: Seat, store_id: str) -> None:
    """Refuses: NotFound, for a store that a cashier of another one does not see."""
    if seat.store_id and seat.store_id != store_id:
        raise NotFound()


def sees_all_orders(seat: Seat) -> bool:
    return Permission.ORDERS in seat.permissions
