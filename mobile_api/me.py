"""Who is signed in."""

import msgspec
from litestar import get
from litestar.di import NamedDependency

from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.shapes import timestamp


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """phone: E.164, the person's own."""

    object: str = "person"
    id: str
    name: str
    phone: str
    language: str
    demo: bool
    device: str
    session: str
    created: str  # RFC 3339


@get("/v1/me")
async def me(caller: NamedDependency[Caller], services: NamedDependency[Services]) -> PersonView:
    """Who is signed in, on which device."""
    person = caller.person
    return PersonView(
        id=person.person_id,
        name=person.display_name,
        phone=person.phone,
        language=person.language,
        demo=person.demo,
        device=caller.device_id,
        session=caller.session_id,
        created=timestamp(person.created_at),
    )


handlers = [me]
