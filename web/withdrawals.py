"""Withdrawals: from the balance to one's own card; agreed to with a passkey, always."""

from datetime import datetime

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.banking import (
    USUAL_ARRIVAL,
    BalanceTooLow,
    CardNotBound,
    ConfirmWithdrawal,
    StartWithdrawal,
    TooManyUnconfirmed,
    Withdrawal,
    WithdrawalTooSmall,
)
from backend.clock import Clock
from backend.errors import DomainError, IdReused
from backend.identity import Person
from backend.money import parse_yuan
from backend.risk import LimitExceeded, Requirement
from backend.services import Services
from web.doors import begun
from web.forms import Form
from web.home import unless_away
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import retry_after, status_of
from web.render import page, unchanged
from web.session import Visit

FINAL = frozenset({"paid", "returned", "refused"})
SPEEDS = ("instant", "next_day")
# What the person can mend in the form itself.
IN_FORM = (BalanceTooLow, CardNotBound, LimitExceeded, TooManyUnconfirmed, WithdrawalTooSmall)


@get("/withdrawals/new")
async def new(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    amount: FromQuery[str] = "",
    card_id: FromQuery[str] = "",
    speed: FromQuery[str] = "",
) -> Response[str]:
    shown = amount if parse_yuan(amount) else ""
    values = {"withdrawal_id": ids.new("wdr"), "amount": shown, "card_id": card_id}
    values["speed"] = speed if speed in SPEEDS else SPEEDS[0]
    return await _form(request, services, person, visit, Form(values))


@post("/withdrawals", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    """Store it; nothing moves before the next page's confirmation."""
    form, status_code = Form(data), 422
    start = _read(form, visit, person)
    asked: Requirement | None = None
    if start is not None:
        try:
            started = await services.banking.start_withdrawal(start)
            asked = started.requirement
            if asked is None or asked.takes != "wait":
                return redirect(request, f"/withdrawals/{start.withdrawal_id}")
            status_code = 200
        except (*IN_FORM, IdReused) as refusal:
            said = texts(visit.language).refusal(refusal)
            form.refuse("amount", f"{said.what} {said.detail}".strip())
            form.values["withdrawal_id"] = ids.new("wdr")
            status_code = status_of(refusal)
        except DomainError as refusal:
            return _refused(request, refusal)
    return await _form(request, services, person, visit, form, status_code, asked)


@get("/withdrawals/{withdrawal_id:str}")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    withdrawal_id: FromPath[str],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    """To be confirmed, or what became of it."""
    found = await services.banking.withdrawal(person.person_id, withdrawal_id)
    if request.is_partial and seen == found.status:
        return unchanged()
    waits = found.status == "created" and clock.now() < found.confirm_by
    return page(
        request,
        "withdrawals/confirm.html" if waits else "withdrawals/result.html",
        withdrawal=found,
        on_card_fen=found.amount_fen - found.fee_fen,
        final=found.status in FINAL or _sleeps(found, clock.now()),
        usually=_minutes(),
        balance=await _available(services, person.person_id) if waits else None,
    )


@post("/withdrawals/{withdrawal_id:str}/ceremony", status_code=200)
async def begin(
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    withdrawal_id: FromPath[str],
) -> Response[bytes] | Response[dict[str, str]]:
    """One tap leads straight to the device's prompt."""
    found = await services.banking.withdrawal(person.person_id, withdrawal_id)
    again = found.begun_again(visit.device_secret, visit.address)
    asked = (await services.banking.start_withdrawal(again)).requirement
    if asked is not None and asked.ceremony is not None:
        return begun(asked.ceremony)
    said = msg("This withdrawal is on its way. Look at your bills.")
    if asked is not None:
        said = msg("For your safety this withdrawal has to wait. Begin it again later.")
    return Response({"message": texts(visit.language).gettext(said)}, status_code=409)


@post("/withdrawals/{withdrawal_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    withdrawal_id: FromPath[str],
) -> Response[str] | Response[None]:
    form = Form(data)
    answer = ConfirmWithdrawal(
        withdrawal_id=withdrawal_id,
        person_id=person.person_id,
        device_secret=visit.device_secret,
        ceremony_id=form["ceremony_id"],
        response_json=form["response_json"].encode(),
    )
    try:
        await services.banking.confirm_withdrawal(answer)
    except DomainError as refusal:
        return _refused(request, refusal)
    return redirect(request, f"/withdrawals/{withdrawal_id}")


def _read(form: Form, visit: Visit, person: Person) -> StartWithdrawal | None:
    """None and the form's errors where it can't be acted upon."""
    withdrawal_id, card_id, speed = form.id("withdrawal_id", "wdr"), form["card_id"], form["speed"]
    if not ids.is_id(card_id, "crd"):
        form.refuse("card_id", msg("Choose a card."))
    if speed not in SPEEDS:
        form.refuse("speed", msg("Choose how soon it should arrive."))
    amount = form.read("amount", parse_yuan, msg("Enter an amount such as 100 or 99.50."))
    if not form or not amount:
        return None
    return StartWithdrawal(
        withdrawal_id=withdrawal_id,
        person_id=person.person_id,
        card_id=card_id,
        amount_fen=amount,
        speed="instant" if speed == "instant" else "next_day",
        device_secret=visit.device_secret,
        address=visit.address,
    )


async def _form(  # noqa: PLR0913 — a form drawn for the first time, or again with its errors
    request: WebRequest,
    services: Services,
    person: Person,
    visit: Visit,
    form: Form,
    status_code: int = 200,
    asked: Requirement | None = None,
) -> Response[str]:
    """asked: why it has to wait, where it has to."""
    cards = await services.banking.cards(person.person_id)
    amount = parse_yuan(form["amount"]) or 0
    terms = await unless_away(
        services.banking.withdrawal_terms(person.person_id, amount, visit.device_secret)
    )
    return page(
        request,
        "withdrawals/page.html",
        status_code=status_code,
        form=form,
        bound=[card for card in cards if card.status == "bound"],
        terms=terms,
        asked=asked,
        usually=_minutes(),
    )


def _refused(request: WebRequest, refusal: DomainError) -> Response[str]:
    """Why it came to nothing, whether money moved, and the way on."""
    status_code = status_of(refusal)
    headers = {"Retry-After": str(retry_after(refusal))} if status_code in (429, 503) else {}
    return page(
        request,
        "withdrawals/refused.html",
        status_code=status_code,
        headers=headers,
        refusal=refusal,
    )


async def _available(services: Services, person_id: str) -> int | None:
    found = await unless_away(services.ledger.balances((f"person:{person_id}",)))
    return found[0].available_fen if found else None


def _sleeps(found: Withdrawal, now: datetime) -> bool:
    """Nothing happens to it for hours: its page need not ask again every second."""
    return found.status == "posted" and now < found.hand_over_at


def _minutes() -> int:
    return int(USUAL_ARRIVAL.total_seconds()) // 60


handlers = [new, create, show, begin, confirm]
