"""Asking people for money: what is asked of me and by me, a new request, one request."""

from collections.abc import Awaitable, Callable

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.errors import DomainError, IdReused
from backend.identity import Person
from backend.ids import is_id
from backend.services import Services
from backend.transfers import REMIND_AFTER, NewRequest, Request
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.problems import status_of
from web.render import page
from web.splitting import EQUAL, PICKED, read_shares, read_split

Act = Callable[[str, str], Awaitable[Request]]


@get("/requests")
async def show(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    found = await services.transfers.requests(person.person_id)
    mine = [each for each in found if each.person_id == person.person_id]
    return page(
        request,
        "requests/page.html",
        asked_of_me=[each for each in found if each.person_id != person.person_id],
        asked_by_me=mine,
    )


@get("/requests/new")
async def new(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    to: FromQuery[str] = "",
    group: FromQuery[str] = "",
) -> Response[str]:
    """to: a friend who is chosen already. group: its members instead of friends."""
    fields = {"group": group, "split": EQUAL, "me": "" if to else "1"}
    fields[f"{PICKED}{to}"] = "1"
    return await _form(request, person, services, Form(fields | _fresh()))


@post("/requests/summary", status_code=200)
async def summary(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str]:
    """What everybody's share would be; nothing is stored and nobody is told."""
    form = Form(data)
    form.id("request_id", "req")
    people = await services.transfers.askable(person.person_id, _group(form))
    split = read_split(form, people)
    if split is None or not form:
        return await _form(request, person, services, form, status_code=422)
    return page(request, "requests/summary.html", split=split, form=form)


@post("/requests", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    form = Form(data)
    request_id, shares = form.id("request_id", "req"), read_shares(form)
    if shares is None:
        form.refuse("", msg("This form is out of date. Open the page again."))
    if not form or shares is None:
        form.values |= _fresh()
        return await _form(request, person, services, form, status_code=422)
    wanted = NewRequest(
        request_id=request_id,
        person_id=person.person_id,
        note=form["note"].strip(),
        shares=shares,
        group_id=_group(form),
    )
    try:
        made = await services.transfers.request(wanted)
    except DomainError as refusal:
        if isinstance(refusal, IdReused):
            form.values |= _fresh()
        status_code = status_of(refusal)
        return await _form(
            request, person, services, form, refusal=refusal, status_code=status_code
        )
    return redirect(request, f"/requests/{made.request_id}")


@get("/requests/{request_id:str}")
async def show_one(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[str]:
    found = await services.transfers.find_request(person.person_id, request_id)
    return _one(request, person, found)


@post("/requests/{request_id:str}/decline", status_code=200)
async def decline(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[str] | Response[None]:
    return await _act(request, person, services, request_id, services.transfers.decline)


@post("/requests/{request_id:str}/withdrawal", status_code=200)
async def withdraw(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[str] | Response[None]:
    return await _act(request, person, services, request_id, services.transfers.withdraw)


@post("/requests/{request_id:str}/reminder", status_code=200)
async def remind(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[str] | Response[None]:
    return await _act(request, person, services, request_id, services.transfers.remind)


async def _act(
    request: WebRequest, person: Person, services: Services, request_id: str, act: Act
) -> Response[str] | Response[None]:
    """What was done shows on the request's page; what was refused, above it."""
    found = await services.transfers.find_request(person.person_id, request_id)
    try:
        await act(person.person_id, request_id)
    except DomainError as refusal:
        return _one(request, person, found, refusal)
    return redirect(request, f"/requests/{request_id}")


def _fresh() -> dict[str, str]:
    return {"request_id": ids.new("req")}


def _group(form: Form) -> str:
    return form["group"] if is_id(form["group"], "grp") else ""


async def _form(  # noqa: PLR0913 — a form drawn for the first time, or again with its errors
    request: WebRequest,
    person: Person,
    services: Services,
    form: Form,
    *,
    refusal: DomainError | None = None,
    status_code: int = 200,
) -> Response[str]:
    group_id = _group(form)
    group = await services.friends.group(person.person_id, group_id) if group_id else None
    return page(
        request,
        "requests/new.html",
        status_code=status_code,
        people=await services.transfers.askable(person.person_id, group_id),
        group=group,
        groups=() if group else await services.friends.groups(person.person_id),
        form=form,
        refusal=refusal,
    )


def _one(
    request: WebRequest, person: Person, found: Request, refusal: DomainError | None = None
) -> Response[str]:
    share = next((s for s in found.shares if s.person_id == person.person_id), None)
    paid = [each for each in found.shares if each.status == "paid"]
    return page(
        request,
        "requests/request.html",
        status_code=status_of(refusal) if refusal else 200,
        asked=found,
        mine=found.person_id == person.person_id,
        share=share,
        paid=len(paid),
        paid_fen=sum(each.amount_fen for each in paid),
        asked_fen=sum(each.amount_fen for each in found.shares),
        remind_at=found.reminded_at + REMIND_AFTER if found.reminded_at else None,
        refusal=refusal,
    )


handlers = [show, new, summary, create, show_one, decline, withdraw, remind]
