"""What may be spent, and why not more."""

import msgspec
from litestar import get
from litestar.di import NamedDependency

from backend.risk import Limit
from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.shapes import Amount, Page, amount_of, page_of


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """Of money (limit, used, left) or of times (limit_count, used_count). period: "each", "day",
    "year". level: of verification, "" for all. Clients must accept further names."""

    object: str = "limit"
    name: str
    level: str
    period: str
    limit: Amount | None = None
    used: Amount | None = None
    left: Amount | None = None
    limit_count: int | None = None
    used_count: int | None = None


@get("/v1/limits")
async def limits(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[LimitView]:
    """List what may be spent, and what was."""
    found = await services.risk.limits(caller.person.person_id, caller.proof)
    return page_of([_view(limit) for limit in found])


def _view(limit: Limit) -> LimitView:
    if limit.counts:
        return LimitView(
            name=limit.name,
            level=limit.level,
            period=limit.period,
            limit_count=limit.limit,
            used_count=limit.used,
        )
    return LimitView(
        name=limit.name,
        level=limit.level,
        period=limit.period,
        limit=amount_of(limit.limit),
        used=amount_of(limit.used),
        left=amount_of(max(limit.limit - limit.used, 0)),
    )


handlers = [limits]
