"""A shop with takings, whose owner has chosen the card that settlements go to."""

import json
import secrets

import msgspec

from backend import ids
from backend.banking import Payout, StartPayout, StartTopUp
from backend.ledger import NewAccount
from backend.posting import Posting, Transfer
from backend.risk import (
    Approval,
    BeginRegistration,
    CheckCode,
    FinishRegistration,
    FoundShop,
    StartEnrolment,
)
from tests.banking.conftest import PHONES, World, until
from tests.ledger.signing import Authority
from tests.passkey import Passkey

TAKINGS = 300_00


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    shop_id: str
    owner_id: str
    device_secret: str
    card_id: str
    passkey: Passkey

    @property
    def account(self) -> str:
        return f"shop:{self.shop_id}"

    def payout(self, amount_fen: int = 100_00, payout_id: str = "") -> StartPayout:
        return StartPayout(
            payout_id=payout_id or ids.new("pyo"),
            shop_id=self.shop_id,
            owner_id=self.owner_id,
            card_id=self.card_id,
            amount_fen=amount_fen,
        )


async def open_shop(world: World, last4: str = "0001", takings_fen: int = TAKINGS) -> Shop:
    """All through the real parts; only the sale itself is written by the authority's hand."""
    shop_id, owner_id, key = ids.new("mch"), ids.new("usr"), Passkey()
    secret = await enrol(world, owner_id, key)
    await world.risk.found_shop(FoundShop(shop_id, owner_id, secret))
    card = await world.card(owner_id, last4)
    shop = Shop(
        shop_id=shop_id, owner_id=owner_id, device_secret=secret, card_id=card.card_id, passkey=key
    )
    await consent(world, shop, card.card_id)
    await world.books.open_accounts((NewAccount(shop.account),))
    if takings_fen:
        await take(world, shop, takings_fen)
    world.heal()
    return shop


async def enrol(world: World, person_id: str, key: Passkey) -> str:
    """The new device's secret."""
    enrolment_id, phone = ids.new("enr"), f"+86138{secrets.randbelow(10**8):08d}"
    await world.risk.start_enrolment(StartEnrolment(enrolment_id, phone, secrets.token_hex(8)))
    await world.risk.check_code(CheckCode(enrolment_id, PHONES.codes[phone]))
    begun = await world.risk.begin_registration(
        BeginRegistration(person_id, "老王", enrolment_id=enrolment_id)
    )
    done = await world.risk.finish_registration(
        FinishRegistration(
            begun.ceremony_id,
            key.register(begun.options_json),
            "test",
            enrolment_id=enrolment_id,
        )
    )
    return str(done.device_secret)


async def consent(world: World, shop: Shop, card_id: str) -> None:
    purpose = f"payout_card:{shop.shop_id}:{card_id}"
    begun = await world.risk.begin_approval(shop.owner_id, purpose)
    signed = shop.passkey.sign(begun.options_json)
    assert json.loads(signed)
    approval = Approval(shop.owner_id, begun.ceremony_id, signed)
    await world.risk.set_payout_card(approval, shop.shop_id, card_id)


async def take(world: World, shop: Shop, amount_fen: int) -> None:
    """A customer tops up at the bank and buys something."""
    customer = ids.new("usr")
    card = await world.card(customer)
    start = StartTopUp(
        topup_id=ids.new("top"),
        person_id=customer,
        card_id=card.card_id,
        amount_fen=amount_fen,
    )
    assert (await world.banking.top_up(start)).status == "posted"
    sale = Transfer(f"person:{customer}", shop.account, amount_fen)
    posting = Posting(ids.new("pay"), "pay", (sale,))
    await world.books.post(Authority(world.settings, world.clock).post(posting))


async def check_books(world: World, *shops: Shop) -> None:
    """I8: nothing in transit, and the bank has what the books say; people hold nothing here."""
    clearing, disputed = await world.balance("bank:clearing"), await world.balance("bank:disputed")
    owned = sum([await world.balance(shop.account) for shop in shops])
    assert await world.balance("bank:transit") == 0
    assert await world.balance("bank:payout") == 0
    assert clearing + disputed + owned == 0
    assert await world.custody() == -clearing


async def seen(world: World, start: StartPayout) -> Payout:
    return await world.banking.payout(start.shop_id, start.payout_id)


async def until_ended(world: World, start: StartPayout, *, sweeping: bool = True) -> Payout:
    async def ended() -> bool:
        if sweeping:
            await world.sweep()
        return (await seen(world, start)).status in ("paid", "returned", "refused")

    await until(ended)
    return await seen(world, start)
