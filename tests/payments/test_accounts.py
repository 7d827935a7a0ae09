"""Wallets, tills and freezes: the books follow, at once or with the next sweep."""

import pytest

from backend import ids
from backend.db import SEC, TX
from backend.errors import BadRequest, DomainError
from backend.payments import RiskUnavailable
from backend.risk import Approval
from tests.payments.test_refusals import a_code
from tests.world import Wallet, World


async def frozen_in_books(world: World, account_id: str) -> bool:
    [balance] = await world.books.balances((account_id,))
    return balance.frozen


async def unfreeze(world: World, wallet: Wallet) -> None:
    ceremony = await world.services.risk.begin_approval(wallet.person_id, "unfreeze")
    response = wallet.passkey.sign(ceremony.options_json)
    await world.services.risk.unfreeze(Approval(wallet.person_id, ceremony.ceremony_id, response))


async def test_a_wallet_is_opened_once(world: World) -> None:
    person_id = ids.new("usr")
    for _ in range(3):
        await world.services.payments.open_wallet(person_id)
    assert await world.balance(f"person:{person_id}") == 0


async def test_the_ledger_was_away_when_a_wallet_was_opened(world: World) -> None:
    person_id = ids.new("usr")
    world.ledger.down = True
    await world.services.payments.open_wallet(person_id)
    await world.services.payments.sweep()
    assert await world.books.balances((f"person:{person_id}",)) == ()
    world.ledger.heal()
    await world.services.payments.sweep()
    assert await world.balance(f"person:{person_id}") == 0
    world.ledger.calls.clear()
    await world.services.payments.sweep()
    assert world.ledger.calls == []


async def test_company_accounts_are_there_from_the_start(world: World) -> None:
    found = await world.books.balances(("bank:clearing", "fee:income"))
    assert [balance.account_id for balance in found] == ["bank:clearing", "fee:income"]


async def test_a_freeze_reaches_the_books_and_its_end_too(world: World) -> None:
    payer, owner, order = await a_code(world)
    till = f"shop:{order.shop_id}"
    state = await world.services.payments.freeze(owner.person_id, owner.device_secret)
    assert state.frozen
    assert await frozen_in_books(world, owner.account_id)
    assert await frozen_in_books(world, till)
    assert not await frozen_in_books(world, payer.account_id)

    await world.services.payments.sweep()
    assert await frozen_in_books(world, till)
    await unfreeze(world, owner)
    world.later(hours=11, minutes=59)
    await world.services.payments.sweep()
    assert await frozen_in_books(world, till)
    world.later(minutes=1)
    await world.services.payments.sweep()
    assert not await frozen_in_books(world, till)
    assert not await frozen_in_books(world, owner.account_id)


async def test_a_freeze_while_the_ledger_is_away(world: World) -> None:
    payer = await world.person(100_00)
    world.ledger.down = True
    assert (await world.services.payments.freeze(payer.person_id, payer.device_secret)).frozen
    world.ledger.heal()
    assert not await frozen_in_books(world, payer.account_id)
    await world.services.payments.sweep()
    assert await frozen_in_books(world, payer.account_id)


async def test_a_freeze_while_risk_is_away(world: World) -> None:
    payer = await world.person(100_00)
    world.risk.down = True
    with pytest.raises(RiskUnavailable):
        await world.services.payments.freeze(payer.person_id, payer.device_secret)
    world.risk.heal()
    with pytest.raises(DomainError, match="device_unknown"):
        await world.services.payments.freeze(payer.person_id, "x" * 43)
    assert not await frozen_in_books(world, payer.account_id)


async def test_a_freeze_by_alarm_ends_when_risk_says_so(world: World) -> None:
    payer = await world.person(100_00)
    await world.services.payments.freeze(payer.person_id, payer.device_secret)
    world.risk.down = True
    await world.services.payments.sweep()
    assert await frozen_in_books(world, payer.account_id)
    world.risk.heal()
    await SEC.query("update risk.person set frozen_at = null")
    await world.services.payments.sweep()
    assert not await frozen_in_books(world, payer.account_id)
    [account] = await TX.query(
        "select * from payments.account where account_id = $1", payer.account_id
    )
    assert not account["frozen"]


async def test_pages_of_a_shop_have_limits(world: World) -> None:
    for limit in (0, 101):
        with pytest.raises(BadRequest):
            await world.services.payments.shop_payments("mch_x", limit)
    for days in (0, 367):
        with pytest.raises(BadRequest):
            await world.services.payments.shop_days("mch_x", days)
