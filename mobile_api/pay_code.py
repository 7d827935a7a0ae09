"""The payment code that a person shows at a till.

A code lives a minute; those issued ahead, for bad networks, a day. A till only reads them as bars:
whoever shows the digits says so first, and the payment then takes a passkey.
"""

from datetime import UTC, datetime

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from backend.clock import to_ms
from backend.payments import Order
from backend.risk import IssueCodes, PayCode, ShownCode
from backend.services import Services
from backend.wallet.paying import came_of_code, codes_ahead
from mobile_api.caller import Caller
from mobile_api.idempotent import FRESH
from mobile_api.shapes import Page, page_of, timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PayCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """code: 18 digits, a secret of this phone until it is used. Kept nowhere to be read again."""

    object: str = "payment_code"
    code: str
    created: str
    expires: str


class RevealCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: PayCode


class CameOf(msgspec.Struct, frozen=True, kw_only=True):
    """state: "nothing" yet, "asked" (order: start a payment of it and answer its ceremony), "paid"
    (bill)."""

    object: str = "payment_code_state"
    state: str
    order: str = ""
    bill: str = ""


@post("/v1/payment-codes", status_code=201, opt=FRESH)
async def issue(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> PayCodeView:
    """A code to show now. Ask for the next one before this one ends; asked again with the same
    key, it is another one.

    Refuses: device_unknown, payer_frozen, risk_unavailable, unavailable."""
    asked = IssueCodes(caller.person.person_id, caller.proof)
    [code] = await services.risk.issue_codes(asked)
    return _view(code)


@post("/v1/payment-codes/ahead", status_code=201, opt=FRESH)
async def issue_ahead(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[PayCodeView]:
    """A full set for later, without a network; earlier ones of this phone end.

    Refuses: device_unknown, payer_frozen, too_many_codes_ahead, unavailable."""
    codes = await codes_ahead(services, caller.person.person_id, caller.proof)
    return page_of([_view(code) for code in codes])


@post("/v1/payment-codes/reveal", status_code=204)
async def reveal(
    data: JSONBody[RevealCode],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> None:
    """The digits are about to be shown as text: a payment with this code now takes a passkey.

    Refuses: pay_code_invalid, device_unknown, unavailable."""
    await services.risk.reveal_code(caller.person.person_id, caller.proof, data.code)


@delete("/v1/payment-codes", status_code=204)
async def revoke(caller: NamedDependency[Caller], services: NamedDependency[Services]) -> None:
    """End all unused codes of this phone, those issued ahead too.

    Refuses: device_unknown, unavailable."""
    await services.risk.revoke_codes(caller.person.person_id, caller.proof)


@get("/v1/payment-codes/state")
async def state(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    since: FromQuery[datetime | None] = None,
) -> CameOf:
    """What a till has made of the code shown since then (RFC 3339)."""
    began = since.replace(tzinfo=since.tzinfo or UTC) if since else EPOCH
    came = await came_of_code(services, caller.person.person_id, to_ms(began))
    if came is None:
        return CameOf(state="nothing")
    if isinstance(came, Order):
        return CameOf(state="asked", order=came.order_id)
    return CameOf(state="paid", order=came.order_id, bill=came.bill_id)


def _view(code: ShownCode) -> PayCodeView:
    return PayCodeView(
        code=code.code, created=timestamp(code.issued_at), expires=timestamp(code.expires_at)
    )


handlers = [issue, issue_ahead, reveal, revoke, state]
