"""Kept answers on PostgreSQL: one statement to begin, one to keep."""

from datetime import timedelta

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

FORGET_BATCH, MAX_BATCHES = 2_000, 20

# Two at once: the one that inserts, or that finds a lease which is over, carries the write out.
_CLAIM = """
insert into idempotency.write (lookup, fingerprint, leased_until, created_at)
values ($1, $2, $3, $4)
on conflict (lookup) do update set leased_until = excluded.leased_until
    where write.answer is null and write.leased_until <= $4
        and write.fingerprint = excluded.fingerprint
returning lookup
"""
_KEEP = """
update idempotency.write set answer = $2 where lookup = $1 and answer is null returning lookup
"""
_FORGET = """
delete from idempotency.write where lookup in (
    select lookup from idempotency.write where created_at < $1 order by created_at limit $2
) returning lookup
"""


class _Row(msgspec.Struct, frozen=True):
    fingerprint: bytes
    answer: bytes | None


class IdempotencyService:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def begin(self, write: Write, lease: timedelta = LEASE) -> Claim | Answer:
        claim, now = Claim(write=write, lookup=lookup(write)), self._clock.now()
        print_ = fingerprint(write)
        if await TX.query(_CLAIM, claim.lookup, print_, now + lease, now):
            return claim
        row = await self._find(claim)
        if row is not None and row.fingerprint != print_:
            raise KeyReused()
        if row is None or row.answer is None:  # None: released a moment ago by who ran it
            raise WriteRunning()
        return unseal(write, row.answer)

    async def keep(self, claim: Claim, answer: Answer) -> Answer:
        assert len(answer.body) <= MAX_ANSWER_BYTES, "an answer to a write is small"
        if await TX.query(_KEEP, claim.lookup, seal(claim.write, answer)):
            return answer
        row = await self._find(claim)
        if row is None or row.answer is None:
            return answer
        return unseal(claim.write, row.answer)

    async def release(self, claim: Claim) -> None:
        await TX.query(
            "update idempotency.write set leased_until = $2 where lookup = $1 and answer is null",
            claim.lookup,
            self._clock.now(),
        )

    async def forget(self, claim: Claim) -> None:
        await TX.query(
            "delete from idempotency.write where lookup = $1 and answer is null", claim.lookup
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
