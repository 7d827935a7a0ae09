"""Kept answers on PostgreSQL: one statement to begin, one to keep, for all who come together."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.idempotency import (
    KEPT_FOR,
    LEASE,
    MAX_ANSWER_BYTES,
    Answer,
    Claim,
    KeyReused,
    Write,
    WriteRunning,
)
from backend.idempotency.seal import fingerprint, lookup, seal, unseal
from backend.together import Together

MOST = 100  # in one statement
FORGET_BATCH, MAX_BATCHES = 2_000, 20

# Two at once: the one that inserts, or that finds a lease which is over, carries the write out.
_CLAIM = """
insert into idempotency.write (lookup, fingerprint, leased_until, created_at)
select lookup, fingerprint, leased_until, $4
from unnest($1::bytea[], $2::bytea[], $3::timestamptz[]) as q (lookup, fingerprint, leased_until)
order by lookup
on conflict (lookup) do update set leased_until = excluded.leased_until
    where write.answer is null and write.leased_until <= $4
        and write.fingerprint = excluded.fingerprint
returning lookup
"""
# Rows are locked in the order of the claims: two statements never wait for each other in turn. An
# answer that comes after its lease is kept if it is the first to this very write.
_KEEP = """
with held as materialized (
    select lookup from idempotency.write where lookup = any($1::bytea[])
    order by lookup for no key update
)
update idempotency.write w set answer = q.answer
from unnest($1::bytea[], $2::bytea[], $3::bytea[]) as q (lookup, fingerprint, answer)
join held using (lookup)
where w.lookup = q.lookup and w.fingerprint = q.fingerprint and w.answer is null
returning w.lookup
"""
_FORGET = """
delete from idempotency.write where lookup in (
    select lookup from idempotency.write where created_at < $1 order by created_at limit $2
    for update skip locked
) returning lookup
"""


class _Row(msgspec.Struct, frozen=True):
    fingerprint: bytes
    answer: bytes | None


class _Begin(msgspec.Struct, frozen=True):
    claim: Claim
    at: datetime


class _Keep(msgspec.Struct, frozen=True):
    claim: Claim
    sealed: bytes


class IdempotencyService:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Not again: a lease that was taken by a lost answer would be called somebody else's.
        self._begin = Together[_Begin, bool](_begin_all, MOST, again=False)
        self._keep = Together[_Keep, bool](_keep_all, MOST)

    async def begin(self, write: Write, lease: timedelta = LEASE) -> Claim | Answer:
        now = self._clock.now()
        claim = Claim(
            write=write,
            lookup=lookup(write),
            fingerprint=fingerprint(write),
            leased_until=now + lease,
        )
        if await self._begin.do(_Begin(claim, now)):
            return claim
        row = await self._find(claim)
        if row is not None and row.fingerprint != claim.fingerprint:
            raise KeyReused()
        if row is None or row.answer is None:  # None: released a moment ago by who ran it
            raise WriteRunning()
        return unseal(write, row.answer)

    async def keep(self, claim: Claim, answer: Answer) -> Answer:
        assert len(answer.body) <= MAX_ANSWER_BYTES, "an answer to a write is small"
        if await self._keep.do(_Keep(claim, seal(claim.write, answer))):
            return answer
        row = await self._find(claim)
        if row is None or row.answer is None or row.fingerprint != claim.fingerprint:
            return answer
        return unseal(claim.write, row.answer)

    async def release(self, claim: Claim) -> None:
        await TX.query(
            "update idempotency.write set leased_until = $3"
            " where lookup = $1 and leased_until = $2 and answer is null",
            claim.lookup,
            claim.leased_until,
            self._clock.now(),
        )

    async def forget(self, claim: Claim) -> None:
        await TX.query(
            "delete from idempotency.write"
            " where lookup = $1 and leased_until = $2 and answer is null",
            claim.lookup,
            claim.leased_until,
        )

    async def sweep(self) -> int:
        forgotten = 0
        for _ in range(MAX_BATCHES):
            rows = await TX.query(_FORGET, self._clock.now() - KEPT_FOR, FORGET_BATCH)
            forgotten += len(rows)
            if len(rows) < FORGET_BATCH:
                break
        return forgotten

    async def _find(self, claim: Claim) -> _Row | None:
        return await TX.one(
            _Row,
            "select fingerprint, answer from idempotency.write where lookup = $1",
            claim.lookup,
        )


async def _begin_all(asked: Sequence[_Begin]) -> list[bool]:
    """Who carries it out: of several that bring one key, the first."""
    first = {each.claim.lookup: each.claim for each in reversed(asked)}
    rows = await TX.query(
        _CLAIM,
        list(first),
        [claim.fingerprint for claim in first.values()],
        [claim.leased_until for claim in first.values()],
        max(each.at for each in asked),
    )
    mine = {row["lookup"] for row in rows}
    return [each.claim.lookup in mine and first[each.claim.lookup] is each.claim for each in asked]


async def _keep_all(kept: Sequence[_Keep]) -> list[bool]:
    first = {each.claim.lookup: each for each in reversed(kept)}
    rows = await TX.query(
        _KEEP,
        list(first),
        [each.claim.fingerprint for each in first.values()],
        [each.sealed for each in first.values()],
    )
    mine = {row["lookup"] for row in rows}
    return [each.claim.lookup in mine and first[each.claim.lookup] is each for each in kept]
