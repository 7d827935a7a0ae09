"""Addresses that lead nowhere: asked for by somebody signed in, the refusal has their frame."""

from litestar import route
from litestar.exceptions import NotFoundException

PATH = "/{nowhere:path}"


@route(PATH, http_method=["GET", "POST", "PUT", "PATCH", "DELETE"], opt={"exclude_from_csrf": True})
async def nowhere() -> None:
    """Without this route the middleware that finds the visit would not run."""
    raise NotFoundException


handlers = [nowhere]
