"""Whose topics are whose: what a person may listen to."""

from contextlib import suppress

import structlog

from backend.errors import NotFound
from backend.ids import is_id
from backend.services import Services

MAX_TOPICS = 4

_log = structlog.get_logger(__name__)


async def check_topic(services: Services, person_id: str, topic: str) -> None:
    """Refuses: NotFound, for what isn't the person's and for what isn't a topic."""
    kind, _, ref = topic.partition(":")
    if kind == "person" and ref == person_id:
        return
    if kind == "shop":
        seats = await services.merchant.seats(person_id)
        if ref in {seat.shop_id for seat in seats}:
            return
    if kind == "group" and is_id(ref, "grp") and await services.friends.is_member(person_id, ref):
        return
    if kind == "packet" and is_id(ref, "red"):
        await services.redpackets.packet(ref)  # whoever has its address may see how full it is
        return
    if kind == "order" and is_id(ref, "ord"):
        await _check_order(services, person_id, ref)
        return
    raise NotFound()


async def may_listen(services: Services, person_id: str, topics: tuple[str, ...]) -> bool:
    """Whether the topics are still the person's: members leave shops. A stream outlives a database
    that is away."""
    try:
        for topic in topics:
            await check_topic(services, person_id, topic)
    except NotFound:
        return False
    except Exception as error:
        _log.warning("topics_not_checked", error=type(error).__name__)
    return True


async def _check_order(services: Services, person_id: str, order_id: str) -> None:
    """Of any shop that the person has a seat in. Refuses: NotFound."""
    for seat in await services.merchant.seats(person_id):
        with suppress(NotFound):
            await services.merchant.order(seat, order_id)
            return
    raise NotFound()
