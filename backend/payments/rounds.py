"""What many payers do in the same moment is written together: one transaction for all who wait.

Only the plain case is: the order is where this payment needs it, and nobody else has hold of it.
Whatever is not plain comes back as None and goes its way alone, by the rules of `claim` and
`driver`. The same locks, checks and states hold here; a round that one of them fails is tried in
halves.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.errors import DomainError
from backend.ledger import Posted
from backend.payments.aftermath import record_posted
from backend.payments.many import (
    claim_orders,
    find_orders,
    find_payments,
    insert_payments,
    lock_orders,
    move_payments,
    pay_orders,
)
from backend.payments.parts import Parts
from backend.payments.records import OrderRow, PaymentMove, PaymentRow
from backend.payments.rules import check_payable, driven_on_at
from backend.together import Together
from backend.verdict import SignedVerdict

MOST = 100  # in one transaction


class _Claim(msgspec.Struct, frozen=True):
    row: PaymentRow
    life: timedelta


class _Leave(msgspec.Struct, frozen=True):
    row: PaymentRow
    verdict: SignedVerdict


class _Done(msgspec.Struct, frozen=True):
    row: PaymentRow
    posted: Posted


class _NotPlain(Exception):
    """Something that the locks should have kept still has moved: nothing of this is written."""


class Rounds:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._find = Together[str, OrderRow | None](find_orders, MOST)
        self._known = Together[str, PaymentRow | None](find_payments, MOST)
        self._claim = Together[_Claim, PaymentRow | None](self._claim_all, MOST)
        self._renew = Together[_Claim, PaymentRow | None](self._renew_all, MOST)
        self._keep = Together[_Leave, PaymentRow | None](self._keep_all, MOST)
        self._finish = Together[_Done, PaymentRow | None](self._finish_all, MOST)

    async def order(self, order_id: str) -> OrderRow | None:
        return await self._find.do(order_id)

    async def payment(self, payment_id: str) -> PaymentRow | None:
        return await self._known.do(payment_id)

    async def claim(self, row: PaymentRow, life: timedelta) -> PaymentRow | None:
        """A new payment stored, its open order claimed by it."""
        return await self._claim.do(_Claim(row, life))

    async def renew(self, row: PaymentRow, life: timedelta) -> PaymentRow | None:
        """A payment that has its order claims it anew."""
        return await self._renew.do(_Claim(row, life))

    async def keep(self, row: PaymentRow, verdict: SignedVerdict) -> PaymentRow | None:
        """created → authorized, with the verdict."""
        return await self._keep.do(_Leave(row, verdict))

    async def finish(self, row: PaymentRow, posted: Posted) -> PaymentRow | None:
        """authorized → posted, its order paid, and everything that follows."""
        return await self._finish.do(_Done(row, posted))

    async def _claim_all(self, asked: Sequence[_Claim]) -> list[PaymentRow | None]:
        now = self._parts.clock.now()
        claims: dict[str, PaymentRow] = {}
        async with TX.transaction(by_key=True):
            orders = await lock_orders([each.row.order_id for each in asked], "open")
            for each in asked:
                row, order = each.row, orders.get(each.row.order_id)
                if order is None or row.payment_id in claims or order.code == "shown":
                    continue
                if _payable(order, None, row, now):
                    claims[row.payment_id] = msgspec.structs.replace(
                        row, deadline_at=now + each.life
                    )
                    del orders[order.order_id]  # the first of several has it
            new = await insert_payments(list(claims.values())) if claims else set()
            if new:
                await claim_orders([r for r in claims.values() if r.payment_id in new], "open")
        return [_own(claims, each.row) if each.row.payment_id in new else None for each in asked]

    async def _renew_all(self, asked: Sequence[_Claim]) -> list[PaymentRow | None]:
        now = self._parts.clock.now()
        moves: dict[str, PaymentMove] = {}
        async with TX.transaction(by_key=True):
            orders = await lock_orders([each.row.order_id for each in asked], "paying")
            for each in asked:
                row, order = each.row, orders.get(each.row.order_id)
                if order is None or order.payment_id != row.payment_id or order.code == "shown":
                    continue
                if _payable(order, row, row, now):
                    moves[row.payment_id] = PaymentMove(
                        leaves="created", enters="created", deadline_at=now + each.life
                    )
            moved = await move_payments(moves) if moves else {}
            if moved:
                await claim_orders(list(moved.values()), "paying")
        return [moved.get(each.row.payment_id) for each in asked]

    async def _keep_all(self, asked: Sequence[_Leave]) -> list[PaymentRow | None]:
        now = self._parts.clock.now()
        moves: dict[str, PaymentMove] = {}
        async with TX.transaction(by_key=True):
            orders = await lock_orders([each.row.order_id for each in asked], "paying")
            for each in asked:
                row, order = each.row, orders.get(each.row.order_id)
                if order is None or order.payment_id != row.payment_id:
                    continue
                if _payable(order, row, row, now):
                    moves[row.payment_id] = PaymentMove(
                        leaves="created",
                        enters="authorized",
                        verdict=each.verdict,
                        deadline_at=driven_on_at(order, each.verdict, now),
                    )
            moved = await move_payments(moves) if moves else {}
        return [moved.get(each.row.payment_id) for each in asked]

    async def _finish_all(self, asked: Sequence[_Done]) -> list[PaymentRow | None]:
        try:
            moved = await self._post_all({each.row.payment_id: each for each in asked})
        except _NotPlain:
            return [None for _ in asked]
        return [moved.get(each.row.payment_id) for each in asked]

    async def _post_all(self, asked: dict[str, _Done]) -> dict[str, PaymentRow]:
        now = self._parts.clock.now()
        rows = [each.row for each in asked.values()]
        async with TX.transaction(by_key=True):
            orders = await pay_orders(rows, now)
            moves = {
                row.payment_id: PaymentMove(
                    leaves="authorized",
                    enters="posted",
                    posted_at=asked[row.payment_id].posted.posted_at,
                    journal_seq=asked[row.payment_id].posted.journal_seq,
                )
                for row in rows
                if row.order_id in orders
            }
            moved = await move_payments(moves) if moves else {}
            if len(moved) != len(orders):
                raise _NotPlain
            if moved:
                pairs = [(row, orders[row.order_id]) for row in moved.values()]
                await record_posted(self._parts, pairs)
        return moved


def _payable(order: OrderRow, holder: PaymentRow | None, row: PaymentRow, now: datetime) -> bool:
    """Why not is for the way alone to say."""
    try:
        check_payable(order, holder, row.payer_id, row.payment_id, now)
    except DomainError:
        return False
    return True


def _own(claims: dict[str, PaymentRow], row: PaymentRow) -> PaymentRow | None:
    """Of two that brought one id, each gets what it brought itself, or nothing."""
    found = claims[row.payment_id]
    return found if found.intent == row.intent else None
