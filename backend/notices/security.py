"""What the security system has seen of an account, told to its owner.

It knows of every device, freeze and thaw, whoever caused it and by whichever door; this side only
asks. How far its word was read is moved in the transaction that tells it, so each is told once.
"""

from contextlib import suppress

import msgspec

from backend.db import TX
from backend.errors import OutcomeUnknown, Unavailable
from backend.events import News
from backend.ids import is_id
from backend.notices.kinds import KINDS, SECURITY
from backend.notices.parts import Parts
from backend.notices.record import Told, put
from backend.risk import Seen, SeenMark

MAX_ROUNDS = 20


class Security:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def learn(self) -> int:
        """How many people's notices it made; none while the security system is away."""
        told = 0
        with suppress(Unavailable, OutcomeUnknown):
            for _ in range(MAX_ROUNDS):
                mark = await TX.one(SeenMark, "select xact, seq from notices.security_mark")
                assert mark is not None, "the migration made it"
                seen = await self._parts.risk.seen(mark)
                if not seen:
                    break
                told += await self._tell(mark, seen)
        return told

    async def _tell(self, mark: SeenMark, seen: tuple[Seen, ...]) -> int:
        rows = [_told(each) for each in seen if is_id(each.person_id, "usr")]
        found = [row for row in rows if row is not None]
        async with TX.transaction():
            moved = await TX.query(
                "update notices.security_mark set xact = $1, seq = $2"
                " where xact = $3 and seq = $4 returning seq",
                *msgspec.structs.astuple(seen[-1].mark),
                *msgspec.structs.astuple(mark),
            )
            if not moved:  # another worker has told it
                return 0
            # A removal whose caller died between the two systems ends its sessions here.
            for each in seen:
                if each.kind == "device_removed":
                    await self._parts.identity.end_device(each.person_id, each.device_id)
            await put(found)
            await self._parts.events.record_all(
                tuple(
                    News(f"person:{row.person_id}", row.rule.kind, row.ref, quiet=True)
                    for row in found
                )
            )
        return len(found)


def _told(seen: Seen) -> Told | None:
    kind = SECURITY.get(seen.kind)
    if kind is None:
        return None
    # A freeze has no thing of its own: each is a notice by itself.
    ref = seen.device_id if kind.startswith("device") else f"seen_{seen.mark.seq}"
    return Told(seen.person_id, KINDS[kind], ref, seen.at, seen.label)
