"""What the registry knows about payments, for a whole batch in one statement."""

from collections.abc import Sequence

import asyncpg
import msgspec

from backend.db import SEC
from backend.risk.holders import Use, shown_for
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.rules import Facts, Machine, Redemption, Spending

SHOWN = "shown"

# Each fact is one look-up by key: `exists` would invite a plan that hashes a whole table.
_SQL = """
select d.device_id, d.trusted_at, p.created_at, p.frozen_at, p.thaws_at,
    m.device_id as machine_id, m.packet_day as machine_day, m.packet_fen as machine_fen,
    r.shop_id as code_shop_id, r.amount_fen as code_amount_fen, r.ahead, r.revealed,
    (select true from risk.frozen_account f
        where f.account_id = 'person:' || q.payer_id) is not null as payer_alarmed,
    coalesce(
        (select true from risk.frozen_account f where f.account_id = 'shop:' || q.payee_id),
        (select true from risk.frozen_account f where f.account_id = 'person:' || q.payee_id),
        (select e.frozen_at is not null and (e.thaws_at is null or e.thaws_at > $4)
            from risk.person e where e.person_id = q.payee_id),
        false) as payee_frozen,
    (select true from risk.known_payee k
        where k.person_id = q.payer_id and k.payee_id = q.payee_id) is not null as known_payee,
    array(select c.credential_id from risk.credential c where c.person_id = q.payer_id
        and c.removed_at is null and not c.backup_eligible order by c.created_at) as bound_keys,
    array(select c.credential_id from risk.credential c where c.person_id = q.payer_id
        and c.removed_at is null and c.backup_eligible order by c.created_at) as synced_keys,
    s.day, s.free_fen, s.free_count, s.synced_fen, s.static_fen, s.new_device_fen,
    s.year, s.year_fen, s.packet_fen, o.year as opened_year, o.year_fen as opened_year_fen
from unnest($1::text[], $2::text[], $3::bytea[], $5::text[], $6::text[], $7::bool[])
    with ordinality as q (payer_id, payee_id, secret_hash, shown_id, thumbprint, by_code, n)
left join lateral (select device_id, shop_id, amount_fen, ahead, revealed from risk.pay_code
    where payment_id = q.shown_id and person_id = q.payer_id limit 1) r on true
left join lateral (
    (select device_id, person_id, trusted_at, machine_id from risk.device
        where secret_hash = q.secret_hash and person_id = q.payer_id and removed_at is null)
    union all
    (select device_id, person_id, trusted_at, machine_id from risk.device
        where key_thumbprint = q.thumbprint and person_id = q.payer_id and removed_at is null)
    union all
    (select device_id, person_id, trusted_at, machine_id from risk.device
        where q.by_code and device_id = r.device_id and person_id = q.payer_id
        and removed_at is null)
    limit 1) d on true
left join lateral (select device_id, packet_day, packet_fen from risk.device
    where device_id = coalesce(d.machine_id, d.device_id) limit 1) m on true
left join lateral (select created_at, frozen_at, thaws_at from risk.person
    where person_id = d.person_id limit 1) p on true
left join lateral (select * from risk.spending
    where person_id = d.person_id limit 1) s on true
left join lateral (select year, year_fen from risk.opener
    where person_id = d.person_id limit 1) o on true
order by q.n
"""


class Asked(msgspec.Struct, frozen=True):
    """One payment to gather facts for. With an intent, a phone's proof is spent for it."""

    operation: Operation
    payer_id: str
    payee_id: str
    amount_fen: int
    code: str
    device_secret: str  # "" for a payment code: the device that showed it
    intent_id: str = ""  # "" while there is none
    packet: bool = False


async def gather(parts: Parts, asked: Sequence[Asked]) -> list[Facts]:
    """In the order asked. Payments of one payer share one Spending, so that they add up; those of
    one machine share one Machine."""
    uses = [Use(a.device_secret, a.operation, a.intent_id) for a in asked]
    holders = await shown_for(parts, uses)
    rows = await SEC.query(
        _SQL,
        [a.payer_id for a in asked],
        [a.payee_id for a in asked],
        [holder.secret_hash for holder in holders],
        parts.clock.now(),
        [a.intent_id if a.code == SHOWN and a.intent_id else None for a in asked],
        [holder.thumbprint for holder in holders],
        [a.code == SHOWN and not a.device_secret for a in asked],
    )
    spendings: dict[str, Spending] = {}
    machines: dict[str, Machine] = {}
    return [_facts(a, row, spendings, machines) for a, row in zip(asked, rows, strict=True)]


def _redemption(asked: Asked, row: asyncpg.Record) -> Redemption | None:
    if asked.code != SHOWN:
        return None
    if not asked.intent_id:  # a question before there is an intent: nothing to compare with
        return Redemption(fits=True)
    if row["code_shop_id"] is None:
        return None
    read = (row["code_shop_id"], row["code_amount_fen"])
    fits = read == (asked.payee_id, asked.amount_fen)
    return Redemption(fits, row["ahead"], row["revealed"])


def _facts(
    asked: Asked,
    row: asyncpg.Record,
    spendings: dict[str, Spending],
    machines: dict[str, Machine],
) -> Facts:
    redemption = _redemption(asked, row)
    if row["device_id"] is None:
        return Facts(
            amount_fen=asked.amount_fen,
            code=asked.code,
            packet=asked.packet,
            redemption=redemption,
        )
    if asked.payer_id not in spendings:
        names = Spending.__struct_fields__
        spendings[asked.payer_id] = Spending(**{name: row[name] for name in names})
    machine = Machine(row["machine_id"], row["machine_day"], row["machine_fen"])
    return Facts(
        amount_fen=asked.amount_fen,
        code=asked.code,
        packet=asked.packet,
        machine=machines.setdefault(machine.machine_id, machine),
        created_at=row["created_at"],
        device_id=row["device_id"],
        trusted_at=row["trusted_at"],
        frozen_at=row["frozen_at"],
        thaws_at=row["thaws_at"],
        payer_alarmed=row["payer_alarmed"],
        payee_frozen=row["payee_frozen"],
        known_payee=row["known_payee"],
        bound_keys=tuple(row["bound_keys"]),
        synced_keys=tuple(row["synced_keys"]),
        redemption=redemption,
        spending=spendings[asked.payer_id],
        opened_year=row["opened_year"],
        opened_year_fen=row["opened_year_fen"],
    )
