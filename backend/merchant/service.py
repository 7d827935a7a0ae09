"""Shops on PostgreSQL."""

from contextlib import suppress

from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused, NotFound, OutcomeUnknown, Unavailable
from backend.ledger import Ledger
from backend.merchant import Charge, Dashboard, HasShop, OpenShop, Shop, ShopFrozen
from backend.payments import LedgerUnavailable, OpenOrder, Order, Payments
from backend.risk import Risk

LAST_PAYMENTS = 10
DAYS = 7

_SHOP = "shop_id, owner_id, name, category, status, created_at"


class MerchantService:
    def __init__(self, payments: Payments, ledger: Ledger, risk: Risk, clock: Clock) -> None:
        self._payments, self._ledger, self._risk, self._clock = payments, ledger, risk, clock

    async def open_shop(self, new: OpenShop) -> Shop:
        await TX.query(
            "insert into merchant.shop (shop_id, owner_id, name, category, created_at)"
            " values ($1, $2, $3, $4, $5) on conflict do nothing",
            new.shop_id,
            new.owner_id,
            new.name,
            new.category,
            self._clock.now(),
        )
        shop = await TX.one(
            Shop,
            f"select {_SHOP} from merchant.shop where shop_id = $1",  # noqa: S608
            new.shop_id,
        )
        if shop is None:
            first = await self._shop(new.owner_id)
            await self._payments.open_till(first.shop_id, first.owner_id)
            raise HasShop()
        if (shop.owner_id, shop.name, shop.category) != (new.owner_id, new.name, new.category):
            raise IdReused()
        await self._payments.open_till(shop.shop_id, shop.owner_id)
        return shop

    async def shop_of(self, owner_id: str) -> Shop | None:
        return await TX.one(
            Shop,
            f"select {_SHOP} from merchant.shop where owner_id = $1",  # noqa: S608
            owner_id,
        )

    async def charge(self, charge: Charge) -> Order:
        shop = await self._shop(charge.owner_id)
        if shop.shop_id != charge.shop_id:
            raise NotFound()
        if shop.status == "frozen" or await self._owner_frozen(shop.owner_id):
            raise ShopFrozen()
        # Nothing to do but where opening the shop stopped half-way.
        await self._payments.open_till(shop.shop_id, shop.owner_id)
        return await self._payments.open_order(
            OpenOrder(
                order_id=charge.order_id,
                payee_id=shop.shop_id,
                owner_id=shop.owner_id,
                payee_name=shop.name,
                amount_fen=charge.amount_fen,
                note=charge.note,
            )
        )

    async def order(self, owner_id: str, order_id: str) -> Order:
        shop = await self._shop(owner_id)
        order = await self._payments.order(order_id)
        if order.payee_id != shop.shop_id:
            raise NotFound()
        return order

    async def cancel(self, owner_id: str, order_id: str) -> Order:
        shop = await self._shop(owner_id)
        return await self._payments.cancel_order(shop.shop_id, order_id)

    async def dashboard(self, owner_id: str) -> Dashboard:
        shop = await self._shop(owner_id)
        days = await self._payments.shop_days(shop.shop_id, DAYS)
        return Dashboard(
            shop=shop,
            today_fen=days[-1].amount_fen,
            today_count=days[-1].count,
            yesterday_fen=days[-2].amount_fen,
            balance_fen=await self._balance(shop.shop_id),
            days=tuple(day.amount_fen for day in days),
            last=await self._payments.shop_payments(shop.shop_id, LAST_PAYMENTS),
        )

    async def _shop(self, owner_id: str) -> Shop:
        shop = await self.shop_of(owner_id)
        if shop is None:
            raise NotFound()
        return shop

    async def _owner_frozen(self, owner_id: str) -> bool:
        """While risk does not answer, a code may be shown: nobody can pay it anyway."""
        with suppress(Unavailable, OutcomeUnknown):
            return (await self._risk.freeze_state(owner_id)).frozen
        return False

    async def _balance(self, shop_id: str) -> int:
        """Refuses: LedgerUnavailable."""
        try:
            found = await self._ledger.balances((f"shop:{shop_id}",))
        except (Unavailable, OutcomeUnknown):
            raise LedgerUnavailable() from None
        return found[0].posted_fen if found else 0
