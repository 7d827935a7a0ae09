"""Money to friends by phone: at once, delayed, recalled; and asked for, split among many."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from backend import ids
from backend import phones as phones_of
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.social import balance, befriend, group_of
from tests.mobile_api.steps import yuan
from tests.phone import AnswerLost, Phone
from tests.world import World


async def test_to_a_number_with_a_name_check(phone: Phone, phones: Phones, world: World) -> None:
    ben = await phones("Ben")
    found = await phone.done(phone.post("/v1/payees", {"phone": ben.number}))
    assert (found["name"], found["friend"]) == (phones_of.masked(ben.number), False)
    assert found["name_check"]
    nobody = await phone.done(phone.post("/v1/payees", {"phone": "+8613800000009"}))
    told = {"id": "", "name": phones_of.masked("+8613800000009")}
    assert nobody | told == found | told  # the same for a number without a wallet
    body = {"payee": found["id"], "note": "午饭"} | yuan(20_00)
    wrong = await phone.post("/v1/transfers", body | {"name_check": "A"})
    is_problem(wrong, 422, "name_check_failed")
    sent = await phone.consent(await phone.post("/v1/transfers", body | {"name_check": "b"}))
    assert (sent.json()["status"], sent.json()["note"]) == ("arrived", "午饭")
    assert [await balance(world, one) for one in (phone, ben)] == [980_00, 20_00]
    seen = await ben.done(ben.get(f"/v1/transfers/{sent.json()['id']}"))
    assert (seen["mine"], seen["payer_name"], seen["status"]) == (False, "*娜", "arrived")
    known = await phone.done(phone.post("/v1/payees", {"person": ben.person_id}))
    assert not known["name_check"]
    stranger = await phones("Cleo")
    is_problem(await stranger.get(f"/v1/transfers/{seen['id']}"), 404, "not_found")


async def test_a_large_one_takes_a_passkey_and_a_lost_answer_sends_once(
    phone: Phone, phones: Phones, world: World
) -> None:
    ben, key = await phones("Ben"), str(uuid.uuid4())
    await befriend(ben, phone)
    body = {"payee": ben.person_id} | yuan(800_00)
    await phone.refresh()
    phone.lose = 1
    with pytest.raises(AnswerLost):
        await phone.post("/v1/transfers", body, key)
    asked = await phone.post("/v1/transfers", body, key)
    thing = asked.json()
    assert (thing["status"], thing["requirement"]["takes"]) == ("created", "passkey")
    where = f"/v1/transfers/{thing['id']}"
    is_problem(await ben.get(where), 404, "not_found")  # what nobody has paid is the payer's alone
    quote = await phone.done(phone.get(f"{where}/quote"))
    assert (quote["amount"], quote["short"]) == (yuan(800_00)["amount"], None)
    assert quote["requirement"]["takes"] == "passkey"
    fresh = await phone.post(f"{where}/ceremony")
    done = await phone.consent(fresh)
    assert done.json()["status"] == "arrived"
    assert [await balance(world, one) for one in (phone, ben)] == [200_00, 800_00]
    again = await phone.done(phone.post(f"{where}/ceremony"))
    assert (again["status"], again["requirement"]) == ("arrived", None)


async def test_a_delayed_one_is_recalled_or_arrives(
    phone: Phone, phones: Phones, world: World
) -> None:
    ben = await phones("Ben")
    await befriend(ben, phone)
    body = {"payee": ben.person_id, "delay_hours": 2} | yuan(30_00)
    first, second = [
        (await phone.consent(await phone.post("/v1/transfers", body))).json() for _ in range(2)
    ]
    assert (first["status"], await balance(world, phone)) == ("waiting", 940_00)
    for one in (phone, ben):
        page = await one.done(one.get("/v1/transfers", limit=1))
        more = await one.done(one.get("/v1/transfers", cursor=page["next_cursor"]))
        listed = [each["id"] for each in (*page["data"], *more["data"])]
        assert sorted(listed) == sorted((first["id"], second["id"]))
    is_problem(await ben.post(f"/v1/transfers/{first['id']}/recall"), 404, "not_found")
    recalled = await phone.done(phone.post(f"/v1/transfers/{first['id']}/recall"))
    assert (recalled["status"], await balance(world, phone)) == ("recalled", 970_00)
    world.clock.move(timedelta(hours=2))
    await world.services.transfers.sweep()
    assert await balance(world, ben) == 30_00
    late = await phone.post(f"/v1/transfers/{second['id']}/recall")
    is_problem(late, 409, "too_late")


BAD: list[tuple[dict[str, Any], int, str]] = [
    (yuan(0), 400, "invalid_request"),
    (yuan(-5), 400, "invalid_request"),
    ({"amount": {"amount": 5}}, 400, "invalid_request"),
    ({"delay_hours": 3}, 400, "invalid_request"),
    ({"note": "长" * 65}, 400, "invalid_request"),
    ({"payee": "usr_1"}, 400, "invalid_request"),
    ({"extra": 1}, 400, "invalid_request"),
    ({"note": "a\u202eb"}, 400, "bad_request"),
    ({"payee": ids.new("trf")}, 404, "payee_unknown"),
    ({"payee": ids.new("usr")}, 404, "payee_unknown"),
    ({"request": ids.new("req")}, 404, "not_found"),
    (yuan(5_000_00), 422, "insufficient_balance"),
]


async def test_what_is_refused(phone: Phone, phones: Phones, world: World) -> None:
    ben = await phones("Ben")
    await befriend(ben, phone)
    for changes, status, code in BAD:
        body = {"payee": ben.person_id} | yuan(5_00) | changes
        is_problem(await phone.post("/v1/transfers", body), status, code)
    own = {"payee": phone.person_id} | yuan(5_00)
    is_problem(await phone.post("/v1/transfers", own), 409, "own_self")
    is_problem(await phone.post("/v1/payees", {"phone": phone.number}), 409, "own_self")
    for both in ({}, {"phone": ben.number, "person": ben.person_id}):
        is_problem(await phone.post("/v1/payees", both), 400, "bad_request")
    await ben.done(ben.put(f"/v1/friends/{phone.person_id}/block"))
    blocked = await phone.post("/v1/transfers", {"payee": ben.person_id} | yuan(5_00))
    is_problem(blocked, 403, "blocked")
    assert await balance(world, phone) == 1_000_00


async def test_a_bill_split_among_three(phone: Phone, phones: Phones, world: World) -> None:
    ben, cleo = await phones("Ben", balance=100_00), await phones("Cleo", balance=100_00)
    group = await group_of(phone, ben, cleo)
    people = [ben.person_id, cleo.person_id]
    body = {"note": "火锅", "group": group} | {
        "even": yuan(100_00) | {"people": people, "with_me": True}
    }
    preview = await phone.done(phone.post("/v1/requests/preview", body))
    assert (preview["own"]["amount"], preview["asked"]["amount"]) == (33_34, 66_66)
    assert (await phone.done(phone.get("/v1/requests")))["data"] == []
    key = str(uuid.uuid4())
    asked = await phone.done(phone.post("/v1/requests", body, key))
    assert (await phone.done(phone.post("/v1/requests", body, key)))["id"] == asked["id"]
    assert [share["amount"]["amount"] for share in asked["shares"]] == [33_33, 33_33]
    where = f"/v1/requests/{asked['id']}"
    [mine] = (await ben.done(ben.get("/v1/requests", side="of_me")))["data"]
    assert (mine["id"], mine["mine"], mine["note"]) == (asked["id"], False, "火锅")
    pay = {"payee": phone.person_id, "request": asked["id"], "name_check": "安"}
    changed = await ben.post("/v1/transfers", pay | yuan(33_32))
    is_problem(changed, 409, "amount_changed")
    paid = await ben.consent(await ben.post("/v1/transfers", pay | yuan(33_33)))
    assert (paid.json()["status"], paid.json()["note"]) == ("arrived", "火锅")
    again = await ben.post("/v1/transfers", pay | yuan(33_33))
    is_problem(again, 409, "request_ended")
    reminded = await phone.done(phone.post(f"{where}/remind"))
    assert reminded["remind_after"]
    is_problem(await phone.post(f"{where}/remind"), 429, "reminded_lately")
    is_problem(await cleo.post(f"{where}/remind"), 404, "not_found")
    declined = await cleo.done(cleo.post(f"{where}/decline"))
    assert (declined["status"], declined["paid"]["amount"]) == ("done", 33_33)
    is_problem(await phone.post(f"{where}/withdraw"), 409, "request_ended")
    assert [await balance(world, one) for one in (phone, ben, cleo)] == [1_033_33, 66_67, 100_00]


async def test_requests_that_are_refused(phone: Phone, phones: Phones) -> None:
    ben = await phones("Ben")
    await befriend(ben, phone)
    part = {"person": ben.person_id} | yuan(5_00)
    even = yuan(5_00) | {"people": [ben.person_id]}
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({}, 400, "bad_request"),
        ({"even": even, "parts": [part]}, 400, "bad_request"),
        ({"parts": []}, 400, "invalid_request"),
        ({"parts": [part] * 101}, 400, "invalid_request"),
        ({"parts": [part, part]}, 400, "bad_request"),
        ({"parts": [part | yuan(0)]}, 400, "invalid_request"),
        ({"even": yuan(1) | {"people": [ben.person_id], "with_me": True}}, 400, "bad_request"),
        ({"parts": [part], "note": "x\u2066y"}, 400, "bad_request"),
        ({"parts": [{"person": ids.new("usr")} | yuan(1)]}, 404, "payee_unknown"),
        ({"parts": [{"person": phone.person_id} | yuan(1)]}, 409, "own_self"),
        ({"parts": [part], "group": ids.new("grp")}, 404, "payee_unknown"),
    ]
    for body, status, code in bad:
        is_problem(await phone.post("/v1/requests", body), status, code)
    mine = await phone.done(phone.post("/v1/requests", {"parts": [part]}))
    ended = await phone.done(phone.post(f"/v1/requests/{mine['id']}/withdraw"))
    assert ended["status"] == "withdrawn"
    is_problem(await ben.post(f"/v1/requests/{mine['id']}/decline"), 409, "request_ended")
    for path in ("x", ids.new("req"), ids.new("trf")):
        is_problem(await phone.get(f"/v1/requests/{path}"), 404, "not_found")
