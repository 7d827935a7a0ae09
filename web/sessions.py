"""Ending sessions: one of them, or all."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.identity import Person
from backend.services import Services
from web.doors import leave
from web.http import WebRequest, redirect
from web.session import Visit


@post("/sessions/{session_id:str}/end", status_code=200)
async def end(
    request: WebRequest,
    session_id: FromPath[str],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    assert visit.session is not None
    if session_id == visit.session.session_id:
        return await leave(request, services, "/welcome")
    await services.identity.end_session(person.person_id, session_id)
    return redirect(request, "/security")


@post("/sessions/end", status_code=200)
async def end_all(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[Any]:
    """Sign out everywhere, here too."""
    await services.identity.end_all(person.person_id)
    return await leave(request, services, "/welcome")


handlers = [end, end_all]
