"""Who calls, of all phones that call at the same moment: one statement."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import asyncpg
import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.identity import (
    PHONE_IDLE_LIFE,
    PHONE_SESSION_LIFE,
    Person,
    PhoneCaller,
    ProofReplayed,
    ProofsForgotten,
    Session,
    SignedOut,
    SpentProof,
)
from backend.together import Together

MOST = 200  # in one statement

# Proofs go in by their hash: two statements never wait for each other in turn.
_CALLERS = """
with given as (
    select * from unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[])
        with ordinality as g (session_id, thumbprint, proof_hash, ends_at, memory_id, n)
), spent as (
    insert into identity.proof_spent
    select distinct on (g.proof_hash) g.proof_hash, g.ends_at
    from given g join identity.proof_memory using (memory_id) order by g.proof_hash, g.n
    on conflict do nothing returning proof_hash
)
select g.proof_hash, m.memory_id is not null as remembered, x.proof_hash is not null as fresh,
    s.session_id, s.person_id, s.device_id, s.label, s.created_at, s.seen_at,
    p.phone, p.display_name, p.language, p.demo, p.created_at as person_created_at
from given g
left join identity.proof_memory m using (memory_id)
left join spent x using (proof_hash)
left join lateral (select * from identity.phone_session
    where session_id = g.session_id and thumbprint = g.thumbprint
    and seen_at > $6 and created_at > $7 limit 1) s on true
left join lateral (select * from identity.person where person_id = s.person_id limit 1) p on true
order by g.n
"""
_SESSION = tuple(name for name in Session.__struct_fields__ if name != "phone")
_PERSON = tuple(name for name in Person.__struct_fields__ if name != "created_at")


class Call(msgspec.Struct, frozen=True):
    session_id: str
    proof: SpentProof


class _Found(msgspec.Struct, frozen=True):
    remembered: bool
    fresh: bool
    row: asyncpg.Record


class Callers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Not again: a proof that was spent by a lost answer would be called replayed.
        self._together = Together[Call, _Found](self._find, MOST, again=False)

    async def find(self, session_id: str, proof: SpentProof) -> PhoneCaller:
        """The session lives, and the proof is spent by this. Refuses: ProofsForgotten,
        ProofReplayed, SignedOut."""
        found = await self._together.do(Call(session_id, proof))
        if not found.remembered:
            raise ProofsForgotten()
        if not found.fresh:
            raise ProofReplayed()
        if found.row["session_id"] is None:
            raise SignedOut()
        return _caller(found.row)

    async def _find(self, calls: Sequence[Call]) -> list[_Found]:
        rows = await TX.query(
            _CALLERS,
            [call.session_id for call in calls],
            [call.proof.thumbprint for call in calls],
            [proof_hash(call.proof) for call in calls],
            [call.proof.ends_at for call in calls],
            [call.proof.memory_id for call in calls],
            *since(self._clock.now()),
        )
        spent: set[bytes] = set()
        found = []
        for row in rows:
            # Of two that show one proof together, the first.
            fresh = row["remembered"] and row["fresh"] and row["proof_hash"] not in spent
            if fresh:
                spent.add(row["proof_hash"])
            found.append(_Found(row["remembered"], fresh, row))
        return found


def since(now: datetime) -> tuple[datetime, datetime]:
    """Seen and opened after these, a session lives."""
    return now - PHONE_IDLE_LIFE, now - PHONE_SESSION_LIFE


def proof_hash(proof: SpentProof) -> bytes:
    return sha256(f"{proof.thumbprint}\n{proof.jti}".encode()).digest()


def _caller(row: asyncpg.Record) -> PhoneCaller:
    session = {name: row[name] for name in _SESSION} | {"phone": True}
    person = {name: row[name] for name in _PERSON} | {"created_at": row["person_created_at"]}
    return PhoneCaller(
        session=msgspec.convert(session, Session), person=msgspec.convert(person, Person)
    )
