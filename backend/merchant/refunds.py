"""Refunds, as a shop's people start them and payers ask for them."""

import asyncio
from datetime import timedelta

from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.events import News
from backend.merchant import (
    AskRefund,
    GiveBack,
    RefundAsked,
    RefundCase,
    RefundRequest,
    Seat,
)
from backend.merchant import acts as told
from backend.merchant.parts import Parts
from backend.merchant.shops import Shops, find
from backend.payments import ConfirmRefund, Order, Refund, RefundStarted, StartRefund

MAX_REQUESTS = 100  # open ones shown at once
POSTED = "posted"
LEDGER_TICK = timedelta(milliseconds=1)  # what the moments of the books are cut to

_REQUEST = (
    "request_id, shop_id, payment_id, order_id, amount_fen, reason, status, answer, created_at"
)


class Refunds:
    def __init__(self, parts: Parts, shops: Shops) -> None:
        self._payments, self._events, self._clock = parts.payments, parts.events, parts.clock
        self._identity, self._shops = parts.identity, shops

    async def case(self, seat: Seat, order: Order) -> RefundCase:
        if order.payment_id is None or order.status != "paid":
            raise NotFound()
        payment, refunds = await asyncio.gather(
            self._payments.payment(seat.owner_id, order.payment_id),
            self._payments.refunds(seat.shop_id, order.payment_id),
        )
        # What came too late for its till went back by itself: nobody did that.
        actors = {refund.actor_id for refund in refunds if refund.actor_id}
        people = await asyncio.gather(*(self._identity.person(actor) for actor in actors))
        names = {found.person_id: found.display_name for found in people}
        return RefundCase(seat=seat, order=order, payment=payment, refunds=refunds, names=names)

    async def refund(self, seat: Seat, give_back: GiveBack) -> RefundStarted:
        await self._shops.found(seat, give_back.device_secret)
        refund_id = give_back.refund_id
        payment = await self._payments.payment(seat.owner_id, give_back.payment_id)
        # Told before it is done: what is told and refused then is better than done and not told.
        now, order_id = self._clock.now(), payment.order_id
        await told.tell_once(seat, "refund_started", order_id, refund_id, now)
        started = await self._payments.refund(
            StartRefund(
                refund_id=refund_id,
                payment_id=give_back.payment_id,
                shop_id=seat.shop_id,
                actor_id=seat.person_id,
                amount_fen=give_back.amount_fen,
                reason=give_back.reason,
                device_secret=give_back.device_secret,
            )
        )
        await self._grant(started.refund)
        return started

    async def confirm(self, confirm: ConfirmRefund) -> Refund:
        refund = await self._payments.confirm_refund(confirm)
        await self._grant(refund)
        return refund

    async def ask(self, ask: AskRefund) -> RefundRequest:
        payment = await self._payments.payment(ask.payer_id, ask.payment_id)
        shop = await find(payment.payee_id)
        if payment.payer_id != ask.payer_id or payment.status != POSTED or shop is None:
            raise NotFound()
        stored = await _find(ask.request_id)
        left = payment.amount_fen - payment.refunded_fen
        if stored is None and left <= 0:
            raise BadRequest()
        async with TX.transaction():
            made = stored is None and await self._insert(ask, shop.shop_id, payment.order_id, left)
            if made:
                await self._events.record_all(
                    (
                        News(f"shop:{shop.shop_id}", "refund_asked", ask.request_id),
                        News(f"person:{shop.owner_id}", "refund_asked", ask.payment_id),
                    )
                )
        stored = await _find(ask.request_id)
        if stored is None:
            raise RefundAsked()
        if (stored.payment_id, stored.reason) != (ask.payment_id, ask.reason):
            raise IdReused()
        return stored

    async def decline(self, seat: Seat, request_id: str, answer: str) -> RefundRequest:
        now = self._clock.now()
        async with TX.transaction():
            rows = await TX.query(
                "update merchant.refund_request set status = 'declined', answer = $3, ended_at = $4"
                " where request_id = $1 and shop_id = $2 and status = 'open'"
                " returning payer_id, payment_id",
                request_id,
                seat.shop_id,
                answer,
                now,
            )
            for row in rows:
                kind = "refund_declined"
                await told.tell(seat.shop_id, seat.person_id, kind, request_id, now)
                await self._events.record(f"person:{row['payer_id']}", kind, row["payment_id"])
        request = await _find(request_id)
        if request is None or request.shop_id != seat.shop_id:
            raise NotFound()
        return request

    async def open_requests(self, seat: Seat) -> tuple[RefundRequest, ...]:
        found = await TX.query_as(
            RefundRequest,
            f"select {_REQUEST} from merchant.refund_request"  # noqa: S608
            " where shop_id = $1 and status = 'open' order by created_at, request_id limit $2",
            seat.shop_id,
            MAX_REQUESTS,
        )
        healed = [await self._healed(request) for request in found]
        return tuple(request for request in healed if request.status == "open")

    async def request(self, payer_id: str, payment_id: str) -> RefundRequest | None:
        found = await TX.one(
            RefundRequest,
            f"select {_REQUEST} from merchant.refund_request"  # noqa: S608
            " where payment_id = $1 and payer_id = $2"
            " order by created_at desc, request_id desc limit 1",
            payment_id,
            payer_id,
        )
        return found if found is None else await self._healed(found)

    async def _insert(self, ask: AskRefund, shop_id: str, order_id: str, left_fen: int) -> bool:
        made = await TX.query(
            "insert into merchant.refund_request (request_id, shop_id, payment_id, order_id,"
            " payer_id, amount_fen, reason, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)"
            " on conflict do nothing returning request_id",
            ask.request_id,
            shop_id,
            ask.payment_id,
            order_id,
            ask.payer_id,
            left_fen,
            ask.reason,
            self._clock.now(),
        )
        return bool(made)

    async def _healed(self, request: RefundRequest) -> RefundRequest:
        """A refund that came while nobody watched, by the sweeper or before a crash, grants it."""
        if request.status != "open":
            return request
        for refund in await self._payments.refunds(request.shop_id, request.payment_id):
            await self._grant(refund)
        found = await _find(request.request_id)
        assert found is not None, "requests are never deleted"
        return found

    async def _grant(self, refund: Refund) -> None:
        """Closes a request that is older than the posted refund."""
        if refund.status == POSTED and refund.posted_at is not None:
            await TX.query(
                "update merchant.refund_request set status = 'granted', ended_at = $2"
                " where payment_id = $1 and status = 'open' and created_at < $2",
                refund.payment_id,
                refund.posted_at + LEDGER_TICK,
            )


async def _find(request_id: str) -> RefundRequest | None:
    return await TX.one(
        RefundRequest,
        f"select {_REQUEST} from merchant.refund_request where request_id = $1",  # noqa: S608
        request_id,
    )
