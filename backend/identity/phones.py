"""Sessions of phones: bound to the device's own key, kept alive by refresh tokens.

A refresh token has two halves. The first names the family and stays; the second is one turn. So a
turn that was spent long ago is still known to be of this family, without a row for each of them.
The next turn is made from the last by a key: asked again, it is the same, and neither the database
nor the key alone makes one.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import asyncpg
import msgspec
import structlog

from backend import ids
from backend.base64url import base64url
from backend.clock import Clock
from backend.db import TX
from backend.identity import (
    REFRESH_RETRY,
    OpenPhoneSession,
    PhoneCaller,
    PhoneTokens,
    ProofReplayed,
    ProofsForgotten,
    Recorder,
    RefreshReused,
    Session,
    SignedOut,
    SpentProof,
    thefts,
)
from backend.identity.callers import Callers, proof_hash, since
from backend.keys import secret_key

KEY = "refresh"
HALF_BYTES = 32
MEMORY_BYTES = 16
SEEN_STEP = timedelta(minutes=5)  # a busy phone writes its seen_at no more often
STOLEN = "session_stolen"  # the kind of the event

_SESSION = "session_id, person_id, device_id, label, created_at, seen_at"

_OPEN = f"""
insert into identity.phone_session as s
    ({_SESSION}, thumbprint, family_hash, turn_hash, rotated_at)
values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $5)
on conflict (device_id) do update set session_id = $1, person_id = $2, label = $4,
    created_at = $5, seen_at = $5, thumbprint = $6, family_hash = $7, turn_hash = $8,
    spent_hash = null, rotated_at = $5
returning {_SESSION}, true as phone
"""  # noqa: S608

_LIVE = f"""
select {_SESSION}, true as phone from identity.phone_session
where session_id = $1 and thumbprint = $2 and seen_at > $3 and created_at > $4
"""  # noqa: S608

_SPEND = """
with memory as (select from identity.proof_memory where memory_id = $3), spent as (
    insert into identity.proof_spent select $1, $2 from memory on conflict do nothing returning 1
)
select exists (select from memory) as remembered, exists (select from spent) as fresh
"""

_FAMILY = f"""
select {_SESSION}, true as phone, thumbprint, turn_hash, spent_hash, rotated_at
from identity.phone_session
where family_hash = $1 and seen_at > $2 and created_at > $3 for update
"""  # noqa: S608

_log = structlog.get_logger(__name__)


class _Family(Session, frozen=True, kw_only=True):
    thumbprint: str
    turn_hash: bytes
    spent_hash: bytes | None
    rotated_at: datetime


class Phones:
    def __init__(self, clock: Clock, events: Recorder, keys: Path) -> None:
        self._clock, self._events, self._keys = clock, events, keys
        self._callers = Callers(clock)

    @cached_property
    def _key(self) -> bytes:
        """Made on first use: only who serves phones needs it."""
        return secret_key(self._keys, KEY)

    async def open(self, new: OpenPhoneSession) -> PhoneTokens:
        family, turn = _half(), _half()
        [session] = await TX.query_as(
            Session,
            _OPEN,
            ids.new("ses"),
            new.person_id,
            new.device_id,
            new.label,
            self._clock.now(),
            new.thumbprint,
            _hash(family),
            _hash(turn),
        )
        return PhoneTokens(session=session, refresh_token=f"{family}.{turn}")

    async def session(self, session_id: str, thumbprint: str) -> Session:
        now = self._clock.now()
        found = await TX.one(Session, _LIVE, session_id, thumbprint, *since(now))
        if found is None:
            raise SignedOut()
        return found

    async def caller(self, session_id: str, proof: SpentProof) -> PhoneCaller:
        found, now = await self._callers.find(session_id, proof), self._clock.now()
        if now - found.session.seen_at >= SEEN_STEP:
            await TX.query(
                "update identity.phone_session set seen_at = $2"
                " where session_id = $1 and seen_at < $2",
                session_id,
                now,
            )
        return found

    async def refresh(self, refresh_token: str, thumbprint: str) -> PhoneTokens:
        family, _, turn = refresh_token.partition(".")
        now = self._clock.now()
        async with TX.transaction():
            found = await TX.one(_Family, _FAMILY, _hash(family), *since(now))
            if found is None:
                raise SignedOut()
            following = self._following(family, turn)
            good = await _turn(found, turn, following, thumbprint, now)
            if not good:  # not raised in here: what ends the session must stay
                await self._revoke(found)
        session = msgspec.convert(found, Session, from_attributes=True)
        if not good:
            raise RefreshReused(session)
        return PhoneTokens(session=session, refresh_token=f"{family}.{following}")

    def _following(self, family: str, turn: str) -> str:
        return base64url(hmac.digest(self._key, f"{family}.{turn}".encode(), "sha256"))

    async def _revoke(self, found: _Family) -> None:
        """One of the two who hold the family is a thief, and nobody knows which."""
        await TX.query("delete from identity.phone_session where session_id = $1", found.session_id)
        await self._events.record(f"person:{found.person_id}", STOLEN, found.device_id)
        await thefts.keep(found, self._clock.now())
        _log.error(
            "refresh_reused",
            person_id=found.person_id,
            session_id=found.session_id,
            device_id=found.device_id,
        )


async def of_person(person_id: str, now: datetime) -> list[Session]:
    return await TX.query_as(
        Session,
        f"select {_SESSION}, true as phone from identity.phone_session"  # noqa: S608
        " where person_id = $1 and seen_at > $2 and created_at > $3",
        person_id,
        *since(now),
    )


async def spend(proof: SpentProof) -> None:
    [row] = await TX.query(_SPEND, proof_hash(proof), proof.ends_at, proof.memory_id)
    _check_spent(row)


async def memory_id() -> str:
    """It is there from the first question on, until a crash empties it with all spent proofs."""
    await TX.query(
        "insert into identity.proof_memory (memory_id) values ($1) on conflict do nothing",
        secrets.token_hex(MEMORY_BYTES),
    )
    [row] = await TX.query("select memory_id from identity.proof_memory")
    return str(row["memory_id"])


async def forget_proofs(now: datetime) -> int:
    rows = await TX.query(
        "with gone as (delete from identity.proof_spent where ends_at < $1 returning 1)"
        " select count(*) as forgotten from gone",
        now,
    )
    return int(rows[0]["forgotten"])


async def _turn(found: _Family, turn: str, following: str, thumbprint: str, now: datetime) -> bool:
    """Whether this turn may be taken; it is spent then."""
    given = _hash(turn)
    if not hmac.compare_digest(found.thumbprint, thumbprint):
        return False
    if hmac.compare_digest(given, found.turn_hash):
        await TX.query(
            "update identity.phone_session set spent_hash = turn_hash, turn_hash = $2,"
            " rotated_at = $3, seen_at = $3 where session_id = $1",
            found.session_id,
            _hash(following),
            now,
        )
        return True
    again = found.spent_hash is not None and hmac.compare_digest(given, found.spent_hash)
    same = hmac.compare_digest(_hash(following), found.turn_hash)  # not so under another key
    return again and same and now - found.rotated_at <= REFRESH_RETRY


def _half() -> str:
    return secrets.token_urlsafe(HALF_BYTES)


def _hash(half: str) -> bytes:
    return sha256(half.encode()).digest()


def _check_spent(row: asyncpg.Record) -> None:
    if not row["remembered"]:
        raise ProofsForgotten()
    if not row["fresh"]:
        raise ProofReplayed()
