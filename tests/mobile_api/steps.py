"""Steps that many stories of phones share."""

from typing import Any

from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones
from tests.phone import Phone


def yuan(fen: int) -> dict[str, Any]:
    return {"amount": {"amount": fen, "currency": "CNY"}}


async def keeper_of(phones: Phones, name: str = "王老板", shop: str = "老王面馆") -> Phone:
    """Owns a shop, opened over the API, which pays no fees."""
    keeper = await phones(name)
    opened = await keeper.done(keeper.post("/v1/shops", {"name": shop, "category": "food"}))
    await phones.world.fee(await phones.world.services.merchant.shop(opened["id"]), bps=0)
    return keeper


async def joined(owner: Phone, member: Phone, role: Role) -> Phone:
    """Invited and joined over the API."""
    shop = (await owner.done(owner.get("/v1/shop")))["id"]
    asked = {"role": role.value} | await owner.approved(f"invite_member:{shop}:{role}:all")
    invited = await owner.done(owner.post("/v1/shop/staff/invitations", asked))
    where = f"/v1/shop-invitations/{invited['secret']}"
    await member.done(member.get(where))
    begun = await member.done(member.post(f"{where}/ceremony"))
    seat = await member.done(member.post(f"{where}/confirm", member.signed(begun["ceremony"])))
    assert seat["role"] == role
    return member


async def let_go(owner: Phone, member: Phone) -> None:
    """Out of the shop."""
    shop = (await owner.done(owner.get("/v1/shop")))["id"]
    approved = await owner.approved(f"change_member:{shop}:{member.person_id}:out:all")
    await owner.done(owner.post(f"/v1/shop/staff/{member.person_id}/removal", approved))


async def paid(keeper: Phone, payer: Phone, fen: int = 23_00) -> dict[str, Any]:
    """An order of the keeper's, paid by the payer."""
    order: dict[str, Any] = await keeper.done(keeper.post("/v1/till/orders", yuan(fen)))
    body = {"order": order["id"]} | yuan(fen)
    answer = await payer.consent(await payer.post("/v1/payments", body))
    assert answer.json()["status"] == "posted", answer.text
    return order
