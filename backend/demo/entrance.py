"""One tap into the demo: a fresh device of a demo person, and a session on it."""

import msgspec

from backend import onboarding, rpc
from backend.demo.big_shop import owner_of
from backend.demo.people import ROLES, DemoPerson
from backend.errors import NotFound
from backend.identity import OpenedSession, OpenSession
from backend.risk.demo import RiskDemo
from backend.services import Services
from backend.settings import Settings

BIG, MAX_DIGITS = "big-", 8


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """device_secret goes to the device and nowhere else."""

    opened: OpenedSession
    device_secret: str


async def demo_sign_in(services: Services, settings: Settings, role: str, label: str) -> Entered:
    """role: one of ROLES, or "big-…" of a big shop; label: the browser, as its user knows it.

    Refuses: NotFound (another role, no demo data yet, or no demo mode), and what risk refuses.
    """
    person = _person(role)
    if person is None or not settings.demo:
        raise NotFound()
    await services.identity.person(person.person_id)
    risk, client = rpc.connect(RiskDemo, settings.risk_rpc, settings)
    try:
        enrolled = await risk.demo_enrol(person.person_id, person.display_name, person.phone, label)
    finally:
        await client.close()
    opened = await onboarding.enter(
        services,
        OpenSession(person_id=person.person_id, device_id=enrolled.device_id, label=label),
    )
    return Entered(opened=opened, device_secret=enrolled.device_secret)


def _person(role: str) -> DemoPerson | None:
    size = role.removeprefix(BIG)
    if role != size and size.isascii() and size.isdigit() and len(size) <= MAX_DIGITS:
        return owner_of(int(size))
    return ROLES.get(role)
