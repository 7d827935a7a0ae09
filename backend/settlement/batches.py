"""A shop's days, closed one after the other; and each batch's way to the card.

waiting ──card, net above 0──▶ on_its_way ──the bank paid──▶ paid
   └──▶ carried into the next       └──it did not──▶ returned ──▶ carried into the next
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import structlog

from backend import ids
from backend.apart import apart
from backend.banking import Banking, CardNotBound, Payout, StartPayout
from backend.clock import Clock
from backend.db import TX
from backend.errors import NotFound
from backend.ledger import Ledger
from backend.sales import Sales
from backend.settlement import rows, rules
from backend.settlement.rows import Payable, Sent

PAGE = 100
MAX_DAYS_AT_ONCE = 31  # of a shop in a round: one with a long past must not keep others waiting

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Batches:
    def __init__(self, sales: Sales, ledger: Ledger, banking: Banking, clock: Clock) -> None:
        self._sales, self._ledger = sales, ledger
        self._banking, self._clock = banking, clock

    async def sweep(self) -> int:
        return await self._close_all() + await self._follow_all() + await self._pay_all()

    # -- closing days ---------------------------------------------------------------------------

    async def _close_all(self) -> int:
        until, after, touched = rules.last_closed(self._clock.now()), "", 0
        while shops := await rows.open_shops(until, after, PAGE):
            after = shops[-1]
            touched += await each(shops, lambda shop_id: self._close(shop_id, until))
        return touched

    async def _close(self, shop_id: str, until: date) -> int:
        """Days closed."""
        for closed in range(MAX_DAYS_AT_ONCE):
            if not await self._close_next(shop_id, until):
                return closed
        return MAX_DAYS_AT_ONCE

    async def _close_next(self, shop_id: str, until: date) -> bool:
        """Whether a day was closed: once, however many workers try."""
        state = await rows.state(shop_id)
        if state is None or state.closed_to >= until:
            return False
        day = state.closed_to + timedelta(days=1)
        books_fen = await self._ledger.balance_at(_account(shop_id), rules.end_of(day))
        async with TX.transaction():
            state = await rows.lock_open(shop_id, until)
            if state is None or state.closed_to + timedelta(days=1) != day:
                return False  # another worker is at it
            await self._make(shop_id, day, books_fen, has_card=bool(state.card_id))
            await rows.closed_to(shop_id, day)
        return True

    async def _make(self, shop_id: str, day: date, books_fen: int, *, has_card: bool) -> None:
        """Inside a transaction, the shop locked."""
        sums = await self._sales.between(shop_id, rules.start_of(day), rules.end_of(day))
        late_fen = await self._take_late(shop_id, day)
        # What waits is paid by its own batch, once there is a card; the rest needs a new one.
        stuck = has_card and await rows.stuck_fen(shop_id) > 0
        if not (rules.moved(sums) or late_fen or stuck):
            return
        await rows.note_net(shop_id, day, rules.net_of(sums))
        batch_id = ids.new("stl")
        carried_fen = await rows.carry(shop_id, batch_id) + late_fen
        await rows.insert(
            batch_id=batch_id,
            shop_id=shop_id,
            day=day,
            sums=sums,
            carried_fen=carried_fen,
            books_fen=books_fen,
            now=self._clock.now(),
        )
        _log.info("day_closed", batch_id=batch_id, shop_id=shop_id, day=str(day))

    async def _take_late(self, shop_id: str, day: date) -> int:
        """Fen of sales that were noted after the batch of their day was made."""
        first = day - timedelta(days=rules.LATE_DAYS)
        known, late_fen = await rows.nets(shop_id, first, day), 0
        found = dict.fromkeys(known, 0)
        hours = await self._sales.hours(shop_id, rules.start_of(first), rules.start_of(day))
        for hour in hours:
            of = rules.day_of(hour.at)
            found[of] = found.get(of, 0) + rules.net_of(hour)
        for of, net_fen in found.items():
            if net_fen != known.get(of, 0):
                late_fen += net_fen - known.get(of, 0)
                await rows.note_net(shop_id, of, net_fen)
        return late_fen

    # -- paying ---------------------------------------------------------------------------------

    async def _pay_all(self) -> int:
        return await each(await rows.payable(PAGE), self._pay)

    async def _pay(self, batch: Payable) -> int:
        account = _account(batch.shop_id)
        balances = await self._ledger.balances((account,))
        amount_fen = min(batch.net_fen, balances[0].available_fen if balances else 0)
        if amount_fen <= 0 or not await rows.send(batch, ids.new("pyo"), amount_fen):
            return 0
        sent = await rows.sent(batch.batch_id)
        return 1 if sent is None else await self._follow(sent)

    async def _follow_all(self) -> int:
        after, touched = "", 0
        while sent := await rows.on_their_way(after, PAGE):
            after = sent[-1].batch_id
            touched += await each(sent, self._follow)
        return touched

    async def _follow(self, sent: Sent) -> int:
        """Ask for the payout, again and again: the same id pays once. 1 where it has ended."""
        try:
            payout = await self._banking.pay_out(
                StartPayout(
                    payout_id=sent.payout_id,
                    shop_id=sent.shop_id,
                    owner_id=sent.owner_id,
                    card_id=sent.card_id,
                    amount_fen=sent.sent_fen,
                )
            )
        except (NotFound, CardNotBound) as refusal:  # no such payout was made, nor will be
            return int(await rows.returned(sent.batch_id, refusal.code))
        return int(await _note(sent.batch_id, payout, self._clock.now()))


async def _note(batch_id: str, payout: Payout, now: datetime) -> bool:
    if payout.status == "paid":
        return await rows.paid(batch_id, payout.ended_at or now)
    if payout.status in ("returned", "refused"):
        return await rows.returned(batch_id, payout.refusal_code)
    return False


async def each(items: Sequence[T], step: Callable[[T], Awaitable[int]]) -> int:
    """The sum of all steps; what fails in one keeps no other waiting and comes again."""
    touched = 0
    for item in items:
        touched += await apart(step(item), 0, "settlement", "")
    return touched


def _account(shop_id: str) -> str:
    return f"shop:{shop_id}"
