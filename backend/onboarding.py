"""What signing up, signing in and adding a device end with, and its undoing: for both faces."""

import structlog

from backend import phones
from backend.errors import DomainError, NotFound, OutcomeUnknown, Unavailable
from backend.identity import (
    Language,
    NewPerson,
    OpenedSession,
    OpenPhoneSession,
    OpenSession,
    PhoneTokens,
    RefreshReused,
    SignedOut,
    Theft,
)
from backend.ids import is_id
from backend.risk import (
    Approval,
    BeginRegistration,
    Ceremony,
    DeviceGrant,
    Enrolled,
    GrantInvalid,
    SignedIn,
)
from backend.services import Services

_log = structlog.get_logger(__name__)


async def open_wallet(
    services: Services, enrolled: Enrolled, display_name: str, language: Language
) -> None:
    """Who somebody is, and an account in the books. Idempotent, so that it can be completed."""
    new = NewPerson(
        person_id=enrolled.person_id,
        phone=enrolled.phone,
        display_name=display_name,
        language=language,
    )
    await services.identity.create_person(new)
    await services.payments.open_wallet(new.person_id)


async def complete(services: Services, signed_in: SignedIn, language: Language) -> None:
    """A wallet whose opening stopped between the two systems is finished here."""
    try:
        await services.identity.person(signed_in.person_id)
    except NotFound:
        await services.identity.create_person(
            NewPerson(
                person_id=signed_in.person_id,
                phone=signed_in.phone,
                display_name=phones.masked(signed_in.phone),
                language=language,
            )
        )


async def enter(services: Services, opening: OpenSession) -> OpenedSession:
    """A browser's session. A wallet whose opening stopped half-way is finished here."""
    await services.payments.open_wallet(opening.person_id)
    opened = await services.identity.open_session(opening)
    _log.info("signed_in", person_id=opening.person_id, device_id=opening.device_id)
    return opened


async def enter_phone(services: Services, opening: OpenPhoneSession) -> PhoneTokens:
    """A phone's session; as for a browser."""
    await services.payments.open_wallet(opening.person_id)
    opened = await services.identity.open_phone_session(opening)
    _log.info("signed_in", person_id=opening.person_id, device_id=opening.device_id, phone=True)
    return opened


async def refresh(services: Services, refresh_token: str, thumbprint: str) -> PhoneTokens:
    """The next tokens of a phone that is still one: a session that was opened just while its device
    was removed ends here. Refuses: SignedOut, RefreshReused (then outgoing money is held)."""
    try:
        turned = await services.identity.refresh(refresh_token, thumbprint)
    except RefreshReused as reused:
        if reused.session is not None:
            # Its own alone: the caller waits. Older ones are the worker's.
            gone = reused.session
            theft = Theft(
                session_id=gone.session_id, person_id=gone.person_id, device_id=gone.device_id
            )
            await _tell(services, theft)
        raise
    session = turned.session
    try:
        live = await services.risk.devices(session.person_id)
    except (Unavailable, OutcomeUnknown):  # looking goes on; whatever moves money asks again
        return turned
    if session.device_id not in {device.device_id for device in live}:
        await services.identity.end_device(session.person_id, session.device_id)
        raise SignedOut()
    return turned


async def tell_thefts(services: Services) -> int:
    """The security system holds outgoing money of whose session was copied. What it can't be told
    now, the worker tells it later; how many it was told."""
    told = 0
    for theft in await services.identity.thefts():
        if not await _tell(services, theft):
            break
        told += 1
    return told


async def _tell(services: Services, theft: Theft) -> bool:
    try:
        await services.risk.suspect_takeover(theft.person_id, theft.device_id)
    except (Unavailable, OutcomeUnknown):
        _log.error("takeover_not_told", person_id=theft.person_id, device_id=theft.device_id)
        return False
    await services.identity.theft_told(theft.session_id)
    return True


async def leave(services: Services, person_id: str, session_id: str, device_secret: str) -> None:
    """The session ends, and with it what the device could be paid with. The device stays bound."""
    if device_secret:
        await _void_codes(services, person_id, device_secret)
    try:
        await services.identity.end_session(person_id, session_id)
    except NotFound:  # it has ended meanwhile: what was asked for is so
        _log.info("session_gone", person_id=person_id)
    _log.info("signed_out", person_id=person_id)


async def leave_everywhere(
    services: Services, person_id: str, session_id: str, device_secret: str
) -> None:
    """All sessions of the person end, this one too. Refuses: Unavailable."""
    await end_everywhere(services, person_id)
    await leave(services, person_id, session_id, device_secret)


async def end_everywhere(services: Services, person_id: str) -> None:
    """All sessions, and all payment codes. Refuses: Unavailable, and then nothing has ended: who
    ends a session elsewhere must not believe a code dead that is not."""
    await services.risk.end_codes(person_id, "")
    await services.identity.end_all(person_id)
    await _end_codes(services, person_id, "")  # of the moment between


async def end_elsewhere(services: Services, person_id: str, session_id: str) -> None:
    """One session of another device, and its payment codes. Refuses: NotFound, Unavailable."""
    ended = [s for s in await services.identity.sessions(person_id) if s.session_id == session_id]
    if not ended:
        raise NotFound()
    device_id = ended[0].device_id
    await services.risk.end_codes(person_id, device_id)
    await services.identity.end_session(person_id, session_id)
    await _end_codes(services, person_id, device_id)


def grant_code(person_id: str, given: DeviceGrant) -> str:
    """What the new device brings to `begin_by_grant`."""
    return f"{person_id}.{given.grant}"


async def begin_by_grant(services: Services, code: str) -> Ceremony:
    """On the new device, with what an older one gave it. Refuses: GrantInvalid."""
    person_id, _, grant = code.strip().rpartition("#")[2].partition(".")
    if not grant or not is_id(person_id, "usr"):
        raise GrantInvalid()
    try:
        person = await services.identity.person(person_id)
    except DomainError:
        raise GrantInvalid() from None  # says nothing about who exists
    begin = BeginRegistration(person_id, person.display_name, grant=grant)
    return await services.risk.begin_registration(begin)


async def begin_first_passkey(services: Services, person_id: str, device_secret: str) -> Ceremony:
    """The first passkey of a person who has none: it goes to the device that asks. Refuses:
    DeviceUnknown, GrantInvalid."""
    person = await services.identity.person(person_id)
    given = await services.risk.grant_first_passkey(person_id, device_secret)
    begin = BeginRegistration(person_id, person.display_name, grant=given.grant)
    return await services.risk.begin_registration(begin)


async def remove_device(services: Services, approval: Approval, device_id: str) -> None:
    """Its passkey and key are dead at once, and so are its sessions; those that outlive it by a
    crash end when the security system tells of the removal. Refuses: as its `remove_device`."""
    try:
        await services.risk.remove_device(approval, device_id)
    except NotFound:  # removed before, perhaps by a call that stopped here: its sessions end too
        await services.identity.end_device(approval.person_id, device_id)
        raise
    await services.identity.end_device(approval.person_id, device_id)


async def _void_codes(services: Services, person_id: str, device_secret: str) -> None:
    """Payment codes that this device has shown or taken along."""
    try:
        await services.risk.revoke_codes(person_id, device_secret)
    except DomainError as refusal:  # signing out goes on; the codes end by themselves in a day
        _log.warning("codes_not_revoked", person_id=person_id, code=refusal.code)


async def _end_codes(services: Services, person_id: str, device_id: str) -> None:
    """Where a session has ended already, whatever the security system says."""
    try:
        await services.risk.end_codes(person_id, device_id)
    except DomainError as refusal:  # they end by themselves in a day
        _log.warning("codes_not_ended", person_id=person_id, code=refusal.code)
