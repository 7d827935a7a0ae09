"""Payment codes of a phone: shown, taken along, read out, ended; and what a till makes of them."""

import uuid
from collections.abc import Awaitable, Callable

import pytest

from backend import ids
from backend.db import TX
from backend.merchant import ChargeShown
from backend.payments import Charged
from backend.risk import MAX_AHEAD, PayCodeInvalid
from mobile_api.shapes import timestamp
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import open_shop, pay, points_at, refused, yuan
from tests.phone import Phone
from tests.world import Wallet, World


async def charge(world: World, owner: Wallet, code: str, fen: int = 23_00) -> Charged:
    """The cashier reads the code from the payer's screen."""
    shown = ChargeShown(
        order_id=ids.new("ord"),
        payment_id=ids.new("pay"),
        amount_fen=fen,
        pay_code=code,
        device_secret=owner.device_secret,
    )
    seat = await world.services.merchant.seat(owner.person_id)
    return await world.services.merchant.charge_shown(seat, shown)


async def test_a_code_is_charged_at_once(phone: Phone, world: World) -> None:
    owner, _ = await open_shop(world)
    since = timestamp(world.clock.now())
    key, kept = str(uuid.uuid4()), "select 1 from idempotency.write where answer is not null"
    before = await TX.query(kept)
    code = await phone.done(phone.post("/v1/payment-codes", key=key))
    assert code["code"].startswith("88")
    again = await phone.done(phone.post("/v1/payment-codes", key=key))  # an answer lost
    assert again["code"] != code["code"]
    assert await TX.query(kept) == before
    state = await phone.done(phone.get("/v1/payment-codes/state", since=since))
    assert state["state"] == "nothing"
    charged = await charge(world, owner, code["code"])
    assert charged.state == "succeeded"
    state = await phone.done(phone.get("/v1/payment-codes/state", since=since))
    assert (state["state"], state["bill"]) == ("paid", charged.payment_id)
    assert await world.balance(wallet_of(phone).account_id) == 977_00
    later = await phone.done(phone.get("/v1/payment-codes/state", since="9999-12-31T23:59:59Z"))
    assert later["state"] == "nothing"


async def test_a_dear_one_asks_the_payer(phone: Phone, world: World) -> None:
    owner, _ = await open_shop(world)
    code = await phone.done(phone.post("/v1/payment-codes"))
    charged = await charge(world, owner, code["code"], 600_00)
    assert charged.state == "user_paying"
    [waiting] = (await phone.done(phone.get("/v1/payments/asked")))["data"]
    assert (waiting["order"]["id"], waiting["payment"]) == (
        charged.order.order_id,
        charged.payment_id,
    )
    state = await phone.done(phone.get("/v1/payment-codes/state"))
    assert (state["state"], state["order"]) == ("asked", charged.order.order_id)
    started = await pay(phone, charged.order)
    assert started.json()["id"] == charged.payment_id
    assert (await phone.consent(started)).json()["status"] == "posted"
    assert (await phone.done(phone.get("/v1/payments/asked")))["data"] == []
    assert await world.balance(wallet_of(phone).account_id) == 400_00


async def test_digits_that_were_read_out_take_a_passkey(phone: Phone, world: World) -> None:
    owner, _ = await open_shop(world)
    code = (await phone.done(phone.post("/v1/payment-codes")))["code"]
    await phone.done(phone.post("/v1/payment-codes/reveal", {"code": code}))
    assert (await charge(world, owner, code)).state == "user_paying"


async def test_codes_taken_along(phone: Phone, world: World) -> None:
    owner, _ = await open_shop(world)
    older = (await phone.done(phone.post("/v1/payment-codes/ahead")))["data"]
    codes = (await phone.done(phone.post("/v1/payment-codes/ahead")))["data"]
    assert len({code["code"] for code in codes}) == MAX_AHEAD
    with pytest.raises(PayCodeInvalid):
        await charge(world, owner, older[0]["code"])
    world.later(hours=5)
    assert (await charge(world, owner, codes[0]["code"])).state == "succeeded"
    assert (await phone.delete("/v1/payment-codes")).status_code == 204
    with pytest.raises(PayCodeInvalid):
        await charge(world, owner, codes[1]["code"])
    assert await world.balance(wallet_of(phone).account_id) == 977_00


async def test_a_new_set_that_is_refused_leaves_the_old_one(phone: Phone, world: World) -> None:
    owner, _ = await open_shop(world)
    [code, *_] = (await phone.done(phone.post("/v1/payment-codes/ahead")))["data"]
    shown = await phone.done(phone.post("/v1/payment-codes"))
    world.risk.crash_before.add("issue_codes")
    assert (await phone.post("/v1/payment-codes/ahead")).status_code == 500
    world.risk.heal()
    assert (await charge(world, owner, code["code"])).state == "succeeded"
    await phone.done(phone.post("/v1/payment-codes/ahead"))  # what is shown just now stays
    assert (await charge(world, owner, shown["code"])).state == "succeeded"


async def ended_elsewhere(lost: Phone, phones: Phones) -> None:
    other = await sibling(lost, phones)
    found = (await other.done(other.get("/v1/sessions")))["data"]
    [session] = [each["id"] for each in found if not each["here"]]
    await other.done(other.delete(f"/v1/sessions/{session}"))


async def ended_everywhere(lost: Phone, phones: Phones) -> None:
    other = await sibling(lost, phones)
    await other.done(other.delete("/v1/sessions"))


async def stolen(lost: Phone, phones: Phones) -> None:
    thief = phones.new()
    thief.refresh_token = lost.refresh_token
    refused(await thief.try_refresh(), 401, "refresh_reused")


async def sibling(phone: Phone, phones: Phones) -> Phone:
    approved = await phone.approved("add_device")
    given = await phone.done(phone.post("/v1/devices/grants", approved))
    new = phones.new()
    await new.join(given["grant"])
    return new


@pytest.mark.parametrize("end", [ended_elsewhere, ended_everywhere, stolen])
async def test_codes_die_with_a_session_that_somebody_else_ends(
    end: Callable[[Phone, Phones], Awaitable[None]], phone: Phone, phones: Phones, world: World
) -> None:
    owner, _ = await open_shop(world)
    [code, *_] = (await phone.done(phone.post("/v1/payment-codes/ahead")))["data"]
    await end(phone, phones)
    with pytest.raises(PayCodeInvalid):
        await charge(world, owner, code["code"])
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00


async def test_codes_of_other_phones_live_on(phone: Phone, phones: Phones, world: World) -> None:
    owner, _ = await open_shop(world)
    other = await sibling(phone, phones)
    world.later(hours=13)
    [code, *_] = (await other.done(other.post("/v1/payment-codes/ahead")))["data"]
    await other.done(other.delete(f"/v1/sessions/{await _session(phone)}"))
    assert (await charge(world, owner, code["code"])).state == "succeeded"


async def test_no_session_ends_elsewhere_while_its_codes_live_on(
    phone: Phone, phones: Phones, world: World
) -> None:
    """The security system is away: refused as a whole, to be tried again."""
    other, session = await sibling(phone, phones), await _session(phone)
    world.risk.down = True
    for path in (f"/v1/sessions/{session}", "/v1/sessions"):
        refused(await other.delete(path), 503, "unavailable")
    assert (await phone.get("/v1/me")).status_code == 200
    world.risk.heal()
    await other.done(other.delete(f"/v1/sessions/{session}"))


async def _session(phone: Phone) -> str:
    found = (await phone.done(phone.get("/v1/sessions")))["data"]
    return str(next(each["id"] for each in found if each["here"]))


async def test_codes_that_are_none(phone: Phone, phones: Phones) -> None:
    mine = (await phone.done(phone.post("/v1/payment-codes")))["code"]
    where = "/v1/payment-codes/reveal"
    refused(await (await phones()).post(where, {"code": mine}), 409, "pay_code_invalid")
    refused(await phone.post(where, {"code": "88" + "0" * 16}), 409, "pay_code_invalid")
    for wrong in ("88", 880000000000000000, "77" + "0" * 16, None):
        points_at(await phone.post(where, {"code": wrong}), "/code")
    refused(await phone.get("/v1/payment-codes/state", since="x"), 400, "invalid_request")


async def test_no_codes_for_the_frozen(phone: Phone, world: World) -> None:
    await world.services.payments.freeze(
        phone.person_id, phone.prove("POST", "/v1/freeze", b"", True)
    )
    refused(await phone.post("/v1/payment-codes"), 403, "payer_frozen")
    assert (await phone.done(phone.get("/v1/balance")))["available"] == yuan(1_000_00)
