"""Sending: a transfer is stored, paid as any order is, and learns from its payment how it ended."""

import secrets
from datetime import datetime, timedelta

from backend import ids
from backend.clock import to_ms
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.events import News
from backend.ids import is_id
from backend.intent import PotTerms
from backend.money import MAX_AMOUNT_FEN
from backend.payments import ORDER_LIFE, Confirm, OpenOrder, Payment, Quote, StartPayment
from backend.plain import is_plain
from backend.transfers import (
    DELAYS,
    Payee,
    PayTransfer,
    StartTransfer,
    Transfer,
    TransferStarted,
)
from backend.transfers import rows as store
from backend.transfers.parts import Parts
from backend.transfers.payees import Payees, masked
from backend.transfers.paying_shares import Shares
from backend.transfers.rows import RETRY, TransferRow

MAX_NOTE = 64
DIRECT = timedelta(0)


class Sending:
    def __init__(self, parts: Parts, payees: Payees, shares: Shares) -> None:
        self._parts, self._payees, self._shares = parts, payees, shares

    async def open(self, start: StartTransfer) -> Transfer:
        return (await self._open(start)).shown()

    async def quote(self, payer_id: str, transfer_id: str, device_secret: str) -> Quote:
        row = await self._own(payer_id, transfer_id)
        return await self._parts.payments.quote(row.order_id, payer_id, device_secret)

    async def pay(self, pay: PayTransfer) -> TransferStarted:
        return await self._pay(await self._own(pay.payer_id, pay.transfer_id), pay)

    async def start(self, start: StartTransfer) -> TransferStarted:
        pay = PayTransfer(
            transfer_id=start.transfer_id,
            payer_id=start.payer_id,
            device_secret=start.device_secret,
            address=start.address,
        )
        return await self._pay(await self._open(start), pay)

    async def confirm(self, confirm: Confirm) -> Transfer:
        row = await store.by_payment(confirm.payment_id)
        if row is None or row.payer_id != confirm.payer_id:
            raise NotFound()
        payment = await self._parts.payments.confirm(confirm)
        return (await self.learn(row, payment)).shown()

    async def transfer(self, person_id: str, transfer_id: str) -> TransferRow:
        """As it is now, of either side; what nobody has paid is the payer's alone to see."""
        row = await store.find(transfer_id)
        if row is None or person_id not in (row.payer_id, row.payee_id):
            raise NotFound()
        row = await self.catch_up(row)
        if person_id != row.payer_id and row.status not in ("waiting", "arrived", "recalled"):
            raise NotFound()
        return row

    async def catch_up(self, row: TransferRow) -> TransferRow:
        """What became of its payment, where the row does not know yet."""
        if row.status != "created":
            return row
        try:
            payment = await self._parts.payments.payment(row.payer_id, row.payment_id)
        except NotFound:
            payment = None
        return await self.learn(row, payment)

    async def learn(self, row: TransferRow, payment: Payment | None) -> TransferRow:
        """The row in the state that its payment is in; None: there is none yet."""
        if row.status != "created":
            return row
        if payment is not None and payment.status == "posted":
            assert payment.posted_at is not None, "what is posted has a time"
            await self._paid(row, payment.posted_at)
        elif payment is not None and payment.status == "refused":
            lapsed = payment.refusal_code == "payment_abandoned"
            now, why = self._parts.clock.now(), payment.refusal_code
            await store.move(row, "lapsed" if lapsed else "refused", now, why)
        elif payment is None and await self._order_over(row):
            await store.move(row, "lapsed", self._parts.clock.now())
        return await store.find(row.transfer_id) or row

    async def _open(self, start: StartTransfer) -> TransferRow:
        _check_form(start)
        row = await store.find(start.transfer_id) or await self._new(start)
        if not _same(row, start):
            raise IdReused()
        return row

    async def _new(self, start: StartTransfer) -> TransferRow:
        payee = await self._payees.known(start.payer_id, start.payee_id)
        if payee.by_number:
            payee = await self._payees.behind(start.payer_id, payee, start.name_check)
        else:
            await self._payees.check_blocked(start.payer_id, start.payee_id)
            await self._payees.check_name(start.payer_id, payee, start.name_check)
        if start.request_id:
            row = await self._row(start, payee, await self._shares.order_of(start, payee))
        else:
            # The order first: a row without one could never be paid, and would never end.
            row = await self._row(start, payee, ids.derived("ord", start.transfer_id))
            await self._open_order(row)
        if await store.insert(row):
            return row
        found = await store.find(row.transfer_id)
        if found is None:  # the payment's id is another transfer's
            raise IdReused()
        return found

    async def _row(self, start: StartTransfer, payee: Payee, order_id: str) -> TransferRow:
        now, payer = self._parts.clock.now(), await self._parts.identity.person(start.payer_id)
        return TransferRow(
            transfer_id=start.transfer_id,
            payment_id=start.payment_id,
            order_id=order_id,
            payer_id=start.payer_id,
            payee_id=payee.payee_id,
            asked_id=start.payee_id,
            payer_name=payer.display_name if payee.is_friend else masked(payer.display_name),
            payee_name=payee.name,
            amount_fen=start.amount_fen,
            note=start.note,
            status="created",
            refusal_code="",
            created_at=now,
            arrives_at=now + start.delay if start.delay else None,
            ended_at=None,
            request_id=start.request_id,
            next_try_at=now + ORDER_LIFE + RETRY,
            nonce=secrets.token_bytes(32),
        )

    async def _open_order(self, row: TransferRow) -> None:
        pot = row.arrives_at is not None
        if pot:
            await self._parts.payments.open_pot(f"escrow:{row.transfer_id}")
        await self._parts.payments.open_order(
            OpenOrder(
                order_id=row.order_id,
                payee_id=row.transfer_id if pot else row.payee_id,
                owner_id="" if pot else row.payee_id,
                payee_name=row.payee_name,
                amount_fen=row.amount_fen,
                note=row.note,
                code="none",
                opened_by=row.payer_id,
                payer_id=row.payer_id,
                terms=terms_of(row),
            )
        )

    async def _pay(self, row: TransferRow, pay: PayTransfer) -> TransferStarted:
        row = await self.catch_up(row)
        if row.status != "created":
            return TransferStarted(transfer=row.shown(), requirement=None)
        await self._payees.check_blocked(row.payer_id, row.payee_id)
        if row.request_id:
            await self._shares.check_open(row.request_id, row.payer_id)
        started = await self._parts.payments.start(
            StartPayment(
                payment_id=row.payment_id,
                order_id=row.order_id,
                payer_id=row.payer_id,
                amount_fen=row.amount_fen,
                device_secret=pay.device_secret,
                address=pay.address,
            )
        )
        row = await self.learn(row, started.payment)
        return TransferStarted(transfer=row.shown(), requirement=started.requirement)

    async def _paid(self, row: TransferRow, at: datetime) -> None:
        """It has arrived, or waits until it may."""
        to = "waiting" if row.arrives_at else "arrived"
        async with TX.transaction():
            if not await store.move(row, to, at):
                return
            if row.request_id:
                await self._shares.paid(row, at)
            await self._parts.friends.met(((row.payee_id, row.payer_id),))
            await self._parts.events.record_all(news(row, f"transfer_{to}", at))

    async def _order_over(self, row: TransferRow) -> bool:
        """Whether nothing can come of it any more without a payment."""
        order = await self._parts.payments.order(row.order_id)
        return order.status in ("expired", "cancelled", "paid")

    async def _own(self, payer_id: str, transfer_id: str) -> TransferRow:
        row = await store.find(transfer_id)
        if row is None or row.payer_id != payer_id:
            raise NotFound()
        return row


def news(row: TransferRow, kind: str, at: datetime) -> tuple[News, ...]:
    """For both sides. The payer is told of what happens by itself, when its time has come; the
    payee, unless it is the answer to their own request, which is told of already."""
    by_itself = row.arrives_at is not None and at >= row.arrives_at
    answers = bool(row.request_id) and row.arrives_at is None
    return (
        News(f"person:{row.payer_id}", kind, row.transfer_id, quiet=not by_itself),
        News(f"person:{row.payee_id}", kind, row.transfer_id, quiet=answers),
    )


def terms_of(row: TransferRow) -> PotTerms | None:
    """Of a delayed one: all of it is the payee's, from then on."""
    if row.arrives_at is None:
        return None
    return PotTerms(to=row.payee_id, shares=1, until_ms=to_ms(row.arrives_at))


def _check_form(start: StartTransfer) -> None:
    """Refuses: BadRequest."""
    sound = (
        is_id(start.transfer_id, "trf")
        and is_id(start.payment_id, "pay")
        and type(start.amount_fen) is int
        and 0 < start.amount_fen <= MAX_AMOUNT_FEN
        and len(start.note) <= MAX_NOTE
        and is_plain(start.note)
        and start.delay in DELAYS
        and not (start.request_id and start.delay)
    )
    if not sound:
        raise BadRequest()


def _same(row: TransferRow, start: StartTransfer) -> bool:
    """The payee may be named as they were then, also when a number that was found is forgotten."""
    delay = row.arrives_at - row.created_at if row.arrives_at else DIRECT
    return start.payee_id in (row.asked_id, row.payee_id) and (
        row.payment_id,
        row.payer_id,
        row.amount_fen,
        row.note,
        row.request_id,
        delay,
    ) == (
        start.payment_id,
        start.payer_id,
        start.amount_fen,
        start.note,
        start.request_id,
        start.delay,
    )
