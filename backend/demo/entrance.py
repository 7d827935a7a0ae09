"""One tap into the demo: a fresh device of a demo person, and a session on it."""

import msgspec

from backend import rpc
from backend.demo.people import ROLES
from backend.errors import NotFound
from backend.identity import OpenedSession, OpenSession
from backend.risk.demo import RiskDemo
from backend.services import Services
from backend.settings import Settings


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """device_secret goes to the device and nowhere else."""

    opened: OpenedSession
    device_secret: str


async def demo_sign_in(services: Services, settings: Settings, role: str, label: str) -> Entered:
    """role: "consumer" or "shop"; label: the browser, as its user knows it.

    Refuses: NotFound (another role, no demo data yet, or no demo mode), and what risk refuses.
    """
    person = ROLES.get(role)
    if person is None or not settings.demo:
        raise NotFound()
    await services.identity.person(person.person_id)
    risk, client = rpc.connect(RiskDemo, settings.risk_rpc, settings)
    try:
        enrolled = await risk.demo_enrol(person.person_id, person.display_name, person.phone, label)
    finally:
        await client.close()
    opened = await services.identity.open_session(
        OpenSession(person_id=person.person_id, device_id=enrolled.device_id, label=label)
    )
    return Entered(opened=opened, device_secret=enrolled.device_secret)
