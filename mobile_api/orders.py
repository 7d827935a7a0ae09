"""Orders, as anybody who has the code may see them."""

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.errors import NotFound
from backend.ids import is_id
from backend.money import CURRENCY
from backend.services import Services
from mobile_api.shapes import Amount, timestamp


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for. Clients must accept further values of `status`."""

    object: str = "order"
    id: str
    payee: str
    amount: Amount
    note: str
    status: str
    created: str  # RFC 3339
    expires: str


@get("/v1/orders/{order_id:str}")
async def order(order_id: FromPath[str], services: NamedDependency[Services]) -> OrderView:
    """Refuses: not_found."""
    if not is_id(order_id, "ord"):
        raise NotFound()
    found = await services.payments.order(order_id)
    return OrderView(
        id=found.order_id,
        payee=found.payee_name,
        amount=Amount(amount=found.amount_fen, currency=CURRENCY),
        note=found.note,
        status=found.status,
        created=timestamp(found.created_at),
        expires=timestamp(found.expires_at),
    )


handlers = [order]
