"""Lists that somebody keeps: a name for an address of the list of orders."""

from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.sales import MAX_VIEWS, SavedView
from backend.services import Services
from backend.shop_roles import Permission
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page
from web.shop_filter import PATH, asked
from web.shop_seat import seat_with

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


@get("/shop/views")
async def show_all(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    return await _page(request, services, person, Form())


@post("/shop/views", status_code=200)
async def save(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> Response[str] | Response[None]:
    """What of the given address means nothing is not kept."""
    seat = await seat_with(services, person, Permission.ORDERS)
    form = Form(data)
    view_id = form.id("view_id", "viw")
    name = form.text("name", Name, msg("A view's name has 1 to 32 characters."))
    if not form or name is None:
        return await _page(request, services, person, form, 422)
    kept = asked(parse_qs(form["query"]), seat, clock.now())
    try:
        await services.sales.save_view(
            seat.shop_id,
            person.person_id,
            SavedView(view_id=view_id, name=name, query=kept.query()),
        )
    except BadRequest:
        form.refuse("name", msg("You have as many views as can be kept. Remove one first."))
        return await _page(request, services, person, form, 422)
    return redirect(request, kept.address())


@post("/shop/views/{view_id:str}/removal", status_code=200)
async def forget(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    view_id: FromPath[str],
) -> Response[None]:
    seat = await seat_with(services, person, Permission.ORDERS)
    await services.sales.forget_view(seat.shop_id, person.person_id, view_id)
    return redirect(request, "/shop/views")


async def _page(
    request: WebRequest, services: Services, person: Person, form: Form, status_code: int = 200
) -> Response[str]:
    seat = await seat_with(services, person, Permission.ORDERS)
    views = await services.sales.views(seat.shop_id, person.person_id)
    return page(
        request,
        "shops/views.html",
        status_code=status_code,
        seat=seat,
        views=views,
        form=form,
        limit=MAX_VIEWS,
        orders=PATH,
        width="wide",
    )


handlers = [show_all, save, forget]
