"""Finding bills: what is asked is what comes, and of one person only."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from backend import ids
from backend.bills import Bill, BillFilter, Label, Refunded, search
from backend.bills.service import BillsService
from backend.bills.sums import ZONE
from backend.db import TX
from backend.errors import BadRequest, NotFound
from tests.bills.test_service import ANNA, BORIS, NOON, bill, bills, record

__all__ = ["bills"]  # the fixture

NOODLES = bill(counterparty="老王面馆", note="两碗", amount_fen=46_00, order_id=ids.new("ord"))
FRIEND = bill(
    kind="transfer", counterparty="*Ming", amount_fen=1_00, event_at=NOON - timedelta(days=1)
)
TOPUP = bill(
    bill_id=ids.new("top"),
    kind="topup",
    direction="in",
    counterparty="招商银行",
    amount_fen=500_00,
    event_at=NOON - timedelta(days=40),
)
FAILED = bill(status="refused", refusal_code="order_expired", event_at=NOON - timedelta(days=2))
PACKET = bill(kind="packet_in", direction="in", counterparty="100%_\\", amount_fen=46_00)
ALL = (NOODLES, FRIEND, TOPUP, FAILED, PACKET)


@pytest.fixture
async def filled(bills: BillsService) -> BillsService:
    await record(bills, *ALL, bill(person_id=BORIS, bill_id=NOODLES.bill_id, note="两碗"))
    return bills


async def found(bills: BillsService, **wanted: object) -> set[str]:
    page = await bills.search(BillFilter(person_id=ANNA, **wanted), "", 100)  # type: ignore[arg-type]
    assert page.next_cursor == ""
    return {b.bill_id for b in page.bills}


@pytest.mark.parametrize(
    ("wanted", "comes"),
    [
        ({}, ALL),
        ({"kind": "transfer"}, (FRIEND,)),
        ({"direction": "in"}, (TOPUP, PACKET)),
        ({"status": "refused"}, (FAILED,)),
        ({"status": "succeeded"}, (NOODLES, FRIEND, TOPUP, PACKET)),
        ({"status": "pending"}, ()),
        ({"status": "refunded"}, ()),
        ({"min_fen": 46_00}, (NOODLES, TOPUP, PACKET)),
        ({"min_fen": 46_00, "max_fen": 46_00, "direction": "out"}, (NOODLES,)),
        ({"since": NOON - timedelta(days=1)}, (NOODLES, FRIEND, PACKET)),
        ({"until": NOON - timedelta(days=1)}, (TOPUP, FAILED)),
        ({"text": "王面"}, (NOODLES,)),
        ({"text": "两碗"}, (NOODLES,)),
        ({"text": "mING"}, (FRIEND,)),
        ({"text": "%"}, (PACKET,)),
        ({"text": "_"}, (PACKET,)),
        ({"text": "\\"}, (PACKET,)),
        ({"text": "'; drop table bills.bill --"}, ()),
        ({"text": NOODLES.bill_id}, (NOODLES,)),
        ({"text": NOODLES.order_id}, (NOODLES,)),
        ({"text": ids.new("pay")}, ()),
        ({"kind": "topup", "text": "银行", "min_fen": 1}, (TOPUP,)),
    ],
)
async def test_what_is_asked_comes(
    filled: BillsService, wanted: dict[str, object], comes: tuple[Bill, ...]
) -> None:
    assert await found(filled, **wanted) == {b.bill_id for b in comes}


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "nonsense"},
        {"direction": "up"},
        {"status": "'"},
        {"category": "x"},
        {"text": "a" * 65},
        {"text": "a\x00b"},
    ],
)
async def test_nonsense_is_refused(filled: BillsService, wanted: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        await found(filled, **wanted)
    with pytest.raises(BadRequest):
        async for _ in filled.stream(BillFilter(person_id=ANNA, **wanted)):  # type: ignore[arg-type]
            pass


async def test_labels_are_mine_and_can_be_changed(filled: BillsService) -> None:
    await filled.label(ANNA, Label(bill_id=NOODLES.bill_id, category="food", note="和妈妈"))
    assert await found(filled, category="food") == {NOODLES.bill_id}
    assert await found(filled, category="food", direction="in") == set()
    assert await found(filled, category="work") == set()
    assert await found(filled, text="妈妈") == {NOODLES.bill_id}
    assert await filled.labels(BORIS, (NOODLES.bill_id,)) == ()
    # The other side, and the note of who paid, stay as they are.
    assert (await filled.bill(BORIS, NOODLES.bill_id)).note == "两碗"
    assert await filled.bill(ANNA, NOODLES.bill_id) == NOODLES

    await filled.label(ANNA, Label(bill_id=NOODLES.bill_id, category="work"))
    assert await found(filled, category="food") == set()
    assert await found(filled, text="妈妈") == set()
    [kept] = await filled.labels(ANNA, (NOODLES.bill_id, FRIEND.bill_id))
    assert kept == Label(bill_id=NOODLES.bill_id, category="work")
    await filled.label(ANNA, Label(bill_id=NOODLES.bill_id))
    assert await filled.labels(ANNA, (NOODLES.bill_id,)) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"category": "nonsense"},
        {"note": "x" * 201},
        {"note": "a\nb"},
        {"note": "\x00"},
        {"note": "\u202e"},
    ],
)
async def test_bad_labels_are_refused(filled: BillsService, change: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        await filled.label(ANNA, Label(bill_id=NOODLES.bill_id, **change))
    assert await filled.labels(ANNA, (NOODLES.bill_id,)) == ()


async def test_what_is_not_mine_gets_no_label(filled: BillsService) -> None:
    for person_id, bill_id in ((BORIS, FRIEND.bill_id), (ANNA, "pay_none"), (ANNA, "")):
        with pytest.raises(NotFound):
            await filled.label(person_id, Label(bill_id=bill_id, category="food"))


async def test_the_database_wants_a_bill_behind_a_label(filled: BillsService) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await TX.query("insert into bills.label values ($1, 'pay_none', 'food', '', now())", ANNA)


async def test_pages_of_a_search_are_complete(
    bills: BillsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a page stops before it is full, because it has looked at enough."""
    monkeypatch.setattr(search, "LOOKED_AT", 7)
    made = [
        bill(note="稀客" if n % 20 == 0 else "", event_at=NOON - timedelta(minutes=n))
        for n in range(100)
    ]
    await record(bills, *made)
    wanted, cursor, read = BillFilter(person_id=ANNA, text="稀客"), "", list[str]()
    short = 0
    while True:
        page = await bills.search(wanted, cursor, 3)
        read += [b.bill_id for b in page.bills]
        assert (page.looked_to is not None) == bool(page.next_cursor and len(page.bills) < 3)
        short += page.looked_to is not None
        cursor = page.next_cursor
        if not cursor:
            break
    assert read == [b.bill_id for b in made[::20]]
    assert short > 5
    streamed = [b.bill_id async for piece in bills.stream(wanted) for b in piece]
    assert streamed == read


async def test_a_cursor_belongs_to_one_person(bills: BillsService) -> None:
    await record(bills, bill(), bill())
    page = await bills.search(BillFilter(person_id=ANNA, kind="payment"), "", 1)
    with pytest.raises(BadRequest):
        await bills.search(BillFilter(person_id=BORIS), page.next_cursor, 1)
    with pytest.raises(BadRequest):
        await bills.search(BillFilter(person_id=ANNA), "garbage", 1)


def test_a_filter_says_whether_it_narrows() -> None:
    assert not BillFilter(person_id=ANNA).narrows
    assert BillFilter(person_id=ANNA, since=datetime(2026, 1, 1, tzinfo=UTC)).narrows


async def test_months_come_to_what_the_filter_lets_through(filled: BillsService) -> None:
    async def sums(**wanted: object) -> dict[str, tuple[int, int]]:
        asked = BillFilter(person_id=ANNA, **wanted)  # type: ignore[arg-type]
        months = tuple(sorted({f"{b.event_at.astimezone(ZONE):%Y-%m}" for b in ALL}))
        return {s.month: (s.in_fen, s.out_fen) for s in await filled.sums(asked, months)}

    this, before = (f"{b.event_at.astimezone(ZONE):%Y-%m}" for b in (NOODLES, TOPUP))
    assert await sums() == {this: (46_00, 47_00), before: (500_00, 0)}
    assert await sums(kind="transfer") == {this: (0, 1_00), before: (0, 0)}
    assert await sums(text="老王") == {this: (0, 46_00), before: (0, 0)}
    assert await sums(status="refused") == {this: (0, 0), before: (0, 0)}  # nothing moved
    assert (await sums(since=NOON))[this] == (46_00, 46_00)
    assert (await sums(until=NOON))[this] == (0, 1_00)

    back = Refunded(bill_id=NOODLES.bill_id, person_ids=(ANNA,), amount_fen=6_00, at=NOON)
    async with TX.transaction():
        await filled.refund(back)
    assert (await sums(text="老王"))[this] == (0, 40_00)
    await filled.label(ANNA, Label(bill_id=NOODLES.bill_id, category="food"))
    assert (await sums(category="food"))[this] == (0, 40_00)


async def test_a_month_of_too_many_bills_has_no_sum(
    filled: BillsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 3)
    this, before = (f"{b.event_at.astimezone(ZONE):%Y-%m}" for b in (NOODLES, TOPUP))
    found = await filled.sums(BillFilter(person_id=ANNA, min_fen=1), (this, before))
    assert [one.month for one in found] == [before]
    for months in (("2026-13",), ("x",), tuple("2026-01" for _ in range(99))):
        with pytest.raises(BadRequest):
            await filled.sums(BillFilter(person_id=ANNA), months)
