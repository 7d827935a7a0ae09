"""Bills on PostgreSQL."""

import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec

from backend.bills import (
    Bill,
    BillFilter,
    BillPage,
    Label,
    MonthSum,
    Refunded,
    labels,
    search,
    sums,
)
from backend.db import TX
from backend.errors import BadRequest, NotFound

MAX_MONTHS = 36
MONTH_SLOTS = 16  # rows per month's sum, so that a busy shop's bills don't wait for each other

_MONTH = re.compile(r"[1-9]\d{3}-(0[1-9]|1[0-2])", re.ASCII)
_COLUMNS = Bill.__struct_fields__
_TYPES = dict.fromkeys(("amount_fen", "fee_fen", "refunded_fen"), "bigint") | dict.fromkeys(
    ("event_at", "settled_at"), "timestamptz"
)

_SELECT = f"select {', '.join(_COLUMNS)} from bills.bill where person_id = $1"  # noqa: S608
_ARRAYS = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(_COLUMNS, 1))
# Rows go in by person, so that two bills between the same two people lock in the same order.
_RECORD = f"""
with put as (
    insert into bills.bill as b ({", ".join(_COLUMNS)})
    select * from unnest({_ARRAYS}) as given({", ".join(_COLUMNS)}) order by person_id, bill_id
    on conflict (person_id, bill_id) do update
    set status = excluded.status, method = excluded.method,
        settled_at = excluded.settled_at, refusal_code = excluded.refusal_code
    where b.status = 'pending'
    returning person_id, direction, amount_fen, status, event_at
)
insert into bills.month as m (person_id, month, slot, in_fen, out_fen)
select person_id, date_trunc('month', event_at at time zone 'Asia/Shanghai')::date,
    pg_backend_pid() % {MONTH_SLOTS},
    coalesce(sum(amount_fen) filter (where direction = 'in'), 0),
    coalesce(sum(amount_fen) filter (where direction = 'out'), 0)
from put where status = 'succeeded' group by 1, 2 order by 1, 2
on conflict (person_id, month, slot) do update
set in_fen = m.in_fen + excluded.in_fen, out_fen = m.out_fen + excluded.out_fen
"""  # noqa: S608

_REFUND = f"""
with back as (
    update bills.bill set refunded_fen = refunded_fen + $3
    where person_id = any($1) and bill_id = $2 and status = 'succeeded'
    returning person_id, direction
)
insert into bills.month as m (person_id, month, slot, in_fen, out_fen)
select person_id, date_trunc('month', $4::timestamptz at time zone 'Asia/Shanghai')::date,
    pg_backend_pid() % {MONTH_SLOTS},
    case direction when 'out' then $3 else 0 end, case direction when 'in' then $3 else 0 end
from back order by 1
on conflict (person_id, month, slot) do update
set in_fen = m.in_fen + excluded.in_fen, out_fen = m.out_fen + excluded.out_fen
"""  # noqa: S608


class BillsService:
    async def record(self, bills: tuple[Bill, ...]) -> None:
        assert TX.current_transaction.get(), "bills belong to the transaction of the change"
        rows = [msgspec.structs.astuple(bill) for bill in bills]
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        await TX.query(_RECORD, *columns)

    async def refund(self, refunded: Refunded) -> None:
        assert TX.current_transaction.get(), "bills belong to the transaction of the change"
        await TX.query(
            _REFUND,
            list(refunded.person_ids),
            refunded.bill_id,
            refunded.amount_fen,
            refunded.at,
        )

    async def page(self, person_id: str, cursor: str, limit: int) -> BillPage:
        return await search.page(BillFilter(person_id=person_id), cursor, limit)

    async def search(self, wanted: BillFilter, cursor: str, limit: int) -> BillPage:
        return await search.page(wanted, cursor, limit)

    def stream(self, wanted: BillFilter) -> AsyncIterator[tuple[Bill, ...]]:
        return search.stream(wanted)

    async def label(self, person_id: str, label: Label) -> None:
        await labels.put(person_id, label)

    async def labels(self, person_id: str, bill_ids: tuple[str, ...]) -> tuple[Label, ...]:
        return await labels.of(person_id, bill_ids)

    async def bill(self, person_id: str, bill_id: str) -> Bill:
        found = await TX.one(Bill, f"{_SELECT} and bill_id = $2", person_id, bill_id)
        if found is None:
            raise NotFound()
        return found

    async def sums(self, wanted: BillFilter, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
        _check_months(months)
        return await sums.of(wanted, months)

    async def months(self, person_id: str, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
        """One sum per month asked, in that order. Refuses: BadRequest."""
        _check_months(months)
        found = await TX.query_as(
            MonthSum,
            "select to_char(month, 'YYYY-MM') as month, sum(in_fen)::bigint as in_fen,"
            " sum(out_fen)::bigint as out_fen from bills.month"
            " where person_id = $1 and month = any($2::date[]) group by bills.month.month",
            person_id,
            [date.fromisoformat(f"{month}-01") for month in months],
        )
        by_month = {row.month: row for row in found}
        return tuple(by_month.get(m) or MonthSum(month=m, in_fen=0, out_fen=0) for m in months)


def _check_months(months: tuple[str, ...]) -> None:
    if len(months) > MAX_MONTHS or not all(_MONTH.fullmatch(month) for month in months):
        raise BadRequest()
