"""What a limit leaves today, for the pages where somebody is about to pay."""

import msgspec

from backend.services import Services
from web.home import unless_away

# By level of verification; a device-bound passkey (A) has no limit of the day.
OF_LEVEL = {"B": "synced_day", "C": "free_day", "D": "static_day"}


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """level: whose it is. Amounts in fen."""

    level: str
    limit_fen: int
    left_fen: int


async def allowance(
    services: Services, person_id: str, device_secret: str, level: str
) -> Allowance | None:
    """None where the level has no such limit, or the security system doesn't answer."""
    limits = await unless_away(services.risk.limits(person_id, device_secret))
    wanted = OF_LEVEL.get(level)
    for limit in limits or ():
        if limit.name == wanted and not limit.counts:
            left = max(limit.limit - limit.used, 0)
            return Allowance(level=level, limit_fen=limit.limit, left_fen=left)
    return None
