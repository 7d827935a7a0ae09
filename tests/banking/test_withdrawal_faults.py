"""The process dies between any two steps of a withdrawal, an answer is lost: it is paid once."""

import asyncio

import asyncpg
import pytest

from backend.banking import CONFIRM_LIFE, WithdrawalLapsed
from backend.errors import OutcomeUnknown, Unavailable
from backend.ledger import AccountFrozen
from backend.risk import IntentUsed
from tests.banking.conftest import Crash, World
from tests.banking.wallets import (
    MONEY,
    agreement,
    check_books,
    open_wallet,
    seen,
    until_ended,
    withdraw,
)

OUT = [
    ("ledger", "before", "outcome"),
    ("ledger", "before", "post#1"),
    ("ledger", "after", "post#1"),
    ("bank", "before", "find"),
    ("bank", "before", "pay_out"),
    ("bank", "after", "pay_out"),
    ("ledger", "before", "post#2"),
    ("ledger", "after", "post#2"),
    ("events", "before", "record_all#1"),
    ("events", "after", "record_all#1"),
    ("events", "before", "record_all#2"),
    ("events", "after", "record_all#2"),
]
BACK = [
    ("risk", "before", "authorize_withdrawal_return"),
    ("risk", "after", "authorize_withdrawal_return"),
    ("ledger", "before", "post#2"),
    ("ledger", "after", "post#2"),
    ("events", "before", "record_all#2"),
    ("events", "after", "record_all#2"),
]


async def ends_within_a_minute(world: World, status: str) -> None:
    for _ in range(4):
        await world.sweep()
    connection = await asyncpg.connect(world.settings.tx_url)
    rows = await connection.fetch("select status from banking.withdrawal")
    await connection.close()
    assert [row["status"] for row in rows] == [status]


@pytest.mark.parametrize(("part", "when", "call"), OUT)
async def test_a_crash_loses_nothing(world: World, part: str, when: str, call: str) -> None:
    wallet = await open_wallet(world)
    agreed = await agreement(world, wallet, wallet.start())
    world.heal()
    world.deaf = True
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.confirm_withdrawal(agreed)
    world.heal()
    world.rebuild()
    await ends_within_a_minute(world, "paid")
    assert await world.balance(wallet.account) == MONEY - 100_00
    assert (await world.banking.confirm_withdrawal(agreed)).status == "paid"
    await check_books(world, wallet)


@pytest.mark.parametrize(("part", "when", "call"), BACK)
async def test_a_crash_on_the_way_back_loses_nothing(
    world: World, part: str, when: str, call: str
) -> None:
    wallet = await open_wallet(world, "0009")
    agreed = await agreement(world, wallet, wallet.start())
    world.heal()
    world.deaf = True
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.confirm_withdrawal(agreed)
    world.heal()
    world.rebuild()
    await ends_within_a_minute(world, "returned")
    assert await world.balance(wallet.account) == MONEY
    await check_books(world, wallet)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_the_verdict(world: World, when: str) -> None:
    """Asked again in time, the same verdict is given; else it is closed and the limit is back."""
    wallet = await open_wallet(world)
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    getattr(world.risk, when)["authorize_withdrawal"] = Crash()
    with pytest.raises(Crash):
        await world.banking.confirm_withdrawal(agreed)
    world.heal()
    assert (await seen(world, start)).status == "created"
    assert (await world.banking.confirm_withdrawal(agreed)).status == "paid"
    await check_books(world, wallet)


async def test_a_verdict_that_nobody_heard_of_is_closed(world: World) -> None:
    wallet = await open_wallet(world)
    start = wallet.start(9_00)
    agreed = await agreement(world, wallet, start)
    world.risk.after["authorize_withdrawal"] = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        await world.banking.confirm_withdrawal(agreed)
    world.heal()
    world.clock.move(61)
    with pytest.raises(IntentUsed):  # the verdict has ended
        await world.banking.confirm_withdrawal(agreed)
    world.clock.move(CONFIRM_LIFE.total_seconds())
    await world.banking.sweep()
    over = await seen(world, start)
    assert (over.status, over.refusal_code) == ("refused", WithdrawalLapsed.code)
    assert await used(world, wallet.person_id, wallet.device_secret) == 0
    assert await world.balance(wallet.account) == MONEY
    await check_books(world, wallet)


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown()])
@pytest.mark.parametrize("call", ["post", "outcome"])
async def test_a_lost_answer_pays_once(world: World, call: str, error: Exception) -> None:
    wallet = await open_wallet(world)
    world.deaf = True
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    world.ledger.after[call] = error
    assert (await world.banking.confirm_withdrawal(agreed)).status == "authorized"
    await world.sweep()
    world.heal()
    assert (await until_ended(world, start)).status == "paid"
    assert await world.balance(wallet.account) == MONEY - 100_00
    await check_books(world, wallet)


async def test_a_ledger_that_is_away_too_long_moves_nothing(world: World) -> None:
    """By then the verdict has ended; the limit is given back, again and again until it is heard."""
    wallet = await open_wallet(world)
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    world.ledger.down = True
    assert (await world.banking.confirm_withdrawal(agreed)).status == "authorized"
    world.clock.move(61)
    await world.banking.sweep()
    world.ledger.heal()
    world.risk.before["release"] = Unavailable()
    await world.sweep()
    over = await seen(world, start)
    assert (over.status, over.refusal_code) == ("refused", WithdrawalLapsed.code)
    world.heal()
    await world.sweep()
    assert await used(world, wallet.person_id, wallet.device_secret) == 0
    assert await world.balance(wallet.account) == MONEY
    await check_books(world, wallet)


async def test_a_bank_that_is_away_is_asked_again(world: World) -> None:
    wallet = await open_wallet(world)
    world.bank.down = True
    start = wallet.start()
    assert (await withdraw(world, wallet, start)).status == "posted"
    await world.sweep()
    assert await world.balance("bank:payout") == 100_00
    world.heal()
    assert (await until_ended(world, start)).status == "paid"
    await check_books(world, wallet)


async def test_the_security_system_is_away(world: World) -> None:
    wallet = await open_wallet(world)
    world.risk.down = True
    with pytest.raises(Unavailable):
        await world.banking.start_withdrawal(wallet.start())
    with pytest.raises(Unavailable):
        await world.banking.withdrawal_terms(wallet.person_id, 1, wallet.device_secret)
    assert await world.balance(wallet.account) == MONEY


async def test_a_return_waits_for_the_security_system(world: World) -> None:
    wallet = await open_wallet(world, "0009")
    start = wallet.start()
    world.risk.before["authorize_withdrawal_return"] = Unavailable()
    assert (await withdraw(world, wallet, start)).status == "posted"
    world.clock.move(3600)
    await world.sweep()
    assert (await seen(world, start)).status == "posted"
    world.heal()
    assert (await until_ended(world, start)).status == "returned"
    assert await used(world, wallet.person_id, wallet.device_secret) == 0
    await check_books(world, wallet)


async def test_a_double_click_and_the_sweeper_together(world: World) -> None:
    wallet = await open_wallet(world)
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    calls = [world.banking.confirm_withdrawal(agreed) for _ in range(5)]
    await asyncio.gather(*calls, world.sweep(), return_exceptions=True)
    assert (await until_ended(world, start)).status == "paid"
    assert await world.balance(wallet.account) == MONEY - 100_00
    await check_books(world, wallet)


async def test_a_wallet_that_is_frozen_in_the_books_keeps_its_money(world: World) -> None:
    wallet = await open_wallet(world)
    agreed = await agreement(world, wallet, wallet.start())
    await world.books.set_frozen((wallet.account,), True)
    with pytest.raises(AccountFrozen):
        await world.banking.confirm_withdrawal(agreed)
    assert await world.balance(wallet.account) == MONEY
    await check_books(world, wallet)


FORBIDDEN = [
    "update banking.withdrawal set status = 'paid', ended_at = now()",
    "update banking.withdrawal set status = 'returned', refusal_code = 'x', ended_at = now()",
    "update banking.withdrawal set status = 'created'",
    "update banking.withdrawal set amount_fen = amount_fen + 1",
    "update banking.withdrawal set fee_fen = fee_fen + 1",
    "update banking.withdrawal set card_id = 'crd_other'",
    "update banking.withdrawal set person_id = 'usr_other'",
    "update banking.withdrawal set speed = 'next_day'",
    "update banking.withdrawal set verdict = null",
    "update banking.withdrawal set verdict = ''",
    "update banking.withdrawal set disputed = 'due'",
    "update banking.withdrawal set release = 'due'",
    "update banking.withdrawal set hand_over_at = hand_over_at - interval '1 day'",
    "update banking.withdrawal set deadline_at = deadline_at - interval '1 day'",
    "update banking.withdrawal_fee set bps = 100",
    "delete from banking.withdrawal",
    "truncate banking.withdrawal",
]


async def test_the_service_role_may_not(world: World) -> None:
    wallet = await open_wallet(world, "0006")
    world.deaf = True
    assert (await withdraw(world, wallet, wallet.start())).status == "posted"
    connection = await asyncpg.connect(world.settings.tx_url)
    for sql in FORBIDDEN:
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(sql)
    await connection.close()


async def used(world: World, person_id: str, device_secret: str) -> int:
    limits = await world.risk.limits(person_id, device_secret)
    return next(int(limit.used) for limit in limits if limit.name == "withdraw_instant")
