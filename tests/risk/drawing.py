"""Withdrawals as the transaction system would ask for them, and what the bank says of them."""

import secrets
from datetime import timedelta

from backend import ids
from backend.bankword import BankStatement
from backend.clock import to_ms
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.risk import Authorize, AuthorizeTopUp, Prepare
from backend.verdict import SignedVerdict
from tests.passkey import Passkey
from tests.risk.people import Person, World, altered, bank_word, card_of

TAKEN_FEN = 300_00


def withdrawal(
    world: World, person: Person, amount_fen: int = TAKEN_FEN, speed: str = "instant", fee: int = 0
) -> Intent:
    withdrawal_id, account = ids.new("wdr"), f"person:{person.person_id}"
    transfers: tuple[Transfer, ...] = (Transfer(account, "bank:payout", amount_fen - fee),)
    if fee:
        transfers += (Transfer(account, "fee:income", fee),)
    return Intent(
        intent_id=withdrawal_id,
        kind="withdrawal",
        payer_id=person.person_id,
        payee_id=card_of(person.person_id).token,
        payee_name="演示银行 0001",
        amount_fen=amount_fen,
        fee_fen=fee,
        source=account,
        code=speed,
        posting=Posting(withdrawal_id, "withdrawal", transfers),
        expires_at_ms=to_ms(world.clock.now() + timedelta(minutes=15)),
        nonce=secrets.token_bytes(32),
    )


async def signed(
    world: World, person: Person, wanted: Intent, key: Passkey | None = None
) -> Authorize:
    """Prepared and signed with the passkey, not yet authorised."""
    asked = await world.risk.prepare_withdrawal(Prepare(wanted, person.secret))
    assert asked.ceremony is not None, asked
    response = (key or person.key).sign(asked.ceremony.options_json)
    return Authorize(wanted.intent_id, person.secret, asked.ceremony.ceremony_id, response)


async def draw(world: World, person: Person, wanted: Intent) -> SignedVerdict:
    return await world.risk.authorize_withdrawal(await signed(world, person, wanted))


def brought_back(world: World, out: Intent, outcome: str = "refused") -> AuthorizeTopUp:
    """The way back of all of it, on the bank's word."""
    return_id = f"{out.intent_id}:return"
    on_card = out.amount_fen - out.fee_fen
    transfers: tuple[Transfer, ...] = (Transfer("bank:payout", out.source, on_card),)
    if out.fee_fen:
        transfers += (Transfer("fee:income", out.source, out.fee_fen),)
    intent = altered(
        out,
        intent_id=return_id,
        kind="withdrawal_return",
        payer_id="bank",
        payee_id=out.payer_id,
        source="bank:payout",
        posting=Posting(return_id, "withdrawal_return", transfers),
    )
    at_ms = to_ms(world.clock.now())
    said = BankStatement(out.intent_id, out.payer_id, on_card, "CNY", outcome, at_ms, out.payee_id)
    return AuthorizeTopUp(intent, bank_word(said))
