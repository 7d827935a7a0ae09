"""Friends and groups by phone: found, asked, accepted, blocked; made, joined, left."""

from typing import Any

from backend import ids
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.social import befriend, group_of
from tests.phone import Phone
from tests.world import World


async def listed(phone: Phone, path: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found, cursor = list[dict[str, Any]](), ""
    while True:
        page = await phone.done(phone.get(path, **params, cursor=cursor))
        found += page["data"]
        cursor = page["next_cursor"]
        assert page["has_more"] is bool(cursor)
        if not cursor:
            return found


async def test_found_by_number_asked_and_accepted(phone: Phone, phones: Phones) -> None:
    ben = await phones("Ben")
    known = await phone.post("/v1/friend-lookups", {"phone": ben.number})
    unknown = await phone.post("/v1/friend-lookups", {"phone": "+8613800000009"})
    assert known.status_code == unknown.status_code == 201
    assert set(known.json()) == set(unknown.json()) == {"object", "token", "expires"}
    for answer in (known, unknown):
        body = {"token": answer.json()["token"], "message": "我是安娜"}
        asked = await phone.done(phone.post("/v1/friend-requests", body))
        assert asked["friend"] is None  # whether there is somebody is not told
    mine = await listed(phone, "/v1/friend-requests", limit=1)
    assert len(mine) == 2
    assert {(one["person"], "****" in one["name"]) for one in mine} == {(None, True)}
    [asking] = await listed(ben, "/v1/friends", state="asking")
    assert (asking["id"], asking["message"]) == (phone.person_id, "我是安娜")
    where = f"/v1/friends/{phone.person_id}"
    assert (await ben.done(ben.post(f"{where}/accept")))["state"] == "friends"
    await ben.done(ben.patch(where, {"remark": "小安"}))
    [friend] = await listed(ben, "/v1/friends", search="小安")
    assert (friend["remark"], friend["state"]) == ("小安", "friends")
    assert await listed(ben, "/v1/friends", search="别人") == []
    unanswered = await listed(phone, "/v1/friend-requests")
    taken_back = f"/v1/friend-requests/{unanswered[0]['id']}"
    assert len(unanswered) == 1
    await phone.done(phone.delete(taken_back))
    is_problem(await ben.delete(taken_back), 404, "not_found")
    await phone.done(phone.delete(f"/v1/friends/{ben.person_id}"))
    assert await listed(ben, "/v1/friends") == []


async def test_by_link_by_code_and_blocked(phone: Phone, phones: Phones, world: World) -> None:
    ben, cleo = await phones("Ben"), await phones("Cleo")
    link = await phone.done(phone.post("/v1/friend-links"))
    assert link["url"].endswith(f"/f/{link['secret']}")
    owner = await ben.done(ben.get(f"/v1/friend-links/{link['secret']}"))
    assert (owner["name"], owner["friend"]) == ("安娜", None)
    is_problem(await phone.get(f"/v1/friend-links/{link['secret']}"), 409, "own_self")
    await ben.done(ben.post("/v1/friend-requests", {"link": link["secret"]}))
    await phone.done(phone.post(f"/v1/friends/{ben.person_id}/decline"))
    assert await listed(phone, "/v1/friends") == []
    await phone.done(phone.delete("/v1/friend-links"))
    is_problem(await cleo.get(f"/v1/friend-links/{link['secret']}"), 410, "link_invalid")

    code = await ben.done(ben.post("/v1/receive-codes", {}))
    asked = await cleo.done(cleo.post("/v1/friend-requests", {"code": code["id"]}))
    assert asked["friend"] is None
    back = await cleo.done(cleo.post("/v1/friend-links"))
    both = await ben.done(ben.post("/v1/friend-requests", {"link": back["secret"]}))
    assert both["friend"] == cleo.person_id  # who asked is accepted by asking
    seen = await ben.done(ben.put(f"/v1/friends/{cleo.person_id}/block"))
    assert seen["state"] == "blocked"
    await ben.done(ben.delete(f"/v1/friends/{cleo.person_id}/block"))
    assert (await ben.done(ben.get(f"/v1/friends/{cleo.person_id}")))["state"] == "friends"
    is_problem(await phone.put(f"/v1/friends/{cleo.person_id}/block"), 404, "not_found")


async def test_what_is_refused(phone: Phone, phones: Phones) -> None:
    ben = await phones("Ben")
    await befriend(ben, phone)
    secret = "A" * 43
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({}, 400, "bad_request"),
        ({"link": secret, "token": secret}, 400, "bad_request"),
        ({"group": ids.new("grp")}, 400, "bad_request"),
        ({"link": "short"}, 400, "invalid_request"),
        ({"link": secret, "message": "长" * 51}, 400, "invalid_request"),
        ({"link": secret}, 410, "link_invalid"),
        ({"code": ids.new("rcv")}, 404, "not_found"),
        ({"code": ids.new("usr")}, 404, "not_found"),
        ({"group": ids.new("grp"), "person": ben.person_id}, 404, "not_found"),
    ]
    for body, status, code in bad:
        is_problem(await phone.post("/v1/friend-requests", body), status, code)
    is_problem(await phone.post("/v1/friend-lookups", {"phone": "138"}), 400, "invalid_request")
    is_problem(await phone.post("/v1/friend-lookups", {"phone": phone.number}), 409, "own_self")
    where = f"/v1/friends/{ben.person_id}"
    is_problem(await phone.patch(where, {"remark": "a\u202eb"}), 400, "bad_request")
    is_problem(await phone.patch(where, {"remark": "长" * 33}), 400, "invalid_request")
    for friend in (ids.new("usr"), "x"):
        is_problem(await phone.get(f"/v1/friends/{friend}"), 404, "not_found")
        is_problem(await phone.post(f"/v1/friends/{friend}/accept"), 404, "not_found")
    is_problem(await phone.get("/v1/friends", cursor="x"), 400, "bad_request")
    for _ in range(19):
        await phone.post("/v1/friend-lookups", {"phone": ben.number})
    much = await phone.post("/v1/friend-lookups", {"phone": ben.number})
    is_problem(much, 429, "too_many_finds")
    assert int(much.headers["retry-after"]) > 0


async def test_groups(phone: Phone, phones: Phones) -> None:
    ben, cleo = await phones("Ben"), await phones("Cleo")
    group = await group_of(phone, ben)
    where = f"/v1/groups/{group}"
    shown = await ben.done(ben.get(where))
    assert (shown["name"], shown["members"], shown["owner"]) == ("家人", 2, phone.person_id)
    is_problem(await cleo.get(where), 404, "not_found")
    link = await ben.done(ben.post(f"{where}/links"))
    invited = await cleo.done(cleo.get(f"/v1/group-links/{link['secret']}"))
    assert (invited["group"]["id"], invited["member"]) == (group, False)
    is_problem(await ben.delete(f"{where}/links"), 404, "not_found")  # its owner decides
    await phone.done(phone.delete(f"{where}/links"))
    is_problem(await cleo.post(f"/v1/group-links/{link['secret']}/join"), 410, "link_invalid")
    is_problem(await ben.post(f"{where}/members", {"friend": cleo.person_id}), 404, "not_found")
    await befriend(cleo, ben)
    added = await ben.done(ben.post(f"{where}/members", {"friend": cleo.person_id}))
    assert added["members"] == 3
    members = await listed(phone, f"{where}/members", limit=2)
    assert [one["id"] for one in members] == [
        one.person_id for one in (phone, ben, cleo)
    ]  # in the order of joining
    # Two members who are no friends yet.
    body = {"group": group, "person": cleo.person_id}
    assert (await phone.done(phone.post("/v1/friend-requests", body)))["friend"] is None
    assert (await cleo.done(cleo.post(f"/v1/friends/{phone.person_id}/accept")))["id"]
    await phone.done(phone.delete(f"{where}/membership"))
    assert (await ben.done(ben.get(where)))["owner"] == ben.person_id
    is_problem(await phone.delete(f"{where}/membership"), 404, "not_found")
    assert await listed(phone, "/v1/groups") == []
    for name in ("", "长" * 33, 5):
        is_problem(await phone.post("/v1/groups", {"name": name}), 400, "invalid_request")
    is_problem(await phone.post("/v1/groups", {"name": "a\u202eb"}), 400, "bad_request")
