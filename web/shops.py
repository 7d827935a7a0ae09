"""A person's shop: opening it, and its first dashboard."""

from datetime import timedelta
from typing import NamedTuple

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from backend import ids
from backend.clock import Clock
from backend.identity import Person
from backend.merchant import CATEGORIES, Category, Dashboard, HasShop, OpenShop, ShopName
from backend.services import Services
from web.bills import local_day
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page

DAYS = 7


class Bar(NamedTuple):
    """One day of the chart; height in hundredths of the tallest."""

    day: object
    amount_fen: int
    height: int


@get("/shop")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> Response[str] | Response[None]:
    if await services.merchant.shop_of(person.person_id) is None:
        return redirect(request, "/shop/new")
    board = await services.merchant.dashboard(person.person_id)
    return page(request, "shops/page.html", board=board, bars=_bars(board, clock), width="wide")


@get("/shop/new")
async def new(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str] | Response[None]:
    if await services.merchant.shop_of(person.person_id) is not None:
        return redirect(request, "/shop")
    return _form(request, Form({"shop_id": ids.new("mch")}))


@post("/shops", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    form = Form(data)
    shop_id = form.id("shop_id", "mch")
    name = form.text("name", ShopName, msg("A shop's name has 2 to 32 characters."))
    category = form.text("category", Category, msg("Choose what the shop does."))
    if not (form and name and category):
        return _form(request, form, 422)
    command = OpenShop(shop_id=shop_id, owner_id=person.person_id, name=name, category=category)
    try:
        await services.merchant.open_shop(command)
    except HasShop:  # a second tab got there first: the person has what they wanted
        return redirect(request, "/shop")
    return redirect(request, "/cashier")


def _form(request: WebRequest, form: Form, status_code: int = 200) -> Response[str]:
    return page(
        request, "shops/new.html", status_code=status_code, form=form, categories=CATEGORIES
    )


def _bars(board: Dashboard, clock: Clock) -> list[Bar]:
    today = local_day(clock.now())
    tallest = max(*board.days, 1)
    return [
        Bar(today - timedelta(days=DAYS - 1 - n), amount_fen, amount_fen * 100 // tallest)
        for n, amount_fen in enumerate(board.days)
    ]


handlers = [show, new, create]
