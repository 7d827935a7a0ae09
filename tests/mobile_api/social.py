"""People who know each other, by their phones alone."""

from typing import Any

from tests.mobile_api.conftest import wallet_of
from tests.mobile_api.steps import yuan
from tests.phone import Phone
from tests.world import World


async def befriend(one: Phone, other: Phone) -> None:
    """By a link of the one, accepted by them."""
    link = await one.done(one.post("/v1/friend-links"))
    await other.done(other.post("/v1/friend-requests", {"link": link["secret"], "message": "我"}))
    await one.done(one.post(f"/v1/friends/{other.person_id}/accept"))


async def group_of(owner: Phone, *others: Phone, name: str = "家人") -> str:
    group = await owner.done(owner.post("/v1/groups", {"name": name}))
    link = await owner.done(owner.post(f"/v1/groups/{group['id']}/links"))
    for other in others:
        await other.done(other.post(f"/v1/group-links/{link['secret']}/join"))
    return str(group["id"])


async def send_packet(sender: Phone, fen: int = 10_00, count: int = 2, **more: Any) -> str:
    """Sent and paid; its id."""
    body = {"kind": "lucky", "count": count} | yuan(fen) | more
    answer = await sender.consent(await sender.post("/v1/red-packets", body))
    assert answer.json()["status"] == "open", answer.text
    return str(answer.json()["id"])


async def balance(world: World, phone: Phone) -> int:
    return await world.balance(wallet_of(phone).account_id)
