"""What may be put into red packets: by new accounts, and on one machine by all who use it."""

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from backend.db import SEC
from backend.intent import Intent
from backend.risk import LimitExceeded, Prepare, reservations
from backend.risk.demo import RiskWithDemo
from backend.risk.rules import PACKET_MACHINE_DAY_FEN, PACKET_NEW_ACCOUNT_DAY_FEN
from backend.risk.service import build
from backend.settings import Settings
from backend.verdict import SignedVerdict
from tests.risk.people import Outbox, Person, World
from tests.risk.pots import DAY, beside, delayed, fill, grown, packet, terms


def large(world: World, sender: Person, amount_fen: int) -> Intent:
    return packet(world, sender, amount_fen, terms(world, shares=100))


async def used_on(machine: Person, fen: int) -> None:
    """As if that much had been sent on it today."""
    await SEC.query(
        "update risk.device set packet_day = '2026-11-23', packet_fen = $2 where device_id = $1",
        machine.device_id,
        fen,
    )


async def shared(world: World) -> tuple[Person, Person]:
    """Two grown accounts, and what is left of their machine's limit is ¥500."""
    ann, ben = await world.person(), await world.person()
    on_anns = await beside(world, ben, ann)
    await grown(world, ann, ben)
    await used_on(ann, PACKET_MACHINE_DAY_FEN - 500_00)
    return ann, on_anns


async def test_a_new_account_sends_less(world: World) -> None:
    sender, payee = await world.person(), await world.demo_person()
    await fill(world, sender, large(world, sender, PACKET_NEW_ACCOUNT_DAY_FEN - 100_00))
    over = large(world, sender, 100_01)
    with pytest.raises(LimitExceeded) as refused:
        await world.risk.prepare(Prepare(over, sender.secret))
    assert refused.value.params == {"limit": "packet_new", "left_fen": 100_00}
    await fill(world, sender, delayed(world, sender, payee, 600_00))  # no red packet
    used = await world.used(sender)
    assert (used["packet_new"], used["packet_day"]) == (900_00, 900_00)
    await grown(world, sender)
    await fill(world, sender, over)
    used = await world.used(sender)
    assert "packet_new" not in used
    assert used["packet_day"] == 1_000_01


async def test_a_new_account_at_once(world: World) -> None:
    sender = await world.person()
    signed = [await world.sign(sender, large(world, sender, 600_00)) for _ in range(3)]
    answers = await asyncio.gather(*map(world.risk.authorize, signed), return_exceptions=True)
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    refused = [answer for answer in answers if isinstance(answer, LimitExceeded)]
    assert [r.params["limit"] for r in refused] == ["packet_new"] * 2


async def test_people_on_one_machine_send_within_its_limit(world: World) -> None:
    ann, ben = await shared(world)
    await fill(world, ben, large(world, ben, 400_00))
    for person in (ann, ben):
        with pytest.raises(LimitExceeded) as refused:
            await world.risk.prepare(Prepare(large(world, person, 100_01), person.secret))
        assert refused.value.params == {"limit": "packet_machine", "left_fen": 100_00}
        used = await world.used(person)
        assert used["packet_machine"] == PACKET_MACHINE_DAY_FEN - 100_00
    await world.free(ann, world.intent(ann, 200_00))  # a payment is no red packet
    await fill(world, ann, large(world, ann, 100_00))
    assert (await world.used(ben))["packet_machine"] == PACKET_MACHINE_DAY_FEN
    world.clock.move(DAY)
    await fill(world, ann, large(world, ann, 200_00))
    assert (await world.used(ben))["packet_machine"] == 200_00


async def test_two_people_on_one_machine_at_once(
    world: World, sec: Settings, outbox: Outbox
) -> None:
    """Each in a batch of their own: two services have nothing in common but the database."""
    ann, ben = await shared(world)
    other = World(cast(RiskWithDemo, build(sec, world.clock, outbox)), world.clock, outbox)
    wanted = [(w, p, large(w, p, 300_00)) for w, p in ((world, ann), (other, ben))]
    answers = await asyncio.gather(
        *(fill(w, p, funding) for w, p, funding in wanted), return_exceptions=True
    )
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    [refused] = [answer for answer in answers if isinstance(answer, LimitExceeded)]
    assert refused.params == {"limit": "packet_machine", "left_fen": 200_00}
    assert (await world.used(ann))["packet_machine"] == PACKET_MACHINE_DAY_FEN - 200_00


async def test_two_people_on_one_machine_in_one_batch(world: World) -> None:
    ann, ben = await shared(world)
    signed = [await world.sign(p, large(world, p, 501_00)) for p in await roomier(ann, ben)]
    answers = await asyncio.gather(*map(world.risk.authorize, signed), return_exceptions=True)
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    assert sum(isinstance(answer, LimitExceeded) for answer in answers) == 1


async def roomier(ann: Person, ben: Person) -> tuple[Person, Person]:
    """¥900 are left: each of two large packets fits, both do not."""
    await used_on(ann, PACKET_MACHINE_DAY_FEN - 900_00)
    return ann, ben


async def test_what_was_not_posted_is_given_back_to_the_machine(world: World) -> None:
    ann, ben = await shared(world)
    funding = large(world, ben, 400_00)
    await fill(world, ben, funding)
    for _ in range(2):  # once
        await world.risk.release(funding.intent_id)
    assert (await world.used(ann))["packet_machine"] == PACKET_MACHINE_DAY_FEN - 500_00
    await fill(world, ann, large(world, ann, 500_00))


async def test_a_later_day_is_left_alone(world: World) -> None:
    ann, ben = await shared(world)
    funding = large(world, ben, 400_00)
    await fill(world, ben, funding)
    world.clock.move(DAY + timedelta(hours=1))
    await fill(world, ann, large(world, ann, 300_00))
    await world.risk.release(funding.intent_id)
    assert (await world.used(ann))["packet_machine"] == 300_00


async def test_what_was_posted_after_its_release_counts_again(world: World) -> None:
    ann, ben = await shared(world)
    funding = large(world, ben, 400_00)
    await fill(world, ben, funding)
    await world.risk.release(funding.intent_id)
    async with SEC.transaction():
        await reservations.take_again(funding.intent_id)
    assert (await world.used(ann))["packet_machine"] == PACKET_MACHINE_DAY_FEN - 100_00
