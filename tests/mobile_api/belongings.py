"""One of everything that has an id in a path, and whose it is.

Kept by the path up to its last id, "/v1/bills/{bill_id}"; what only one route can use is kept under
that route's whole name.
"""

from typing import Any

import httpx
import msgspec

from backend import ids
from backend.settlement.rules import day_of
from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.declared import as_declared
from tests.mobile_api.routes import Route
from tests.mobile_api.social import befriend, group_of, send_packet
from tests.mobile_api.steps import joined, keeper_of, paid, yuan
from tests.mobile_api.test_cards import bind
from tests.phone import Phone
from tests.world import World

BIG_FEN = 800_00  # takes a passkey: not done before it is confirmed
BILL = "/v1/bills/{bill_id}"
FRIEND = "/v1/friends/{friend_id}"
SALE = "/v1/shop/orders/{order_id}"


class Owned(msgspec.Struct, frozen=True):
    """owner: the phone that may; ids: of the path, in their order; body: where an example won't
    do; purpose: of the caller's passkey, whose word is the body."""

    owner: Phone
    ids: tuple[str, ...]
    body: Any = None
    purpose: str = ""


class Belongings:
    def __init__(self, world: World) -> None:
        self.world = world
        self._kept: dict[str, Owned] = {}

    def keep(
        self, where: str, owner: Phone, *ids: str, body: Any = None, purpose: str = ""
    ) -> None:
        self._kept[where] = Owned(owner, ids, body, purpose)

    def used_by(self, route: Route) -> Owned | None:
        up_to_id = route.path[: route.path.rindex("}") + 1]
        return self._kept.get(route.name) or self._kept.get(up_to_id)

    async def ask(self, route: Route, by: Phone | None = None) -> httpx.Response:
        """For what is there, by that phone or by the owner's."""
        owned = self.used_by(route)
        assert owned is not None
        path = route.path
        for thing_id in owned.ids:
            path = path.replace(path[path.index("{") : path.index("}") + 1], thing_id, 1)
        caller, body = by or owned.owner, owned.body or route.body()
        if owned.purpose:
            body = await caller.approved(owned.purpose)
        answer = await caller.call(route.method, path, body, key=ids.new("key"))
        as_declared(route, answer)
        return answer


async def one_of_everything(phones: Phones, world: World) -> Belongings:
    """Of a consumer, their friend, and a shop that has sold and been settled."""
    made = Belongings(world)
    anna, boris = await phones("安娜"), await phones("小博", balance=100_00)
    await _cards(made, anna)
    await befriend(anna, boris)
    keeper, day = await _shop(made, anna, phones)
    await _people(made, anna, boris, phones)
    await _between(made, anna, boris)
    await _security(made, anna, phones)
    await _download(made, keeper, day)
    return made


async def _cards(made: Belongings, anna: Phone) -> None:
    card = await bind(anna, made.world)
    topup = await anna.done(anna.post("/v1/topups", {"card": card["id"]} | yuan(100_00)))
    await made.world.fund(wallet_of(anna), 30_000_00)
    begun = {"card": card["id"], "speed": "instant"} | yuan(50_00)
    withdrawal = await anna.done(anna.post("/v1/withdrawals", begun))
    made.keep("/v1/cards/{card_id}", anna, card["id"])
    code = {"code": "1234"}
    made.keep("POST /v1/cards/{card_id}/confirm", anna, card["id"], body=code)
    made.keep("/v1/topups/{topup_id}", anna, topup["id"])
    made.keep("/v1/withdrawals/{withdrawal_id}", anna, withdrawal["id"])


async def _shop(made: Belongings, anna: Phone, phones: Phones) -> tuple[Phone, str]:
    world, keeper = made.world, await keeper_of(phones)
    member = await joined(keeper, await phones("小李"), Role.CASHIER)
    sold, day = await paid(keeper, anna, 3_000_00), day_of(world.clock.now()).isoformat()
    world.later(days=2)
    await world.services.settlement.sweep()
    [batch] = (await keeper.done(keeper.get("/v1/shop/settlement/batches")))["data"][-1:]
    [store] = (await keeper.done(keeper.get("/v1/shop/stores")))["data"]
    [terminal] = (await keeper.done(keeper.get("/v1/shop/terminals")))["data"]
    view = await keeper.done(keeper.post("/v1/shop/views", {"name": "退", "query": ""}))
    made.keep("/v1/shop/settlement/batches/{batch_id}", keeper, batch["id"])
    made.keep("/v1/shop/stores/{store_id}", keeper, store["id"])
    made.keep("/v1/shop/terminals/{terminal_id}", keeper, terminal["id"])
    made.keep("/v1/shop/views/{view_id}", keeper, view["id"])
    made.keep("/v1/shop/staff/{member_id}", keeper, member.person_id)
    await _sale(made, anna, keeper, sold["id"])
    taken = keeper.post("/v1/till/orders", {"terminal": terminal["id"]} | yuan(5_00))
    made.keep("/v1/till/orders/{order_id}", keeper, (await keeper.done(taken))["id"])
    made.keep("POST /v1/till/orders/{order_id}/reverse", keeper, await _charged(anna, keeper))
    world.later(seconds=16)  # no sooner is a charge reversed
    scanned = anna.post(f"/v1/static-codes/{terminal['code']}/orders", yuan(5_00))
    made.keep("GET /v1/orders/{order_id}/quote", anna, (await anna.done(scanned))["id"])
    return keeper, day


async def _charged(anna: Phone, keeper: Phone) -> str:
    code = (await anna.done(anna.post("/v1/payment-codes")))["code"]
    charged = await keeper.done(keeper.post("/v1/till/charges", {"pay_code": code} | yuan(5_00)))
    return str(charged["id"])


async def _sale(made: Belongings, anna: Phone, keeper: Phone, order_id: str) -> None:
    """What was sold, on both sides of the counter, and what came back of it."""
    payment = (await keeper.done(keeper.get(f"/v1/till/orders/{order_id}")))["payment"]
    where = f"/v1/shop/orders/{order_id}/refunds"
    small = await keeper.done(keeper.post(where, {"reason": "少"} | yuan(10_00)))
    waits = await keeper.done(keeper.post(where, {"reason": "退"} | yuan(2_000_00)))
    asked = anna.post(f"/v1/bills/{payment}/refund-requests", {"reason": "面里有头发"})
    wish = (await anna.done(asked))["id"]
    made.keep(SALE, keeper, order_id)
    made.keep(f"{SALE}/refunds/{{refund_id}}", keeper, order_id, waits["id"])
    made.keep("/v1/shop/refund-requests/{request_id}", keeper, wish)
    made.keep(BILL, anna, payment)
    made.keep(f"{BILL}/refunds/{{refund_id}}", anna, payment, small["id"])
    big = await keeper.done(keeper.post("/v1/till/orders", yuan(BIG_FEN)))
    waiting = await anna.done(anna.post("/v1/payments", {"order": big["id"]} | yuan(BIG_FEN)))
    made.keep("/v1/payments/{payment_id}", anna, waiting["id"])


async def _people(made: Belongings, anna: Phone, boris: Phone, phones: Phones) -> None:
    """A friend, one who asks to be one, one who is asked, and somebody blocked."""
    friend, accepted, asked, blocked = [
        await phones(name, trusted=False) for name in ("友友", "可可", "艾艾", "费费")
    ]
    for one in (friend, blocked):
        await befriend(anna, one)
    link = (await anna.done(anna.post("/v1/friend-links")))["secret"]
    await accepted.done(accepted.post("/v1/friend-requests", {"link": link}))
    await anna.done(anna.put(f"/v1/friends/{blocked.person_id}/block"))
    theirs = (await asked.done(asked.post("/v1/friend-links")))["secret"]
    sent = await anna.done(anna.post("/v1/friend-requests", {"link": theirs}))
    group = await group_of(anna, friend)
    made.keep(FRIEND, anna, friend.person_id)
    made.keep(f"POST {FRIEND}/accept", anna, accepted.person_id)
    made.keep(f"DELETE {FRIEND}/block", anna, blocked.person_id)
    made.keep("/v1/friend-requests/{request_id}", anna, sent["id"])
    made.keep("/v1/groups/{group_id}", anna, group)
    more = {"friend": boris.person_id}
    made.keep("POST /v1/groups/{group_id}/members", anna, group, body=more)
    notice = (await anna.done(anna.get("/v1/notices")))["data"][0]
    made.keep("/v1/notices/{notice_id}", anna, notice["id"])


async def _between(made: Belongings, anna: Phone, boris: Phone) -> None:
    transfer = {"payee": boris.person_id}
    big = await anna.done(anna.post("/v1/transfers", transfer | yuan(BIG_FEN)))
    slow = await anna.post("/v1/transfers", transfer | {"delay_hours": 24} | yuan(5_00))
    delayed = (await anna.consent(slow)).json()["id"]
    part = [{"person": boris.person_id} | yuan(5_00)]
    first, second = [
        (await anna.done(anna.post("/v1/requests", {"parts": part})))["id"] for _ in range(2)
    ]
    made.keep("/v1/transfers/{transfer_id}", anna, big["id"])
    made.keep("POST /v1/transfers/{transfer_id}/recall", anna, delayed)
    made.keep("/v1/requests/{request_id}", anna, first)
    made.keep("POST /v1/requests/{request_id}/decline", boris, second)
    alone: dict[str, Any] = {"kind": "exclusive", "count": 1, "person": boris.person_id}
    mine, theirs = [await send_packet(anna, 10_00, **alone) for _ in range(2)]
    unpaid = {"kind": "exclusive", "person": boris.person_id} | yuan(200_00)
    await boris.done(boris.post(f"/v1/red-packets/{theirs}/open", {}))
    packet = "/v1/red-packets/{packet_id}"
    made.keep(packet, anna, mine)
    made.keep(f"POST {packet}/open", boris, mine)
    made.keep(f"PUT {packet}/thanks", boris, theirs)
    waits = (await anna.done(anna.post("/v1/red-packets", unpaid)))["id"]
    for step in ("ceremony", "confirm"):
        made.keep(f"POST {packet}/{step}", anna, waits)


async def _security(made: Belongings, anna: Phone, phones: Phones) -> None:
    me = await anna.done(anna.get("/v1/me"))
    made.keep("/v1/sessions/{session_id}", anna, me["session"])
    other = phones.new()
    granted = await anna.done(anna.post("/v1/devices/grants", await anna.approved("add_device")))
    await other.join(granted["grant"])
    device = (await other.done(other.get("/v1/me")))["device"]
    made.keep("/v1/devices/{device_id}", anna, device, purpose=f"remove_device:{device}")


async def _download(made: Belongings, keeper: Phone, day: str) -> None:
    """It lives five minutes."""
    wanted = {"day": day, "kind": "trade", "format": "csv"}
    download = await keeper.done(keeper.post("/v1/shop/files/downloads", wanted))
    made.keep("/v1/shop/downloads/{token}", keeper, download["id"])
    await keeper.api.list_shop_files(day=day)
