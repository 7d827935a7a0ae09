"""Refunds of what was paid to a shop: those that came, and asking the shop for one."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.errors import BadRequest, NotFound
from backend.merchant import AskRefund, RefundRequest
from backend.payments import Refund
from backend.services import Services
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked
from mobile_api.shapes import (
    Amount,
    Page,
    amount_of,
    page_of,
    plain,
    timestamp,
    timestamp_or_none,
)

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """status: as of a payment; "posted" has come back."""

    object: str = "refund"
    id: str
    payment: str
    amount: Amount
    reason: str
    status: str
    created: str
    posted: str | None


class RefundWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class RefundRequestView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "granted" (a refund came), "declined" (answer says why)."""

    object: str = "refund_request"
    id: str
    payment: str
    amount: Amount
    reason: str
    status: str
    answer: str
    created: str


@get("/v1/bills/{bill_id:str}/refunds")
async def refunds(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Page[RefundView]:
    """What went back of a payment, oldest first.

    Refuses: not_found."""
    bill = await services.bills.bill(caller.person.person_id, checked(bill_id, "pay"))
    found = await services.payments.refunds(caller.person.person_id, bill.bill_id)
    return page_of([refund_view(refund) for refund in found if refund.status != "refused"])


@post("/v1/bills/{bill_id:str}/refund-requests", status_code=201)
async def ask(
    data: JSONBody[RefundWish],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> RefundRequestView:
    """Ask the shop for the money back; the shop decides.

    Refuses: not_found, bad_request, refund_asked, id_reused."""
    wish = AskRefund(
        request_id=once.id("rrq"),
        payment_id=checked(bill_id, "pay"),
        payer_id=caller.person.person_id,
        reason=_said(data.reason),
    )
    return request_view(await services.merchant.ask_refund(wish))


@get("/v1/bills/{bill_id:str}/refund-requests/latest")
async def latest(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> RefundRequestView:
    """The newest request for a payment of the caller's.

    Refuses: not_found."""
    person_id = caller.person.person_id
    found = await services.merchant.refund_request(person_id, checked(bill_id, "pay"))
    if found is None:
        raise NotFound()
    return request_view(found)


def refund_view(refund: Refund) -> RefundView:
    return RefundView(
        id=refund.refund_id,
        payment=refund.payment_id,
        amount=amount_of(refund.amount_fen),
        reason=refund.reason,
        status=refund.status,
        created=timestamp(refund.created_at),
        posted=timestamp_or_none(refund.posted_at),
    )


def request_view(request: RefundRequest) -> RefundRequestView:
    return RefundRequestView(
        id=request.request_id,
        payment=request.payment_id,
        amount=amount_of(request.amount_fen),
        reason=request.reason,
        status=request.status,
        answer=request.answer,
        created=timestamp(request.created_at),
    )


def _said(reason: str) -> str:
    """Refuses: BadRequest (blank)."""
    said = plain(reason)
    if not said:
        raise BadRequest()
    return said


handlers = [refunds, ask, latest]
