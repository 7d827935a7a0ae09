"""Pots: money put aside, as it was allowed. A pot's row lock orders all that goes out of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from backend.clock import from_ms
from backend.db import SEC
from backend.errors import IdReused
from backend.intent import Intent
from backend.risk.refusals import PayerFrozen, PotUnknown
from backend.risk.rules import day_of

# Its funding counts as long as nobody has asked it back and the ledger has not refused it.
_PLAN = """
select p.*, i.content as funding,
    coalesce(r.back, true) or coalesce(a.refused, false) as unfunded,
    (o.frozen_at is not null and (o.thaws_at is null or o.thaws_at > $2))
        or coalesce(f.found, false) as owner_frozen
from risk.pot p
join risk.person o on o.person_id = p.owner_id
left join lateral (select released_at is not null or release_asked_at is not null as back
    from risk.reservation where intent_id = p.intent_id limit 1) r on true
left join lateral (select journal_seq = 0 as refused from risk.audit_posting
    where posting_id = p.intent_id limit 1) a on true
left join lateral (select content from risk.intent
    where intent_id = p.intent_id limit 1) i on true
left join lateral (select true as found from risk.frozen_account
    where account_id in ('person:' || p.owner_id,
        case p.kind when 'packet' then 'packet:' else 'escrow:' end || p.pot_id) limit 1) f on true
where p.pot_id = any($1) order by p.pot_id
"""


class Pot(msgspec.Struct):
    """taken, taken_fen move on while a batch is decided. unfunded: its money is not there."""

    pot_id: str
    intent_id: str
    kind: str
    owner_id: str
    to_id: str
    shares: int
    total_fen: int
    until_at: datetime
    taken: int
    taken_fen: int
    end_id: str | None
    unfunded: bool
    owner_frozen: bool

    @property
    def left_fen(self) -> int:
        return self.total_fen - self.taken_fen


async def read(pot_ids: Sequence[str], now: datetime) -> dict[str, Pot]:
    return await _pots(_PLAN, pot_ids, now)


async def lock(pot_ids: Sequence[str], now: datetime) -> dict[str, Pot]:
    """In the order of ids, until the transaction ends."""
    return await _pots(f"{_PLAN} for no key update of p", pot_ids, now)


def refuse_standing(pot: Pot | None) -> Pot:
    """Refuses: PotUnknown, PayerFrozen (its owner)."""
    if pot is None or pot.unfunded:
        raise PotUnknown()
    if pot.owner_frozen:
        raise PayerFrozen()
    return pot


def refuse_second(pot: Pot | None, intent: Intent) -> None:
    """A pot is filled once; again only where nothing came of the first. Refuses: IdReused."""
    if pot is None or pot.intent_id == intent.intent_id:
        return
    if not pot.unfunded or pot.taken or pot.end_id:
        raise IdReused()


class TwoFundings(Exception):
    """Somebody else filled the pot meanwhile: decide again."""


async def fill(funded: Sequence[Intent]) -> None:
    """The pots of fundings that are allowed now."""
    if not funded:
        return
    terms = [intent.terms for intent in funded if intent.terms is not None]
    rows = await SEC.query(
        "insert into risk.pot as p (pot_id, intent_id, kind, owner_id, to_id, shares, total_fen, "
        "until_at) select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], "
        "$5::text[], $6::int[], $7::bigint[], $8::timestamptz[]) "
        "on conflict (pot_id) do update set intent_id = excluded.intent_id, "
        "owner_id = excluded.owner_id, to_id = excluded.to_id, shares = excluded.shares, "
        "total_fen = excluded.total_fen, until_at = excluded.until_at "
        "where p.taken = 0 and p.end_id is null and (exists (select 1 from risk.reservation r "
        "where r.intent_id = p.intent_id "
        "and coalesce(r.released_at, r.release_asked_at) is not null) or exists (select 1 "
        "from risk.audit_posting a where a.posting_id = p.intent_id and a.journal_seq = 0)) "
        "returning pot_id",
        [intent.payee_id for intent in funded],
        [intent.intent_id for intent in funded],
        [intent.kind for intent in funded],
        [intent.payer_id for intent in funded],
        [each.to for each in terms],
        [each.shares for each in terms],
        [intent.amount_fen for intent in funded],
        [from_ms(each.until_ms) for each in terms],
    )
    if len(rows) != len(funded):
        raise TwoFundings()


async def count(pots: Mapping[str, Pot]) -> None:
    """Write back what was taken of locked pots."""
    await SEC.query(
        "update risk.pot p set taken = u.taken, taken_fen = u.taken_fen, end_id = u.end_id "
        "from unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) "
        "as u (pot_id, taken, taken_fen, end_id) where p.pot_id = u.pot_id",
        list(pots),
        [pot.taken for pot in pots.values()],
        [pot.taken_fen for pot in pots.values()],
        [pot.end_id for pot in pots.values()],
    )


async def reserve(allowed: Sequence[Intent], now: datetime) -> None:
    """So that what goes out of a pot can be released as any other; of nobody's limits."""
    if allowed:
        await SEC.query(
            "insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, free, "
            "synced, static, new_device, day) select u.*, false, false, false, false, $5 "
            "from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) u",
            [intent.intent_id for intent in allowed],
            [intent.payer_id for intent in allowed],
            [intent.payee_id for intent in allowed],
            [intent.amount_fen for intent in allowed],
            day_of(now),
        )


async def _pots(sql: str, pot_ids: Sequence[str], now: datetime) -> dict[str, Pot]:
    rows = await SEC.query(sql, sorted(set(pot_ids)), now)
    names = Pot.__struct_fields__
    return {row["pot_id"]: Pot(**{name: row[name] for name in names}) for row in rows}
