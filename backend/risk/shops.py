"""Shops as the security system knows them: who founded one, and who may act for it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.db import SEC
from backend.errors import IdReused, NotFound
from backend.risk import (
    Approval,
    CeremonyInvalid,
    ChangeMember,
    DeviceUnknown,
    FoundShop,
    MemberForbidden,
    PayoutCardUnknown,
    ShopMember,
    approvals,
    bank_cards,
    registry,
)
from backend.risk.events import record
from backend.risk.holders import Use
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.shop_roles import ROLES, Permission, Role, may


class Actor(msgspec.Struct, frozen=True):
    """Who acts for a shop, on which device; until trusted_at the device is new."""

    person_id: str
    device_id: str
    role: str
    trusted_at: datetime


async def found(parts: Parts, asked: FoundShop) -> None:
    now = parts.clock.now()
    device = await registry.live_device(parts, asked.device_secret, Operation.FOUND, asked.owner_id)
    if device is None:
        raise DeviceUnknown()
    async with SEC.transaction():
        made = await SEC.query(
            "insert into risk.shop (shop_id, owner_id, founded_at) values ($1, $2, $3) "
            "on conflict (shop_id) do nothing returning shop_id",
            asked.shop_id,
            asked.owner_id,
            now,
        )
        if made:
            await add_member(asked.shop_id, asked.owner_id, Role.OWNER, now)
            await record(asked.owner_id, device.device_id, ["shop_founded"], now)
        elif await owner_of(asked.shop_id) != asked.owner_id:
            raise IdReused()


async def actor(
    parts: Parts, shop_id: str, person_id: str, by: Use, permission: Permission
) -> Actor:
    """Refuses: DeviceUnknown, MemberForbidden (a person who froze their account too)."""
    device = await registry.live_device(parts, by.device, by.operation, person_id)
    if device is None:
        raise DeviceUnknown()
    role = await role_of(shop_id, person_id)
    stopped = await registry.is_stopped(person_id, parts.clock.now())
    if role is None or not may(role, permission) or stopped:
        raise MemberForbidden()
    return Actor(person_id, device.device_id, role, device.trusted_at)


async def change_member(parts: Parts, approval: Approval, asked: ChangeMember) -> None:
    """Again: the same end. Invitations of who may invite no more are withdrawn."""
    if approval.person_id != asked.actor_id:
        raise CeremonyInvalid()
    given = Use(asked.device_secret, Operation.CHANGE_MEMBER)
    by = await actor(parts, asked.shop_id, asked.actor_id, given, Permission.STAFF)
    if await owner_of(asked.shop_id) == asked.member_id or asked.role is Role.OWNER:
        raise MemberForbidden()
    is_now = await role_of(asked.shop_id, asked.member_id)
    if await approvals.check_or_repeated(parts, approval, asked.purpose) is None:
        if is_now != asked.role:
            raise CeremonyInvalid()
        return
    now = parts.clock.now()
    async with SEC.transaction():
        if not await _set_role(asked):
            raise NotFound()
        await SEC.query(
            "delete from risk.invitation where shop_id = $1 and actor_id = $2 "
            "and used_at is null and not $3",
            asked.shop_id,
            asked.member_id,
            asked.role is not None and Permission.STAFF in ROLES[asked.role],
        )
        kind = "member_removed" if asked.role is None else "member_changed"
        await record(asked.member_id, by.device_id, [kind], now)


async def members(shop_id: str) -> tuple[ShopMember, ...]:
    """Longest there first."""
    return tuple(
        await SEC.query_as(
            ShopMember,
            "select shop_id, person_id, role from risk.shop_member where shop_id = $1 "
            "order by joined_at, person_id",
            shop_id,
        )
    )


async def set_payout_card(parts: Parts, approval: Approval, shop_id: str, card_id: str) -> None:
    by = await approvals.check(parts, approval, f"{approvals.PAYOUT_CARD}{shop_id}:{card_id}")
    role = await role_of(shop_id, approval.person_id)
    if role is None or not may(role, Permission.PAYOUT):
        raise MemberForbidden()
    card = await bank_cards.find(card_id)
    if card is None or card.person_id != approval.person_id:
        raise PayoutCardUnknown()
    now = parts.clock.now()
    async with SEC.transaction():
        await SEC.query(
            "update risk.shop set payout_card_id = $2, payout_card_at = $3 where shop_id = $1",
            shop_id,
            card_id,
            now,
        )
        await record(approval.person_id, by.device_id, ["payout_card_set"], now)


async def add_member(shop_id: str, person_id: str, role: Role, now: datetime) -> bool:
    """False: the person is a member already."""
    rows = await SEC.query(
        "insert into risk.shop_member (shop_id, person_id, role, joined_at) "
        "values ($1, $2, $3, $4) on conflict do nothing returning person_id",
        shop_id,
        person_id,
        role,
        now,
    )
    return bool(rows)


async def owner_of(shop_id: str) -> str:
    """ "" where there is no such shop."""
    rows = await SEC.query("select owner_id from risk.shop where shop_id = $1", shop_id)
    return str(rows[0]["owner_id"]) if rows else ""


async def role_of(shop_id: str, person_id: str) -> str | None:
    rows = await SEC.query(
        "select role from risk.shop_member where shop_id = $1 and person_id = $2",
        shop_id,
        person_id,
    )
    return rows[0]["role"] if rows else None


async def is_stopped(shop_id: str, now: datetime) -> bool:
    """Frozen by an alarm, or its owner is frozen."""
    rows = await SEC.query("select 1 from risk.frozen_account where account_id = $1", shop(shop_id))
    return bool(rows) or await registry.is_stopped(await owner_of(shop_id), now)


def shop(shop_id: str) -> str:
    return f"shop:{shop_id}"


def roles_with(permission: Permission) -> Sequence[str]:
    return [role for role, allowed in ROLES.items() if permission in allowed]


async def _set_role(asked: ChangeMember) -> bool:
    """False: there is no such member."""
    if asked.role is None:
        rows = await SEC.query(
            "delete from risk.shop_member where shop_id = $1 and person_id = $2 "
            "returning person_id",
            asked.shop_id,
            asked.member_id,
        )
    else:
        rows = await SEC.query(
            "update risk.shop_member set role = $3 where shop_id = $1 and person_id = $2 "
            "returning person_id",
            asked.shop_id,
            asked.member_id,
            asked.role,
        )
    return bool(rows)
