"""Paying by a code's address: typed, pasted, or opened by the phone's camera."""

import re

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from backend.identity import Person
from backend.ids import is_id
from backend.settings import Settings
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page

MAX_ADDRESS = 200
_BREAKS = re.compile(r"[\s-]+")


def order_id_of(code: str) -> str | None:
    """The order of the 26 characters in a code's address, in either case; None if they are none."""
    order_id = f"ord_{code.lower()}"
    return order_id if is_id(order_id, "ord") else None


def code_of(order_id: str) -> str:
    return order_id.removeprefix("ord_")


def path_of(order_id: str) -> str:
    return f"/o/{code_of(order_id)}"


def printed_address(settings: Settings, order_id: str) -> str:
    """For the QR code: upper case only, which makes it a smaller symbol (alphanumeric mode)."""
    return f"{settings.public_origin}{path_of(order_id)}".upper()


def read_address(text: str, origin: str) -> str | None:
    """The order behind an address of ours, its path or its bare code. No other host is accepted."""
    plain = _BREAKS.sub("", text[:MAX_ADDRESS]).lower().removeprefix(origin.lower())
    return order_id_of(plain.removeprefix("/o/"))


@get("/pay")
async def find(
    request: WebRequest,
    person: NamedDependency[Person],
    settings: NamedDependency[Settings],
    address: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    form = Form({"address": address})
    if address:
        order_id = read_address(address, settings.public_origin)
        if order_id is not None:
            return redirect(request, path_of(order_id))
        form.refuse("address", msg("That is not a YiPay code. Check it and try again."))
    return page(request, "codes/page.html", form=form, status_code=422 if address else 200)


handlers = [find]
