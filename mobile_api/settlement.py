"""A shop's settlement: what is coming, every day's batch, and the card that the money goes to."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.ids import Id
from backend.merchant import Seat
from backend.services import Services
from backend.settlement import Batch, Next
from backend.shop_roles import Permission
from mobile_api.approvals import approval_of
from mobile_api.caller import Caller
from mobile_api.consent import Confirmation
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Page,
    amount_of,
    limited,
    page_of,
    timestamp_or_none,
)

MONEY = {"permission": Permission.MONEY}


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """One day of Asia/Shanghai. status: "waiting", "on_its_way", "paid", "returned"; net = amount −
    fees + returned_fees − refunded + carried. carried and net may be below 0."""

    object: str = "settlement_batch"
    id: str
    day: str
    due: str
    status: str
    refusal: str
    amount: Amount
    count: int
    fees: Amount
    returned_fees: Amount
    refunded: Amount
    refunds: int
    carried: Amount
    net: Amount
    paid: Amount
    card: str  # its last four digits
    paid_at: str | None


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """net: of what is not on its way yet. card: null where none is chosen."""

    object: str = "settlement"
    id: str  # of the shop
    net: Amount
    due: str
    card: str | None
    last4: str


class ChosenCard(Confirmation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    card: Id


@get("/v1/shop/settlement", opt=MONEY)
async def show_settlement(
    seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> Coming:
    """What is coming, and where to.

    Refuses: no_shop, permission_missing."""
    return _coming(seat, await services.settlement.next(seat.shop_id))


@get("/v1/shop/settlement/batches", opt=MONEY)
async def list_batches(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[BatchView]:
    """Every day, the newest first.

    Refuses: no_shop, permission_missing, bad_request."""
    found, following = await services.settlement.batches(seat.shop_id, cursor, limited(limit))
    return page_of([_batch(batch) for batch in found], following)


@get("/v1/shop/settlement/batches/{batch_id:str}", opt=MONEY)
async def show_batch(
    seat: NamedDependency[Seat], services: NamedDependency[Services], batch_id: FromPath[str]
) -> BatchView:
    """One day.

    Refuses: no_shop, permission_missing, not_found."""
    return _batch(await services.settlement.batch(seat.shop_id, batch_id))


@post("/v1/shop/settlement/card", status_code=200, opt={"permission": Permission.PAYOUT})
async def choose_payout_card(
    data: JSONBody[ChosenCard],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
) -> Coming:
    """The owner's standing consent, approved by the passkey ("payout_card:<shop>:<card>").

    Refuses: no_shop, permission_missing, not_found, card_not_bound, device_unknown,
    member_forbidden, payout_card_unknown, ceremony_invalid, passkey_refused,
    risk_unavailable, unavailable."""
    approval = approval_of(data, caller)
    await services.settlement.set_card(seat, data.card, approval, caller.proof)
    return _coming(seat, await services.settlement.next(seat.shop_id))


def _coming(seat: Seat, coming: Next) -> Coming:
    return Coming(
        id=seat.shop_id,
        net=amount_of(coming.net_fen),
        due=coming.due_on.isoformat(),
        card=coming.card_id or None,
        last4=coming.card_last4,
    )


def _batch(batch: Batch) -> BatchView:
    return BatchView(
        id=batch.batch_id,
        day=batch.day.isoformat(),
        due=batch.due_on.isoformat(),
        status=batch.status,
        refusal=batch.refusal_code,
        amount=amount_of(batch.amount_fen),
        count=batch.count,
        fees=amount_of(batch.fee_fen),
        returned_fees=amount_of(batch.returned_fee_fen),
        refunded=amount_of(batch.refund_fen),
        refunds=batch.refunds,
        carried=amount_of(batch.carried_fen),
        net=amount_of(batch.net_fen),
        paid=amount_of(batch.paid_fen),
        card=batch.card_last4,
        paid_at=timestamp_or_none(batch.paid_at),
    )


handlers = [
    show_settlement,
    list_batches,
    show_batch,
    choose_payout_card,
]
