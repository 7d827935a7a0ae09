"""Cards, top-ups and withdrawals from before the bank proved its cards to the security system."""

import asyncpg
import pytest

from backend import ids
from backend.banking import CardNotProven, StartTopUp
from tests.banking.conftest import World
from tests.banking.wallets import MONEY, Wallet, check_books, open_wallet, withdraw
from tests.earlier import back, forwards

PROVEN = "2026-11-23T06:00:00:000050"


async def forget_proofs(world: World) -> None:
    """The security system knew no cards then."""
    owner = await asyncpg.connect(world.settings.sec_owner_url)
    await owner.execute("delete from risk.bank_card")
    await owner.close()


async def topped_up(world: World, wallet: Wallet) -> str:
    topup = StartTopUp(
        topup_id=ids.new("top"),
        person_id=wallet.person_id,
        card_id=wallet.card_id,
        amount_fen=MONEY,
    )
    return (await world.banking.top_up(topup)).status


async def test_over_cards_in_use(world: World) -> None:
    wallet = await open_wallet(world)
    paid = wallet.start(200_00)
    assert (await withdraw(world, wallet, paid)).status == "paid"
    cards = await world.banking.cards(wallet.person_id)

    await back(world.settings, "banking", PROVEN, {})
    await forget_proofs(world)
    await forwards(world.settings)

    assert await world.banking.cards(wallet.person_id) == cards
    seen = await world.banking.withdrawal(wallet.person_id, paid.withdrawal_id)
    assert seen.status == "paid"
    assert await topped_up(world, wallet) == "posted"  # as ever
    with pytest.raises(CardNotProven):
        await world.banking.start_withdrawal(wallet.start(100_00))
    await check_books(world, wallet)
