"""Every way a payout can go. After each: on the card once or back in the shop, books equal bank."""

import asyncio

import aiohttp
import msgspec
import pytest

from backend import ids
from backend.banking import TRANSIT_LIFE, CardNotBound, StartPayout
from backend.errors import IdReused, NotFound
from backend.risk import BankWord, BankWordInvalid
from tests.banking.conftest import World, until
from tests.banking.shops import (
    TAKINGS,
    Shop,
    check_books,
    consent,
    open_shop,
    seen,
    take,
    until_ended,
)


def word(world: World, start: StartPayout, outcome: str = "paid") -> BankWord:
    return world.word(
        outcome,
        topup_id=start.payout_id,
        person_id=start.shop_id,
        amount_fen=start.amount_fen,
    )


async def lines(world: World, last4: str) -> list[int]:
    """Amounts of the card's statement, newest first."""
    url = f"{world.settings.bank_url}/statement.json?last4={last4}"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return [line["amount_fen"] for line in await answer.json()]


async def test_a_payout_is_on_the_card_at_once(world: World) -> None:
    shop = await open_shop(world, "1234")
    start = shop.payout(123_45)
    payout = await world.banking.pay_out(start)
    assert (payout.status, payout.last4, payout.refusal_code) == ("paid", "1234", "")
    assert payout.ended_at is not None
    assert await world.balance(shop.account) == TAKINGS - 123_45
    assert (await lines(world, "1234"))[0] == 123_45
    assert await world.custody() == TAKINGS - 123_45
    await check_books(world, shop)


async def test_the_same_payout_pays_once(world: World) -> None:
    shop = await open_shop(world)
    start = shop.payout()
    found = await asyncio.gather(*(world.banking.pay_out(start) for _ in range(5)))
    assert {payout.payout_id for payout in found} == {start.payout_id}
    await until_ended(world, start)
    assert await world.balance(shop.account) == TAKINGS - 100_00
    with pytest.raises(IdReused):
        await world.banking.pay_out(msgspec.structs.replace(start, amount_fen=1))
    with pytest.raises(NotFound):
        await world.banking.payout(ids.new("mch"), start.payout_id)
    await check_books(world, shop)


@pytest.mark.parametrize(
    ("last4", "code"), [("0009", "card_blocked"), ("0002", "card_funds"), ("0004", "card_funds")]
)
async def test_what_the_bank_refuses_comes_back(world: World, last4: str, code: str) -> None:
    shop = await open_shop(world, last4)
    start = shop.payout()
    await world.banking.pay_out(start)
    payout = await until_ended(world, start)
    assert payout.status == "returned"
    assert payout.refusal_code in {code, "payout_refused"}  # a call-back says no reason
    assert await world.balance(shop.account) == TAKINGS
    await check_books(world, shop)


@pytest.mark.parametrize("sweeping", [True, False])
async def test_a_lost_answer_is_found_out(world: World, sweeping: bool) -> None:
    """By the sweeper's question, or by the call-back alone."""
    world.deaf = sweeping
    shop = await open_shop(world, "0003")
    start = shop.payout()
    payout = await world.banking.pay_out(start)
    assert payout.status == "posted"
    assert payout.deadline_at - payout.created_at == TRANSIT_LIFE
    assert await world.balance("bank:payout") == 100_00
    assert (await until_ended(world, start, sweeping=sweeping)).status == "paid"
    await check_books(world, shop)


@pytest.mark.parametrize("last4", ["0005", "0006", "0007", "0010"])
async def test_bad_habits_of_a_bank_pay_once(world: World, last4: str) -> None:
    shop = await open_shop(world, last4)
    start = shop.payout()
    await world.banking.pay_out(start)
    assert (await until_ended(world, start)).status == "paid"
    assert await world.balance(shop.account) == TAKINGS - 100_00
    await check_books(world, shop)


async def test_a_bank_that_pays_what_it_refused_owes_it_to_us(world: World) -> None:
    shop = await open_shop(world, "0008")
    start = shop.payout()
    payout = await world.banking.pay_out(start)
    assert payout.status == "returned"

    async def paid_all_the_same() -> bool:
        await world.sweep()
        return await world.balance("bank:disputed") == -100_00

    await until(paid_all_the_same)
    assert await world.balance(shop.account) == TAKINGS
    await world.banking.bank_said(word(world, start))  # again: booked once
    await world.sweep()
    assert await world.balance("bank:disputed") == -100_00
    await check_books(world, shop)


async def test_a_bank_that_takes_its_word_back_changes_nothing(world: World) -> None:
    shop = await open_shop(world)
    start = shop.payout()
    await world.banking.pay_out(start)
    await world.banking.bank_said(word(world, start, "refused"))
    await world.sweep()
    assert (await seen(world, start)).status == "paid"
    assert await world.balance(shop.account) == TAKINGS - 100_00
    await check_books(world, shop)


async def test_what_is_not_decided_by_the_deadline_is_ended(world: World) -> None:
    world.deaf = True
    shop = await open_shop(world, "0006")
    start = shop.payout()
    await world.banking.pay_out(start)
    world.clock.move(TRANSIT_LIFE.total_seconds())
    await world.sweep()
    payout = await seen(world, start)
    assert (payout.status, payout.refusal_code) == ("returned", "payout_closed")
    await check_books(world, shop)


async def test_more_than_the_shop_has_moves_nothing(world: World) -> None:
    shop = await open_shop(world)
    payout = await world.banking.pay_out(shop.payout(TAKINGS + 1))
    assert (payout.status, payout.refusal_code) == ("refused", "insufficient_funds")
    assert "pay_out" not in world.bank.calls
    assert await world.balance(shop.account) == TAKINGS
    await check_books(world, shop)


async def test_only_the_card_with_the_owners_consent(world: World) -> None:
    shop = await open_shop(world)
    other = await world.card(shop.owner_id, "0005")
    start = msgspec.structs.replace(shop.payout(), card_id=other.card_id)
    payout = await world.banking.pay_out(start)
    assert (payout.status, payout.refusal_code) == ("refused", "payout_card_unknown")
    await consent(world, shop, other.card_id)
    assert (await world.banking.pay_out(start)).status == "refused"  # for good
    again = msgspec.structs.replace(start, payout_id=ids.new("pyo"))
    assert (await world.banking.pay_out(again)).status == "paid"
    await check_books(world, shop)


async def test_a_frozen_owner_gets_no_payout(world: World) -> None:
    shop = await open_shop(world)
    await world.risk.freeze(shop.owner_id, shop.device_secret)
    payout = await world.banking.pay_out(shop.payout())
    assert (payout.status, payout.refusal_code) == ("refused", "payer_frozen")
    await check_books(world, shop)


async def test_cards_that_are_not_the_owners_or_not_bound(world: World) -> None:
    shop, other = await open_shop(world), await open_shop(world, takings_fen=0)
    with pytest.raises(NotFound):
        await world.banking.pay_out(msgspec.structs.replace(shop.payout(), card_id=other.card_id))
    pending = await world.offered(shop.owner_id, "0005")
    with pytest.raises(CardNotBound):
        await world.banking.pay_out(msgspec.structs.replace(shop.payout(), card_id=pending.card_id))


async def test_foreign_words_are_refused(world: World) -> None:
    shop = await open_shop(world)
    start = shop.payout()
    world.bank.before["pay_out"] = RuntimeError("the line is cut")
    with pytest.raises(RuntimeError):
        await world.banking.pay_out(start)
    forged = [
        msgspec.structs.replace(word(world, start), signature=bytes(64)),
        word(world, msgspec.structs.replace(start, amount_fen=1)),
        word(world, msgspec.structs.replace(start, shop_id=ids.new("mch"))),
        word(world, msgspec.structs.replace(start, payout_id=ids.new("pyo"))),
    ]
    for bad in forged:
        with pytest.raises(BankWordInvalid):
            await world.banking.bank_said(bad)
    assert (await seen(world, start)).status == "posted"
    world.heal()
    assert (await until_ended(world, start)).status == "paid"
    await check_books(world, shop)


async def test_two_shops_do_not_hold_each_other_up(world: World) -> None:
    world.deaf = True
    shops: list[Shop] = [await open_shop(world, "0006") for _ in range(3)]
    starts = [shop.payout() for shop in shops]
    for start in starts:
        await world.banking.pay_out(start)
    world.bank.before["find#1"] = RuntimeError("a bug")
    for start in starts:
        assert (await until_ended(world, start)).status == "paid"
    await take(world, shops[0], 5_00)
    await check_books(world, *shops)
