"""A suspected takeover: for a day every device of the person is as new as one just added.

So each payment takes a passkey, and goes to known payees within a new device's limit; no money
leaves the wallet. Whoever copied a session or a key without the passkey gets nowhere, and a passkey
alone brings a stranger no further than a new device would.
"""

from datetime import timedelta

from backend.db import SEC
from backend.risk import pay_codes
from backend.risk.auditor import alarms
from backend.risk.auditor.findings import Finding
from backend.risk.events import record
from backend.risk.parts import Parts

HOLD = timedelta(hours=24)
ALARM = "session_stolen"  # freezes nothing: the hold lets the person go on with their passkey


async def suspect(parts: Parts, person_id: str, device_id: str) -> None:
    now = parts.clock.now()
    async with SEC.transaction():
        held = await SEC.query(
            "update risk.person set held_until = $2 where person_id = $1 returning person_id",
            person_id,
            now + HOLD,
        )
        if not held:
            return
        devices = await SEC.query(
            "update risk.device set trusted_at = greatest(trusted_at, $2) "
            "where person_id = $1 and removed_at is null returning device_id",
            person_id,
            now + HOLD,
        )
        await pay_codes.revoke_all([row["device_id"] for row in devices], now)
        await record(person_id, device_id, ["takeover_suspected"], now)
        await alarms.raise_unless_open(Finding(ALARM, person_id), now)
