"""Bank cards: binding one, and confirming it with the micro-code of the bank's one-fen deposit."""

from importlib import import_module

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.banking import (
    BankUnavailable,
    BindCard,
    Card,
    CardNumber,
    CardRefused,
    ConfirmCard,
    MicroCode,
    MicroCodeWrong,
    TooManyCards,
)
from backend.errors import NotFound
from backend.identity import DisplayName, Person
from backend.services import Services
from backend.settings import Settings
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.render import page
from web.session import Visit
from web.topups import own_path

PAYOUT_CARD = "/shop/settlement/card"  # where a shop's owner chooses among these cards
WITHDRAWING = "/withdrawals/new"
PAGES = frozenset({PAYOUT_CARD, WITHDRAWING})  # that a card was wanted for


@get("/cards")
async def show_all(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    return page(request, "cards/page.html", cards=await services.banking.cards(person.person_id))


@get("/cards/new")
async def new(
    request: WebRequest,
    person: NamedDependency[Person],
    settings: NamedDependency[Settings],
    return_to: FromQuery[str] = "",
    fill: FromQuery[str] = "",
) -> Response[str]:
    """fill: "test" writes the sandbox's card into the form, in the demo."""
    form = Form({"card_id": ids.new("crd"), "return_to": _back(return_to)})
    if settings.demo and fill:
        known = import_module("web.demo").sandbox(settings)
        form.values |= {"number": known.test_card, "holder": person.display_name}
    return page(request, "cards/new.html", form=form)


@post("/cards", status_code=200)
async def bind(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    form = Form(data)
    form.values["number"] = form["number"].replace(" ", "")
    card_id = form.id("card_id", "crd")
    number = form.text("number", CardNumber, msg("Card numbers have 12 to 19 digits."))
    holder = form.text("holder", DisplayName, msg("Enter the name on the card."))
    if form and number and holder:
        command = BindCard(
            card_id=card_id, person_id=person.person_id, number=number, holder=holder
        )
        try:
            await services.banking.bind_card(command)
            return redirect(request, _next(f"/cards/{card_id}", form["return_to"]))
        except (CardRefused, TooManyCards, BankUnavailable) as refusal:
            form.refuse("number", texts(visit.language).refusal(refusal).what)
            # A refused card keeps its id for good; another number is another card.
            form.values["card_id"] = ids.new("crd")
            return page(request, "cards/new.html", status_code=status_of(refusal), form=form)
    return page(request, "cards/new.html", status_code=422, form=form)


@get("/cards/{card_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    card_id: FromPath[str],
    return_to: FromQuery[str] = "",
) -> Response[str]:
    card = await _card(services, person.person_id, card_id)
    form = Form({"return_to": _back(return_to)})
    return page(request, "cards/card.html", card=card, form=form)


@post("/cards/{card_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    card_id: FromPath[str],
) -> Response[str] | Response[None]:
    form = Form(data)
    card = await _card(services, person.person_id, card_id)
    code = form.text("code", MicroCode, msg("The code has 4 digits."))
    status_code = 422
    if form and code:
        try:
            await services.banking.confirm_card(
                ConfirmCard(card_id=card_id, person_id=person.person_id, code=code)
            )
            return redirect(request, _bound(form["return_to"]))
        except (MicroCodeWrong, CardRefused, BankUnavailable) as refusal:
            text = texts(visit.language).refusal(refusal)
            form.refuse("code", f"{text.what} {text.detail}".strip())
            status_code = status_of(refusal)
            card = await _card(services, person.person_id, card_id)
    return page(request, "cards/card.html", status_code=status_code, card=card, form=form)


async def _card(services: Services, person_id: str, card_id: str) -> Card:
    for card in await services.banking.cards(person_id):
        if card.card_id == card_id:
            return card
    raise NotFound()


def _back(return_to: str) -> str:
    """What a card was wanted for: an order to pay, one of those pages, or nothing ("")."""
    return return_to if return_to in PAGES else own_path(return_to)


def _next(path: str, return_to: str) -> str:
    back = _back(return_to)
    return f"{path}?return_to={back}" if back else path


def _bound(return_to: str) -> str:
    """The page after a card was bound."""
    return return_to if return_to in PAGES else _next("/topups/new", return_to)


handlers = [show_all, new, bind, show, confirm]
