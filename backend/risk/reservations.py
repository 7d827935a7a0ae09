"""What payments use of the limits: counted under a row lock, given back when refused later."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from backend.db import SEC
from backend.intent import Intent
from backend.risk.rules import Charge, Spending, day_of


class Reservation(msgspec.Struct, frozen=True):
    intent: Intent
    charge: Charge


async def lock(intent_ids: Sequence[str]) -> None:
    """The payers' counters, in the order of ids: nobody else decides for them meanwhile."""
    await SEC.query(
        "select 1 from risk.spending where person_id = any(array("
        "select i.payer_id from unnest($1::text[]) as q (intent_id) cross join lateral "
        "(select payer_id from risk.intent where intent_id = q.intent_id limit 1) i)) "
        "order by person_id for no key update",
        intent_ids,
    )


async def take(reservations: Sequence[Reservation], now: datetime) -> None:
    if not reservations:
        return
    columns: list[list[object]] = [
        [r.intent.intent_id for r in reservations],
        [r.intent.payer_id for r in reservations],
        [r.intent.payee_id for r in reservations],
        [r.intent.amount_fen for r in reservations],
        [r.charge.free for r in reservations],
        [r.charge.synced for r in reservations],
        [r.charge.static for r in reservations],
        [r.charge.new_device for r in reservations],
    ]
    await SEC.query(
        "with taken as (insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, "
        "free, synced, static, new_device, day) select u.*, $9 from unnest($1::text[], $2::text[], "
        "$3::text[], $4::bigint[], $5::boolean[], $6::boolean[], $7::boolean[], $8::boolean[]) u "
        "returning intent_id, person_id, payee_id) "
        "insert into risk.known_payee (person_id, payee_id, intent_id) "
        "select distinct on (person_id, payee_id) person_id, payee_id, intent_id from taken "
        "on conflict (person_id, payee_id) do nothing",
        *columns,
        day_of(now),
    )


async def keep(spendings: Mapping[str, Spending]) -> None:
    """Write back counters that were read under the lock."""
    if not spendings:
        return
    kept = list(spendings.values())
    await SEC.query(
        "update risk.spending s set day = u.day, free_fen = u.free_fen, free_count = u.free_count, "
        "synced_fen = u.synced_fen, static_fen = u.static_fen, new_device_fen = u.new_device_fen, "
        "year = u.year, year_fen = u.year_fen from unnest($1::text[], $2::date[], $3::bigint[], "
        "$4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::int[], $9::bigint[]) as u "
        "(person_id, day, free_fen, free_count, synced_fen, static_fen, new_device_fen, year, "
        "year_fen) where s.person_id = u.person_id",
        list(spendings),
        *([getattr(s, name) for s in kept] for name in Spending.__struct_fields__),
    )


async def release(intent_id: str, now: datetime) -> None:
    """Once; its verdict is not given out again. A later day's counters are left alone."""
    async with SEC.transaction():
        await lock([intent_id])
        await SEC.query(
            "with r as (update risk.reservation set released_at = $2 where intent_id = $1 "
            "and released_at is null returning *), "
            "forgotten as (delete from risk.known_payee where intent_id = $1), "
            "used as (select r.*, amount_fen * free::int as free_fen, "
            "amount_fen * synced::int as synced_fen, amount_fen * static::int as static_fen, "
            "amount_fen * new_device::int as new_device_fen from r) "
            "update risk.spending s set "
            "free_fen = s.free_fen - case when s.day = u.day then u.free_fen else 0 end, "
            "free_count = s.free_count - case when s.day = u.day then u.free::int else 0 end, "
            "synced_fen = s.synced_fen - case when s.day = u.day then u.synced_fen else 0 end, "
            "static_fen = s.static_fen - case when s.day = u.day then u.static_fen else 0 end, "
            "new_device_fen = s.new_device_fen "
            "- case when s.day = u.day then u.new_device_fen else 0 end, "
            "year_fen = s.year_fen "
            "- case when s.year = extract(year from u.day)::int then u.amount_fen else 0 end "
            "from used u where s.person_id = u.person_id",
            intent_id,
            now,
        )
