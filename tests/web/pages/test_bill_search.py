"""Bills are found by their address, labelled by their reader, and taken along as files."""

import csv
import io

import pypdfium2  # type: ignore[import-untyped]
import pytest

from backend import ids
from backend.bills import Bill, Label, Refunded, search
from backend.capitals import capitals
from backend.db import TX
from tests.web.pages.conftest import Enter, Guest
from tests.web.pages.test_bills import HOSTILE, record
from tests.world import World
from web.bill_list import PAGE_SIZE


async def one(world: World, guest: Guest, **changes: object) -> Bill:
    [made] = await record(world, guest, 1, **changes)
    return made


async def of_kind(world: World, guest: Guest, kind: str, direction: str) -> Bill:
    made = Bill(
        person_id=guest.wallet.person_id,
        bill_id=ids.new("pay"),
        kind=kind,
        direction=direction,
        counterparty="*明",
        amount_fen=123_45,
        status="succeeded",
        method="balance",
        order_id=ids.new("ord"),
        event_at=world.clock.now(),
        settled_at=world.clock.now(),
    )
    async with TX.transaction():
        await world.services.bills.record((made,))
    return made


async def test_what_is_looked_for_comes_and_the_rest_does_not(enter: Enter, world: World) -> None:
    guest = await enter()
    noodles = await one(world, guest, counterparty="老王面馆", note="两碗")
    other = await one(world, guest, counterparty="国强五金")
    for query in ("?q=老王", "?q=两碗", f"?q={noodles.bill_id}"):
        text = (await guest.see(f"/bills{query}")).text
        assert noodles.bill_id in text
        assert other.bill_id not in text.replace(f'value="{noodles.bill_id}"', "")
    await world.services.bills.label(
        guest.wallet.person_id, Label(bill_id=other.bill_id, category="home", note="水龙头")
    )
    for query in ("?category=home", "?q=水龙头"):
        text = (await guest.see(f"/bills{query}")).text
        assert other.bill_id in text
        assert noodles.bill_id not in text
    nothing = (await guest.see("/bills?kind=topup&status=refused")).text
    assert "Nothing found" in nothing


async def test_month_heads_come_to_what_the_filter_lets_through(enter: Enter, world: World) -> None:
    guest = await enter()
    for kind in ("payment", "transfer"):
        await of_kind(world, guest, kind, "out")
    assert "¥246.90" in (await guest.see("/bills")).text
    filtered = (await guest.see("/bills?kind=payment")).text
    assert filtered.count("<dt>Out</dt>") == 1
    assert "¥246.90" not in filtered
    assert "¥123.45" in filtered.split('class="month"')[1].split("</dl>")[0]


async def test_pages_keep_the_filter(enter: Enter, world: World) -> None:
    guest = await enter()
    made = await record(world, guest, PAGE_SIZE + 3, counterparty="面馆")
    await record(world, guest, 3, counterparty="五金")
    first = (await guest.see("/bills?q=面馆&direction=out")).text
    link = first.split('class="pager"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    assert "direction=out" in link
    second = await guest.part(link)
    shown = [bill for bill in made if f"/bills/{bill.bill_id}" in first + second.text]
    assert len(shown) == len(made)
    assert "五金" not in first + second.text
    assert f"/bills/{made[0].bill_id}?q=" in first  # and the bill leads back to the same list
    beside = (await guest.see(f"/bills/{made[0].bill_id}?q=面馆")).text
    assert "五金" not in beside


async def test_a_search_that_has_looked_far_enough_goes_on(
    enter: Enter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 5)
    guest = await enter()
    made = await record(world, guest, 8)
    found = await guest.see(f"/bills?q={made[7].counterparty}")
    assert "Search older bills" in found.text
    link = found.text.split('class="pager"')[1].split('href="')[1].split('"')[0]
    assert made[7].bill_id in (await guest.see(link.replace("&amp;", "&"))).text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("min=abc", "Enter an amount"),
        ("min=-1", "Enter an amount"),
        ("max=0", "Enter an amount"),
        ("from=2026-13-45", "Choose a day."),
        ("to=0001-01-01", "Choose a day."),
        ("from=2026-02-02&to=2026-02-01", "The end is before the beginning."),
        ("min=5&max=4", "The larger amount comes second."),
    ],
)
async def test_what_is_wrong_is_told(enter: Enter, query: str, said: str) -> None:
    guest = await enter()
    answer = await guest.see(f"/bills?{query}")
    assert answer.status_code == 200
    assert said in answer.text
    assert (await guest.see(f"/bills.csv?{query}")).status_code == 400  # no file of too much


@pytest.mark.parametrize(
    "query", ["kind=zzz&status='&direction=up&category=%00", "q=%00", "q=" + "x" * 500, "kind="]
)
async def test_nonsense_asks_nothing(enter: Enter, world: World, query: str) -> None:
    guest = await enter()
    bill = await one(world, guest, counterparty="x" * 64)
    answer = await guest.see(f"/bills?{query}")
    assert answer.status_code == 200
    assert bill.bill_id in answer.text


async def test_what_people_typed_is_text(enter: Enter, world: World) -> None:
    guest = await enter()
    bill = await one(world, guest, counterparty=HOSTILE)
    await world.services.bills.label(
        guest.wallet.person_id, Label(bill_id=bill.bill_id, note=HOSTILE)
    )
    for path in ("/bills", f"/bills/{bill.bill_id}", "/bills?q=%3Cimg%20src=x"):
        assert "<img src=x" not in (await guest.see(path)).text


async def test_a_label_is_kept_and_shown(enter: Enter, world: World) -> None:
    guest = await enter()
    bill = await one(world, guest, note="付款人的话")
    action = f"/bills/{bill.bill_id}/label"
    await guest.see(f"/bills/{bill.bill_id}")
    answer = await guest.tap(action, {"category": "food", "own_note": " 和妈妈 "})
    assert answer.status_code == 200
    for path in ("/bills", f"/bills/{bill.bill_id}"):
        text = (await guest.see(path)).text
        assert "和妈妈" in text
        assert "Food" in text
        assert "付款人的话" in text
    await guest.see(f"/bills/{bill.bill_id}")
    await guest.tap(action, {"category": "", "own_note": ""})
    assert await world.services.bills.labels(guest.wallet.person_id, (bill.bill_id,)) == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"category": "zzz", "own_note": ""}, "Choose one of the categories."),
        ({"category": "", "own_note": "x" * 201}, "A note is one line"),
        ({"category": "", "own_note": "a\u202eb"}, "A note is one line"),
    ],
)
async def test_a_bad_label_is_told_at_its_field(
    enter: Enter, world: World, fields: dict[str, str], said: str
) -> None:
    guest = await enter()
    bill = await one(world, guest)
    await guest.see(f"/bills/{bill.bill_id}")
    answer = await guest.tap(f"/bills/{bill.bill_id}/label", fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert await world.services.bills.labels(guest.wallet.person_id, (bill.bill_id,)) == ()


async def test_others_bills_have_nothing_for_me(enter: Enter, world: World) -> None:
    mine, other = await enter(), await enter()
    bill = await one(world, mine)
    assert (await other.see(f"/bills/{bill.bill_id}/receipt.pdf")).status_code == 404
    await other.see("/bills")
    token = other.browser.form("/language").fields["_csrf_token"]
    answer = await other.browser.client.post(
        f"/bills/{bill.bill_id}/label",
        data={"_csrf_token": token, "category": "food", "own_note": ""},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 404
    assert bill.bill_id not in (await other.see("/bills.csv")).text


async def test_the_file_has_what_the_address_asks_for(enter: Enter, world: World) -> None:
    guest = await enter()
    await world.services.identity.set_language(guest.wallet.person_id, "zh-CN")
    formula = await one(world, guest, counterparty="=1+1", note="+86")
    await of_kind(world, guest, "packet_in", "in")
    whole = await guest.see("/bills.csv")
    assert whole.headers["content-disposition"] == 'attachment; filename="bills.csv"'
    assert whole.text.startswith("\ufeff时间,")
    rows = list(csv.reader(io.StringIO(whole.text.removeprefix("\ufeff"))))
    assert len(rows) == 3
    assert {row[2] for row in rows[1:]} == {"付款", "收到红包"}
    assert "'=1+1" in whole.text
    assert "'+86" in whole.text
    part = await guest.see("/bills.csv?kind=payment")
    [row] = list(csv.reader(io.StringIO(part.text)))[1:]
    assert (row[5], row[6], row[14]) == ("1.00", "100", formula.bill_id)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_a_record_as_pdf(enter: Enter, world: World, language: str) -> None:
    guest = await enter()
    await world.services.identity.set_language(guest.wallet.person_id, language)
    bill = await of_kind(world, guest, "transfer", "out")
    assert "receipt.pdf" in (await guest.see(f"/bills/{bill.bill_id}")).text
    answer = await guest.see(f"/bills/{bill.bill_id}/receipt.pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    text = read(answer.content)
    assert capitals(123_45) in text
    for part in (bill.bill_id, bill.order_id, "¥123.45", "*明"):
        assert part in text
    assert ("电子签章" if language == "zh-CN" else "is no invoice") in text


@pytest.mark.parametrize("status", ["pending", "refused"])
async def test_what_is_not_done_has_no_record(enter: Enter, world: World, status: str) -> None:
    guest = await enter()
    made = Bill(
        person_id=guest.wallet.person_id,
        bill_id=ids.new("pay"),
        kind="payment",
        direction="out",
        counterparty="面馆",
        amount_fen=1_00,
        status=status,
        event_at=world.clock.now(),
        refusal_code="order_expired" if status == "refused" else "",
    )
    async with TX.transaction():
        await world.services.bills.record((made,))
    assert "receipt.pdf" not in (await guest.see(f"/bills/{made.bill_id}")).text
    assert (await guest.see(f"/bills/{made.bill_id}/receipt.pdf")).status_code == 404


async def test_every_kind_has_its_page_and_record(enter: Enter, world: World) -> None:
    guest = await enter()
    steps = {
        ("packet_in", "in"): "Opened; it is in your balance",
        ("packet_out", "out"): "Red packet sent",
        ("packet_return", "in"): "Back in the balance",
        ("topup", "in"): "Arrived",
        ("income", "in"): "Money received",
        ("transfer", "in"): "received",
        ("payment", "out"): "Paid; the payee has it",
    }
    for kind, direction in steps:
        bill = await of_kind(world, guest, kind, direction)
        page = await guest.see(f"/bills/{bill.bill_id}")
        assert page.status_code == 200
        assert bill.order_id in page.text
        for key in ("step.", "bill_kind.", "bill_category.", "method."):
            assert f">{key}" not in page.text
        assert (await guest.see(f"/bills/{bill.bill_id}/receipt.pdf")).status_code == 200
        freeze = f"/freeze?payment={bill.bill_id}" in page.text
        assert freeze == (direction == "out")


async def test_a_refund_is_on_the_record(enter: Enter, world: World) -> None:
    guest = await enter()
    bill = await of_kind(world, guest, "payment", "out")
    async with TX.transaction():
        await world.services.bills.refund(
            Refunded(
                bill_id=bill.bill_id,
                person_ids=(guest.wallet.person_id,),
                amount_fen=23_45,
                at=world.clock.now(),
            )
        )
    text = read((await guest.see(f"/bills/{bill.bill_id}/receipt.pdf")).content)
    assert "¥23.45" in text
    assert "¥100.00" in text
    assert bill.bill_id in (await guest.see("/bills?status=refunded")).text


def read(pdf: bytes) -> str:
    """The text of a PDF, line breaks left out."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        text = "".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()
    return text.replace("\r\n", "").replace("\n", "")
