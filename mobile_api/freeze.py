"""The kill switch: one call on, a passkey and a wait to undo."""

import msgspec
import structlog
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.risk import FreezeState
from backend.services import Services
from mobile_api.approvals import approval_of
from mobile_api.caller import Caller
from mobile_api.consent import Confirmation
from mobile_api.shapes import timestamp_or_none
from mobile_api.strict import NOTHING, Nothing

_log = structlog.get_logger(__name__)


class FreezeView(msgspec.Struct, frozen=True, kw_only=True):
    """reason: "self" or "alarm". thaws: when it ends, once undoing was approved."""

    object: str = "freeze"
    frozen: bool
    since: str | None  # RFC 3339
    reason: str
    thaws: str | None


@get("/v1/freeze")
async def state(caller: NamedDependency[Caller], services: NamedDependency[Services]) -> FreezeView:
    """Whether money can leave."""
    return _view(await services.risk.freeze_state(caller.person.person_id))


@post("/v1/freeze", status_code=200)
async def freeze(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    data: JSONBody[Nothing] = NOTHING,
) -> FreezeView:
    """Stop all money that leaves, at once.

    Refuses: device_unknown.
    """
    person_id = caller.person.person_id
    await services.payments.freeze(person_id, caller.proof)
    _log.info("frozen", person_id=person_id)
    return _view(await services.risk.freeze_state(person_id))


@post("/v1/freeze/undo", status_code=200)
async def undo(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> FreezeView:
    """Let money leave again after a wait, approved by the passkey ("unfreeze").

    Refuses: frozen_by_alarm, ceremony_invalid, passkey_refused.
    """
    state = await services.risk.unfreeze(approval_of(data, caller))
    _log.info("unfreeze_asked", person_id=caller.person.person_id)
    return _view(state)


def _view(state: FreezeState) -> FreezeView:
    return FreezeView(
        frozen=state.frozen,
        since=timestamp_or_none(state.since),
        reason=state.reason,
        thaws=timestamp_or_none(state.thaws_at),
    )


handlers = [state, freeze, undo]
