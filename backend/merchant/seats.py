"""Who sits where: the shops a person belongs to."""

from backend.clock import Clock
from backend.db import TX
from backend.errors import NotFound
from backend.merchant import NoShop, Seat
from backend.shop_roles import ROLES, Role

_SEATS = (
    "select s.shop_id, s.name, s.zone, s.owner_id, m.person_id, m.role, m.store_id"
    " from merchant.member as m join merchant.shop as s using (shop_id)"
    " where m.person_id = $1 and m.left_at is null"
)
_LAST_FIRST = " order by m.seated_at desc, s.shop_id desc"


class Seats:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def all(self, person_id: str) -> tuple[Seat, ...]:
        rows = await TX.query(_SEATS + _LAST_FIRST, person_id)
        return tuple(_seat(*row) for row in rows)

    async def last(self, person_id: str) -> Seat:
        rows = await TX.query(_SEATS + _LAST_FIRST + " limit 1", person_id)
        if not rows:
            raise NoShop()
        return _seat(*rows[0])

    async def at(self, person_id: str, shop_id: str) -> Seat:
        rows = await TX.query(_SEATS + " and m.shop_id = $2", person_id, shop_id)
        if not rows:
            raise NotFound()
        return _seat(*rows[0])

    async def take(self, person_id: str, shop_id: str) -> Seat:
        # Of two taken in the same moment the later one counts.
        await TX.query(
            "update merchant.member set seated_at = greatest($3, ("
            "  select max(seated_at) + interval '1 microsecond' from merchant.member"
            "  where person_id = $1))"
            " where person_id = $1 and shop_id = $2 and left_at is null",
            person_id,
            shop_id,
            self._clock.now(),
        )
        return await self.at(person_id, shop_id)


def _seat(  # noqa: PLR0913 — the columns of a row
    shop_id: str, name: str, zone: str, owner_id: str, person_id: str, role: str, store_id: str
) -> Seat:
    return Seat(
        shop_id=shop_id,
        shop_name=name,
        zone=zone,
        owner_id=owner_id,
        person_id=person_id,
        role=Role(role),
        permissions=ROLES[Role(role)],
        store_id=store_id,
    )
