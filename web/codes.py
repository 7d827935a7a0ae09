"""Addresses of codes as pages need them; the old page for typed ones leads to the scan page."""

from litestar import Response, get
from litestar.di import NamedDependency

from backend.codes import addresses
from backend.identity import Person
from backend.settings import Settings
from web.http import WebRequest, redirect
from web.render import page


def id_at(letter: str, code: str) -> str | None:
    """The id of the 26 characters behind /p/, /o/ or /u/, in either case; None if they are none."""
    return addresses.id_of(letter, code)


def order_id_of(code: str) -> str | None:
    """The order of the 26 characters in a code's address, in either case; None if they are none."""
    return addresses.id_of("o", code)


def code_of(any_id: str) -> str:
    return addresses.code_of(any_id)


def path_of(any_id: str) -> str:
    return addresses.path_of(any_id)


def printed_address(settings: Settings, any_id: str) -> str:
    """For the QR code: upper case only, which makes it a smaller symbol (alphanumeric mode)."""
    return addresses.printed(settings.public_origin, any_id)


def no_such_code(request: WebRequest) -> Response[str]:
    """What is said at an address of ours that no code has."""
    return page(
        request,
        "scan/told.html",
        status_code=404,
        kind="no_such",
        name="",
        address="",
        cut=False,
    )


@get("/pay", include_in_schema=False)
async def moved(request: WebRequest, person: NamedDependency[Person]) -> Response[None]:
    """Where codes were typed before there was a camera: installed wallets have it as a shortcut."""
    return redirect(request, "/scan")


handlers = [moved]
