"""What follows from a payment's new state: bills, events, the shop's day. In its transaction."""

from backend.bills import Bill
from backend.db import TX
from backend.events import News
from backend.payments.parts import Parts
from backend.payments.records import PaymentRow
from backend.payments.rules import SHANGHAI

DAY_SLOTS = 16  # rows per shop and day, so that a busy till's payments don't wait for each other


async def record_posted(parts: Parts, row: PaymentRow) -> None:
    await _add_to_day(row)
    await parts.bills.record((_payers_bill(row, "succeeded"), _owners_bill(row)))
    await parts.events.record_all(
        (
            News(f"order:{row.order_id}", "order_paid", row.order_id),
            News(f"shop:{row.payee_id}", "order_paid", row.order_id),
            News(f"person:{row.payer_id}", "payment_posted", row.payment_id),
        )
    )


async def record_refused(parts: Parts, row: PaymentRow) -> None:
    await parts.bills.record((_payers_bill(row, "refused"),))
    await parts.events.record_all(
        (
            News(f"order:{row.order_id}", "order_open", row.order_id),
            News(f"person:{row.payer_id}", "payment_refused", row.payment_id),
        )
    )


async def record_pending(parts: Parts, row: PaymentRow) -> None:
    await parts.bills.record((_payers_bill(row, "pending"),))


def _payers_bill(row: PaymentRow, status: str) -> Bill:
    return Bill(
        person_id=row.payer_id,
        bill_id=row.payment_id,
        kind="payment",
        direction="out",
        counterparty=row.payee_name,
        amount_fen=row.amount_fen,
        status=status,
        method="balance",
        note=row.note,
        order_id=row.order_id,
        event_at=row.event_at,
        settled_at=row.posted_at,
        refusal_code=row.refusal_code,
    )


def _owners_bill(row: PaymentRow) -> Bill:
    return Bill(
        person_id=row.owner_id,
        bill_id=row.payment_id,
        kind="income",
        direction="in",
        counterparty=row.payer_name,
        amount_fen=row.amount_fen,
        fee_fen=row.fee_fen,
        status="succeeded",
        method="balance",
        note=row.note,
        order_id=row.order_id,
        event_at=row.event_at,
        settled_at=row.posted_at,
    )


async def _add_to_day(row: PaymentRow) -> None:
    await TX.query(
        "insert into payments.shop_day as d (shop_id, day, slot, amount_fen, count)"  # noqa: S608
        f" values ($1, $2, pg_backend_pid() % {DAY_SLOTS}, $3, 1)"
        " on conflict (shop_id, day, slot) do update"
        " set amount_fen = d.amount_fen + excluded.amount_fen, count = d.count + 1",
        row.payee_id,
        row.event_at.astimezone(SHANGHAI).date(),
        row.amount_fen,
    )
