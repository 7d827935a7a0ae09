"""What became of a bill, and where it leads: refunds, the other side, the packet behind it."""

import msgspec

from backend.bills import Bill, Label
from backend.errors import NotFound
from backend.identity import Person
from backend.merchant import RefundRequest
from backend.payments import Payment, Refund
from backend.services import Services
from backend.transfers import Transfer
from backend.wallet.timeline import Step, of_bill, of_transfer, of_withdrawal

REFUNDABLE = frozenset({"payment", "income"})


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """refunds: in the books. askable: the shop may be asked for one. again: whom the reader may
    send money to, "" where that makes no sense. packet_id, transfer_id: what the money was for."""

    steps: tuple[Step, ...]
    refunds: tuple[Refund, ...]
    asked: RefundRequest | None
    askable: bool
    label: Label
    again: str = ""
    packet_id: str = ""
    transfer_id: str = ""


async def course_of(services: Services, person: Person, bill: Bill) -> Course:
    """Only what was paid to a shop, or came in at one, has refunds."""
    refunds: tuple[Refund, ...] = ()
    asked: RefundRequest | None = None
    payment: Payment | None = None
    transfer: Transfer | None = None
    if bill.kind in REFUNDABLE and bill.status == "succeeded":
        refunds = await _refunds(services, person, bill)
    if bill.kind == "payment" and bill.status == "succeeded":
        asked = await services.merchant.refund_request(person.person_id, bill.bill_id)
    if bill.kind in ("transfer", "packet_out"):
        payment = await _payment(services, person, bill)
        transfer = await _transfer(services, person, payment)
    steps = of_transfer(bill, transfer) if transfer else of_bill(bill, refunds, asked)
    if bill.kind == "withdrawal":
        steps = of_withdrawal(await services.banking.withdrawal(person.person_id, bill.bill_id))
    waits = asked is not None and asked.status == "open"
    askable = bill.kind == "payment" and bill.status == "succeeded" and not waits
    [label] = await services.bills.labels(person.person_id, (bill.bill_id,)) or (
        Label(bill_id=bill.bill_id),
    )
    return Course(
        steps=steps,
        refunds=tuple(refund for refund in refunds if refund.status == "posted"),
        asked=asked,
        askable=askable and bill.refunded_fen < bill.amount_fen,
        label=label,
        again=_other(person, payment, transfer),
        packet_id=await _packet(services, bill, payment),
        transfer_id=transfer.transfer_id if transfer else "",
    )


async def _refunds(services: Services, person: Person, bill: Bill) -> tuple[Refund, ...]:
    """None where the other module knows nothing of it: the bill is worth showing all the same."""
    try:
        return await services.payments.refunds(person.person_id, bill.bill_id)
    except NotFound:
        return ()


async def _payment(services: Services, person: Person, bill: Bill) -> Payment | None:
    try:
        return await services.payments.payment(person.person_id, bill.bill_id)
    except NotFound:
        return None


async def _transfer(services: Services, person: Person, payment: Payment | None) -> Transfer | None:
    """Of money that was sent with a delay."""
    if payment is None or not payment.payee_id.startswith("trf_"):
        return None
    try:
        return await services.transfers.transfer(person.person_id, payment.payee_id)
    except NotFound:
        return None


def _other(person: Person, payment: Payment | None, transfer: Transfer | None) -> str:
    """Whom the reader sent money to."""
    sent = transfer or payment
    if sent is None or sent.payer_id != person.person_id:
        return ""
    return sent.payee_id if sent.payee_id.startswith("usr_") else ""


async def _packet(services: Services, bill: Bill, payment: Payment | None) -> str:
    if bill.kind == "packet_out" and payment:
        return payment.payee_id
    if bill.kind == "packet_return":
        return await _returned(services, bill)
    return bill.bill_id if bill.kind == "packet_in" else ""


async def _returned(services: Services, bill: Bill) -> str:
    """The packet that the bill's order had paid for."""
    try:
        return (await services.payments.order(bill.order_id)).payee_id
    except NotFound:
        return ""
