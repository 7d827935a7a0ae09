"""What a caller shows for its device: a browser the secret it was given, a phone a proof that its
own key has just signed. Nobody else can make one, the transaction system included; and what a phone
has signed for one call and one piece of money is good for no other."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from backend.clock import from_ms
from backend.db import SEC
from backend.proof import MAX_SKEW_S, Proof, ProofInvalid, read
from backend.risk.operations import Operation, may_come_from
from backend.risk.parts import Parts
from backend.risk.passkeys import to_base64url
from backend.risk.refusals import DeviceProofInvalid, DeviceUnknown
from backend.risk.secret import hash_of

KEPT = timedelta(minutes=1)  # beyond a proof's own end, for clocks that were set back a little

# First come. In one order, so that two batches never wait for each other; of live devices only, or
# anybody's keys could fill the table.
_SPEND = """
insert into risk.spent_proof (thumbprint, jti, subject, ends_at)
select distinct on (u.thumbprint, u.jti) u.thumbprint, u.jti, u.subject, u.ends_at
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) with ordinality
    as u (thumbprint, jti, subject, ends_at, n)
join risk.device d on d.key_thumbprint = u.thumbprint and d.removed_at is null
order by u.thumbprint, u.jti, u.n
on conflict (thumbprint, jti) do nothing
"""
_SPENT_ELSEWHERE = """
select q.n from unnest($1::text[], $2::text[], $3::text[]) with ordinality
    as q (thumbprint, jti, subject, n)
join risk.spent_proof s on s.thumbprint = q.thumbprint and s.jti = q.jti
where s.subject <> q.subject
"""


class Shown(msgspec.Struct, frozen=True):
    """At most one is set. Two columns of their own: the text of a public key is no secret, and its
    hash must open nothing."""

    secret_hash: bytes | None = None
    thumbprint: str | None = None


class Use(msgspec.Struct, frozen=True):
    """device: a secret, which has no dot, or a proof. subject: the intent, payment or packet that a
    proof is spent for; "" of what moves no money."""

    device: str
    operation: Operation
    subject: str = ""


def shown(parts: Parts, device: str, operation: Operation) -> Shown:
    """A proof that does not hold for this moment and operation is a secret that nobody has."""
    proof = _sound(parts, device, operation)
    return _shown(device, proof)


async def shown_for(parts: Parts, uses: Sequence[Use]) -> list[Shown]:
    """In the order asked. Inside the transaction of what follows from it: the proofs are spent,
    each for its subject, as often as it likes; for another it is a secret that nobody has."""
    proofs = [_sound(parts, use.device, use.operation) for use in uses]
    spending = [(n, proof) for n, proof in enumerate(proofs) if proof and uses[n].subject]
    for n in await _spend([(proof, uses[n].subject) for n, proof in spending]):
        proofs[spending[n][0]] = None
    return [_shown(use.device, proof) for use, proof in zip(uses, proofs, strict=True)]


async def spend(parts: Parts, use: Use) -> None:
    """Inside the transaction of what follows from it. Of a browser nothing is spent. Refuses:
    DeviceUnknown: the proof does not hold, or was spent for something else."""
    if "." not in use.device:
        return
    proof = _sound(parts, use.device, use.operation)
    if proof is None or await _spend([(proof, use.subject)]):
        raise DeviceUnknown()


def bound(parts: Parts, device_proof: str, challenge: bytes, operation: Operation) -> Proof:
    """The proof that belongs to the passkey ceremony of this challenge, so that key and passkey are
    one person's. Whether a keystore holds the key is not attested, so nothing is decided by it: the
    level of a payment follows from the passkey (A device-bound, B synced) and, without one, from
    the device (C). Refuses: DeviceProofInvalid."""
    proof = _sound(parts, device_proof, operation)
    if proof is None or proof.chl != to_base64url(challenge):
        raise DeviceProofInvalid()
    return proof


def _shown(device: str, proof: Proof | None) -> Shown:
    if proof is not None:
        return Shown(thumbprint=proof.thumbprint)
    return Shown(hash_of(device)) if device else Shown()


def _sound(parts: Parts, text: str, operation: Operation) -> Proof | None:
    """Signed by its key, within a minute of our own clock, for a call that this may come from."""
    if "." not in text:
        return None
    try:
        proof = read(text)
    except ProofInvalid:
        return None
    path = proof.htu.removeprefix(parts.api)
    sound = (
        proof.is_fresh(parts.clock.now())
        and path != proof.htu
        and may_come_from(operation, proof.htm, f"/{path}")
    )
    return proof if sound else None


async def _spend(spending: Sequence[tuple[Proof, str]]) -> list[int]:
    """The places of those that were spent for something else before."""
    if not spending:
        return []
    thumbprints = [proof.thumbprint for proof, _ in spending]
    names = [proof.jti for proof, _ in spending]
    subjects = [subject for _, subject in spending]
    ends = [from_ms((proof.iat + MAX_SKEW_S) * 1000) + KEPT for proof, _ in spending]
    await SEC.query(_SPEND, thumbprints, names, subjects, ends)
    rows = await SEC.query(_SPENT_ELSEWHERE, thumbprints, names, subjects)
    return [row["n"] - 1 for row in rows]
