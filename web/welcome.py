"""The door for visitors."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from web.http import WebRequest, redirect
from web.render import page
from web.session import Visit


@get("/welcome")
async def welcome(request: WebRequest, visit: NamedDependency[Visit]) -> Response[Any]:
    if visit.person is not None:
        return redirect(request, "/")
    return page(request, "welcome/page.html")


handlers = [welcome]
