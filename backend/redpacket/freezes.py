"""Whether a packet's sender is frozen, as the security system says: for a glance only; opening is
judged on its own."""

import asyncio

from backend.errors import DomainError
from backend.risk import Risk


class Freezes:
    """A thousand who come together need the answer once."""

    def __init__(self, risk: Risk) -> None:
        self._risk = risk
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def frozen(self, person_id: str) -> bool:
        """False too while the security system is away: then opening says so."""
        asking = self._asking.get(person_id)
        if asking is None:
            asking = self._asking[person_id] = asyncio.create_task(self._ask(person_id))
        return await asyncio.shield(asking)

    async def _ask(self, person_id: str) -> bool:
        try:
            return (await self._risk.freeze_state(person_id)).frozen
        except DomainError:
            return False
        finally:
            del self._asking[person_id]
