"""Notices over the JSON face."""

from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.phone import Phone
from tests.transfers.people import befriend
from tests.world import World


async def asked(phone: Phone, world: World) -> None:
    """Somebody wants to be the phone's owner's friend."""
    await befriend(world, await world.person(name="李雷"), wallet_of(phone))


async def test_a_list_with_words_in_the_callers_language(phone: Phone, world: World) -> None:
    await asked(phone, world)
    page = await phone.done(phone.get("/v1/notices"))
    [notice] = page["data"]
    assert (page["has_more"], notice["object"], notice["kind"]) == (False, "notice", "friend_asked")
    assert (notice["title"], notice["name"], notice["read"]) == (
        "你和 李雷 已成为好友",
        "李雷",
        False,
    )
    assert (notice["amount"], notice["area"]) == (None, "friends")


async def test_reading_and_counting(phone: Phone, world: World) -> None:
    for _ in range(3):
        await asked(phone, world)
    first = await phone.done(phone.get("/v1/notices", limit=1))
    assert first["has_more"]
    rest = await phone.done(phone.get("/v1/notices", limit=5, cursor=first["next_cursor"]))
    assert len(rest["data"]) == 2
    assert (await phone.done(phone.get("/v1/notices/unread")))["unread"] == 3
    oldest = rest["data"][-1]["id"]
    read = await phone.done(phone.post(f"/v1/notices/{rest['data'][0]['id']}/read", {}))
    assert read["read"]
    assert (await phone.done(phone.post("/v1/notices/read", {"up_to": oldest})))["unread"] == 1
    newest = first["data"][0]["id"]
    assert (await phone.done(phone.post("/v1/notices/read", {"up_to": newest})))["unread"] == 0


async def test_switches(phone: Phone, world: World) -> None:
    switches = (await phone.done(phone.get("/v1/notices/switches")))["data"]
    assert all(switch["on"] for switch in switches)
    off = await phone.done(phone.put("/v1/notices/switches/friend_asked", {"on": False}))
    assert (off["id"], off["on"], off["fixed"]) == ("friend_asked", False, False)
    await asked(phone, world)
    assert (await phone.done(phone.get("/v1/notices/unread")))["unread"] == 0


async def test_what_is_refused(phone: Phone, phones: Phones, world: World) -> None:
    await asked(phone, world)
    other = await phones("韩梅梅")
    [notice] = (await phone.done(phone.get("/v1/notices")))["data"]
    is_problem(await other.post(f"/v1/notices/{notice['id']}/read", {}), 404, "not_found")
    is_problem(await phone.get("/v1/notices", cursor="x"), 400, "bad_request")
    is_problem(await phone.post("/v1/notices/read", {"up_to": "x"}), 400, "invalid_request")
    fixed = "/v1/notices/switches/frozen"
    is_problem(await phone.put(fixed, {"on": False}), 400, "bad_request")
    is_problem(await phone.put("/v1/notices/switches/x", {"on": True}), 404, "not_found")
    is_problem(await phone.put(fixed, {"on": "no"}), 400, "invalid_request")
