"""A transfer that is stored: confirming it, what became of it, recalling it."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend.errors import DomainError
from backend.identity import Person
from backend.payments import Confirm, OrderPaid
from backend.services import Services
from backend.transfers import PayTransfer, Transfer
from web.doors import begun
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import texts
from web.problems import retry_after, status_of
from web.render import page, unchanged
from web.session import Visit, visit_of
from web.transfer_course import of_transfer


@get("/transfers/{transfer_id:str}")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    transfer = await services.transfers.transfer(person.person_id, transfer_id)
    if request.is_partial and seen == transfer.status:
        return unchanged()
    if transfer.status != "created" or await _under_way(services, transfer):
        return _page(request, person, transfer)
    try:
        quote = await services.transfers.quote(person.person_id, transfer_id, visit.device_secret)
    except DomainError as refusal:
        return _refused(request, transfer, refusal)
    return page(request, "transfers/confirm.html", transfer=transfer, quote=quote)


@post("/transfers/{transfer_id:str}/payment", status_code=200)
async def pay(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
) -> Response[str] | Response[None]:
    """With the bound device alone. Where it takes more by now, the page asks for that."""
    transfer = await services.transfers.transfer(person.person_id, transfer_id)
    try:
        await services.transfers.pay(_pay(visit, person, transfer_id))
    except DomainError as refusal:
        return _refused(request, transfer, refusal)
    return redirect(request, f"/transfers/{transfer_id}")


@post("/transfers/{transfer_id:str}/ceremony", status_code=200)
async def begin(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
) -> Response[bytes]:
    """One tap leads straight to the device's prompt."""
    started = await services.transfers.pay(_pay(visit, person, transfer_id))
    asked = started.requirement
    if asked is None or asked.ceremony is None:
        raise OrderPaid(by_you="yes")
    return begun(asked.ceremony)


@post("/transfers/{transfer_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
) -> Response[str] | Response[None]:
    transfer = await services.transfers.transfer(person.person_id, transfer_id)
    form = Form(data)
    answer = Confirm(
        payment_id=transfer.payment_id,
        payer_id=person.person_id,
        device_secret=visit.device_secret,
        ceremony_id=form["ceremony_id"],
        response_json=form["response_json"].encode(),
    )
    try:
        await services.transfers.confirm(answer)
    except DomainError as refusal:
        return _refused(request, transfer, refusal)
    return redirect(request, f"/transfers/{transfer_id}")


@post("/transfers/{transfer_id:str}/recall", status_code=200)
async def recall(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
) -> Response[str] | Response[None]:
    transfer = await services.transfers.transfer(person.person_id, transfer_id)
    try:
        await services.transfers.recall(person.person_id, transfer_id, visit.device_secret)
    except DomainError as refusal:
        return _refused(request, transfer, refusal)
    return redirect(request, f"/transfers/{transfer_id}")


def _pay(visit: Visit, person: Person, transfer_id: str) -> PayTransfer:
    return PayTransfer(
        transfer_id=transfer_id,
        payer_id=person.person_id,
        device_secret=visit.device_secret,
        address=visit.address,
    )


async def _under_way(services: Services, transfer: Transfer) -> bool:
    """Whether its payment has a verdict and waits for the books' answer."""
    try:
        payment = await services.payments.payment(transfer.payer_id, transfer.payment_id)
    except DomainError:
        return False
    return payment.status == "authorized"


def _page(request: WebRequest, person: Person, transfer: Transfer) -> Response[str]:
    return page(
        request,
        "transfers/page.html",
        transfer=transfer,
        mine=transfer.payer_id == person.person_id,
        steps=of_transfer(transfer),
        why=texts(visit_of(request).language).refusal_code(transfer.refusal_code),
    )


def _refused(request: WebRequest, transfer: Transfer, refusal: DomainError) -> Response[str]:
    """Why it came to nothing, whether money moved, and the way on."""
    status_code = status_of(refusal)
    return page(
        request,
        "transfers/refused.html",
        status_code=status_code,
        headers={"Retry-After": str(retry_after(refusal))} if status_code == 503 else {},
        transfer=transfer,
        refusal=refusal,
    )


handlers = [show, pay, begin, confirm, recall]
