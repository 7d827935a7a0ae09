"""Wallets, tills and freezes: the books follow, at once or with the next sweep."""

import pytest

from backend import ids
from backend.db import SEC, TX
from backend.errors import DomainError
from backend.ledger import NewAccount
from backend.payments import RiskUnavailable
from backend.payments import accounts as accounts_module
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
    till = f"shop:{order.payee_id}"
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


async def test_accounts_that_stay_frozen_keep_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "MAX_SWEPT", 2)
    people = sorted([await world.person() for _ in range(5)], key=lambda one: one.account_id)
    for one in people:
        await world.services.payments.freeze(one.person_id, one.device_secret)
    last = people[-1]
    await unfreeze(world, last)
    world.later(hours=12)
    new = f"person:usr_{'z' * 26}"
    world.ledger.down = True
    await world.services.payments.open_wallet(new.removeprefix("person:"))
    world.ledger.heal()
    await world.services.payments.sweep()
    assert await world.balance(new) == 0  # opened at once: it waits for no frozen account
    for _ in range(2):
        await world.services.payments.sweep()
    assert [await frozen_in_books(world, one.account_id) for one in people] == [True] * 4 + [False]


async def test_a_freeze_that_could_not_reach_the_books_is_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "MAX_SWEPT", 2)
    people = sorted([await world.person() for _ in range(4)], key=lambda one: one.account_id)
    for one in people:
        world.ledger.down = one is people[-1]
        await world.services.payments.freeze(one.person_id, one.device_secret)
    world.ledger.heal()
    await world.services.payments.sweep()
    assert await frozen_in_books(world, people[-1].account_id)


@pytest.mark.parametrize("moment", ["before the thaw", "after the thaw"])
async def test_a_freeze_during_the_thaw_stays(world: World, moment: str) -> None:
    payer = await world.person(100_00)
    await world.services.payments.freeze(payer.person_id, payer.device_secret)
    await unfreeze(world, payer)
    world.later(hours=12)
    real = world.ledger.__getattr__("set_frozen")

    async def thaw(*args: object) -> None:
        del world.ledger.set_frozen
        if moment == "after the thaw":
            await real(*args)
        await world.services.payments.freeze(payer.person_id, payer.device_secret)
        if moment == "before the thaw":
            await real(*args)

    world.ledger.set_frozen = thaw  # type: ignore[attr-defined]
    await world.services.payments.sweep()
    assert await frozen_in_books(world, payer.account_id)
    await world.services.payments.sweep()
    assert await frozen_in_books(world, payer.account_id)


async def test_a_crash_after_the_thaw_is_looked_at_again(world: World) -> None:
    payer = await world.person(100_00)
    await world.services.payments.freeze(payer.person_id, payer.device_secret)
    await unfreeze(world, payer)
    world.later(hours=12)
    world.ledger.crash_after = {"set_frozen"}
    await world.services.payments.sweep()
    world.ledger.heal()
    # Frozen again while nobody knew; the account's own freeze never reached the books.
    await world.services.risk.freeze(payer.person_id, payer.device_secret)
    assert not await frozen_in_books(world, payer.account_id)
    await world.services.payments.sweep()
    assert await frozen_in_books(world, payer.account_id)


async def test_one_bad_account_does_not_end_the_round(world: World) -> None:
    first, second = sorted([ids.new("usr"), ids.new("usr")])
    world.ledger.down = True
    for person_id in (first, second):
        await world.services.payments.open_wallet(person_id)
    world.ledger.heal()
    real = world.ledger.__getattr__("open_accounts")

    async def open_accounts(accounts: tuple[NewAccount, ...]) -> None:
        if accounts[0].account_id == f"person:{first}":
            raise RuntimeError("a row nobody expected")
        await real(accounts)

    world.ledger.open_accounts = open_accounts  # type: ignore[attr-defined]
    await world.services.payments.sweep()
    assert await world.balance(f"person:{second}") == 0


async def test_a_wallet_that_is_open_costs_the_ledger_nothing(world: World) -> None:
    payer = await world.person()
    world.ledger.calls.clear()
    await world.services.payments.open_wallet(payer.person_id)
    assert world.ledger.calls == []
