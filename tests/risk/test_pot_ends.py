"""The one end of a pot: returns, recalls, arrivals."""

import asyncio
from datetime import timedelta

import pytest

from backend.errors import IdReused
from backend.posting import Posting, Transfer
from backend.risk import (
    DeviceUnknown,
    EndPot,
    IntentInvalid,
    IntentUsed,
    PayeeFrozen,
    PayerFrozen,
    PotEnded,
    PotRunning,
    PotUnknown,
    Prepare,
)
from backend.verdict import SignedVerdict
from tests.risk.people import World, alarm, altered
from tests.risk.pots import DAY, HOURS_2, delayed, ended, fill, judged, packet, sent, shares, terms


async def test_the_rest_of_a_packet_returns_after_its_time(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    await world.risk.authorize_shares(shares(funding, (ann, 10_00)))
    back = ended(funding, 20_00)
    with pytest.raises(PotRunning):
        await world.risk.authorize_pot_end(back)
    world.clock.move(DAY + timedelta(days=3))  # nobody was there for days
    for wrong in (20_01, 19_99, 30_00):
        with pytest.raises(IntentInvalid):
            await world.risk.authorize_pot_end(ended(funding, wrong))
    signed = await world.risk.authorize_pot_end(back)
    assert await world.risk.authorize_pot_end(back) == signed
    with pytest.raises(PotEnded):
        await world.risk.authorize_pot_end(ended(funding, 20_00))
    world.clock.move(timedelta(minutes=1))
    anew = await world.risk.authorize_pot_end(back)
    assert anew.verdict.verdict_id != signed.verdict.verdict_id
    with pytest.raises(IdReused):
        await world.risk.authorize_pot_end(EndPot(altered(back.intent, nonce=bytes(32))))


async def test_an_emptied_packet_has_nothing_to_return(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender, 10_00, terms(world, shares=2))
    await world.risk.authorize_shares(shares(funding, (ann, 4_00), (ben, 6_00)))
    world.clock.move(DAY)
    for amount_fen in (1, 10_00):
        with pytest.raises(IntentInvalid):
            await world.risk.authorize_pot_end(ended(funding, amount_fen))


async def test_what_no_share_took_returns_at_once(world: World) -> None:
    """Equal shares leave a fen."""
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender, 10_01, terms(world, shares=2))
    await world.risk.authorize_shares(shares(funding, (ann, 5_00), (ben, 5_00)))
    await world.risk.authorize_pot_end(ended(funding, 1))


async def test_nobody_opens_a_returned_packet(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    await judged(world, funding, ann)
    world.clock.move(DAY)
    await world.risk.authorize_pot_end(ended(funding, 30_00))
    with pytest.raises(PotEnded):
        await world.risk.authorize_shares(shares(funding, (ann, 1_00), no_device=True))


async def test_an_end_goes_where_the_terms_say(world: World) -> None:
    sender, payee, thief = [await world.demo_person() for _ in range(3)]
    red, trf = await sent(world, sender), delayed(world, sender, payee)
    await fill(world, sender, trf)
    world.clock.move(DAY)
    for good in (ended(red, 30_00), ended(trf, 30_00, arrival=True)):
        source, intent_id = good.intent.source, good.intent.intent_id
        astray = (Transfer(source, f"person:{thief.person_id}", 30_00),)
        stolen = altered(
            good.intent,
            payee_id=thief.person_id,
            posting=Posting(intent_id, good.intent.kind, astray),
        )
        posting = Posting(intent_id, good.intent.kind, astray)
        for wrong in (
            stolen,
            altered(good.intent, posting=posting),
            altered(good.intent, fee_fen=1),
            altered(good.intent, kind="share"),
            altered(good.intent, source=f"person:{sender.person_id}"),
        ):
            with pytest.raises(IntentInvalid):
                await world.risk.authorize_pot_end(EndPot(wrong))
        await world.risk.authorize_pot_end(good)
    with pytest.raises(IntentInvalid):  # packets don't arrive
        await world.risk.authorize_pot_end(
            EndPot(altered(ended(red, 30_00).intent, kind="pot_arrival"))
        )
    with pytest.raises(PotUnknown):
        await world.risk.authorize_pot_end(ended(packet(world, sender), 30_00))


async def test_a_delayed_transfer_arrives_at_its_time(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee)
    await fill(world, sender, funding)
    arrival = ended(funding, 30_00, arrival=True)
    world.clock.move(HOURS_2 - timedelta(milliseconds=1))
    with pytest.raises(PotRunning):
        await world.risk.authorize_pot_end(arrival)
    world.clock.move(timedelta(milliseconds=1))
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_pot_end(ended(funding, 29_99, arrival=True))
    later = world.intent(sender, 1_00, payee.person_id)
    assert (await world.risk.prepare(Prepare(later, sender.secret))).first_payment
    await world.risk.authorize_pot_end(arrival)
    assert not (await world.risk.prepare(Prepare(later, sender.secret))).first_payment
    with pytest.raises(PotEnded):
        await world.risk.authorize_pot_end(ended(funding, 30_00, device=sender))


async def test_a_delayed_transfer_is_recalled_by_its_owner(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee)
    await fill(world, sender, funding)
    for device in (None, payee):
        with pytest.raises(DeviceUnknown):
            await world.risk.authorize_pot_end(ended(funding, 30_00, device=device))
    recall = ended(funding, 30_00, device=sender)
    await world.risk.authorize_pot_end(recall)
    world.clock.move(HOURS_2)
    with pytest.raises(PotEnded):
        await world.risk.authorize_pot_end(ended(funding, 30_00, arrival=True))
    later = world.intent(sender, 1_00, payee.person_id)
    assert (await world.risk.prepare(Prepare(later, sender.secret))).first_payment


async def test_after_its_time_nothing_is_recalled(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee)
    await fill(world, sender, funding)
    world.clock.move(HOURS_2)
    with pytest.raises(PotEnded):
        await world.risk.authorize_pot_end(ended(funding, 30_00, device=sender))
    await world.risk.authorize_pot_end(ended(funding, 30_00, arrival=True))


async def test_what_cannot_arrive_goes_home(world: World) -> None:
    sender, payee, other = [await world.demo_person() for _ in range(3)]
    to_frozen, from_frozen = delayed(world, sender, payee), delayed(world, other, sender)
    await fill(world, sender, to_frozen)
    await fill(world, other, from_frozen)
    await alarm(world, f"person:{payee.person_id}")
    await world.risk.freeze(other.person_id, other.secret)
    with pytest.raises(DeviceUnknown):  # before its time only the payee's freeze counts
        await world.risk.authorize_pot_end(ended(from_frozen, 30_00))
    world.clock.move(HOURS_2)
    with pytest.raises(PayeeFrozen):
        await world.risk.authorize_pot_end(ended(to_frozen, 30_00, arrival=True))
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_pot_end(ended(from_frozen, 30_00, arrival=True))
    for funding in (to_frozen, from_frozen):
        await world.risk.authorize_pot_end(ended(funding, 30_00))


async def test_recall_against_arrival(world: World) -> None:
    """All at once before the time, then all arrivals at it: one end, whoever comes first."""
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee)
    await fill(world, sender, funding)
    arrivals = [ended(funding, 30_00, arrival=True) for _ in range(4)]
    recalls = [ended(funding, 30_00, device=sender) for _ in range(4)]
    early = await asyncio.gather(
        *map(world.risk.authorize_pot_end, arrivals + recalls), return_exceptions=True
    )
    assert all(isinstance(answer, PotRunning | PotEnded) for answer in early[:4])
    assert sum(isinstance(answer, SignedVerdict) for answer in early) == 1
    world.clock.move(HOURS_2)
    late = await asyncio.gather(
        *map(world.risk.authorize_pot_end, arrivals), return_exceptions=True
    )
    assert all(isinstance(answer, PotEnded) for answer in late)


async def test_a_released_end_may_be_another(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee)
    await fill(world, sender, funding)
    recall = ended(funding, 30_00, device=sender)
    await world.risk.authorize_pot_end(recall)
    await world.risk.release(recall.intent.intent_id)
    with pytest.raises(IntentUsed):
        await world.risk.authorize_pot_end(recall)
    world.clock.move(HOURS_2)
    await world.risk.authorize_pot_end(ended(funding, 30_00, arrival=True))
