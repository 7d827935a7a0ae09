"""What a phone's scanner has read, told by the JSON face; static codes and personal ones."""

import uuid
from typing import Any

import pytest

from backend import ids
from backend.codes import addresses
from backend.merchant import Terminal
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import BAD_AMOUNTS, open_shop, points_at, refused, yuan
from tests.phone import Phone
from tests.world import Wallet, World


async def terminal(world: World) -> tuple[Wallet, Terminal]:
    owner, _ = await open_shop(world)
    seat = await world.services.merchant.seat(owner.person_id)
    return owner, (await world.services.merchant.terminals(seat))[0]


async def parsed(phone: Phone, text: str) -> dict[str, Any]:
    found: dict[str, Any] = await phone.done(phone.post("/v1/codes/parse", {"text": text}))
    return found


async def pay(phone: Phone, order: dict[str, Any]) -> dict[str, Any]:
    body = {"order": order["id"], "amount": order["amount"]}
    answer = await phone.consent(await phone.post("/v1/payments", body))
    found: dict[str, Any] = answer.json()
    return found


async def test_ours_lead_on(phone: Phone, world: World) -> None:
    owner, till = await terminal(world)
    order = await world.order(await world.services.merchant.shop(till.shop_id), 5_00)
    origin = world.settings.public_origin
    for text, kind, ref in (
        (addresses.printed(origin, order.order_id), "order", order.order_id),
        (addresses.printed(origin, till.code_id), "static", till.code_id),
        (till.short_code, "static", till.code_id),
        (f"{till.short_code[:4]} {till.short_code[4:]}", "static", till.code_id),
        (f"{origin}/f/{'a' * 43}", "friend", "a" * 43),
    ):
        found = await parsed(phone, text)
        assert (found["kind"], found["ref"]) == (kind, ref)
    assert owner.person_id not in str(found)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("00000000", "static", ""),
        ("880123456789012345", "pay_code", ""),
        ("134567890123456789", "wallet", "wechat"),
        ("https://qr.alipay.com/fkx1234", "wallet", "alipay"),
        ("https://evil.example/o/x", "address", ""),
        ("6222020000000000", "card", ""),
        ("00020101021126a", "broken", None),
        ("hello", "unknown", ""),
        ("a\u202eb", "unknown", ""),
    ],
)
async def test_others_are_told_as_what_they_are(
    phone: Phone, text: str, kind: str, name: str | None
) -> None:
    found = await parsed(phone, text)
    assert (found["kind"], found["ref"]) == (kind, "")
    assert name is None or found["name"] == name


@pytest.mark.parametrize("text", ["", "x" * 1025, 5, None, ["x"]])
async def test_no_text(phone: Phone, text: object) -> None:
    points_at(await phone.post("/v1/codes/parse", {"text": text}), "/text")


async def test_a_static_code_from_digits_to_paid(phone: Phone, world: World) -> None:
    _, till = await terminal(world)
    code = await phone.done(phone.get(f"/v1/static-codes/{till.short_code}"))
    assert (code["id"], code["shop"], code["open"]) == (till.code_id, "老王面馆", True)
    assert await phone.done(phone.get(f"/v1/static-codes/{till.code_id}")) == code
    key, body = str(uuid.uuid4()), {"amount": yuan(12_50), "note": " 两碗面 "}
    where = f"/v1/static-codes/{till.code_id}/orders"
    order = await phone.done(phone.post(where, body, key))
    assert (order["amount"], order["note"], order["status"]) == (yuan(12_50), "两碗面", "open")
    assert await phone.done(phone.post(where, body, key)) == order
    refused(await phone.get(f"/v1/orders/{order['id']}"), 404, "not_found")  # the payer's alone
    done = await pay(phone, order)
    assert (done["status"], done["level"]) == ("posted", "D")
    assert await world.balance(wallet_of(phone).account_id) == 987_50


async def test_static_codes_that_are_none(phone: Phone, phones: Phones, world: World) -> None:
    owner, till = await terminal(world)
    body = {"amount": yuan(1_00)}
    for code in ("00000000", ids.new("stc"), ids.new("ord"), "x"):
        refused(await phone.get(f"/v1/static-codes/{code}"), 404, "not_found")
        refused(await phone.post(f"/v1/static-codes/{code}/orders", body), 404, "not_found")
    where = f"/v1/static-codes/{till.code_id}/orders"
    for amount in BAD_AMOUNTS:
        points_at(await phone.post(where, {"amount": yuan(amount)}), "/amount/amount")
    points_at(await phone.post(where, body | {"note": "x" * 65}), "/note")
    refused(await phone.post(where, body | {"note": "a\u202eb"}), 400, "bad_request")
    refused(await (await phones.of(owner)).post(where, body), 409, "own_shop")
    await world.services.merchant.set_open(
        await world.services.merchant.seat(owner.person_id), False
    )
    refused(await phone.post(where, body), 409, "shop_closed")
    assert not (await phone.done(phone.get(f"/v1/static-codes/{till.code_id}")))["open"]


async def test_the_order_is_one_payers(phone: Phone, phones: Phones, world: World) -> None:
    _, till = await terminal(world)
    where = f"/v1/static-codes/{till.code_id}/orders"
    order = await phone.done(phone.post(where, {"amount": yuan(1_00)}))
    other = await phones(balance=10_00)
    body = {"order": order["id"], "amount": order["amount"]}
    refused(await other.post("/v1/payments", body), 403, "not_for_you")
    refused(await other.get(f"/v1/orders/{order['id']}/quote"), 403, "not_for_you")


async def test_a_code_of_ones_own(phone: Phone, phones: Phones, world: World) -> None:
    mine = await phone.done(phone.post("/v1/receive-codes", {}))
    again = await phone.done(phone.post("/v1/receive-codes", {"amount": None}))
    assert (again["id"], again["amount"], again["own"]) == (mine["id"], None, True)
    payer = await phones("蕾娜", balance=50_00)
    assert (await parsed(payer, mine["printed"]))["ref"] == mine["id"]
    seen = await payer.done(payer.get(f"/v1/receive-codes/{mine['id']}"))
    assert (seen["name"], seen["own"]) == ("*娜", False)
    where = f"/v1/receive-codes/{mine['id']}/orders"
    order = await payer.done(payer.post(where, {"amount": yuan(8_00)}))
    assert (await pay(payer, order))["status"] == "posted"
    assert await world.balance(wallet_of(phone).account_id) == 1_008_00
    [bill] = (await phone.done(phone.get("/v1/bills")))["data"]
    assert (bill["kind"], bill["direction"], bill["amount"]) == ("transfer", "in", yuan(8_00))
    refused(await phone.post(where, {"amount": yuan(1)}), 409, "own_code")


async def test_a_code_for_one_amount(phone: Phone, phones: Phones) -> None:
    key, body = str(uuid.uuid4()), {"amount": yuan(30_00), "note": "晚饭"}
    code = await phone.done(phone.post("/v1/receive-codes", body, key))
    assert (code["amount"], code["note"]) == (yuan(30_00), "晚饭")
    assert await phone.done(phone.post("/v1/receive-codes", body, key)) == code
    payer = await phones(balance=50_00)
    where = f"/v1/receive-codes/{code['id']}/orders"
    refused(await payer.post(where, {"amount": yuan(29_00)}), 409, "amount_changed")
    order = await payer.done(payer.post(where, {"amount": yuan(30_00)}))
    assert order["note"] == "晚饭"
    for amount in BAD_AMOUNTS:
        points_at(await payer.post(where, {"amount": yuan(amount)}), "/amount/amount")
    for nonsense in (ids.new("rcv"), ids.new("usr"), "x"):
        refused(await payer.get(f"/v1/receive-codes/{nonsense}"), 404, "not_found")
        gone = await payer.post(f"/v1/receive-codes/{nonsense}/orders", {"amount": yuan(1)})
        refused(gone, 404, "not_found")
