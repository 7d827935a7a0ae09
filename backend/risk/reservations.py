"""What payments use of the limits: counted under a row lock, given back when refused later."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from backend.db import SEC
from backend.intent import Intent
from backend.risk import pot_releases
from backend.risk.rules import (
    FREE_DAY_COUNT,
    FREE_DAY_FEN,
    NEW_DEVICE_DAY_FEN,
    PACKET_DAY_FEN,
    PACKET_MACHINE_DAY_FEN,
    STATIC_DAY_FEN,
    SYNCED_DAY_FEN,
    TIER_YEAR_FEN,
    Charge,
    Spending,
    day_of,
)
from backend.risk.withdrawal_rules import SYNCED

_OF_YEAR = "r.amount_fen * (r.withdrawal = '')::int"  # to one's own card is no payment
_OF_SYNCED = "r.amount_fen * (r.synced and r.withdrawal = '')::int"


def _bounded(column: str, limit: int, used: str, same: str = "s.day = r.day") -> str:
    """$2: 1 to count, -1 to give back. A limit that was used twice over stands at its end."""
    changed = f"s.{column} + $2::int * case when {same} then {used} else 0 end"
    return f"{column} = least({limit}, greatest(0, {changed}))"


_COUNT = f"""
update risk.spending s set
    {_bounded("free_fen", FREE_DAY_FEN, "r.amount_fen * r.free::int")},
    {_bounded("free_count", FREE_DAY_COUNT, "r.free::int")},
    {_bounded("synced_fen", SYNCED_DAY_FEN, _OF_SYNCED)},
    {_bounded("static_fen", STATIC_DAY_FEN, "r.amount_fen * r.static::int")},
    {_bounded("new_device_fen", NEW_DEVICE_DAY_FEN, "r.amount_fen * r.new_device::int")},
    {_bounded("packet_fen", PACKET_DAY_FEN, "r.amount_fen * r.packet::int")},
    {_bounded("year_fen", TIER_YEAR_FEN, _OF_YEAR, "s.year = extract(year from r.day)::int")}
from r where s.person_id = r.person_id
"""  # noqa: S608 — our own names and limits

# Red packets, also of the machine they were sent on: its row is locked last, by this alone.
_COUNT_MACHINE = f"""
update risk.device m set packet_fen = least({PACKET_MACHINE_DAY_FEN},
    greatest(0, m.packet_fen + $2::int * r.amount_fen))
from r where m.device_id = r.machine_id and m.packet_day = r.day
"""  # noqa: S608


class Reservation(msgspec.Struct, frozen=True):
    intent: Intent
    charge: Charge
    machine_id: str  # remembered for what counts by machine


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
        [r.charge.packet for r in reservations],
        [r.machine_id if r.charge.packet else None for r in reservations],
    ]
    await SEC.query(
        "with taken as (insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, "
        "free, synced, static, new_device, packet, machine_id, day) select u.*, $11 from "
        "unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::boolean[], "
        "$7::boolean[], $8::boolean[], $9::boolean[], $10::text[]) u "
        "returning intent_id, person_id, payee_id) "
        # A pot is nobody: who gets money out of it is known once it has arrived.
        "insert into risk.known_payee (person_id, payee_id, intent_id) "
        "select distinct on (person_id, payee_id) person_id, payee_id, intent_id from taken "
        "where left(payee_id, 3) in ('mch', 'usr') "
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
        "year = u.year, year_fen = u.year_fen, packet_fen = u.packet_fen from unnest($1::text[], "
        "$2::date[], $3::bigint[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::int[], "
        "$9::bigint[], $10::bigint[]) as u (person_id, day, free_fen, free_count, synced_fen, "
        "static_fen, new_device_fen, year, year_fen, packet_fen) where s.person_id = u.person_id",
        list(spendings),
        *([getattr(s, name) for s in kept] for name in Spending.__struct_fields__),
    )


async def lock_shop(shop_id: str) -> None:
    """One refund that nobody asks for after the other: what goes back by itself is counted."""
    await SEC.query("select 1 from risk.shop where shop_id = $1 for no key update", shop_id)


async def lock_paid(payment_id: str) -> None:
    """One refund of a payment after the other: each counts what those before it took."""
    await SEC.query(
        "select 1 from risk.reservation where intent_id = $1 for no key update", payment_id
    )


async def take_of_shop(intent: Intent, now: datetime, refund_of: str | None = None) -> None:
    """Of no person's limits: a refund of a payment, or a payout. Once."""
    await SEC.query(
        "insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, free, synced, "
        "static, new_device, day, refund_of) values ($1, $2, $3, $4, false, false, false, false, "
        "$5, $6) on conflict (intent_id) do nothing",
        intent.intent_id,
        intent.payer_id,
        intent.payee_id,
        intent.amount_fen,
        day_of(now),
        refund_of,
    )


async def take_of_withdrawal(intent: Intent, synced: bool, now: datetime) -> None:
    """It counts by speed, passkey and day; the card is known from then on."""
    await SEC.query(
        "with taken as (insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, "
        "free, synced, static, new_device, day, withdrawal) values ($1, $2, $3, $4, false, $7, "
        "false, false, $5, $6) returning intent_id, person_id, payee_id) "
        "insert into risk.known_payee (person_id, payee_id, intent_id) "
        "select person_id, payee_id, intent_id from taken "
        "on conflict (person_id, payee_id) do nothing",
        intent.intent_id,
        intent.payer_id,
        intent.payee_id,
        intent.amount_fen,
        day_of(now),
        intent.code,
        synced,
    )


async def withdrawn(person_id: str, now: datetime) -> dict[str, int]:
    """Fen that the person has withdrawn today: by speed, and with synced passkeys by "synced". What
    came back does not count."""
    rows = await SEC.query(
        "select withdrawal, sum(amount_fen)::bigint as fen, "
        "coalesce(sum(amount_fen) filter (where synced), 0)::bigint as synced_fen "
        "from risk.reservation "
        "where person_id = $1 and day = $2 and withdrawal <> '' "
        "and released_at is null and returned_at is null group by withdrawal",
        person_id,
        day_of(now),
    )
    used = {row["withdrawal"]: row["fen"] for row in rows}
    return used | {SYNCED: sum(row["synced_fen"] for row in rows)}


async def come_back(intent_id: str, now: datetime) -> None:
    """The bank has refused it: it counts no more."""
    await SEC.query(
        "update risk.reservation set returned_at = $2 where intent_id = $1 and returned_at is null",
        intent_id,
        now,
    )


async def release_asked(intent_id: str) -> bool:
    rows = await SEC.query(
        "select 1 from risk.reservation where intent_id = $1 "
        "and coalesce(release_asked_at, released_at) is not null",
        intent_id,
    )
    return bool(rows)


async def leave_given(intent_id: str, now: datetime) -> bool:
    """The bank may pay it: from here on it is not released. False if that was asked for before."""
    rows = await SEC.query(
        "update risk.reservation set leave_given_at = coalesce(leave_given_at, $2) "
        "where intent_id = $1 and release_asked_at is null and released_at is null "
        "returning intent_id",
        intent_id,
        now,
    )
    return bool(rows)


async def release(intent_id: str, now: datetime) -> None:
    """Asked by the transaction system; its verdict is not given out again.

    Where an auditor follows the books, limits come back once it has seen the ledger's refusal, or
    the verdict end unused; see `settle_releases`. What it has seen posted is not given back at all,
    nor is what the bank was given leave to pay.
    Without an auditor they come back at once, and are taken again by the first one that knows
    better.
    """
    async with SEC.transaction():
        await lock([intent_id])
        await pot_releases.lock_of(intent_id)
        rows = await SEC.query(
            "update risk.reservation r set release_asked_at = $2 where intent_id = $1 "
            "and released_at is null and release_asked_at is null "
            "and leave_given_at is null and not exists ("
            "select 1 from risk.audit_posting where posting_id = $1 and journal_seq > 0) "
            "returning (select system_id = '' from risk.audit_state) or exists ("
            "select 1 from risk.audit_posting where posting_id = $1) as at_once",
            intent_id,
            now,
        )
        if rows and rows[0]["at_once"]:
            await give_back(intent_id, now)


async def give_back(intent_id: str, now: datetime) -> None:
    """Once. A later day's counters are left alone. The payer's counters, or the pot, are locked."""
    rows = await SEC.query(
        "with r as (update risk.reservation set released_at = $3 where intent_id = $1 "  # noqa: S608
        "and released_at is null returning *), "
        "forgotten as (delete from risk.known_payee where intent_id in (select intent_id from r)), "
        f"counted as ({_COUNT}), on_machine as ({_COUNT_MACHINE}) select intent_id from r",
        intent_id,
        -1,
        now,
    )
    if rows:
        await pot_releases.give_back(intent_id)


async def take_again(intent_id: str) -> None:
    """What was given back counts after all, as far as the limits can still show it."""
    rows = await SEC.query(
        "with r as (update risk.reservation set released_at = null where intent_id = $1 "  # noqa: S608
        f"and released_at is not null returning *), counted as ({_COUNT}), "
        f"on_machine as ({_COUNT_MACHINE}) select day from r",
        intent_id,
        1,
    )
    if rows:
        await pot_releases.take_again(intent_id, rows[0]["day"])
