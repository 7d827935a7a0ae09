"""The end of a delayed transfer: it arrives in its time, or its payer recalls it before.

What is tried is written down first, one thing at a time, and driven to its end whoever began it.
The security system allows one end of a pot, and the pot can't go below zero.
"""

from contextlib import suppress

import msgspec

from backend.bills import Bill, Refunded
from backend.clock import to_ms
from backend.db import TX
from backend.errors import DomainError, NotFound, OutcomeUnknown, Unavailable
from backend.intent import Intent
from backend.ledger import Outcome, Post, Posted
from backend.payments import LedgerUnavailable, PaymentPending, RiskUnavailable
from backend.posting import Posting
from backend.posting import Transfer as Move
from backend.risk import EndPot, PayeeFrozen, PayerFrozen, PotEnded
from backend.transfers import TooLate
from backend.transfers import rows as store
from backend.transfers.parts import Parts
from backend.transfers.rows import RETRY, TransferRow
from backend.transfers.sending import news
from backend.transfers.timing import INTENT_LIFE, REFUSED_RETRY

RETURN, ARRIVAL = "pot_return", "pot_arrival"


class Ending:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def recall(self, row: TransferRow, payer_id: str, device_secret: str) -> TransferRow:
        """Refuses: NotFound, TooLate, what risk refuses, RiskUnavailable, LedgerUnavailable,
        PaymentPending."""
        if row.payer_id != payer_id:
            raise NotFound()
        if row.status == "recalled":
            return row
        if row.status != "waiting" or self._due(row):
            raise TooLate() if row.arrives_at else NotFound()
        try:
            row = await self._end(row, RETURN, device_secret)
        except PotEnded:
            raise TooLate() from None
        if row.status == "arrived":
            raise TooLate()
        return row

    async def arrive(self, row: TransferRow) -> TransferRow:
        """Of the sweep: end what stopped half-way, and let arrive what is due. What can't arrive,
        because somebody is frozen, goes home."""
        if row.end_intent is not None:
            with suppress(DomainError):  # given up, or it comes again
                return await self._drive(row, "")
            row = await _again(row)
        if row.status != "waiting" or row.end_intent is not None or not self._due(row):
            return row
        try:
            return await self._end(row, ARRIVAL, "")
        except (PayeeFrozen, PayerFrozen):
            return await self._end(await _again(row), RETURN, "")

    async def _end(self, row: TransferRow, kind: str, device_secret: str) -> TransferRow:
        if row.end_intent is None:
            packed = msgspec.msgpack.encode(self._new_intent(row, kind))
            begun = await store.begin_end(row, packed, self._parts.clock.now() + RETRY)
            row = begun or await _again(row)
        if row.status != "waiting" or row.end_intent is None:
            return row
        if _intent(row).kind != kind:
            raise PaymentPending()
        return await self._drive(row, device_secret)

    async def _drive(self, row: TransferRow, device_secret: str) -> TransferRow:
        """The end that was written down, to its own end: what has a verdict needs no device any
        more."""
        if not await self._settled(row):
            await self._post(row, _intent(row), device_secret)
        return await _again(row)

    async def _settled(self, row: TransferRow) -> bool:
        """Whether the books know how it ended, and now we do. Refuses: LedgerUnavailable."""
        try:
            outcome: Outcome | None = await self._parts.ledger.outcome(_intent(row).intent_id)
        except (Unavailable, OutcomeUnknown):
            raise LedgerUnavailable() from None
        if outcome is None:
            return False
        if outcome.posted is not None:
            await self._finish(row, _intent(row).kind, outcome.posted)
        else:
            await self._spend(row)
        return True

    async def _post(self, row: TransferRow, intent: Intent, device_secret: str) -> None:
        try:
            verdict = await self._parts.risk.authorize_pot_end(EndPot(intent, device_secret))
        except (Unavailable, OutcomeUnknown):
            raise RiskUnavailable() from None
        except DomainError:
            await self._give_up(row)
            raise
        try:
            posted = await self._parts.ledger.post(Post(intent.posting, verdict))
        except Unavailable:
            raise LedgerUnavailable() from None
        except OutcomeUnknown:
            raise PaymentPending() from None
        except DomainError:
            await self._spend(row)
            raise
        await self._finish(row, intent.kind, posted)

    async def _spend(self, row: TransferRow) -> None:
        """The books refused it: the security system may allow another end."""
        try:
            await self._parts.risk.release(_intent(row).intent_id)
        except (Unavailable, OutcomeUnknown):
            raise RiskUnavailable() from None
        await self._give_up(row)

    async def _give_up(self, row: TransferRow) -> None:
        """Refused for good: another try has another id."""
        spent = "recalls" if _intent(row).kind == RETURN else "arrivals"
        later = self._parts.clock.now() + REFUSED_RETRY
        due = row.arrives_at if spent == "recalls" and row.arrives_at else later
        await store.drop_end(row, spent=spent, next_try_at=due)

    async def _finish(self, row: TransferRow, kind: str, posted: Posted) -> None:
        to = "recalled" if kind == RETURN else "arrived"
        async with TX.transaction():
            if not await store.move(row, to, posted.posted_at):
                return
            if to == "recalled":
                await self._parts.bills.refund(
                    Refunded(
                        bill_id=row.payment_id,
                        person_ids=(row.payer_id,),
                        amount_fen=row.amount_fen,
                        at=posted.posted_at,
                    )
                )
            else:
                await self._parts.bills.record((_payees_bill(row, posted),))
            await self._parts.events.record_all(news(row, f"transfer_{to}", posted.posted_at))

    def _new_intent(self, row: TransferRow, kind: str) -> Intent:
        back = kind == RETURN
        payee_id = row.payer_id if back else row.payee_id
        intent_id = _id_of(row, kind, row.recalls if back else row.arrivals)
        source = f"escrow:{row.transfer_id}"
        moves = (Move(source, f"person:{payee_id}", row.amount_fen),)
        return Intent(
            intent_id=intent_id,
            kind=kind,
            payer_id=row.transfer_id,
            payee_id=payee_id,
            payee_name=row.payer_name if back else row.payee_name,
            amount_fen=row.amount_fen,
            fee_fen=0,
            source=source,
            code="none",
            posting=Posting(intent_id, kind, moves),
            expires_at_ms=to_ms(self._parts.clock.now() + INTENT_LIFE),
            nonce=row.nonce,
        )

    def _due(self, row: TransferRow) -> bool:
        return row.arrives_at is not None and row.arrives_at <= self._parts.clock.now()


def _id_of(row: TransferRow, kind: str, count: int) -> str:
    return f"{row.transfer_id}:{'recall' if kind == RETURN else 'arrival'}:{count}"


def _intent(row: TransferRow) -> Intent:
    assert row.end_intent is not None, "only of an end that is under way"
    return msgspec.msgpack.decode(row.end_intent, type=Intent)


async def _again(row: TransferRow) -> TransferRow:
    return await store.find(row.transfer_id) or row


def _payees_bill(row: TransferRow, posted: Posted) -> Bill:
    return Bill(
        person_id=row.payee_id,
        bill_id=row.payment_id,
        kind="transfer",
        direction="in",
        counterparty=row.payer_name,
        amount_fen=row.amount_fen,
        status="succeeded",
        method="balance",
        note=row.note,
        order_id=row.order_id,
        event_at=posted.posted_at,
        settled_at=posted.posted_at,
    )
