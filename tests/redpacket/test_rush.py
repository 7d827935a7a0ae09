"""A thousand people at a packet of a hundred shares, on the real systems."""

import asyncio

import pytest

from backend.db import TX
from backend.redpacket import PacketEmpty, Share
from tests.redpacket.conftest import Party
from tests.redpacket.crowd import crowd

PEOPLE, SHARES = 1000, 100


@pytest.mark.timeout(240)
async def test_a_thousand_people_grab_a_hundred_shares(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(100_00)
    people = await crowd(PEOPLE, world.books, world.clock.now())
    packet = await party.send(anna, total_fen=88_88, count=SHARES)
    calls = len(world.ledger.calls)
    answers = await asyncio.gather(
        *(party.open(packet, one) for one in people), return_exceptions=True
    )
    shares = [answer for answer in answers if isinstance(answer, Share)]
    late = [answer for answer in answers if isinstance(answer, PacketEmpty)]
    assert (len(shares), len(late)) == (SHARES, PEOPLE - SHARES)
    assert sum(share.amount_fen for share in shares) == 88_88
    assert sorted(share.position for share in shares) == list(range(SHARES))
    assert {share.status for share in shares} == {"posted"}
    assert await party.pot(packet) == 0
    balances = [(await world.books.balances((one.account_id,)))[0].posted_fen for one in people]
    told = [answer.amount_fen if isinstance(answer, Share) else 0 for answer in answers]
    assert balances == told
    posts = world.ledger.calls[calls:].count("post")
    assert posts <= 5, "openings that arrive together are posted together"
    assert (await packets.verify(packet.packet_id)).fair
    again = await asyncio.gather(
        *(party.open(packet, one) for one in people), return_exceptions=True
    )
    assert [type(a) for a in again] == [type(a) for a in answers]
    for before, after in zip(answers, again, strict=True):
        if isinstance(before, Share):
            assert isinstance(after, Share)
            assert (after.amount_fen, after.position) == (before.amount_fen, before.position)
    [bills] = await TX.query("select count(*) as n from bills.bill where kind = 'packet_in'")
    assert bills["n"] == SHARES
