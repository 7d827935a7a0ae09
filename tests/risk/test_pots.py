"""Filling pots: packets and delayed transfers, with terms that the consent binds."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend import ids
from backend.clock import to_ms
from backend.errors import IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    Assess,
    Authorize,
    IntentExpired,
    IntentInvalid,
    KnownPayeesOnly,
    LimitExceeded,
    PayeeFrozen,
    PayerFrozen,
    Prepare,
)
from backend.risk.pot_forms import MAX_SHARE_FEN
from backend.risk.rules import PACKET_DAY_FEN
from backend.verdict import SignedVerdict
from tests.risk.people import Person, World, alarm, altered
from tests.risk.pots import DAY, delayed, fill, grown, packet, sent, terms


def with_terms(intent: Intent, **changes: Any) -> Intent:
    assert intent.terms is not None
    return altered(intent, terms=msgspec.structs.replace(intent.terms, **changes))


async def refused(world: World, sender: Person, wrong: Intent) -> bool:
    try:
        await world.risk.prepare(Prepare(wrong, sender.secret))
    except IntentInvalid:
        return True
    return False


async def test_a_packet_and_a_delayed_transfer_are_payments(world: World) -> None:
    sender, payee = await world.person(), await world.demo_person()
    for funding in (packet(world, sender), delayed(world, sender, payee)):
        signed = await fill(world, sender, funding)
        assert (signed.verdict.level, signed.verdict.intent_hash) == ("C", intent_hash(funding))
        assert await world.risk.authorize(Authorize(funding.intent_id, sender.secret)) == signed
    large = packet(world, sender, 501_00)
    assert (await world.pay(sender, large)).verdict.level == "A"
    used = await world.used(sender)
    assert (used["free_day"], used["packet_day"], used["tier_year"]) == (60_00, 531_00, 561_00)


async def test_the_terms_of_a_packet(world: World) -> None:
    sender = await world.demo_person()
    good = packet(world, sender)
    now_ms = to_ms(world.clock.now())
    late = to_ms(world.clock.now() + DAY + timedelta(minutes=5))
    for changes in (
        {"shares": 0},
        {"shares": 101},
        {"shares": 3001},
        {"seed_hash": b""},
        {"seed_hash": b"x" * 31},
        {"until_ms": now_ms},
        {"until_ms": late + 1},
        {"to": sender.person_id},
        {"to": "everybody"},
        {"to": ids.new("mch")},
    ):
        assert await refused(world, sender, with_terms(good, **changes)), changes
    assert await refused(world, sender, altered(good, terms=None))
    assert await refused(world, sender, packet(world, sender, 2, terms(world, shares=3)))
    over = packet(world, sender, MAX_SHARE_FEN + 1, terms(world, shares=1))
    assert await refused(world, sender, over)
    for code in ("dynamic", "static", "shown"):
        assert await refused(world, sender, altered(good, code=code))
    for changes in ({"until_ms": late}, {"to": ids.new("grp")}, {"shares": 100}):
        sound = with_terms(packet(world, sender), **changes)
        assert (await world.risk.prepare(Prepare(sound, sender.secret))).takes == "none"


async def test_the_terms_of_a_delayed_transfer(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    good = delayed(world, sender, payee, life=DAY)
    for changes in (
        {"shares": 2},
        {"seed_hash": b"x" * 32},
        {"until_ms": to_ms(world.clock.now() + DAY) + 1},
        {"until_ms": to_ms(world.clock.now())},
        {"to": sender.person_id},
        {"to": ""},
        {"to": ids.new("grp")},
    ):
        assert await refused(world, sender, with_terms(good, **changes)), changes
    assert await refused(world, sender, altered(good, kind="packet"))
    await fill(world, sender, good)


async def test_terms_are_of_pots_alone(world: World) -> None:
    sender = await world.demo_person()
    paid = altered(world.intent(sender), terms=terms(world))
    assert await refused(world, sender, paid)


async def test_a_pot_is_filled_once(world: World) -> None:
    sender = await world.demo_person()
    first = await sent(world, sender)
    second = packet(world, sender)
    posting = second.posting
    to_first = msgspec.structs.replace(posting.transfers[0], credit=f"packet:{first.payee_id}")
    again = altered(
        second,
        payee_id=first.payee_id,
        posting=msgspec.structs.replace(posting, transfers=(to_first,)),
    )
    await world.risk.prepare(Prepare(again, sender.secret))
    with pytest.raises(IdReused):
        await world.risk.authorize(Authorize(again.intent_id, sender.secret))
    await world.risk.release(first.intent_id)
    assert (await world.used(sender))["packet_day"] == 0
    await world.risk.authorize(Authorize(again.intent_id, sender.secret))
    assert (await world.used(sender))["packet_day"] == 30_00


async def test_two_fundings_of_one_pot_at_once(world: World) -> None:
    sender = await world.demo_person()
    first = packet(world, sender)
    second = altered(first, intent_id=ids.new("pay"))
    second = altered(
        second, posting=msgspec.structs.replace(first.posting, posting_id=second.intent_id)
    )
    for each in (first, second):
        await world.risk.prepare(Prepare(each, sender.secret))
    calls = (
        world.risk.authorize(Authorize(each.intent_id, sender.secret)) for each in (first, second)
    )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    assert sum(isinstance(answer, IdReused) for answer in answers) == 1


async def test_packets_have_a_limit_of_the_day(world: World) -> None:
    sender = await world.person()
    await grown(world, sender)
    for amount_fen in (4_000_00, 999_00):
        await world.pay(sender, packet(world, sender, amount_fen, terms(world, shares=100)))
    with pytest.raises(LimitExceeded) as over:
        await world.risk.prepare(Prepare(packet(world, sender, 1_01), sender.secret))
    assert over.value.params == {"limit": "packet_day", "left_fen": 1_00}
    assert (await world.used(sender))["packet_day"] == PACKET_DAY_FEN - 1_00
    payee = await world.demo_person()
    await world.pay(sender, delayed(world, sender, payee, 600_00))
    world.clock.move(DAY)
    await world.risk.prepare(Prepare(packet(world, sender, 1_01), sender.secret))


async def test_a_frozen_person_sends_nothing(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    await alarm(world, f"person:{payee.person_id}")
    to_frozen = packet(world, sender, 10_00, terms(world, to=payee.person_id, shares=1))
    for funding in (delayed(world, sender, payee), to_frozen):
        with pytest.raises(PayeeFrozen):
            await world.risk.prepare(Prepare(funding, sender.secret))
    await world.risk.freeze(sender.person_id, sender.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare(Prepare(packet(world, sender), sender.secret))


async def test_a_new_device_puts_nothing_aside_for_whoever_comes(world: World) -> None:
    """Who has the link gets the money: that is a way out for a thief."""
    sender, payee = await world.person(), await world.demo_person()
    second = await world.second_device(sender)
    open_to_all = packet(world, sender)
    waiting = await world.risk.prepare(Prepare(open_to_all, second.secret))
    assert (waiting.takes, waiting.reasons) == ("wait", ("known_payees_only",))
    with pytest.raises(KnownPayeesOnly):
        await world.risk.authorize(Authorize(open_to_all.intent_id, second.secret))
    await world.free(sender, world.intent(sender, 1_00, payee.person_id))
    for funding in (
        delayed(world, sender, payee),
        packet(world, sender, 10_00, terms(world, to=payee.person_id, shares=1)),
    ):
        requirement = await world.risk.prepare(Prepare(funding, second.secret))
        assert (requirement.takes, requirement.reasons) == ("passkey", ("new_device",))


async def test_first_payments(world: World) -> None:
    """Of a delayed transfer it is the person's; an open packet is to nobody in particular."""
    sender, payee = await world.demo_person(), await world.demo_person()

    async def first(kind: str, to: str) -> bool:
        asked = Assess(sender.person_id, ids.new("trf"), 1_00, "none", sender.secret, kind, to)
        return (await world.risk.assess(asked)).first_payment

    assert [await first("packet", ""), await first("packet", ids.new("grp"))] == [False, False]
    assert [await first("delayed", payee.person_id), await first("packet", payee.person_id)] == [
        True,
        True,
    ]
    await world.free(sender, world.intent(sender, 1_00, payee.person_id))
    assert not await first("delayed", payee.person_id)
    open_ = await world.risk.prepare(Prepare(packet(world, sender), sender.secret))
    assert not open_.first_payment


async def test_consent_comes_before_the_end(world: World) -> None:
    sender, payee = await world.demo_person(), await world.demo_person()
    funding = delayed(world, sender, payee, life=timedelta(minutes=5))
    await world.risk.prepare(Prepare(funding, sender.secret))
    world.clock.move(timedelta(minutes=5))
    with pytest.raises(IntentExpired):
        await world.risk.authorize(Authorize(funding.intent_id, sender.secret))
