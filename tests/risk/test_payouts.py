"""Payouts: to the card that the owner set, and back on the bank's word alone."""

import secrets
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.bankword import BankStatement
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import IdReused
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.risk import (
    AuthorizeTopUp,
    BankWordInvalid,
    IntentInvalid,
    IntentUsed,
    PayerFrozen,
    PayoutCardUnknown,
)
from tests.risk.people import (
    Person,
    World,
    alarm,
    altered,
    bank_word,
    card_of,
    card_word,
    found_shop,
)

DUE_FEN = 1_234_56


async def shop_with_card(world: World) -> tuple[str, Person]:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    await choose(world, shop_id, owner)
    return shop_id, owner


async def choose(world: World, shop_id: str, owner: Person, nth: str = "") -> None:
    card_id = card_of(owner.person_id, nth).card_id
    approval = await world.approve(owner, f"payout_card:{shop_id}:{card_id}")
    await world.risk.set_payout_card(approval, shop_id, card_id)


def payout(world: World, shop_id: str, owner: Person, nth: str = "") -> Intent:
    payout_id, shop = ids.new("pyo"), f"shop:{shop_id}"
    return Intent(
        intent_id=payout_id,
        kind="payout",
        payer_id=shop_id,
        payee_id=card_of(owner.person_id, nth).token,
        payee_name="演示银行 0001",
        amount_fen=DUE_FEN,
        fee_fen=0,
        source=shop,
        code="none",
        posting=Posting(payout_id, "payout", (Transfer(shop, "bank:payout", DUE_FEN),)),
        expires_at_ms=to_ms(world.clock.now() + timedelta(days=1)),
        nonce=secrets.token_bytes(32),
    )


def returned(world: World, out: Intent, outcome: str = "refused") -> AuthorizeTopUp:
    return_id, shop = f"{out.intent_id}:return", out.source
    intent = altered(
        out,
        intent_id=return_id,
        kind="payout_return",
        payer_id="bank",
        payee_id=out.payer_id,
        source="bank:payout",
        posting=Posting(
            return_id, "payout_return", (Transfer("bank:payout", shop, out.amount_fen),)
        ),
    )
    at_ms, paid = to_ms(world.clock.now()), (out.intent_id, out.payer_id, out.amount_fen)
    said = BankStatement(*paid, "CNY", outcome, at_ms, out.payee_id)
    return AuthorizeTopUp(intent, bank_word(said))


async def test_a_payout_goes_to_the_owners_card(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    wanted = payout(world, shop_id, owner)
    signed = await world.risk.authorize_payout(wanted)
    assert signed.verdict.level == "S"
    assert await world.risk.authorize_payout(wanted) == signed
    world.clock.move(timedelta(minutes=1))
    anew = await world.risk.authorize_payout(wanted)
    assert anew.verdict.verdict_id != signed.verdict.verdict_id
    with pytest.raises(IdReused):
        await world.risk.authorize_payout(altered(wanted, nonce=bytes(32)))


async def test_no_other_card_gets_the_money(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    await world.risk.bind_card(card_word(owner.person_id, "d"))
    for wanted in (payout(world, shop_id, owner, "d"), payout(world, ids.new("mch"), owner)):
        with pytest.raises(PayoutCardUnknown):
            await world.risk.authorize_payout(wanted)
    await choose(world, shop_id, owner, "d")
    with pytest.raises(PayoutCardUnknown):
        await world.risk.authorize_payout(payout(world, shop_id, owner))
    await world.risk.authorize_payout(payout(world, shop_id, owner, "d"))


async def test_a_payout_moves_what_it_says(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    good = payout(world, shop_id, owner)
    more = msgspec.structs.replace(
        good.posting, transfers=(Transfer(good.source, "bank:payout", DUE_FEN + 1),)
    )
    to_person = msgspec.structs.replace(
        good.posting, transfers=(Transfer(good.source, f"person:{owner.person_id}", DUE_FEN),)
    )
    for wrong in (
        altered(good, posting=more),
        altered(good, posting=to_person),
        altered(good, kind="payout_return"),
        altered(good, source="bank:payout"),
        altered(good, fee_fen=1),
    ):
        with pytest.raises(IntentInvalid):
            await world.risk.authorize_payout(wrong)


async def test_a_frozen_shop_is_paid_nothing_out(world: World) -> None:
    frozen, stopped = await shop_with_card(world), await shop_with_card(world)
    await alarm(world, f"shop:{frozen[0]}")
    await world.risk.freeze(stopped[1].person_id, stopped[1].secret)
    for shop_id, owner in (frozen, stopped):
        with pytest.raises(PayerFrozen):
            await world.risk.authorize_payout(payout(world, shop_id, owner))


async def test_a_released_payout_gets_no_verdict_any_more(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    wanted = payout(world, shop_id, owner)
    await world.risk.authorize_payout(wanted)
    await world.risk.release(wanted.intent_id)
    with pytest.raises(IntentUsed):
        await world.risk.authorize_payout(wanted)
    world.clock.move(timedelta(minutes=2))
    with pytest.raises(IntentUsed):
        await world.risk.authorize_payout(wanted)


async def test_what_the_bank_refused_comes_back(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    out = payout(world, shop_id, owner)
    await world.risk.authorize_payout(out)
    back = returned(world, out)
    await alarm(world, f"shop:{shop_id}")  # money may come in
    signed = await world.risk.authorize_payout_return(back)
    assert await world.risk.authorize_payout_return(back) == signed
    world.clock.move(timedelta(minutes=1))
    anew = await world.risk.authorize_payout_return(back)
    assert anew.verdict.verdict_id != signed.verdict.verdict_id
    changed = altered(back.intent, nonce=bytes(32))
    with pytest.raises(IdReused):
        await world.risk.authorize_payout_return(AuthorizeTopUp(changed, back.word))
    rows = await SEC.query("select stage, level from risk.decision order by decision_seq")
    assert [tuple(r) for r in rows] == [
        ("payout", "S"),
        ("payout_return", "S"),
        ("payout_return", "S"),
    ]


async def test_only_the_banks_refusal_brings_a_payout_back(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    out, other = payout(world, shop_id, owner), payout(world, shop_id, owner)
    await world.risk.authorize_payout(out)
    good = returned(world, out)
    forged = msgspec.structs.replace(good.word, signature=bytes(64))
    for word in (returned(world, out, "paid").word, returned(world, other).word, forged):
        with pytest.raises(BankWordInvalid):
            await world.risk.authorize_payout_return(AuthorizeTopUp(good.intent, word))
    with pytest.raises(IntentInvalid):  # never let out
        await world.risk.authorize_payout_return(returned(world, other))
    less = altered(out, amount_fen=1)
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_payout_return(returned(world, less))
    with pytest.raises(IntentInvalid):
        await world.risk.authorize_top_up(good)


async def test_a_payout_comes_back_on_the_word_about_its_own_card(world: World) -> None:
    shop_id, owner = await shop_with_card(world)
    out = payout(world, shop_id, owner)
    await world.risk.authorize_payout(out)
    good = returned(world, out)
    elsewhere = returned(world, altered(out, payee_id="tok_elsewhere"))
    with pytest.raises(BankWordInvalid):
        await world.risk.authorize_payout_return(AuthorizeTopUp(good.intent, elsewhere.word))
    await world.risk.authorize_payout_return(good)
