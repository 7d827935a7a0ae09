"""A shop with a till that reads payment codes."""

from typing import Any

import msgspec

from backend import ids
from backend.merchant import Shop
from backend.payments import ChargeCode, Charged, OpenOrder, StartPayment, StartRefund
from backend.risk import FoundShop, IssueCodes
from tests.world import Wallet, World


class Till(msgspec.Struct, kw_only=True):
    world: World
    owner: Wallet
    shop: Shop

    def reading(self, code: str, amount_fen: int = 23_00, **changes: Any) -> ChargeCode:
        order = OpenOrder(
            order_id=ids.new("ord"),
            payee_id=self.shop.shop_id,
            owner_id=self.owner.person_id,
            payee_name=self.shop.name,
            amount_fen=amount_fen,
            code="shown",
            terminal_id="trm_1",
            opened_by=self.owner.person_id,
        )
        return ChargeCode(
            payment_id=ids.new("pay"),
            order=msgspec.structs.replace(order, **changes),
            pay_code=code,
            device_secret=self.owner.device_secret,
        )

    async def charge(self, payer: Wallet, amount_fen: int = 23_00) -> Charged:
        code = await shown(self.world, payer)
        return await self.world.services.payments.charge_code(self.reading(code, amount_fen))

    async def charged(self, charge: ChargeCode) -> Charged:
        payments = self.world.services.payments
        return await payments.charged(self.shop.shop_id, charge.order.order_id)

    def giving_back(self, payment_id: str, amount_fen: int, **changes: Any) -> StartRefund:
        plain = StartRefund(
            refund_id=ids.new("rfd"),
            payment_id=payment_id,
            shop_id=self.shop.shop_id,
            actor_id=self.owner.person_id,
            amount_fen=amount_fen,
            reason="少了一份",
            device_secret=self.owner.device_secret,
        )
        return msgspec.structs.replace(plain, **changes)

    async def sold(self, payer: Wallet, amount_fen: int = 23_00) -> str:
        """A paid order's payment."""
        charged = await self.charge(payer, amount_fen)
        assert charged.state == "succeeded"
        return charged.payment_id

    async def balance(self) -> int:
        return await self.world.balance(f"shop:{self.shop.shop_id}")


async def a_till(world: World, *, fees: bool = False) -> Till:
    owner = await world.person()
    shop = await world.shop(owner, fees=fees)
    await world.services.risk.found_shop(
        FoundShop(shop.shop_id, owner.person_id, owner.device_secret)
    )
    return Till(world=world, owner=owner, shop=shop)


async def shown(world: World, payer: Wallet, *, ahead: bool = False) -> str:
    """The digits on the payer's screen."""
    asked = IssueCodes(payer.person_id, payer.device_secret, 1, ahead)
    [code] = await world.services.risk.issue_codes(asked)
    return code.code


def answering(payer: Wallet, charged: Charged) -> StartPayment:
    """The payer, who was asked, says who they are."""
    return StartPayment(
        payment_id=charged.payment_id,
        order_id=charged.order.order_id,
        payer_id=payer.person_id,
        amount_fen=charged.order.amount_fen,
        device_secret=payer.device_secret,
    )
