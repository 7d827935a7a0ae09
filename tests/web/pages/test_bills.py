"""Bills by month and day, page by page, and one in full beside the list."""

from datetime import timedelta

from backend import ids
from backend.bills import Bill
from backend.db import TX
from backend.receipt import verify
from tests.web.browser import PARTIAL
from tests.web.pages.conftest import Enter, Guest, Till, code_path
from tests.world import World
from web.bill_list import PAGE_SIZE

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


async def record(world: World, guest: Guest, count: int, **changes: object) -> list[Bill]:
    """Bills of somebody, one an hour, newest first."""
    made = [
        Bill(
            person_id=guest.wallet.person_id,
            bill_id=ids.new("pay"),
            kind="payment",
            direction="out",
            counterparty=str(changes.get("counterparty", f"店 {n}")),
            amount_fen=100 + n,
            status="succeeded",
            method="C",
            note=str(changes.get("note", "")),
            event_at=world.clock.now() - timedelta(hours=n),
        )
        for n in range(count)
    ]
    async with TX.transaction():
        await world.services.bills.record(tuple(made))
    return made


async def test_an_empty_list_says_what_to_do(enter: Enter) -> None:
    guest = await enter()
    assert "/topups/new" in (await guest.see("/bills")).text


async def test_pages_follow_each_other_without_loss(enter: Enter, world: World) -> None:
    guest = await enter()
    made = await record(world, guest, PAGE_SIZE + 5)
    first = await guest.see("/bills")
    link = first.text.split('class="pager"')[1].split('href="')[1].split('"')[0]
    link = link.replace("&amp;", "&")
    part, page = await guest.part(link), await guest.see(link)
    assert part.status_code == page.status_code == 200
    for bill in made:
        shown = first.text if made.index(bill) < PAGE_SIZE else part.text
        assert f"/bills/{bill.bill_id}" in shown
    assert "<html" not in part.text
    assert 'class="pager"' not in part.text  # the end
    assert page.text.startswith("<!doctype html>")  # the plain link works without htmx


async def test_a_month_s_head_is_drawn_once(enter: Enter, world: World) -> None:
    guest = await enter()
    await record(world, guest, PAGE_SIZE + 1)
    first = await guest.see("/bills")
    link = first.text.split('class="pager"')[1].split('href="')[1].split('"')[0]
    last_month = link.split("after=")[1]
    assert f"{last_month[:4]}" in first.text
    part = await guest.part(link.replace("&amp;", "&"))
    heads = part.text.count('class="month"')
    crossed = (world.clock.now() - timedelta(hours=PAGE_SIZE)).strftime("%Y-%m") != last_month
    assert heads == (1 if crossed else 0)


async def test_a_bill_is_a_part_beside_the_list(enter: Enter, world: World) -> None:
    guest = await enter()
    [bill] = await record(world, guest, 1)
    part = await guest.part(f"/bills/{bill.bill_id}")
    assert part.text.lstrip().startswith("<article")
    page = await guest.see(f"/bills/{bill.bill_id}")
    assert 'aria-current="true"' in page.text
    assert bill.bill_id in page.text


async def test_both_sides_have_both_numbers(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    await payer.tap("/payments")
    payment_id = payer.browser.page.url.path.removeprefix("/payments/")
    for guest in (payer, till.owner):
        text = (await guest.part(f"/bills/{payment_id}")).text
        assert payment_id in text
        assert order.order_id in text


async def test_a_foreign_cursor_is_refused(enter: Enter) -> None:
    guest = await enter()
    assert (await guest.see("/bills?cursor=rubbish")).status_code == 400


async def test_names_and_notes_are_text_only(enter: Enter, world: World) -> None:
    guest = await enter(name=HOSTILE[:32])
    [bill] = await record(world, guest, 1, counterparty=HOSTILE, note=HOSTILE)
    for path in ("/", "/bills", f"/bills/{bill.bill_id}"):
        for headers in ({}, PARTIAL):
            text = (await guest.browser.open(path, **headers)).text
            assert "<img" not in text
            assert "hx-ignore" in text


async def test_the_signed_receipt_stands_beside_the_record(
    enter: Enter, till: Till, world: World
) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    payment_id = (await payer.tap("/payments")).url.path.removeprefix("/payments/")
    page = (await payer.see(f"/bills/{payment_id}")).text
    assert f'href="/bills/{payment_id}/receipt.json"' in page
    answer = await payer.see(f"/bills/{payment_id}/receipt.json")
    assert "attachment" in answer.headers["content-disposition"]
    published = await payer.see("/receipt-keys.json")
    known = {name: bytes.fromhex(key) for name, key in published.json().items()}
    assert verify(answer.content, known).id == payment_id
    stranger = await enter()
    assert (await stranger.see(f"/bills/{payment_id}/receipt.json")).status_code == 404
