"""Links that lead to a person or into a group. Their secrets are kept as hashes."""

from datetime import timedelta

from backend.db import TX
from backend.friends import INVITE_LIFE_DAYS, MAX_LINKS, LinkInvalid
from backend.friends.parts import SECRET_LENGTH, Parts, hash_of, lock, new_secret

LIFE = timedelta(days=INVITE_LIFE_DAYS)

# A link into a group is good while who made it belongs to it.
_LIVE = """
select person_id, group_id from friends.link l
where secret_hash = $1 and expires_at > $2 and (group_id = '') = $3
    and (group_id = '' or exists (select from friends.member m
        where m.group_id = l.group_id and m.person_id = l.person_id))
"""
# Those that are over, and the oldest beyond what one may have at a time.
_TIDY = """
delete from friends.link where secret_hash in (
    select secret_hash from friends.link where person_id = $1 and group_id = $2
    order by expires_at desc offset $3
) or person_id = $1 and expires_at <= $4
"""


class Links:
    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock

    async def make(self, person_id: str, group_id: str = "") -> str:
        secret, now = new_secret(), self._clock.now()
        async with TX.transaction():
            await lock(person_id)
            await TX.query(_TIDY, person_id, group_id, MAX_LINKS - 1, now)
            await TX.query(
                "insert into friends.link (secret_hash, person_id, group_id, expires_at)"
                " values ($1, $2, $3, $4)",
                hash_of(secret),
                person_id,
                group_id,
                now + LIFE,
            )
        return secret

    async def owner(self, secret: str) -> str:
        """Refuses: LinkInvalid."""
        return (await self._live(secret, personal=True))[0]

    async def group_id(self, secret: str) -> str:
        """Refuses: LinkInvalid."""
        return (await self._live(secret, personal=False))[1]

    async def withdraw_own(self, person_id: str) -> None:
        await TX.query("delete from friends.link where person_id = $1 and group_id = ''", person_id)

    async def withdraw_group(self, group_id: str) -> None:
        await TX.query("delete from friends.link where group_id = $1", group_id)

    async def _live(self, secret: str, *, personal: bool) -> tuple[str, str]:
        rows = []
        if len(secret) == SECRET_LENGTH and secret.isascii():
            rows = await TX.query(_LIVE, hash_of(secret), self._clock.now(), personal)
        if not rows:
            raise LinkInvalid()
        return rows[0]["person_id"], rows[0]["group_id"]
