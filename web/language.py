"""The language switch, for visitors too."""

from typing import Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from backend.errors import BadRequest
from backend.identity import Language
from backend.services import Services
from web.forms import Form
from web.http import WebRequest, local_path, redirect
from web.security import cookies
from web.session import Visit


@post("/language")
async def choose(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    form = Form(data)
    try:
        language = msgspec.convert(form["language"], Language)
    except msgspec.ValidationError:
        raise BadRequest() from None
    if visit.person is not None:
        await services.identity.set_language(visit.person.person_id, language)
    return redirect(request, local_path(form["return_to"]), [cookies.language(language)])


handlers = [choose]
