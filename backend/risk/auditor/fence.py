"""What keeps our eye on the books open: the slot, the publication, the tables' very identity.

Whoever can alter these can hide a change of rows, so a change of theirs is itself an alarm. New
rows in the system catalogues have new oids and xmins: dropping a table from the publication and
adding it back, in one transaction even, leaves other ones.
"""

from typing import Any

import msgspec

from backend.db import BOOKS
from backend.risk.auditor.findings import Finding
from backend.risk.auditor.stream import from_text

PUBLICATION = "yipay_audit"
SCHEMA = "ledger"

_FACTS = """
with tables as (
    select c.* from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $2 and c.relkind in ('r', 'p', 'v', 'f'))
select 'publication' kind, pubname::text name,
    format('%s %s %s', oid, xmin, (puballtables, pubinsert, pubupdate, pubdelete, pubtruncate))
    fact from pg_publication where pubname = $1
union all
select 'publication', r.prrelid::regclass::text, format('%s %s', r.oid, r.xmin)
    from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = $1
union all
select 'table', c.oid::regclass::text, format('%s %s %s %s', c.oid, c.relkind, c.relreplident,
    (c.relhasrules, c.relrowsecurity,
        (select count(*) from pg_inherits i where i.inhparent = c.oid)))
    from tables c
union all
select 'file', c.oid::regclass::text, c.relfilenode::text from tables c
union all
select 'table', format('%s.%s', c.oid::regclass, a.attname),
    format('%s %s %s', a.attnum, a.atttypid, a.attisdropped)
    from tables c join pg_attribute a on a.attrelid = c.oid where a.attnum > 0
union all
select 'guard', format('%s on %s', t.tgname, c.oid::regclass),
    format('%s %s %s', t.oid, t.tgenabled, t.tgfoid)
    from tables c join pg_trigger t on t.tgrelid = c.oid
union all
select 'guard', f.oid::regproc::text, format('%s %s', f.oid, md5(f.prosrc))
    from pg_proc f join pg_namespace n on n.oid = f.pronamespace where n.nspname = $2
order by 1, 2, 3
"""
_KINDS = {
    "publication": "publication_changed",
    "table": "table_changed",
    "file": "table_rewritten",
    "guard": "guard_changed",
}

TABLES = ("account", "journal", "posting", "transfer", "entry", "hold", "refusal")

Facts = dict[str, str]
"""What is so, by "kind name": compared, never read."""


class Slot(msgspec.Struct, frozen=True):
    usable: bool
    confirmed: int


async def facts() -> Facts:
    rows = await BOOKS.query(_FACTS, PUBLICATION, SCHEMA)
    return {f"{row['kind']} {row['name']}": row["fact"] for row in rows}


def changed(before: Facts, after: Facts, truncated: set[str]) -> list[Finding]:
    """One finding per kind of change; a truncated table has a new file and was told already."""
    found: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    for key in sorted(before.keys() | after.keys()):
        kind, _, name = key.partition(" ")
        if before.get(key) == after.get(key) or (kind == "file" and name in truncated):
            continue
        found[_KINDS[kind]].append(name)
    return [Finding(kind, ", ".join(names)) for kind, names in found.items() if names]


def missing(found: Facts) -> list[Finding]:
    """What a first look must find: every table published, every verb, keys in the log."""
    absent = [t for t in TABLES if f"publication {SCHEMA}.{t}" not in found]
    verbs = found.get(f"publication {PUBLICATION}", "")
    if not verbs.endswith("t,t,t,t)"):
        absent.append("verbs")
    return [Finding("publication_changed", f"not published: {name}") for name in absent]


async def slot_state(slot: str) -> Slot | None:
    """None if there is no such slot."""
    rows: list[Any] = await BOOKS.query(
        "select wal_status, invalidation_reason, confirmed_flush_lsn::text lsn"
        " from pg_replication_slots where slot_name = $1 and database = current_database()"
        " and plugin = 'pgoutput'",
        slot,
    )
    if not rows:
        return None
    usable = rows[0]["invalidation_reason"] is None and rows[0]["wal_status"] not in (None, "lost")
    return Slot(usable, from_text(rows[0]["lsn"] or ""))
