"""Looking for people by phone number. Whether a number has a wallet is not told: known and unknown
ones take the same steps and leave the same rows."""

import re
from datetime import timedelta
from hashlib import sha256

import msgspec

from backend.db import TX
from backend.errors import BadRequest
from backend.friends import FIND_LIFE, MAX_FINDS, Found, OwnSelf, TooManyFinds
from backend.friends.parts import Parts, hash_of, lock, new_secret

WINDOW = timedelta(hours=1)
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """person_id: "" if nobody has the number. seek: the person, or a hash of the number; shown: the
    number, masked."""

    person_id: str
    seek: str
    shown: str = ""


class Finds:
    def __init__(self, parts: Parts) -> None:
        self._identity, self._clock = parts.identity, parts.clock

    async def find(self, person_id: str, phone: str) -> Found:
        if _PHONE.fullmatch(phone) is None:
            raise BadRequest()
        await self.count(person_id)
        other_id = await self._identity.by_phone(phone)
        if other_id == person_id:
            raise OwnSelf()
        now = self._clock.now()
        found = Found(token=new_secret(), expires_at=now + FIND_LIFE)
        await TX.query(
            "with gone as (delete from friends.found where asker_id = $2 and expires_at <= $7)"
            " insert into friends.found (token_hash, asker_id, person_id, seek, shown, expires_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            hash_of(found.token),
            person_id,
            other_id,
            _seek(person_id, phone),
            masked(phone),
            found.expires_at,
            now,
        )
        return found

    async def count(self, person_id: str) -> None:
        now = self._clock.now()
        async with TX.transaction():
            await lock(person_id)
            await TX.query(
                "delete from friends.look_up where person_id = $1 and at <= $2",
                person_id,
                now - WINDOW,
            )
            [row] = await TX.query(
                "select count(*) as used, min(at) as first from friends.look_up"
                " where person_id = $1",
                person_id,
            )
            if row["used"] >= MAX_FINDS:
                raise TooManyFinds(minutes=_minutes(row["first"] + WINDOW - now))
            await TX.query(
                "insert into friends.look_up (person_id, at) values ($1, $2)", person_id, now
            )

    async def sought(self, asker_id: str, token: str) -> Sought | None:
        """What the asker's own token stands for."""
        return await TX.one(
            Sought,
            "select person_id, seek, shown from friends.found"
            " where token_hash = $1 and asker_id = $2 and expires_at > $3",
            hash_of(token),
            asker_id,
            self._clock.now(),
        )


def masked(phone: str) -> str:
    """Enough for the asker to know it again."""
    national = phone.removeprefix("+86") if phone.startswith("+86") else phone
    return f"{national[:3]}****{national[-4:]}" if len(national) > 8 else f"****{national[-2:]}"


def _seek(person_id: str, phone: str) -> str:
    """Tells one asker's requests apart by number, without keeping numbers of strangers."""
    return "tel " + sha256(f"{person_id} {phone}".encode()).hexdigest()


def _minutes(left: timedelta) -> int:
    return max(1, -(-int(left.total_seconds()) // 60))
