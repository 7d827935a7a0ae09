"""Things that money does, each by page and by phone."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec

from backend import ids
from backend.merchant import Shop
from backend.payments import Order
from backend.sandbox.cards import number
from backend.transfers import NewRequest
from tests.mobile_api.steps import yuan
from tests.phone import Phone
from tests.web.pages.conftest import (
    Guest,
    code_path,
    micro_code,
)
from tests.world import Wallet, World

GOOD = "0001"
BIG_FEN = 800_00  # takes a passkey


class Side(msgspec.Struct):
    """One person, at a browser and at a phone."""

    wallet: Wallet
    guest: Guest
    phone: Phone


class Stage(msgspec.Struct):
    """Who plays. Everything happens once by page and once by phone."""

    world: World
    payer: Side
    payee: Side  # a friend
    keeper: Side
    shop: Shop

    @property
    def everybody(self) -> tuple[Side, ...]:
        return self.payer, self.payee, self.keeper


Act = Callable[[Stage], Awaitable[object]]


# by page


async def page_pays(stage: Stage) -> None:
    order = await stage.world.order(stage.shop)
    await stage.payer.guest.see(code_path(order))
    await stage.payer.guest.tap("/payments")


async def page_pays_much(stage: Stage) -> None:
    order = await stage.world.order(stage.shop, BIG_FEN)
    page = await stage.payer.guest.see(code_path(order))
    await _sign(stage.payer, page, "payments/pay")


async def page_scans_a_static_code(stage: Stage) -> None:
    [found] = await stage.world.services.merchant.terminals(await stage.world.seat(stage.shop))
    path = "/p/" + found.code_id.removeprefix("stc_")
    await stage.payer.guest.see(path)
    await stage.payer.guest.tap(path, {"amount": "12.50", "note": ""})
    await stage.payer.guest.tap("/payments")


async def page_sends(stage: Stage) -> None:
    where = f"/send/{stage.payee.wallet.person_id}"
    await stage.payer.guest.see(where)
    sent = {"delay": "0", "amount": "88", "note": "午饭"}
    here = (await stage.payer.guest.tap(where, sent)).url.path
    await stage.payer.guest.tap(f"{here}/payment")


async def page_is_scanned(stage: Stage) -> None:
    shown = await stage.payee.guest.see("/receive")
    found = re.search(r'class="mono" translate="no">([0-9a-z ]+)<', shown.text)
    assert found
    where = "/u/" + found[1].replace(" ", "")
    await stage.payer.guest.see(where)
    await stage.payer.guest.tap(where, {"amount": "20"})
    await stage.payer.guest.tap("/payments")


async def page_gives_a_packet(stage: Stage) -> None:
    await stage.payer.guest.see("/packets/new")
    packet = {"kind": "equal", "cover": "classic", "amount": "10.00", "count": "1"}
    answer = await stage.payer.guest.tap("/packets", packet)
    packet_id = answer.url.path.split("/")[2]
    where = "/r/" + packet_id.removeprefix("red_")
    await stage.payee.guest.see(where)
    await stage.payee.guest.tap(where)


async def page_tops_up(stage: Stage) -> None:
    guest = stage.payer.guest
    await guest.see("/cards/new")
    await guest.tap("/cards", {"number": number("622200", GOOD), "holder": "安娜"})
    code = await micro_code(stage.world)
    await guest.tap(f"{guest.browser.page.url.path}/confirmation", {"code": code})
    await guest.tap("/topups", {"amount": "100", "card_id": await _card(stage)})


async def page_refunds(stage: Stage) -> None:
    order = await _paid(stage)
    where = f"/shop/orders/{order.order_id}/refund"
    await stage.keeper.guest.see(where)
    fields = {"extent": "part", "amount": "10", "reason": "少一份"}
    await stage.keeper.guest.tap(where, fields)


async def page_charges(stage: Stage) -> None:
    answer = await stage.payer.phone.done(stage.payer.phone.post("/v1/payment-codes"))
    await stage.keeper.guest.see("/cashier")
    page = await stage.keeper.guest.tap("/orders", {"amount": "23", "pay_code": answer["code"]})
    assert 'data-state="paid"' in page.text


async def page_withdraws(stage: Stage) -> None:
    guest = stage.payer.guest
    await guest.see("/withdrawals/new")
    fields = {"amount": "30", "card_id": await _card(stage), "speed": "instant"}
    path = (await guest.tap("/withdrawals", fields)).url.path
    form = guest.browser.form(f"{path}/confirmation")
    headers = {"Accept": "application/json", "X-YiPay": "1", "Sec-Fetch-Site": "same-origin"}
    asked = await guest.browser.client.post(f"{path}/ceremony", data=form.fields, headers=headers)
    signed = guest.wallet.passkey.sign(json.dumps(asked.json()["options"]).encode())
    said = {"ceremony_id": asked.json()["ceremony_id"], "response_json": signed.decode()}
    await guest.tap(f"{path}/confirmation", said)


async def page_recalls(stage: Stage) -> None:
    guest, where = stage.payer.guest, f"/send/{stage.payee.wallet.person_id}"
    await guest.see(where)
    here = (await guest.tap(where, {"delay": "24", "amount": "30", "note": ""})).url.path
    await guest.tap(f"{here}/payment")
    await guest.see(here)
    await guest.tap(f"{here}/recall")


async def page_sends_later(stage: Stage) -> None:
    guest, where = stage.payer.guest, f"/send/{stage.payee.wallet.person_id}"
    await guest.see(where)
    here = (await guest.tap(where, {"delay": "2", "amount": "30", "note": ""})).url.path
    await guest.tap(f"{here}/payment")
    await _arrived(stage)


async def page_pays_a_request(stage: Stage) -> None:
    guest, asked = stage.payer.guest, await _asked(stage)
    payee_id = stage.payee.wallet.person_id
    await guest.see(f"/send/{payee_id}?asked={asked}")
    here = (await guest.tap(f"/send/{payee_id}")).url.path
    await guest.tap(f"{here}/payment")


async def page_reverses(stage: Stage) -> None:
    """The till's page still waits when the customer agrees: what it offers takes all of it back."""
    keeper = stage.keeper.guest
    answer = await stage.payer.phone.done(stage.payer.phone.post("/v1/payment-codes"))
    await keeper.see("/cashier")
    fields = {"amount": "800", "pay_code": answer["code"]}
    path = (await keeper.tap("/orders", fields)).url.path
    stage.world.later(seconds=31)
    await keeper.see(path)
    await _agrees(stage)
    stage.world.later(seconds=16)  # no sooner
    page = await keeper.tap(f"{path}/reversal")
    assert 'data-state="reversed"' in page.text


# by phone


async def phone_pays(stage: Stage, fen: int = 23_00) -> None:
    order = await stage.world.order(stage.shop, fen)
    await _consent(stage.payer, "/v1/payments", {"order": order.order_id} | yuan(fen))


async def phone_pays_much(stage: Stage) -> None:
    await phone_pays(stage, BIG_FEN)


async def phone_scans_a_static_code(stage: Stage) -> None:
    [found] = await stage.world.services.merchant.terminals(await stage.world.seat(stage.shop))
    await _pays_order(stage, f"/v1/static-codes/{found.code_id}/orders", 12_50)


async def phone_sends(stage: Stage) -> None:
    transfer = {"payee": stage.payee.wallet.person_id, "note": "午饭"} | yuan(88_00)
    await _consent(stage.payer, "/v1/transfers", transfer)


async def phone_is_scanned(stage: Stage) -> None:
    code = await stage.payee.phone.done(stage.payee.phone.post("/v1/receive-codes", {}))
    await _pays_order(stage, f"/v1/receive-codes/{code['id']}/orders", 20_00)


async def phone_gives_a_packet(stage: Stage) -> None:
    sent = await _consent(stage.payer, "/v1/red-packets", {"kind": "equal"} | yuan(10_00))
    opened = stage.payee.phone.post(f"/v1/red-packets/{sent['id']}/open", {})
    await stage.payee.phone.done(opened)


async def phone_tops_up(stage: Stage) -> None:
    phone = stage.payer.phone
    topped = {"card": await _card(stage)} | yuan(100_00)
    assert (await phone.done(phone.post("/v1/topups", topped)))["status"] == "posted"


async def phone_refunds(stage: Stage) -> None:
    order = await _paid(stage)
    where = f"/v1/shop/orders/{order.order_id}/refunds"
    refund = await _consent(stage.keeper, where, {"reason": "少一份"} | yuan(10_00))
    assert refund["status"] == "posted"


async def phone_charges(stage: Stage) -> None:
    payer, keeper = stage.payer.phone, stage.keeper.phone
    code = (await payer.done(payer.post("/v1/payment-codes")))["code"]
    body = {"pay_code": code} | yuan(23_00)
    assert (await keeper.done(keeper.post("/v1/till/charges", body)))["state"] == "paid"


async def phone_withdraws(stage: Stage) -> None:
    body = {"card": await _card(stage), "speed": "instant"} | yuan(30_00)
    done = await _consent(stage.payer, "/v1/withdrawals", body)
    assert done["status"] == "paid"


async def phone_recalls(stage: Stage) -> None:
    sent = await _delayed(stage, 24)
    recalled = stage.payer.phone.post(f"/v1/transfers/{sent['id']}/recall")
    assert (await stage.payer.phone.done(recalled))["status"] == "recalled"


async def phone_sends_later(stage: Stage) -> None:
    sent = await _delayed(stage, 2)
    await _arrived(stage)
    phone = stage.payer.phone
    assert (await phone.done(phone.get(f"/v1/transfers/{sent['id']}")))["status"] == "arrived"


async def phone_pays_a_request(stage: Stage) -> None:
    body = {"payee": stage.payee.wallet.person_id, "request": await _asked(stage)} | yuan(30_00)
    assert (await _consent(stage.payer, "/v1/transfers", body))["status"] == "arrived"


async def phone_reverses(stage: Stage) -> None:
    payer, keeper = stage.payer.phone, stage.keeper.phone
    code = (await payer.done(payer.post("/v1/payment-codes")))["code"]
    charge = keeper.post("/v1/till/charges", {"pay_code": code} | yuan(BIG_FEN))
    order = (await keeper.done(charge))["id"]
    stage.world.later(seconds=31)
    await _agrees(stage)
    stage.world.later(seconds=16)  # no sooner
    ended = await keeper.done(keeper.post(f"/v1/till/orders/{order}/reverse"))
    assert ended["state"] == "reversed"


PAIRS: tuple[tuple[Act, Act], ...] = (
    (page_pays, phone_pays),
    (page_pays_much, phone_pays_much),
    (page_scans_a_static_code, phone_scans_a_static_code),
    (page_sends, phone_sends),
    (page_is_scanned, phone_is_scanned),
    (page_gives_a_packet, phone_gives_a_packet),
    (page_tops_up, phone_tops_up),
    (page_refunds, phone_refunds),
    (page_charges, phone_charges),
    (page_withdraws, phone_withdraws),
    (page_recalls, phone_recalls),
    (page_sends_later, phone_sends_later),
    (page_pays_a_request, phone_pays_a_request),
    (page_reverses, phone_reverses),
)


async def _consent(side: Side, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await side.phone.consent(await side.phone.post(path, body))
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _pays_order(stage: Stage, path: str, fen: int) -> None:
    phone = stage.payer.phone
    order = await phone.done(phone.post(path, yuan(fen)))
    await _consent(stage.payer, "/v1/payments", {"order": order["id"]} | yuan(fen))


async def _delayed(stage: Stage, hours: int) -> dict[str, Any]:
    body = {"payee": stage.payee.wallet.person_id, "delay_hours": hours} | yuan(30_00)
    sent = await _consent(stage.payer, "/v1/transfers", body)
    assert sent["status"] == "waiting"
    return sent


async def _agrees(stage: Stage) -> None:
    """The customer, to what a till has charged their code with."""
    phone = stage.payer.phone
    [asked] = (await phone.done(phone.get("/v1/payments/asked")))["data"]
    await _consent(stage.payer, "/v1/payments", {"order": asked["order"]["id"]} | yuan(BIG_FEN))


async def _arrived(stage: Stage) -> None:
    stage.world.later(hours=2)
    await stage.world.services.transfers.sweep()


async def _asked(stage: Stage) -> str:
    """The id of a request for 30 yuan to the payer."""
    shares = ((stage.payer.wallet.person_id, 30_00),)
    wanted = NewRequest(
        request_id=ids.new("req"),
        person_id=stage.payee.wallet.person_id,
        note="午饭",
        shares=shares,
    )
    return (await stage.world.services.transfers.request(wanted)).request_id


async def _paid(stage: Stage) -> Order:
    order = await stage.world.order(stage.shop)
    command = stage.world.paying(stage.payer.wallet, order)
    assert (await stage.world.services.payments.start(command)).payment.status == "posted"
    return order


async def _card(stage: Stage) -> str:
    [card] = await stage.world.services.banking.cards(stage.payer.wallet.person_id)
    return card.card_id


async def _sign(side: Side, page: httpx.Response, of: str) -> None:
    found = re.search(rf'action="(/{of}_\w+/confirmation)"', page.text)
    assert found, page.text
    await side.guest.browser.ceremony(found[1], side.wallet.passkey)
