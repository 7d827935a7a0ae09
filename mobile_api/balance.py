"""A person's money: what can be spent, what is set aside."""

import msgspec
from litestar import get
from litestar.di import NamedDependency

from backend.services import Services
from backend.wallet.balance import balance_of
from mobile_api.caller import Caller
from mobile_api.shapes import Amount, amount_of


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """total = available + frozen, where frozen is set aside and can't be spent now. stopped: the
    account is frozen as a whole; money still comes in."""

    object: str = "balance"
    available: Amount
    frozen: Amount
    total: Amount
    stopped: bool


@get("/v1/balance")
async def balance(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> BalanceView:
    """What the caller has.

    Refuses: unavailable."""
    found = await balance_of(services, caller.person.person_id)
    return BalanceView(
        available=amount_of(found.available_fen),
        frozen=amount_of(found.held_fen),
        total=amount_of(found.posted_fen),
        stopped=found.frozen,
    )


handlers = [balance]
