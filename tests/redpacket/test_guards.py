"""Going around the code: what the database itself refuses of packets, batches and shares."""

import asyncpg
import pytest

from backend.db import TX
from tests.redpacket.conftest import Party

ATTACKS: list[tuple[str, str]] = [
    ("update redpacket.packet set total_fen = total_fen + 1", "what was sent is sent"),
    ("update redpacket.packet set seed = decode(repeat('00', 32), 'hex')", "what was sent"),
    ("update redpacket.packet set status = 'created'", "no way from open"),
    ("update redpacket.packet set opened_fen = opened_fen + 1", "do not add up"),
    ("update redpacket.share set amount_fen = amount_fen + 1", "what was decided stands"),
    ("update redpacket.share set void = true", "it is posted"),
    ("update redpacket.share set posting_id = 'shr_x'", "it is posted"),
    (
        "update redpacket.batch set status = 'decided', posted_at = null, journal_seq = null",
        "it is posted",
    ),
    ("update redpacket.batch set packet_id = 'red_x'", "it is posted"),
    (
        "with batch as (insert into redpacket.batch (posting_id, packet_id, intent, created_at,"
        " due_at) select 'shr_x', packet_id, intent, now(), now() from redpacket.batch"
        " returning packet_id) insert into redpacket.share (packet_id, person_id, position,"
        " amount_fen, name, posting_id, opened_at) select 'red_x', 'usr_x', 1, 1, '', 'shr_x',"
        " now() from batch",
        "share_of_batch",
    ),
    (
        "insert into redpacket.share (packet_id, person_id, position, amount_fen, name,"
        " posting_id, opened_at) select packet_id, 'usr_x', 1, 1, '', posting_id, now()"
        " from redpacket.share",
        "do not add up",
    ),
    ("update redpacket.packet set returned_fen = 1", "packet_returned"),
    ("delete from redpacket.share", "permission denied"),
    (
        "insert into redpacket.share (packet_id, person_id, position, amount_fen, name,"
        " posting_id, opened_at) select packet_id, 'usr_x', 1, 20000, '', posting_id, now()"
        " from redpacket.share",
        "packet_opened",
    ),
    (
        "insert into redpacket.share (packet_id, person_id, position, amount_fen, name,"
        " posting_id, opened_at) select packet_id, person_id, 1, 1, '', posting_id, now()"
        " from redpacket.share",
        "share_pkey",
    ),
    (
        "insert into redpacket.share (packet_id, person_id, position, amount_fen, name,"
        " posting_id, opened_at) select packet_id, 'usr_x', position, 1, '', posting_id, now()"
        " from redpacket.share",
        "share_position",
    ),
]


# On a packet with a share in the books and one that is decided.
MOVES: list[tuple[str, str]] = [
    (
        "update redpacket.share s set posting_id = b.posting_id from redpacket.batch b"
        " where b.status = 'posted' and s.posting_id <> b.posting_id",
        "it is posted",
    ),
    (
        "with posted as (select s.packet_id, s.posting_id, s.amount_fen from redpacket.share s"
        " join redpacket.batch b using (posting_id) where b.status = 'posted'),"
        " counted as (update redpacket.packet p set posted_fen = p.opened_fen from posted"
        " where p.packet_id = posted.packet_id)"
        " update redpacket.share s set posting_id = posted.posting_id from posted"
        " where s.posting_id <> posted.posting_id",
        "it is posted",
    ),
]


@pytest.mark.parametrize(("sql", "why"), ATTACKS)
async def test_the_database_itself_refuses(party: Party, sql: str, why: str) -> None:
    anna = await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    await party.open(packet, ben)
    with pytest.raises(asyncpg.PostgresError, match=why):
        await TX.query(sql)


@pytest.mark.parametrize(("sql", "why"), MOVES)
async def test_a_share_moves_to_no_batch_that_is_posted(party: Party, sql: str, why: str) -> None:
    anna = await party.world.person(100_00)
    ben, cleo = await party.people(2)
    packet = await party.send(anna)
    await party.open(packet, ben)
    party.world.ledger.crash_before.add("post")
    assert (await party.open(packet, cleo)).status == "decided"
    party.world.ledger.heal()
    with pytest.raises(asyncpg.PostgresError, match=why):
        await TX.query(sql)
    party.world.later(seconds=11)
    await party.world.services.redpackets.sweep()
    assert (await party.open(packet, cleo)).status == "posted"
