"""Sessions: which there are, ending one, ending all."""

import msgspec
from litestar import delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend import onboarding
from backend.errors import NotFound
from backend.identity import Session
from backend.ids import is_id
from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.shapes import Page, page_of, timestamp


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """phone: of an app; otherwise of a browser. here: the one that asks."""

    object: str = "session"
    id: str
    device: str
    label: str
    phone: bool
    here: bool
    seen: str  # RFC 3339
    created: str


class EndedView(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "session"
    id: str
    status: str = "ended"


@get("/v1/sessions")
async def sessions(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[SessionView]:
    """List the live sessions of browsers and phones, newest first."""
    found = await services.identity.sessions(caller.person.person_id)
    return page_of([_view(session, caller) for session in found])


@delete("/v1/sessions/{session_id:str}", status_code=200)
async def end(
    session_id: FromPath[str],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> EndedView:
    """End one session; its own for signing out. It is refused from its next call on, and the
    payment codes of its device are dead.

    Refuses: not_found, unavailable.
    """
    if not is_id(session_id, "ses"):
        raise NotFound()
    if session_id == caller.session_id:
        await onboarding.leave(services, caller.person.person_id, session_id, caller.proof)
    else:
        await onboarding.end_elsewhere(services, caller.person.person_id, session_id)
    return EndedView(id=session_id)


@delete("/v1/sessions", status_code=200)
async def end_all(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> EndedView:
    """Sign out everywhere, here too. All payment codes end.

    Refuses: unavailable.
    """
    await onboarding.leave_everywhere(
        services, caller.person.person_id, caller.session_id, caller.proof
    )
    return EndedView(id=caller.session_id)


def _view(session: Session, caller: Caller) -> SessionView:
    return SessionView(
        id=session.session_id,
        device=session.device_id,
        label=session.label,
        phone=session.phone,
        here=session.session_id == caller.session_id,
        seen=timestamp(session.seen_at),
        created=timestamp(session.created_at),
    )


handlers = [sessions, end, end_all]
