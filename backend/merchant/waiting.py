"""Invitations that nobody has taken yet."""

from datetime import datetime

from backend.db import TX
from backend.merchant import MAX_MEMBERS, WaitingInvitation
from backend.shop_roles import ROLES, Permission

# Who joined is a member since, or was one; whoever only began to, is not. An invitation ends with
# its inviter's right to invite; who that was, `tell_once` has told.
_WAITING = """
select invitation_id, role, expires_at from merchant.invitation as i
where shop_id = $1 and expires_at > $2 and not exists (
    select 1 from merchant.member as m where m.shop_id = i.shop_id and m.person_id = i.person_id
        and m.joined_at >= i.created_at)
and exists (
    select 1 from merchant.member as m join merchant.act as a
        on a.once = concat_ws(' ', m.shop_id, m.person_id, 'member_invited', i.invitation_id)
    where m.shop_id = i.shop_id and m.left_at is null and m.role = any($4))
order by expires_at, invitation_id limit $3
"""
_INVITERS = [role.value for role, allowed in ROLES.items() if Permission.STAFF in allowed]


async def waiting(shop_id: str, now: datetime) -> tuple[WaitingInvitation, ...]:
    found = await TX.query_as(WaitingInvitation, _WAITING, shop_id, now, MAX_MEMBERS, _INVITERS)
    return tuple(found)
