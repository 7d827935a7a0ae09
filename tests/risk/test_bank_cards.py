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
from backend.bankleave import Order, fault
from backend.bankword import BankStatement
from backend.db import SEC
from backend.errors import IdReused
from backend.intent import intent_hash
from backend.risk import (
    BankWordInvalid,
    CardMismatch,
    IntentInvalid,
    PayerFrozen,
    PayoutCardUnknown,
    Prepare,
)
from backend.risk.passkeys import to_base64url
from backend.settings import Settings
from tests.risk.drawing import draw, withdrawal
from tests.risk.people import World, altered, bank_word, card_of, card_word
from tests.risk.test_payouts import DUE_FEN, choose, payout, shop_with_card


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
    assert fault(leave, order, trusted) == ""
    assert fault(leave, msgspec.structs.replace(order, token="tok_x"), trusted) == "token"
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
    assert leave.intent == wanted
    assert leave.verdict.verdict == signed_verdict.verdict
    with pytest.raises(CardMismatch):
        await world.risk.payout_leave(wanted.intent_id, card_of(thief.person_id).token)
    with pytest.raises(PayerFrozen):
        await world.risk.payout_leave(wanted.intent_id, wanted.payee_id)


async def alarms() -> list[tuple[str, str, list[str]]]:
    rows = await SEC.query("select kind, detail, accounts from risk.alarm order by alarm_id")
    return [(row["kind"], row["detail"], row["accounts"]) for row in rows]
