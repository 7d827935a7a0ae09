"""Sending money to people: whom, how much, when it arrives. Paying it: web/transfer_paying.py."""

from datetime import timedelta

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids, phones
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.friends import Friend
from backend.identity import Person
from backend.ids import is_id
from backend.money import Fen, fen
from backend.payments import Note
from backend.plain import is_plain
from backend.services import Services
from backend.transfers import NameCheckFailed, Payee, Request, RequestShare, StartTransfer
from web.amounts import read_amount
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.problems import status_of
from web.render import page
from web.session import Visit

DELAYS = {"0": timedelta(0), "2": timedelta(hours=2), "24": timedelta(hours=24)}
AT_ONCE = "0"
BAD_NOTE = msg("At most 64 characters in one line, nothing hidden.")


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What the form is about. request, share: where it pays a request; else None."""

    payee: Payee
    remark: str = ""
    request: Request | None = None
    share: RequestShare | None = None

    @property
    def path(self) -> str:
        return f"/send/{self.payee.payee_id}"


@get("/send")
async def choose(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    return await _choose(request, services, person, Form({"country": phones.HOME}))


@post("/send", status_code=200)
async def find(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    """By phone number; every look-up counts."""
    form = Form(data)
    phone = phones.parse(form["country"], form["phone"])
    if phone is None:
        form.refuse("phone", msg("This is no phone number of that country."))
        return await _choose(request, services, person, form, status_code=422)
    try:
        payee = await services.transfers.payee(person.person_id, phone)
    except DomainError as refusal:
        return await _choose(
            request, services, person, form, refusal=refusal, status_code=status_of(refusal)
        )
    return redirect(request, f"/send/{payee.payee_id}")


@get("/send/{payee_id:str}")
async def new(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    payee_id: FromPath[str],
    asked: FromQuery[str] = "",
    amount: FromQuery[str] = "",
) -> Response[str]:
    """asked: the request that it pays. amount: to send again what was sent before."""
    sheet = await _sheet(services, person, payee_id, asked)
    fields = {"delay": AT_ONCE, "amount": amount[:13]} | _fresh()
    return _draw(request, sheet, Form(fields))


@post("/send/{payee_id:str}", status_code=200)
async def create(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    payee_id: FromPath[str],
) -> Response[str] | Response[None]:
    """Store it; nothing moves before the next page's confirmation."""
    form = Form(data)
    sheet = await _sheet(services, person, payee_id, form["request_id"])
    start = _read(form, sheet, visit, person)
    if start is None:
        return _draw(request, sheet, form, status_code=422)
    try:
        opened = await services.transfers.open(start)
    except NameCheckFailed as refusal:
        return _draw(request, sheet, form, refusal=refusal, status_code=422)
    except DomainError as refusal:
        if isinstance(refusal, IdReused):
            form.values |= _fresh()
        return _draw(request, sheet, form, refusal=refusal, status_code=status_of(refusal))
    return redirect(request, f"/transfers/{opened.transfer_id}")


def _fresh() -> dict[str, str]:
    return {"transfer_id": ids.new("trf"), "payment_id": ids.new("pay")}


async def _sheet(services: Services, person: Person, payee_id: str, asked: str) -> Sheet:
    """Refuses: NotFound, OwnSelf, PayeeUnknown."""
    if not is_id(payee_id, "usr"):
        raise NotFound()
    payee = await services.transfers.payee(person.person_id, payee_id)
    remark = ""
    if payee.is_friend:
        remark = (await services.friends.friend(person.person_id, payee_id)).remark
    if not asked:
        return Sheet(payee=payee, remark=remark)
    found = await services.transfers.find_request(person.person_id, asked)
    share = next((s for s in found.shares if s.person_id == person.person_id), None)
    if share is None or found.person_id != payee_id:
        raise NotFound()
    return Sheet(payee=payee, remark=remark, request=found, share=share)


def _read(form: Form, sheet: Sheet, visit: Visit, person: Person) -> StartTransfer | None:
    """None and the form's errors where it can't be acted upon."""
    transfer_id, payment_id = form.id("transfer_id", "trf"), form.id("payment_id", "pay")
    amount, note, delay = _content(form, sheet)
    if sheet.payee.asks_name and not form["name_check"].strip():
        form.refuse("name_check", msg("Type the first character of the payee's name."))
    if not form or amount is None:
        return None
    return StartTransfer(
        transfer_id=transfer_id,
        payment_id=payment_id,
        payer_id=person.person_id,
        payee_id=sheet.payee.payee_id,
        amount_fen=amount,
        note=note,
        delay=delay,
        name_check=form["name_check"].strip()[:8],
        request_id=sheet.request.request_id if sheet.request else "",
        device_secret=visit.device_secret,
        address=visit.address,
    )


def _content(form: Form, sheet: Sheet) -> tuple[Fen | None, str, timedelta]:
    """Amount, note and delay; those of a request are fixed."""
    if sheet.request is not None and sheet.share is not None:
        return fen(sheet.share.amount_fen), sheet.request.note, DELAYS[AT_ONCE]
    note = form.text("note", Note, BAD_NOTE) or ""
    if not is_plain(note):
        form.refuse("note", BAD_NOTE)
    if form["delay"] not in DELAYS:
        raise BadRequest()
    return read_amount(form), note, DELAYS[form["delay"]]


async def _choose(  # noqa: PLR0913 — a form drawn for the first time, or again with its errors
    request: WebRequest,
    services: Services,
    person: Person,
    form: Form,
    *,
    refusal: DomainError | None = None,
    status_code: int = 200,
) -> Response[str]:
    everybody: tuple[Friend, ...] = await services.friends.friends(person.person_id)
    return page(
        request,
        "transfers/choose.html",
        status_code=status_code,
        friends=[friend for friend in everybody if friend.state == "friends"],
        waiting=await services.transfers.waiting(person.person_id),
        countries=phones.COUNTRIES,
        form=form,
        refusal=refusal,
    )


def _draw(
    request: WebRequest,
    sheet: Sheet,
    form: Form,
    *,
    refusal: DomainError | None = None,
    status_code: int = 200,
) -> Response[str]:
    return page(
        request,
        "transfers/new.html",
        status_code=status_code,
        sheet=sheet,
        form=form,
        refusal=refusal,
    )


handlers = [choose, find, new, create]
