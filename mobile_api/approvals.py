"""A passkey's word for a change of security settings: begun here, spent by the change itself."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.risk import Approval
from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.ceremonies import CeremonyBegun, begun
from mobile_api.consent import Confirmation


class Purpose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """purpose: "add_device", "remove_device:<device>", "unfreeze", "payout_card:<shop>:<card>",
    "invite_member:<shop>:<role>:<store>", "change_member:<shop>:<member>:<role>:<store>" (role
    "out": removed). Only cashiers are bound to a store; for all others say "all"."""

    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=128, examples=["add_device"])]


@post("/v1/approvals", status_code=200, opt={"idempotent": False})
async def begin(
    data: JSONBody[Purpose], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> CeremonyBegun:
    """Begin approving a change with the passkey.

    Refuses: bad_request, needs_passkey.
    """
    return begun(await services.risk.begin_approval(caller.person.person_id, data.purpose))


def approval_of(answer: Confirmation, caller: Caller) -> Approval:
    """What the phone brings back from the ceremony."""
    return Approval(caller.person.person_id, answer.ceremony_id, answer.response_json)


handlers = [begin]
