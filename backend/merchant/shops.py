"""Opening a shop, and its state."""

from contextlib import suppress
from zoneinfo import ZoneInfo

import structlog

from backend import ids
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound, OutcomeUnknown, Unavailable
from backend.merchant import HasShop, OpenShop, Seat, Shop, ShopClosed, ShopFrozen
from backend.merchant import acts as told
from backend.merchant.parts import Parts
from backend.merchant.stores import insert_store, insert_terminal
from backend.risk import FoundShop
from backend.shop_roles import Role

FIRST_TERMINAL = "01"  # no word of any language: its owner names it

_SHOP = "shop_id, owner_id, name, category, zone, verified, status, created_at"

_log = structlog.get_logger(__name__)


class Shops:
    def __init__(self, parts: Parts) -> None:
        self._payments, self._risk = parts.payments, parts.risk
        self._identity, self._clock = parts.identity, parts.clock

    async def open(self, new: OpenShop) -> Shop:
        _check_zone(new.zone)
        owner = await self._identity.person(new.owner_id)
        async with TX.transaction():
            await self._insert(new, owner.display_name)
        shop = await find(new.shop_id)
        if shop is None:
            first = await _of_owner(new.owner_id)
            await self._complete(first, new.device_secret)
            raise HasShop()
        if (shop.owner_id, shop.name, shop.category) != (new.owner_id, new.name, new.category):
            raise IdReused()
        await self._complete(shop, new.device_secret)
        return shop

    async def shop(self, shop_id: str) -> Shop:
        shop = await find(shop_id)
        if shop is None:
            raise NotFound()
        return shop

    async def all(self, after: str, limit: int) -> tuple[Shop, ...]:
        found = await TX.query_as(
            Shop,
            f"select {_SHOP} from merchant.shop where shop_id > $1 "  # noqa: S608
            "order by shop_id limit $2",
            after,
            limit,
        )
        return tuple(found)

    async def set_open(self, seat: Seat, is_open: bool) -> Shop:
        """Refuses: ShopFrozen: only who froze it may open it."""
        async with TX.transaction():
            changed = await TX.query(
                "update merchant.shop set status = $2"
                " where shop_id = $1 and status <> $2 and status <> 'frozen' returning shop_id",
                seat.shop_id,
                "open" if is_open else "closed",
            )
            if changed:
                kind = "shop_opened" if is_open else "shop_closed"
                await told.tell(seat.shop_id, seat.person_id, kind, seat.shop_id, self._clock.now())
        shop = await self.shop(seat.shop_id)
        if shop.status == "frozen":
            raise ShopFrozen()
        return shop

    async def found(self, seat: Seat, device_secret: str) -> None:
        """Tell the security system of a shop that it does not know yet: opened before it kept
        shops, or the call was lost. Only the owner's device can; others go on without."""
        if seat.person_id == seat.owner_id:
            await self._found(seat.shop_id, seat.owner_id, device_secret)

    async def check_takes_money(self, shop: Shop) -> None:
        """Refuses: ShopFrozen, ShopClosed."""
        if shop.status == "frozen" or await self._owner_frozen(shop.owner_id):
            raise ShopFrozen()
        if shop.status == "closed":
            raise ShopClosed()
        # Nothing to do but where opening the shop stopped half-way.
        await self._payments.open_till(shop.shop_id, shop.owner_id)

    async def _insert(self, new: OpenShop, owner_name: str) -> None:
        now = self._clock.now()
        made = await TX.query(
            "insert into merchant.shop (shop_id, owner_id, name, category, zone, created_at)"
            " values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning shop_id",
            new.shop_id,
            new.owner_id,
            new.name,
            new.category,
            new.zone,
            now,
        )
        if not made:
            return
        store_id = ids.new("sto")
        await insert_store(store_id, new.shop_id, new.name, "", now)
        await insert_terminal(ids.new("trm"), store_id, new.shop_id, FIRST_TERMINAL, now)
        await TX.query(
            "insert into merchant.member (shop_id, person_id, name, role, joined_at, seated_at)"
            " values ($1, $2, $3, $4, $5, $5)",
            new.shop_id,
            new.owner_id,
            owner_name,
            Role.OWNER.value,
            now,
        )
        await told.tell(new.shop_id, new.owner_id, "shop_founded", new.shop_id, now)

    async def _complete(self, shop: Shop, device_secret: str) -> None:
        await self._payments.open_till(shop.shop_id, shop.owner_id)
        if device_secret:
            await self._found(shop.shop_id, shop.owner_id, device_secret)

    async def _found(self, shop_id: str, owner_id: str, device_secret: str) -> None:
        rows = await TX.query("select founded from merchant.shop where shop_id = $1", shop_id)
        if not rows or rows[0]["founded"]:
            return
        try:
            await self._risk.found_shop(FoundShop(shop_id, owner_id, device_secret))
        except (Unavailable, OutcomeUnknown):  # the owner's next deed that needs it tells it again
            _log.warning("shop_not_founded", shop_id=shop_id)
            return
        await TX.query("update merchant.shop set founded = true where shop_id = $1", shop_id)

    async def _owner_frozen(self, owner_id: str) -> bool:
        """While risk does not answer, a code may be shown: nobody can pay it anyway."""
        with suppress(Unavailable, OutcomeUnknown):
            return (await self._risk.freeze_state(owner_id)).frozen
        return False


async def find(shop_id: str) -> Shop | None:
    return await TX.one(
        Shop,
        f"select {_SHOP} from merchant.shop where shop_id = $1",  # noqa: S608
        shop_id,
    )


async def _of_owner(owner_id: str) -> Shop:
    """Refuses: IdReused, where neither the id nor the owner was free for another reason."""
    shop = await TX.one(
        Shop,
        f"select {_SHOP} from merchant.shop where owner_id = $1",  # noqa: S608
        owner_id,
    )
    if shop is None:
        raise IdReused()
    return shop


def _check_zone(zone: str) -> None:
    """Refuses: BadRequest (no such zone)."""
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise BadRequest() from None
