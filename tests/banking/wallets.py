"""A person with a wallet, a trusted device, a bound card and money on both sides."""

from pathlib import Path

import msgspec

from backend import ids, keys
from backend.banking import (
    ConfirmWithdrawal,
    StartTopUp,
    StartWithdrawal,
    Withdrawal,
)
from backend.db import BOOKS
from backend.ledger.audit import audit
from tests.banking.conftest import World, until
from tests.banking.shops import enrol
from tests.passkey import Passkey

MONEY = 1_000_00
ENDED = ("paid", "returned", "refused")


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    device_secret: str
    card_id: str
    passkey: Passkey

    @property
    def account(self) -> str:
        return f"person:{self.person_id}"

    def start(self, amount_fen: int = 100_00, speed: str = "instant", **of: str) -> StartWithdrawal:
        return StartWithdrawal(
            withdrawal_id=of.get("withdrawal_id") or ids.new("wdr"),
            person_id=self.person_id,
            card_id=of.get("card_id") or self.card_id,
            amount_fen=amount_fen,
            speed=speed,  # type: ignore[arg-type]
            device_secret=self.device_secret,
        )


async def open_wallet(
    world: World,
    last4: str = "0001",
    money_fen: int = MONEY,
) -> Wallet:
    """All through the real parts. The money comes from a card that always pays."""
    person_id, key = ids.new("usr"), Passkey()
    secret = await enrol(world, person_id, key)
    card = await world.card(person_id, last4)
    if money_fen:
        source = card if last4 == "0001" else await world.card(person_id, "0001")
        topup = StartTopUp(
            topup_id=ids.new("top"),
            person_id=person_id,
            card_id=source.card_id,
            amount_fen=money_fen,
        )
        assert (await world.banking.top_up(topup)).status == "posted"
    world.heal()
    return Wallet(person_id=person_id, device_secret=secret, card_id=card.card_id, passkey=key)


async def agreement(world: World, wallet: Wallet, start: StartWithdrawal) -> ConfirmWithdrawal:
    """Started, and signed with the passkey."""
    started = await world.banking.start_withdrawal(start)
    assert started.requirement is not None
    assert started.requirement.ceremony is not None
    ceremony = started.requirement.ceremony
    return ConfirmWithdrawal(
        withdrawal_id=start.withdrawal_id,
        person_id=start.person_id,
        device_secret=wallet.device_secret,
        ceremony_id=ceremony.ceremony_id,
        response_json=wallet.passkey.sign(ceremony.options_json),
    )


async def withdraw(world: World, wallet: Wallet, start: StartWithdrawal) -> Withdrawal:
    return await world.banking.confirm_withdrawal(await agreement(world, wallet, start))


async def seen(world: World, start: StartWithdrawal) -> Withdrawal:
    return await world.banking.withdrawal(start.person_id, start.withdrawal_id)


async def until_ended(world: World, start: StartWithdrawal, *, sweeping: bool = True) -> Withdrawal:
    async def ended() -> bool:
        if sweeping:
            await world.sweep()
        return (await seen(world, start)).status in ENDED

    await until(ended)
    return await seen(world, start)


async def check_books(world: World, *wallets: Wallet) -> None:
    """I8: nothing in transit, the bank has what the books say, and `yipay audit` finds nothing."""
    owned = [await world.balance(wallet.account) for wallet in wallets]
    company = [await world.balance(f"{name}") for name in ("bank:disputed", "fee:income")]
    clearing = await world.balance("bank:clearing")
    assert await world.balance("bank:transit") == 0
    assert await world.balance("bank:payout") == 0
    assert clearing + sum(owned) + sum(company) == 0
    assert await world.custody() == -clearing
    proof = await audit(BOOKS, keys.published(Path(world.settings.verdict_keys)))
    assert proof.clean, proof.faults
