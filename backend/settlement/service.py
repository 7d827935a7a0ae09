"""Settlement, put together."""

from datetime import UTC, date, datetime, timedelta

import msgspec

from backend import cursor as cursors
from backend.apart import every
from backend.banking import Banking, Card, CardNotBound
from backend.clock import Clock
from backend.errors import BadRequest, NotFound
from backend.ledger import Ledger
from backend.merchant import Merchant, Seat, Shop
from backend.merchant.guard import need
from backend.risk import Approval, FoundShop, Risk
from backend.sales import Sales
from backend.settlement import (
    MAX_PAGE,
    Batch,
    BillFile,
    Download,
    FileNotReady,
    Next,
    rows,
    rules,
)
from backend.settlement.batches import Batches
from backend.settlement.downloads import Downloads
from backend.settlement.files import Files
from backend.shop_roles import Permission

PAGE = 100
MAX_PAST = timedelta(days=399)  # how far before its opening a shop's first sale is looked for
MAX_FILES_BACK = timedelta(days=31)  # days before we first saw a shop whose files are made


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    sales: Sales
    ledger: Ledger
    banking: Banking
    merchant: Merchant
    risk: Risk
    clock: Clock
    keep_years: int


class SettlementService:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock
        self._batches = Batches(parts.sales, parts.ledger, parts.banking, parts.clock)
        self._files = Files(parts.sales, parts.ledger, parts.clock, parts.keep_years)
        self._downloads = Downloads(self._files, parts.clock)
        self._listed: date | None = None  # the day on which we went through all shops
        self._newest = ""  # the last of them

    async def batches(self, shop_id: str, cursor: str, limit: int) -> tuple[tuple[Batch, ...], str]:
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest()
        list_ = f"batches\n{shop_id}"
        before = rules.day_of(cursors.decode(list_, cursor)[0]) if cursor else date.max
        found = await rows.page(shop_id, before, limit + 1)
        shown = tuple(found[:limit])
        if len(found) <= limit:
            return shown, ""
        last = shown[-1]
        return shown, cursors.encode(list_, rules.start_of(last.day), last.batch_id)

    async def batch(self, shop_id: str, batch_id: str) -> Batch:
        found = await rows.find(shop_id, batch_id)
        if found is None:
            raise NotFound()
        return found

    async def next(self, shop_id: str) -> Next:
        now, state = self._clock.now(), await rows.state(shop_id)
        today = rules.day_of(now)
        since = state.closed_to + timedelta(days=1) if state else today
        sums = await self._parts.sales.between(shop_id, rules.start_of(since), rules.end_of(today))
        unpaid_fen = await rows.unpaid_fen(shop_id)
        return Next(
            net_fen=rules.net_of(sums) + unpaid_fen,
            due_on=rules.due_on(today),
            card_id=state.card_id if state else "",
            card_last4=state.card_last4 if state else "",
        )

    async def set_card(
        self, seat: Seat, card_id: str, approval: Approval, device_secret: str
    ) -> None:
        need(seat, Permission.PAYOUT)
        risk = self._parts.risk
        # A shop from before the security system kept shops is told to it; again, it is the same.
        await risk.found_shop(FoundShop(seat.shop_id, seat.owner_id, device_secret))
        await self._bound(seat.owner_id, card_id)  # before the passkey's word is spent on it
        await risk.set_payout_card(approval, seat.shop_id, card_id)
        await self.choose_card(seat.shop_id, seat.owner_id, card_id)
        await self._parts.merchant.record(seat, "payout_card_set", card_id)

    async def choose_card(self, shop_id: str, owner_id: str, card_id: str) -> None:
        shop = await self._parts.merchant.shop(shop_id)
        if shop.owner_id != owner_id:
            raise NotFound()
        card = await self._bound(owner_id, card_id)
        await self._register(shop)
        await rows.set_card(shop_id, card_id, card.last4)

    async def files(self, shop_id: str, day: date) -> tuple[BillFile, ...]:
        found = await self._files.of_day(shop_id, day)
        if not found:
            raise FileNotReady(day=day.isoformat())
        return found

    async def download(self, shop_id: str, day: date, kind: str, format_: str) -> Download:
        return await self._downloads.open(shop_id, day, kind, format_)

    async def content(self, shop_id: str, token: str) -> tuple[BillFile, bytes]:
        return await self._downloads.content(shop_id, token)

    async def sweep(self) -> int:
        return await every(
            "settlement", self._list, self._batches.sweep, self._files.sweep, self._downloads.sweep
        )

    async def _bound(self, owner_id: str, card_id: str) -> Card:
        """Refuses: NotFound, CardNotBound."""
        cards = await self._parts.banking.cards(owner_id)
        card = next((c for c in cards if c.card_id == card_id), None)
        if card is None:
            raise NotFound()
        if card.status != "bound":
            raise CardNotBound()
        return card

    async def _list(self) -> int:
        """Take note of shops we don't know: new ones at once, and once a day whoever was missed."""
        today, new = rules.day_of(self._clock.now()), 0
        after = self._newest if self._listed == today else ""
        while shops := await self._parts.merchant.all_shops(after, PAGE):
            after = shops[-1].shop_id
            known = await rows.known([shop.shop_id for shop in shops])
            for shop in shops:
                if shop.shop_id not in known:
                    await self._register(shop)
                    new += 1
        self._listed, self._newest = today, after
        return new

    async def _register(self, shop: Shop) -> None:
        """Its days begin with its first sale, which may be noted as of before its opening."""
        now = self._clock.now()
        first = rules.day_of(shop.created_at)
        hours = await self._parts.sales.hours(
            shop.shop_id, rules.start_of(rules.day_of(now - MAX_PAST)), _next_midnight(now)
        )
        if hours:
            first = min(first, rules.day_of(hours[0].at))
        before = first - timedelta(days=1)
        filed_to = max(before, rules.day_of(now - MAX_FILES_BACK))
        await rows.register(shop.shop_id, shop.owner_id, before, filed_to)


def _next_midnight(now: datetime) -> datetime:
    return rules.end_of(rules.day_of(now)).astimezone(UTC)
