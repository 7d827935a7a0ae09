"""What was allowed out of a pot and never posted goes back into it, and the other way round."""

from collections import defaultdict
from datetime import date

import msgspec

from backend.db import SEC
from backend.intent import Intent
from backend.risk import intents
from backend.risk.pot_forms import SHARE, is_pot

_PERSON = "person:"


class _Row(msgspec.Struct, frozen=True):
    content: bytes
    payer_id: str
    kind: str


async def lock_of(intent_id: str) -> None:
    """The pot that this came out of, if it did: before the reservation's row, as everywhere."""
    await SEC.query(
        "select 1 from risk.pot where pot_id = (select payer_id from risk.intent "
        "where intent_id = $1) for no key update",
        intent_id,
    )


async def give_back(intent_id: str) -> None:
    """Once: the reservation was just released. The pot is locked."""
    intent = await _out_of_pot(intent_id)
    if intent is None:
        return
    if intent.kind != SHARE:
        await SEC.query("update risk.pot set end_id = null where end_id = $1", intent_id)
        return
    await _lock_openers(intent)
    shares = await SEC.query(
        "select person_id, device_id, amount_fen, day from risk.opening where intent_id = $1",
        intent_id,
    )
    await SEC.query(
        "update risk.opening set intent_id = null, amount_fen = null, day = null "
        "where intent_id = $1",
        intent_id,
    )
    await _put(intent, -len(shares), -sum(row["amount_fen"] for row in shares))
    by_day: dict[date, list[tuple[str, str, int]]] = defaultdict(list)
    for row in shares:
        by_day[row["day"]].append((row["person_id"], row["device_id"], row["amount_fen"]))
    for day, of_day in by_day.items():
        await _uncount(of_day, day)


async def take_again(intent_id: str, day: date) -> None:
    """It was posted after all: as far as the pot can still show it, it is out of it."""
    intent = await _out_of_pot(intent_id)
    if intent is None:
        return
    if intent.kind != SHARE:
        await SEC.query(
            "update risk.pot set end_id = $2 where pot_id = $1 and end_id is null",
            intent.payer_id,
            intent_id,
        )
        return
    await _lock_openers(intent)
    taken = await SEC.query(
        "update risk.opening g set intent_id = $2, amount_fen = u.amount_fen, day = $5 "
        "from unnest($3::text[], $4::bigint[]) as u (person_id, amount_fen) "
        "where g.pot_id = $1 and g.person_id = u.person_id and g.intent_id is null "
        "returning g.amount_fen",
        intent.payer_id,
        intent_id,
        _people(intent),
        [t.amount_fen for t in intent.posting.transfers],
        day,
    )
    await _put(intent, len(taken), sum(row["amount_fen"] for row in taken))


async def _out_of_pot(intent_id: str) -> Intent | None:
    row = await SEC.one(
        _Row, "select content, payer_id, kind from risk.intent where intent_id = $1", intent_id
    )
    return intents.parse(row.content) if row is not None and is_pot(row.payer_id) else None


async def _lock_openers(intent: Intent) -> None:
    await SEC.query(
        "select 1 from risk.opener where person_id = any($1) order by person_id for no key update",
        _people(intent),
    )


def _people(intent: Intent) -> list[str]:
    return [t.credit.removeprefix(_PERSON) for t in intent.posting.transfers]


async def _put(intent: Intent, shares: int, fen: int) -> None:
    await SEC.query(
        "update risk.pot set taken = least(shares, taken + $2), "
        "taken_fen = least(total_fen, taken_fen + $3) where pot_id = $1",
        intent.payer_id,
        shares,
        fen,
    )


async def _uncount(shares: list[tuple[str, str, int]], day: date) -> None:
    """Of the counters of that day; a later day's are left alone."""
    await SEC.query(
        "with u as (select * from unnest($1::text[], $2::text[], $3::bigint[]) "
        "as u (person_id, device_id, amount_fen)), "
        "on_machine as (select coalesce(d.machine_id, d.device_id) as machine_id, "
        "count(*) as shares from u join risk.device d using (device_id) group by 1), "
        "locked as materialized (select device_id from risk.device "
        "where device_id in (select machine_id from on_machine) "
        "order by device_id for no key update), "
        "of_device as (update risk.device d set opened = greatest(0, d.opened - n.shares) "
        "from on_machine n join locked on locked.device_id = n.machine_id "
        "where d.device_id = n.machine_id and d.opened_day = $4) "
        "update risk.opener o set shares = case when o.day = $4 then greatest(0, o.shares - 1) "
        "else o.shares end, fen = case when o.day = $4 then greatest(0, o.fen - u.amount_fen) "
        "else o.fen end, year_fen = case when o.year = extract(year from $4)::int "
        "then greatest(0, o.year_fen - u.amount_fen) else o.year_fen end "
        "from u where o.person_id = u.person_id",
        [person_id for person_id, _, _ in shares],
        [device_id for _, device_id, _ in shares],
        [amount_fen for _, _, amount_fen in shares],
        day,
    )
