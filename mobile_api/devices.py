"""Devices: which there are, adding one with the word of an older one, removing one."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend import onboarding
from backend.errors import NotFound
from backend.identity import OpenPhoneSession
from backend.ids import is_id
from backend.risk import Device, FinishRegistration
from backend.services import Services
from backend.settings import Settings
from mobile_api.approvals import approval_of
from mobile_api.auth import Holder
from mobile_api.caller import Caller
from mobile_api.ceremonies import CeremonyBegun, DeviceAnswer, begun
from mobile_api.consent import Confirmation
from mobile_api.shapes import Page, page_of, timestamp
from mobile_api.strict import NOTHING, Nothing
from mobile_api.tokens import TokensView, tokens_view

OPEN = {"open": True, "idempotent": False}


class Granted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """grant: what the older device shows, as text or as the link of its code."""

    grant: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """key: it has a key of its own, as phones do. synced: its passkey may be on other devices too.
    trusted: until then the limits of a new device apply."""

    object: str = "device"
    id: str
    label: str
    here: bool
    key: bool
    passkey: bool
    synced: bool
    trusted: str  # RFC 3339
    last_used: str
    created: str


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """Show `link` as a code, or `grant` as text, to the new device and to nobody else. Once."""

    object: str = "device_grant"
    grant: str
    link: str
    expires: str  # RFC 3339


class RemovedView(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "device"
    id: str
    status: str = "removed"


@get("/v1/devices")
async def devices(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[DeviceView]:
    """List the devices, last used first."""
    found = await services.risk.devices(caller.person.person_id)
    return page_of([_view(device, caller) for device in found])


@post("/v1/devices/grants", status_code=201, opt={"idempotent": False})
async def grant(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> GrantView:
    """Let a new device in, approved by the passkey here ("add_device").

    Refuses: ceremony_invalid, passkey_refused.
    """
    given = await services.risk.grant_device(approval_of(data, caller))
    code = onboarding.grant_code(caller.person.person_id, given)
    return GrantView(
        grant=code,
        # Behind "#": no server or log ever sees it.
        link=f"{settings.public_origin}/devices/new#{code}",
        expires=timestamp(given.expires_at),
    )


@post("/v1/devices/ceremony", status_code=200, opt=OPEN)
async def begin(
    data: JSONBody[Granted], holder: NamedDependency[Holder], services: NamedDependency[Services]
) -> CeremonyBegun:
    """On the new device: begin making its passkey.

    Refuses: grant_invalid.
    """
    return begun(await onboarding.begin_by_grant(services, data.grant))


@post("/v1/devices/first/ceremony", status_code=200, opt={"idempotent": False})
async def begin_first(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    data: JSONBody[Nothing] = NOTHING,
) -> CeremonyBegun:
    """Begin making the first passkey of a person who has none; it belongs to this phone.

    Refuses: device_unknown, grant_invalid.
    """
    person_id = caller.person.person_id
    return begun(await onboarding.begin_first_passkey(services, person_id, caller.proof))


@post("/v1/devices", status_code=201, opt=OPEN)
async def add(
    data: JSONBody[DeviceAnswer],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
) -> TokensView:
    """On the new device: bind its key and its passkey, and sign in.

    Refuses: ceremony_invalid, passkey_refused, device_proof_invalid, device_key_taken,
    grant_invalid.
    """
    enrolled = await services.risk.finish_registration(
        FinishRegistration(
            data.ceremony_id, data.response_json, data.label, holder.address, holder.proof
        )
    )
    opening = OpenPhoneSession(
        person_id=enrolled.person_id,
        device_id=enrolled.device_id,
        label=data.label,
        thumbprint=holder.thumbprint,
    )
    opened = await onboarding.enter_phone(services, opening)
    return tokens_view(services, opened, holder.thumbprint)


@post("/v1/devices/{device_id:str}/removal", status_code=200)
async def remove(
    device_id: FromPath[str],
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> RemovedView:
    """Remove another device, approved by the passkey here ("remove_device:<device>").

    Its passkey and key are dead at once, and so are its sessions.

    Refuses: not_found, ceremony_invalid, passkey_refused, last_device.
    """
    if not is_id(device_id, "dev"):
        raise NotFound()
    await onboarding.remove_device(services, approval_of(data, caller), device_id)
    return RemovedView(id=device_id)


def _view(device: Device, caller: Caller) -> DeviceView:
    return DeviceView(
        id=device.device_id,
        label=device.label,
        here=device.device_id == caller.device_id,
        key=device.key,
        passkey=device.passkey,
        synced=device.synced,
        trusted=timestamp(device.trusted_at),
        last_used=timestamp(device.last_used_at),
        created=timestamp(device.created_at),
    )


handlers = [devices, grant, begin, begin_first, add, remove]
