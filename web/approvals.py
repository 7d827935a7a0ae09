"""A passkey's word for a change of security settings: begun here, spent by the change itself."""

import re

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from backend.errors import BadRequest
from backend.identity import Person
from backend.ids import is_id
from backend.risk import Approval
from backend.services import Services
from web.doors import begun
from web.forms import Form

_PLAIN = frozenset({"add_device", "unfreeze"})
_REMOVAL = re.compile(r"remove_device:(.+)")
_PAYOUT_CARD = re.compile(r"payout_card:([^:]+):([^:]+)")


@post("/approvals", status_code=200)
async def begin(
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[bytes]:
    purpose = Form(data)["purpose"]
    if not _known(purpose):
        raise BadRequest()
    return begun(await services.risk.begin_approval(person.person_id, purpose))


def approval_of(form: Form, person: Person) -> Approval:
    """What a form brings back from the ceremony."""
    return Approval(person.person_id, form["ceremony_id"], form["response_json"].encode())


def _known(purpose: str) -> bool:
    if removal := _REMOVAL.fullmatch(purpose):
        return is_id(removal[1], "dev")
    if card := _PAYOUT_CARD.fullmatch(purpose):
        return is_id(card[1], "mch") and is_id(card[2], "crd")
    return purpose in _PLAIN


handlers = [begin]
