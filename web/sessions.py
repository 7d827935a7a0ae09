"""Sessions: staying signed in, ending one or all, and the page that says that one has ended."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from backend import onboarding
from backend.identity import Person
from backend.services import Services
from web.doors import leave
from web.http import WebRequest, local_path, redirect
from web.render import page
from web.security import cookies
from web.session import Visit


@get("/sessions/here", status_code=204)
async def stay(person: NamedDependency[Person]) -> None:
    """Asked for by someone who stays signed in: any request keeps the session awake."""


@get("/signed-out")
async def signed_out(
    request: WebRequest, visit: NamedDependency[Visit], next: FromQuery[str] = "/"
) -> Response[Any]:
    """Where a session that ended by itself leads; the browser forgets it here."""
    here = local_path(next)
    if visit.person is not None:  # another window has kept it awake
        return redirect(request, here)
    answer = page(request, "signed_out.html", next=here)
    if cookies.SESSION in request.cookies:
        answer.cookies.append(cookies.gone(cookies.SESSION))
    return answer


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
    await onboarding.end_elsewhere(services, person.person_id, session_id)
    return redirect(request, "/security")


@post("/sessions/end", status_code=200)
async def end_all(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[Any]:
    """Sign out everywhere, here too."""
    await onboarding.end_everywhere(services, person.person_id)
    return await leave(request, services, "/welcome")


handlers = [stay, signed_out, end, end_all]
