"""The card row's token is swapped in the transaction database, by its owner, past its guards."""

import asyncpg
import msgspec
import pytest

from backend.banking import CardNotProven
from backend.bankleave import Order
from backend.db import SEC
from backend.risk import CardMismatch, PayerFrozen
from tests.banking.conftest import World
from tests.banking.shops import TAKINGS, open_shop
from tests.banking.wallets import MONEY, open_wallet, seen, withdraw

FUTURE_S = 48 * 3600


async def swap(world: World, card_id: str, thief_last4: str = "1234") -> str:
    """The victim's row names the thief's account from now on; the thief's token."""
    thief = await open_wallet(world, thief_last4, money_fen=0)
    connection = await asyncpg.connect(world.settings.tx_owner_url)
    await connection.execute("alter table banking.card disable trigger card_moves")
    await connection.execute("drop index banking.card_token_once")
    [row] = await connection.fetch(
        "update banking.card set token = (select token from banking.card where card_id = $2) "
        "where card_id = $1 returning token",
        card_id,
        thief.card_id,
    )
    await connection.close()
    return str(row["token"])


async def alarms() -> list[tuple[str, str, list[str]]]:
    rows = await SEC.query("select kind, detail, accounts from risk.alarm order by alarm_id")
    return [(row["kind"], row["detail"], row["accounts"]) for row in rows]


async def test_a_withdrawal_to_a_swapped_card_is_not_even_asked_for(world: World) -> None:
    wallet = await open_wallet(world)
    await swap(world, wallet.card_id)
    start = wallet.start()
    with pytest.raises(CardMismatch):
        await world.banking.start_withdrawal(start)
    assert await alarms() == [("card_mismatch", start.withdrawal_id, [wallet.account])]
    with pytest.raises(CardMismatch):
        await world.banking.start_withdrawal(wallet.start())
    assert len(await alarms()) == 1
    card = await world.card(wallet.person_id, "0005")
    with pytest.raises(PayerFrozen):  # nor to an honest one, until it was looked into
        await world.banking.start_withdrawal(wallet.start(card_id=card.card_id))
    assert await world.balance(wallet.account) == MONEY


async def test_one_that_is_on_its_way_never_reaches_the_thief(world: World) -> None:
    """Agreed to and out of the wallet; the row is swapped in the night before the hand-over."""
    wallet = await open_wallet(world)
    start = wallet.start(400_00, "next_day")
    done = await withdraw(world, wallet, start)
    held = await world.custody()
    await swap(world, wallet.card_id)
    world.clock.move((done.hand_over_at - world.clock.now()).total_seconds() + 1)
    await world.banking.sweep()
    assert await alarms() == [("card_mismatch", start.withdrawal_id, [wallet.account])]
    assert (await seen(world, start)).status == "posted"
    for _ in range(3):
        world.clock.move(FUTURE_S)
        await world.banking.sweep()
    assert await world.custody() == held
    assert len(await alarms()) == 1
    assert (await world.risk.freeze_state(wallet.person_id)).reason == "alarm"


async def test_a_settlement_to_a_swapped_card_moves_nothing(world: World) -> None:
    shop = await open_shop(world)
    await swap(world, shop.card_id)
    start = shop.payout()
    payout = await world.banking.pay_out(start)
    assert (payout.status, payout.refusal_code) == ("refused", "card_mismatch")
    assert await alarms() == [("card_mismatch", start.payout_id, [shop.account])]
    assert await world.balance(shop.account) == TAKINGS


async def test_whoever_asks_the_bank_past_the_security_system_gets_nothing(world: World) -> None:
    """With the leave of a good payout in hand, and the bank's address."""
    shop = await open_shop(world)
    start = shop.payout(100_00)
    world.bank.before["pay_out"] = RuntimeError("stopped here")
    with pytest.raises(RuntimeError):
        await world.banking.pay_out(start)
    world.bank.heal()
    connection = await asyncpg.connect(world.settings.tx_url)
    token = await connection.fetchval(
        "select token from banking.card where card_id = $1", shop.card_id
    )
    await connection.close()
    leave = await world.risk.payout_leave(start.payout_id, token)
    thief = await swap(world, shop.card_id)
    held = await world.custody()
    order = Order(start.payout_id, token, shop.shop_id, 100_00)
    for wrong in (
        msgspec.structs.replace(order, token=thief),
        msgspec.structs.replace(order, amount_fen=200_00),
    ):
        answer = await world.bank.pay_out(*msgspec.structs.astuple(wrong), leave)
        assert (answer.outcome, answer.word) == ("pending", None)
        assert await world.bank.find(start.payout_id) is None
    assert await world.custody() == held
    assert (await world.bank.pay_out(*msgspec.structs.astuple(order), leave)).outcome == "paid"


async def test_a_card_from_before_takes_nothing_until_it_is_bound_anew(world: World) -> None:
    wallet, shop = await open_wallet(world), await open_shop(world)
    connection = await asyncpg.connect(world.settings.tx_owner_url)
    await connection.execute("alter table banking.card drop constraint card_bound_is_proven")
    await connection.execute("update banking.card set proven = false")
    await connection.close()
    with pytest.raises(CardNotProven):
        await world.banking.start_withdrawal(wallet.start())
    with pytest.raises(CardNotProven):
        await world.banking.pay_out(shop.payout())
    assert await alarms() == []
    card = await world.card(wallet.person_id)
    started = await world.banking.start_withdrawal(wallet.start(card_id=card.card_id))
    assert started.requirement is not None
