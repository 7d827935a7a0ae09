"""Bank cards: binding one, and confirming it with the micro-code of the bank's one-fen deposit."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.banking import BindCard, Card, CardNumber, ConfirmCard, MicroCode
from backend.errors import NotFound
from backend.identity import DisplayName
from backend.services import Services
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked
from mobile_api.shapes import Page, page_of, timestamp


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "pending" (until it is confirmed), "bound", "refused". Never the number."""

    object: str = "card"
    id: str
    bank: str
    last4: str
    status: str
    created: str


class NewCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """holder: the name on the card."""

    number: CardNumber
    holder: DisplayName


class CardCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """code: stands in the deposit's text on the card's statement."""

    code: MicroCode


@get("/v1/cards")
async def cards(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[CardView]:
    """The caller's cards, those that wait for their code too."""
    found = await services.banking.cards(caller.person.person_id)
    return page_of([_view(card) for card in found])


@post("/v1/cards", status_code=201)
async def bind(
    data: JSONBody[NewCard],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> CardView:
    """Bind a card: the bank sends one fen with a code.

    Refuses: card_refused, too_many_cards, bank_unavailable, id_reused."""
    command = BindCard(
        card_id=once.id("crd"),
        person_id=caller.person.person_id,
        number=data.number,
        holder=data.holder,
    )
    return _view(await services.banking.bind_card(command))


@get("/v1/cards/{card_id:str}")
async def card(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    card_id: FromPath[str],
) -> CardView:
    """One of the caller's cards.

    Refuses: not_found."""
    for found in await services.banking.cards(caller.person.person_id):
        if found.card_id == card_id:
            return _view(found)
    raise NotFound()


@post("/v1/cards/{card_id:str}/confirm", status_code=200)
async def confirm(
    data: JSONBody[CardCode],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    card_id: FromPath[str],
) -> CardView:
    """Prove that the card is the caller's, with the code of the deposit.

    Refuses: not_found, micro_code_wrong, card_refused, bank_unavailable."""
    command = ConfirmCard(
        card_id=checked(card_id, "crd"), person_id=caller.person.person_id, code=data.code
    )
    return _view(await services.banking.confirm_card(command))


def _view(card: Card) -> CardView:
    return CardView(
        id=card.card_id,
        bank=card.bank_name,
        last4=card.last4,
        status=card.status,
        created=timestamp(card.created_at),
    )


handlers = [cards, bind, card, confirm]
