"""Bills over the JSON face: pages, filters, months, one in full, the reader's marks."""

from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest

from backend import ids
from tests.mobile_api.conftest import Phones
from tests.mobile_api.money import open_shop, pay, points_at, refused, yuan
from tests.phone import Phone
from tests.world import World


async def pay_some(phone: Phone, world: World, *amounts: int) -> list[str]:
    """Payments to one shop, oldest first."""
    _, shop = await open_shop(world)
    made = []
    for amount in amounts:
        world.later(seconds=1)
        made.append((await pay(phone, await world.order(shop, amount))).json()["id"])
    return made


async def listed(phone: Phone, **asked: Any) -> list[str]:
    page = await phone.done(phone.get("/v1/bills", **asked))
    return [bill["id"] for bill in page["data"]]


async def test_page_by_page(phone: Phone, world: World) -> None:
    made = await pay_some(phone, world, 1_00, 2_00, 3_00)
    first = await phone.done(phone.get("/v1/bills", limit=2))
    assert [bill["id"] for bill in first["data"]] == made[:0:-1]
    assert first["has_more"]
    rest = await phone.done(phone.get("/v1/bills", limit=2, cursor=first["next_cursor"]))
    assert [bill["id"] for bill in rest["data"]] == made[:1]
    assert (rest["has_more"], rest["next_cursor"]) == (False, "")
    bill = rest["data"][0]
    assert (bill["kind"], bill["direction"], bill["amount"]) == ("payment", "out", yuan(1_00))
    assert (bill["counterparty"], bill["status"]) == ("老王面馆", "succeeded")
    assert bill["order"].startswith("ord_")


async def test_filters_as_in_the_web(phone: Phone, world: World) -> None:
    one, two = await pay_some(phone, world, 1_00, 200_00)
    assert await listed(phone, min=100_00) == [two]
    assert await listed(phone, max=100_00, direction="out") == [one]
    assert await listed(phone, q="老王") == [two, one]
    assert await listed(phone, q=one) == [one]
    assert await listed(phone, kind="topup") == []
    assert await listed(phone, status="refunded") == []
    day = world.clock.now().date()
    assert await listed(phone, **{"from": f"{day:%Y-01-01}"}) == [two, one]
    assert await listed(phone, to="2020-01-01") == []
    await phone.done(phone.put(f"/v1/bills/{one}/label", {"category": "food", "note": "拉面"}))
    assert await listed(phone, category="food") == [one]
    assert await listed(phone, q="拉面") == [one]


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "x"},
        {"status": "paid|"},
        {"direction": "up"},
        {"category": "pets"},
        {"min": "1.5"},
        {"min": 0},
        {"max": -5},
        {"min": 10**30},
        {"from": "2026-13-01"},
        {"from": "yesterday"},
        {"q": "x" * 65},
        {"limit": "many"},
    ],
)
async def test_filters_that_are_none(phone: Phone, asked: dict[str, Any]) -> None:
    refused(await phone.get("/v1/bills", **asked), 400, "invalid_request")


@pytest.mark.parametrize(
    "asked",
    [
        {"min": 5, "max": 4},
        {"from": "2026-02-02", "to": "2026-02-01"},
        {"from": "1999-12-31"},
        {"to": "9999-12-31"},
        {"cursor": "x"},
    ],
)
async def test_filters_that_contradict(phone: Phone, asked: dict[str, Any]) -> None:
    refused(await phone.get("/v1/bills", **asked), 400, "bad_request")


async def test_anothers_cursor_is_none(phone: Phone, phones: Phones, world: World) -> None:
    await pay_some(phone, world, 1_00, 2_00)
    page = await phone.done(phone.get("/v1/bills", limit=1))
    stranger = await (await phones()).get("/v1/bills", cursor=page["next_cursor"])
    refused(stranger, 400, "bad_request")


async def test_limits_are_coerced(phone: Phone, world: World) -> None:
    await pay_some(phone, world, 1_00, 2_00)
    for limit, count in ((0, 1), (-5, 1), (10**6, 2)):
        assert len(await listed(phone, limit=limit)) == count


async def test_the_list_as_a_file(phone: Phone, phones: Phones, world: World) -> None:
    one, two = await pay_some(phone, world, 1_00, 200_00)
    answer = await phone.get("/v1/bills/file", min=100_00)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    head, row = answer.text.splitlines()
    assert head.startswith("\ufeff时间,")
    assert two in row
    assert "200.00,20000" in row
    assert one not in answer.text
    stranger = await phones(language="en")
    assert len((await stranger.get("/v1/bills/file")).text.splitlines()) == 1
    refused(await phone.get("/v1/bills/file", kind="x"), 400, "invalid_request")


async def test_a_record_to_print(phone: Phone, phones: Phones, world: World) -> None:
    [payment_id] = await pay_some(phone, world, 1_00)
    answer = await phone.get(f"/v1/bills/{payment_id}/record")
    assert answer.headers["content-type"] == "application/pdf"
    page = pypdfium2.PdfDocument(answer.content)[0].get_textpage().get_text_bounded()
    assert payment_id in page.replace("\r\n", "")
    assert "老王面馆" in page
    refused(await (await phones()).get(f"/v1/bills/{payment_id}/record"), 404, "not_found")


async def test_months(phone: Phone, world: World) -> None:
    await pay_some(phone, world, 1_00, 2_00)
    month = (await phone.done(phone.get("/v1/bills")))["data"][0]["created"][:7]
    page = await phone.done(phone.get("/v1/bills/months", months=f"{month},2020-01"))
    assert [row["month"] for row in page["data"]] == [month, "2020-01"]
    assert page["data"][1]["went_out"] == yuan(0)
    assert sum(row["went_out"]["amount"] for row in page["data"]) in {0, 3_00}  # by China's month
    refused(await phone.get("/v1/bills/months", months="2026-13"), 400, "bad_request")
    refused(await phone.get("/v1/bills/months"), 400, "invalid_request")


async def test_one_in_full(phone: Phone, phones: Phones, world: World) -> None:
    owner, shop = await open_shop(world)
    order = await world.order(shop, 23_00)
    payment_id = (await pay(phone, order)).json()["id"]
    body = await phone.done(phone.get(f"/v1/bills/{payment_id}"))
    assert (body["bill"]["id"], body["bill"]["order"]) == (payment_id, order.order_id)
    assert [(step["kind"], step["state"]) for step in body["steps"]] == [
        ("begun", "done"),
        ("paid", "done"),
    ]
    assert (body["may_ask_refund"], body["receipt"], body["refund_request"]) == (True, True, None)
    theirs = await (await phones.of(owner)).get(f"/v1/bills/{payment_id}")
    assert theirs.json()["bill"]["kind"] == "income"
    assert theirs.json()["bill"]["counterparty"] == "*娜"
    assert not theirs.json()["may_ask_refund"]


async def test_anothers_bill_does_not_exist(phone: Phone, phones: Phones, world: World) -> None:
    [payment_id] = await pay_some(phone, world, 1_00)
    stranger = await phones()
    mark = {"category": "food", "note": ""}
    for bill_id in (payment_id, ids.new("pay"), "months1", "x"):
        where = f"/v1/bills/{bill_id}"
        refused(await stranger.get(where), 404, "not_found")
        refused(await stranger.put(f"{where}/label", mark), 404, "not_found")
        refused(await stranger.get(f"{where}/refunds"), 404, "not_found")


async def test_marks_of_ones_own(phone: Phone, phones: Phones, world: World) -> None:
    [payment_id] = await pay_some(phone, world, 1_00)
    where = f"/v1/bills/{payment_id}/label"
    done = await phone.done(phone.put(where, {"category": "food", "note": "  午饭 "}))
    assert done == {"object": "label", "category": "food", "note": "午饭"}
    bill = (await phone.done(phone.get("/v1/bills")))["data"][0]
    assert bill["label"]["note"] == "午饭"
    await phone.done(phone.put(where, {}))
    bill = (await phone.done(phone.get("/v1/bills")))["data"][0]
    assert (bill["label"]["category"], bill["label"]["note"]) == ("", "")
    points_at(await phone.put(where, {"category": "pets"}), "/category")
    points_at(await phone.put(where, {"note": "x" * 201}), "/note")
    refused(await phone.put(where, {"note": "a\u202eb"}), 400, "bad_request")
