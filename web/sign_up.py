"""Opening a wallet: phone number, code, passkey. Each step can be reloaded."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody

from backend import ids, onboarding, phones
from backend.errors import DomainError
from backend.identity import DisplayName, OpenSession
from backend.risk import BeginRegistration, CheckCode, FinishRegistration, SmsCode, StartEnrolment
from backend.risk.refusals import (
    CeremonyInvalid,
    CodeExpired,
    CodeSpent,
    CodeWrong,
    PasskeyRefused,
    ResendTooSoon,
    SmsUnavailable,
    TooManyCodes,
)
from backend.services import Services
from web import enrolment
from web.doors import begun, device_label, enter, refused
from web.enrolment import Enrolment
from web.forms import Form
from web.http import WebRequest, local_path, redirect
from web.i18n import msg
from web.problems import retry_after, status_of
from web.render import page
from web.security import cookies
from web.security.throttle import OPT
from web.session import Visit

START = "/sign-up"
BAD_PHONE = msg("Enter a phone number, for example 138 0013 8000.")
BAD_CODE = msg("The code has 6 digits.")
BAD_NAME = msg("Enter a name of 1 to 32 characters.")


@get("/sign-up")
async def show(
    request: WebRequest, visit: NamedDependency[Visit], next: FromQuery[str] = "/"
) -> Response[Any]:
    if visit.person is not None:
        return redirect(request, local_path(next))
    if local_path(next) != "/":
        return redirect(request, START, [cookies.wanted(next)])
    return _phone_page(request, Form({"country": phones.HOME, "enrolment_id": ids.new("enr")}))


@post("/sign-up", status_code=200, opt={OPT: True})
async def send_code(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    """Its id was made with the form: a double click sends one message."""
    form = Form(data)
    enrolment_id = form.id("enrolment_id", "enr")
    phone = form.read("phone", lambda typed: phones.parse(form["country"], typed), BAD_PHONE)
    if phone is None or not form:
        return _phone_page(request, form, status_code=422)
    start = StartEnrolment(enrolment_id, phone, visit.address, visit.language)
    try:
        started = await services.risk.start_enrolment(start)
    except (ResendTooSoon, TooManyCodes, SmsUnavailable) as refusal:
        return _phone_page(request, form, refusal)
    kept = Enrolment(enrolment_id, phone, started.resend_at)
    return redirect(request, "/sign-up/code", [cookies.enrolment(enrolment.pack(kept))])


@get("/sign-up/code")
async def show_code(request: WebRequest) -> Response[Any]:
    kept = enrolment.of(request)
    return _code_page(request, kept, Form()) if kept else redirect(request, START)


@post("/sign-up/code", status_code=200, opt={OPT: True})
async def check_code(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    services: NamedDependency[Services],
) -> Response[Any]:
    kept, form = enrolment.of(request), Form(data)
    if kept is None:
        return redirect(request, START)
    code = form.text("code", SmsCode, BAD_CODE)
    if code is None:
        return _code_page(request, kept, form, status_code=422)
    try:
        proven = await services.risk.check_code(CheckCode(kept.enrolment_id, code))
    except (CodeWrong, CodeExpired, CodeSpent) as refusal:
        return _code_page(request, kept, form, refusal)
    if proven.has_wallet:
        return redirect(request, "/sign-up/known", [cookies.gone(cookies.ENROLMENT)])
    on = Enrolment(kept.enrolment_id, proven.phone, kept.resend_at, proven=True)
    return redirect(request, "/sign-up/passkey", [cookies.enrolment(enrolment.pack(on))])


@get("/sign-up/known")
async def known(request: WebRequest) -> Response[str]:
    """The number has a wallet; said only to who has proven the number."""
    return page(request, "sign_up/known.html")


@get("/sign-up/passkey")
async def show_passkey(request: WebRequest) -> Response[Any]:
    kept = enrolment.of(request)
    if kept is None or not kept.proven:
        return redirect(request, START)
    return _passkey_page(request, Form())


@post("/sign-up/passkey/ceremony", status_code=200, opt={OPT: True})
async def begin_passkey(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    services: NamedDependency[Services],
) -> Response[Any]:
    kept, form = enrolment.of(request), Form(data)
    name = form.text("display_name", DisplayName, BAD_NAME)
    if name is None:
        return refused(request, BAD_NAME)
    begin = BeginRegistration(ids.new("usr"), name, kept.enrolment_id if kept else "")
    return begun(await services.risk.begin_registration(begin))


@post("/sign-up/passkey", status_code=200, opt={OPT: True})
async def finish_passkey(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    kept, form = enrolment.of(request), Form(data)
    if kept is None:
        return redirect(request, START)
    name = form.text("display_name", DisplayName, BAD_NAME)
    if name is None:
        return _passkey_page(request, form, status_code=422)
    label = device_label(request)
    finish = FinishRegistration(
        form["ceremony_id"],
        form["response_json"].encode(),
        label,
        visit.address,
        enrolment_id=kept.enrolment_id,
        device_secret=visit.device_secret,
    )
    try:
        enrolled = await services.risk.finish_registration(finish)
    except (CeremonyInvalid, PasskeyRefused) as refusal:
        return _passkey_page(request, form, refusal)
    await onboarding.open_wallet(services, enrolled, name, visit.language)
    opening = OpenSession(person_id=enrolled.person_id, device_id=enrolled.device_id, label=label)
    where = request.cookies.get(cookies.NEXT, "/")
    return await enter(request, services, opening, enrolled.device_secret, where)


def _phone_page(
    request: WebRequest, form: Form, refusal: DomainError | None = None, status_code: int = 200
) -> Response[str]:
    return _step(request, "phone", refusal, status_code, form=form, countries=phones.COUNTRIES)


def _code_page(
    request: WebRequest,
    kept: Enrolment,
    form: Form,
    refusal: DomainError | None = None,
    status_code: int = 200,
) -> Response[str]:
    country, number = phones.split(kept.phone)
    return _step(
        request,
        "code",
        refusal,
        status_code,
        form=form,
        masked=phones.masked(kept.phone),
        country=country,
        number=number,
        resend_at=kept.resend_at,
        enrolment_id=ids.new("enr"),
    )


def _passkey_page(
    request: WebRequest, form: Form, refusal: DomainError | None = None, status_code: int = 200
) -> Response[str]:
    return _step(request, "passkey", refusal, status_code, form=form)


def _step(
    request: WebRequest, step: str, refusal: DomainError | None, status_code: int, **context: Any
) -> Response[str]:
    """A page of signing up; drawn again with what went wrong."""
    headers: dict[str, str] = {}
    if refusal is not None:
        status_code = status_of(refusal)
        if status_code in {429, 503}:
            headers["Retry-After"] = str(retry_after(refusal))
    return page(
        request,
        f"sign_up/{step}.html",
        status_code=status_code,
        headers=headers,
        refusal=refusal,
        **context,
    )


handlers = [
    show,
    send_code,
    show_code,
    check_code,
    known,
    show_passkey,
    begin_passkey,
    finish_passkey,
]
