"""Money leaves for the card that the bank told the security system of, whatever the tables of the
transaction system say: another token or name is refused, freezes the account, and is an alarm."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend import ids, keys
from backend.bankleave import LEAVE_LIFE_MS, Leave, Order, fault
from backend.bankword import BankStatement
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    BankWordInvalid,
    CardMismatch,
    IntentInvalid,
    IntentUsed,
    PayerFrozen,
    PayoutCardUnknown,
    PostingNotSeen,
    Prepare,
    decisions,
    intents,
    payouts,
    reservations,
)
from backend.risk.passkeys import to_base64url
from backend.risk.service import build
from backend.settings import Settings
from tests.risk.drawing import brought_back, draw, withdrawal
from tests.risk.people import World, altered, bank_word, card_of, card_word
from tests.risk.test_payouts import DUE_FEN, choose, payout, returned, shop_with_card


async def test_the_bank_is_shown_leave_for_the_owners_card_alone(
    world: World, sec: Settings
) -> None:
    """Whoever writes another token into the transaction system's tables, at any moment."""
    shop_id, owner = await shop_with_card(world)
    out = payout(world, shop_id, owner)
    with pytest.raises(IntentInvalid):
        await world.risk.payout_leave(out.intent_id, out.payee_id)
    await world.risk.authorize_payout(out)
    leave = await world.risk.payout_leave(out.intent_id, out.payee_id)
    order = Order(out.intent_id, out.payee_id, shop_id, DUE_FEN)
    trusted = keys.published(Path(sec.verdict_keys))
    now_ms = to_ms(world.clock.now())
    assert fault(leave, order, trusted, now_ms) == ""
    for wrong in (
        msgspec.structs.replace(order, order_id=ids.new("pyo")),
        msgspec.structs.replace(order, token="tok_x"),
        msgspec.structs.replace(order, owner_id=owner.person_id),
        msgspec.structs.replace(order, amount_fen=DUE_FEN + 1),
    ):
        assert fault(leave, wrong, trusted, now_ms) == "order"
        forged = msgspec.structs.replace(leave.statement, **msgspec.structs.asdict(wrong))
        bent = msgspec.structs.replace(leave, statement=forged)
        assert fault(bent, wrong, trusted, now_ms) == "signature"
    assert fault(leave, order, {}, now_ms) == "key"
    assert fault(leave, order, trusted, now_ms + LEAVE_LIFE_MS) == "expired"
    thief = await world.person()
    swapped = card_of(thief.person_id).token
    with pytest.raises(CardMismatch):
        await world.risk.payout_leave(out.intent_id, swapped)
    assert await alarms() == [("card_mismatch", out.intent_id, [f"shop:{shop_id}"])]
    with pytest.raises(PayerFrozen):
        await world.risk.payout_leave(out.intent_id, out.payee_id)
    with pytest.raises(PayerFrozen):
        await world.risk.authorize_payout(payout(world, shop_id, owner))


async def test_a_swapped_token_is_refused_before_it_is_posted_and_alarms(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    thief = await world.person()
    wanted = payout(world, shop_id, owner)
    stolen = altered(wanted, payee_id=card_of(thief.person_id).token)
    with pytest.raises(CardMismatch):
        await world.risk.authorize_payout(stolen)
    assert await alarms() == [("card_mismatch", stolen.intent_id, [f"shop:{shop_id}"])]
    other, owner = await shop_with_card(world)
    renamed = altered(payout(world, other, owner), payee_name="演示银行 9999")
    with pytest.raises(CardMismatch):  # the owner would see another card than the one that is paid
        await world.risk.authorize_payout(renamed)
    assert len(await alarms()) == 2


async def test_only_the_banks_word_makes_a_card(world: World) -> None:
    person, other = await world.person(), await world.person()
    await world.risk.bind_card(card_word(person.person_id))  # the same again
    forged = Ed25519PrivateKey.generate()
    with pytest.raises(BankWordInvalid):
        await world.risk.bind_card(card_word(person.person_id, "d", key=forged))
    order = BankStatement("top_1", person.person_id, 1, "CNY", "paid", 1, "tok_1")
    with pytest.raises(BankWordInvalid):  # what the bank signs about an order is no card
        await world.risk.bind_card(bank_word(order))
    token = card_of(person.person_id).token
    changes: list[dict[str, Any]] = [
        {"token": "tok_other"},
        {"bank_name": "别的银行"},
        {"last4": "9999"},
    ]
    for change in changes:
        with pytest.raises(IdReused):
            await world.risk.bind_card(card_word(person.person_id, **change))
    with pytest.raises(IdReused):  # nor a second card with a token that is taken
        await world.risk.bind_card(card_word(other.person_id, "d", token=token))
    for sql in ("update risk.bank_card set token = 'tok_thief'", "delete from risk.bank_card"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await SEC.query(sql)


async def test_a_consent_from_before_the_bank_told_its_cards_is_renewed(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    await SEC.query("update risk.shop set payout_card_id = $1", ids.new("crd"))
    with pytest.raises(PayoutCardUnknown):
        await world.risk.authorize_payout(payout(world, shop_id, owner))
    assert await alarms() == []
    await choose(world, shop_id, owner)
    await world.risk.authorize_payout(payout(world, shop_id, owner))


async def test_the_passkey_signs_the_banks_token_that_we_know(world: World) -> None:
    """Another token or another name in the transaction system's tables: refused, and an alarm."""
    person, thief = await world.person(), await world.person()
    wanted = withdrawal(world, person)
    assert (wanted.payee_id, wanted.payee_name) == (
        card_of(person.person_id).token,
        "演示银行 0001",
    )
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    assert asked.ceremony is not None
    challenge = msgspec.json.decode(asked.ceremony.options_json)["challenge"]
    assert challenge == to_base64url(intent_hash(wanted))
    for n, change in enumerate(
        (
            {"payee_id": card_of(thief.person_id).token},
            {"payee_id": "tok_nobodys"},
            {"payee_name": "演示银行 9999"},
        )
    ):
        victim = await world.person()
        swapped = altered(withdrawal(world, victim), **change)
        with pytest.raises(CardMismatch):
            await world.risk.prepare_withdrawal(Prepare(swapped, victim.secret))
        rows = await SEC.query("select kind, detail, accounts from risk.alarm order by alarm_id")
        told = ("card_mismatch", swapped.intent_id, [f"person:{victim.person_id}"])
        assert [tuple(row) for row in rows][n:] == [told]
        with pytest.raises(PayerFrozen):
            await draw(world, victim, withdrawal(world, victim))


async def test_what_is_handed_over_goes_where_the_passkey_said(world: World) -> None:
    person, thief = await world.person(), await world.person()
    wanted = withdrawal(world, person, 100_00, fee=1_00)
    signed_verdict = await draw(world, person, wanted)
    world.clock.move(timedelta(hours=20))  # one for the next day
    leave = await world.risk.payout_leave(wanted.intent_id, wanted.payee_id)
    order = Order(wanted.intent_id, wanted.payee_id, person.person_id, 99_00)
    assert leave.statement.order == order
    assert leave.signature != signed_verdict.signature
    with pytest.raises(CardMismatch):
        await world.risk.payout_leave(wanted.intent_id, card_of(thief.person_id).token)
    with pytest.raises(PayerFrozen):
        await world.risk.payout_leave(wanted.intent_id, wanted.payee_id)


async def test_no_leave_before_the_books_show_that_it_has_left(world: World) -> None:
    """What was allowed, refused, or posted otherwise under its id, has not left its account."""
    shop_id, owner = await shop_with_card(world)
    await SEC.query("update risk.audit_state set system_id = '7'")
    outs = [payout(world, shop_id, owner) for _ in range(4)]
    verdicts = [(await world.risk.authorize_payout(out)).verdict.verdict_id for out in outs]
    allowed, refused, other, posted = outs
    await _seen(refused, 0, None)
    await _seen(other, 5, None)  # no customer's money: the company's own, which takes no verdict
    await _seen(posted, 6, verdicts[3])
    for hours in (0, 20):
        world.clock.move(timedelta(hours=hours))
        for out in (allowed, refused, other):
            with pytest.raises(PostingNotSeen):
                await _leave(world, out)
        assert (await _leave(world, posted)).statement.order_id == posted.intent_id
    await _seen(allowed, 7, None)
    await _seen(altered(allowed, intent_id=ids.new("pyo")), 8, verdicts[0])
    with pytest.raises(PostingNotSeen):  # its verdict was used for another posting
        await _leave(world, allowed)


async def test_without_its_auditor_the_security_system_gives_no_leave(
    world: World, sec: Settings
) -> None:
    """As it runs for real, before its auditor has ever looked."""
    shop_id, owner = await shop_with_card(world)
    out = payout(world, shop_id, owner)
    await world.risk.authorize_payout(out)
    with pytest.raises(PostingNotSeen):
        await build(sec, world.clock, world.outbox).payout_leave(out.intent_id, out.payee_id)
    await _leave(world, out)


async def test_leave_or_release_but_never_both(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    first, second = payout(world, shop_id, owner), payout(world, shop_id, owner)
    for out in (first, second):
        await world.risk.authorize_payout(out)
    await world.risk.release(first.intent_id)
    with pytest.raises(IntentUsed):
        await _leave(world, first)
    await _leave(world, second)
    await world.risk.release(second.intent_id)
    await _leave(world, second)
    rows = await SEC.query(
        "select released_at, release_asked_at from risk.reservation where intent_id = $1",
        second.intent_id,
    )
    assert [tuple(row) for row in rows] == [(None, None)]
    for column in ("release_asked_at", "released_at"):
        with pytest.raises(asyncpg.CheckViolationError):
            await SEC.query(
                f"update risk.reservation set {column} = now() where intent_id = $1",
                second.intent_id,
            )


async def test_what_is_on_its_way_back_gets_no_leave(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    out = payout(world, shop_id, owner)
    await world.risk.authorize_payout(out)
    await world.risk.authorize_payout_return(returned(world, out))
    person = await world.person()
    drawn = withdrawal(world, person)
    await draw(world, person, drawn)
    await world.risk.authorize_withdrawal_return(brought_back(world, drawn))
    for back in (out, drawn):
        with pytest.raises(IntentUsed):
            await _leave(world, back)


async def test_one_from_before_tokens_were_named_is_nobodys_theft(world: World) -> None:
    """It names the card by our id. Where the bank has told us of that card since, it is paid to its
    token; else it is refused for good, and nobody is frozen."""
    shop_id, owner = await shop_with_card(world)
    card = card_of(owner.person_id)
    known = await _from_before(world, payout(world, shop_id, owner), card.card_id)
    leave = await world.risk.payout_leave(known.intent_id, card.token)
    assert leave.statement.order == Order(known.intent_id, card.token, shop_id, DUE_FEN)
    unknown = await _from_before(world, payout(world, shop_id, owner), ids.new("crd"))
    stranger = card_of((await world.person()).person_id)
    anothers = await _from_before(world, payout(world, shop_id, owner), stranger.card_id)
    drawn = await _from_before(world, withdrawal(world, owner), ids.new("crd"))
    for out, token in (
        (unknown, card.token),
        (anothers, stranger.token),
        (drawn, card.token),
    ):
        with pytest.raises(PayoutCardUnknown):
            await world.risk.payout_leave(out.intent_id, token)
    assert not PayoutCardUnknown.retryable
    assert await alarms() == []
    await _leave(world, known, card.token)
    with pytest.raises(CardMismatch):
        await world.risk.payout_leave(known.intent_id, stranger.token)
    assert await alarms() == [("card_mismatch", known.intent_id, [f"shop:{shop_id}"])]


async def _leave(world: World, out: Intent, token: str = "") -> Leave:
    return await world.risk.payout_leave(out.intent_id, token or out.payee_id)


async def _seen(out: Intent, journal_seq: int, verdict_id: str | None) -> None:
    """As the auditor notes it."""
    await SEC.query(
        "insert into risk.audit_posting values ($1, $2, $3)",
        out.intent_id,
        journal_seq,
        verdict_id,
    )


async def _from_before(world: World, out: Intent, card_id: str) -> Intent:
    """Allowed as it was then."""
    old, now = altered(out, payee_id=card_id), world.clock.now()
    stage = decisions.PAYOUT if old.kind == intents.PAYOUT else decisions.WITHDRAWAL
    await payouts.verdict_for(old, stage, now)
    await reservations.take_of_shop(old, now)
    return old


async def alarms() -> list[tuple[str, str, list[str]]]:
    rows = await SEC.query("select kind, detail, accounts from risk.alarm order by alarm_id")
    return [(row["kind"], row["detail"], row["accounts"]) for row in rows]
