"""The door for visitors."""

import re
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from web.http import WebRequest, redirect
from web.render import page
from web.session import Visit

BIG_SHOP = re.compile(r"big-\d{1,8}", re.ASCII)


@get("/welcome")
async def welcome(
    request: WebRequest, visit: NamedDependency[Visit], shop: FromQuery[str] = ""
) -> Response[Any]:
    """shop: of the demo, besides its usual one; `yipay demo --big` tells its name."""
    if visit.person is not None:
        return redirect(request, "/")
    return page(request, "welcome/page.html", big=shop if BIG_SHOP.fullmatch(shop) else "")


handlers = [welcome]
