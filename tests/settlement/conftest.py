"""Shops that sell on chosen days, with a real ledger, a real security system and a sandbox bank."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta

import aiohttp
import msgspec
import pytest

from backend import ids
from backend.banking import BindCard, Card, ConfirmCard, StartTopUp
from backend.db import TX
from backend.merchant import Seat
from backend.posting import Posting, Transfer
from backend.risk import Approval
from backend.sales import Sale
from backend.sandbox import bank as sandbox_bank
from backend.sandbox.bank_book import Pace
from backend.sandbox.cards import number
from backend.settings import Settings
from backend.settlement import Batch, rules
from tests.ledger.signing import Authority
from tests.ports import free_port
from tests.world import Wallet, World, open_world

QUICK = Pace(hang_s=5.0, settle_s=0.4, late_s=0.4, contradict_s=0.3, early_s=0.2)
PURSE = 20_000_00


class Shop(msgspec.Struct, frozen=True):
    """A shop and all who are needed around it."""

    shop_id: str
    owner: Wallet
    seat: Seat

    @property
    def account(self) -> str:
        return f"shop:{self.shop_id}"


class Street:
    """The world, its shops, and one customer with a full purse."""

    def __init__(self, world: World, customer: Wallet) -> None:
        self.world, self.customer = world, customer
        self.authority = Authority(world.settings, world.clock)
        self.settlement = world.services.settlement

    # -- time -----------------------------------------------------------------------------------

    @property
    def today(self) -> date:
        return rules.day_of(self.world.clock.now())

    def at(self, hour: int, minute: int = 0, *, days: int = 0) -> None:
        """Move on to that time of day in Shanghai, `days` from today; never back."""
        then = datetime.combine(self.today + timedelta(days=days), time(hour, minute), rules.ZONE)
        assert then >= self.world.clock.now(), "time runs forward"
        self.world.clock.at = then.astimezone(self.world.clock.at.tzinfo)

    # -- people ---------------------------------------------------------------------------------

    async def shop(self, last4: str = "") -> Shop:
        """last4: of the card that its owner chooses at once."""
        owner = await self.world.person(trusted=False)
        opened = await self.world.shop(owner)
        shop = Shop(opened.shop_id, owner, await self.world.seat(opened))
        if last4:
            await self.choose(shop, await self.card(owner, last4))
        return shop

    async def card(self, owner: Wallet, last4: str) -> Card:
        return await bind(self.world, owner, last4)

    async def choose(self, shop: Shop, card: Card) -> None:
        risk = self.world.services.risk
        purpose = f"payout_card:{shop.shop_id}:{card.card_id}"
        begun = await risk.begin_approval(shop.owner.person_id, purpose)
        signed = shop.owner.passkey.sign(begun.options_json)
        approval = Approval(shop.owner.person_id, begun.ceremony_id, signed)
        await risk.set_payout_card(approval, shop.shop_id, card.card_id)
        await self.settlement.choose_card(shop.shop_id, shop.owner.person_id, card.card_id)

    # -- trade ----------------------------------------------------------------------------------

    async def sell(self, shop: Shop, amount_fen: int, fee_fen: int = 0, note: str = "") -> Sale:
        """As payments does it: the books, then the row."""
        now = self.world.clock.now()
        sale = Sale(
            sale_id=ids.new("ord"),
            shop_id=shop.shop_id,
            kind="order",
            order_id="",
            payment_id=ids.new("pay"),
            code="dynamic",
            status="paid",
            payer_name="安*",
            amount_fen=amount_fen,
            fee_fen=fee_fen,
            note=note,
            created_at=now,
            ended_at=now,
        )
        sale = msgspec.structs.replace(sale, order_id=sale.sale_id)
        await self._move(sale.payment_id, "pay", [
            (self.customer.account_id, shop.account, amount_fen),
            (shop.account, "fee:income", fee_fen),
        ])  # fmt: skip
        async with TX.transaction():
            await self.world.services.sales.record((sale,))
        return sale

    async def refund(self, shop: Shop, sale: Sale, amount_fen: int, fee_fen: int = 0) -> Sale:
        now = self.world.clock.now()
        refund = Sale(
            sale_id=ids.new("rfd"),
            shop_id=shop.shop_id,
            kind="refund",
            order_id=sale.order_id,
            payment_id=sale.payment_id,
            code=sale.code,
            status="succeeded",
            amount_fen=amount_fen,
            fee_fen=fee_fen,
            note="凉了",
            created_at=now,
            ended_at=now,
        )
        await self._move(refund.sale_id, "refund", [
            ("fee:income", shop.account, fee_fen),
            (shop.account, self.customer.account_id, amount_fen),
        ])  # fmt: skip
        async with TX.transaction():
            await self.world.services.sales.record((refund,))
        return refund

    async def _move(self, id_: str, reason: str, moves: list[tuple[str, str, int]]) -> None:
        transfers = tuple(Transfer(debit, credit, fen) for debit, credit, fen in moves if fen)
        await self.world.books.post(self.authority.post(Posting(id_, reason, transfers)))

    # -- settlement -----------------------------------------------------------------------------

    async def settle(self, rounds: int = 3) -> None:
        """The worker's sweeps; the bank may take a moment."""
        for _ in range(rounds):
            await self.settlement.sweep()
            self.world.clock.move(timedelta(seconds=15))
            await self.world.services.banking.sweep()
        await self.settlement.sweep()

    async def batches(self, shop: Shop) -> tuple[Batch, ...]:
        found, _ = await self.settlement.batches(shop.shop_id, "", 100)
        return found

    async def on_card(self, last4: str) -> int:
        """What the bank's statement of the card says it got by settlement."""
        url = f"{self.world.settings.bank_url}/statement.json?last4={last4}"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            lines = await answer.json()
        return sum(line["amount_fen"] for line in lines if "结算" in line["what"])

    async def custody(self) -> int:
        """What the bank says it holds for us."""
        url = f"{self.world.settings.bank_url}/custody"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return int((await answer.json())["total_fen"])


async def bind(world: World, owner: Wallet, last4: str) -> Card:
    card_id = ids.new("crd")
    await world.services.banking.bind_card(
        BindCard(
            card_id=card_id,
            person_id=owner.person_id,
            number=number("622200", last4),
            holder="张三",
        )
    )
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{world.settings.bank_url}/statement") as answer,
    ):
        code = re.search(r"验证码 (\d{4})", await answer.text())
    assert code
    return await world.services.banking.confirm_card(
        ConfirmCard(card_id=card_id, person_id=owner.person_id, code=code[1])
    )


@pytest.fixture
def places(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings, port=free_port(), bank_url=f"http://127.0.0.1:{free_port()}"
    )


@asynccontextmanager
async def open_street(places: Settings) -> AsyncIterator[Street]:
    """Needs the `databases` fixture. It is noon, so that there is an hour before and after."""
    stop = await sandbox_bank.serve(places, pace=QUICK)
    try:
        async with open_world(places) as world:
            customer = await world.person()
            card = await bind(world, customer, f"9{secrets.randbelow(1000):03d}")
            topup = await world.services.banking.top_up(
                StartTopUp(
                    topup_id=ids.new("top"),
                    person_id=customer.person_id,
                    card_id=card.card_id,
                    amount_fen=PURSE,
                )
            )
            assert topup.status == "posted"
            made = Street(world, customer)
            made.at(12, days=1)
            yield made
    finally:
        await stop()


@pytest.fixture
async def street(databases: Settings, places: Settings) -> AsyncIterator[Street]:
    async with open_street(places) as made:
        yield made
