"""Top-ups: from a bound card into the balance."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.banking import StartTopUp, TopUp
from backend.ids import Id
from backend.services import Services
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked
from mobile_api.shapes import Amount, Money, amount_of, timestamp, timestamp_or_none


class NewTopUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    card: Id
    amount: Money


class TopUpView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created", "pending" (the bank's answer isn't known yet), "paid" (by the bank),
    "posted" (in the balance), "refused"; it ends by `deadline`. reversal: "due" while a refused
    one's money goes back to the card, "returned" when it has."""

    object: str = "topup"
    id: str
    card: str
    amount: Amount
    status: str
    refusal_code: str
    reversal: str
    created: str
    deadline: str
    posted: str | None


@post("/v1/topups", status_code=201)
async def create(
    data: JSONBody[NewTopUp],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> TopUpView:
    """Take money from a card into the balance. What the bank refuses is the top-up's end.

    Refuses: not_found, card_not_bound, limit_exceeded, id_reused."""
    command = StartTopUp(
        topup_id=once.id("top"),
        person_id=caller.person.person_id,
        card_id=data.card,
        amount_fen=data.amount.amount,
    )
    return _view(await services.banking.top_up(command))


@get("/v1/topups/{topup_id:str}")
async def topup(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    topup_id: FromPath[str],
) -> TopUpView:
    """What became of a top-up.

    Refuses: not_found."""
    found = await services.banking.topup(caller.person.person_id, checked(topup_id, "top"))
    return _view(found)


def _view(topup: TopUp) -> TopUpView:
    return TopUpView(
        id=topup.topup_id,
        card=topup.card_id,
        amount=amount_of(topup.amount_fen),
        status=topup.status,
        refusal_code=topup.refusal_code,
        reversal=topup.reversal,
        created=timestamp(topup.created_at),
        deadline=timestamp(topup.deadline_at),
        posted=timestamp_or_none(topup.posted_at),
    )


handlers = [create, topup]
