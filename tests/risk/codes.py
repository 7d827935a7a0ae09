"""Tills and payers with payment codes."""

import pytest

from backend.intent import Intent
from backend.risk import (
    FoundShop,
    IssueCodes,
    PayCodeInvalid,
    RedeemCode,
)
from tests.risk.people import SHOP, Person, World, altered

TILL, OTHER_TILL = "trm_1", "trm_2"
BIG = 600_00  # takes a passkey


async def show(world: World, person: Person, *, ahead: bool = False) -> str:
    [shown] = await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 1, ahead))
    return shown.code


@pytest.fixture(autouse=True)
async def cashier(world: World) -> None:
    """Who charges in the shop."""
    by = world.cashier = await world.person()
    await world.risk.found_shop(FoundShop(SHOP, by.person_id, by.secret))


def read(by: Person, wanted: Intent, code: str, till: str = TILL) -> RedeemCode:
    return RedeemCode(
        wanted.intent_id,
        code,
        wanted.payee_id,
        till,
        wanted.amount_fen,
        by.person_id,
        by.secret,
    )


async def charge(
    world: World, person: Person, amount_fen: int = 20_00, *, ahead: bool = False
) -> Intent:
    """A code of the person, read by a till; the intent of the payment that follows."""
    wanted = altered(world.intent(person, amount_fen), code="shown")
    await world.risk.redeem_code(
        read(world.cashier, wanted, await show(world, person, ahead=ahead))
    )
    return wanted


async def refused(world: World, redeem: RedeemCode) -> None:
    with pytest.raises(PayCodeInvalid) as refusal:
        await world.risk.redeem_code(redeem)
    assert refusal.value.params == {}
