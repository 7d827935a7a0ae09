"""Personal receive codes, and the orders that come of them."""

from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.ids import is_id
from backend.payments import (
    AmountChanged,
    NewReceiveCode,
    OpenOrder,
    OpenReceived,
    Order,
    OwnCode,
    ReceiveCode,
    TooManyReceiveCodes,
)
from backend.payments.intents import person_account
from backend.payments.orders import Orders
from backend.payments.parts import Parts
from backend.payments.rules import masked
from backend.risk import PayeeFrozen

MAX_CODES = 100  # with an amount or a note, of one person
MAX_CODES_TIME = timedelta(days=1)

_CODE = "code_id, person_id, amount_fen, note"


class _Row(msgspec.Struct, frozen=True):
    code_id: str
    person_id: str
    amount_fen: int | None
    note: str


class Receiving:
    def __init__(self, parts: Parts, orders: Orders) -> None:
        self._parts, self._orders = parts, orders

    async def new_code(self, new: NewReceiveCode) -> ReceiveCode:
        if not is_id(new.code_id, "rcv"):
            raise BadRequest()
        plain = new.amount_fen is None and not new.note
        row = await self._plain(new) if plain else await self._with_amount(new)
        return await self._as_seen(row)

    async def code(self, code_id: str) -> ReceiveCode:
        return await self._as_seen(await _find(code_id))

    async def open(self, opened: OpenReceived) -> Order:
        code = await _find(opened.code_id)
        if code.person_id == opened.payer_id:
            raise OwnCode()
        if code.amount_fen not in (None, opened.amount_fen):
            raise AmountChanged()
        if await _frozen(code.person_id):
            raise PayeeFrozen()
        payee = await self._parts.identity.person(code.person_id)
        return await self._orders.open_order(
            OpenOrder(
                order_id=opened.order_id,
                payee_id=code.person_id,
                owner_id=code.person_id,
                payee_name=masked(payee.display_name),
                amount_fen=opened.amount_fen,
                note=code.note,
                code="static" if code.amount_fen is None else "dynamic",
                opened_by=opened.payer_id,
                payer_id=opened.payer_id,
            )
        )

    async def _plain(self, new: NewReceiveCode) -> _Row:
        """A person's first one stays the only one."""
        await _insert(new, self._parts.clock.now())
        [row] = await TX.query_as(
            _Row,
            f"select {_CODE} from payments.receive_code"  # noqa: S608
            " where person_id = $1 and amount_fen is null and note = ''",
            new.person_id,
        )
        return row

    async def _with_amount(self, new: NewReceiveCode) -> _Row:
        now = self._parts.clock.now()
        async with TX.transaction():
            # One after the other, so that all are counted.
            await TX.query(
                "select pg_advisory_xact_lock(hashtextextended('receive code ' || $1, 0))",
                new.person_id,
            )
            [made] = await TX.query(
                "select count(*) from payments.receive_code"
                " where person_id = $1 and created_at > $2 and code_id <> $3"
                " and (amount_fen is not null or note <> '')",
                new.person_id,
                now - MAX_CODES_TIME,
                new.code_id,
            )
            if made["count"] >= MAX_CODES:
                raise TooManyReceiveCodes(limit=MAX_CODES)
            await _insert(new, now)
        row = await _find(new.code_id)
        if row != _Row(new.code_id, new.person_id, new.amount_fen, new.note):
            raise IdReused()
        return row

    async def _as_seen(self, row: _Row) -> ReceiveCode:
        person = await self._parts.identity.person(row.person_id)
        return ReceiveCode(
            code_id=row.code_id,
            person_id=row.person_id,
            name=masked(person.display_name),
            amount_fen=row.amount_fen,
            note=row.note,
        )


async def _find(code_id: str) -> _Row:
    """Refuses: NotFound."""
    row = await TX.one(
        _Row,
        f"select {_CODE} from payments.receive_code where code_id = $1",  # noqa: S608
        code_id,
    )
    if row is None:
        raise NotFound()
    return row


async def _insert(new: NewReceiveCode, now: datetime) -> None:
    await TX.query(
        "insert into payments.receive_code (code_id, person_id, amount_fen, note, created_at)"
        " values ($1, $2, $3, $4, $5) on conflict do nothing",
        new.code_id,
        new.person_id,
        new.amount_fen,
        new.note,
        now,
    )


async def _frozen(person_id: str) -> bool:
    """As far as the transaction system knows; risk and the ledger look again when money moves."""
    rows = await TX.query(
        "select frozen from payments.account where account_id = $1", person_account(person_id)
    )
    return bool(rows) and rows[0]["frozen"]
