"""The whole contract against the running face, by a phone that is signed in: schemathesis."""

import anyio
import pytest

from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.fuzz import DOCUMENT, Fuzz
from tests.phone import Phone
from tests.world import World

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


@pytest.fixture
async def fuzz(phones: Phones, phone: Phone, world: World) -> Fuzz:
    """A phone whose owner has money, a shop, a friend, and something bought."""
    other = await phones("Lena", balance=500_00)
    shop = await world.shop(await world.person())
    own = await phone.done(
        phone.post("/v1/shops", {"name": "老王面馆", "category": "food"}),
    )
    made = Fuzz(phone, world)
    order = await world.order(shop, 5_00)
    paid = {"order": order.order_id, "amount": {"amount": 5_00, "currency": "CNY"}}
    await phone.consent(await phone.post("/v1/payments", paid))
    made.known = {
        "order": [(await world.order(shop, 7_00)).order_id, order.order_id],
        "friend": [other.person_id],
        "person": [other.person_id],
        "payee": [other.person_id],
        "shop": [own["id"]],
    }
    assert wallet_of(other).person_id == other.person_id
    return made


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("group", TAGS)
async def test_every_answer_is_in_the_contract(fuzz: Fuzz, group: str, mode: str) -> None:
    def run() -> int:
        operations = list(fuzz.operations(TAGS[group]))
        for operation in operations:
            fuzz.run(operation, mode, EXAMPLES)
        return len(operations)

    ran = await anyio.to_thread.run_sync(run)
    assert ran >= 15
    assert fuzz.failures == [], "\n".join(fuzz.failures)


async def test_what_one_operation_answers_the_next_one_takes(fuzz: Fuzz) -> None:
    await anyio.to_thread.run_sync(fuzz.walk, CALLS, STEPS)
    assert fuzz.failures == [], "\n".join(fuzz.failures)
    assert fuzz.calls >= CALLS
