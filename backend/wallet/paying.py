"""Paying an order: under which id; by payment code: a set to take along, what came of one."""

from backend.bills import Bill
from backend.clock import to_ms
from backend.payments import Order
from backend.risk import MAX_AHEAD, IssueCodes, ShownCode
from backend.services import Services

LOOK_BACK = 3  # bills; a code is used once, so the newest are enough


def payment_id_of(order: Order, fresh: str) -> str:
    """What a till has begun by payment code keeps the id that it has; else the fresh one."""
    if order.code == "shown" and order.payment_id:
        return order.payment_id
    return fresh


async def codes_ahead(
    services: Services, person_id: str, device_secret: str
) -> tuple[ShownCode, ...]:
    """A full set that takes the place of the device's earlier one, which stays if this is refused:
    nobody has to count what is left. Refuses: as the security system's `issue_codes`."""
    asked = IssueCodes(person_id, device_secret, count=MAX_AHEAD, ahead=True, replacing=True)
    return await services.risk.issue_codes(asked)


async def came_of_code(services: Services, person_id: str, since_ms: int) -> Order | Bill | None:
    """Of the code that a person shows since then: an order that waits for a passkey, or what was
    paid already."""
    for order in await services.payments.asked(person_id):
        if to_ms(order.created_at) >= since_ms:
            return order
    for bill in (await services.bills.page(person_id, "", LOOK_BACK)).bills:
        if bill.kind != "payment" or to_ms(bill.event_at) < since_ms:
            continue
        if (await services.payments.order(bill.order_id)).code == "shown":
            return bill
    return None
