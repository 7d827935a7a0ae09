"""The payment code that a person shows at a till, live until something came of it.

A code lives a minute and is never stored where it could be read again, so each drawing of the page
issues a new one. Those issued ahead are shown once, and without digits: a code that was read out
takes a passkey, which such a code can't ask for.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody
from markupsafe import Markup

from backend.clock import Clock, to_ms
from backend.errors import BadRequest
from backend.identity import Person
from backend.payments import Order
from backend.risk import AHEAD_LIFE, CODE_LIFE, MAX_AHEAD, IssueCodes, PayCode, ShownCode
from backend.services import Services
from backend.wallet.paying import came_of_code, codes_ahead
from web.barcodes import line_code
from web.codes import path_of
from web.forms import Form
from web.http import WebRequest, redirect
from web.render import fragment, page, unchanged
from web.session import Visit

RENEW_S = 55  # the next code is here before this one ends
GROUPS = (0, 4, 8, 12, 16, 18)
MAX_MS_DIGITS = 16


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A code as the page has it. left_ms: of its life. digits: "" while they are hidden."""

    code: str
    bars: Markup
    left_ms: int
    until_ms: int
    digits: str = ""


@get("/code")
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> Response[str]:
    issue = IssueCodes(person.person_id, visit.device_secret)
    [code] = await services.risk.issue_codes(issue)
    now = clock.now()
    drawn = _drawn(code, now)
    if request.is_partial and not request.swaps_page:
        return fragment(request, "pay_code/_code.html", drawn=drawn, renew_s=RENEW_S)
    return await _page(request, services, person, drawn, now)


@post("/code/digits", status_code=200)
async def reveal(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> Response[str]:
    """The digits as text: from now on a payment with this code takes a passkey."""
    form, now = Form(data), clock.now()
    code = _pay_code(form["code"])
    await services.risk.reveal_code(person.person_id, visit.device_secret, code)
    drawn = _revealed(code, form["until_ms"], now)
    if request.is_partial:
        return fragment(request, "pay_code/_digits.html", drawn=drawn)
    return await _page(request, services, person, drawn, now)


@get("/code/state")
async def state(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    since: FromQuery[int] = 0,
) -> Response[Any]:
    """Where the page that shows a code goes on to, once a till has read it."""
    if not request.is_htmx:
        return redirect(request, "/code")
    came = await came_of_code(services, person.person_id, since)
    if isinstance(came, Order):
        return redirect(request, path_of(came.order_id))
    return redirect(request, f"/payments/{came.bill_id}") if came else unchanged()


@get("/code/ahead")
async def ahead(
    request: WebRequest, person: NamedDependency[Person], revoked: FromQuery[str] = ""
) -> Response[str]:
    return _ahead(request, (), revoked=bool(revoked))


@post("/code/ahead", status_code=200)
async def issue_ahead(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str]:
    codes = await codes_ahead(services, person.person_id, visit.device_secret)
    return _ahead(request, codes)


@post("/code/revocation", status_code=200)
async def revoke(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    await services.risk.revoke_codes(person.person_id, visit.device_secret)
    return redirect(request, "/code/ahead?revoked=1")


async def _page(
    request: WebRequest, services: Services, person: Person, drawn: Drawn, now: datetime
) -> Response[str]:
    asked = await services.payments.asked(person.person_id)
    return page(
        request,
        "pay_code/page.html",
        drawn=drawn,
        renew_s=RENEW_S,
        since=to_ms(now),
        waiting=[(order, path_of(order.order_id)) for order in asked],
    )


def _ahead(
    request: WebRequest, codes: tuple[ShownCode, ...], revoked: bool = False
) -> Response[str]:
    return page(
        request,
        "pay_code/ahead.html",
        codes=[(code.code, line_code(code.code)) for code in codes],
        expires_at=codes[0].expires_at if codes else None,
        count=MAX_AHEAD,
        hours=int(AHEAD_LIFE / timedelta(hours=1)),
        revoked=revoked,
    )


def _pay_code(text: str) -> str:
    try:
        return msgspec.convert(text, PayCode)
    except msgspec.ValidationError:
        raise BadRequest() from None


def _drawn(code: ShownCode, now: datetime) -> Drawn:
    left = max(code.expires_at - now, timedelta())
    return Drawn(
        code=code.code,
        bars=line_code(code.code),
        left_ms=int(left / timedelta(milliseconds=1)),
        until_ms=to_ms(code.expires_at),
    )


def _revealed(code: str, until_ms: str, now: datetime) -> Drawn:
    """The end came with the form: it only moves a ring, the security system keeps the rule."""
    whole = until_ms.isascii() and until_ms.isdigit() and len(until_ms) < MAX_MS_DIGITS
    left_ms = int(until_ms) - to_ms(now) if whole else 0
    left = timedelta(milliseconds=min(max(left_ms, 0), CODE_LIFE / timedelta(milliseconds=1)))
    digits = " ".join(code[start:end] for start, end in pairwise(GROUPS))
    drawn = _drawn(ShownCode(code, now, now + left), now)
    return msgspec.structs.replace(drawn, digits=digits)


handlers = [show, reveal, state, ahead, issue_ahead, revoke]
