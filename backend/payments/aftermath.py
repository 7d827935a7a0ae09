"""What follows from a payment's new state: bills, events, sales. In its transaction."""

from collections.abc import Sequence

from backend.bills import Bill
from backend.events import News
from backend.payments.late import too_late
from backend.payments.parts import Parts
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.rules import is_person, is_pot, is_shop
from backend.payments.selling import sold_for

_OUT = {"mch": "payment", "usr": "transfer", "red": "packet_out", "trf": "transfer"}


async def record_posted(parts: Parts, posted: Sequence[tuple[PaymentRow, OrderRow]]) -> None:
    """All of them in as many statements as one."""
    sales = [sold_for(order, row) for row, order in posted if is_shop(row.payee_id)]
    if sales:
        await parts.sales.record(tuple(sale for of_one in sales for sale in of_one))
    await parts.bills.record(tuple(bill for row, _ in posted for bill in bills_of(row)))
    now = parts.clock.now()
    late = [row for row, order in posted if order.code == "shown" and row.deadline_at <= now]
    for row in late:  # and in the books all the same
        await too_late(row, now)
    await parts.events.record_all(
        tuple(
            news
            for row, order in posted
            for news in (_news_of_late(row) if row in late else _news_of_posted(row, order))
        )
    )


async def record_refused(parts: Parts, row: PaymentRow, freed: str) -> None:
    """freed: the event that the order's new state is."""
    if is_shop(row.payee_id):
        await parts.sales.refused(row.order_id)
    await parts.bills.record((_payers_bill(row, "refused"),))
    await parts.events.record_all(
        (
            News(f"order:{row.order_id}", freed, row.order_id),
            News(f"person:{row.payer_id}", "payment_refused", row.payment_id),
        )
    )


async def record_pending(parts: Parts, row: PaymentRow) -> None:
    await parts.bills.record((_payers_bill(row, "pending"),))


def bills_of(row: PaymentRow) -> tuple[Bill, ...]:
    """Both sides of a posted payment: the payer's, the payee's. Who gets what out of a pot is for
    the module behind the pot to say."""
    paid = _payers_bill(row, "succeeded")
    return (paid,) if is_pot(row.payee_id) else (paid, _payees_bill(row))


def _payers_bill(row: PaymentRow, status: str) -> Bill:
    return Bill(
        person_id=row.payer_id,
        bill_id=row.payment_id,
        kind=_OUT[row.payee_id[:3]],
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


def _payees_bill(row: PaymentRow) -> Bill:
    return Bill(
        person_id=row.owner_id,
        bill_id=row.payment_id,
        kind="transfer" if is_person(row.payee_id) else "income",
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


def _news_of_posted(row: PaymentRow, order: OrderRow) -> tuple[News, ...]:
    return (
        News(f"order:{row.order_id}", "order_paid", row.order_id),
        *_payees_news(row, order),
        News(f"person:{row.payer_id}", "payment_posted", row.payment_id),
    )


def _news_of_late(row: PaymentRow) -> tuple[News, ...]:
    """It goes back: nobody is told that it was paid or received. Pages look again all the same."""
    return (
        News(f"order:{row.order_id}", "order_goes_back", row.order_id),
        News(f"shop:{row.payee_id}", "order_goes_back", row.order_id),
        News(f"person:{row.payer_id}", "payment_goes_back", row.payment_id),
    )


def _payees_news(row: PaymentRow, order: OrderRow) -> tuple[News, ...]:
    if is_person(row.payee_id):
        # Without a code it is a transfer, whose own module tells of it.
        quiet = order.code == "none"
        topic = f"person:{row.payee_id}"
        return (News(topic, "payment_received", row.payment_id, quiet),)
    if is_shop(row.payee_id):
        return (News(f"shop:{row.payee_id}", "order_paid", row.order_id),)
    return ()
