"""Example calls: what one of everything (belongings) leaves undone, each step with a success."""

from litestar import Litestar

from backend.shop_roles import Role
from tests.mobile_api.belongings import Belongings
from tests.mobile_api.conftest import Phones
from tests.mobile_api.heard import Heard
from tests.mobile_api.listening import Listening
from tests.mobile_api.routes import Route
from tests.mobile_api.social import befriend, group_of, send_packet
from tests.mobile_api.steps import joined, keeper_of, let_go, paid, yuan
from tests.mobile_api.test_cards import bind
from tests.phone import Phone

STAFF = ("/v1/shop", "/v1/till")
PERSONS = ("/v1/shops", "/v1/shop-invitations")
BIG_FEN, BIG_REFUND_FEN = 800_00, 2_000_00  # take a passkey
SALE = "GET /v1/shop/orders/{order_id}"
WANTED = {"/v1/bills/months": {"months": "2026-11"}}  # parameters that a read can't be without
WITH_A_DAY = "/v1/shop/files"  # belongings ask for it: today's are not made yet
STREAMS = {"follow_events": "/v1/events", "follow_shop_events": "/v1/shop/events"}


class Tour:
    """Anna buys, Boris is her friend, and the keeper has a shop with a cashier."""

    def __init__(self, phones: Phones, app: Litestar, heard: Heard) -> None:
        self.phones, self.app, self.heard = phones, app, heard
        self.anna: Phone
        self.boris: Phone
        self.keeper: Phone

    async def go(self, made: Belongings, routes: list[Route]) -> None:
        await self._owners(made, routes)
        self.anna = await self.phones("安娜", balance=20_000_00)
        self.boris = await self.phones("小博", balance=500_00)
        self.keeper = await keeper_of(self.phones)
        await befriend(self.anna, self.boris)
        await self._reads(made, routes)
        await self._people()
        await self._requests()
        await self._packets()
        await self._passkeys()
        await self._shop()
        await self._streams()
        await self._ends()

    async def _owners(self, made: Belongings, routes: list[Route]) -> None:
        """Everybody asks for what is theirs; what ends something comes last."""
        for route in sorted(routes, key=lambda route: route.method == "DELETE"):
            if "{" in route.path and made.used_by(route) is not None:
                await made.ask(route)

    async def _reads(self, made: Belongings, routes: list[Route]) -> None:
        """What has no id in its path; staff's of a shop that was settled."""
        [sold] = [route for route in routes if route.name == SALE]
        owned = made.used_by(sold)
        assert owned is not None
        for route in routes:
            if (
                route.method == "GET"
                and "{" not in route.path
                and route.path not in (*STREAMS.values(), WITH_A_DAY)
            ):
                is_staffs = route.path.startswith(STAFF) and not route.path.startswith(PERSONS)
                caller = owned.owner if is_staffs else self.anna
                answer = await caller.call(
                    "GET", route.path, params=WANTED.get(route.path), signed_in=not route.open
                )
                assert answer.is_success, f"{route.path}: {answer.status_code} {answer.text}"

    async def _people(self) -> None:
        link = await self.anna.api.create_friend_link()
        await self.boris.api.get_friend_link(secret=link["secret"])
        await self.anna.api.delete_friend_links()
        await self.anna.api.find_friend({"phone": self.boris.number})
        await self.anna.api.find_payee({"phone": self.boris.number})
        group = await group_of(self.anna, self.boris)
        link = await self.anna.api.create_group_link(group_id=group)
        await self.boris.api.get_group_link(secret=link["secret"])
        await self.boris.api.delete_group_membership(group_id=group)
        code = await self.boris.api.create_receive_code({})
        await self.anna.api.get_receive_code(code_id=code["id"])
        await self.anna.api.create_receive_code_order(yuan(5_00), code_id=code["id"])
        code = await self.anna.api.create_payment_code()
        await self.anna.api.reveal_payment_code({"code": code["code"]})
        await self.anna.api.parse_code({"text": code["code"]})
        await self.anna.api.create_payment_code_ahead()
        await self.anna.api.delete_payment_codes()
        await self.anna.api.put_notice_switch({"on": False}, kind="friend_asked")
        await self.anna.api.update_settings({"language": "en"})
        newest = (await self.anna.api.list_notices())["data"][0]
        await self.anna.api.read_notices({"up_to": newest["id"]})

    async def _requests(self) -> None:
        asked = {"parts": [{"person": self.boris.person_id} | yuan(30_00)]}
        await self.anna.api.preview_request(asked)
        request = await self.anna.api.create_request(asked)
        self.phones.world.later(days=1)
        await self.anna.api.remind_request(request_id=request["id"])

    async def _packets(self) -> None:
        packet_id = await send_packet(self.anna, 10_00, 1)
        await self.boris.api.open_red_packet({}, packet_id=packet_id)
        await self.boris.api.get_red_packet_proof(packet_id=packet_id)

    async def _passkeys(self) -> None:
        """What takes one: a fresh ceremony, and its answer."""
        anna, keeper = self.anna.api, self.keeper.api
        sent = await anna.create_transfer({"payee": self.boris.person_id} | yuan(BIG_FEN))
        ours = {"transfer_id": sent["id"]}
        fresh = await anna.create_transfer_ceremony(**ours)
        await self.anna.agreed(fresh, "confirm_transfer", **ours)
        card = (await bind(self.anna, self.phones.world))["id"]
        begun = await anna.create_withdrawal({"card": card, "speed": "instant"} | yuan(30_00))
        ours = {"withdrawal_id": begun["id"]}
        fresh = await anna.create_withdrawal_ceremony(**ours)
        await self.anna.agreed(fresh, "confirm_withdrawal", **ours)
        order = await paid(self.keeper, self.anna, BIG_REFUND_FEN)
        ours, body = {"order_id": order["id"]}, {"reason": "退货"} | yuan(BIG_REFUND_FEN)
        refund = await keeper.create_shop_order_refund(body, **ours)
        ours |= {"refund_id": refund["id"]}
        fresh = await keeper.create_shop_order_refund_ceremony(**ours)
        await self.keeper.agreed(fresh, "confirm_shop_order_refund", **ours)

    async def _shop(self) -> None:
        keeper = self.keeper.api
        order = await keeper.create_till_order(yuan(5_00))
        await self.anna.api.get_order(order_id=order["id"])
        [store] = (await keeper.list_shop_stores())["data"]
        await keeper.create_shop_store({"name": "分店"})
        await keeper.create_shop_terminal({"store": store["id"], "name": "二号"})
        terminal = (await keeper.list_shop_terminals())["data"][0]
        await self.anna.api.get_static_code(code_id=terminal["code"])
        await keeper.set_shop_state({"open": True})
        [seat] = (await keeper.list_seats())["data"]
        await keeper.take_seat({"shop": seat["id"]})
        await joined(self.keeper, self.boris, Role.CASHIER)
        purpose = f"change_member:{seat['id']}:{self.boris.person_id}:{Role.FINANCE}:all"
        change = {"role": Role.FINANCE.value} | await self.keeper.approved(purpose)
        await keeper.put_shop_staff(change, member_id=self.boris.person_id)
        await let_go(self.keeper, self.boris)
        card = (await bind(self.keeper, self.phones.world, "0003"))["id"]
        leave = await self.keeper.approved(f"payout_card:{seat['id']}:{card}")
        await keeper.create_shop_settlement_card({"card": card} | leave)

    async def _streams(self) -> None:
        for name, path in STREAMS.items():
            listening = Listening(self.app, self.keeper, path)
            await listening.until("ready")
            self.heard.by[name, listening.status] += 1
            await listening.cut()

    async def _ends(self) -> None:
        """Of money, sessions and tokens."""
        await self.boris.api.freeze()
        await self.boris.api.unfreeze(await self.boris.approved("unfreeze"))
        session = (await self.boris.api.get_me())["session"]
        await self.boris.api.delete_session(session_id=session)
        await self.boris.sign_in()
        await self.boris.api.delete_sessions()
        await self.boris.sign_in()
        await self.boris.api.sign_out()
