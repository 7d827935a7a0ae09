"""Withdrawals: always a passkey, over exactly this card and amount, within limits of their own."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend import ids
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.posting import Posting, Transfer
from backend.risk import (
    Authorize,
    AuthorizeTopUp,
    BankWordInvalid,
    CeremonyInvalid,
    DeviceTooNew,
    DeviceUnknown,
    IntentExpired,
    IntentInvalid,
    IntentUsed,
    LimitExceeded,
    NeedsPasskey,
    PasskeyRefused,
    PasskeyRequired,
    PayerFrozen,
    Prepare,
)
from tests.passkey import Passkey
from tests.risk.drawing import TAKEN_FEN, brought_back, draw, signed, withdrawal
from tests.risk.people import World, alarm, altered, card_of


@pytest.mark.parametrize(("synced", "level"), [(False, "A"), (True, "B")])
async def test_a_passkey_always(world: World, synced: bool, level: str) -> None:
    person = await world.person(synced=synced)
    wanted = withdrawal(world, person, 1)
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    assert (asked.takes, asked.level, asked.first_payment) == ("passkey", level, True)
    assert asked.reasons == ("withdrawal",)
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize_withdrawal(Authorize(wanted.intent_id, person.secret))
    verdict = await draw(world, person, wanted)
    assert (verdict.verdict.level, verdict.verdict.decision) == (level, "allow")
    again = withdrawal(world, person, 1)
    known = await world.risk.prepare_withdrawal(Prepare(again, person.secret))
    assert known.first_payment is False


async def test_the_same_call_gives_the_same_verdict_while_it_lives(world: World) -> None:
    person = await world.person()
    wanted = withdrawal(world, person)
    call = await signed(world, person, wanted)
    first = await world.risk.authorize_withdrawal(call)
    assert await world.risk.authorize_withdrawal(call) == first
    bare = Authorize(wanted.intent_id, person.secret)  # the answer was lost
    assert await world.risk.authorize_withdrawal(bare) == first
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    assert (asked.takes, asked.ceremony) == ("none", None)
    world.clock.move(timedelta(seconds=61))
    with pytest.raises(IntentUsed):
        await world.risk.authorize_withdrawal(call)
    assert (await world.used(person))["withdraw_instant"] == TAKEN_FEN


async def test_no_other_way_to_a_verdict(world: World) -> None:
    """The payments' calls don't take it, nor does what is good for one withdrawal serve another."""
    person = await world.person()
    small, large = withdrawal(world, person, 1_00), withdrawal(world, person, 5_000_00)
    call = await signed(world, person, small)
    await signed(world, person, large)
    for wanted in (small, large):
        with pytest.raises(IntentInvalid):
            await world.risk.prepare(Prepare(wanted, person.secret))
        with pytest.raises(IntentInvalid):
            await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    moved = msgspec.structs.replace(call, intent_id=large.intent_id)
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize_withdrawal(moved)
    fresh = await signed(world, person, large)
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize_withdrawal(
            msgspec.structs.replace(fresh, response_json=call.response_json)
        )
    stranger = await world.person()
    theirs = await signed(world, person, large)
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize_withdrawal(
            msgspec.structs.replace(theirs, device_secret=stranger.secret)
        )
    other = await signed(world, person, large)
    forged = stranger.key.sign(await options_of(other.ceremony_id))
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize_withdrawal(msgspec.structs.replace(other, response_json=forged))
    unknown = Authorize(ids.new("wdr"), person.secret)
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_withdrawal(unknown)


async def options_of(ceremony_id: str) -> bytes:
    [row] = await SEC.query("select options from risk.ceremony where ceremony_id = $1", ceremony_id)
    return bytes(row["options"])


WRONG: list[dict[str, Any]] = [
    {"kind": "pay"},
    {"kind": "payout"},
    {"payer_id": ids.new("mch")},
    {"payee_id": ids.new("usr")},
    {"intent_id": ids.new("pay")},
    {"source": f"person:{ids.new('usr')}"},
    {"code": "none"},
    {"code": "soon"},
    {"amount_fen": TAKEN_FEN + 1},
    {"amount_fen": 0},
    {"fee_fen": 1},
    {"currency": "USD"},
    {"nonce": bytes(31)},
]


@pytest.mark.parametrize("change", WRONG)
async def test_the_form_is_exact(world: World, change: dict[str, Any]) -> None:
    person = await world.person()
    wrong = altered(withdrawal(world, person), **change)
    with pytest.raises((IntentInvalid, DomainError)):
        await world.risk.prepare_withdrawal(Prepare(wrong, person.secret))


async def test_the_posting_is_exact(world: World) -> None:
    person, thief = await world.person(), await world.person()
    wanted = withdrawal(world, person)
    out = Transfer(wanted.source, "bank:payout", TAKEN_FEN)
    wrong = (
        (Transfer(wanted.source, "bank:payout", TAKEN_FEN - 1),),
        (Transfer(wanted.source, f"person:{thief.person_id}", TAKEN_FEN),),
        (Transfer(wanted.source, "bank:clearing", TAKEN_FEN),),
        (out, out),
        (out, Transfer(wanted.source, "fee:income", 1)),
    )
    for transfers in wrong:
        posting = Posting(wanted.intent_id, "withdrawal", transfers)
        with pytest.raises(IntentInvalid):
            await world.risk.prepare_withdrawal(
                Prepare(altered(wanted, posting=posting), person.secret)
            )


async def test_a_fee_is_modest(world: World) -> None:
    person = await world.person()
    assert await draw(world, person, withdrawal(world, person, 100_00, fee=2_00))
    for amount, fee in ((100_00, 2_01), (1_00, 1_00)):
        wanted = withdrawal(world, person, amount, fee=fee)
        with pytest.raises((IntentInvalid, DomainError)):
            await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))


async def test_an_id_is_one_withdrawals(world: World) -> None:
    person = await world.person()
    wanted = withdrawal(world, person)
    await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    other = withdrawal(world, person, 9_00)
    posting = msgspec.structs.replace(other.posting, posting_id=wanted.intent_id)
    with pytest.raises(IdReused):
        await world.risk.prepare_withdrawal(
            Prepare(altered(other, intent_id=wanted.intent_id, posting=posting), person.secret)
        )
    world.clock.move(timedelta(minutes=15))
    with pytest.raises(IntentExpired):
        await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))


async def test_limits_by_day_and_speed(world: World) -> None:
    person = await world.person()
    await draw(world, person, withdrawal(world, person, 9_000_00))
    over = withdrawal(world, person, 1_000_01)
    with pytest.raises(LimitExceeded) as refusal:
        await world.risk.prepare_withdrawal(Prepare(over, person.secret))
    assert refusal.value.params == {"limit": "withdraw_instant", "left_fen": 1_000_00}
    await draw(world, person, withdrawal(world, person, 1_000_00))
    await draw(world, person, withdrawal(world, person, 50_000_00, "next_day"))
    with pytest.raises(LimitExceeded) as refusal:
        await draw(world, person, withdrawal(world, person, 1, "next_day"))
    assert refusal.value.params == {"limit": "withdraw_next_day", "left_fen": 0}
    with pytest.raises(LimitExceeded) as refusal:
        await draw(world, person, withdrawal(world, person, 50_000_01, "next_day"))
    assert refusal.value.params == {"limit": "withdraw_each", "left_fen": 50_000_00}
    used = await world.used(person)
    assert (used["withdraw_instant"], used["withdraw_next_day"]) == (10_000_00, 50_000_00)
    assert (used["tier_year"], used["synced_day"]) == (0, 0)  # to one's own card is no payment
    world.clock.move(timedelta(days=1))
    assert (await world.used(person))["withdraw_instant"] == 0
    await draw(world, person, withdrawal(world, person, 10_000_00))


async def test_a_synced_passkey_takes_less(world: World) -> None:
    """By the passkey that signs, over both speeds; its own limit, not that of payments."""
    person = await world.person(synced=True)
    first = withdrawal(world, person, 3_000_00)
    await draw(world, person, first)
    late = await signed(world, person, withdrawal(world, person, 1_500_00))
    await draw(world, person, withdrawal(world, person, 2_000_00, "next_day"))
    for speed in ("instant", "next_day"):
        with pytest.raises(LimitExceeded) as refusal:
            await draw(world, person, withdrawal(world, person, 1, speed))
        assert refusal.value.params == {"limit": "withdraw_synced", "left_fen": 0}
    with pytest.raises(LimitExceeded):  # signed while there was room
        await world.risk.authorize_withdrawal(late)
    used = await world.used(person)
    assert (used["withdraw_synced"], used["synced_day"]) == (5_000_00, 0)
    payment = await world.pay(person, world.intent(person, 600_00))
    assert payment.verdict.level == "B"
    await world.risk.authorize_withdrawal_return(brought_back(world, first))
    used = await world.used(person)
    assert (used["withdraw_synced"], used["synced_day"]) == (2_000_00, 600_00)
    await draw(world, person, withdrawal(world, person, 3_000_00))


async def test_more_takes_the_passkey_that_stays_on_its_device(world: World) -> None:
    person = await world.person()
    other = await world.second_device(person, synced=True)
    world.clock.move(timedelta(hours=12))
    await draw(world, other, withdrawal(world, person, 5_000_00))
    wanted = withdrawal(world, person, 1_00)
    with pytest.raises(PasskeyRefused):  # not among those asked for, and refused all the same
        await world.risk.authorize_withdrawal(
            await signed(world, person, wanted, key=Passkey(synced=True))
        )
    with pytest.raises(LimitExceeded) as refusal:
        await world.risk.authorize_withdrawal(await signed(world, other, wanted, key=other.key))
    assert refusal.value.params == {"limit": "withdraw_synced", "left_fen": 0}
    assert (await draw(world, person, withdrawal(world, person, 4_000_00))).verdict.level == "A"
    assert (await world.used(person))["withdraw_synced"] == 5_000_00


async def test_many_at_once_stay_within_the_limit(world: World) -> None:
    person = await world.person()
    calls = [await signed(world, person, withdrawal(world, person, 3_000_00)) for _ in range(5)]
    answers = await asyncio.gather(
        *(world.risk.authorize_withdrawal(call) for call in calls), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, LimitExceeded)]
    assert len(refused) == 2
    assert (await world.used(person))["withdraw_instant"] == 9_000_00


async def test_frozen_and_thawing(world: World) -> None:
    person = await world.person()
    wanted = withdrawal(world, person)
    call = await signed(world, person, wanted)
    await world.risk.freeze(person.person_id, person.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_withdrawal(call)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    assert (asked.takes, asked.reasons, asked.ceremony) == ("wait", ("thawing",), None)
    world.clock.move(timedelta(hours=12))
    assert await draw(world, person, withdrawal(world, person))
    await alarm(world, f"person:{person.person_id}")
    later = withdrawal(world, person)
    with pytest.raises(PayerFrozen):
        await world.risk.prepare_withdrawal(Prepare(later, person.secret))


async def test_a_verdict_is_not_given_again_once_frozen(world: World) -> None:
    person = await world.person()
    call = await signed(world, person, withdrawal(world, person))
    await world.risk.authorize_withdrawal(call)
    await world.risk.freeze(person.person_id, person.secret)
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_withdrawal(call)


async def test_a_new_device_waits_twelve_hours(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    wanted = withdrawal(world, second)
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, second.secret))
    assert (asked.takes, asked.reasons, asked.ceremony) == ("wait", ("new_device",), None)
    assert asked.wait_until == world.clock.now() + timedelta(hours=12)
    # Even with an answer that the older device asked for.
    call = await signed(world, person, wanted)
    with pytest.raises(DeviceTooNew) as refusal:
        await world.risk.authorize_withdrawal(
            msgspec.structs.replace(call, device_secret=second.secret)
        )
    assert refusal.value.params == {"hours": 12}
    world.clock.move(timedelta(hours=12))
    assert await draw(world, second, withdrawal(world, second))


async def test_who_has_no_passkey_or_device(world: World) -> None:
    person = await world.demo_person()
    wanted = withdrawal(world, person)
    with pytest.raises(NeedsPasskey):
        await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare_withdrawal(Prepare(wanted, "nobody's"))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize_withdrawal(Authorize(wanted.intent_id, "nobody's"))


async def test_what_comes_back_counts_no_more(world: World) -> None:
    person = await world.person()
    out = withdrawal(world, person, 9_000_00, fee=10)
    await draw(world, person, out)
    back = brought_back(world, out)
    verdict = await world.risk.authorize_withdrawal_return(back)
    assert verdict.verdict.level == "S"
    assert await world.risk.authorize_withdrawal_return(back) == verdict
    assert (await world.used(person))["withdraw_instant"] == 0
    await world.risk.freeze(person.person_id, person.secret)
    world.clock.move(timedelta(minutes=2))  # money may come in, also to whom is frozen
    assert await world.risk.authorize_withdrawal_return(back) != verdict


async def test_nothing_comes_back_without_the_banks_word(world: World) -> None:
    person = await world.person()
    out, other = withdrawal(world, person), withdrawal(world, person)
    await draw(world, person, out)
    good = brought_back(world, out)
    forged = msgspec.structs.replace(good.word, signature=bytes(64))
    for word in (brought_back(world, out, "paid").word, brought_back(world, other).word, forged):
        with pytest.raises(BankWordInvalid):
            await world.risk.authorize_withdrawal_return(AuthorizeTopUp(good.intent, word))
    with pytest.raises(IntentInvalid):  # never let out
        await world.risk.authorize_withdrawal_return(brought_back(world, other))
    await signed(world, person, other)
    with pytest.raises(IntentInvalid):  # prepared, but never allowed
        await world.risk.authorize_withdrawal_return(brought_back(world, other))
    more = brought_back(world, withdrawal(world, person, 2 * TAKEN_FEN))
    intent = altered(
        more.intent,
        intent_id=good.intent.intent_id,
        posting=msgspec.structs.replace(more.intent.posting, posting_id=good.intent.intent_id),
    )
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_withdrawal_return(AuthorizeTopUp(intent, good.word))


async def test_the_banks_word_of_a_withdrawal_is_no_top_up(world: World) -> None:
    """It says that the person's order is paid, as of a top-up: but out, not in."""
    person = await world.person()
    out = withdrawal(world, person)
    word = brought_back(world, out, "paid").word
    into = Transfer("bank:transit", out.source, out.amount_fen)
    top_up = altered(
        out,
        kind="topup",
        payer_id="bank",
        payee_id=person.person_id,
        source="bank:transit",
        code="none",
        posting=Posting(out.intent_id, "topup", (into,)),
    )
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_top_up(AuthorizeTopUp(top_up, word))


async def test_every_decision_is_kept(world: World) -> None:
    person = await world.person()
    wanted = withdrawal(world, person)
    await draw(world, person, wanted)
    await world.risk.authorize_withdrawal_return(brought_back(world, wanted))
    stranger = Passkey()
    assert stranger.credential_id
    over = withdrawal(world, person, 60_000_00)
    with pytest.raises(LimitExceeded):
        await world.risk.prepare_withdrawal(Prepare(over, person.secret))
    rows = await SEC.query("select stage, decision, level, code from risk.decision order by 1")
    assert [tuple(row) for row in rows] == [
        ("withdrawal", "allow", "A", ""),
        ("withdrawal_prepare", "refuse", "", "limit_exceeded"),
        ("withdrawal_return", "allow", "S", ""),
    ]
    token = card_of(person.person_id).token
    assert token in [row["payee_id"] for row in await SEC.query("select payee_id from risk.intent")]
