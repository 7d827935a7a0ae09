"""The whole contract against the running face, by phones that are signed in: example calls,
schemathesis, and walks along its links. Every answer is one that it tells of, and every operation
is seen to succeed."""

from collections.abc import Callable

import anyio
import httpx
import pytest
from litestar import Litestar

from tests.api_client import committed
from tests.mobile_api.belongings import one_of_everything
from tests.mobile_api.conftest import Phones
from tests.mobile_api.fuzz import DOCUMENT, Fuzz
from tests.mobile_api.heard import Heard
from tests.mobile_api.test_matrix import of_json_face
from tests.mobile_api.tour import Tour
from tests.phone import Phone
from tests.web.pages.conftest import bank_world
from tests.world import World

__all__ = ["bank_world"]

pytestmark = pytest.mark.timeout(400)  # thousands of requests

EXAMPLES = 5
CALLS, STEPS = 120, 8

# Resources that have to do with each other share a phone, so that what one makes another finds.
GROUPS = {
    "money": "balance bills cards codes orders pay_code payments receipts receive refunds"
    " static_codes topups withdrawals",
    "people": "friends groups inbox notices red_packets requests transfers",
    "shop": "files joining settlement shop_orders shop_refunds shop_today shops staff stores till",
}
TAGS = {name: frozenset(tags.split()) for name, tags in GROUPS.items()}
TAGS["rest"] = frozenset(tag["name"] for tag in DOCUMENT["tags"]).difference(*TAGS.values())

# No call of a phone succeeds here, and why.
NEVER = {
    "create_device_first_ceremony": "whoever has a phone has a passkey: both come in one ceremony",
}


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
def heard(api: httpx.AsyncClient) -> Heard:
    """Of all calls of this test."""
    made = Heard()
    api.event_hooks["response"].append(made.hear)
    return made


@pytest.fixture
async def fuzz(phones: Phones, phone: Phone, world: World) -> Fuzz:
    """A phone whose owner has money, a shop, a friend, and something bought."""
    other = await phones("Lena", balance=500_00)
    shop = await world.shop(await world.person())
    own = await phone.api.create_shop({"name": "老王面馆", "category": "food"})
    made = Fuzz(phone, world)
    order = await world.order(shop, 5_00)
    bought = {"order": order.order_id, "amount": {"amount": 5_00, "currency": "CNY"}}
    begun = await phone.api.create_payment(bought)
    await phone.agreed(begun, "confirm_payment", payment_id=begun["id"])
    made.known = {
        "order": [(await world.order(shop, 7_00)).order_id, order.order_id],
        "friend": [other.person_id],
        "person": [other.person_id],
        "payee": [other.person_id],
        "shop": [own["id"]],
    }
    return made


async def test_every_operation_succeeds_and_answers_as_documented(
    heard: Heard,
    phones: Phones,
    world: World,
    app: Litestar,
    fuzz: Fuzz,
    figure: Callable[[str], None],
) -> None:
    tour = Tour(phones, app, heard)
    await tour.go(await one_of_everything(phones, world), of_json_face())

    def run() -> None:
        for tags in TAGS.values():
            for operation in fuzz.operations(tags, "positive"):
                fuzz.run(operation, "positive", EXAMPLES)
        fuzz.walk(CALLS, STEPS)

    await anyio.to_thread.run_sync(run)
    assert heard.wrong == [], "\n".join(heard.wrong)
    assert fuzz.failures == [], "\n".join(fuzz.failures)
    never = committed().operations.keys() - heard.succeeded()
    assert never == NEVER.keys(), "operations without a 2xx, beside what is excused"
    figure(heard.line())


@pytest.mark.parametrize("group", TAGS)
async def test_what_is_wrong_is_refused_as_documented(
    fuzz: Fuzz, group: str, heard: Heard, figure: Callable[[str], None]
) -> None:
    def run() -> int:
        operations = list(fuzz.operations(TAGS[group], "negative"))
        for operation in operations:
            fuzz.run(operation, "negative", EXAMPLES)
        return len(operations)

    ran = await anyio.to_thread.run_sync(run)
    assert ran >= 5
    assert fuzz.failures == [], "\n".join(fuzz.failures)
    assert heard.wrong == [], "\n".join(heard.wrong)
    figure(f"wrong on purpose, {group}: {heard.calls()}")
