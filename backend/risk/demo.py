"""People of the demo: a wallet on a bound device, without a code and without a passkey.

Served in demo mode only; outside it nobody can call this.
"""

import secrets
from typing import Annotated, Protocol

import msgspec

from backend.db import SEC
from backend.errors import BadRequest, IdReused, NotFound
from backend.ids import Id
from backend.risk import (
    Approval,
    Enrolled,
    Label,
    MemberForbidden,
    Phone,
    Risk,
    approvals,
    ceremonies,
    registry,
    shops,
)
from backend.risk.demo_history import MAX_TOLD, Told
from backend.risk.events import record
from backend.risk.parts import Parts
from backend.risk.registration import HANDLE_BYTES
from backend.shop_roles import Role
from backend.verdict import SignedVerdict

MAX_DEVICES = 5  # per demo person, without a passkey; the oldest make room

DisplayName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class RiskDemo(Protocol):
    async def demo_enrol(
        self, person_id: Id, display_name: DisplayName, phone: Phone, device_label: Label
    ) -> Enrolled:
        """A fresh bound device of the demo person, who is made on the first call.

        Refuses: IdReused (other phone).
        """
        ...

    async def demo_join(self, shop_id: Id, person_id: Id, role: Role) -> None:
        """A demo person becomes a member of a demo shop, without an invitation and a passkey.

        Refuses: NotFound (no such shop), MemberForbidden (the owner's role).
        """
        ...

    async def demo_agreed(self, person_id: Id, purpose: str) -> Approval:
        """A demo person's word, as if given a moment ago: good for what it changes no more, such as
        the store of a member who has the role already. Refuses: BadRequest."""
        ...

    async def demo_allow(
        self, told: Annotated[tuple[Told, ...], msgspec.Meta(max_length=MAX_TOLD)]
    ) -> tuple[SignedVerdict, ...]:
        """Verdicts of what the demo's history tells, in its order; against nobody's limits.

        Refuses: IntentInvalid, IntentExpired, IdReused.
        """
        ...


class RiskWithDemo(Risk, RiskDemo, Protocol):
    """The face that the risk process serves in demo mode."""


async def join(parts: Parts, shop_id: str, person_id: str, role: Role) -> None:
    if role is Role.OWNER:
        raise MemberForbidden()
    if not await shops.owner_of(shop_id):
        raise NotFound()
    await shops.add_member(shop_id, person_id, role, parts.clock.now())


async def agreed(parts: Parts, person_id: str, purpose: str) -> Approval:
    if approvals.PURPOSE.fullmatch(purpose) is None:
        raise BadRequest()
    now = parts.clock.now()
    opening = ceremonies.Opening(
        kind=f"approve:{purpose}", options=b"", challenge=b"", person_id=person_id
    )
    ceremony = await ceremonies.open_one(opening, now)
    await ceremonies.use(ceremony.ceremony_id, opening.kind, now)
    await ceremonies.verified(ceremony.ceremony_id)
    return Approval(person_id, ceremony.ceremony_id, b"")


async def enrol(parts: Parts, person_id: str, phone: str, device_label: str) -> Enrolled:
    now = parts.clock.now()
    async with SEC.transaction():
        await SEC.query("select pg_advisory_xact_lock(3, hashtext($1))", person_id)
        rows = await SEC.query(
            "select person_id, phone from risk.person where person_id = $1 or phone = $2",
            person_id,
            phone,
        )
        if not rows:
            handle = secrets.token_bytes(HANDLE_BYTES)
            await registry.add_person(person_id, phone, handle, now)
        elif [tuple(row) for row in rows] != [(person_id, phone)]:
            raise IdReused()
        device = await registry.add_device(person_id, device_label, now, now)
        await SEC.query(
            "update risk.device set removed_at = $2 where device_id in (select d.device_id "
            "from risk.device d left join risk.credential c using (device_id) "
            "where d.person_id = $1 and d.removed_at is null and c.device_id is null "
            "order by d.created_at desc, d.device_id desc offset $3)",
            person_id,
            now,
            MAX_DEVICES,
        )
        await record(person_id, device.device_id, ["wallet_opened"], now)
    return Enrolled(person_id, device.device_id, device.secret, synced=False)
