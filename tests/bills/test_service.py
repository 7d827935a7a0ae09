"""Bills: pages, sums, ownership."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.bills import Bill, Refunded
from backend.bills.service import BillsService
from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.settings import Settings

ANNA, BORIS = "usr_anna", "usr_boris"
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def bills(databases: Settings) -> BillsService:
    return BillsService()


def bill(**changes: object) -> Bill:
    plain = Bill(
        person_id=ANNA,
        bill_id=ids.new("pay"),
        kind="payment",
        direction="out",
        counterparty="面馆",
        amount_fen=23_00,
        status="succeeded",
        event_at=NOON,
    )
    return msgspec.structs.replace(plain, **changes)


async def record(bills: BillsService, *given: Bill) -> None:
    async with TX.transaction():
        await bills.record(given)


async def test_a_bill_is_written_with_the_change_or_not_at_all(bills: BillsService) -> None:
    with suppress(ZeroDivisionError):
        async with TX.transaction():
            await bills.record((bill(),))
            raise ZeroDivisionError
    assert (await bills.page(ANNA, "", 10)).bills == ()
    with pytest.raises(AssertionError):
        await bills.record((bill(),))


async def test_both_sides_share_the_number_and_nothing_else(bills: BillsService) -> None:
    out = bill()
    into = bill(person_id=BORIS, bill_id=out.bill_id, direction="in", kind="income", fee_fen=1)
    await record(bills, out, into)
    assert await bills.bill(ANNA, out.bill_id) == out
    assert await bills.bill(BORIS, out.bill_id) == into


async def test_what_is_not_mine_is_not_found(bills: BillsService) -> None:
    mine = bill()
    await record(bills, mine)
    with pytest.raises(NotFound):
        await bills.bill(BORIS, mine.bill_id)


async def test_only_a_pending_bill_moves_on(bills: BillsService) -> None:
    pending = bill(status="pending")
    done = msgspec.structs.replace(pending, status="succeeded", settled_at=NOON)
    undone = msgspec.structs.replace(pending, status="refused", refusal_code="order_expired")
    await record(bills, pending)
    await record(bills, pending)
    await record(bills, done)
    await record(bills, undone)
    await record(bills, pending)
    assert await bills.bill(ANNA, pending.bill_id) == done


async def test_the_database_keeps_what_has_ended(bills: BillsService) -> None:
    mine = bill()
    await record(bills, mine)
    for change in ("status = 'pending'", "amount_fen = 1"):
        with pytest.raises(asyncpg.RaiseError):
            await TX.query(f"update bills.bill set {change}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await TX.query("delete from bills.bill")


async def test_pages_are_complete_and_newest_first(bills: BillsService) -> None:
    # Three bills share each moment, so that the order within one matters.
    made = [bill(event_at=NOON + timedelta(microseconds=n // 3)) for n in range(20)]
    await record(bills, *made, bill(person_id=BORIS))
    read: list[Bill] = []
    cursor = ""
    while True:
        page = await bills.page(ANNA, cursor, 4)
        read += page.bills
        cursor = page.next_cursor
        if not cursor:
            break
    assert read == sorted(made, key=lambda b: (b.event_at, b.bill_id), reverse=True)


async def test_a_full_last_page_has_no_next(bills: BillsService) -> None:
    await record(bills, bill(), bill())
    page = await bills.page(ANNA, "", 2)
    assert (len(page.bills), page.next_cursor) == (2, "")


@pytest.mark.parametrize("limit", [0, -1, 101])
async def test_a_page_has_a_limit(bills: BillsService, limit: int) -> None:
    with pytest.raises(BadRequest):
        await bills.page(ANNA, "", limit)


async def test_a_foreign_cursor_is_refused(bills: BillsService) -> None:
    await record(bills, bill(), bill())
    cursor = (await bills.page(ANNA, "", 1)).next_cursor
    with pytest.raises(BadRequest):
        await bills.page(BORIS, cursor, 1)


async def test_months_are_those_of_shanghai(bills: BillsService) -> None:
    last_of_october = datetime(2026, 10, 31, 15, 59, tzinfo=UTC)
    first_of_november = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    await record(
        bills,
        bill(amount_fen=1, event_at=last_of_october),
        bill(amount_fen=10, event_at=first_of_november),
        bill(amount_fen=100, direction="in"),
        bill(amount_fen=1_000, status="refused"),
        bill(amount_fen=10_000, status="pending"),
        bill(amount_fen=100_000, person_id=BORIS),
    )
    december, november, october = await bills.months(ANNA, ("2026-12", "2026-11", "2026-10"))
    assert (december.in_fen, december.out_fen) == (0, 0)
    assert (november.in_fen, november.out_fen) == (100, 10)
    assert (october.in_fen, october.out_fen) == (0, 1)


async def test_a_bill_counts_once_when_it_succeeds(bills: BillsService) -> None:
    pending = bill(status="pending")
    done = msgspec.structs.replace(pending, status="succeeded")
    for step in (pending, done, done):
        await record(bills, step)
    [november] = await bills.months(ANNA, ("2026-11",))
    assert november.out_fen == pending.amount_fen


@pytest.mark.parametrize("month", ["2026-13", "26-01", "0000-01", "2026-1", "2026-11-01", "x"])
async def test_a_month_has_one_form(bills: BillsService, month: str) -> None:
    with pytest.raises(BadRequest):
        await bills.months(ANNA, (month,))


async def back(bills: BillsService, mine: Bill, amount_fen: int, at: datetime = NOON) -> None:
    people = (ANNA, BORIS)
    async with TX.transaction():
        await bills.refund(
            Refunded(bill_id=mine.bill_id, person_ids=people, amount_fen=amount_fen, at=at)
        )


async def test_what_went_back_is_on_both_bills_and_in_its_own_month(bills: BillsService) -> None:
    out = bill()
    into = bill(person_id=BORIS, bill_id=out.bill_id, direction="in", kind="income")
    await record(bills, out, into, bill())
    await back(bills, out, 3_00)
    await back(bills, out, 2_00, at=NOON + timedelta(days=30))
    assert (await bills.bill(ANNA, out.bill_id)).refunded_fen == 5_00
    assert (await bills.bill(BORIS, out.bill_id)).refunded_fen == 5_00
    months = ("2026-11", "2026-12")
    anna = [(m.in_fen, m.out_fen) for m in await bills.months(ANNA, months)]
    boris = [(m.in_fen, m.out_fen) for m in await bills.months(BORIS, months)]
    assert anna == [(3_00, 46_00), (2_00, 0)]
    assert boris == [(23_00, 3_00), (0, 2_00)]


async def test_the_database_gives_back_no_more_than_was_billed(bills: BillsService) -> None:
    mine = bill()
    await record(bills, mine)
    with pytest.raises(asyncpg.CheckViolationError, match="bill_refunded"):
        await back(bills, mine, 23_01)
    await back(bills, mine, 23_00)
    for change in ("refunded_fen = 0", "refunded_fen = 23_00, note = 'x'"):
        with pytest.raises(asyncpg.RaiseError):
            await TX.query(f"update bills.bill set {change}")


async def test_nothing_goes_back_of_what_never_succeeded(bills: BillsService) -> None:
    pending = bill(status="pending")
    await record(bills, pending)
    await back(bills, pending, 1_00)
    assert await bills.bill(ANNA, pending.bill_id) == pending
    with pytest.raises(AssertionError):
        await bills.refund(
            Refunded(bill_id=pending.bill_id, person_ids=(ANNA,), amount_fen=1, at=NOON)
        )
