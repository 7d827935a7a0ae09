"""A batch of the big shop's year: its intents, and the rows it leaves once it is posted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from backend.bills import Bills, Refunded
from backend.clock import to_ms
from backend.db import TX
from backend.demo.big_year import Bought
from backend.fees import fee_of, returned_fee
from backend.intent import Intent
from backend.ledger import Posted
from backend.merchant import Seat, Terminal
from backend.payments import FeeRule, Refund
from backend.payments.aftermath import bills_of
from backend.payments.history import insert_orders, insert_payments, insert_refunds
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.refund_rows import RefundRow
from backend.payments.rules import masked
from backend.payments.selling import refunded, sold, sold_for
from backend.posting import Posting, Transfer
from backend.risk.demo_history import Told
from backend.sales import Sale, Sales
from backend.verdict import SignedVerdict

LIFE = timedelta(minutes=15)  # of an order
TELLABLE = timedelta(days=10 * 365)  # so long an intent of history may be told, and told again
REASONS = ("商品缺货", "顾客退货", "多收金额")
FEES = "fee:income"


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells and who buys. payers: person id and name, by number; tills by number."""

    seat: Seat
    tills: tuple[Terminal, ...]
    payers: tuple[tuple[str, str], ...]
    fees: dict[str, FeeRule]

    def fee_of(self, bought: Bought) -> int:
        rule = self.fees.get(bought.code)
        if rule is None:
            return 0
        return fee_of(bought.amount_fen, rule.bps, rule.min_fen, rule.max_fen)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A movement on its way: told is None for an order that nobody paid."""

    bought: Bought
    told: Told | None
    back_at: datetime | None = None  # of a refund


def payment_of(shop: Shop, bought: Bought) -> Entry:
    if not bought.paid:
        return Entry(bought=bought, told=None)
    payer, account = f"person:{shop.payers[bought.payer][0]}", f"shop:{shop.seat.shop_id}"
    fee_fen, transfers = shop.fee_of(bought), [Transfer(payer, account, bought.amount_fen)]
    if fee_fen:
        transfers.append(Transfer(account, FEES, fee_fen))
    intent = Intent(
        intent_id=bought.payment_id,
        kind="pay",
        payer_id=shop.payers[bought.payer][0],
        payee_id=shop.seat.shop_id,
        payee_name=shop.seat.shop_name,
        amount_fen=bought.amount_fen,
        fee_fen=fee_fen,
        source=payer,
        code=bought.code,
        posting=Posting(bought.payment_id, "pay", tuple(transfers), to_ms(bought.event_at)),
        expires_at_ms=to_ms(bought.event_at + TELLABLE),
        nonce=sha256(bought.payment_id.encode()).digest(),
    )
    return Entry(bought=bought, told=Told(intent))


def refund_of(shop: Shop, bought: Bought, back_at: datetime) -> Entry:
    payer_id, account = shop.payers[bought.payer][0], f"shop:{shop.seat.shop_id}"
    fee_fen = returned_fee(shop.fee_of(bought), bought.amount_fen, 0, bought.refund_fen)
    transfers = [Transfer(account, f"person:{payer_id}", bought.refund_fen)]
    if fee_fen:
        transfers.insert(0, Transfer(FEES, account, fee_fen))
    intent = Intent(
        intent_id=bought.refund_id,
        kind="refund",
        payer_id=shop.seat.shop_id,
        payee_id=payer_id,
        payee_name=shop.payers[bought.payer][1],
        amount_fen=bought.refund_fen,
        fee_fen=fee_fen,
        source=account,
        code="none",
        posting=Posting(bought.refund_id, "refund", tuple(transfers), to_ms(back_at)),
        expires_at_ms=to_ms(bought.event_at + TELLABLE),
        nonce=sha256(bought.refund_id.encode()).digest(),
    )
    told = Told(intent, bought.payment_id, shop.seat.person_id)
    return Entry(bought=bought, told=told, back_at=back_at)


Done = tuple[Entry, SignedVerdict | None, Posted | None]


async def keep(shop: Shop, done: Sequence[Done], bills: Bills, sales: Sales) -> None:
    """All rows of the batch, in one transaction: it is there as a whole or not at all."""
    pairs = [(_order(shop, e), _payment(shop, e, v, p)) for e, v, p in done if e.back_at is None]
    paid = [(order, payment) for order, payment in pairs if payment is not None]
    back = [_refund(shop, e, v, p) for e, v, p in done if e.back_at is not None]
    async with TX.transaction():
        await insert_orders([order for order, _ in pairs])
        await insert_payments([payment for _, payment in paid])
        await insert_refunds([row for row, _ in back])
        lines: list[Sale] = []
        for order, payment in pairs:
            ended = order.expires_at
            lines += sold_for(order, payment) if payment else sold(order, "expired", ended)
        await sales.record(tuple(lines))
        await sales.record(tuple(line for _, line in back))
        sides = [bill for _, payment in paid for bill in bills_of(payment)]
        if sides:
            await bills.record(tuple(sides))
        for row, _ in back:
            people = (row.payer_id, shop.seat.owner_id)
            at = row.created_at
            await bills.refund(
                Refunded(
                    bill_id=row.payment_id, person_ids=people, amount_fen=row.amount_fen, at=at
                )
            )


def _order(shop: Shop, entry: Entry) -> OrderRow:
    bought = entry.bought
    payer_id, till = shop.payers[bought.payer][0], shop.tills[bought.till]
    by_payer = bought.code == "static"
    return OrderRow(
        order_id=bought.order_id,
        payee_id=shop.seat.shop_id,
        owner_id=shop.seat.owner_id,
        payee_name=shop.seat.shop_name,
        amount_fen=bought.amount_fen,
        fee_fen=shop.fee_of(bought),
        note=bought.note,
        status="paid" if bought.paid else "expired",
        code=bought.code,
        store_id=till.store_id,
        terminal_id=till.terminal_id,
        opened_by=payer_id if by_payer else shop.seat.person_id,
        payer_id=payer_id if by_payer or bought.code == "shown" else "",
        created_at=bought.event_at,
        expires_at=bought.event_at + LIFE,
        paid_at=bought.event_at if bought.paid else None,
        payment_id=bought.payment_id if bought.paid else None,
        charge_id=bought.payment_id if bought.code == "shown" else "",
    )


def _payment(
    shop: Shop, entry: Entry, verdict: SignedVerdict | None, posted: Posted | None
) -> PaymentRow | None:
    if entry.told is None:
        return None
    assert verdict is not None, "what moves money has a verdict"
    assert posted is not None, "and was posted with it"
    bought, intent = entry.bought, entry.told.intent
    return PaymentRow(
        payment_id=bought.payment_id,
        order_id=bought.order_id,
        payer_id=intent.payer_id,
        payee_id=intent.payee_id,
        payee_name=intent.payee_name,
        amount_fen=intent.amount_fen,
        fee_fen=intent.fee_fen,
        level=verdict.verdict.level,
        status="posted",
        refusal_code="",
        event_at=bought.event_at,
        created_at=posted.posted_at,
        posted_at=posted.posted_at,
        journal_seq=posted.journal_seq,
        payer_name=masked(shop.payers[bought.payer][1]),
        owner_id=shop.seat.owner_id,
        note=bought.note,
        intent=msgspec.msgpack.encode(intent),
        verdict=msgspec.msgpack.encode(verdict),
        refusal=None,
        deadline_at=posted.posted_at,
    )


def _refund(
    shop: Shop, entry: Entry, verdict: SignedVerdict | None, posted: Posted | None
) -> tuple[RefundRow, Sale]:
    assert entry.told is not None, "a refund moves money"
    assert entry.back_at is not None, "at its moment"
    assert posted is not None, "and was posted"
    bought, intent = entry.bought, entry.told.intent
    row = RefundRow(
        refund_id=bought.refund_id,
        payment_id=bought.payment_id,
        order_id=bought.order_id,
        shop_id=shop.seat.shop_id,
        payer_id=intent.payee_id,
        actor_id=shop.seat.person_id,
        amount_fen=intent.amount_fen,
        fee_fen=intent.fee_fen,
        reason=REASONS[bought.till % len(REASONS)],
        reversal=False,
        status="posted",
        refusal_code="",
        created_at=entry.back_at,
        posted_at=entry.back_at,
        journal_seq=posted.journal_seq,
        intent=msgspec.msgpack.encode(intent),
        verdict=msgspec.msgpack.encode(verdict),
        refusal=None,
        deadline_at=posted.posted_at,
    )
    paid = msgspec.structs.replace(entry, told=payment_of(shop, bought).told)
    payment = _payment(shop, paid, verdict, posted)
    assert payment is not None, "only what was paid is refunded"
    [line] = refunded(_order(shop, entry), payment, msgspec.convert(_seen(row), Refund))
    return row, line


def _seen(row: RefundRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in Refund.__struct_fields__}
