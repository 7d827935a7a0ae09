"""Shares of requests, from the side of whoever pays one.

All tries to pay a share go through one order at a time, and an order is paid once: that is why a
share is paid by exactly one transfer, however many forms were open.
"""

from contextlib import suppress
from datetime import datetime

from backend import ids
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.events import News
from backend.payments import AmountChanged, OpenOrder
from backend.transfers import Payee, RequestEnded, StartTransfer
from backend.transfers import request_rows as store
from backend.transfers.parts import Parts
from backend.transfers.request_rows import RequestRow, ShareRow
from backend.transfers.rows import TransferRow

DEAD = ("expired", "cancelled")
ASKING = ("request_asked", "request_reminded")
MAX_TRIES = 5  # to agree with others on the share's next order


class Shares:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def order_of(self, start: StartTransfer, payee: Payee) -> str:
        """The id of the order that this transfer has to pay, opened. Refuses: NotFound,
        RequestEnded, AmountChanged."""
        for _ in range(MAX_TRIES):
            request, share = await self._open(start.request_id, start.payer_id)
            if request.person_id != start.payee_id:
                raise NotFound()
            if share.amount_fen != start.amount_fen:
                raise AmountChanged()
            if share.order_id and not await self._dead(share.order_id):
                return share.order_id
            order_id = await self._next_order(request, share, payee)
            async with TX.transaction():
                locked = await store.lock(start.request_id)
                given = (
                    locked is not None
                    and locked.status == "open"
                    and await store.give_order(share, order_id)
                )
            if given:
                return order_id
        raise RequestEnded()

    async def check_open(self, request_id: str, payer_id: str) -> None:
        """Refuses: NotFound, RequestEnded."""
        await self._open(request_id, payer_id)

    async def paid(self, row: TransferRow, at: datetime) -> None:
        """Inside the transaction in which the transfer has arrived."""
        await store.lock(row.request_id)
        share = await store.share(row.request_id, row.payer_id)
        assert share is not None, "shares are never deleted"
        if not await store.end_share(share, "paid", at, row.transfer_id):
            return
        await ended(self._parts, row.request_id, at, "request_paid")

    async def _open(self, request_id: str, payer_id: str) -> tuple[RequestRow, ShareRow]:
        request = await store.find(request_id)
        share = await store.share(request_id, payer_id)
        if request is None or share is None:
            raise NotFound()
        over = request.status != "open" or request.expires_at <= self._parts.clock.now()
        if over or share.status != "open":
            raise RequestEnded()
        return request, share

    async def _next_order(self, request: RequestRow, share: ShareRow, payee: Payee) -> str:
        """Opened before the share has it: a share's order is always there to be cancelled."""
        order_id = ids.derived("ord", share.request_id, share.person_id, str(share.orders + 1))
        with suppress(IdReused):  # another try has opened it, by another name of the payee
            await self._parts.payments.open_order(
                OpenOrder(
                    order_id=order_id,
                    payee_id=request.person_id,
                    owner_id=request.person_id,
                    payee_name=payee.name,
                    amount_fen=share.amount_fen,
                    note=request.note,
                    code="none",
                    opened_by=share.person_id,
                    payer_id=share.person_id,
                )
            )
        return order_id

    async def _dead(self, order_id: str) -> bool:
        """Whether nothing can pay it any more."""
        return (await self._parts.payments.order(order_id)).status in DEAD


async def ended(parts: Parts, request_id: str, at: datetime, kind: str) -> None:
    """A share has: so may have the request. All who take part learn of it."""
    found = (await store.shares([request_id]))[request_id]
    if all(share.status != "open" for share in found):
        await store.end(request_id, "done", at)
    await tell(parts, request_id, found, kind)


async def tell(parts: Parts, request_id: str, found: list[ShareRow], kind: str) -> None:
    """Who asked, and everybody who is asked: of the asking these make a notice, of how it goes on
    the other."""
    request = await store.find(request_id)
    assert request is not None, "requests are never deleted"
    people = (request.person_id, *(share.person_id for share in found))
    await parts.events.record_all(
        tuple(
            News(
                f"person:{person_id}",
                kind,
                request_id,
                quiet=(person_id == request.person_id) == (kind in ASKING),
            )
            for person_id in people
        )
    )
