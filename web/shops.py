"""Opening a shop, and choosing which one to act for."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from backend import ids
from backend.identity import Person
from backend.merchant import CATEGORIES, Category, HasShop, OpenShop, ShopName
from backend.services import Services
from backend.shop_roles import Permission
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page
from web.session import Visit
from web.stores import priced

ZONES = (
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Macau",
    "Asia/Taipei",
    "Asia/Singapore",
    "Asia/Kuala_Lumpur",
    "Asia/Bangkok",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Dubai",
    "Australia/Sydney",
    "Europe/London",
    "Europe/Paris",
    "Europe/Berlin",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Vancouver",
    "America/Sao_Paulo",
)


@get("/shop/new")
async def new(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str] | Response[None]:
    if await _owns(services, person):
        return redirect(request, "/shop")
    return await _form(request, services, Form({"shop_id": ids.new("mch"), "zone": ZONES[0]}))


@post("/shops", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    form = Form(data)
    shop_id = form.id("shop_id", "mch")
    name = form.text("name", ShopName, msg("A shop's name has 2 to 32 characters."))
    category = form.text("category", Category, msg("Choose what the shop does."))
    zone = form.read("zone", _zone, msg("Choose a time zone."))
    if not (form and name and category and zone):
        return await _form(request, services, form, 422)
    command = OpenShop(
        shop_id=shop_id,
        owner_id=person.person_id,
        name=name,
        category=category,
        zone=zone,
        device_secret=visit.device_secret,
    )
    try:
        await services.merchant.open_shop(command)
    except HasShop:  # a second tab got there first: the person has what they wanted
        return redirect(request, "/shop")
    return redirect(request, "/cashier")


@get("/shop/seats")
async def seats(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    """Of somebody in no shop: how to get into one."""
    mine = await services.merchant.seats(person.person_id)
    return page(
        request,
        "shops/seats.html",
        seats=mine,
        owns=any(seat.owner_id == person.person_id for seat in mine),
    )


@post("/shop/seats", status_code=200)
async def take_seat(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    seat = await services.merchant.take_seat(person.person_id, Form(data)["shop_id"])
    return redirect(request, "/shop" if Permission.ORDERS in seat.permissions else "/cashier")


async def _owns(services: Services, person: Person) -> bool:
    """A person opens one shop; sitting in others' is no hindrance."""
    seats = await services.merchant.seats(person.person_id)
    return any(seat.owner_id == person.person_id for seat in seats)


def _zone(zone: str) -> str | None:
    return (zone or ZONES[0]) if zone in {"", *ZONES} else None


async def _form(
    request: WebRequest, services: Services, form: Form, status_code: int = 200
) -> Response[str]:
    return page(
        request,
        "shops/new.html",
        status_code=status_code,
        form=form,
        categories=CATEGORIES,
        zones=ZONES,
        fees=priced(await services.payments.fees("")),
    )


handlers = [new, create, seats, take_seat]
