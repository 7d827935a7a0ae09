"""Top-ups: the bank's signed word about exactly this order, and nothing else, lets money in."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend import bankword, ids, keys
from backend.bankword import BankStatement
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import BadRequest, IdReused
from backend.posting import Transfer
from backend.risk import Authorize, BankWordInvalid, IntentInvalid, Prepare
from backend.settings import Settings
from backend.verdict import fault
from tests.risk.people import BANK_KEY, World, altered, bank_word, top_up

TEN_YUAN = 10_00


async def test_the_banks_word_lets_money_in(sec: Settings, world: World) -> None:
    person = await world.person()
    asked = top_up(person.person_id, TEN_YUAN, world.clock)
    signed = await world.risk.authorize_top_up(asked)
    assert signed.verdict.level == "S"
    published = keys.published(Path(sec.verdict_keys))
    assert fault(signed, asked.intent.posting, published, to_ms(world.clock.now())) == ""
    assert await world.risk.authorize_top_up(asked) == signed
    [row] = await SEC.query("select stage, decision, level from risk.decision")
    assert tuple(row) == ("top_up", "allow", "S")


async def test_a_verdict_that_ended_is_given_anew(world: World) -> None:
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    first = await world.risk.authorize_top_up(asked)
    world.clock.move(timedelta(minutes=1))
    second = await world.risk.authorize_top_up(asked)
    assert second.verdict.verdict_id != first.verdict.verdict_id
    assert second.verdict.posting_hash == first.verdict.posting_hash


def said(**changes: Any) -> Any:
    """The bank says something else than the intent."""

    def change(statement: BankStatement) -> BankStatement:
        return msgspec.structs.replace(statement, **changes)

    return change


@pytest.mark.parametrize(
    "change",
    [
        said(order_id=ids.new("top")),
        said(person_id=ids.new("usr")),
        said(amount_fen=TEN_YUAN - 1),
        said(currency="USD"),
        said(outcome="refused"),
    ],
)
async def test_a_word_about_something_else_is_refused(world: World, change: Any) -> None:
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    statement = bankword.parse(asked.word.message)
    assert statement is not None
    word = bank_word(change(statement))
    with pytest.raises(BankWordInvalid):
        await world.risk.authorize_top_up(altered_word(asked, word))
    [row] = await SEC.query("select stage, decision, code from risk.decision")
    assert tuple(row) == ("top_up", "refuse", "bank_word_invalid")


def altered_word(asked: Any, word: Any) -> Any:
    return msgspec.structs.replace(asked, word=word)


async def test_a_word_of_anybody_else_is_refused(world: World) -> None:
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    statement = bankword.parse(asked.word.message)
    assert statement is not None
    words = [
        bank_word(statement, Ed25519PrivateKey.generate()),
        msgspec.structs.replace(asked.word, key_id="bank+ffffffff"),
        msgspec.structs.replace(asked.word, signature=bytes(64)),
        msgspec.structs.replace(asked.word, signature=b""),
        msgspec.structs.replace(asked.word, message=asked.word.message + b"x"),
        msgspec.structs.replace(asked.word, message=b"yipay/bank/v1\n"),
    ]
    junk = b"yipay/bank/v1\njunk"
    words.append(msgspec.structs.replace(asked.word, message=junk, signature=BANK_KEY.sign(junk)))
    for word in words:
        with pytest.raises(BankWordInvalid):
            await world.risk.authorize_top_up(altered_word(asked, word))


async def test_a_key_published_later_is_found(sec: Settings, world: World) -> None:
    new = keys.FileSigner(Path(sec.data_dir) / "bank", "bank")
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    message = asked.word.message
    word = msgspec.structs.replace(asked.word, key_id=new.key_id, signature=new.sign(message))
    with pytest.raises(BankWordInvalid):
        await world.risk.authorize_top_up(altered_word(asked, word))
    keys.publish(Path(sec.bank_keys), new)
    await world.risk.authorize_top_up(altered_word(asked, word))


async def test_money_comes_from_transit_to_the_person_alone(world: World) -> None:
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    sound = asked.intent
    thief = f"person:{ids.new('usr')}"
    transfers = [
        (Transfer("bank:transit", thief, TEN_YUAN),),
        (Transfer(thief, f"person:{sound.payee_id}", TEN_YUAN),),
        (Transfer("bank:transit", f"person:{sound.payee_id}", TEN_YUAN + 1),),
        sound.posting.transfers * 2,
    ]
    forged = [
        altered(sound, posting=msgspec.structs.replace(sound.posting, transfers=t))
        for t in transfers
    ]
    forged += [
        altered(sound, kind="pay"),
        altered(sound, payer_id=sound.payee_id),
        altered(sound, source="fee:income"),
        altered(sound, fee_fen=1),
        altered(sound, amount_fen=TEN_YUAN + 1),
        altered(sound, posting=msgspec.structs.replace(sound.posting, posting_id="other")),
        altered(sound, posting=msgspec.structs.replace(sound.posting, reason="pay")),
    ]
    for intent in forged:
        with pytest.raises((IntentInvalid, BadRequest)):
            await world.risk.authorize_top_up(altered_intent(asked, intent))


def altered_intent(asked: Any, intent: Any) -> Any:
    return msgspec.structs.replace(asked, intent=intent)


async def test_an_order_is_for_one_intent(world: World) -> None:
    asked = top_up(ids.new("usr"), TEN_YUAN, world.clock)
    await world.risk.authorize_top_up(asked)
    other = altered(asked.intent, nonce=bytes(32))
    with pytest.raises(IdReused):
        await world.risk.authorize_top_up(altered_intent(asked, other))


async def test_a_top_up_is_no_payment(world: World) -> None:
    person = await world.person()
    asked = top_up(person.person_id, TEN_YUAN, world.clock)
    with pytest.raises(IntentInvalid):
        await world.risk.prepare(Prepare(asked.intent, person.secret))
    await world.risk.authorize_top_up(asked)
    with pytest.raises(IntentInvalid):
        await world.risk.authorize(Authorize(asked.intent.intent_id, person.secret))
