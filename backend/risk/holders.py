"""What a caller shows for its device: a browser the secret it was given, a phone a proof that its
own key has just signed. Nobody else can make one, the transaction system included."""

import msgspec

from backend.proof import Proof, ProofInvalid, read
from backend.risk.parts import Parts
from backend.risk.passkeys import to_base64url
from backend.risk.refusals import DeviceProofInvalid
from backend.risk.secret import hash_of

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Shown(msgspec.Struct, frozen=True):
    """At most one is set. Two columns of their own: the text of a public key is no secret, and its
    hash must open nothing."""

    secret_hash: bytes | None = None
    thumbprint: str | None = None


def shown(parts: Parts, device: str, *, reading: bool = False) -> Shown:
    """device: a secret, which has no dot, or a proof. A proof that does not hold for this moment is
    a secret that nobody has. reading: the proof of a GET will do."""
    if not device:
        return Shown()
    proof = _sound(parts, device, reading) if "." in device else None
    return Shown(thumbprint=proof.thumbprint) if proof else Shown(hash_of(device))


def bound(parts: Parts, device_proof: str, challenge: bytes) -> Proof:
    """The proof that belongs to the passkey ceremony of this challenge, so that key and passkey are
    one person's. Whether a keystore holds the key is not attested, so nothing is decided by it: the
    level of a payment follows from the passkey (A device-bound, B synced) and, without one, from
    the device (C). Refuses: DeviceProofInvalid."""
    proof = _sound(parts, device_proof, reading=False)
    if proof is None or proof.chl != to_base64url(challenge):
        raise DeviceProofInvalid()
    return proof


def _sound(parts: Parts, text: str, reading: bool) -> Proof | None:
    """Signed by its key, within a minute of our own clock, for our API, and for a change."""
    try:
        proof = read(text)
    except ProofInvalid:
        return None
    sound = (
        proof.is_fresh(parts.clock.now())
        and proof.htu.startswith(parts.api)
        and (reading or proof.htm in UNSAFE)
    )
    return proof if sound else None
