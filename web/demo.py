"""One tap into the demo, and where its messages and codes are. In demo mode only, which is on the
loopback only."""

from typing import Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.demo import demo_sign_in
from backend.sandbox.cards import number
from backend.services import Services
from backend.settings import Settings
from web.doors import admit, device_label
from web.http import WebRequest

TEST_CARD = number("622200", "0001")  # pays at once
FIRST_PAGES = {"consumer": "/", "cashier": "/cashier"}
SHOP_PAGE = "/shop"


class Sandbox(msgspec.Struct, frozen=True):
    """What pages say of the sandbox. test_card: 16 digits of a card that pays at once."""

    sms_url: str
    statement_url: str
    bank_url: str
    test_card: str


def sandbox(settings: Settings) -> Sandbox:
    return Sandbox(
        sms_url=settings.sms_url,
        statement_url=f"{settings.bank_url}/statement",
        bank_url=settings.bank_url,
        test_card=TEST_CARD,
    )


@post("/demo/{role:str}", status_code=200)
async def enter_demo(
    request: WebRequest,
    role: FromPath[str],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[Any]:
    """Refuses: NotFound (no such role, or the demo's data isn't there yet)."""
    entered = await demo_sign_in(services, settings, role, device_label(request))
    where = FIRST_PAGES.get(role, SHOP_PAGE)
    return await admit(request, services, entered.opened, entered.device_secret, where)


handlers = [enter_demo]
