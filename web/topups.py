"""Top-ups: from a bound card into the balance, and back to where the money was missing."""

import re
from datetime import timedelta

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.banking import Card, CardNotBound, StartTopUp, TopUp
from backend.identity import Person
from backend.money import parse_yuan
from backend.risk import LimitExceeded
from backend.services import Services
from web.forms import Form
from web.home import balance_of
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.render import page, unchanged
from web.session import Visit

PRESETS_FEN = (50_00, 100_00, 200_00, 500_00)
FINAL = frozenset({"posted", "refused"})
USUAL_ARRIVAL = timedelta(minutes=2)
_ID = "[0-9a-hjkmnp-tv-z]{26}"
_OWN_PATH = re.compile(
    rf"/o/{_ID}|/transfers/trf_{_ID}|/packets/red_{_ID}/payment|/packets/new\?again=red_{_ID}"
)


def own_path(text: str) -> str:
    """Where a top-up may lead back to: an order, a transfer or a packet being paid, or nowhere
    ("")."""
    return text if _OWN_PATH.fullmatch(text) else ""


@get("/topups/new")
async def new(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    amount: FromQuery[str] = "",
    return_to: FromQuery[str] = "",
) -> Response[str]:
    shown = amount if parse_yuan(amount) else ""
    values = {"topup_id": ids.new("top"), "amount": shown, "return_to": own_path(return_to)}
    return await _form(request, services, person, Form(values))


@post("/topups", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    form = Form(data)
    topup_id = form.id("topup_id", "top")
    card_id = form["card_id"]
    if not ids.is_id(card_id, "crd"):
        form.refuse("card_id", msg("Choose a card."))
    amount = form.read("amount", parse_yuan, msg("Enter an amount such as 100 or 99.50."))
    status_code = 422
    if form and amount:
        command = StartTopUp(
            topup_id=topup_id, person_id=person.person_id, card_id=card_id, amount_fen=amount
        )
        try:
            await services.banking.top_up(command)
            back = own_path(form["return_to"])
            query = f"?return_to={back}" if back else ""
            return redirect(request, f"/topups/{topup_id}{query}")
        except (LimitExceeded, CardNotBound) as refusal:
            text = texts(visit.language).refusal(refusal)
            form.refuse("amount", f"{text.what} {text.detail}".strip())
            form.values["topup_id"] = ids.new("top")
            status_code = status_of(refusal)
    return await _form(request, services, person, form, status_code)


@get("/topups/{topup_id:str}")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    topup_id: FromPath[str],
    return_to: FromQuery[str] = "",
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    topup = await services.banking.topup(person.person_id, topup_id)
    if request.is_partial and seen == _state(topup):
        return unchanged()
    return page(
        request,
        "topups/result.html",
        topup=topup,
        card=_card_of(topup, await services.banking.cards(person.person_id)),
        final=topup.status in FINAL and topup.reversal != "due",
        state=_state(topup),
        return_to=own_path(return_to),
    )


async def _form(
    request: WebRequest, services: Services, person: Person, form: Form, status_code: int = 200
) -> Response[str]:
    cards = await services.banking.cards(person.person_id)
    return page(
        request,
        "topups/page.html",
        status_code=status_code,
        form=form,
        bound=[card for card in cards if card.status == "bound"],
        balance=await balance_of(services, person.person_id),
        presets=PRESETS_FEN,
        arrives_in=int(USUAL_ARRIVAL.total_seconds()) // 60,
    )


def _state(topup: TopUp) -> str:
    """What a page that asks again has seen."""
    return f"{topup.status}.{topup.reversal}" if topup.reversal else topup.status


def _card_of(topup: TopUp, cards: tuple[Card, ...]) -> Card | None:
    return next((card for card in cards if card.card_id == topup.card_id), None)


handlers = [new, create, show]
