"""The rest of a till app: refunds, orders with filters, stores, staff, the money of a shop."""

from datetime import timedelta

import pytest

from backend.shop_roles import Role
from mobile_api.shapes import timestamp
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import joined, keeper_of, let_go, paid, yuan
from tests.phone import Phone
from tests.world import World


@pytest.fixture
async def keeper(phones: Phones) -> Phone:
    return await keeper_of(phones)


async def test_a_small_refund_and_a_large_one(keeper: Phone, phones: Phones, world: World) -> None:
    payer = await phones(balance=5_000_00)
    order = await paid(keeper, payer, 3_000_00)
    where = f"/v1/shop/orders/{order['id']}/refunds"
    small = await keeper.done(keeper.post(where, {"reason": "少一份"} | yuan(10_00)))
    assert (small["status"], small["requirement"]) == ("posted", None)
    large = await keeper.post(where, {"reason": "退货"} | yuan(2_000_00))
    asked = large.json()
    assert (asked["status"], asked["requirement"]["takes"]) == ("created", "passkey")
    fresh = await keeper.post(f"{where}/{asked['id']}/ceremony")
    done = (await keeper.consent(fresh)).json()
    assert (done["id"], done["status"]) == (asked["id"], "posted")
    assert await keeper.done(keeper.get(f"{where}/{done['id']}")) == done
    left = await keeper.done(keeper.get(where))
    assert left["left"]["amount"] == 990_00
    too_much = is_problem(
        await keeper.post(where, {"reason": "x"} | yuan(990_01)), 409, "refund_too_much"
    )
    assert too_much["money_moved"] == "no"
    assert await world.balance(wallet_of(payer).account_id) == 5_000_00 - 990_00


async def test_a_payer_asks_and_the_shop_declines(keeper: Phone, phone: Phone) -> None:
    order = await paid(keeper, phone)
    payment = (await keeper.done(keeper.get(f"/v1/till/orders/{order['id']}")))["payment"]
    asked = await phone.done(
        phone.post(f"/v1/bills/{payment}/refund-requests", {"reason": "面里有头发"})
    )
    [waiting] = (await keeper.done(keeper.get("/v1/shop/refund-requests")))["data"]
    assert (waiting["id"], waiting["order"], waiting["reason"]) == (
        asked["id"],
        order["id"],
        "面里有头发",
    )
    where = f"/v1/shop/refund-requests/{asked['id']}/decline"
    said = await keeper.done(keeper.post(where, {"answer": "已换一碗"}))
    assert (said["status"], said["answer"]) == ("declined", "已换一碗")
    assert (await keeper.done(keeper.get("/v1/shop/refund-requests")))["data"] == []
    today = await keeper.done(keeper.get("/v1/shop/today"))
    assert today["refund_requests"] == 0


async def test_orders_by_filter_and_page(keeper: Phone, phone: Phone, world: World) -> None:
    first = await paid(keeper, phone, 5_00)
    world.later(seconds=1)
    second = await paid(keeper, phone, 7_00)
    world.later(seconds=1)
    open_one = await keeper.done(keeper.post("/v1/till/orders", yuan(9_00)))
    assert await _ids(keeper) == [open_one["id"], second["id"], first["id"]]
    assert await _ids(keeper, status="paid") == [second["id"], first["id"]]
    at_least = {"amount[gte]": 6_00, "amount[lte]": 8_00}
    assert await _ids(keeper, **at_least) == [second["id"]]
    assert await _ids(keeper, q=first["id"]) == [first["id"]]
    ended = {"created[lt]": timestamp(world.clock.now() - timedelta(seconds=1))}
    assert open_one["id"] not in await _ids(keeper, **ended)
    page = await keeper.done(keeper.get("/v1/shop/orders", limit=2))
    assert page["has_more"]
    rest = await keeper.done(keeper.get("/v1/shop/orders", limit=2, cursor=page["next_cursor"]))
    assert [sale["id"] for sale in rest["data"]] == [first["id"]]
    whole = await keeper.done(keeper.get(f"/v1/shop/orders/{first['id']}"))
    assert (whole["order"]["status"], whole["left"]["amount"]) == ("paid", 5_00)


@pytest.mark.parametrize(
    "wrong",
    [
        {"created[gte]": "yesterday"},
        {"created[gte]": "2026-11-23T10:00:00"},
        {"created[lt]": "0001-01-01T00:00:00Z"},
        {"q": "x" * 65},
        {"status": "lost"},
        {"cursor": "somebody's"},
        {"amount[gte]": "much"},
    ],
)
async def test_filters_that_mean_nothing(keeper: Phone, wrong: dict[str, str]) -> None:
    answer = await keeper.get("/v1/shop/orders", **wrong)
    assert answer.status_code == 400
    assert answer.json()["code"] in {"invalid_request", "bad_request"}


async def test_stores_terminals_and_views(keeper: Phone) -> None:
    store = await keeper.done(keeper.post("/v1/shop/stores", {"name": "东门店"}))
    made = {"store": store["id"], "name": "一号桌"}
    terminal = await keeper.done(keeper.post("/v1/shop/terminals", made))
    assert len(terminal["short_code"]) == 8
    assert terminal["address"].endswith(terminal["code"].partition("_")[2].upper())
    order = await keeper.done(
        keeper.post("/v1/till/orders", {"terminal": terminal["id"]} | yuan(1_00))
    )
    assert (order["store"], order["terminal"]) == (store["id"], terminal["id"])
    closed = {"name": "一号桌", "closed": True}
    where = f"/v1/shop/terminals/{terminal['id']}"
    assert (await keeper.done(keeper.put(where, closed)))["closed"] is True
    renamed = await keeper.done(
        keeper.put(f"/v1/shop/stores/{store['id']}", {"name": "西门店", "closed": False})
    )
    assert renamed["name"] == "西门店"
    view = await keeper.done(
        keeper.post("/v1/shop/views", {"name": "退款", "query": "status=refunded"})
    )
    assert (await keeper.done(keeper.get("/v1/shop/views")))["data"] == [view]
    await keeper.done(keeper.delete(f"/v1/shop/views/{view['id']}"))
    assert (await keeper.done(keeper.get("/v1/shop/views")))["data"] == []


async def test_staff_come_change_and_go(keeper: Phone, phones: Phones) -> None:
    li = await joined(keeper, await phones("小李"), Role.CASHIER)
    shop = (await keeper.done(keeper.get("/v1/shop")))["id"]
    where, of = f"/v1/shop/staff/{li.person_id}", f"change_member:{shop}:{li.person_id}"
    finance = {"role": "finance"} | await keeper.approved(f"{of}:finance:all")
    assert (await keeper.done(keeper.put(where, finance)))["role"] == "finance"
    is_problem(await li.post("/v1/till/orders", yuan(1_00)), 403, "permission_missing")
    await let_go(keeper, li)
    is_problem(await li.get("/v1/shop"), 404, "no_shop")
    told = (await keeper.done(keeper.get("/v1/shop/activity")))["data"]
    assert {act["person"] for act in told} >= {keeper.person_id}
    owner = finance | {"role": "owner"}
    is_problem(await keeper.post("/v1/shop/staff/invitations", owner), 400, "invalid_request")


async def test_staff_takes_the_passkey_over_exactly_that(keeper: Phone, phones: Phones) -> None:
    """Not without one, not spent twice, not for another role, person or store than was signed."""
    li, other = [
        await joined(keeper, await phones(name), Role.CASHIER) for name in ("小李", "小王")
    ]
    shop = (await keeper.done(keeper.get("/v1/shop")))["id"]
    [store] = (await keeper.done(keeper.get("/v1/shop/stores")))["data"]
    where, of = f"/v1/shop/staff/{li.person_id}", f"change_member:{shop}:{li.person_id}"
    invitations = "/v1/shop/staff/invitations"
    is_problem(await keeper.put(where, {"role": "manager"}), 400, "invalid_request")
    is_problem(await keeper.post(f"{where}/removal", {}), 400, "invalid_request")
    is_problem(await keeper.post(invitations, {"role": "manager"}), 400, "invalid_request")
    signed = await keeper.approved(f"{of}:finance:all")
    at = {"store": store["id"]}
    elsewhere = f"/v1/shop/staff/{other.person_id}"
    is_problem(await keeper.put(where, {"role": "manager"} | signed), 410, "ceremony_invalid")
    is_problem(await keeper.put(elsewhere, {"role": "finance"} | signed), 410, "ceremony_invalid")
    is_problem(await keeper.put(where, {"role": "cashier"} | at | signed), 410, "ceremony_invalid")
    is_problem(await keeper.post(f"{where}/removal", signed), 410, "ceremony_invalid")
    is_problem(
        await keeper.post(invitations, {"role": "finance"} | signed), 410, "ceremony_invalid"
    )
    assert (await keeper.done(keeper.put(where, {"role": "finance"} | signed)))["id"]
    back = await keeper.approved(f"{of}:cashier:all")
    await keeper.done(keeper.put(where, {"role": "cashier"} | back))
    is_problem(await keeper.put(where, {"role": "finance"} | signed), 410, "ceremony_invalid")
    invite = {"role": "cashier"} | await keeper.approved(f"invite_member:{shop}:cashier:all")
    is_problem(
        await keeper.post(invitations, invite | {"role": "manager"}), 410, "ceremony_invalid"
    )
    await keeper.done(keeper.post(invitations, invite))
    is_problem(await keeper.post(invitations, invite), 410, "ceremony_invalid")
    members = (await keeper.done(keeper.get("/v1/shop/staff")))["data"]
    assert {member["role"] for member in members} == {"owner", "cashier"}


async def test_a_settlement_and_its_files(keeper: Phone) -> None:
    coming = await keeper.done(keeper.get("/v1/shop/settlement"))
    assert (coming["net"]["amount"], coming["card"]) == (0, None)
    assert (await keeper.done(keeper.get("/v1/shop/settlement/batches")))["data"] == []
    is_problem(await keeper.get("/v1/shop/files"), 404, "file_not_ready")
    shop = coming["id"]
    card = "crd_01k0000000000000000000000s"
    chosen = {"card": card} | await keeper.approved(f"payout_card:{shop}:{card}")
    is_problem(await keeper.post("/v1/shop/settlement/card", chosen), 404, "not_found")


async def _ids(keeper: Phone, **params: object) -> list[str]:
    page = await keeper.done(keeper.get("/v1/shop/orders", **params))
    return [sale["id"] for sale in page["data"]]
