"""The card row's token is swapped in the transaction database, by its owner, past its guards."""

import asyncio

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.banking import TRANSIT_LIFE, CardNotProven
from backend.bankleave import Order
from backend.db import SEC
from backend.errors import Unavailable
from backend.risk import (
    CardMismatch,
    IntentUsed,
    PayerFrozen,
    PayoutCardUnknown,
    PostingNotSeen,
    decisions,
    intents,
)
from tests.banking import wallets
from tests.banking.conftest import World, until
from tests.banking.shops import TAKINGS, check_books, open_shop, until_ended
from tests.banking.wallets import MONEY, open_wallet, seen, withdraw
from tests.leaves import leave_for

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
        msgspec.structs.replace(order, order_id=ids.new("pyo")),
    ):
        answer = await world.bank.pay_out(*msgspec.structs.astuple(wrong), leave)
        assert (answer.outcome, answer.word) == ("pending", None)
        assert await world.bank.find(wrong.order_id) is None
    assert await world.custody() == held
    assert (await world.bank.pay_out(*msgspec.structs.astuple(order), leave)).outcome == "paid"


async def test_what_the_books_do_not_show_is_never_paid(world: World) -> None:
    """Allowed, and kept from the ledger: neither the verdict nor a leave in its form is one."""
    shop, wallet = await open_shop(world), await open_wallet(world)
    await followed()
    start, drawn = shop.payout(100_00), wallet.start(100_00)
    world.ledger.before["post"] = Unavailable()
    await world.banking.pay_out(start)
    await withdraw(world, wallet, drawn)
    held = await world.custody()
    for order_id, owner in (
        (start.payout_id, shop.shop_id),
        (drawn.withdrawal_id, wallet.person_id),
    ):
        assert await decisions.last_allowed(order_id) is not None
        with pytest.raises(PostingNotSeen):
            await world.risk.payout_leave(order_id, await token_of(order_id))
        order = Order(order_id, await token_of(order_id), owner, 100_00)
        homemade = leave_for(world.settings, order, published=False)
        answer = await world.bank.pay_out(*msgspec.structs.astuple(order), homemade)
        assert (answer.outcome, answer.word) == ("pending", None)
    await world.risk.release(drawn.withdrawal_id)
    with pytest.raises(IntentUsed):
        await world.risk.payout_leave(drawn.withdrawal_id, await token_of(drawn.withdrawal_id))
    assert await world.custody() == held


async def test_the_bank_is_asked_once_the_books_show_it(world: World) -> None:
    shop = await open_shop(world)
    await followed()
    start, late = shop.payout(100_00), shop.payout(50_00)
    for each in (start, late):
        assert (await world.banking.pay_out(each)).status == "posted"
    assert await world.custody() == TAKINGS
    await noted(start.payout_id)
    await until_ended(world, start)
    assert await world.custody() == TAKINGS - 100_00
    world.clock.move(TRANSIT_LIFE.total_seconds())
    assert (await until_ended(world, late)).status == "returned"
    assert await world.balance(shop.account) == TAKINGS - 100_00
    await check_books(world, shop)


async def test_an_auditor_that_is_close_behind_is_waited_for(world: World) -> None:
    wallet = await open_wallet(world)
    await followed()
    start = wallet.start(100_00)
    async with asyncio.TaskGroup() as group:
        group.create_task(withdraw(world, wallet, start))

        async def asked() -> bool:
            return "payout_leave" in world.risk.calls

        await until(asked)
        await noted(start.withdrawal_id)
    assert (await wallets.until_ended(world, start, sweeping=False)).status == "paid"


async def test_a_card_that_was_never_told_of_brings_the_money_back(world: World) -> None:
    """Allowed when intents named cards by our own id: no alarm, and it ends at once."""
    shop, wallet = await open_shop(world), await open_wallet(world)
    world.risk.before["payout_leave"] = PayoutCardUnknown()
    out, drawn = shop.payout(100_00), wallet.start(100_00)
    await world.banking.pay_out(out)
    await withdraw(world, wallet, drawn)
    assert (await until_ended(world, out)).status == "returned"
    assert (await wallets.until_ended(world, drawn)).status == "returned"
    assert await world.balance(shop.account) == TAKINGS
    assert await world.balance(wallet.account) == MONEY
    assert await world.custody() == TAKINGS + MONEY
    assert await alarms() == []


async def followed() -> None:
    """From here on nothing is believed to be posted but what the auditor has noted."""
    await SEC.query("update risk.audit_state set system_id = '7'")


async def noted(order_id: str) -> None:
    """As the auditor notes a lawful posting."""
    verdict = await decisions.last_allowed(order_id)
    assert verdict is not None
    await SEC.query(
        "insert into risk.audit_posting values ($1, 1, $2)", order_id, verdict.verdict_id
    )


async def token_of(order_id: str) -> str:
    [row] = await SEC.query("select content from risk.intent where intent_id = $1", order_id)
    return intents.parse(row["content"]).payee_id


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
