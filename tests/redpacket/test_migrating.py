"""Packets, shares and batches in every state, from before shares were posted by their batch."""

from datetime import timedelta
from typing import Any

from backend.db import TX
from backend.redpacket import Packet
from tests.earlier import back, forwards
from tests.redpacket.conftest import Party
from tests.world import Wallet

BY_BATCH = "2026-11-23T06:00:00:000020"
SHARES = (
    "select packet_id, position, person_id, name, amount_fen, posting_id, opened_at, luckiest,"
    " thanks, status from {} order by packet_id, position"
)
NOW, THEN = SHARES.format("redpacket.share_now"), SHARES.format("redpacket.share")
SUMS = (
    "select packet_id, status, opened, opened_fen, posted_fen, returned_fen from redpacket.packet"
    " order by packet_id"
)


async def with_a_void_share(party: Party, opener: Wallet) -> Packet:
    """The sender was frozen between deciding and posting."""
    world, packets = party.world, party.world.services.redpackets
    sender = await world.person(100_00)
    packet = await party.send(sender)
    world.risk.crash_before = {"authorize_shares"}
    await party.open(packet, opener)
    world.risk.heal()
    await world.services.payments.freeze(sender.person_id, sender.device_secret)
    world.clock.at = packet.expires_at
    for _ in range(4):
        await packets.sweep()
        world.later(minutes=10)
    assert (await party.open(packet, opener)).status == "void"
    return packet


async def with_a_dropped_batch(party: Party, sender: Wallet, opener: Wallet) -> Packet:
    """The verdict ended on its way: the share waits for another batch."""
    packet, real = await party.send(sender), party.world.ledger.__getattr__("post")

    async def slow(*args: object) -> object:
        party.world.later(seconds=61)
        return await real(*args)

    party.world.ledger.post = slow  # type: ignore[attr-defined]
    await party.open(packet, opener)
    del party.world.ledger.post
    return packet


async def rows(query: str) -> list[Any]:
    return [dict(row) for row in await TX.query(query)]


async def test_over_packets_that_are_under_way(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    ben, cleo, dan, eve, fay = await party.people(5)
    over = await with_a_void_share(party, ben)
    anna = await world.person(100_00)
    group = await party.group(anna, ben, cleo, dan, eve, fay)
    dropped = await with_a_dropped_batch(party, anna, ben)
    packet = await party.send(anna, count=5, to_group=group)
    told = [await party.open(packet, ben)]
    world.ledger.crash_before = {"post"}
    told.append(await party.open(packet, cleo))
    shares, sums = await rows(NOW), await rows(SUMS)
    states = await rows("select distinct status from redpacket.batch order by status")
    assert [row["status"] for row in states] == ["decided", "dropped", "posted"]

    await back(world.settings, "redpacket", BY_BATCH, {"share": "table redpacket.share_now"})
    assert await rows(THEN) == shares
    assert "void" not in await columns()
    await forwards(world.settings)
    assert "void" in await columns()
    assert await rows(NOW) == shares
    assert await rows(SUMS) == sums

    told.append(await party.open(packet, dan))  # the ledger is still away
    assert [share.status for share in told] == ["posted", "decided", "decided"]
    world.ledger.heal()
    told.append(await party.open(packet, eve))
    assert told[-1].status == "posted"
    world.later(minutes=11)
    await packets.sweep()
    for share, one in zip(told, (ben, cleo, dan, eve), strict=True):
        again = await party.open(packet, one)
        assert (again.amount_fen, again.status) == (share.amount_fen, "posted")
    assert (await party.open(dropped, ben)).status == "posted"
    assert (await party.open(over, ben)).status == "void"
    world.clock.at = packet.expires_at + timedelta(minutes=1)
    await packets.sweep()
    ended = await party.now(packet)
    assert ended.returned_fen == ended.total_fen - sum(share.amount_fen for share in told)
    for each in (packet, dropped, over):
        assert (await party.now(each)).status == "returned"
        assert (await packets.verify(each.packet_id)).fair


async def columns() -> set[str]:
    found = await TX.query(
        "select attname from pg_attribute where attrelid = 'redpacket.share'::regclass"
    )
    return {row["attname"] for row in found}
