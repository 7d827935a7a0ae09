"""Red packets by phone: the books, the proof, and everything that is refused."""

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend import ids
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.social import balance, befriend, group_of, send_packet
from tests.mobile_api.steps import yuan
from tests.phone import AnswerLost, Phone
from tests.world import World


async def open_it(phone: Phone, packet: str, passcode: str = "") -> httpx.Response:
    return await phone.post(f"/v1/red-packets/{packet}/open", {"passcode": passcode})


async def test_sent_grabbed_opened_and_proven(
    phone: Phone, phones: Phones, world: World, api: httpx.AsyncClient
) -> None:
    ben, cleo, dora = await phones("Ben"), await phones("Cleo"), await phones("Dora")
    sent = await phone.post(
        "/v1/red-packets", {"kind": "lucky", "count": 2, "greeting": "新年快乐"} | yuan(10_00)
    )
    assert sent.status_code == 201
    packet = sent.json()
    where = f"/v1/red-packets/{packet['id']}"
    assert (packet["object"], packet["status"], packet["requirement"]) == (
        "red_packet",
        "open",
        None,
    )
    assert (packet["amount"], packet["mine"], packet["seed"]) == (yuan(10_00)["amount"], True, None)
    assert len(packet["seed_hash"]) == 64
    assert packet["url"].endswith("/r/" + packet["id"].removeprefix("red_"))
    assert await balance(world, phone) == 990_00
    assert await world.balance(f"packet:{packet['id']}") == 10_00
    is_problem(await api.get(f"/api{where}/proof"), 409, "packet_not_ended")

    glance = await ben.done(ben.get(where))
    assert (glance["state"], glance["share"]) == ("open", None)
    assert glance["packet"]["amount"] is None  # how much is in it is nobody's business yet
    is_problem(await cleo.get(f"{where}/sent"), 404, "not_found")
    is_problem(await cleo.get(f"{where}/detail"), 404, "not_found")
    first = (await open_it(ben, packet["id"])).json()
    assert (first["position"], first["status"], first["mine"]) == (0, "posted", True)
    assert (await open_it(ben, packet["id"])).json() == first  # replayed: the same, nothing more
    second = (await open_it(cleo, packet["id"])).json()
    got = [share["amount"]["amount"] for share in (first, second)]
    assert sum(got) == 10_00
    assert [await balance(world, one) for one in (ben, cleo)] == got
    is_problem(await open_it(dora, packet["id"]), 409, "packet_empty")
    assert (await dora.done(dora.get(where)))["state"] == "empty"

    thanked = await ben.done(ben.put(f"{where}/thanks", {"thanks": "谢谢老板 🎉"}))
    assert thanked["thanks"] == "谢谢老板 🎉"
    is_problem(await dora.put(f"{where}/thanks", {"thanks": "?"}), 404, "not_found")
    bad = await ben.put(f"{where}/thanks", {"thanks": "\u202e谢"})
    is_problem(bad, 422, "greeting_refused")
    detail = await phone.done(phone.get(f"{where}/detail"))
    assert [share["amount"]["amount"] for share in detail["shares"]] == got
    assert [share["thanks"] for share in detail["shares"]] == ["谢谢老板 🎉", ""]
    assert sum(share["luckiest"] for share in detail["shares"]) == 1
    assert (detail["packet"]["status"], detail["seconds"]) == ("empty", 0)

    proof = await api.get(f"/api{where}/proof")  # of anybody
    assert proof.status_code == 200
    assert (proof.json()["fair"], proof.json()["seed_fits"]) == (True, True)
    assert (proof.json()["amounts"], proof.json()["expected"]) == (got, got)


async def test_a_large_one_takes_a_passkey(phones: Phones, world: World) -> None:
    phone, other = await phones(balance=3_000_00), await phones("Ben")
    body = {"kind": "lucky", "count": 20} | yuan(2_500_00)
    asked = await phone.post("/v1/red-packets", body)
    packet = asked.json()
    where = f"/v1/red-packets/{packet['id']}"
    assert (packet["status"], packet["requirement"]["takes"]) == ("created", "passkey")
    is_problem(await phone.get(where), 404, "not_found")  # nobody's business before it is paid
    assert (await phone.done(phone.get(f"{where}/sent")))["status"] == "created"
    is_problem(await other.post(f"{where}/ceremony"), 404, "not_found")
    signed = other.signed(packet["requirement"]["ceremony"])
    is_problem(await other.post(f"{where}/confirm", signed), 404, "not_found")
    again = await phone.post(f"{where}/ceremony")
    assert again.json()["requirement"]["ceremony"]["id"]
    done = await phone.consent(again)
    assert (done.json()["id"], done.json()["status"]) == (packet["id"], "open")
    assert await balance(world, phone) == 500_00
    late = await phone.done(phone.post(f"{where}/ceremony"))
    assert (late["status"], late["requirement"]) == ("open", None)


async def test_a_lost_answer_sends_and_opens_once(
    phone: Phone, phones: Phones, world: World
) -> None:
    ben, key, body = await phones("Ben"), str(uuid.uuid4()), {"kind": "lucky", "count": 2}
    await phone.refresh()
    phone.lose = 1
    with pytest.raises(AnswerLost):
        await phone.post("/v1/red-packets", body | yuan(5_00), key)
    packet = await phone.done(phone.post("/v1/red-packets", body | yuan(5_00), key))
    assert await balance(world, phone) == 995_00
    is_problem(
        await phone.post("/v1/red-packets", body | yuan(6_00), key), 422, "idempotency_mismatch"
    )
    await ben.refresh()
    ben.lose = 1
    with pytest.raises(AnswerLost):
        await open_it(ben, packet["id"])
    share = (await open_it(ben, packet["id"])).json()
    assert await balance(world, ben) == share["amount"]["amount"]


BAD: list[tuple[dict[str, Any], int, str]] = [
    (yuan(0), 400, "invalid_request"),
    (yuan(-1), 400, "invalid_request"),
    ({"amount": {"amount": "1000", "currency": "CNY"}}, 400, "invalid_request"),
    ({"amount": {"amount": 10.0, "currency": "CNY"}}, 400, "invalid_request"),
    ({"amount": {"amount": 1000, "currency": "EUR"}}, 400, "invalid_request"),
    ({"count": 0}, 400, "invalid_request"),
    ({"count": -3}, 400, "invalid_request"),
    ({"count": 10**12}, 400, "invalid_request"),
    ({"count": "3"}, 400, "invalid_request"),
    ({"kind": "generous"}, 400, "invalid_request"),
    ({"cover": "../../etc"}, 400, "invalid_request"),
    ({"generous": True}, 400, "invalid_request"),
    ({"group": "family"}, 400, "invalid_request"),
    ({"kind": "passcode", "passcode": "一"}, 400, "invalid_request"),
    ({"kind": "passcode", "passcode": "芝" * 21}, 400, "invalid_request"),
    ({"kind": "passcode"}, 400, "bad_request"),
    ({"passcode": "芝麻开门"}, 400, "bad_request"),
    ({"kind": "passcode", "passcode": "芝麻\u202e开门"}, 400, "bad_request"),
    ({"person": ids.new("usr")}, 400, "bad_request"),
    ({"kind": "exclusive"}, 400, "bad_request"),
    ({"kind": "equal", "count": 3} | yuan(10_01), 400, "bad_request"),
    ({"count": 3} | yuan(2), 422, "share_too_small"),
    (yuan(600_01), 422, "share_too_large"),
    ({"count": 101} | yuan(200_00), 422, "too_many_shares"),
    ({"greeting": "恭" * 26}, 422, "greeting_refused"),
    ({"greeting": "\u202e财发喜恭"}, 422, "greeting_refused"),
    ({"greeting": "恭喜\n发财"}, 422, "greeting_refused"),
    ({"greeting": "   "}, 422, "greeting_refused"),
    ({"count": 100} | yuan(5_000_01), 403, "packet_limit"),
    ({"group": ids.new("grp")}, 404, "not_found"),
    ({"kind": "exclusive", "count": 1, "person": ids.new("usr")}, 404, "not_found"),
    ({"count": 50} | yuan(4_000_00), 422, "insufficient_balance"),
]


async def test_forms_that_make_no_packet(phone: Phone, world: World) -> None:
    for changes, status, code in BAD:
        body = {"kind": "lucky", "count": 3} | yuan(10_00) | changes
        is_problem(await phone.post("/v1/red-packets", body), status, code)
    own = {"kind": "exclusive", "count": 1, "person": phone.person_id} | yuan(1_00)
    is_problem(await phone.post("/v1/red-packets", own), 400, "bad_request")
    assert await balance(world, phone) == 1_000_00
    usual = await phone.done(
        phone.post("/v1/red-packets", {"kind": "lucky", "count": 1, "greeting": ""} | yuan(1_00))
    )
    assert usual["greeting"] == "恭喜发财，大吉大利"


async def test_whom_it_is_not_for(phone: Phone, phones: Phones, world: World) -> None:
    ben, cleo = await phones("Ben"), await phones("Cleo")
    await befriend(ben, phone)
    group = await group_of(phone, ben)
    alone = await send_packet(phone, 8_88, 1, kind="exclusive", person=ben.person_id)
    shared = await send_packet(phone, 5_00, 2, group=group)
    for packet in (alone, shared):
        is_problem(await open_it(cleo, packet), 403, "packet_not_for_you")
        glance = await cleo.done(cleo.get(f"/v1/red-packets/{packet}"))
        assert (glance["state"], glance["packet"]["person"]) == ("not_for_you", None)
        is_problem(await cleo.get(f"/v1/red-packets/{packet}/detail"), 404, "not_found")
    is_problem(await open_it(phone, alone), 403, "packet_not_for_you")  # one's own exclusive one
    body = {"kind": "lucky", "count": 3, "group": group} | yuan(5_00)
    is_problem(await phone.post("/v1/red-packets", body), 422, "too_many_shares")
    assert (await open_it(ben, alone)).json()["amount"] == yuan(8_88)["amount"]
    assert await balance(world, ben) == 8_88
    for forged in (ids.new("red"), "red_", "x", alone.upper(), ids.new("trf")):
        is_problem(await ben.get(f"/v1/red-packets/{forged}"), 404, "not_found")
        is_problem(await open_it(ben, forged), 404, "not_found")


async def test_a_wrong_passcode_five_times(phone: Phone, phones: Phones) -> None:
    ben, cleo = await phones("Ben"), await phones("Cleo")
    packet = await send_packet(phone, kind="passcode", passcode="芝麻 开门")
    assert (await ben.done(ben.get(f"/v1/red-packets/{packet}")))["state"] == "passcode"
    for _ in range(4):
        is_problem(await open_it(ben, packet, "西瓜开门"), 422, "passcode_wrong")
    for passcode in ("西瓜开门", "芝麻 开门"):
        is_problem(await open_it(ben, packet, passcode), 422, "passcode_spent")
    assert (await open_it(cleo, packet, "芝麻　开门")).status_code == 200


async def test_frozen_people_and_the_end(phone: Phone, phones: Phones, world: World) -> None:
    ben, cleo = await phones("Ben"), await phones("Cleo")
    dan = await phones("Dan", balance=100_00)
    frozen, running = await send_packet(dan, 5_00), await send_packet(phone, 6_00)
    await dan.done(dan.post("/v1/freeze"))
    is_problem(await open_it(ben, frozen), 403, "sender_frozen")
    is_problem(await open_it(dan, running), 403, "opener_frozen")
    body = {"kind": "lucky", "count": 2} | yuan(1_00)
    is_problem(await dan.post("/v1/red-packets", body), 403, "payer_frozen")
    got = (await open_it(cleo, running)).json()["amount"]["amount"]
    world.clock.move(timedelta(hours=24))
    is_problem(await open_it(ben, running), 410, "packet_expired")
    for _ in range(2):
        await world.services.redpackets.sweep()
    assert await balance(world, phone) == 1_000_00 - got
    assert await balance(world, dan) == 100_00
    sent = await phone.done(phone.get(f"/v1/red-packets/{running}/sent"))
    assert (sent["status"], sent["returned_amount"]["amount"]) == ("returned", 6_00 - got)


async def test_the_inbox(phone: Phone, phones: Phones, world: World) -> None:
    ben = await phones("Ben")
    await ben.done(ben.patch("/v1/settings", {"language": "en"}))
    await befriend(ben, phone)
    gift: dict[str, Any] = {"kind": "exclusive", "person": ben.person_id, "greeting": "=1+1"}
    first, second, third = [await send_packet(phone, 1_00, 1, **gift) for _ in range(3)]
    assert (await ben.done(ben.get("/v1/inbox/unread")))["count"] == 3
    await ben.done(ben.put(f"/v1/red-packets/{first}/seen"))
    assert (await ben.done(ben.get("/v1/inbox/unread")))["count"] == 2
    page = await ben.done(ben.get("/v1/inbox", limit=2))
    assert (page["has_more"], [item["unread"] for item in page["data"]]) == (True, [True, True])
    rest = await ben.done(ben.get("/v1/inbox", limit=2, cursor=page["next_cursor"]))
    assert [item["packet"]["id"] for item in rest["data"]] == [first]
    assert (rest["has_more"], rest["next_cursor"]) == (False, "")
    foreign = await phone.get("/v1/inbox", box="sent", limit=1)
    cursor = foreign.json()["next_cursor"]
    is_problem(await ben.get("/v1/inbox", box="sent", cursor=cursor), 400, "bad_request")
    for packet in (second, third):
        assert (await open_it(ben, packet)).status_code == 200
    world.clock.move(timedelta(hours=22))
    [soon] = (await ben.done(ben.get("/v1/inbox")))["data"]
    assert (soon["soon"], soon["packet"]["id"]) == (True, first)
    received = await ben.done(ben.get("/v1/inbox", box="received"))
    assert {item["packet"]["id"] for item in received["data"]} == {second, third}
    [year] = (await ben.done(ben.get("/v1/inbox/years")))["data"]
    assert (year["amount"]["amount"], year["count"]) == (2_00, 2)
    file = await ben.get("/v1/inbox/file", box="received", year=year["year"])
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.startswith("\ufeffTime,Kind,Sender,Greeting,Amount")
    assert (file.text.count("\n"), file.text.count(",'=1+1,")) == (3, 2)
    for path in ("/v1/inbox?box=all", "/v1/inbox/years?box=waiting", "/v1/inbox/file?box=x"):
        assert (
            await ben.get(path.partition("?")[0], box=path.rpartition("=")[2])
        ).status_code == 400
    is_problem(await ben.get("/v1/inbox", box="sent", year=1), 400, "bad_request")
    is_problem(await ben.get("/v1/inbox/file", year=1), 400, "bad_request")
