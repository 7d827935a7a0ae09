"""Invitations into a shop: a secret for one person, accepted with that person's own passkey."""

from datetime import datetime

import msgspec

from backend.db import SEC
from backend.errors import BadRequest, IdReused
from backend.risk import (
    INVITATION_LIFE,
    AlreadyMember,
    Approval,
    CeremonyInvalid,
    Invitation,
    InvitationInvalid,
    InviteMember,
    ShopMember,
    approvals,
    registry,
    shops,
)
from backend.risk.events import record
from backend.risk.holders import Use
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.secret import hash_of, new_secret
from backend.shop_roles import Permission, Role

# Asked again, its secret is replaced; what was agreed on is not.
_UPSERT = """
insert into risk.invitation as i
    (invitation_id, shop_id, role, actor_id, secret_hash, expires_at, store_id, ceremony_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (invitation_id) do update set secret_hash = excluded.secret_hash,
    expires_at = excluded.expires_at, ceremony_id = excluded.ceremony_id
    where i.used_at is null and i.shop_id = excluded.shop_id and i.role = excluded.role
    and i.actor_id = excluded.actor_id and i.store_id = excluded.store_id
returning invitation_id
"""
# The same call again makes no second invitation of one approval.
_AGAIN = """
update risk.invitation set secret_hash = $5, expires_at = $6
where invitation_id = $1 and used_at is null and shop_id = $2 and role = $3 and actor_id = $4
    and store_id = $7 and ceremony_id = $8
returning invitation_id
"""


class _Row(msgspec.Struct, frozen=True):
    invitation_id: str
    shop_id: str
    role: Role
    actor_id: str
    expires_at: datetime
    store_id: str


async def invite(parts: Parts, approval: Approval, asked: InviteMember) -> Invitation:
    if asked.role is Role.OWNER:
        raise BadRequest()
    if approval.person_id != asked.actor_id:
        raise CeremonyInvalid()
    by = Use(asked.device_secret, Operation.INVITE)
    await shops.actor(parts, asked.shop_id, asked.actor_id, by, Permission.STAFF)
    first = await approvals.check_or_repeated(parts, approval, asked.purpose)
    now, secret = parts.clock.now(), new_secret()
    expires_at = now + INVITATION_LIFE
    rows = await SEC.query(
        _UPSERT if first else _AGAIN,
        asked.invitation_id,
        asked.shop_id,
        asked.role,
        asked.actor_id,
        hash_of(secret),
        expires_at,
        asked.store_id,
        approval.ceremony_id,
    )
    if not rows:
        raise IdReused() if first else CeremonyInvalid()
    if first:
        await record(asked.actor_id, first.device_id, ["member_invited"], now)
    return Invitation(
        asked.invitation_id, asked.shop_id, asked.role, secret, expires_at, asked.store_id
    )


async def of_secret(parts: Parts, secret: str) -> Invitation:
    """As long as who invited may still do so: a freeze of theirs, or of the shop, stops it too."""
    now = parts.clock.now()
    row = await SEC.one(
        _Row,
        "select invitation_id, shop_id, i.role, i.actor_id, expires_at, store_id "
        "from risk.invitation i join risk.shop_member m using (shop_id) where i.secret_hash = $1 "
        "and i.used_at is null and i.expires_at > $2 "
        "and m.person_id = i.actor_id and m.role = any($3)",
        hash_of(secret),
        now,
        shops.roles_with(Permission.STAFF),
    )
    if row is None or await _stopped(row, now):
        raise InvitationInvalid()
    return Invitation(
        row.invitation_id, row.shop_id, row.role, secret, row.expires_at, row.store_id
    )


async def join(parts: Parts, approval: Approval, secret: str) -> ShopMember:
    invited = await of_secret(parts, secret)
    by = await approvals.check(parts, approval, approvals.JOIN_SHOP + invited.invitation_id)
    now = parts.clock.now()
    async with SEC.transaction():
        used = await SEC.query(
            "update risk.invitation set used_at = $2 "
            "where invitation_id = $1 and used_at is null and secret_hash = $3 "
            "returning invitation_id",
            invited.invitation_id,
            now,
            hash_of(secret),
        )
        if not used:
            raise InvitationInvalid()
        if not await shops.add_member(invited.shop_id, approval.person_id, invited.role, now):
            raise AlreadyMember()
        await record(approval.person_id, by.device_id, ["member_joined"], now)
    return ShopMember(invited.shop_id, approval.person_id, invited.role)


async def _stopped(invited: _Row, now: datetime) -> bool:
    by_frozen = await registry.is_stopped(invited.actor_id, now)
    return by_frozen or await shops.is_stopped(invited.shop_id, now)
