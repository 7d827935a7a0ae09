"""Shares of packets: never more than was promised, one per person, the same answer again."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.posting import Posting, Transfer
from backend.risk import (
    AuthorizeShares,
    IntentInvalid,
    IntentUsed,
    NotForOpener,
    OpenerRefused,
    PayerFrozen,
    PotEnded,
    PotExceeded,
    PotUnknown,
    ShareTaken,
)
from backend.verdict import SignedVerdict
from tests.risk.people import World, alarm, altered
from tests.risk.pots import DAY, judged, packet, sent, shares, terms


async def test_a_packet_is_opened_by_three(world: World) -> None:
    sender, ann, ben, cleo = [await world.demo_person() for _ in range(4)]
    funding = await sent(world, sender)
    assert await judged(world, funding, ann, ben) == ["", ""]
    asked = shares(funding, (ann, 10_00), (ben, 5_00))
    signed = await world.risk.authorize_shares(asked)
    assert signed.verdict.level == "S"
    assert await world.risk.authorize_shares(asked) == signed
    await world.risk.authorize_shares(shares(funding, (cleo, 15_00)))
    rows = await SEC.query("select stage, decision from risk.decision where stage = 'share'")
    assert [tuple(row) for row in rows] == [("share", "allow"), ("share", "allow")]


async def test_never_more_than_was_promised(world: World) -> None:
    sender, ann, ben, cleo = [await world.demo_person() for _ in range(4)]
    funding = await sent(world, sender, 30_00, terms(world, shares=2))
    with pytest.raises(PotExceeded) as refused:
        await world.risk.authorize_shares(shares(funding, (ann, 30_01)))
    assert refused.value.params == {"left_fen": 30_00, "left": 2}
    with pytest.raises(PotExceeded):
        await world.risk.authorize_shares(shares(funding, (ann, 1), (ben, 1), (cleo, 1)))
    await world.risk.authorize_shares(shares(funding, (ann, 10_00)))
    with pytest.raises(PotExceeded) as refused:
        await world.risk.authorize_shares(shares(funding, (ben, 20_01)))
    assert refused.value.params == {"left_fen": 20_00, "left": 1}
    await world.risk.authorize_shares(shares(funding, (ben, 20_00)))
    with pytest.raises(PotExceeded):
        await world.risk.authorize_shares(shares(funding, (cleo, 1)))


async def test_one_share_per_person(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender)
    with pytest.raises(ShareTaken):
        await world.risk.authorize_shares(shares(funding, (ann, 1_00), (ann, 1_00)))
    await world.risk.authorize_shares(shares(funding, (ann, 1_00)))
    with pytest.raises(ShareTaken) as refused:
        await world.risk.authorize_shares(shares(funding, (ben, 1_00), (ann, 1_00)))
    assert refused.value.params == {"person_id": ann.person_id}
    assert await judged(world, funding, ann, ben) == ["share_taken", ""]
    await world.risk.authorize_shares(shares(funding, (ben, 1_00)))


async def test_a_share_is_what_it_says(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender, 300_00)
    good = shares(funding, (ann, 10_00), (ben, 5_00))
    to_sender = Transfer(good.intent.source, f"person:{sender.person_id}", 5_00)
    other = msgspec.structs.replace(
        good.intent.posting, transfers=(good.intent.posting.transfers[0], to_sender)
    )
    for wrong in (
        msgspec.structs.replace(good, openers=good.openers[::-1]),
        msgspec.structs.replace(good, openers=good.openers[:1]),
        AuthorizeShares(altered(good.intent, posting=other), good.openers),
        AuthorizeShares(altered(good.intent, amount_fen=15_01), good.openers),
        AuthorizeShares(altered(good.intent, kind="pot_return"), good.openers),
        AuthorizeShares(altered(good.intent, payee_id=ann.person_id), good.openers),
        AuthorizeShares(altered(good.intent, source=f"person:{sender.person_id}"), good.openers),
        AuthorizeShares(altered(good.intent, fee_fen=1), good.openers),
        AuthorizeShares(altered(good.intent, terms=funding.terms), good.openers),
        shares(funding, (ann, 200_01)),
        shares(funding, (ann, 1_00), payer_id=ids.new("trf")),
    ):
        with pytest.raises(IntentInvalid):
            await world.risk.authorize_shares(wrong)


async def test_only_a_packet_that_was_filled(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    unknown = packet(world, sender)
    with pytest.raises(PotUnknown):
        await judged(world, unknown, ann)
    with pytest.raises(PotUnknown):
        await world.risk.authorize_shares(shares(unknown, (ann, 1_00)))
    funding = await sent(world, sender)
    await world.risk.release(funding.intent_id)
    with pytest.raises(PotUnknown):
        await judged(world, funding, ann)
    with pytest.raises(PotUnknown):
        await world.risk.authorize_shares(shares(funding, (ann, 1_00)))


async def test_an_exclusive_packet_is_for_one(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender, 10_00, terms(world, to=ann.person_id, shares=1))
    assert await judged(world, funding, ben, ann) == ["not_for_opener", ""]
    with pytest.raises(NotForOpener):
        await world.risk.authorize_shares(shares(funding, (ben, 10_00)))
    await world.risk.authorize_shares(shares(funding, (ann, 10_00), payee_id=ann.person_id))


async def test_nobody_opens_after_the_end(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender)
    world.clock.move(DAY - timedelta(milliseconds=1))
    assert await judged(world, funding, ann) == [""]
    world.clock.move(timedelta(milliseconds=1))
    assert await judged(world, funding, ben) == ["pot_ended"]
    with pytest.raises(PotEnded):
        await world.risk.authorize_shares(shares(funding, (ben, 1_00)))
    with pytest.raises(PotEnded):
        await world.risk.authorize_shares(shares(funding, (ann, 1_00), (ben, 1_00)))


async def test_what_was_decided_in_time_is_posted_after_a_long_outage(world: World) -> None:
    """Judged in time, authorised late and without devices; and authorised in time, posted late."""
    sender, ann, ben, cleo = [await world.demo_person() for _ in range(4)]
    funding = await sent(world, sender)
    assert await judged(world, funding, ann) == [""]
    early = shares(funding, (ben, 2_00))
    first = await world.risk.authorize_shares(early)
    world.clock.move(DAY + timedelta(days=2))
    await world.risk.authorize_shares(shares(funding, (ann, 1_00), no_device=True))
    again = await world.risk.authorize_shares(early)
    assert again.verdict.verdict_id != first.verdict.verdict_id
    assert again.verdict.posting_hash == first.verdict.posting_hash
    with pytest.raises(PotEnded):
        await world.risk.authorize_shares(shares(funding, (cleo, 1_00), no_device=True))


async def test_without_a_device_only_who_was_let_pass(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding, other = await sent(world, sender), await sent(world, sender)
    await judged(world, other, ann)
    with pytest.raises(OpenerRefused) as refused:
        await world.risk.authorize_shares(shares(funding, (ann, 1_00), no_device=True))
    assert refused.value.params == {"person_id": ann.person_id, "why": "device_unknown"}
    await judged(world, funding, ann)
    await world.risk.authorize_shares(shares(funding, (ann, 1_00), no_device=True))


async def test_a_frozen_senders_packet_is_not_opened(world: World) -> None:
    (sender, other, ann), funded = [await world.demo_person() for _ in range(3)], []
    for who in (sender, other):
        funded.append(await sent(world, who))
    allowed = shares(funded[0], (ann, 1_00))
    await world.risk.authorize_shares(allowed)
    await world.risk.freeze(sender.person_id, sender.secret)
    await alarm(world, f"packet:{funded[1].payee_id}")
    stranger = await world.demo_person()
    for funding in funded:
        assert await judged(world, funding, stranger) == ["payer_frozen"]
        with pytest.raises(PayerFrozen):
            await world.risk.authorize_shares(shares(funding, (stranger, 1_00)))
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_shares(allowed)


async def test_an_id_is_for_one_content(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    asked = shares(funding, (ann, 1_00))
    await world.risk.authorize_shares(asked)
    with pytest.raises(IdReused):
        await world.risk.authorize_shares(
            AuthorizeShares(altered(asked.intent, nonce=bytes(32)), asked.openers)
        )
    taken = altered(
        asked.intent,
        intent_id=funding.intent_id,
        posting=Posting(funding.intent_id, "share", asked.intent.posting.transfers),
    )
    with pytest.raises(IdReused):
        await world.risk.authorize_shares(AuthorizeShares(taken, asked.openers))


async def test_no_new_verdict_for_what_is_in_the_books(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender)
    posted, refused = shares(funding, (ann, 1_00)), shares(funding, (ben, 1_00))
    for asked, seq in ((posted, 7), (refused, 0)):
        signed = await world.risk.authorize_shares(asked)
        await SEC.query(
            "insert into risk.audit_posting values ($1, $2, $3)",
            asked.intent.intent_id,
            seq,
            signed.verdict.verdict_id,
        )
        assert await world.risk.authorize_shares(asked) == signed
    world.clock.move(timedelta(minutes=1))
    for asked in (posted, refused):
        with pytest.raises(IntentUsed):
            await world.risk.authorize_shares(asked)


async def test_a_released_batch_gives_its_shares_back(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender, 30_00, terms(world, shares=2))
    asked = shares(funding, (ann, 10_00), (ben, 20_00))
    await world.risk.authorize_shares(asked)
    assert (await world.used(ann))["opened_day"] == 10_00
    await asyncio.gather(*(world.risk.release(asked.intent.intent_id) for _ in range(3)))
    used = await world.used(ann)
    assert (used["opened_count"], used["opened_day"], used["opened_year"]) == (0, 0, 0)
    with pytest.raises(IntentUsed):
        await world.risk.authorize_shares(asked)
    await world.risk.authorize_shares(shares(funding, (ben, 29_99), (ann, 1), no_device=True))


async def test_two_batches_race_for_the_last_share(world: World) -> None:
    sender, *people = [await world.demo_person() for _ in range(7)]
    funding = await sent(world, sender, 10_00, terms(world, shares=1))
    calls = (world.risk.authorize_shares(shares(funding, (p, 10_00))) for p in people)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    assert sum(isinstance(answer, PotExceeded) for answer in answers) == 5
    [row] = await SEC.query("select taken, taken_fen from risk.pot")
    assert tuple(row) == (1, 10_00)


async def test_a_person_in_two_batches_at_once_gets_one_share(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    calls = (world.risk.authorize_shares(shares(funding, (ann, 1_00))) for _ in range(5))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, SignedVerdict) for answer in answers) == 1
    assert all(isinstance(a, SignedVerdict | ShareTaken) for a in answers)
    with pytest.raises(DomainError):
        await world.risk.authorize_shares(shares(funding, (ann, 1_00)))


async def test_the_database_holds_the_promise_too(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    await world.risk.authorize_shares(shares(funding, (ann, 1_00)))
    for change in ("taken = 4", "taken_fen = 3001", "taken = -1"):
        with pytest.raises(Exception, match="violates check constraint"):
            await SEC.query(f"update risk.pot set {change} where pot_id = $1", funding.payee_id)
    with pytest.raises(Exception, match="opening_pkey"):
        await SEC.query(
            "insert into risk.opening (pot_id, person_id, device_id, passed_at) "
            "values ($1, $2, '', now())",
            funding.payee_id,
            ann.person_id,
        )
