"""Invitations that nobody has taken yet."""

from datetime import datetime

from backend.db import TX
from backend.merchant import MAX_MEMBERS, WaitingInvitation

# Who joined is a member since; whoever only began to, is not.
_WAITING = """
select invitation_id, role, expires_at from merchant.invitation as i
where shop_id = $1 and expires_at > $2 and not exists (
    select 1 from merchant.member as m where m.shop_id = i.shop_id and m.person_id = i.person_id
        and m.joined_at >= i.created_at)
order by expires_at, invitation_id limit $3
"""


async def waiting(shop_id: str, now: datetime) -> tuple[WaitingInvitation, ...]:
    found = await TX.query_as(WaitingInvitation, _WAITING, shop_id, now, MAX_MEMBERS)
    return tuple(found)
