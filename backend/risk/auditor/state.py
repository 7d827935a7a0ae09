"""How far the auditor is, in its own cluster: never further than what it has stored."""

from datetime import datetime

import msgspec

from backend.chain import GENESIS
from backend.db import SEC
from backend.risk.auditor.books import Head
from backend.risk.auditor.fence import Facts
from backend.risk.auditor.stream import from_text, to_text


class State(msgspec.Struct, frozen=True):
    """synced: the books were compared with the tables, and the log is followed since."""

    synced: bool
    lsn: int
    head: Head
    system_id: str
    facts: Facts


class _Row(msgspec.Struct, frozen=True):
    synced: bool
    slot_lsn: str
    batch_seq: int
    journal_seq: int
    created_us: int
    chain_hash: bytes
    system_id: str
    facts: str


async def load_state() -> State:
    row = await SEC.one(
        _Row,
        "select synced, slot_lsn, batch_seq, journal_seq, created_us, chain_hash, system_id, facts"
        " from risk.audit_state",
    )
    assert row is not None, "risk.audit_state has its one row from the migration"
    head = Head(row.batch_seq, row.journal_seq, row.created_us, row.chain_hash or GENESIS)
    facts = msgspec.json.decode(row.facts, type=Facts)
    return State(row.synced, from_text(row.slot_lsn), head, row.system_id, facts)


async def save_state(state: State, at: datetime) -> None:
    """Inside the transaction that stores what was found up to there."""
    await SEC.query(
        "update risk.audit_state set synced = $1, slot_lsn = $2, batch_seq = $3, journal_seq = $4,"
        " created_us = $5, chain_hash = $6, system_id = $7, facts = $8, audited_at = $9",
        state.synced,
        to_text(state.lsn),
        state.head.batch_seq,
        state.head.last_seq,
        state.head.created_us,
        state.head.chain_hash,
        state.system_id,
        msgspec.json.encode(state.facts).decode(),
        at,
    )
