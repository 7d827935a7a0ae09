"""A passkey over a stored intent: the ceremony is used up, the signature verified, its use kept."""

import msgspec

from backend.intent import Intent
from backend.risk import CeremonyInvalid, PasskeyRefused, ceremonies, registry
from backend.risk.parts import Parts
from backend.risk.passkeys import Asserted, parse_assertion, verify_assertion
from backend.risk.registry import Owned


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from a ceremony of that kind, which this person was asked to hold."""

    kind: str
    person_id: str
    ceremony_id: str
    response_json: bytes


class Signed(msgspec.Struct, frozen=True):
    owned: Owned
    asserted: Asserted

    @property
    def level(self) -> str:
        """A: the passkey can't leave its device. B: it is synced by a cloud account."""
        return "B" if self.owned.credential.backup_eligible else "A"


async def signed(parts: Parts, answer: Answer, intent: Intent) -> Signed:
    """Not inside a transaction. Refuses: CeremonyInvalid, PasskeyRefused."""
    now = parts.clock.now()
    opened = await ceremonies.use(answer.ceremony_id, answer.kind, now)
    if (opened.person_id, opened.subject) != (answer.person_id, intent.intent_id):
        raise CeremonyInvalid()
    assertion = parse_assertion(answer.response_json)
    owned = await registry.owned(assertion.credential_id)
    if owned is None or owned.person_id != answer.person_id:
        raise PasskeyRefused(why="owner")
    asserted = verify_assertion(parts.party, opened.challenge, assertion, owned.credential)
    await registry.used(owned.credential.credential_id, asserted, now)
    return Signed(owned, asserted)
