"""Shares of packets: never more than was promised, one per person, the same answer again."""

from tests.risk.people import World
from tests.risk.pots import judged, sent, shares


async def test_a_packet_is_opened_by_three(world: World) -> None:
    sender, ann, ben, cleo = [await world.person() for _ in range(4)]
    funding = await sent(world, sender)
    assert await judged(world, funding, ann, ben) == ["", ""]
    asked = shares(funding, (ann, 10_00), (ben, 5_00))
    signed = await world.risk.authorize_shares(asked)
    assert signed.verdict.level == "S"
    assert await world.risk.authorize_shares(asked) == signed
    await world.risk.authorize_shares(shares(funding, (cleo, 15_00)))
